--- How a diffusion model paints: where it begins, which times it visits, which solver takes the steps.
-- @module laterna.diffusion.painting
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local guidance = require "laterna.diffusion.guidance"
local samplers = require "laterna.samplers"
local schedules = require "laterna.schedule"

local spacing = schedules.spacing
local painting = {}

local MOST_RATIO = 200 -- of sigma to alpha where eps is predicted: what is left of the picture is divided by alpha

local function is_sampler(v)
  if type(v) == "string" then
    return type(samplers[v]) == "function", "the name of one of lt.samplers"
  end
  local ok = pcall(check.type, "", 1, "", v, "callable")
  return ok, "a sampler or the name of one of lt.samplers"
end

local OPTIONS = {
  sampler = { is_sampler, "dpmpp_2m" }, steps = { "integer", 20, min = 1, max = 100000 }, times = "table",
  spacing = "callable", solver = "table", clip = "boolean", threshold = { "number", min = 0, max = 1 },
  seed = "integer", seeds = "table", generator = "userdata", noise = "tensor", size = "table", callback = "callable",
  picture = "tensor", strength = { "number", 1, min = 0, max = 1 }, mask = "tensor",
}
for key, rule in pairs(guidance.options) do OPTIONS[key] = rule end


-- Height, width and channels of what is painted: asked for, or as trained.
local function size_of(fname, model, asked)
  local size = asked or model.size:totable()
  for i = 1, 3 do
    if math.tointeger(size[i]) == nil or size[i] < 1 then
      check.fail(fname, 2, "size: expected {height, width, channels}%s", asked and "" or "; this model has seen no picture")
    end
  end
  return size[1], size[2], size[3]
end

-- Where random numbers come from: one generator a picture when seeds are given.
local function generators(fname, o, n)
  if not o.seed and not o.seeds then return o.generator end
  if o.seeds and #o.seeds ~= n then check.fail(fname, 2, "seeds: %d for %d pictures", #o.seeds, n) end
  local list = {}
  for i = 1, n do
    list[i] = core.generator(o.seeds and check.integer(fname, 2, "seeds", o.seeds[i]) or o.seed + i - 1)
  end
  return list
end

local function noise_like(sources, n, h, w, c)
  if type(sources) == "table" then return core.randn_each(sources, { h, w, c }) end
  return core.randn(n, h, w, c, { generator = sources })
end

-- The times to visit, n + 1 of them, the last one 0.
local function times_of(fname, model, o)
  if o.times then return o.times end
  local first = o.strength
  if first == 0 then check.fail(fname, 2, "strength: expected more than 0") end
  if model.kind == "eps" and schedules.ratio(model.schedule, first) > MOST_RATIO then
    first = schedules.invert(model.schedule, MOST_RATIO)
  end
  return (o.spacing or spacing.uniform)(model.schedule, o.steps, first)
end

-- Where the mask is 1 is painted; elsewhere the picture is known, and every guess of x0 is told so. A solver that goes
-- on from that guess keeps the known part on its own path to the picture, whatever solver it is.
local function known_part(fname, mask, picture)
  if not picture then check.fail(fname, 2, "mask: expected a picture with it") end
  if mask:dim() ~= 4 then check.fail(fname, 2, "mask: expected (n,h,w,1), got %d axes", mask:dim()) end
  local kept = picture * (1 - mask)
  return function(x0) return x0 * mask + kept end
end

local function clipping(o, latent)
  if o.threshold then
    return function(x0) return core.threshold(x0, o.threshold) end
  end
  local clip = o.clip
  if clip == nil then clip = not latent end
  return clip and function(x0) return x0:clamp(-1, 1) end or nil
end

-- What is done to every guess of x0 before the solver sees it.
local function correction(fname, o, latent, picture)
  local clip, keep = clipping(o, latent), o.mask and known_part(fname, o.mask, picture)
  if not (clip and keep) then return clip or keep end
  return function(x0) return keep(clip(x0)) end
end

local function solver_options(o, model, more)
  local out = { predict = model.kind, sigma_data = model.sigma_data }
  for key, v in pairs(o.solver or {}) do out[key] = v end
  for key, v in pairs(more) do out[key] = v end
  return out
end

local function paint(fname, model, cond, options)
  local o = check.options(fname, 2, options, OPTIONS)
  local n = condition.count(fname, 1, cond)
  local picture, space = o.picture, model.space
  if picture and space then picture = space:encode(picture, cond) end
  local h, w, c = size_of(fname, model, o.size or picture and { picture:size(2), picture:size(3), picture:size(4) })
  local sources, times = generators(fname, o, n), times_of(fname, model, o)
  local sampler = type(o.sampler) == "string" and samplers[o.sampler] or o.sampler
  local solver = sampler(model.schedule, times, solver_options(o, model, {
    noise = sources, clip = correction(fname, o, space ~= nil, picture),
  }))
  local alpha, sigma = model.schedule(times[1])
  local x = (o.noise or noise_like(sources, n, h, w, c)) * sigma
  if picture then x = x + picture * alpha end
  x = samplers.drive(solver, x, guidance.predictor(fname, model, cond, n, o), o.callback)
  if space then x = space:decode(x, cond) end
  return x:clamp(-1, 1)
end

--- Pictures from captions: starts from noise at t = 1 and walks to t = 0. Painted in evaluation mode, nothing recorded.
-- @tparam diffusion self
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options
--
--  - sampler="dpmpp_2m": one of lt.samplers or its name; solver: options of its own ({eta = 0.5})
--  - steps=20; spacing: a function of lt.schedule.spacing, uniform by default; or times, a list from first to last
--  - guidance=1: how far to exaggerate what the caption changes (1: not at all); interval={0,1}: times at which;
--    rescale=0: 0..1, back towards the brightness without; negative: a caption, or one a picture, of what is not wanted
--  - clip: guesses of the picture into [-1,1], by default except in a latent space; threshold=0.995 instead: dynamic
--    thresholding (Saharia et al. 2022, arXiv 2205.11487), for strong guidance
--  - seed: picture i has its own generator, seeded with seed + i - 1, and does not depend on the batch it is painted in;
--    seeds: the same as a list; or generator: one for all; noise: the start itself, (n,h,w,c) of N(0, I)
--  - picture: start from these (n,h,w,c), noised to time strength=1: picture to picture; mask (n,h,w,1): 1 where to
--    paint and 0 where the picture is to stay
--  - size: {h,w,c}, by default as trained; callback: function({x, x0, t, step}) after every step
-- @treturn Tensor (n,h,w,c) in [-1,1]
function painting.sample(self, cond, options)
  return condition.quietly(self, paint, "sample", self, cond, options)
end

return painting
