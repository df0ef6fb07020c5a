-- close(got, wanted [, tolerance]): two lists of numbers (or tensors) agree, each to tolerance * max(1, |wanted|).
local function list(t)
  return type(t) == "userdata" and t:detach():view(-1):totable() or t
end

return function(got, wanted, tolerance)
  got, wanted, tolerance = list(got), list(wanted), tolerance or 2e-6
  if #got ~= #wanted then error(("%d numbers, expected %d"):format(#got, #wanted), 2) end
  for i = 1, #wanted do
    local off = math.abs(got[i] - wanted[i])
    if off ~= off or off > tolerance * math.max(1, math.abs(wanted[i])) then
      error(("number %d is %.9g, expected %.9g"):format(i, got[i], wanted[i]), 2)
    end
  end
end
