--- How much a denoiser heeds its captions when it paints: classifier-free guidance (Ho and Salimans 2022,
-- arXiv 2207.12598). One network says what it sees with the caption and without, and the difference is exaggerated:
--
--   y = y_without + guidance (y_with - y_without)
--
-- within an interval of times only, where it helps (Kynkaanniemi et al. 2024, arXiv 2404.07724), rescaled so that
-- pictures do not burn out (Lin et al. 2023, arXiv 2305.08891, eq. 15-16). "Without" may be a caption too: of what is
-- not wanted.
-- @module laterna.diffusion.guidance
local check = require "laterna.check"
local columns = require "laterna.diffusion.columns"
local core = require "laterna.core"

local guidance = {}

local function is_interval(v)
  local words = "{from, to}, two times of [0,1]"
  local lo, hi = type(v) == "table" and rawget(v, 1), type(v) == "table" and rawget(v, 2)
  if type(lo) ~= "number" or type(hi) ~= "number" then return false, words end
  return lo >= 0 and lo <= hi and hi <= 1 and #v == 2, words
end

--- The options of sample and encode that belong here, for check.options.
guidance.options = {
  guidance = { "number", 1, min = 0, max = 1e4 }, interval = { is_interval, { 0, 1 } },
  rescale = { "number", 0, min = 0, max = 1 }, negative = "string|table",
}

-- The captions of what is not wanted, one for each picture; nil for none.
local function negatives(fname, i, negative, n)
  if negative == nil then return nil end
  if type(negative) == "table" and #negative ~= n then
    check.fail(fname, i, "negative: %d captions for %d pictures", #negative, n)
  end
  local list = {}
  for k = 1, n do
    list[k] = type(negative) == "table" and negative[k] or negative
    check.type(fname, i, "negative", list[k], "string")
  end
  return list
end

-- The exaggerated prediction, brought back towards the deviation that the plain one has, picture by picture. One that
-- says the same everywhere has no deviation to scale.
local function rescaled(guided, plain, amount)
  local function deviation(y) return y:flatten(2):std(2, { correction = 0 }) end
  local from = deviation(guided)
  local ratio = core.where(from:gt(1e-12), deviation(plain) / core.maximum(from, 1e-12), 1)
  return guided * (ratio * amount + (1 - amount)):view(-1, 1, 1, 1)
end

local function plainly(model, inputs)
  return function(x, t) return model:predict(x, t, inputs) end
end

-- For each of the times t (n) the guidance where it is in the interval, and 1 elsewhere, as (n,1,1,1).
local function within(t, lo, hi, amount)
  return columns(t:totable(), function(time) return (time < lo or time > hi) and 1 or amount end)
end

--- The prediction that a sampler asks for: a function of x and t. Guidance 1 is the caption alone and 0 the negative
-- alone, one network call each; any other asks for both in one call of twice the batch.
-- @tparam string fname
-- @tparam integer i which argument of fname the condition was; its options are the next
-- @tparam diffusion model
-- @tparam Condition cond
-- @tparam table o guidance, interval, rescale, negative
-- @treturn function (x, t) -> like x; t is a number, or (n)
function guidance.predictor(fname, i, model, cond, o)
  local n = cond.n
  if o.guidance == 1 then return plainly(model, cond:inputs(model.text)) end
  if not cond:reader(model.text) then check.fail(fname, i + 1, "guidance: this model reads no captions") end
  local twice = cond:above(cond:without(negatives(fname, i + 1, o.negative, n))):inputs(model.text)
  local with, without = {}, {}
  for key, v in pairs(twice) do with[key], without[key] = v[{ 1, n }], v[{ n + 1, 2 * n }] end
  local lo, hi = table.unpack(o.interval)
  return function(x, t)
    local alike, amount = type(t) == "number", o.guidance
    if alike and (t < lo or t > hi) then return model:predict(x, t, with) end
    if alike and amount == 0 and o.rescale == 0 then return model:predict(x, t, without) end
    if not alike and (lo > 0 or hi < 1) then amount = within(t, lo, hi, amount) end
    local y = model:predict(core.cat { x, x }, alike and t or core.cat { t, t }, twice)
    local said, other = y[{ 1, n }], y[{ n + 1, 2 * n }]
    local guided = other + (said - other) * amount
    return o.rescale > 0 and rescaled(guided, said, o.rescale) or guided
  end
end

return guidance
