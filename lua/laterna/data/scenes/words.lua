--- What a scene can be made of. The order of shapes, textures and backgrounds is that of csrc/op (ids count from 1).
-- @module laterna.data.scenes.words
local words = {}

words.shapes = { "circle", "square", "triangle", "star", "heart", "cross", "ring", "diamond", "moon", "hexagon" }
words.textures = { "plain", "striped", "dotted", "checked" }
words.backgrounds = { "day sky", "night sky", "sunset", "grass", "sea", "sand", "snow", "brick wall", "tiles" }
words.colours = { "red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black", "brown" }
words.sizes = { "small", "medium", "large" }
words.relations = { "left of", "right of", "above", "below" }
words.positions = {
  "top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right",
}

--- Red, green and blue of each colour, 0 to 1.
words.rgb = {
  red = { 0.88, 0.12, 0.13 }, orange = { 0.98, 0.55, 0.08 }, yellow = { 0.99, 0.86, 0.15 },
  green = { 0.13, 0.66, 0.25 }, blue = { 0.14, 0.35, 0.86 }, purple = { 0.55, 0.20, 0.72 },
  pink = { 0.98, 0.50, 0.70 }, white = { 0.96, 0.96, 0.96 }, black = { 0.08, 0.08, 0.09 },
  brown = { 0.48, 0.28, 0.13 },
}

--- Radius of each size, as a part of the picture's side.
words.radius = { small = 0.14, medium = 0.20, large = 0.265 }

--- From word to id, for what csrc/op draws.
words.id = {}
for _, kind in ipairs { "shapes", "textures", "backgrounds" } do
  words.id[kind] = {}
  for i, word in ipairs(words[kind]) do words.id[kind][word] = i end
end

--- The word for a place: thirds of the picture, the middle one a little narrower.
-- @tparam number x 0 (left) to 1
-- @tparam number y 0 (top) to 1
-- @treturn string
function words.position(x, y)
  local column = x < 0.4 and 1 or x > 0.6 and 3 or 2
  local row = y < 0.4 and 0 or y > 0.6 and 2 or 1
  return words.positions[3 * row + column]
end

return words
