--- What a file holds, from its header alone: what it is, sizes, words, options, how long it was trained and on what.
-- @module laterna.model.inspect
local check = require "laterna.check"
local core = require "laterna.core"
local json = require "laterna.model.json"
local pack = require "laterna.train.pack"
local read = require "laterna.model.read"
local vocabulary = require "laterna.nn.vocabulary"
local walk = require "laterna.nn.walk"

local Report = { __name = "laterna.Report" }

local BYTES = { F32 = 4, F16 = 2, BF16 = 2, F64 = 8, U8 = 1, BOOL = 1, I32 = 4, I64 = 8,
                float32 = 4, uint8 = 1, int32 = 4 }

local function thousands(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

local function bytes_text(n)
  local unit = n < 1e6 and 1e3 or n < 1e9 and 1e6 or 1e9
  return ("%.3g %s"):format(n / unit, unit == 1e3 and "kB" or unit == 1e6 and "MB" or "GB")
end

-- ---- the tree of classes, in a line each -------------------------------------------------------------------------

local value_text

local function shortened(text)
  return #text <= 60 and text or text:sub(1, 50) .. " ...}"
end

local function list_text(list)
  local out = {}
  for i = 1, math.min(list.n, 20) do out[i] = value_text(list[i]) end
  return shortened("{" .. table.concat(out, ", ") .. (list.n > 20 and ", ..." or "") .. "}")
end

-- What a maker was called with.
local function args_text(args)
  local out = {}
  for i = 1, json.is_list(args) and args.n or 0 do out[i] = value_text(args[i]) end
  return "(" .. table.concat(out, ", ") .. ")"
end

-- A value that is no module, shortly.
function value_text(v)
  if type(v) == "string" then return check.describe(v) end
  if type(v) ~= "table" then return tostring(v) end
  if json.is_list(v) then return list_text(v) end
  if v["$missing"] then return ("(a %s, for lt.open to get)"):format(tostring(v["$missing"])) end
  if v["$function"] then return tostring(v["$function"]) .. args_text(v["$args"]) end
  if v["$value"] or v["$number"] then return tostring(v["$value"] or v["$number"]) end
  local out = {}
  for key, inner in next, v do out[#out + 1] = ("%s = %s"):format(key, value_text(inner)) end
  table.sort(out)
  return shortened("{" .. table.concat(out, ", ") .. "}")
end

local function is_object(v)
  return type(v) == "table" and not json.is_list(v)
end

local function is_module(v)
  return is_object(v) and (v["$class"] or v["$own"]) ~= nil
end

-- Whether a module is somewhere in a value.
local function leads_to_module(v)
  if type(v) ~= "table" then return false end
  if is_module(v) or v["$ref"] then return true end
  for _, inner in next, v do
    if leads_to_module(inner) then return true end
  end
  return false
end

local function keys_of(t)
  local keys = {}
  for key in next, t do
    if key ~= "n" or is_object(t) then keys[#keys + 1] = key end
  end
  table.sort(keys, walk.before)
  return keys
end

local put_module

-- Modules in a value go to lines of their own; the rest is a word.
local function put_value(key, v, words, inner, self)
  if is_module(v) or is_object(v) and v["$ref"] then
    inner[#inner + 1] = { key, v }
  elseif leads_to_module(v) then
    for _, k in ipairs(keys_of(v)) do
      local name = type(k) == "string" and k or ("%s%s"):format(key and key .. "." or "", k)
      put_value(name, v[k], words, inner, self)
    end
  elseif is_object(v) and v["$tokenizer"] then
    local tokenizer = self.tokenizers[v["$tokenizer"]]
    words[#words + 1] = tokenizer and ("%d words"):format(#tokenizer.words) or "words"
  elseif is_object(v) and not next(read.tags(v)) then
    for _, k in ipairs(keys_of(v)) do words[#words + 1] = ("%s = %s"):format(k, value_text(v[k])) end
  else
    words[#words + 1] = (key and type(key) == "string" and key .. " = " or "") .. value_text(v)
  end
end

function put_module(name, node, indent, self)
  local label = indent .. (name and ("%s: "):format(name) or "")
  if #self.lines >= self.most then return end
  if node["$ref"] then
    self.lines[#self.lines + 1] = ("%s(the %s that stands above)"):format(label, self.by_id[node["$ref"]] or "module")
    return
  end
  local class, words, inner = tostring(node["$class"] or node["$own"]), {}, {}
  if node["$id"] then self.by_id[node["$id"]] = class end
  local args = json.is_list(node["$args"]) and node["$args"] or json.list()
  for i = 1, args.n do
    if args[i] ~= nil then
      put_value(args.n > 1 and not is_object(args[i]) and i or nil, args[i], words, inner, self)
    end
  end
  self.lines[#self.lines + 1] = ("%s%s(%s)"):format(label, class, table.concat(words, ", "))
  for _, entry in ipairs(inner) do put_module(entry[1], entry[2], indent .. "  ", self) end
end

-- The tree's lines; 40 at most, for flows have hundreds of layers.
local function tree_lines(report)
  local ok, v = pcall(read.tree, report.metadata)
  if not ok then return { "  (its model cannot be read: " .. tostring(v) .. ")" } end
  if not is_module(v.tree) then return { "  (its model cannot be read: expected a class)" } end
  local self = { lines = {}, by_id = {}, tokenizers = report.tokenizers, most = 40 }
  put_module(nil, v.tree, "  ", self)
  if #self.lines >= self.most then self.lines[#self.lines + 1] = "  ..." end
  return self.lines
end

-- ---- the rest ----------------------------------------------------------------------------------------------------

local function data_text(data)
  return ("%s captions (hash %s)"):format(thousands(data.captions), data.hash)
end

local function words_line(name, tokenizer)
  local from = tokenizer.captions and (", from %s captions (hash %s)"):format(thousands(tokenizer.captions),
    tokenizer.hash or "?") or ""
  return ("  words of %s: %s%s"):format(name == "" and "the encoder" or name, thousands(#tokenizer.words), from)
end

local function training_line(report)
  local words = {}
  if report.step then words[#words + 1] = ("%s steps"):format(thousands(report.step)) end
  if report.minutes then words[#words + 1] = ("%.1f minutes"):format(report.minutes) end
  local line = #words > 0 and "  trained " .. table.concat(words, ", ") or report.data and "  trained" or nil
  return line and report.data and line .. " on " .. data_text(report.data) or line
end

function Report:__tostring()
  local head = self.format or "safetensors"
  local out = { ("%s%s%s"):format(self.path and self.path .. ": " or "", head,
    self.laterna and ", by laterna " .. self.laterna or "") }
  if self.metadata.model then table.move(tree_lines(self), 1, 1 << 10, #out + 1, out) end
  for _, name in ipairs(keys_of(self.vocabularies)) do out[#out + 1] = words_line(name, self.vocabularies[name]) end
  if self.size then out[#out + 1] = "  pictures of " .. table.concat(self.size, "x") end
  local types = {}
  for _, t in ipairs(self.dtypes) do types[#types + 1] = t end
  out[#out + 1] = ("  %d tensors, %s numbers, %s%s"):format(self.count, thousands(self.numbers), bytes_text(self.bytes),
    #types > 0 and ": " .. table.concat(types, ", ") or "")
  if self.parameters then out[#out + 1] = ("  %s numbers in the model"):format(thousands(self.parameters)) end
  if self.averaged then out[#out + 1] = "  with averaged weights, which lt.open takes" end
  out[#out + 1] = training_line(self)
  if self.fault then out[#out + 1] = "  " .. self.fault end
  return table.concat(out, "\n")
end

-- A number that a file's text says, or nil.
local function number_of(text)
  return type(text) == "string" and #text < 20 and math.tointeger(tonumber(text)) or nil
end

local function decoded(text)
  if not text then return nil end
  local ok, v = pcall(json.decode, text)
  return ok and type(v) == "table" and v or nil
end

local function minutes_of(metadata)
  local ok, clock = pcall(pack.decode, metadata.clock or "z")
  local minutes = ok and type(clock) == "table" and clock.minutes
  return type(minutes) == "number" and minutes or nil
end

local function count_tensors(report)
  local dtypes = {}
  report.count, report.numbers, report.bytes = 0, 0, 0
  local in_model = 0
  for name, t in next, report.tensors do
    report.count, report.numbers = report.count + 1, report.numbers + t.numbers
    report.bytes = report.bytes + t.numbers * (BYTES[t.dtype] or 0)
    dtypes[t.dtype] = true
    if name:find "^model%." then in_model = in_model + t.numbers end
    if name:find "^ema%." then report.averaged = true end
  end
  report.dtypes = keys_of(dtypes)
  local is_run = report.format and report.format:find "^laterna training" ~= nil
  report.averaged = is_run and report.averaged or nil
  report.parameters = is_run and in_model or nil
end

local function read_words(report)
  report.tokenizers, report.vocabularies = {}, {}
  local metadata = report.metadata
  if not metadata.tokenizers or not metadata.vocabularies then return end
  local ok, why = pcall(function()
    local tokenizers = read.tokenizers(metadata)
    report.tokenizers, report.vocabularies = tokenizers, read.vocabularies(metadata, tokenizers)
  end)
  if not ok then report.fault = "(its words cannot be read: " .. tostring(why) .. ")" end
end

local function is_size(v)
  local ok = json.is_list(v)
  for i = 1, ok and v.n or 0 do ok = ok and math.type(v[i]) == "integer" end
  return ok
end

-- A report from tensors {name = {dtype, shape, numbers}} and metadata.
local function report_of(path, tensors, metadata)
  local data, size = decoded(metadata.data), decoded(metadata.size)
  local report = setmetatable({
    path = path, tensors = tensors, metadata = metadata, format = metadata.format, laterna = metadata.laterna,
    step = number_of(metadata.step), minutes = minutes_of(metadata),
    data = data and math.type(data.captions) == "integer" and type(data.hash) == "string"
      and { captions = data.captions, hash = data.hash } or nil,
    size = is_size(size) and table.move(size, 1, size.n, 1, {}) or nil,
  }, Report)
  count_tensors(report)
  read_words(report)
  return report
end

local function shapes_of(state)
  local out = {}
  for name, t in next, state do
    if type(name) == "string" and check.is(t, "tensor") then
      out[name] = { dtype = t.dtype, shape = t.shape, numbers = t:numel() }
    end
  end
  return out
end

--- What a file holds; see lt.inspect in laterna.model.
-- @tparam string|table what a path, or what lt.load gave
-- @treturn table
return function(what)
  if type(what) == "string" then return report_of(what, core.inspect_safetensors(what)) end
  local about = vocabulary.about(what) or {}
  local report = report_of(about.path, shapes_of(what), about.metadata or {})
  if not about.metadata and about.vocabularies then
    report.vocabularies, report.tokenizers = about.vocabularies, {}
    for _, name in ipairs(keys_of(about.vocabularies)) do
      table.insert(report.tokenizers, about.vocabularies[name])
    end
  end
  return report
end
