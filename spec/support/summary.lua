-- A busted helper: counts what ran and says so in the last line, for people and for .ci/run. With SLOWEST=20 the twenty
-- specs that took longest come before it.

local busted = require "busted"

local passed, failed, pending = 0, 0, 0
local slowest = math.tointeger(os.getenv "SLOWEST") or 0
local times = {}

busted.subscribe({ "test", "end" }, function(element, parent, status)
  if slowest > 0 then
    times[#times + 1] = { seconds = element.duration, name = ("%s: %s %s"):format(element.trace.short_src, parent.name,
                                                                                  element.name) }
  end
  if status == "success" then
    passed = passed + 1
  elseif status == "pending" then
    pending = pending + 1
  else
    failed = failed + 1
  end
  return nil, true
end)

-- What goes wrong outside a test: a file that does not load, a setup that raises.
local function outside(element)
  if element.descriptor ~= "it" then failed = failed + 1 end
  return nil, true
end
busted.subscribe({ "error" }, outside)
busted.subscribe({ "failure" }, outside)

busted.subscribe({ "exit" }, function()
  table.sort(times, function(a, b) return a.seconds > b.seconds end)
  for i = 1, math.min(slowest, #times) do print(("%7.2f s  %s"):format(times[i].seconds, times[i].name)) end
  if pending > 0 then print(pending .. " pending") end
  print(("%d passed, %d failed"):format(passed, failed))
  return nil, true
end)
