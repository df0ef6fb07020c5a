--- One file that holds all of a run: tensors `model.<name>`, `optimizer.<name>`, `ema.<name>`, and as metadata the
-- step, the random state and the place in the data, and what the model is (laterna.model), so that lt.open makes the
-- model of it. Written as a whole or not at all, by core.save_safetensors.
-- @module laterna.train.checkpoint
local core = require "laterna.core"
local files = require "laterna.model"
local pack = require "laterna.train.pack"

local checkpoint = {}

local FORMAT, EARLIER = "laterna training checkpoint 2", "laterna training checkpoint 1"

-- Calls f(prefix, part) for everything in a run that has tensors; optimizers by their name.
local function each_part(run, f)
  f("model.", run.model)
  for name, optimizer in pairs(run.optimizers) do
    f(name == "" and "optimizer." or "optimizer." .. name .. ".", optimizer)
  end
  if run.ema then f("ema.", run.ema) end
end

--- Writes a checkpoint.
-- @tparam string path
-- @tparam table run model, optimizers {name = optimizer} (a single one is called ""), ema, data, step, clock
-- @tparam[opt] function look called with the tensors by name before anything is written; an error keeps the old file
function checkpoint.save(path, run, look)
  local tensors, numbers = {}, {}
  each_part(run, function(prefix, part)
    local state = part:state()
    if part ~= run.model then
      numbers[prefix], state = state.numbers, state.tensors
    end
    for name, t in pairs(state) do tensors[prefix .. name] = t end
  end)
  if look then look(tensors) end
  local data = run.data
  local metadata = files.metadata(run.model, data)
  metadata.format, metadata.step = FORMAT, tostring(run.step)
  metadata.random, metadata.numbers = pack.encode(core.default_generator():state()), pack.encode(numbers)
  metadata.clock = run.budget and pack.encode(run.budget:state()) or nil
  metadata.place = pack.encode(type(data) ~= "function" and data and data.state and data:state() or nil)
  core.save_safetensors(path, tensors, metadata)
end

-- Tensors by part; the longest prefix that fits a name decides, so `optimizer.g.` goes before `optimizer.`.
local function sort_out(run, tensors)
  local prefixes, states = {}, {}
  each_part(run, function(prefix)
    prefixes[#prefixes + 1] = prefix
    states[prefix] = {}
  end)
  table.sort(prefixes, function(a, b) return #a > #b end)
  local strangers = {}
  for name, t in pairs(tensors) do
    local home
    for _, prefix in ipairs(prefixes) do
      home = home or name:sub(1, #prefix) == prefix and prefix
    end
    if home then states[home][name:sub(#home + 1)] = t else strangers[#strangers + 1] = name end
  end
  if #strangers > 0 then
    table.sort(strangers)
    error("nothing in this run takes:\n    " .. table.concat(strangers, "\n    "), 0)
  end
  return states
end

local function decode(metadata, key)
  if not metadata[key] then error("metadata " .. key .. " is missing", 0) end
  local ok, v = pcall(pack.decode, metadata[key])
  if not ok then error(("metadata %s: %s"):format(key, v), 0) end
  return v
end

-- What an earlier version wrote lacks what the model is; in it `data` was the place in the data.
local function brought_up(path, metadata)
  if metadata.format ~= EARLIER then return metadata end
  io.stderr:write(("%s is of an earlier version of laterna and holds no vocabulary: whether its words are this "
    .. "model's cannot be known\n"):format(path))
  return setmetatable({ place = metadata.data }, { __index = metadata })
end

local function restore(path, run)
  local tensors, metadata = core.load_safetensors(path)
  if metadata.format ~= FORMAT and metadata.format ~= EARLIER then
    error("this is not a checkpoint of a training run", 0)
  end
  metadata = brought_up(path, metadata)
  local step = tostring(metadata.step):match "^%d+$" and math.tointeger(tonumber(metadata.step))
  if not step then error("metadata step: expected an integer", 0) end
  local random, numbers, data = decode(metadata, "random"), decode(metadata, "numbers"), decode(metadata, "place")
  if type(random) ~= "string" or type(numbers) ~= "table" then error("metadata: of another kind than expected", 0) end
  local clock = metadata.clock and decode(metadata, "clock")
  local states = sort_out(run, tensors)
  if metadata.format == FORMAT then files.attach(states["model."], metadata) end
  each_part(run, function(prefix, part)
    if part == run.model then
      part:load_state(states[prefix])
    else
      part:load_state { tensors = states[prefix], numbers = numbers[prefix] or {} }
    end
  end)
  if data ~= nil then
    if type(run.data) == "function" or not run.data or not run.data.load_state then
      error("it holds a place in the data, but data has no load_state", 0)
    end
    run.data:load_state(data)
  end
  if clock and run.budget then run.budget:load_state(clock) end
  core.default_generator():set_state(random)
  return step
end

--- Reads a checkpoint into the parts of a run.
-- @tparam string path
-- @tparam table run as for save
-- @treturn integer the step
function checkpoint.load(path, run)
  local ok, result = pcall(restore, path, run)
  if not ok then error(("cannot resume from %s: %s"):format(path, result), 0) end
  return result
end

return checkpoint
