-- One workload in this process: its median step time and the most memory that the process ever held.
local lt = require "laterna"
local workloads = require "spec.bench.workloads"

local measure = {}

-- The middle one of some numbers (sorts them).
function measure.median(numbers)
  table.sort(numbers)
  return numbers[(#numbers + 1) // 2]
end

-- Milliseconds of each of `runs` calls, after two that warm memory and caches. runs = 0: two seconds' worth, 7 to 101.
-- clock (lt.clock): os.clock counts the process's own time, of all its threads.
function measure.times(step, runs, clock)
  clock = clock or lt.clock
  step()
  local start = clock()
  step()
  if runs == 0 then runs = math.max(7, math.min(101, math.floor(2 / (clock() - start)))) end
  local times = {}
  for i = 1, runs do
    start = clock()
    step()
    times[i] = 1e3 * (clock() - start)
  end
  return times
end

local function peak_mb()
  local f = io.open "/proc/self/status"
  local kb = f and f:read "a":match "VmHWM:%s*(%d+)"
  if f then f:close() end
  return kb and kb // 1024 or 0
end

-- o: one (the workload's name), runs, threads, mode ("fp32", "bf16"). Returns what is printed as a line of JSON.
function measure.workload(o)
  local make
  for _, w in ipairs(workloads) do make = w.name == o.one and w.make or make end
  assert(make, "no workload is called '" .. o.one .. "'")
  lt.threads(o.threads)
  if o.mode == "bf16" then lt.precision "bf16" end
  lt.manual_seed(0)
  local step, parameters, steps = make()
  local times = measure.times(step, o.runs)
  for i, ms in ipairs(times) do times[i] = ms / (steps or 1) end
  local result = { library = "laterna", workload = o.one, mode = o.mode, params = parameters, runs = #times,
                   times = times, isa = lt.info().isa, products = lt.info().products }
  result.ms, result.min_ms, result.peak_mb = measure.median(times), times[1], peak_mb()
  result.peak = lt.info({ peak = true }).peak -- of the same moment; last, for it takes memory of its own
  return result
end

return measure
