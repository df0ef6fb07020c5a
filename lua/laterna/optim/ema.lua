--- The exponential moving average of a model's parameters, often a better sampler than the model itself.
-- @module laterna.optim.ema
local check = require "laterna.check"
local core = require "laterna.core"
local guard = require "laterna.guard"
local nn = require "laterna.nn"
local optimizer = require "laterna.optim.optimizer"

local Ema = {}
Ema.__index = Ema
Ema.__name = "Ema"

local function tensors(iterator)
  local out = {}
  for _, t in iterator do out[#out + 1] = t end
  return out
end

-- At update t: min(decay, (1 + t) / (10 + t)), which is 2/11, 3/12, 4/13, ..
local function warmed_up(decay)
  return function(t) return math.min(decay, (1 + t) / (10 + t)) end
end

--- Keeps the average of every parameter in a copy of the model: average = decay average + (1 - decay) parameter.
-- Buffers are copied. The copy, `ema.model`, is frozen and in evaluation mode.
--
-- With a constant decay the average would remember the untrained model for some 1 / (1 - decay) updates. So the decay
-- warms up: at update t it is min(decay, (1 + t) / (10 + t)), and the average forgets fast as long as the model learns
-- fast (the rule of TensorFlow's ExponentialMovingAverage with num_updates). 0.999 is reached at update 8990.
-- @function Ema
-- @tparam module model
-- @tparam[opt=0.999] number|function decay in [0,1]; or a function of the update, counted from 1, taken as it is
-- @tparam[opt] table options {warmup=true}; with false a number is the decay from the first update on
-- @treturn table with update, state, load_state, and the field model
local function new(model, decay, options)
  if not nn.is_module(model) then check.fail("Ema", 1, "model: expected a module, got %s", check.describe(model)) end
  if decay == nil then decay = 0.999 end
  if check.type("Ema", 2, "decay", decay, "number|callable") and type(decay) == "number" then
    check.number("Ema", 2, "decay", decay, 0, 1)
    local o = check.options("Ema", 3, options, { warmup = { "boolean", true } })
    if o.warmup then decay = warmed_up(decay) end
  elseif options ~= nil then
    check.fail("Ema", 3, "options: warmup is for a decay that is a number; a function is taken as it is")
  end
  local self = setmetatable({ decay = decay, updates = 0, model = nn.clone(model):eval():freeze() }, Ema)
  self.sources, self.averages = model:parameters(), self.model:parameters()
  self.source_buffers, self.buffers = tensors(model:named_buffers()), tensors(self.model:named_buffers())
  return self
end

-- Averages and parameters that move: those whose last step an optimizer has refused do not.
local function moving(self)
  local refused, trained = optimizer.refused, optimizer.trained
  if next(refused) == nil then return self.averages, self.sources end
  local averages, sources, some = {}, {}, false
  for i, p in ipairs(self.sources) do
    if not refused[p] then
      averages[#averages + 1], sources[#sources + 1] = self.averages[i], p
      some = some or trained[p] and p.requires_grad
    end
  end
  return averages, sources, #sources < #self.sources and not some
end

--- Moves the average towards the model as it is now; once after every step of the optimizer. Where an optimizer has
-- left out the step, for its gradients had NaN or infinity, the average stays as it is.
function Ema:update()
  local averages, sources, skipped = moving(self)
  if skipped then return end
  local update, decay = self.updates + 1, self.decay
  if type(decay) ~= "number" then decay = decay(update) end
  check.number("update", nil, "decay", decay, 0, 1)
  core.no_grad(function()
    core.ema_update(averages, sources, decay)
    for i, t in ipairs(self.buffers) do t:copy_(self.source_buffers[i]) end
  end)
  self.updates = update
end

--- {tensors = the averaged model's state, numbers = {updates}}
-- @treturn table
function Ema:state()
  return { tensors = self.model:state(), numbers = { updates = self.updates } }
end

--- The first half of load_state: checks a state, strictly, and changes nothing.
-- @tparam table state {tensors, numbers}
-- @tparam[opt] table options finite=true; false: numbers may be infinite or NaN
-- @treturn function that puts the state in place, and cannot fail
function Ema:prepare_state(state, options)
  check.type("load_state", 1, "state", state, "table")
  check.type("load_state", 1, "tensors", state.tensors, "table")
  check.type("load_state", 1, "numbers", state.numbers, "table")
  check.only("load_state", 1, "numbers", state.numbers, "updates")
  local o = check.options("load_state", 2, options, { finite = { "boolean", true } })
  local updates = check.count("load_state", 1, "updates", state.numbers.updates)
  local put = self.model:prepare_state(state.tensors, { finite = o.finite })
  return function()
    put()
    self.updates = updates
  end
end

--- Takes a state() back, strictly; after an error the average is as it was.
-- @tparam table state {tensors, numbers}
function Ema:load_state(state)
  self:prepare_state(state)()
end

guard(Ema, "an Ema")

return new
