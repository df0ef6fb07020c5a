-- Dropout has no twin in PyTorch that draws the same; what is known of it is tried: how many parts are kept, that they
-- are scaled, the mean and the variance of the result, that no place and no neighbour is preferred, the gradient, and
-- the layer's two modes. Bounds are of six standard deviations.
local core = require "laterna.core"
local nn = require "laterna.nn"

local ROWS <const>, COLUMNS <const> = 200, 100
local N <const> = ROWS * COLUMNS

-- Is a count of n tries with probability p as it should be?
local function likely(count, n, p)
  return math.abs(count - n * p) <= 6 * math.sqrt(n * p * (1 - p)) + 0.5
end

local checks = {}

function checks.kept(_, y, p) return likely(y:ne(0):sum():item(), N, 1 - p) end

function checks.scaled(x, y, p)
  local far = (y * (1 - p) - x * y:ne(0)):abs():max():item()
  return p == 1 and y:abs():max():item() == 0 or far < 1e-5
end

-- E y = x, and var y = x^2 p / (1 - p), of ones.
function checks.mean_and_variance(_, y, p)
  if p == 1 then return true end
  local ones = y:ne(0):float() / (1 - p)
  local mean, var = ones:mean():item(), ones:var(nil, { correction = 0 }):item()
  local bound = 6 * math.sqrt(p / (1 - p) / N)
  local kept = 1 - mean * (1 - p) -- the variance follows from how many were kept
  return math.abs(mean - 1) <= bound + 1e-6 and math.abs(var - kept * (1 - kept) / (1 - p) ^ 2) < 1e-3 * (1 + var)
end

function checks.every_column(_, y, p)
  local counts = y:ne(0):sum({ 1 })
  for c = 1, COLUMNS do
    if not likely(counts[c]:item(), ROWS, 1 - p) then return false end
  end
  return true
end

-- Neighbours are kept together as often as independent ones are; half of the pairs, which share no place.
function checks.neighbours(_, y, p)
  local pairs_of = y:ne(0):view(N // 2, 2)
  return likely(pairs_of:prod({ 2 }):sum():item(), N // 2, (1 - p) ^ 2)
end

local function agrees(p, seed)
  local words, agree = {}, 0
  local x = (core.rand({ ROWS, COLUMNS }, { generator = core.generator(seed + 1) }) + 0.5):requires_grad_(true)
  core.manual_seed(seed)
  local layer = nn.Dropout(p)
  local y = layer(x)
  local function count(name, ok)
    if ok then agree = agree + 1 else words[#words + 1] = ("dropout(%g): %s"):format(p, name) end
  end
  for name, f in pairs(checks) do count(name, f(x:detach(), y:detach(), p)) end
  y:sum():backward()
  count("gradient", (x.grad * x:detach() - y:detach()):abs():max():item() < 1e-5)
  local direct = core.dropout(x, p, { generator = core.generator(seed) })
  count("generator", p == 0 or direct:detach():eq(y:detach()):sum():item() == N)
  count("evaluation", rawequal(layer:eval()(x), x))
  return agree, words
end

-- Returns how many checks hold, and a list of words for those that do not.
return function(seed)
  local agree, words = 0, {}
  for _, p in ipairs { 0, 0.1, 0.5, 0.9, 1 } do
    local good, bad = agrees(p, seed)
    agree = agree + good
    table.move(bad, 1, #bad, #words + 1, words)
  end
  return agree, words
end
