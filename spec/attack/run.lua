-- The attack: lua5.4 spec/attack/run.lua PART MINUTES SEED [INDEX]. Ends with a line "N passed, M failed", and a status
-- to match. The seed is printed: with it, and an index, a finding is played again.
local root = arg[0]:match("^(.*)/spec/attack/run%.lua$") or "."
package.path = ("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;%s"):format(root, root, root, package.path)

local PARTS = { programs = true, torch = true, faults = true, checkpoints = true, terminal = true }

local part, minutes, seed, index = arg[1], tonumber(arg[2]), math.tointeger(tonumber(arg[3])), tonumber(arg[4])
if not PARTS[part] or not minutes or not seed then
  io.stderr:write("usage: run.lua programs|torch|faults|checkpoints|terminal MINUTES SEED [INDEX]\n")
  os.exit(2)
end

io.stdout:setvbuf "line"
print(("== %s: %g minutes, seed %d"):format(part, minutes, seed))
local passed, failed = require("spec.attack." .. part).run {
  seconds = minutes * 60, seed = seed, index = math.tointeger(index), verbose = os.getenv "VERBOSE" ~= nil,
}
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
