--- What a denoiser is told when it paints, and how much it heeds it: classifier-free guidance (Ho and Salimans 2022,
-- arXiv 2207.12598). The same network says what it sees with the caption and without, and the difference is exaggerated:
--
--   y = y_without + guidance (y_with - y_without)
--
-- within an interval of times only, where it helps (Kynkaanniemi et al. 2024, arXiv 2404.07724), rescaled so that
-- pictures do not burn out (Lin et al. 2023, arXiv 2305.08891, eq. 15-16). "Without" may be a caption too: of what is
-- not wanted.
-- @module laterna.diffusion.guidance
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"

local guidance = {}

--- The options of sample that belong here, for check.options.
guidance.options = {
  guidance = { "number", 1, min = 0, max = 1e4 }, interval = "table", rescale = { "number", 0, min = 0, max = 1 },
  negative = "string|table",
}

--- A condition as networks take it: {tokens, mask, pooled, detail}, nil where there is nothing to tell.
-- @treturn ?table
function guidance.encode(fname, i, model, cond, n)
  local text = condition.text(fname, i, model.text, cond, n)
  local detail = cond and cond.detail
  if not text and not detail then return nil end
  text = text or {}
  return { tokens = text.tokens, mask = text.mask, pooled = text.pooled, detail = detail }
end

local function interval_of(fname, v)
  if v == nil then return 0, 1 end
  local lo, hi = rawget(v, 1), rawget(v, 2)
  check.number(fname, 2, "interval[1]", lo, 0, 1)
  check.number(fname, 2, "interval[2]", hi, lo, 1)
  return lo, hi
end

-- The captions of a batch, then what they are to be set against.
local function both(fname, model, cond, n, negative)
  if not model.text then check.fail(fname, 2, "guidance: this model reads no captions") end
  local text = cond and cond.text
  if type(text) ~= "table" or text.pooled then
    check.fail(fname, 2, "guidance: expected captions in cond.text, as strings")
  end
  local all = table.move(text, 1, n, 1, {})
  if type(negative) == "table" and #negative ~= n then
    check.fail(fname, 2, "negative: %d captions for %d pictures", #negative, n)
  end
  for k = 1, n do all[n + k] = type(negative) == "table" and negative[k] or negative or "" end
  return all
end

-- The exaggerated prediction, brought back towards the deviation that the plain one has, picture by picture.
local function rescaled(guided, plain, amount)
  local function deviation(y)
    local flat = y:flatten(2)
    local mean = flat:mean(2, { keepdim = true })
    return (flat - mean):square():mean(2):sqrt()
  end
  local ratio = deviation(plain) / deviation(guided)
  return guided * (ratio * amount + (1 - amount)):view(-1, 1, 1, 1)
end

--- The prediction that a sampler asks for: a function of x and t.
-- @tparam string fname
-- @tparam diffusion model
-- @tparam[opt] table cond
-- @tparam integer n pictures
-- @tparam table o guidance, interval, rescale, negative
-- @treturn function (x, t) -> like x
function guidance.predictor(fname, model, cond, n, o)
  if o.guidance == 1 then
    local told = guidance.encode(fname, 1, model, cond, n)
    return function(x, t) return model:predict(x, t, told) end
  end
  local lo, hi = interval_of(fname, o.interval)
  local detail = cond and cond.detail
  local twice = guidance.encode(fname, 1, model, {
    text = both(fname, model, cond, n, o.negative), detail = detail and core.cat { detail, detail },
  }, 2 * n)
  local once = {}
  for key, v in pairs(twice) do once[key] = v[{ 1, n }] end
  return function(x, t)
    if t < lo or t > hi then return model:predict(x, t, once) end
    local y = model:predict(core.cat { x, x }, t, twice)
    local with, without = y[{ 1, n }], y[{ n + 1, 2 * n }]
    local guided = without + (with - without) * o.guidance
    return o.rescale > 0 and rescaled(guided, with, o.rescale) or guided
  end
end

return guidance
