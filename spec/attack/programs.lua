-- Random programs over the whole public surface, in processes of their own, until the time is up. What counts as a
-- finding: a crash, a report of a sanitizer, a program that does not end, memory or tensors left behind, recording left
-- off, and errors that name no argument but Lua's own trouble. Every finding has a line that plays its program again.
local child = require "spec.support.child"

local programs = {}

local BATCH <const> = 100 -- programs a process
local SECONDS <const> = 600 -- of a process, for it may wait for others
local REACHED <const> = 0.6 -- so many of the calls must compute, or they would test the checks alone

-- Runs programs first to last; returns the lines of the report, and the output and the way of a bad end.
local function batch(seed, first, last, trace)
  local folder = child.folder()
  local ok, output, how = child.run('require "spec.attack.worker"', {
    cd = folder, megabytes = 3000, seconds = SECONDS, env = "OPENBLAS_NUM_THREADS=1",
    args = ("%d %d %d %s"):format(seed, first, last, trace and "trace" or "> /dev/null"),
  })
  local lines = {}
  for kind, n, what, message in child.read(folder .. "/report"):gmatch "(%w+)\t(%-?%d+)\t([^\t\n]*)\t([^\n]*)" do
    lines[#lines + 1] = { kind = kind, n = math.tointeger(n), what = what, message = message }
  end
  local at = child.read(folder .. "/last"):match "^(.-)%s*$"
  child.remove(folder)
  return lines, not ok and ("%s at %s\n%s"):format(how, at, output:sub(-6000)) or nil, at, output
end

local function say(...) io.write(string.format(...), "\n") end

local Sums = {}
Sums.__index = Sums

function Sums:add(seed, lines, bad, at)
  for _, line in ipairs(lines) do
    if line.kind == "sum" then
      self.counts[line.what] = (self.counts[line.what] or 0) + line.n
    elseif line.kind == "finding" then
      self:finding(seed, line.n, ("%s: %s"):format(line.what, line.message))
    else
      local key = (line.what:match "^[^(]+" or "") .. line.message:gsub("[%d%.]+", "#"):sub(1, 80)
      self.others[key] = self.others[key] or ("%s: %s"):format(line.what, line.message)
    end
  end
  if bad then self:finding(seed, math.tointeger(at:match "%d+") or 0, bad) end
end

-- A finding is printed once, with what plays it again.
function Sums:finding(seed, index, text)
  local key = text:gsub("0x%x+", ""):gsub("==%d+==", ""):gsub("[%d%.]+", "#")
  key = key:gsub("^([^(:]+)%b()", "%1"):gsub("recording is off.*", "recording is off"):sub(1, 120) -- without arguments
  if self.found[key] then return end
  self.found[key], self.failed = true, self.failed + 1
  say("FINDING make attack PART=programs SEED=%d INDEX=%d\n  %s", seed, index, text)
end

--- Runs programs for so many seconds.
-- @tparam table options seconds, seed, index (one program alone, every statement printed)
-- @treturn integer what passed
-- @treturn integer what failed
function programs.run(options)
  local sums = setmetatable({ counts = {}, found = {}, others = {}, failed = 0 }, Sums)
  if options.index then
    local lines, bad, at, output = batch(options.seed, options.index, options.index, true)
    io.write(output)
    sums:add(options.seed, lines, bad, at)
    return 1, sums.failed
  end
  local start, index = os.time(), 1
  repeat
    sums:add(options.seed, batch(options.seed, index, index + BATCH - 1))
    index = index + BATCH
  until os.time() - start >= options.seconds
  local calls = sums.counts.calls or 0
  local reached = calls - (sums.counts.argument or 0)
  local share = 100 * reached / math.max(1, calls)
  say("%d programs, %d calls, %.1f %% of them reached an operation", index - 1, calls, share)
  for kind, n in pairs(sums.counts) do say("  %-10s %d", kind, n) end
  if options.verbose then
    for _, text in pairs(sums.others) do say("  other: %s", text) end
  end
  if reached < REACHED * calls then
    sums:finding(options.seed, 0, "too few calls reach an operation")
  end
  return index - 1, sums.failed
end

return programs
