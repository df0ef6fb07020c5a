--- Where the time of a loop goes, operation by operation.
-- @module laterna.profile
local check = require "laterna.check"
local core = require "laterna.core"

-- Everything that is no operation of ours.
local REST = "Lua and the rest"

-- 3 significant digits: 0.00123, 1.23, 12.3, 123, 1230.
local function digits(x)
  if x <= 0 then return "0" end
  return ("%." .. math.max(0, 2 - math.floor(math.log(x, 10) + 1e-9)) .. "f"):format(x)
end

local function line(name, calls, ms, each, share)
  return ("%-32s %8s %10s %10s %7s"):format(name, calls, ms, each, share)
end

local Profile = {}
Profile.__index = Profile

local function row_line(name, calls, seconds, share)
  local ms, each = 1e3 * seconds, calls > 0 and digits(1e3 * seconds / calls) or ""
  return line(name, calls > 0 and calls or "", digits(ms), each, ("%.1f %%"):format(100 * share))
end

-- Rows that would show as 0.0 % share a line.
function Profile:__tostring()
  local lines = { line("operation", "calls", "ms", "ms a call", "share") }
  local others, calls, seconds, share = 0, 0, 0, 0
  for _, row in ipairs(self) do
    if row.share >= 0.0005 then
      lines[#lines + 1] = row_line(row.name, row.calls, row.seconds, row.share)
    else
      others, calls, seconds, share = others + 1, calls + row.calls, seconds + row.seconds, share + row.share
    end
  end
  if others > 0 then lines[#lines + 1] = row_line(others .. " others", calls, seconds, share) end
  lines[#lines + 1] = line("total", "", digits(1e3 * self.seconds), "", "")
  return (table.concat(lines, "\n"):gsub(" +\n", "\n"):gsub(" +$", ""))
end

--- Calls a function, measures where its time goes, and prints that as a table, the dearest first.
--
--     lt.profile(function() for _ = 1, 10 do step() end end)
--
-- Operations have their Lua name, their gradients "name backward"; "gradient sum" adds the gradients of a tensor that
-- was used more than once; optimizers show as their updates ("adam_update"). Time is each one's own: that of the
-- gradients is not counted for "backward" again. All rows, with the one of Lua and whatever else runs, add up to 100 %.
-- Measuring costs a fraction of a microsecond for each call of any function. Coroutines that the function resumes are
-- measured too; the function itself cannot yield.
-- @function profile
-- @tparam function f called without arguments; its errors pass through
-- @tparam[opt] table options quiet (false): print nothing
-- @treturn table rows { name, calls, seconds, share }, sorted by time, and the field `seconds` of all together;
-- tostring makes a table to read of it
return function(f, options)
  check.type("profile", 1, "f", f, "callable")
  local o = check.options("profile", 2, options, { quiet = { "boolean", false } })
  local rows = core.profile_rows(f)
  local profile = setmetatable({ seconds = 0 }, Profile)
  for i, row in ipairs(rows) do
    row.name = row.name or REST
    profile[i], profile.seconds = row, profile.seconds + row.seconds
  end
  for _, row in ipairs(profile) do row.share = profile.seconds > 0 and row.seconds / profile.seconds or 0 end
  table.sort(profile, function(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    return a.name < b.name
  end)
  if not o.quiet then print(profile) end
  return profile
end
