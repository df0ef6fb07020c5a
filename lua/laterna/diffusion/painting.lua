--- How a diffusion model paints: where it begins, which times it visits, which solver takes the steps.
-- @module laterna.diffusion.painting
local check = require "laterna.check"
local condition = require "laterna.condition"
local correction = require "laterna.diffusion.correction"
local ddim = require "laterna.diffusion.ddim"
local evaluation = require "laterna.evaluation"
local guidance = require "laterna.diffusion.guidance"
local latents = require "laterna.diffusion.latent"
local noise = require "laterna.noise"
local ode = require "laterna.diffusion.ode"
local resample = require "laterna.diffusion.resample"
local samplers = require "laterna.samplers"
local schedules = require "laterna.schedule"

local painting = {}

local function is_sampler(v)
  local words = "a sampler or the name of one of lt.samplers"
  if type(v) == "string" then return type(rawget(samplers, v)) == "function", words, samplers end
  return check.is(v, "callable"), words
end

local OPTIONS = {
  sampler = { is_sampler, "dpmpp_2m" }, steps = { "integer", 20, min = 1, max = 100000 }, times = "table",
  spacing = "callable", solver = "table", noise = "tensor", size = "table", callback = "callable",
  picture = "tensor", strength = { "number", min = 1e-6, max = 1 }, mask = "tensor",
  resample = { "integer", 1, min = 1, max = 10000 }, jump = { "integer", 1, min = 1, max = 100000 },
}
for _, more in ipairs { guidance.options, correction.options, noise.options } do
  for key, rule in pairs(more) do OPTIONS[key] = rule end
end

--- The keys of a condition that sample and rsample take.
painting.keys = condition.keys(nil, OPTIONS)

-- Options that say something only with, or only without, another.
local function together(fname, o)
  if o.mask and not o.picture then check.fail(fname, 2, "mask: expected a picture with it") end
  if o.strength and not o.picture then check.fail(fname, 2, "strength: expected a picture with it") end
  if o.strength and o.times then check.fail(fname, 2, "strength: the first of times says where to begin") end
  if o.picture and not (o.mask or o.strength or o.times) then
    check.fail(fname, 2, "picture: expected strength or mask with it")
  end
  for _, key in ipairs { "predict", "sigma_data", "noise", "clip" } do
    if o.solver and rawget(o.solver, key) ~= nil then check.fail(fname, 2, "solver: %s is for sample to set", key) end
  end
end

-- How many pictures there are besides what the condition says: those that are to become them. nil where nothing says.
local function count(cond, o)
  if type(cond) == "table" and (cond.n or cond.text or cond.detail) then return nil end
  for _, key in ipairs { "noise", "picture", "mask" } do
    local t = o[key]
    if t and t:dim() == 4 and (key == "noise" or t:size(1) > 1) then return t:size(1) end
  end
  return o.seeds and math.max(1, #o.seeds) or nil
end

-- One for each of n pictures from one, or from n. The channels of a mask may be 1.
local function spread(fname, name, t, n, h, w, c)
  local fits, asked = t:dim() == 4 and (t:size(1) == n or t:size(1) == 1), { n, h, w, c }
  for i = 2, fits and 4 or 0 do
    fits = fits and (not asked[i] or t:size(i) == asked[i] or i == 4 and name == "mask" and t:size(4) == 1)
  end
  if not fits then
    check.fail(fname, 2, "%s: expected (%d,%s,%s,%s), got (%s)", name, n, h or "h", w or "w", c or "c",
      table.concat(t.shape, ","))
  end
  return t:size(1) == n and t or t:expand(n, t:size(2), t:size(3), t:size(4))
end

-- Height, width and channels of what is painted: asked for, or as trained.
local function size_of(fname, model, asked)
  local size = asked or model.size:totable()
  for i = 1, 3 do
    local side = rawget(size, i)
    if math.type(side) ~= "integer" or side < 1 then
      check.fail(fname, 2, "size: expected {height, width, channels}%s",
        asked and "" or "; this model has seen no picture")
    end
  end
  return size[1], size[2], size[3]
end

-- The times to visit, the last one 0.
local function times_of(model, o)
  if o.times then return o.times end
  return (o.spacing or schedules.spacing.uniform)(model.schedule, o.steps, ode.first(model, o.strength or 1))
end

-- Callbacks hear of x where it is, at a time, also of the last one.
local function reported(callback, times)
  return callback and function(at)
    return callback { step = at.i, calls = at.calls, t = at.t or times[#times], x = at.x, x0 = at.x0 }
  end
end

-- The solver, which knows what the model's predictions mean and what is to become of its guesses.
local function solver_of(model, times, o, source, correct)
  local sampler = type(o.sampler) == "string" and samplers[o.sampler] or o.sampler
  if o.resample > 1 then sampler = resample(sampler, { repeats = o.resample, jump = o.jump }) end
  local options = { predict = model.kind, sigma_data = model.sigma_data, noise = source, clip = correct }
  for key, v in pairs(o.solver or {}) do options[key] = v end
  return sampler(model.schedule, times, options)
end

local function paint(fname, model, cond, options)
  local o = check.options(fname, 2, options, OPTIONS)
  together(fname, o)
  cond = condition.read(fname, 1, cond, painting.keys, count(cond, o))
  local n, space, free = cond.n, model.space, model.space ~= nil or not model.pixels
  local picture = o.picture and spread(fname, "picture", o.picture, n)
  local mask = o.mask and spread(fname, "mask", o.mask, n, picture:size(2), picture:size(3), picture:size(4))
  local start, hole = picture, mask
  if picture then start = latents.encode(fname, model, picture, cond) end
  local h, w, c = size_of(fname, model, o.size or start and table.pack(table.unpack(start.shape, 2)))
  if start then spread(fname, "picture", start, n, h, w, c) end
  if mask and space then hole = correction.shrink(fname, mask, h, w) end
  local source, times = noise.source(fname, 2, o, n), times_of(model, o)
  local correct = correction.both(correction.range(fname, 2, o, free),
    hole and correction.known(hole, start))
  local solver = solver_of(model, times, o, source, correct)
  local alpha, sigma = model.schedule(times[1])
  local x = o.noise and spread(fname, "noise", o.noise, n, h, w, c) or noise.draw({ n, h, w, c }, source)
  x = start and x * sigma + start * alpha or x * sigma
  x = samplers.drive(solver, x, guidance.predictor(fname, 1, model, cond, o), reported(o.callback, times))
  x = latents.decode(fname, model, x, cond)
  if mask then x = correction.known(mask, picture)(x) end
  return model.pixels and x:clamp(-1, 1) or x
end

--- Pictures from captions: from noise at t = 1 on the way to t = 0. Painted in evaluation mode, nothing recorded.
-- @tparam diffusion self
-- @tparam[opt] table cond n, text, detail; without any, as many as noise, picture, mask or seeds are for
-- @tparam[opt] table options
--
--  - sampler="dpmpp_2m": one of lt.samplers or its name; solver: options of its own ({eta = 0.5})
--  - steps=20; spacing: a function of lt.schedule.spacing, uniform by default; or times, a list from first to last
--  - guidance=1: how far to exaggerate what the caption changes (1: not at all); interval={0,1}: times at which;
--    rescale=0: 0..1, back towards the deviation without; negative: a caption, or one a picture, of what is not wanted
--  - clip: guesses of the picture into [-1,1], by default except in a latent space; threshold=0.995 instead: dynamic
--    thresholding (Saharia et al. 2022, arXiv 2205.11487), for strong guidance
--  - seed: picture i has its own generator, seeded with seed + i - 1, and does not depend on its batch; seeds: the same
--    as a list; or generator: one for all; noise: the start itself, (n,h,w,c) of N(0, I)
--  - picture (n,h,w,c), or one for all, with strength in (0,1]: begin with it, noised to that time. With a mask
--    (n,h,w,1), 1 where to paint and 0 where the picture is to stay: inpainting; what stays comes out as it was.
--    resample=1: walk every stretch of jump=1 steps so many times (laterna.diffusion.resample)
--  - size: {h,w,c}, by default as trained
--  - callback: function({x, t, x0, step, calls}) after every network call, of which there are `calls`: x at time t, x0
--    the guess of the picture (of latents, in a latent space). A tensor that it returns takes the place of x
-- @treturn Tensor (n,h,w,c) in [-1,1]
function painting.sample(self, cond, options)
  return evaluation.quietly(self, paint, "sample", self, cond, options)
end

local RECORDED = noise.with { steps = { "integer", 1, min = 1, max = 1000 }, noise = "tensor", size = "table" }

--- Pictures in a few steps of DDIM, in training mode and recorded, so that whoever judges them can teach the denoiser:
-- gradients run through every step. What `sample` gives with sampler = "ddim", but for the last clamp. For a student
-- that is to paint in one step or two (laterna.diffusion.distil, laterna.gan.judge); memory grows with the steps. In a
-- latent space that can paint, the pictures are those that the space makes of the latents.
-- @tparam diffusion self
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options steps=1; noise: the start, (n,h,w,c) of N(0, I), or seed, seeds, generator; size
-- @treturn Tensor (n,h,w,c)
function painting.rsample(self, cond, options)
  local o = check.options("rsample", 2, options, RECORDED)
  cond = condition.read("rsample", 1, cond, painting.keys, count(cond, o))
  local n, inputs, h, w, c = cond.n, cond:inputs(self.text), size_of("rsample", self, o.size)
  local x = o.noise and spread("rsample", "noise", o.noise, n, h, w, c)
    or noise.draw({ n, h, w, c }, noise.source("rsample", 2, o, n))
  local times = schedules.spacing.uniform(self.schedule, o.steps, ode.first(self, 1))
  local _, sigma = self.schedule(times[1])
  x = x * sigma
  for i = 1, #times - 1 do
    local t, s = {}, {}
    for k = 1, n do t[k], s[k] = times[i], times[i + 1] end
    -- The picture seen on the way is kept within [-1,1], as samplers do it; not the last: a clamp has no slope there.
    local clip = times[i + 1] > 0 and not self.space and self.pixels
    x = ddim.advance(self, x, self:predict(x, times[i], inputs), t, s, clip)
  end
  return latents.rsample("rsample", self, x, cond)
end

return painting
