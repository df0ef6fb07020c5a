-- Points of the plane as a picture.
local lt = require "laterna"
local plane = {}

-- How many of the points (n,2) fall into each of side x side squares of [-edge,edge]^2, row by row from the top; no
-- square counts more than `most`.
function plane.counted(x, side, edge, most)
  local count = {}
  for i = 1, side * side do count[i] = 0 end
  for _, p in ipairs(x:totable()) do
    local c, r = (p[1] + edge) * side / (2 * edge) // 1, (edge - p[2]) * side / (2 * edge) // 1
    local i = math.tointeger(r * side + c + 1)
    if c >= 0 and c < side and r >= 0 and r < side then count[i] = count[i] + 1 end
  end
  return lt.tensor(count):clamp(0, most)
end

return plane
