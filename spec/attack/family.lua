-- A statement of a random program: a small model of a random family, some steps of training, and what is done with a
-- model: sampled, saved, opened, copied, trained by a run whose loop ends in one way or another.
local core = require "laterna.core"
local lt = require "laterna"
local models = require "spec.support.models"
local values = require "spec.attack.values"

local random = math.random

local NAMES = {}
for name in pairs(models.made) do NAMES[#NAMES + 1] = name end
table.sort(NAMES)

local OPTIMIZERS = { "SGD", "Adam", "AdamW", "RMSprop", "Lion", "Muon" }

-- Pictures of a batch: most often good ones.
local function pictures(n)
  local x = core.rand(n, 8, 8, 3) * 2 - 1
  local way = random(12)
  if way == 1 then x[1] = 0 / 0 end
  if way == 2 then x[1][1] = 1 / 0 end
  if way == 3 then return x:byte() end
  if way == 4 then return x * 1e20 end
  return x
end

local function condition(n)
  local text = {}
  for i = 1, n do text[i] = models.captions[random(#models.captions)] end
  return { text = not values.once_in(8) and text or nil, n = values.once_in(10) and n + 1 or nil,
           generator = values.once_in(6) and core.generator(random(9)) or nil }
end

local parts = {}

function parts.train(self, model)
  local opt = lt.optim[OPTIMIZERS[random(#OPTIMIZERS)]](model:parameters(), { lr = 1e-3 })
  local ema = values.once_in(2) and lt.optim.Ema(model, 0.9) or nil
  for _ = 1, random(2) do
    local n = random(3)
    self:try("train", false, function()
      local loss = model:loss(pictures(n), condition(n))
      if values.once_in(3) then collectgarbage() end
      opt:update(loss, nil, values.once_in(2) and { clip_norm = 1 } or nil)
      if ema then ema:update() end
    end)
  end
  self:try("optimizer's state", false, function() opt:load_state(opt:state()) end)
  if ema then self:try("average's state", false, function() ema:load_state(ema:state()) end) end
  if model.critic_loss then
    self:try("critic_loss", false, function() model:critic_loss(pictures(2), condition(2)):backward() end)
  end
end

-- Sampling, in a coroutine whose callback may yield and never be resumed.
function parts.sample(self, model, options)
  local o = {}
  for key, v in pairs(options) do o[key] = v end
  local way = random(5)
  if o.steps and way < 4 then
    o.callback = way == 1 and coroutine.yield or way == 2 and function() error { attack = true } end
      or function() collectgarbage() end
  end
  local co = coroutine.wrap(function() return model:sample(condition(2), o) end)
  self:try("sample", false, co)
  if values.once_in(2) then self:try("sample on", false, co) end
  if not values.once_in(3) then return end
  self:try("rsample", false, function() return model:rsample(condition(2), o):sum():backward() end)
end

function parts.methods(self, model)
  for _, method in ipairs { "encode", "log_prob", "reconstruct", "bound" } do
    if model[method] and values.once_in(2) then
      self:try(method, false, function() return model[method](model, pictures(2), condition(2)) end)
    end
  end
end

function parts.files(self, model, options)
  self:try("save_model", false, lt.save_model, "model.safetensors", model)
  local _, again = self:try("open", false, lt.open, "model.safetensors")
  if type(again) == "table" then
    self:try("sample of what was opened", false, models.sample, again, options)
  end
  self:try("inspect", false, lt.inspect, "model.safetensors")
end

function parts.copy(self, model)
  local _, twin = self:try("clone", false, model.clone, model)
  if type(twin) ~= "table" then return end
  self:try("load_state", false, function() twin:load_state(model:state()) end)
  self:try("print", false, tostring, twin)
end

-- A run whose loop ends by itself, by break, by an error, or stands in a coroutine that is dropped.
function parts.run(self, model)
  local set = lt.data.scenes { n = 6, size = 8, objects = 1, seed = 1 }
  local way = random(5)
  self:try("run", false, function()
    local run = lt.train.run { save = "run", steps = 3, every = 1, model = model, data = set:batches(2, { seed = 1 }),
      optimizer = lt.optim.AdamW(model:parameters(), { lr = 1e-3 }), progress = false, resume = values.once_in(2),
      nonfinite = values.once_in(2) and "skip" or "stop", exit = false }
    local function loop()
      for _, batch in run:steps() do
        run:log(run.optimizer:update(model:loss(batch.x, { text = batch.captions })))
        if way == 1 then break end
        if way == 2 then error { attack = true } end
        if way == 3 then coroutine.yield() end
      end
    end
    if way == 3 then coroutine.wrap(loop)() else loop() end
  end)
end

local PARTS = {}
for name in pairs(parts) do PARTS[#PARTS + 1] = name end
table.sort(PARTS)

return function(self)
  local name = NAMES[random(#NAMES)]
  local ok, model, options = self:try("make " .. name, false, models.make, name)
  if not ok then return end
  for _ = 1, random(3) do parts[PARTS[random(#PARTS)]](self, model, options) end
end
