--- Training runs: the loop is the user's; progress, log, checkpoints, `--resume` and Ctrl-C are the run's.
--
--     local run = lt.train.run { save = "runs/late", steps = 5000, data = batches, model = model, optimizer = opt,
--                                ema = ema }
--     for step, batch in run:steps() do
--       run:log(opt:update(model:loss(batch.x, { text = batch.captions })))
--       ema:update()
--     end
--
-- opt:update is short for opt:zero_grad(), loss:backward() and opt:step(); see laterna.optim.
--
-- @module laterna.train
local check = require "laterna.check"
local checkpoint = require "laterna.train.checkpoint"
local budget = require "laterna.train.budget"
local core = require "laterna.core"
local finite = require "laterna.finite"
local folder = require "laterna.train.folder"
local generators = require "laterna.train.generators"
local guard = require "laterna.guard"
local interrupt = require "laterna.train.interrupt"
local journal = require "laterna.journal"
local memory = require "laterna.train.memory"
local Log = require "laterna.train.log"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local pace = require "laterna.train.pace"
local progress = require "laterna.show.progress"
local walk = require "laterna.nn.walk"

local train = { arguments = require "laterna.train.arguments", budget = budget.new }

-- What the terminal shows as soon as Ctrl-C is pressed.
local NOTICE = "stopping after this step (again: at once)\n"

local Run = {}
Run.__index = Run
Run.__name = "run"

local function is_data(v)
  if type(v) == "function" then return true end
  local ok, next_batch = pcall(function() return v.next end)
  return ok and type(next_batch) == "function", "an object with a function next, or a function of the step"
end

local function is_optimizers(v)
  if optim.is_optimizer(v) then return true end
  local ok = type(v) == "table" and next(v) ~= nil
  for name, o in pairs(ok and v or {}) do
    ok = ok and type(name) == "string" and name:find "^[%a_][%w_]*$" ~= nil and optim.is_optimizer(o)
  end
  return ok, "an optimizer, or a table of them by name"
end

local function is_ema(v)
  return type(v) == "table" and type(v.update) == "function" and type(v.load_state) == "function", "an Ema"
end

local function is_length(v)
  local n = type(v) == "number" and math.tointeger(v)
  return budget.is(v) or n ~= nil and n ~= false and n >= 0,
    "an integer of at least 0, or a budget of time from train.budget"
end

local function asked_to_resume()
  for _, word in ipairs(rawget(_G, "arg") or {}) do
    if word == "--resume" then return true end
  end
  return false
end

local KNOWN = {
  save = "string", steps = { is_length, required = true }, data = is_data,
  model = { nn.module_rule, required = true }, optimizer = is_optimizers, ema = is_ema,
  every = { "integer", 1000, min = 1 }, log_every = { "integer", 1, min = 1 },
  memory = memory.rule, resume = "boolean", seed = "integer", on_step = "callable", progress = { "boolean", true },
  exit = { "boolean", true }, nonfinite = { "string", "stop", one_of = { "stop", "skip", "ignore" } }, label = "string",
}

local function say(self, text, ...)
  if self.bar then return self.bar:note(text:format(...)) end
  if self.progress then io.stderr:write(text:format(...), "\n") end
end

-- What a checkpoint has to hold the random state of. The functions of a script lead to much that is no part of the run.
local function find_generators(self)
  local objects = { { "model", self.model }, { "ema", self.ema } }
  for name, optimizer in pairs(self.optimizers) do
    objects[#objects + 1] = { name == "" and "optimizer" or "optimizer." .. name, optimizer }
  end
  table.sort(objects, function(a, b) return a[1] < b[1] end)
  local functions = { { "on_step", self.on_step } }
  table.insert(type(self.data) == "function" and functions or objects, { "data", self.data })
  return generators.find(objects, functions, self.generators)
end

local function open_log(self, path, step)
  return Log.open(path, step, function(text) say(self, "%s", text) end)
end

-- Goes on from a checkpoint. All of it is checked, and the log is ready, before anything of the run changes.
local function go_on(self, log)
  local pending = checkpoint.prepare(self.checkpoint, self)
  pending:try()
  local ok, result = pcall(open_log, self, log, pending.step)
  if not ok then
    pending:undo()
    error(("cannot resume from %s: %s"):format(self.checkpoint, result), 0)
  end
  pending:commit()
  self.log_file, self.step, self.saved_step, self.pending = result, pending.step, pending.step, pending
  say(self, "resuming after step %d of %s", self.step, self.checkpoint)
  if pending.budget_begins then
    say(self, "%s counts steps and no time: the budget of %g minutes begins now", self.checkpoint, self.budget.total)
  end
end

-- Files: goes on from a checkpoint, or begins; what an earlier run left is set aside, not overwritten.
local function open_files(self)
  folder.make(self.save_folder)
  self.checkpoint = self.save_folder .. "/checkpoint.safetensors"
  local log = self.save_folder .. "/log.csv"
  local there = folder.exists(self.checkpoint)
  self.generators = find_generators(self)
  if self.resume and there then return go_on(self, log) end
  if there then
    folder.set_aside(self.checkpoint)
    folder.set_aside(log)
    say(self, "the earlier run in %s is kept as *.previous; --resume would have gone on with it", self.save_folder)
  elseif (folder.size(log) or 0) > 0 then
    say(self, "the rows of a run without a checkpoint are kept as %s", folder.set_aside(log, true))
  end
  if self.resume then say(self, "nothing to resume in %s: starting at the first step", self.save_folder) end
  self.log_file = open_log(self, log, 0)
end

--- Prepares a run, or goes on with one that was stopped: weights, optimizer, averages, random state and place in the
-- data come back bit for bit. Without `save` no file is written.
-- @tparam table options
--
--  - save: folder for `checkpoint.safetensors` and `log.csv`; made if need be. Generators that the run's objects or the
--    variables of the calling function lead to are part of the checkpoint (laterna.train.generators)
--  - steps: in all, those of earlier sittings included; or a budget of time, from lt.train.budget. A run that began
--    with one may go on with the other. After the first minute of a budget a line warns where it looks as if each
--    picture of `data` came fewer than 10 times, in a set of which 10 times are not 256,000 pictures: more minutes,
--    fewer pictures or a smaller model is then the advice
--  - model: a module; optimizer: one, or a table of several by name; ema: from lt.optim.Ema
--  - data: an object with next() (and state(), load_state(t) to be resumed), or a function of the step
--  - every=1000: steps between checkpoints; log_every=1: steps between rows of the log
--  - resume: by default, whether `--resume` is on the command line. A checkpoint that does not fit is an error that
--    says why, and then nothing of the run has changed
--  - memory: the most that tensors may use in a step (lt.memory().peak), as bytes or "600 MB": blocks of the model are
--    computed again in backward as far as that needs (laterna.train.memory), and a line on stderr says what it costs.
--    The process takes some 40 MB more, and what is freed stays with it for a while
--  - seed: for the default generator, when a run begins
--  - on_step: function(step, run), called after each step
--  - nonfinite="stop": what NaN and infinity in run:log do: "stop" with an error; "skip": optimizers leave out steps
--    with such gradients, and the batch leaves no trace in weights, optimizers, averages and the model's buffers, such
--    as batch norm's statistics; "ignore"
--  - exit=true: whether a script ends when Ctrl-C has ended the loop, with status 130; see run:steps
--  - progress=true: a progress bar and messages on stderr; label: before the bar
--
-- A row of the log is written with its step, and rows are on the disk before a checkpoint counts them. One that cannot
-- be written is noted once and tried again, at the latest for the checkpoint, where it is an error.
-- @treturn table a run: steps, log, save; fields step, interrupted
function train.run(options)
  local self = check.options("run", 1, options, KNOWN)
  self.total, self.save_folder = math.tointeger(self.steps), self.save
  self.budget = not self.total and self.steps or nil
  self.steps, self.save = nil, nil -- run:steps and run:save are functions
  self.optimizers = self.optimizer == nil and {} or optim.is_optimizer(self.optimizer) and { [""] = self.optimizer }
    or self.optimizer
  if self.resume == nil then self.resume = asked_to_resume() end
  if self.nonfinite == "skip" then
    for _, optimizer in pairs(self.optimizers) do optimizer.skip_nonfinite = true end
  end
  self.step, self.interrupted, self.values, self.warned = 0, false, {}, {}
  setmetatable(self, Run)
  if self.seed then core.manual_seed(self.seed) end
  if self.memory then
    self.memory = memory.new(self.model, self.memory, function(...) say(self, ...) end)
  end
  if self.save_folder then open_files(self) end
  return self
end

-- A few words about the last checkpoint, for the end of an error.
local function kept(self)
  if not self.saved_step then return "" end
  return ("; %s holds step %d"):format(self.checkpoint, self.saved_step)
end

-- The message for a logged number that is not finite: step, name, and the first parameter that suffers.
local function explain(self, name, v)
  local value = v ~= v and "nan" or v > 0 and "inf" or "-inf"
  local gradient, parameter = finite.first_gradient(self.model), finite.first_value(self.model)
  local where = gradient and ("; the gradient of %s is not finite"):format(gradient)
    or parameter and ("; parameter %s is not finite"):format(parameter)
    or "; all parameters and gradients are finite"
  return ("step %d: %s is %s%s%s"):format(self.step, name, value, where, kept(self))
end

-- Looks at what a checkpoint is to hold: NaN is an error, unless it is to be ignored; infinity, which a mask may well
-- hold, and what is to be ignored are said once for each tensor.
local function look(self, tensors)
  local names = {}
  for _, name in ipairs(finite.names(tensors)) do
    if self.nonfinite ~= "ignore" and finite.has_nan(tensors[name]) then
      error(("step %d: %s has NaN and is not saved%s"):format(self.step, name, kept(self)), 0)
    end
    if not self.warned[name] then names[#names + 1], self.warned[name] = name, true end
  end
  if #names == 0 then return end
  local text = ("step %d: saved with values that are not finite: %s"):format(self.step, table.concat(names, ", "))
  if self.bar then self.bar:note(text) else io.stderr:write(text, "\n") end
end

local function sorted_names(values)
  local names = {}
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names, walk.before)
  return names
end

-- The row of the present step, with what is known of it.
local function write_row(self)
  local names = sorted_names(self.values)
  if self.log_file and #names > 0 and (self.step % self.log_every == 0 or self.step == self.total) then
    self.log_file:write(self.step, names, self.values)
  end
end

--- Writes the checkpoint now, counting the present step as done. The run does this by itself every `every` steps, at
-- the end and after Ctrl-C. Weights with NaN or infinity, and NaN in buffers, averages and what optimizers keep, are
-- not written over good ones: an error names the tensor. Infinity elsewhere, and with nonfinite = "ignore" all of it,
-- is written with a warning on stderr, once for each tensor.
function Run:save()
  if not self.save_folder then check.fail("save", nil, "this run has no folder: give train.run the option save") end
  if self.nonfinite ~= "ignore" then
    local name = finite.first_value(self.model)
    if name then error(("step %d: parameter %s is not finite%s"):format(self.step, name, kept(self)), 0) end
  end
  if self.in_step then write_row(self) end -- the checkpoint counts the step as done: its row is to be there
  self.log_file:sync()
  checkpoint.save(self.checkpoint, self, function(tensors) look(self, tensors) end)
  self.saved_step = self.step
end

local function check_name(name)
  if type(name) ~= "string" or name == "" or name == "step" or name:find '[,"%c]' then
    check.fail("log", 1, "values: %s cannot be a column's name", check.describe(name))
  end
end

--- Notes numbers of the present step: for the progress bar and the row of the log.
-- @tparam table values {name = number or tensor with one number}
-- @treturn boolean whether all of them are finite
function Run:log(values)
  check.type("log", 1, "values", values, "table")
  local names, bad = {}, nil
  for name, v in pairs(values) do
    check_name(name)
    if check.is_tensor(v) then v = v:item() end
    self.values[name] = check.type("log", 1, name, v, "number")
    names[#names + 1] = name
  end
  table.sort(names, walk.before)
  for _, name in ipairs(names) do
    local v = self.values[name]
    local infinite = v ~= v or v == math.huge or v == -math.huge
    if infinite and (not bad or name == "loss") then bad = name end -- the loss is what the others suffer from
  end
  if bad and self.nonfinite == "stop" then error(explain(self, bad, self.values[bad]), 0) end
  if bad and self.nonfinite == "skip" and self.written then self.written:undo() end
  return bad == nil
end

-- How many steps the budget of time will have been enough for, as things look.
local function expected(self)
  local done = self.budget:done()
  return done > 0 and math.max(self.step, math.floor(self.step / done)) or nil
end

-- Says once, when it is known, that the budget is too short for the data set.
local function judge_pace(self)
  if self.pace_judged or not pace.is_known(self.budget) then return end
  self.pace_judged = true
  local text = pace.warning(self.data, expected(self), self.budget.total)
  if text then say(self, "%s", text) end
end

-- After the body of a step: the row, the caller's function, the checkpoint.
local function finish_step(self)
  local step = self.step
  if self.memory then self.memory:after() end
  if self.bar then self.bar:update(step, self.values, self.budget and expected(self)) end
  if self.budget then judge_pace(self) end
  write_row(self)
  self.values, self.in_step = {}, false
  if self.on_step then self.on_step(step, self) end
  if self.save_folder and step % self.every == 0 and self.saved_step ~= step then self:save() end
end

local function finish(self)
  if self.save_folder and self.saved_step ~= self.step then self:save() end
  if self.bar then self.bar:finish() end
  self.bar = nil
end

local function stop_early(self)
  self.interrupted = true
  finish(self)
  local where = self.save_folder and (": saved in %s, go on with --resume or run:steps()"):format(self.save_folder)
    or ": run:steps() goes on"
  local all = self.total or ("%g minutes"):format(self.budget.total)
  say(self, "interrupted after step %d of %s%s", self.step, all, where)
end

local function next_batch(self, step)
  local data = self.data
  if type(data) == "function" then return data(step) end
  return data:next()
end

finite.step, finite.skips = interrupt.step, interrupt.skips

local function advance(self)
  if self.in_step then finish_step(self) end
  self.in_step = false
  if core.interrupted() then return stop_early(self) end
  local batch
  if self.total and self.step < self.total or self.budget and self.budget:done() < 1 then
    if not self.data then batch = true else batch = next_batch(self, self.step + 1) end
  end
  if batch == nil then return finish(self) end
  self.step, self.in_step = self.step + 1, true
  if self.memory then self.memory:before() end
  return self.step, self.data and batch
end

-- What forward passes write down between two steps can be taken back; layers of a script's own, which do not say what
-- they write, are watched where steps may be left out.
local function watch(self)
  local buffers = {}
  if self.nonfinite == "skip" then
    for _, t in self.model:named_buffers() do buffers[#buffers + 1] = t end
  end
  self.written = journal.loop(buffers)
  for _, optimizer in pairs(self.optimizers) do optimizer.written = self.written end
end

local function unwatch(self, failed)
  if failed then self.written:undo() end
  self.written:leave()
  self.written = nil
  for _, optimizer in pairs(self.optimizers) do optimizer.written = nil end
end

-- However the loop ends, by an error or a break too: the signal and the terminal are given back.
local function leave(self, failed)
  unwatch(self, failed)
  if self.budget then self.budget:stop() end
  interrupt.leave(self)
  self.unfinished = self.in_step and self.saved_step ~= self.step
  self.running, self.in_step = false, false
  if self.bar then self.bar:finish() end
  self.bar = nil
  if self.log_file then self.log_file:close() end
end

local function close(self, failed)
  leave(self, failed)
  if self.interrupted and self.exit and not self.outer and interrupt.in_script() then os.exit(130, true) end
end

-- Generators that the script has made since train.run, and the random states of the checkpoint once more.
local function join_generators(self)
  local known = #self.generators
  self.generators = find_generators(self)
  local pending = self.pending
  self.pending = nil
  if not pending then return end
  local missing, lacking = pending:claim(table.move(self.generators, known + 1, #self.generators, 1, {}))
  if missing then
    error(("cannot resume from %s: it holds the state of a generator %s, which this script has not"):format(
      self.checkpoint, missing), 0)
  end
  if lacking then
    say(self, "%s holds no state of the generator %s, which goes on from where it is", self.checkpoint, lacking)
  end
  pending:set_random()
end

-- Is nothing left to be done?
local function is_complete(self)
  if self.total then return self.step >= self.total and not self.unfinished end
  return self.budget:done() >= 1
end

-- A loop that was left begins again: a step that was not finished is done once more, and the log is opened again.
local function go_on_here(self)
  if is_complete(self) then
    check.fail("steps", nil, "this run has had its loop, all %d steps: make another with train.run", self.step)
  end
  if self.unfinished then self.step = self.step - 1 end
  self.unfinished, self.interrupted, self.values = false, false, {}
  if self.save_folder then self.log_file = open_log(self, self.save_folder .. "/log.csv", self.step) end
end

--- `for step, batch in run:steps() do ... end`, from the step after the last one done. Leaving with break writes no
-- checkpoint: call run:save() before it. The end of the data ends the loop too, with a checkpoint. Another such loop
-- over the same run goes on where the first was left; a step that an error or a break has ended half-way, and that was
-- not saved, is done again, with the next batch.
--
-- Ctrl-C ends the loop after the present step, with a checkpoint and `run.interrupted`; the terminal says so at once.
-- If the loop stands in a script, the process then ends with status 130, as after any Ctrl-C, and what follows the loop
-- is not run. It does so only where nobody else can be waiting: the script was started by the stand-alone interpreter,
-- without -i; the loop is in its main chunk, or in functions that it calls by Lua alone (no pcall, xpcall, dofile,
-- require or callback from C in between), in the main coroutine, and in no other run's loop. Everywhere else, which
-- includes the prompt and programs that embed Lua, and with `exit = false`, the loop just ends; ask run.interrupted. A
-- loop within a loop passes the interrupt on to the outer one.
--
-- A second Ctrl-C ends a script at once. At a prompt, and in a program that embeds Lua, it raises an error as soon as
-- the operation that runs is done. All this holds while the loop's coroutine runs, or waits for one that it has
-- resumed; while it has yielded, and when it was dropped, Ctrl-C does what it does without a loop.
function Run:steps()
  if interrupt.has(self) then check.fail("steps", nil, "this run is in its loop already") end
  if self.running then leave(self) end -- the coroutine of that loop is no more
  if self.had_loop then go_on_here(self) end
  if self.save_folder then join_generators(self) end
  self.running, self.had_loop, self.outer = true, true, interrupt.innermost()
  if self.budget then self.budget:start() end
  if self.progress then
    self.bar = progress(self.total, { label = self.label, first = self.step })
    if not is_complete(self) then self.bar:update(self.step, self.values) end
  end
  watch(self)
  interrupt.enter(self, self.bar and (self.bar.tty and "\n" or "") .. NOTICE)
  local closer = setmetatable({}, { __close = function(_, err) close(self, err ~= nil) end })
  return function() return advance(self) end, nil, nil, closer
end

guard(Run, "a run")

return train
