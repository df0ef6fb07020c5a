--- Captions several times over, to see what they leave open.
-- @module laterna.text.repeated
local check = require "laterna.check"

--- Each caption n times in a row: { "a", "b" } with 3 becomes { "a", "a", "a", "b", "b", "b" }.
--
--     painter:sample { text = lt.text.repeated("a red star", 8) }            -- eight pictures of one caption
--     lt.grid(painter:sample { text = lt.text.repeated(captions, 8) }, { columns = 8 })  -- a row a caption
--
-- @function repeated
-- @tparam string|{string,...} captions one, or a list
-- @tparam integer n at least 1
-- @treturn {string,...} a new list
return function(captions, n)
  check.type("repeated", 1, "captions", captions, "string|table")
  if type(captions) == "string" then captions = { captions } end
  n = check.integer("repeated", 2, "n", n, 1)
  for i = 1, #captions do check.type("repeated", 1, ("captions[%d]"):format(i), captions[i], "string") end
  local out = {}
  for i, caption in ipairs(captions) do
    for k = 1, n do out[(i - 1) * n + k] = caption end
  end
  return out
end
