--- Batch norm's statistics measured anew: those of averaged weights belong to no batch that was ever seen.
-- @module laterna.nn.reestimate
local check = require "laterna.check"
local core = require "laterna.core"
local finite = require "laterna.finite"
local journal = require "laterna.journal"
local norm = require "laterna.nn.norm"
local walk = require "laterna.nn.walk"

-- The batch norms of a model; every module's mode is noted, and all but they go into evaluation mode.
local function prepare(model)
  local layers, modes = {}, {}
  for _, entry in ipairs(walk.survey("reestimate", model).modules) do
    local m = entry.module
    modes[m] = m.training
    if getmetatable(m) == norm.BatchNorm2d then layers[#layers + 1] = { name = entry.name, module = m } end
  end
  if #layers == 0 then check.fail("reestimate", 1, "model: it has no batch norm") end
  for m in pairs(modes) do m.training = false end
  for _, l in ipairs(layers) do
    l.momentum, l.module.training = l.module.momentum, true
    journal.note(l.module.running_mean, l.module.running_var)
    core.no_grad(l.module.running_mean.fill_, l.module.running_mean, 0) -- 0 times the NaN of before would be NaN
    core.no_grad(l.module.running_var.fill_, l.module.running_var, 1)
  end
  return layers, modes
end

local function restore(layers, modes)
  for _, l in ipairs(layers) do l.module.momentum = l.momentum end
  for m, was in pairs(modes) do m.training = was end
end

-- Batch k, or nil: of a list, of what has next(), of a function of k.
local function batch_of(data, k)
  if type(data) == "function" then return data(k) end
  if type(data.next) == "function" then return data:next() end
  return data[k]
end

local function plain(model, batch)
  return model(check.is_tensor(batch) and batch or batch.x)
end

-- What `plain` can take.
local function is_batch(batch)
  return check.is_tensor(batch) or type(batch) == "table" and check.is_tensor(batch.x)
end

-- The share of batch k is 1 / k, which makes of a running mean the mean of all.
local function run(model, layers, data, o)
  for k = 1, o.batches do
    local batch = batch_of(data, k)
    if batch == nil then return k - 1 end
    if o.forward == plain and not is_batch(batch) then
      check.fail("reestimate", 2, "data: batch %d: expected a tensor, or a table with the tensor x, got %s", k,
        check.describe(batch))
    end
    for _, l in ipairs(layers) do l.module.momentum = 1 / k end
    o.forward(model, batch)
    for _, l in ipairs(layers) do
      if not (finite.is_finite(l.module.running_mean) and finite.is_finite(l.module.running_var)) then
        check.fail("reestimate", 2, "data: batch %d makes the statistics of %s not finite", k,
          l.name == "" and "the model" or l.name)
      end
    end
  end
  return o.batches
end

local function is_list(v)
  return type(v) == "table" and type(v.next) ~= "function"
end

--- Measures the statistics of every BatchNorm2d of a model anew, over batches of data: each running mean and variance
-- becomes the mean of those of the batches (torch.optim.swa_utils.update_bn; Izmailov et al. 2018, arXiv 1803.05407).
-- For averaged weights, whose layers give other numbers than those that the averaged statistics are of:
--
--     lt.nn.reestimate(ema.model, train:batches(64), { batches = 50 })
--
-- Everything else is in evaluation mode meanwhile (dropout drops nothing), and nothing is recorded. Modes come back as
-- they were. After an error, as of a batch with NaN, the statistics are those from before.
-- @function reestimate
-- @tparam module model
-- @tparam table|function data a list of batches; an object with next(), as train:batches(64); or a function of 1, 2, ..
-- that gives nil at the end. A batch is a tensor, or a table with the tensor x
-- @tparam[opt] table options
--
--  - batches: how many at most; by default 100, of a list all
--  - forward: function(model, batch) that runs the model, by default model(batch) or model(batch.x)
-- @treturn module model
-- @treturn integer how many batches there were
return function(model, data, options)
  if not walk.is_module(model) then
    check.fail("reestimate", 1, "model: expected a module, got %s", check.describe(model))
  end
  if type(data) ~= "table" and type(data) ~= "function" then
    check.fail("reestimate", 2, "data: expected a list of batches, an object with next() or a function, got %s",
      check.describe(data))
  end
  local o = check.options("reestimate", 3, options, {
    batches = { "integer", is_list(data) and math.max(1, rawlen(data)) or 100, min = 1 },
    forward = { "callable", plain },
  })
  local scope <close> = journal.open()
  local layers, modes = prepare(model)
  local ok, count = pcall(core.no_grad, run, model, layers, data, o)
  restore(layers, modes)
  if not ok then error(count, 0) end
  if count == 0 then check.fail("reestimate", 2, "data: it has no batch") end
  return scope:keep(model, count)
end
