--- One file that holds all of a run: tensors `model.<name>`, `optimizer.<name>`, `ema.<name>`, and as metadata the
-- step, the random states and the place in the data, and what the model is (laterna.model), so that lt.open makes the
-- model of it. Written as a whole or not at all, by core.save_safetensors.
--
-- Reading has two halves. `prepare` checks everything and changes nothing; each part of a run has a `prepare_state` for
-- it, which gives a function that puts the part in place and cannot fail. Then all of them are called. Objects of the
-- user's own have a load_state alone: they go first, and are put back where one of them fails.
-- @module laterna.train.checkpoint
local check = require "laterna.check"
local core = require "laterna.core"
local files = require "laterna.model"
local Module = require "laterna.nn.module"
local nn = require "laterna.nn"
local pack = require "laterna.train.pack"
local read = require "laterna.model.read"
local vocabulary = require "laterna.nn.vocabulary"

local checkpoint = {}

local FORMAT, EARLIER = "laterna training checkpoint 2", "laterna training checkpoint 1"

-- Keys of the metadata, by format; those that are true have to be there.
local KEYS = {
  [FORMAT] = { format = true, laterna = true, step = true, random = true, numbers = true, place = true, model = true,
    tokenizers = true, vocabularies = true, generators = false, clock = false, data = false, size = false },
  [EARLIER] = { format = true, step = true, random = true, numbers = true, data = true, clock = false },
}

-- Calls f(prefix, part, words for it) for everything in a run that has tensors; optimizers by their name.
local function each_part(run, f)
  f("model.", run.model, "the model")
  for name, optimizer in pairs(run.optimizers) do
    f(name == "" and "optimizer." or "optimizer." .. name .. ".", optimizer,
      name == "" and "the optimizer" or "the optimizer " .. name)
  end
  if run.ema then f("ema.", run.ema, "the average") end
end

-- The states of a run's generators, by name: of the run's own objects, and of variables of the script.
local function generator_states(run)
  local own, variables = {}, {}
  for _, entry in ipairs(run.generators or {}) do
    (entry.own and own or variables)[entry.name] = entry.generator:state()
  end
  return { own = own, variables = variables }
end

--- Writes a checkpoint.
-- @tparam string path
-- @tparam table run model, optimizers {name = optimizer} (a single one is called ""), ema, data, step, clock,
-- generators as generators.find gives them
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
  metadata.generators = pack.encode(generator_states(run))
  metadata.clock = run.budget and pack.encode(run.budget:state()) or nil
  metadata.place = pack.encode(type(data) ~= "function" and data and data.state and data:state() or nil)
  local ok, why = pcall(core.save_safetensors, path, tensors, metadata)
  if not ok then error(check.reason(why), 0) end
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
  local ok, v = pcall(pack.decode, metadata[key])
  if not ok then read.refuse("metadata %s: %s", key, v) end
  return v
end

-- The metadata of a checkpoint, whose keys are those of its format.
local function checked_keys(metadata)
  local keys = KEYS[metadata.format]
  if not keys then read.refuse "this is not a checkpoint of a training run" end
  for key, required in pairs(keys) do
    if required and metadata[key] == nil then read.refuse("metadata %s is missing", key) end
  end
  for key in pairs(metadata) do
    if keys[key] == nil then read.refuse("metadata: unknown key %s", check.describe(key)) end
  end
end

-- What an earlier version wrote lacks what the model is; in it `data` was the place in the data.
local function brought_up(path, metadata)
  if metadata.format ~= EARLIER then return metadata end
  io.stderr:write(("%s is of an earlier version of laterna and holds no vocabulary: whether its words are this "
    .. "model's cannot be known\n"):format(path))
  return setmetatable({ place = metadata.data }, { __index = metadata })
end

-- Who reads words in the model must be who does in the file: with no vocabulary beside it, nothing could be compared.
local function check_readers(run, metadata)
  local theirs = read.vocabularies(metadata, read.tokenizers(metadata))
  for _, reader in ipairs(vocabulary.readers(run.model)) do
    if not theirs[reader.name] then
      read.refuse("metadata vocabularies: nothing of %s, which reads words", check.describe(reader.name))
    end
  end
end

local function step_of(metadata)
  local step = metadata.step:match "^%d+$" and math.tointeger(tonumber(metadata.step))
  if not step or step > 1 << 53 then
    read.refuse("metadata step: expected an integer of at least 0, got %s", check.describe(metadata.step))
  end
  return step
end

-- A generator's state, which is checked in a generator that nobody uses.
local function check_random(name, state)
  local ok = type(state) == "string" and pcall(core.generator(0).set_state, core.generator(0), state)
  if not ok then read.refuse("%s: it is not the state of a generator", name) end
  return state
end

-- Has a part no half of load_state that changes nothing, or a load_state of its own beside the one of all modules?
local function has_own_load(part)
  local ok, prepare = pcall(function() return part.prepare_state end)
  return not ok or prepare == nil or nn.is_module(part) and part.load_state ~= Module.methods.load_state
end

-- Checks the state of a part, and notes how it will be put in place.
local function prepare_part(pending, part, words, state, options)
  if has_own_load(part) then
    table.insert(pending.tries, { part = part, words = words, state = state })
    return
  end
  local ok, put = pcall(part.prepare_state, part, state, options)
  if not ok then read.refuse("%s: %s", words, check.reason(put)) end
  table.insert(pending.puts, put)
end

local function prepare_parts(pending, run, states, metadata)
  local numbers, known = decode(metadata, "numbers"), {}
  if type(numbers) ~= "table" then read.refuse "metadata numbers: expected a table" end
  local finite = run.nonfinite ~= "ignore"
  each_part(run, function(prefix, part, words)
    known[prefix] = true
    local state = part == run.model and states[prefix]
      or { tensors = states[prefix], numbers = numbers[prefix] or {} }
    prepare_part(pending, part, words, state, { finite = finite })
  end)
  for prefix in next, numbers do
    if not known[prefix] or prefix == "model." then
      read.refuse("metadata numbers: nothing in this run takes %s", check.describe(prefix))
    end
  end
end

local function prepare_place(pending, run, metadata)
  local place, data = decode(metadata, "place"), run.data
  local takes = type(data) ~= "function" and data and data.load_state
  if place ~= nil and not takes then read.refuse "it holds a place in the data, but data has no load_state" end
  if place == nil and takes then
    read.refuse "it holds no place in the data, so the run would see other pictures than it is to"
  end
  if place ~= nil then prepare_part(pending, data, "the data", place) end
end

-- A run that counted steps may go on by time: its budget is all there, and runs from now on.
local function prepare_clock(pending, run, metadata)
  if run.budget and not metadata.clock then
    pending.budget_begins = true
    return
  end
  local clock = metadata.clock and decode(metadata, "clock")
  if run.budget then prepare_part(pending, run.budget, "the budget", clock) end
end

local function are_states(t)
  local ok = type(t) == "table"
  for name, state in next, ok and t or {} do
    if type(name) ~= "string" then read.refuse "metadata generators: a name that is no text" end
    check_random("the generator " .. name, state)
  end
  return ok
end

-- Generators of the run's own objects are those of the file. Variables of the script may come later, or be more.
local function prepare_generators(pending, run, metadata)
  local random = check_random("metadata random", decode(metadata, "random"))
  pending.randoms[1] = { generator = core.default_generator(), state = random }
  local saved = metadata.generators and decode(metadata, "generators") or { own = {}, variables = {} }
  if type(saved) ~= "table" or not are_states(saved.own) or not are_states(saved.variables) then
    read.refuse "metadata generators: expected the states of generators by name"
  end
  check.only("resume", nil, "metadata generators", saved, "own", "variables")
  for _, entry in ipairs(run.generators or {}) do
    local states = entry.own and saved.own or saved.variables
    local state = states[entry.name]
    if state then table.insert(pending.randoms, { generator = entry.generator, state = state }) end
    if entry.own and not state then read.refuse("it holds no state of the generator %s", entry.name) end
    if not state then pending.lacking = pending.lacking or entry.name end
    states[entry.name] = nil
  end
  local stranger = next(saved.own)
  if stranger then read.refuse("it holds the state of a generator %s, which this run has not", stranger) end
  pending.variables = saved.variables
end

local Pending = {}
Pending.__index = Pending

--- Calls the load_state of the user's own objects; where one fails, those before it and itself are put back.
function Pending:try()
  for i, try in ipairs(self.tries) do
    if type(try.part.state) == "function" then try.before = try.part:state() end
    local ok, why = pcall(try.part.load_state, try.part, try.state)
    if not ok then
      self:undo(i)
      error(("%s: %s: %s"):format(self.where, try.words, check.reason(why)), 0)
    end
  end
end

--- Puts back what `try` has changed.
function Pending:undo(last)
  for i = last or #self.tries, 1, -1 do
    local try = self.tries[i]
    if try.before then pcall(try.part.load_state, try.part, try.before) end
  end
end

--- Puts everything in place. It cannot fail.
function Pending:commit()
  for _, put in ipairs(self.puts) do put() end
  self:set_random()
end

--- Sets the random states: in train.run, and again where the loop begins, for what a script draws in between (a first
-- picture, say) is drawn in no run that goes through.
function Pending:set_random()
  for _, random in ipairs(self.randoms) do random.generator:set_state(random.state) end
end

--- Takes the states of variables that were not there yet when the run was made.
-- @tparam {table,...} found {name, generator, own}
-- @treturn ?string a generator that the file holds and nobody has
-- @treturn ?string a generator of which the file holds nothing
function Pending:claim(found)
  local lacking = self.lacking
  for _, entry in ipairs(found) do
    local state = not entry.own and self.variables[entry.name]
    if state then table.insert(self.randoms, { generator = entry.generator, state = state }) end
    if not state then lacking = lacking or entry.name end
    self.variables[entry.name] = nil
  end
  return next(self.variables), lacking
end

local function prepared(path, run)
  local tensors, metadata = core.load_safetensors(path)
  checked_keys(metadata)
  metadata = brought_up(path, metadata)
  local pending = setmetatable({ step = step_of(metadata), where = "cannot resume from " .. path, tries = {}, puts = {},
    randoms = {}, variables = {} }, Pending)
  local states = sort_out(run, tensors)
  if metadata.format ~= EARLIER then
    check_readers(run, metadata)
    files.attach(states["model."], metadata)
  end
  prepare_parts(pending, run, states, metadata)
  prepare_place(pending, run, metadata)
  prepare_clock(pending, run, metadata)
  prepare_generators(pending, run, metadata)
  return pending
end

--- Reads a checkpoint and checks it against a run, of which nothing is changed.
-- @tparam string path
-- @tparam table run as for save
-- @treturn Pending step; budget_begins: whether it knows of no time that was used; try, undo, commit
-- @raise one sentence: the path and what does not fit
function checkpoint.prepare(path, run)
  local ok, result = pcall(prepared, path, run)
  if not ok then error(("cannot resume from %s: %s"):format(path, check.reason(result, path)), 0) end
  return result
end

return checkpoint
