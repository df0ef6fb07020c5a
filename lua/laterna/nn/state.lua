--- A module's state: {name = tensor} in PyTorch's names and layouts, out and in.
-- @module laterna.nn.state
local check = require "laterna.check"
local core = require "laterna.core"
local finite = require "laterna.finite"
local vocabulary = require "laterna.nn.vocabulary"
local walk = require "laterna.nn.walk"

local state = {}

local function shape_text(shape)
  return "(" .. table.concat(shape, ",") .. ")"
end

-- The shape of a tensor once its axes are in the order `layout`.
local function permuted(shape, layout)
  local out = {}
  for i, axis in ipairs(layout or shape) do out[i] = layout and shape[axis] or axis end
  return out
end

local function inverse(layout)
  local out = {}
  for i, axis in ipairs(layout) do out[axis] = i end
  return out
end

-- What of a module is saved.
local function entries_of(fname, module)
  local out = {}
  for _, entry in ipairs(walk.survey(fname, module).tensors) do
    if entry.saved then out[#out + 1] = entry end
  end
  return out
end

--- Copies of everything that is saved, axes in the order that PyTorch has them, with the vocabularies.
-- @tparam module module
-- @treturn table {name = tensor}
function state.export(module)
  local out = {}
  core.no_grad(function()
    for _, entry in ipairs(entries_of("state", module)) do
      local t = entry.tensor
      out[entry.name] = entry.layout and t:permute(table.unpack(entry.layout)) or t:clone()
    end
  end)
  return vocabulary.attach(out, { vocabularies = vocabulary.of(module) })
end

-- The value for an entry: under its own name, or under another name of the same shared tensor.
local function value_for(entry, values)
  if values[entry.name] ~= nil then return values[entry.name] end
  for _, alias in ipairs(entry.aliases) do
    if values[alias] ~= nil then return values[alias] end
  end
end

local function misfit(entry, value)
  if not check.is_tensor(value) then
    return ("%s: expected tensor, got %s"):format(entry.name, check.describe(value))
  end
  local t = entry.tensor
  local want, got = shape_text(permuted(t.shape, entry.layout)), shape_text(value.shape)
  if want ~= got then return ("%s: expected %s, got %s"):format(entry.name, want, got) end
  if t.dtype ~= value.dtype then return ("%s: expected %s, got %s"):format(entry.name, t.dtype, value.dtype) end
end

-- What is wrong with the numbers of a value that fits, or nil. The range of a field is its class's. Where a module has
-- numbers that are not finite by nature, as in a mask, so may its state.
local function misvalue(entry, value, only_finite)
  local t, range = entry.tensor, entry.range
  if value.dtype ~= "float32" or value:numel() == 0 then return end
  local low, high = range and range[1] or -math.huge, range and range[2] or math.huge
  local bounded = high < math.huge or only_finite and (range or not entry.buffer or finite.is_finite(t))
  if bounded and not finite.is_finite(value) then return entry.name .. ": it holds numbers that are not finite" end
  if range and core.no_grad(function() return value:min():item() < low or value:max():item() > high end) then
    return ("%s: expected numbers from %g to %g"):format(entry.name, low, high)
  end
end

-- Compares names, shapes and numbers: lists of what is missing, extra, misshapen and out of range, and the entries that
-- fit.
local function compare(entries, values, only_finite)
  local left, known, fitting = { missing = {}, extra = {}, misshapen = {}, range = {} }, {}, {}
  for _, entry in ipairs(entries) do
    known[entry.name] = true
    for _, alias in ipairs(entry.aliases) do known[alias] = true end
    local value = value_for(entry, values)
    local fault = value ~= nil and misfit(entry, value)
    if value == nil then
      table.insert(left.missing, entry.name .. " " .. shape_text(permuted(entry.tensor.shape, entry.layout)))
    elseif fault then
      table.insert(left.misshapen, fault)
    else
      local strange = misvalue(entry, value, only_finite)
      if strange then table.insert(left.range, strange) else fitting[#fitting + 1] = entry end
    end
  end
  for name in next, values do
    if type(name) ~= "string" then
      table.insert(left.extra, check.describe(name))
    elseif not known[name] and not name:find "num_batches_tracked$" then
      table.insert(left.extra, name)
    end
  end
  for _, list in pairs(left) do table.sort(list, walk.before) end
  return left, fitting
end

-- What does not fit, as the text of an error, or nil.
local function explain(left)
  local text = ""
  for _, kind in ipairs { "missing", "extra", "misshapen", "range" } do
    local words = kind == "range" and "out of range" or kind
    if #left[kind] > 0 then text = ("%s\n  %s:\n    %s"):format(text, words, table.concat(left[kind], "\n    ")) end
  end
  return text ~= "" and text or nil
end

-- Whether a name is to be skipped, as a function.
local function skipper(skip)
  if skip == nil then return function() return false end end
  if check.is(skip, "callable") then return skip end
  local patterns = type(skip) == "string" and { skip } or skip
  return function(name)
    for _, pattern in ipairs(patterns) do
      if name:find(pattern) then return true end
    end
    return false
  end
end

local function is_skip(v)
  local ok = type(v) == "string" or check.is(v, "callable") or type(v) == "table"
  for _, pattern in ipairs(type(v) == "table" and not check.is(v, "callable") and v or { v }) do
    if type(pattern) == "string" then ok = ok and pcall(string.find, "", pattern) end
  end
  return ok, "a Lua pattern, a list of them, or a function of the name"
end

-- The part of a state under a prefix, without it.
local function part_of(values, prefix)
  if prefix == "" then return values end
  local out = {}
  for name, t in next, values do
    if type(name) == "string" and name:sub(1, #prefix) == prefix then out[name:sub(#prefix + 1)] = t end
  end
  return out
end

-- Another vocabulary is an error; without strictness the tensors that belong to its words are passed over.
local function check_words(module, values, o, left)
  local passed = {}
  for _, reader in ipairs(vocabulary.compare(values, module, o.prefix)) do
    local name = reader.name == "" and "the encoder" or reader.name
    if o.strict then
      check.fail("load_state", 1, "state: the vocabulary of %s is another: %s. Its own comes with lt.open, or with "
        .. "lt.text.Encoder(lt.inspect(path).tokenizers[1], options)", name, reader.why)
    end
    left.vocabulary[#left.vocabulary + 1] = reader.name
    local below = reader.name == "" and "" or reader.name .. "."
    for _, own in ipairs(reader.module.by_word or {}) do passed[below .. own] = true end
  end
  return passed
end

-- Values in the module's own layout: what takes memory is done here, so that the copying cannot fail.
local function arranged(entries, values)
  local ready = {}
  core.no_grad(function()
    for i, entry in ipairs(entries) do
      local value = value_for(entry, values)
      ready[i] = entry.layout and value:permute(table.unpack(inverse(entry.layout))) or value
    end
  end)
  return ready
end

--- Checks values for a module, and changes nothing: an error lists every name that does not fit.
-- @tparam module module
-- @tparam table values {name = tensor}
-- @tparam[opt] table options strict=true, prefix="", skip
-- @tparam[opt] boolean only_finite refuse numbers that are not finite
-- @treturn function that copies the values in, and cannot fail; without strictness, those that fit
-- @treturn ?table without strictness, what was left out: lists of words {missing, extra, misshapen, range, vocabulary}
function state.prepare(module, values, options, only_finite)
  local o = check.options("load_state", 2, options, {
    strict = { "boolean", true }, prefix = { "string", "" }, skip = is_skip,
  })
  local words = { vocabulary = {} }
  local passed, skipped = check_words(module, values, o, words), skipper(o.skip)
  local function wanted(name) return not passed[name] and not skipped(name) end
  local entries, part = {}, {}
  for _, entry in ipairs(entries_of("load_state", module)) do
    if wanted(entry.name) then entries[#entries + 1] = entry end
  end
  for name, t in next, part_of(values, o.prefix) do
    if type(name) ~= "string" or wanted(name) then part[name] = t end
  end
  local left, fitting = compare(entries, part, only_finite)
  local text = o.strict and explain(left)
  if text then check.fail("load_state", 1, "state: does not fit %s:%s", getmetatable(module).__name, text) end
  left.vocabulary = words.vocabulary
  local ready = arranged(fitting, part)
  return function()
    core.no_grad(function()
      for i, entry in ipairs(fitting) do entry.tensor:copy_(ready[i]) end
    end)
  end, not o.strict and left or nil
end

--- Copies values into a module, all of them or, with an error as of prepare, none; without strictness those that fit.
-- @treturn ?table as of prepare
function state.import(module, values, options)
  local put, left = state.prepare(module, values, options)
  put()
  return left
end

return state
