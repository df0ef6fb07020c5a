--- What all optimizers share: parameter lists and groups, steps, state. The rules themselves are in laterna.optim.
-- @module laterna.optim.optimizer
local check = require "laterna.check"
local core = require "laterna.core"
local finite = require "laterna.finite"
local guard = require "laterna.guard"
local journal = require "laterna.journal"

local Optimizer = {}
Optimizer.__index = Optimizer
Optimizer.__name = "optimizer"

-- Parameters of any optimizer; and those whose last step was refused: their averages do not move either
-- (laterna.optim.ema).
local trained, refused = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

local function parameter_list(fname, list, seen)
  if type(list) ~= "table" or getmetatable(list) ~= nil then
    check.fail(fname, 1, "params: expected a list of tensors, as of m:parameters(), got %s", check.describe(list))
  end
  for i, p in ipairs(list) do
    check.type(fname, 1, ("params[%d]"):format(i), p, "tensor")
    if p.dtype ~= "float32" then check.fail(fname, 1, "params[%d]: expected float32, got %s", i, p.dtype) end
    if not p.is_leaf then check.fail(fname, 1, "params[%d]: expected a leaf, got the result of an operation", i) end
    if seen[p] then check.fail(fname, 1, "params[%d]: this parameter is in the list already", i) end
    seen[p], trained[p] = true, true
  end
  if #list == 0 then check.fail(fname, 1, "params: expected at least one parameter, got none") end
  return table.move(list, 1, #list, 1, {})
end

-- A list of tensors becomes one group; the options of groups are checked by the same rules, without defaults.
local function group_list(fname, params, known)
  local seen = {}
  if type(params) ~= "table" or type(params[1]) ~= "table" or getmetatable(params[1]) ~= nil then
    return { { params = parameter_list(fname, params, seen) } }
  end
  local rules, groups = { params = { "table", required = true } }, {}
  for key, rule in pairs(known) do
    local bare = {}
    for k, v in pairs(type(rule) == "table" and rule or { rule }) do
      if k ~= 2 then bare[k] = v end
    end
    rules[key] = bare
  end
  for i, group in ipairs(params) do
    groups[i] = check.options(fname, 1, group, rules)
    groups[i].params = parameter_list(fname, group.params, seen)
  end
  return groups
end

-- Checked at every step: options are plain fields, which anyone may have changed since.
local function group_options(self, group)
  local o = {}
  for key in pairs(self.known) do
    o[key] = group[key]
    if o[key] == nil then o[key] = self[key] end
  end
  return check.options(self.name, nil, o, self.known)
end

local function rate(fname, lr, step)
  if type(lr) ~= "number" then lr = check.type(fname, nil, "lr", lr, "callable")(step) end
  check.number(fname, nil, ("lr at step %d"):format(step), lr, 0)
  if lr == math.huge then check.fail(fname, nil, "lr at step %d: expected a finite number, got inf", step) end
  return lr
end

-- The tensors of a slot, zeros where a parameter moves for the first time.
local function slot_list(self, slot, params)
  local list = {}
  for i, p in ipairs(params) do
    local kept = self.kept[p] or {}
    self.kept[p] = kept
    kept[slot] = kept[slot] or core.zeros(p.shape)
    list[i] = kept[slot]
  end
  return list
end

-- Parameters in lists of equal step count, each with the lists of its slots: Adam's bias correction depends on it, and
-- a layer that was frozen for a while has taken fewer steps.
local function buckets(self, params, slots)
  local by_count, out = {}, {}
  for _, p in ipairs(params) do
    local count = self.count[p] or 0
    if not by_count[count] then
      by_count[count] = { count = count, params = {}, slots = {} }
      out[#out + 1] = by_count[count]
    end
    table.insert(by_count[count].params, p)
  end
  table.sort(out, function(x, y) return x.count < y.count end)
  for _, bucket in ipairs(out) do
    for _, slot in ipairs(slots) do bucket.slots[slot] = slot_list(self, slot, bucket.params) end
  end
  return out
end

local function equal(a, b)
  return #a == #b and table.concat(a, " ") == table.concat(b, " ")
end

-- The buckets of a group's step: those of the last one while the same parameters move with the same slots.
local function planned(self, i, group, o)
  local last, slots = self.last[i], self.slots(o)
  local params = core.with_gradients(group.params, last and last.params)
  if not (last and rawequal(params, last.params) and equal(last.slots, slots)) then
    last = { params = params, slots = slots, buckets = buckets(self, params, slots) }
    self.last[i] = last
  end
  return last.buckets
end

--- Every parameter of every group, in order.
-- @treturn {tensor,...}
function Optimizer:parameters()
  local out = {}
  for _, group in ipairs(self.groups) do table.move(group.params, 1, #group.params, #out + 1, out) end
  return out
end

local function mark(self, value)
  for _, group in ipairs(self.groups) do
    for _, p in ipairs(group.params) do refused[p] = value end
  end
end

-- A norm without a limit scales nothing; one gradient that is not finite shows in it.
local function gradients_finite(self)
  local norm = core.clip_grad_norm(self:parameters(), math.huge)
  return norm == norm and norm < math.huge
end

-- A new field. One that is like an option is a slip: nothing would ever read it. What forward passes write down is
-- noted from where skip_nonfinite is set for the first time.
function Optimizer:__newindex(key, value)
  if key == "skip_nonfinite" and value then journal.want(self) end
  if key ~= "skip_nonfinite" and value ~= nil then
    local names = { "skip_nonfinite" }
    for name in pairs(self.known) do names[#names + 1] = name end
    local meant = check.meant(key, names)
    if meant ~= "" then check.raise("%s has no option %s; %s", self.name, check.describe(key), meant) end
  end
  rawset(self, key, value)
end

--- One step. With the field `skip_nonfinite = true`, gradients with NaN or infinity leave everything as it is: weights,
-- the optimizer's own numbers, averages, which pass over the step, and what forward passes wrote down since the last
-- step that was taken, such as batch norm's statistics. Layers of a script's own take part in that if they say what
-- they write, by laterna.journal; in a run (lt.train.run with nonfinite = "skip") all buffers do.
-- @treturn boolean whether the step was taken
function Optimizer:step()
  local written = self.written or journal.plain()
  if self.skip_nonfinite and not gradients_finite(self) then
    mark(self, true)
    if written then written:undo() end
    return false
  end
  local step = self.taken + 1
  local plans = {}
  for i, group in ipairs(self.groups) do
    local o = group_options(self, group)
    o.lr = rate(self.name, o.lr, step)
    plans[i] = o
  end
  core.no_grad(function()
    for i, group in ipairs(self.groups) do
      for _, bucket in ipairs(planned(self, i, group, plans[i])) do
        local count = bucket.count + 1
        self.apply(bucket.params, bucket.slots, plans[i], count)
        for _, p in ipairs(bucket.params) do self.count[p] = count end
        bucket.count = count
      end
    end
  end)
  self.taken = step
  if next(refused) then mark(self, nil) end
  if written then written:commit() end
  return true
end

--- Forgets the gradients of all parameters.
function Optimizer:zero_grad()
  for _, group in ipairs(self.groups) do core.zero_gradients(group.params) end
end

local function is_limit(v)
  return type(v) == "number" and v > 0, "a number above 0"
end

local UPDATE = { clip_norm = is_limit, clip_value = is_limit }

-- `opt:update(model:loss(x), { clip_norm = 1 })` keeps the first result of loss alone, and the options take the log's
-- place: a slip that would otherwise train without clipping and log the limit.
local function check_log(log)
  check.type("update", 2, "log", log, "table|nil")
  for key in pairs(UPDATE) do
    if log and rawget(log, key) ~= nil then
      check.fail("update", 2, "log: %s is an option, and options come third; write local loss, log = "
        .. "model:loss(...) and then opt:update(loss, log, { %s = ... })", key, key)
    end
  end
  return log or {}
end

--- One step of training from what a `loss` returned: forgets the old gradients, runs backward, limits the gradients if
-- asked, and takes the step. The two results of `loss` pass straight through, and what comes back is for the log:
--
--     run:log(opt:update(model:loss(batch.x, { text = batch.captions })))
--
-- or, with gradients whose joint norm is at most 1,
--
--     local loss, log = model:loss(batch.x, { text = batch.captions })
--     run:log(opt:update(loss, log, { clip_norm = 1 }))
--
-- This is a shorthand and does the same, bit for bit, as the long form, which stays for whatever it does not cover:
--
--     opt:zero_grad()
--     loss:backward()
--     lt.optim.clip_norm(opt:parameters(), 1)
--     opt:step()
--
-- Only this optimizer's parameters are looked at: their gradients are forgotten, limited and used; other leaves that
-- the loss depends on collect theirs as backward leaves them. With `skip_nonfinite` a step may be left out, as in step;
-- the log comes back all the same.
-- @tparam Tensor loss one number that depends on a parameter
-- @tparam[opt] table log {name = number or tensor with one number}; it is added to
-- @tparam[opt] table options clip_norm: as optim.clip_norm, over all parameters of this optimizer; clip_value: as
-- optim.clip_value, before the norm
-- @treturn table log, with `loss` as a number if it had none, and with clip_norm also `grad_norm`, the norm before
function Optimizer:update(loss, log, options)
  if check.type("update", 1, "loss", loss, "tensor"):numel() ~= 1 then
    check.fail("update", 1, "loss: expected one number, got shape (%s); take its mean", table.concat(loss.shape, ","))
  end
  if not loss.requires_grad then
    check.fail("update", 1, "loss: it depends on no parameter that wants a gradient (frozen, or under no_grad?)")
  end
  log = check_log(log)
  local o = check.options("update", 3, options, UPDATE)
  self:zero_grad()
  loss:backward()
  if o.clip_value then core.clip_grad_value(self:parameters(), o.clip_value) end
  if o.clip_norm then log.grad_norm = core.clip_grad_norm(self:parameters(), o.clip_norm) end
  self:step()
  if log.loss == nil then log.loss = loss:item() end
  return log
end

--- The learning rate of the next step (of the first group).
-- @treturn number
function Optimizer:rate()
  return rate("rate", group_options(self, self.groups[1]).lr, self.taken + 1)
end

--- What a resumed run needs: {tensors = {name = tensor}, numbers = {step = n}}. Tensors are copies, called by the
-- parameter's place from 0 and the slot, `0.exp_avg`; `steps` counts the steps of each parameter.
-- @treturn table
function Optimizer:state()
  local tensors, counts = {}, {}
  for i, p in ipairs(self:parameters()) do
    counts[i] = self.count[p] or 0
    for slot, t in pairs(self.kept[p] or {}) do tensors[("%d.%s"):format(i - 1, slot)] = t:clone() end
  end
  tensors.steps = core.tensor(counts, { dtype = "int32" })
  return { tensors = tensors, numbers = { step = self.taken } }
end

-- Slots that are means of squares.
local SQUARES = { exp_avg_sq = true, square_avg = true }

-- What is wrong with the numbers of a slot, or nil.
local function misvalue(name, slot, t, only_finite)
  if t:numel() == 0 then return end
  if only_finite and not finite.is_finite(t) then return name .. ": it holds numbers that are not finite" end
  if SQUARES[slot] and t:min():item() < 0 then return name .. ": a mean of squares cannot be below 0" end
end

-- Copies of slots by parameter out of named tensors; problems are gathered, not raised.
local function read_slots(params, tensors, problems, only_finite)
  local kept = {}
  for name, t in pairs(tensors) do
    local place, slot = tostring(name):match "^(%d+)%.([%l_]+)$"
    local p = params[(math.tointeger(place) or -1) + 1]
    if p and check.is_tensor(t) then
      local want, got = table.concat(p.shape, ","), table.concat(t.shape, ",")
      if want ~= got or t.dtype ~= "float32" then
        problems[#problems + 1] = ("%s: expected float32 (%s), got %s (%s)"):format(name, want, t.dtype, got)
      else
        problems[#problems + 1] = misvalue(name, slot, t, only_finite)
        kept[p] = kept[p] or {}
        kept[p][slot] = t:clone()
      end
    elseif name ~= "steps" then
      problems[#problems + 1] = tostring(name) .. ": belongs to no parameter"
    end
  end
  return kept
end

-- How many steps each parameter has taken, out of the tensor `steps`.
local function read_counts(params, steps, taken)
  check.type("load_state", 1, "steps", steps, "tensor")
  if steps:dim() ~= 1 or #steps ~= #params then
    check.fail("load_state", 1, "steps: expected (%d), got (%s)", #params, table.concat(steps.shape, ","))
  end
  if steps.dtype ~= "int32" then check.fail("load_state", 1, "steps: expected int32, got %s", steps.dtype) end
  local counts = {}
  for i, count in ipairs(steps:totable()) do
    counts[i] = math.tointeger(count)
    if counts[i] < 0 or counts[i] > taken then
      check.fail("load_state", 1, "steps: parameter %d has taken %d of %d steps", i - 1, counts[i], taken)
    end
  end
  return counts
end

-- What a slot has to be there for, and is not; and what is there for a slot that this optimizer has not.
local function compare_slots(self, counts, kept, problems)
  local place = 0
  for _, group in ipairs(self.groups) do
    local known = {}
    for _, slot in ipairs(self.slots(group_options(self, group))) do
      known[slot] = true
      for i, p in ipairs(group.params) do
        if counts[place + i] > 0 and not (kept[p] and kept[p][slot]) then
          problems[#problems + 1] = ("%d.%s: missing"):format(place + i - 1, slot)
        end
      end
    end
    for i, p in ipairs(group.params) do
      for slot in next, kept[p] or {} do
        if not known[slot] then
          problems[#problems + 1] = ("%d.%s: %s keeps no such tensor"):format(place + i - 1, slot, self.name)
        end
      end
    end
    place = place + #group.params
  end
end

--- The first half of load_state: checks a state and changes nothing.
-- @tparam table state {tensors, numbers}
-- @tparam[opt] table options finite=true; false: numbers may be infinite or NaN
-- @treturn function that puts the state in place, and cannot fail
function Optimizer:prepare_state(state, options)
  check.type("load_state", 1, "state", state, "table")
  check.type("load_state", 1, "tensors", state.tensors, "table")
  check.type("load_state", 1, "numbers", state.numbers, "table")
  check.only("load_state", 1, "numbers", state.numbers, "step")
  local o = check.options("load_state", 2, options, { finite = { "boolean", true } })
  local taken = check.count("load_state", 1, "step", state.numbers.step)
  local params, problems, count = self:parameters(), {}, {}
  local counts = read_counts(params, state.tensors.steps, taken)
  local kept = read_slots(params, state.tensors, problems, o.finite)
  compare_slots(self, counts, kept, problems)
  if #problems > 0 then
    table.sort(problems)
    check.fail("load_state", 1, "state: does not fit this %s:\n    %s", self.name, table.concat(problems, "\n    "))
  end
  for i, p in ipairs(params) do count[p] = counts[i] end
  return function() self.taken, self.kept, self.count, self.last = taken, kept, count, {} end
end

--- Takes a state() back; an error lists everything that does not fit, and then the optimizer is as it was.
-- @tparam table state {tensors, numbers}
function Optimizer:load_state(state)
  self:prepare_state(state)()
end

guard(Optimizer, "an optimizer")

local optimizer = { trained = trained, refused = refused }

--- Is v an optimizer?
function optimizer.is(v)
  return type(v) == "table" and getmetatable(v) == Optimizer
end

--- Makes the constructor of an optimizer.
-- @tparam string name
-- @tparam table known options, as check.options takes them
-- @tparam function slots slots(o): the names of the tensors kept for each parameter, given its group's options
-- @tparam function apply apply(params, slots, o, count): updates parameters that all take their count-th step
-- @treturn function constructor(params, options)
function optimizer.define(name, known, slots, apply)
  return function(params, options)
    local self = check.options(name, 2, options, known)
    self.name, self.known, self.slots, self.apply = name, known, slots, apply
    self.groups = group_list(name, params, known)
    self.taken = 0
    self.kept, self.count, self.last = {}, {}, {}
    return setmetatable(self, Optimizer)
  end
end

return optimizer
