-- A busted helper for quick specs: they start no process and take no time. A spec that does fails until its name has
-- the tag, so nobody keeps a list.
require "spec.support.summary"
local busted = require "busted"

local MOST <const> = 3 -- seconds of processor time; what takes half a second should be tagged

local function refuse(name)
  return function() error(name .. " in a quick spec: what starts processes has #child or #isas in its name", 2) end
end
io.popen, os.execute = refuse "io.popen", refuse "os.execute" -- luacheck: ignore

local began
busted.subscribe({ "test", "start" }, function()
  began = os.clock()
  return nil, true
end)
busted.subscribe({ "test", "end" }, function(element, parent)
  local seconds = os.clock() - began
  if seconds > MOST then
    local message = ("took %.1f s: it is to have #slow or #training in its name"):format(seconds)
    local which = { name = parent.name .. " " .. element.name, descriptor = "quick", trace = element.trace }
    busted.publish({ "failure", "quick" }, which, parent, message, element.trace)
  end
  return nil, true
end)
