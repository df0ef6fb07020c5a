-- Damages the metadata of a model's file, one way or another, as a seed has it: bytes, numbers, keys, values.
local json = require "laterna.model.json"

local mutate = {}

local VALUES = {
  0, -1, 1, 2, 3, 7, 0.5, -0.5, 1e9, 1000000000, 1 << 40, math.maxinteger, math.mininteger, 1e300, 5e-324, "", "v",
  "x0", "cosine", "lt.save", "lt.nn.UNet", "os.execute", true, false, { ["$ref"] = 1 }, { ["$number"] = "nan" },
  { ["$number"] = "inf" }, { ["$value"] = "lt.silu" }, { ["$value"] = "lt.save" }, { ["$tokenizer"] = 1 },
  { ["$tokenizer"] = 9 }, { ["$missing"] = "function" }, { ["$function"] = "lt.schedule.flow" }, {},
}

-- Every place in a tree where a value stands: {table, key}.
local function places(v, out)
  if type(v) ~= "table" then return out end
  local keys = {}
  for key in next, v do
    if not (json.is_list(v) and key == "n") then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    out[#out + 1] = { v, key }
    places(v[key], out)
  end
  return out
end

local function copy(v)
  if type(v) ~= "table" then return v end
  local out = {}
  for key, inner in next, v do out[key] = copy(inner) end
  return setmetatable(out, getmetatable(v))
end

local function remove(t, key)
  if not json.is_list(t) then
    t[key] = nil
    return
  end
  for i = key, t.n do t[i] = t[i + 1] end
  t.n = t.n - 1
end

-- Changes of a decoded value at one place; `place` is {table, key}, `other` another one.
local WAYS = {
  function(place, _, pick) place[1][place[2]] = copy(VALUES[pick(#VALUES)]) end,
  function(place) remove(place[1], place[2]) end,
  function(place, other)
    place[1][place[2]], other[1][other[2]] = copy(other[1][other[2]]), copy(place[1][place[2]])
  end,
  function(place, other) place[1][place[2]] = copy(other[1][other[2]]) end,
  function(place, _, pick) -- a number near by, or a text with another letter
    local v = place[1][place[2]]
    if math.type(v) == "integer" then
      place[1][place[2]] = v + pick(7) - 4
    elseif type(v) == "string" and #v > 0 then
      local i = pick(#v)
      place[1][place[2]] = v:sub(1, i - 1) .. string.char(96 + pick(26)) .. v:sub(i + 1)
    else
      place[1][place[2]] = json.list()
    end
  end,
  function(place, _, pick) -- a key more, or a value more
    local t = place[1]
    if json.is_list(t) then
      t.n = t.n + 1
      t[t.n] = copy(VALUES[pick(#VALUES)])
    else
      t["x" .. pick(9)] = copy(VALUES[pick(#VALUES)])
    end
  end,
}

-- One printable byte another, one gone, or one more.
local function bytes(text, pick)
  local i, way, c = pick(#text), pick(3), string.char(31 + pick(95))
  if way == 1 then return text:sub(1, i - 1) .. c .. text:sub(i + 1) end
  if way == 2 then return text:sub(1, i - 1) .. text:sub(i + 1) end
  return text:sub(1, i - 1) .. c .. text:sub(i)
end

--- Metadata {name = text} with one of its JSON texts damaged.
-- @tparam table metadata
-- @tparam function pick an integer from 1 to n
-- @treturn table
function mutate.metadata(metadata, pick)
  local out, keys = {}, { "model", "model", "model", "tokenizers", "vocabularies" }
  for key, text in pairs(metadata) do out[key] = text end
  local key = keys[pick(#keys)]
  local way = pick(#WAYS + 2)
  if way > #WAYS + 1 then
    out[key] = nil
  elseif way > #WAYS then
    out[key] = bytes(out[key], pick)
  else
    local v = json.decode(out[key])
    local list = places(v, {})
    WAYS[way](list[pick(#list)], list[pick(#list)], pick)
    out[key] = json.encode(v)
  end
  return out
end

return mutate
