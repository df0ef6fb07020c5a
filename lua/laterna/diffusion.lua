--- Diffusion: one denoiser, trained on pictures with more and less noise added, applied again and again (Sohl-Dickstein
-- et al. 2015; Ho et al. 2020, arXiv 2006.11239; in continuous time Kingma et al. 2021, arXiv 2107.00630).
--
--   x_t = alpha(t) x + sigma(t) eps,   loss = w |net(x_t, t, caption) - target|^2      t at random, eps ~ N(0, I)
--
-- The schedule t -> alpha, sigma is any function that laterna.schedule accepts, the network any callable
-- net(x, t, cond) with x (n,h,w,c), t (n) in [0,1], cond nil or {tokens, mask, pooled, detail}; laterna.prediction has
-- what it is to say. To paint, a sampler walks from t = 1, where there is noise alone, to t = 0.
--
--     local model = lt.diffusion {
--       net = lt.nn.UNet { channels = 1, width = 32, text = 64 }, text = lt.text.Encoder(captions),
--       schedule = "cosine", predict = "v",
--     }
--     local loss = model:loss(x, { text = captions })
--     local pictures = model:sample({ text = { "ankle boot", "bag" } }, { sampler = "dpmpp_2m", steps = 20 })
-- @module laterna.diffusion
local check = require "laterna.check"
local columns = require "laterna.diffusion.columns"
local condition = require "laterna.condition"
local core = require "laterna.core"
local distil = require "laterna.diffusion.distil"
local time_sampler = require "laterna.diffusion.time_sampler"
local encode = require "laterna.diffusion.encode"
local evaluation = require "laterna.evaluation"
local journal = require "laterna.journal"
local likelihood = require "laterna.diffusion.likelihood"
local latent = require "laterna.diffusion.latent"
local nn = require "laterna.nn"
local painting = require "laterna.diffusion.painting"
local prediction = require "laterna.prediction"
local schedules = require "laterna.schedule"
local fault_of = require("laterna.schedule.tools").fault
local weight = require "laterna.diffusion.weight"

local SNR_MIN, SNR_MAX = 1e-9, 1e9 -- weights are not asked beyond, where the weight of nothing would be infinite

local function is_net(v)
  return check.is(v, "callable"), "a module or a function"
end

local function is_space(v)
  local ok, has = pcall(function() return type(v.encode) == "function" and type(v.decode) == "function" end)
  return ok and has, "something with encode and decode, such as a vae"
end

local function is_schedule(v)
  if type(v) == "string" then
    return type(rawget(schedules, v)) == "function", "a schedule's name or function", schedules
  end
  return check.is(v, "callable"), "a function of t that gives alpha and sigma, or the name of one of lt.schedule"
end

local function is_size(v)
  local ok = type(v) == "table" and #v == 3
  for i = 1, ok and 3 or 0 do ok = ok and math.type(v[i]) == "integer" and v[i] > 0 end
  return ok, "{height, width, channels}"
end

-- What a schedule is refused for, as an argument of this function.
local function checked(schedule)
  if type(schedule) == "string" then return schedules[schedule]() end
  local fault = fault_of(schedule)
  if fault then check.fail("diffusion", 1, "%s", fault) end
  return schedule
end

--- A diffusion model: `lt.diffusion(options)`.
-- @function diffusion
-- @tparam table options
--
--  - net: the denoiser, net(x, t, cond) -> like x
--  - text: a text encoder; without one captions are ignored
--  - schedule="cosine": t -> alpha, sigma, or the name of one in lt.schedule
--  - predict="v": what the network says: "eps", "x0", "v", "velocity" or "edm"; sigma_data=1 for the last
--  - weight: function(snr, t), the weight of squared error in x0 (lt.diffusion.weight); by default that of the plain
--    squared error of what is predicted
--  - time_sampler: function(n, generator, schedule) -> (n) times for training (lt.diffusion.time_sampler); by default
--    one for each of n equal parts of [0,1]
--  - drop=0.1: how often a caption is left out in training, so that the model knows what it paints without one
--  - space: paint in the latent space of this (its encode and decode), trained before
--  - size: {h,w,c} of what is painted; by default that of the pictures it was trained on
--  - pixels=true: what it paints are pictures in [-1,1], as opposed to latents or differences made elsewhere: false
--    lets any numbers in, and `clip` of sample is then false by default
-- @treturn diffusion
local Diffusion = nn.class("diffusion", function(self, options)
  local o = check.options("diffusion", 1, options, {
    net = { is_net, required = true }, text = nn.module_rule, schedule = { is_schedule, "cosine" },
    predict = { "string", "v", one_of = prediction.kinds }, sigma_data = { "number", 1, min = 1e-6 },
    weight = "callable", time_sampler = "callable", drop = { "number", 0.1, min = 0, max = 1 }, space = is_space,
    size = is_size, pixels = { "boolean", true },
  })
  self.net, self.text, self.space, self.pixels = o.net, o.text, o.space, o.pixels
  self.schedule = checked(o.schedule)
  self.kind, self.sigma_data, self.drop = o.predict, o.sigma_data, o.drop
  self.snr_weight, self.times = o.weight, o.time_sampler or time_sampler.stratified()
  self.size = core.tensor(o.size or { 0, 0, 0 }, { dtype = "int32" }) -- saved with the weights
  if o.space then
    self.latents, self.buffers = core.tensor { 0, 0 }, { latents = true } -- mean and deviation, see diffusion.latent
  end
  if nn.is_module(o.space) then o.space:freeze():eval() end
end)

Diffusion.weight, Diffusion.time_sampler, Diffusion.distil = weight, time_sampler, distil

-- The network sees numbers of about one size, however loud the noise. 1 for schedules that preserve the variance.
local function input_scale(self, alpha, sigma)
  local d = self.kind == "edm" and self.sigma_data or 1
  return (alpha * alpha * d * d + sigma * sigma) ^ -0.5
end

local LOSS = condition.keys {
  generator = check.is_generator, noise = "tensor", contrast = nil,
}
local PLAIN = condition.keys()

--- The keys of its condition, for a model that passes its own on (laterna.condition).
-- @tparam string fname "loss" or "sample"
-- @treturn table
function Diffusion:condition_keys(fname) return fname == "sample" and painting.keys or LOSS end -- luacheck: ignore self

--- Height, width and channels of the pictures that it was trained on; nil before. In a latent space those of its space.
-- @treturn ?table
function Diffusion:picture_size()
  local space = self.space
  if space then return nn.is_module(space) and space.picture_size and space:picture_size() or nil end
  local size = self.size:totable()
  return self.pixels and size[1] > 0 and size or nil
end

--- What the network says, unread: the one place where it is called.
-- @tparam Tensor x (n,h,w,c), noised to time t
-- @tparam number|Tensor t of all, or (n), a time a picture
-- @tparam[opt] table cond as the network takes it: {tokens, mask, pooled, detail}
-- @treturn Tensor like x
function Diffusion:predict(x, t, cond)
  condition.pictures("predict", x, 1, true)
  local one = type(t) == "number"
  if not one and (check.type("predict", 2, "t", t, "number|tensor"):dim() ~= 1 or t:size(1) ~= x:size(1)) then
    check.fail("predict", 2, "t: expected a number or (%d), got (%s)", x:size(1), table.concat(t.shape, ","))
  end
  local far = 0
  local scale = columns(one and { t } or t:totable(), function(time)
    local s = input_scale(self, self.schedule(time))
    far = math.max(far, math.abs(s - 1))
    return s
  end)
  if far > 1e-6 then x = x * scale end
  return self.net(x, one and core.full({ x:size(1) }, t) or t, cond)
end

--- The picture that the network sees in a noised one.
-- @tparam Tensor x (n,h,w,c), noised to time t
-- @tparam number t in (0,1]
-- @tparam[opt] table cond text, detail
-- @treturn Tensor the guess of x0
function Diffusion:denoise(x, t, cond)
  condition.pictures("denoise", x, 1, true)
  cond = condition.read("denoise", 3, cond, PLAIN, x:size(1))
  check.number("denoise", 2, "t", t, 0, 1)
  local alpha, sigma = self.schedule(t)
  local a, b = prediction.coefficients(self.kind, alpha, sigma, self.sigma_data)
  return evaluation.quietly(self, function()
    return x * a + self:predict(x, t, cond:inputs(self.text)) * b
  end)
end

-- For each picture's time: alpha, sigma, what the target is made of, and the weight of its error.
local function coefficients(self, t)
  return columns(t:totable(), function(time)
    local alpha, sigma = self.schedule(time)
    local p, q = prediction.target(self.kind, alpha, sigma, self.sigma_data)
    if not self.snr_weight then return alpha, sigma, p, q end
    local snr = math.min(SNR_MAX, math.max(SNR_MIN, (alpha / sigma) ^ 2))
    local _, b = prediction.coefficients(self.kind, math.max(alpha, sigma * SNR_MIN ^ 0.5), sigma, self.sigma_data)
    return alpha, sigma, p, q, self.snr_weight(snr, time) * b * b
  end)
end

local function noise_for(x, cond)
  if cond.noise == nil then return core.randn(x.shape, { generator = cond.generator }) end
  local want, got = table.concat(x.shape, ","), table.concat(cond.noise.shape, ",")
  if want ~= got then check.fail("loss", 2, "cond.noise: expected (%s), got (%s)", want, got) end
  return cond.noise
end

--- What to minimise: a scalar, and numbers to log (mse: squared error of what is predicted, unweighted).
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text; detail (n,d) for networks that take one; generator for the draws; noise like x that is
-- added instead of a draw (reflow: Liu et al. 2022, arXiv 2209.03003: the noise that x was painted from)
-- @treturn Tensor
-- @treturn table
function Diffusion:loss(x, cond)
  condition.pictures("loss", x, 1, not self.pixels)
  cond = condition.read("loss", 2, cond, LOSS, x:size(1))
  x = latent.encode("loss", self, x, cond)
  journal.note(self.size)
  self.size:copy_(core.tensor({ x:size(2), x:size(3), x:size(4) }, { dtype = "int32" }))
  local inputs = cond:dropped(self):inputs(self.text)
  local t = self.times(x:size(1), cond.generator, self.schedule)
  local alpha, sigma, p, q, weights = coefficients(self, t)
  local eps = noise_for(x, cond)
  local said = self:predict(x * alpha + eps * sigma, t, inputs)
  local error2 = (said - (x * p + eps * q)):square()
  local mean = error2:mean()
  return weights and (error2 * weights):mean() or mean, { mse = mean:item() }
end

Diffusion.loss = journal.whole(Diffusion.loss)
Diffusion.sample, Diffusion.rsample = painting.sample, painting.rsample
Diffusion.encode, Diffusion.bits_per_dim = encode.encode, likelihood.bits_per_dim

return Diffusion
