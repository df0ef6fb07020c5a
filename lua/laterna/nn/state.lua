--- A module's state: {name = tensor} in PyTorch's names and layouts, out and in.
-- @module laterna.nn.state
local check = require "laterna.check"
local core = require "laterna.core"
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

--- Copies of everything, axes in the order that PyTorch has them.
-- @tparam module module
-- @treturn table {name = tensor}
function state.export(module)
  local out = {}
  core.no_grad(function()
    for _, entry in ipairs(walk.survey("state", module).tensors) do
      local t = entry.tensor
      out[entry.name] = entry.layout and t:permute(table.unpack(entry.layout)) or t:clone()
    end
  end)
  return out
end

local function sorted(list)
  table.sort(list, walk.before)
  return table.concat(list, "\n    ")
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

-- Compares names and shapes; returns what does not fit, as the text of an error, or nil.
local function compare(entries, values)
  local missing, extra, misshapen, known = {}, {}, {}, {}
  for _, entry in ipairs(entries) do
    known[entry.name] = true
    for _, alias in ipairs(entry.aliases) do known[alias] = true end
    local value = value_for(entry, values)
    if value == nil then
      missing[#missing + 1] = entry.name .. " " .. shape_text(permuted(entry.tensor.shape, entry.layout))
    else
      misshapen[#misshapen + 1] = misfit(entry, value)
    end
  end
  for name in next, values do
    if type(name) ~= "string" then
      extra[#extra + 1] = check.describe(name)
    elseif not known[name] and not name:find "num_batches_tracked$" then
      extra[#extra + 1] = name
    end
  end
  local text = ""
  if #missing > 0 then text = text .. "\n  missing:\n    " .. sorted(missing) end
  if #extra > 0 then text = text .. "\n  extra:\n    " .. sorted(extra) end
  if #misshapen > 0 then text = text .. "\n  misshapen:\n    " .. sorted(misshapen) end
  return text ~= "" and text or nil
end

--- Copies values into a module, all of them or, with an error that lists every name that does not fit, none.
-- @tparam module module
-- @tparam table values {name = tensor}
function state.import(module, values)
  local entries = walk.survey("load_state", module).tensors
  local text = compare(entries, values)
  if text then check.fail("load_state", 1, "state: does not fit %s:%s", getmetatable(module).__name, text) end
  core.no_grad(function()
    local ready = {}
    for i, entry in ipairs(entries) do
      local value = value_for(entry, values)
      ready[i] = entry.layout and value:permute(table.unpack(inverse(entry.layout))) or value
    end
    for i, entry in ipairs(entries) do entry.tensor:copy_(ready[i]) end
  end)
end

return state
