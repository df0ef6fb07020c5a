-- A busted helper: counts what ran and says so in the last line, for people and for .ci/run.

local busted = require "busted"

local passed, failed, pending = 0, 0, 0

busted.subscribe({ "test", "end" }, function(_, _, status)
  if status == "success" then
    passed = passed + 1
  elseif status == "pending" then
    pending = pending + 1
  else
    failed = failed + 1
  end
  return nil, true
end)

-- What goes wrong outside a test: a file that does not load, a setup that raises.
local function outside(element)
  if element.descriptor ~= "it" then failed = failed + 1 end
  return nil, true
end
busted.subscribe({ "error" }, outside)
busted.subscribe({ "failure" }, outside)

busted.subscribe({ "exit" }, function()
  if pending > 0 then print(pending .. " pending") end
  print(("%d passed, %d failed"):format(passed, failed))
  return nil, true
end)
