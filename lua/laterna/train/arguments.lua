--- A script's arguments: its settings, with the command line above the defaults.
-- @module laterna.train.arguments
local check = require "laterna.check"
local need = require "laterna.need"

local function number(text)
  return tonumber(text), "expected a number, got '" .. text .. "'"
end

local function integer(text)
  return math.tointeger(tonumber(text)), "expected an integer, got '" .. text .. "'"
end

local function add(parser, key, default)
  local flag = "--" .. key:gsub("_", "-")
  local kind = math.type(default) or type(default)
  if kind == "boolean" and not default then
    parser:flag(flag):target(key)
  elseif kind == "boolean" then
    parser:option(flag):target(key):choices { "true", "false" }:default "true"
  else
    local option = parser:option(flag, "default: " .. tostring(default)):target(key)
    if kind ~= "string" then option:convert(kind == "integer" and integer or number) end
  end
end

--- Reads `--name value` for every default given, and `--resume`, from the command line. A dash stands for an
-- underscore; a value must be of its default's kind; `--help` lists them all.
--
--     local options = lt.train.arguments { steps = 2000, out = "runs/paint", seed = 1 }
--
-- @function train.arguments
-- @tparam table defaults {name = number, string or boolean}
-- @tparam[opt=arg] {string,...} words the command line
-- @treturn table defaults and what was given, and the boolean `resume`
return function(defaults, words)
  check.type("arguments", 1, "defaults", defaults, "table")
  words = check.type("arguments", 2, "words", words == nil and (rawget(_G, "arg") or {}) or words, "table")
  local parser = need("argparse", "lua-argparse", "argparse")(tostring(words[0] or "script"))
  local keys = {}
  for key, default in pairs(defaults) do
    check.type("arguments", 1, "name", key, "string")
    check.type("arguments", 1, key, default, "number|string|boolean")
    if key ~= "resume" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do add(parser, key, defaults[key]) end
  parser:flag("--resume", "go on from the last checkpoint")
  local out = parser:parse(words)
  for _, key in ipairs(keys) do
    if out[key] == nil then out[key] = defaults[key] end
    if type(defaults[key]) == "boolean" then out[key] = out[key] == true or out[key] == "true" end
  end
  out.resume = out.resume or defaults.resume == true
  return out
end
