--- Draws the attributes of a scene at random: every word as likely as the others, independent of each other, so that
-- no attribute can be guessed from another.
-- @module laterna.data.scenes.sample
local words = require "laterna.data.scenes.words"

local function between(g, low, high) return low + (high - low) * g:uniform() end

local function object(g, choice, shrink)
  local function any(list) return list[g:integer(1, #list)] end
  local o = { shape = any(choice.shapes), colour = any(choice.colours), size = any(choice.sizes),
    texture = any(choice.textures) }
  o.radius = words.radius[o.size] * shrink * between(g, 0.94, 1.06)
  o.angle = between(g, -0.17, 0.17)
  o.rgb = {}
  for i, v in ipairs(words.rgb[o.colour]) do o.rgb[i] = math.min(1, math.max(0, v + between(g, -0.03, 0.03))) end
  return o
end

local function place(o, x, y)
  o.x, o.y, o.position = x, y, words.position(x, y)
end

-- First and second place on the axis of the relation, at least touching distance apart; then on the other axis, where
-- they differ by no more than half of that, so that the relation is plain to see.
local function places_apart(g, low, high)
  local m1, m2 = 0.92 * low.radius, 0.92 * high.radius
  local apart = 0.97 * (low.radius + high.radius)
  local slack = math.max(0, 1 - m1 - m2 - apart)
  local p1 = m1 + slack * g:uniform()
  local p2 = p1 + apart + (m1 + slack - p1) * g:uniform()
  local q1 = between(g, m1, 1 - m1)
  local q2 = math.min(1 - m2, math.max(m2, q1 + (p2 - p1) * between(g, -0.5, 0.5)))
  return p1, p2, q1, q2
end

local function place_two(g, a, b, relation)
  local first_is_low = relation == "left of" or relation == "above"
  local low, high = a, b
  if not first_is_low then low, high = b, a end
  local p1, p2, q1, q2 = places_apart(g, low, high)
  if relation == "left of" or relation == "right of" then
    place(low, p1, q1)
    place(high, p2, q2)
  else
    place(low, q1, p1)
    place(high, q2, p2)
  end
end

--- One scene's attributes.
-- @tparam Generator g
-- @tparam table choice lists `shapes`, `colours`, `sizes`, `textures`, `backgrounds` to choose from, and `objects`:
-- 1, 2, or nil for either
-- @treturn table `background`, `seed` (of clouds, waves ...), `objects` (a list of one or two tables with `shape`,
-- `colour`, `size`, `texture`, `position`, `x`, `y`, `radius`, `angle`, `rgb`) and, of two, `relation`: the first
-- object is `relation` the second
return function(g, choice)
  local scene = { background = choice.backgrounds[g:integer(1, #choice.backgrounds)], seed = g:integer(0, 16777215) }
  local count = choice.objects or g:integer(1, 2)
  if count == 1 then
    local o = object(g, choice, 1)
    local margin = 0.95 * o.radius + 0.01
    place(o, between(g, margin, 1 - margin), between(g, margin, 1 - margin))
    scene.objects = { o }
  else
    scene.objects = { object(g, choice, 0.92), object(g, choice, 0.92) }
    scene.relation = words.relations[g:integer(1, #words.relations)]
    place_two(g, scene.objects[1], scene.objects[2], scene.relation)
  end
  return scene
end
