-- A text encoder that hears how long captions are: one token, the number of letters, which is pooled too.
local core = require "laterna.core"
local nn = require "laterna.nn"

local Letters = nn.class("Letters", function() end)

function Letters:forward(captions)
  local counts = {}
  for i, caption in ipairs(captions) do counts[i] = { #caption } end
  local pooled = core.tensor(counts)
  return { tokens = pooled:view(-1, 1, 1), mask = core.ones(#captions, 1), pooled = pooled }
end

return Letters
