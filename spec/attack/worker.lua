-- Runs random programs in this process: lua5.4 worker.lua SEED FIRST LAST. The file "last" says at every moment what
-- runs, the file "report" gets a line for each finding, and at the end the sums.
local program = require "spec.attack.program"

local seed, first, last_index = math.tointeger(arg[1]), math.tointeger(arg[2]), math.tointeger(arg[3])
local trace = arg[4] == "trace"

local last = assert(io.open("last", "wb"))
local file = assert(io.open("report", "w"))
local kinds, reported = {}, {}
local SECONDS <const> = 60 -- of processor time, of one program, with sanitizers

local report = { calls = 0 }

function report.last(index, what)
  local text = ("program %d: %s"):format(index, what)
  if trace then io.stderr:write(text:sub(1, 300), "\n") end
  last:seek "set"
  last:write(text:sub(1, 300), (" "):rep(math.max(0, 300 - #text)), "\n")
  last:flush()
end

function report.count(kind) kinds[kind] = (kinds[kind] or 0) + 1 end

-- One line for each kind of message, without its numbers.
function report.error(kind, index, what, message)
  if trace and kind == "finding" then io.stderr:write("  ", message, "\n") end
  local alike = message:gsub("stack traceback.*", ""):gsub("[%d%.]+", "#"):sub(1, 80)
  local key = kind .. (what:match "^[^(]+" or what) .. alike
  if reported[key] then return end
  reported[key] = true
  message = message:gsub("\n", " | "):gsub("%c", "?"):sub(1, 700)
  file:write(("%s\t%d\t%s\t%s\n"):format(kind, index, what:gsub("%c", "?"):sub(1, 200), message))
  file:flush()
end

for index = first, last_index do
  local start = os.clock()
  program.run(seed, index, report)
  if os.clock() - start > SECONDS then
    report.error("finding", index, "all", ("takes %.0f seconds"):format(os.clock() - start))
  end
  report.last(index, "done")
end

for kind, n in pairs(kinds) do file:write(("sum\t%d\t%s\t\n"):format(n, kind)) end
file:write(("sum\t%d\tcalls\t\n"):format(report.calls))
file:close()
