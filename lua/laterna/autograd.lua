--- Functions with a backward of their own, and functions that are computed again in backward.
--
-- An operation of the library knows its gradient. `autograd_function` makes one of a computation that it cannot record,
-- or that has a better backward than the sum of its steps (what torch.autograd.Function is in PyTorch):
--
--     local round = lt.autograd_function(function(ctx, x) return (x + 0.5):floor() end,   -- straight-through
--                                        function(ctx, dy) return dy end)
--     local y = round(x)
--
-- `recompute` pays with time for memory: y = lt.recompute(f, x) keeps nothing of what f computes on its way. A network
-- does it block by block: net:recompute(), or lt.train.run { memory = "600 MB" } (laterna.nn.recompute).
-- @module laterna.autograd
local check = require "laterna.check"
local core = require "laterna.core"
local journal = require "laterna.journal"

local autograd = {}

-- Which values of a packed list are tensors: the tensors, and the place of each.
local function tensors_of(values)
  local list, places = {}, {}
  for i = 1, values.n do
    if check.is_tensor(values[i]) then
      list[#list + 1], places[#places + 1] = values[i], i
    end
  end
  return list, places
end

-- Outputs of a script's forward, on the tape.
local function record(ctx, backward, args, results)
  local inputs, places = tensors_of(args)
  local outputs, into = tensors_of(results)
  for i, t in ipairs(inputs) do inputs[i] = check.type("autograd_function", places[i], "argument", t, "tensor") end
  local saved = check.type("autograd_function", nil, "ctx.saved", ctx.saved, "table|nil")
  local function run(...)
    local dx = table.pack(backward(ctx, ...))
    for i, place in ipairs(places) do dx[i] = dx[place] or false end
    return table.unpack(dx, 1, #places)
  end
  for i, t in ipairs(core.record_function(run, inputs, outputs, saved)) do results[into[i]] = t end
end

--- A function with a backward of its own. Nothing of what forward does is recorded. Gradients of gradients are refused.
-- @function autograd_function
-- @tparam function forward (ctx, ...) -> results; ctx is a table that backward gets too: keep in it what backward
-- needs. Tensors in the list ctx.saved must not be edited in place before backward has run: that is an error then.
-- ctx.needs[i]: does argument i want a gradient?
-- @tparam function backward (ctx, dy1, dy2, ...) -> gradients, one for each argument of forward in its place, nil for
-- what has none; dy has one for each tensor that forward returned, zeros where none arrived, not to be edited
-- @treturn function (...) -> what forward returns
function autograd.autograd_function(forward, backward)
  check.type("autograd_function", 1, "forward", forward, "callable")
  check.type("autograd_function", 2, "backward", backward, "callable")
  return function(...)
    local args, ctx = table.pack(...), { needs = {} }
    for i = 1, args.n do
      ctx.needs[i] = check.is(args[i], "tensor") and args[i].requires_grad and core.grad_enabled()
    end
    local results = table.pack(core.no_grad(forward, ctx, ...))
    record(ctx, backward, args, results)
    return table.unpack(results, 1, results.n)
  end
end

local States = { __name = "random states" }

--- Where random generators stand: the default one, and those among values, or in tables among them.
-- @param ... values
-- @treturn table for `again`
function autograd.random_states(...)
  local states, added = setmetatable({}, States), {}
  local function add(g)
    if check.is_generator(g) and not added[g] then
      added[g] = true
      states[#states + 1] = { generator = g, state = g:state() }
    end
  end
  add(core.default_generator())
  for _, value in pairs(table.pack(...)) do
    add(value)
    if type(value) == "table" then
      for _, v in next, value do add(v) end
    end
  end
  return states
end

local function set(states)
  for _, s in ipairs(states) do s.generator:set_state(s.state) end
end

--- Runs f(...) while everything is recorded and generators stand where they stood; afterwards they are as before, and
-- so is what layers write down in a forward pass (laterna.journal).
-- @tparam table states what random_states gave
-- @tparam function f
-- @return what f returns
function autograd.again(states, f, ...)
  if getmetatable(states) ~= States then
    check.fail("again", 1, "states: expected what random_states gives, got %s", check.describe(states))
  end
  check.type("again", 2, "f", f, "callable")
  local written <close> = journal.open(true) -- luacheck: ignore (never kept: f wrote it down the first time)
  local now = {}
  for i, s in ipairs(states) do now[i] = { generator = s.generator, state = s.generator:state() } end
  set(states)
  local before = core.set_grad_enabled(true)
  local results = table.pack(pcall(f, ...))
  core.set_grad_enabled(before)
  set(now)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- Sends gradients into results that were computed again. Values that are no tensors, or want no gradient, are passed
-- over, as they were when the function ran first.
local function send_back(results, gradients)
  local outputs = {}
  for i = 1, results.n do
    local t = results[i]
    if check.is(t, "tensor") and t.requires_grad then outputs[#outputs + 1] = t end
  end
  if #outputs ~= #gradients then
    check.fail("recompute", 1, "f: gave %d results with a gradient, and %d when it was computed again", #gradients,
      #outputs)
  end
  core.backward_inside(outputs, gradients)
end

--- Calls f(...) and keeps only its arguments: in backward f is computed once more, with the same random numbers, and
-- differentiated then (Chen et al. 2016, arXiv 1604.06174). Gradients reach everything that f uses, its parameters and
-- what it captures too. f must do the same both times; what layers write down, such as batch norm's statistics, counts
-- once. Inside another recompute it is a plain call. Only results in f's list of results have gradients, not tensors in
-- tables. Gradients of gradients are refused, and so is in-place editing of tensors among the arguments until backward
-- has run.
-- @tparam function f
-- @param ... arguments of f
-- @return what f returns
function autograd.recompute(f, ...)
  check.type("recompute", 1, "f", f, "callable")
  if not core.grad_enabled() then return f(...) end
  local args = table.pack(...)
  local states = autograd.random_states(...)
  return core.recompute(f, function(...)
    send_back(table.pack(autograd.again(states, f, table.unpack(args, 1, args.n))), { ... })
  end, ...)
end

local Saved = { __name = "saved memory" }

function Saved:__tostring()
  local lines = { ("%-32s %8s %10s %7s"):format("saved by", "tensors", "MB", "share") }
  for _, row in ipairs(self) do
    lines[#lines + 1] = ("%-32s %8d %10.1f %5.1f %%"):format(row.name, row.tensors, row.bytes / 1e6,
      100 * row.bytes / math.max(1, self.bytes))
  end
  lines[#lines + 1] = ("%-32s %8s %10.1f"):format("total", "", self.bytes / 1e6)
  return table.concat(lines, "\n")
end

--- What is held in memory until a tensor's backward, by the operation that saved it first; parameters are part of it.
-- What is computed again in backward is not: norms and activations before a product, and what `recompute` was used for.
--
--     print(lt.autograd.saved(loss))
--
-- @tparam Tensor y
-- @treturn table rows { name, tensors, bytes }, the largest first, and the field `bytes` of all together; tostring
-- makes a table to read of it
function autograd.saved(y)
  check.type("saved", 1, "y", y, "tensor")
  local rows, by_name = setmetatable({ bytes = 0 }, Saved), {}
  for _, piece in ipairs(core.saved_pieces(y)) do
    local row = by_name[piece.name]
    if not row then
      row = { name = piece.name, tensors = 0, bytes = 0 }
      rows[#rows + 1], by_name[piece.name] = row, row
    end
    row.tensors, row.bytes, rows.bytes = row.tensors + 1, row.bytes + piece.bytes, rows.bytes + piece.bytes
  end
  table.sort(rows, function(a, b)
    if a.bytes ~= b.bytes then return a.bytes > b.bytes end
    return a.name < b.name
  end)
  return rows
end

return autograd
