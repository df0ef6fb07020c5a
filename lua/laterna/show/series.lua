--- What can be plotted, in one shape: a list of {label, x = {...}, y = {...}}.
-- @module laterna.show.series
local check = require "laterna.check"

local series = {}

-- Throughout, `at` is {function, number of the argument}: what an error is about.

local SAMPLES = 401 -- points at which a function is drawn
local MOST_CURVES = 64

-- A plain number out of a number or a tensor that holds one.
local function number(at, name, v)
  if not check.is_tensor(v) then return check.type(at[1], at[2], name, v, "number") end
  if check.type(at[1], at[2], name, v, "tensor"):numel() == 1 then return v:item() end
  check.fail(at[1], at[2], "%s: expected number, got a tensor of %d", name, v:numel())
end

-- Raw access throughout: a table's metamethods have no say in what it holds.
local function numbers(at, name, v)
  local out = {}
  check.type(at[1], at[2], name, v, "table|tensor")
  if check.is_tensor(v) then
    if v:dim() ~= 1 then
      check.fail(at[1], at[2], "%s: expected a tensor (n), got (%s)", name, table.concat(v.shape, ","))
    end
    out = v:totable()
  else
    for k = 1, rawlen(v) do out[k] = number(at, ("%s[%d]"):format(name, k), rawget(v, k)) end
  end
  if #out == 0 then check.fail(at[1], at[2], "%s: expected at least one number, got none", name) end
  return out
end

--- A list of numbers from a list or from a tensor of any shape.
function series.flat(at, name, v)
  check.type(at[1], at[2], name, v, "table|tensor")
  if check.is_tensor(v) and v:dim() ~= 1 and v:numel() > 0 then v = v:view(-1) end
  return numbers(at, name, v)
end

local function callable(v)
  local mt = type(v) == "table" and debug.getmetatable(v)
  return type(v) == "function" or (mt and mt.__call ~= nil)
end

-- One curve for each value that f returns.
local function sampled(at, name, f, o)
  local curves, x = {}, {}
  for k = 1, SAMPLES do
    local t = o.from + (o.to - o.from) * (k - 1) / (SAMPLES - 1)
    local values = table.pack(f(t))
    if k == 1 then
      if values.n == 0 or values.n > MOST_CURVES then
        check.fail(at[1], at[2], "%s: expected a function that returns 1 to %d numbers, got %d at %g", name,
          MOST_CURVES, values.n, t)
      end
      for j = 1, values.n do curves[j] = { x = x, y = {} } end
    elseif values.n ~= #curves then
      check.fail(at[1], at[2], "%s: returned %d values at %g, %d before", name, values.n, t, #curves)
    end
    x[k] = t
    for j, curve in ipairs(curves) do curve.y[k] = number(at, ("%s(%g)"):format(name, t), values[j]) end
  end
  return curves
end

local function counted(n)
  local x = {}
  for k = 1, n do x[k] = k end
  return x
end

-- The curves of one entry: a function, numbers, or {x = numbers, y = numbers, label = string}.
local function entry(at, name, v, label, o)
  if callable(v) then
    local curves = sampled(at, name, v, o)
    for j, curve in ipairs(curves) do
      curve.label = label and (#curves > 1 and label .. " " .. j or label) or #curves > 1 and "curve " .. j or nil
    end
    return curves
  end
  if type(v) == "table" and rawget(v, "y") ~= nil then
    for key in next, v do
      if key ~= "x" and key ~= "y" and key ~= "label" then
        check.fail(at[1], at[2], "%s: %s", name, check.unknown("key", key, { label = true, x = true, y = true }))
      end
    end
    local y = numbers(at, name .. ".y", rawget(v, "y"))
    local x = rawget(v, "x")
    x = x ~= nil and numbers(at, name .. ".x", x) or counted(#y)
    if #x ~= #y then check.fail(at[1], at[2], "%s: x has %d numbers, y %d", name, #x, #y) end
    local own = check.type(at[1], at[2], name .. ".label", rawget(v, "label"), "string|nil")
    return { { x = x, y = y, label = own or label } }
  end
  local y = numbers(at, name, v)
  return { { x = counted(#y), y = y, label = label } }
end

local function append(list, more)
  for _, v in ipairs(more) do list[#list + 1] = v end
end

-- The names of a table without a list part, in order.
local function names_of(at, what)
  local names = {}
  for key in next, what do
    if type(key) ~= "string" then
      check.fail(at[1], at[2], "data: expected names as keys, got %s", check.describe(key))
    end
    names[#names + 1] = key
  end
  table.sort(names)
  return names
end

local function is_number(at, name, v)
  if not check.is_tensor(v) then return type(v) == "number" end
  return check.type(at[1], at[2], name, v, "tensor"):dim() == 0
end

-- {x =, y =, label =} and nothing else; with other keys, x and y are names like them.
local function is_curve(v)
  for key in next, v do
    if key ~= "x" and key ~= "y" and key ~= "label" then return false end
  end
  return rawget(v, "y") ~= nil
end

--- Curves from a function, a list of numbers, a tensor (n), {x=, y=, label=}, a list of such, or a table of named ones.
function series.read(at, what, o)
  check.type(at[1], at[2], "data", what, "function|table|tensor")
  if type(what) ~= "table" or callable(what) or is_number(at, "data[1]", rawget(what, 1)) or is_curve(what) then
    return entry(at, type(what) == "function" and "f" or "data", what, nil, o)
  end
  local out = {}
  for k = 1, rawlen(what) do append(out, entry(at, ("data[%d]"):format(k), rawget(what, k), nil, o)) end
  if rawlen(what) == 0 then
    for _, name in ipairs(names_of(at, what)) do append(out, entry(at, name, rawget(what, name), name, o)) end
  end
  if #out == 0 then check.fail(at[1], at[2], "data: expected something to plot, got an empty table") end
  for k, s in ipairs(out) do s.label = s.label or tostring(k) end
  return out
end

-- Two lists from a tensor (n,2) or a list of pairs.
local function pairs_of(at, name, v)
  local x, y = {}, {}
  if check.is_tensor(v) then
    local s = v.shape
    if #s ~= 2 or s[2] ~= 2 or s[1] == 0 then
      check.fail(at[1], at[2], "%s: expected a tensor (n,2), got (%s)", name, table.concat(s, ","))
    end
    for k, pair in ipairs(v:totable()) do x[k], y[k] = pair[1], pair[2] end
  else
    for k = 1, rawlen(v) do
      local pair = check.type(at[1], at[2], ("%s[%d]"):format(name, k), rawget(v, k), "table")
      for j, to in ipairs { x, y } do to[k] = number(at, ("%s[%d][%d]"):format(name, k, j), rawget(pair, j)) end
    end
  end
  return { x = x, y = y }
end

--- Clouds of points from a tensor (n,2), a list of pairs {x, y}, a list of such, or a table of named ones.
function series.read_points(at, what)
  check.type(at[1], at[2], "points", what, "table|tensor")
  if check.is_tensor(what) then return { pairs_of(at, "points", what) } end
  local first, out = rawget(what, 1), {}
  if type(first) == "table" and is_number(at, "points[1][1]", rawget(first, 1)) then
    return { pairs_of(at, "points", what) }
  end
  local function add(name, v, label)
    check.type(at[1], at[2], name, v, "table|tensor")
    out[#out + 1] = pairs_of(at, name, v)
    out[#out].label = label
    if #out[#out].x == 0 then check.fail(at[1], at[2], "%s: expected at least one point, got none", name) end
  end
  for k = 1, rawlen(what) do add(("points[%d]"):format(k), rawget(what, k), tostring(k)) end
  if #out == 0 then
    for _, name in ipairs(names_of(at, what)) do add(name, rawget(what, name), name) end
  end
  if #out == 0 then check.fail(at[1], at[2], "points: expected at least one point, got an empty table") end
  return out
end

return series
