--- Arguments of schedules, checked; errors worded as everywhere in laterna. Schedules need nothing but `math`, so this
-- stands apart from laterna.check.
-- @module laterna.schedule.refuse
local refuse = {}

local function describe(v)
  if type(v) == "number" or type(v) == "boolean" or v == nil then return tostring(v) end
  return type(v)
end

--- Raises `bad argument #i to 'fname' (message)`.
function refuse.fail(fname, i, message, ...)
  error(("bad argument #%d to '%s' (%s)"):format(i, fname, message:format(...)), 0)
end

--- A finite number from min to max.
function refuse.number(fname, i, name, v, min, max)
  if type(v) == "number" and v == v and v >= (min or -1e300) and v <= (max or 1e300) then return v end
  refuse.fail(fname, i, "%s: expected a number%s, got %s", name,
    min and max and (" from %g to %g"):format(min, max) or min and (" of at least %g"):format(min) or "", describe(v))
end

--- An integer from min to max.
function refuse.integer(fname, i, name, v, min, max)
  local n = type(v) == "number" and math.tointeger(v)
  if n and n >= min and n <= max then return n end
  refuse.fail(fname, i, "%s: expected an integer from %d to %d, got %s", name, min, max, describe(v))
end

--- Something that can be called.
function refuse.callable(fname, i, name, v)
  local mt = getmetatable(v)
  if type(v) == "function" or type(mt) == "table" and mt.__call then return v end
  refuse.fail(fname, i, "%s: expected a function of t that gives alpha and sigma, got %s", name, describe(v))
end

--- Options (nil: none) with their defaults; unknown keys are errors.
function refuse.options(fname, i, given, defaults)
  if given == nil then given = {} end
  if type(given) ~= "table" then refuse.fail(fname, i, "options: expected table or nil, got %s", describe(given)) end
  for key in next, given do
    if defaults[key] == nil then refuse.fail(fname, i, "unknown option %s", tostring(key)) end
  end
  local out = {}
  for key, default in next, defaults do
    out[key] = rawget(given, key)
    if out[key] == nil then out[key] = default end
  end
  return out
end

--- A copy of a list of numbers, at least `least` of them.
function refuse.list(fname, i, name, v, least)
  if type(v) ~= "table" or rawlen(v) < least then
    refuse.fail(fname, i, "%s: expected a list of at least %d numbers, got %s", name, least, describe(v))
  end
  local list = {}
  for k = 1, rawlen(v) do list[k] = refuse.number(fname, i, ("%s[%d]"):format(name, k), rawget(v, k)) end
  return list
end

return refuse
