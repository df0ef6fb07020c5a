--- From the plan of a model to the model: constructors are called, from the leaves up. A text can choose among public
-- names, numbers and strings; it cannot run anything else, and constructors check what they are called with.
-- @module laterna.model.build
local check = require "laterna.check"
local core = require "laterna.core"
local json = require "laterna.model.json"
local nn = require "laterna.nn"
local plan = require "laterna.model.plan"
local read = require "laterna.model.read"

local refuse, sorted_keys, NUMBERS = read.refuse, plan.sorted_keys, plan.NUMBERS
local CHANGES = { ["lt.nn.spectral_norm"] = nn.spectral_norm }

local build

local function build_args(args, self)
  local out = {}
  for i = 1, args.n do out[i] = build(args[i], self) end
  return out
end

-- Calls a constructor or a maker; what it refuses is said with its name.
local function call(f, args, self, name)
  local values = build_args(args, self)
  local results = table.pack(pcall(f, table.unpack(values, 1, args.n)))
  if results[1] then return results[2] end
  refuse("%s: %s", name, check.plain(results[2]))
end

local function build_module(node, self, name)
  local m = call(self.value[node], node["$args"], self, name)
  if not nn.is_module(m) then refuse("%s: expected a module, got %s", name, check.describe(m)) end
  if node["$id"] then self.by_id[node["$id"]] = m end
  return m
end

local made = {
  ["$class"] = function(node, self) return build_module(node, self, node["$class"]) end,
  ["$own"] = function(node, self) return build_module(node, self, node["$own"]) end,
  ["$ref"] = function(node, self) return self.by_id[node["$ref"]] end,
  ["$tokenizer"] = function(node, self) return self.tokenizers[node["$tokenizer"]] end,
  ["$function"] = function(node, self) return call(self.value[node], node["$args"], self, node["$function"]) end,
  ["$value"] = function(node, self) return self.value[node] end,
  ["$number"] = function(node) return NUMBERS[node["$number"]] end,
  ["$missing"] = function(node, self) return self.taken[node] end,
}

made["$pairs"] = function(node, self)
  local out = {}
  for _, pair in ipairs(node["$pairs"]) do
    if out[pair[1]] ~= nil then refuse("a key that is there twice: %s", check.describe(pair[1])) end
    out[pair[1]] = build(pair[2], self)
  end
  return out
end

function build(v, self)
  if type(v) ~= "table" then return v end
  local tag = self.tag[v]
  if tag then return made[tag](v, self) end
  local out = {}
  if json.is_list(v) then
    for i = 1, v.n do out[i] = build(v[i], self) end
  else
    for _, key in ipairs(sorted_keys(v)) do out[key] = build(v[key], self) end
  end
  return out
end

-- Applies what was done to modules after they were made.
local function change(model, changes, self)
  local by_name = {}
  for name, m in model:named_modules() do by_name[name] = m end
  for _, c in ipairs(changes) do
    local m, name = by_name[c.module], c["function"]
    if not m then refuse("changes: there is no module %s", check.describe(c.module)) end
    call(function(...) return CHANGES[name](m, ...) end, c.args, self, name)
  end
end

--- The model that metadata describes, with first weights of its own.
-- @tparam table metadata {name = string}
-- @tparam {Tokenizer,...} tokenizers
-- @tparam table classes the script's own, by name
-- @tparam table values of options that no file can hold, by name or by dotted path
-- @tparam integer bytes of tensors that it may take
-- @treturn module
-- @raise in words, what is wrong or missing
return function(metadata, tokenizers, classes, values, bytes)
  local v = read.tree(metadata)
  local self = plan.of(v, tokenizers, classes, values, CHANGES)
  local generator = core.default_generator()
  local random = generator:state()
  local ok, model = pcall(core.limit_memory, bytes, function()
    local m = build(v.tree, self)
    change(m, v.changes, self)
    return m
  end)
  generator:set_state(random)
  if ok then return model end
  if tostring(model):find("not enough memory", 1, true) then
    refuse("it describes more than the file's tensors hold: %s", model)
  end
  error(model, 0)
end
