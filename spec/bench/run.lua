-- make bench: whole training steps, ours and PyTorch's in turn on the same machine in the same minutes, when a python3
-- with torch is there. Medians; each workload in a process of its own, so that peak memory is its own.
--
--   make bench BENCH_ARGS="--only vae_mlp_b128 --runs 21 --json"
local lt = require "laterna"
local workloads = require "spec.bench.workloads"

local o = lt.train.options { only = "", runs = 15, threads = lt.threads(), json = false, one = "" }

local function peak_mb()
  local f = io.open "/proc/self/status"
  local kb = f and f:read "a":match "VmHWM:%s*(%d+)"
  if f then f:close() end
  return kb and kb // 1024 or 0
end

-- The child: one workload, one line of JSON.
local function measure(w)
  lt.threads(o.threads)
  lt.manual_seed(0)
  local step, parameters = w.make()
  step()
  step()
  local times = {}
  for i = 1, o.runs do
    local start = lt.clock()
    step()
    times[i] = 1e3 * (lt.clock() - start)
  end
  table.sort(times)
  print(('{"workload": "%s", "mode": "fp32", "ms": %.2f, "min_ms": %.2f, "params": %d, "peak_mb": %d, "isa": "%s"}')
    :format(w.name, times[#times // 2 + 1], times[1], parameters, peak_mb(), lt.info().isa))
end

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local out = {}
  for line in pipe:lines() do
    if line:find '^{' then out[#out + 1] = line end
  end
  pipe:close()
  return out
end

local function field(line, key) return line:match('"' .. key .. '": "?([^",}]*)') end

local function python()
  for _, name in ipairs { "python3", "/usr/bin/python3" } do
    if os.execute(name .. " -c 'import torch' 2>/dev/null") then return name end
  end
end

local lua = arg[-1]
for i = -1, -20, -1 do lua = arg[i] or lua end

local function compare(w, peer)
  local ours = lines_of(("%s %s --one %s --runs %d --threads %d"):format(lua, arg[0], w.name, o.runs, o.threads))[1]
  local command = "OMP_WAIT_POLICY=PASSIVE %s spec/bench/torch_steps.py --only %s --runs %d --threads %d"
  local theirs = peer and lines_of(command:format(peer, w.name, o.runs, o.threads)) or {}
  if o.json then
    print(ours)
    for _, line in ipairs(theirs) do print(line) end
    return
  end
  local best
  for _, line in ipairs(theirs) do
    if not best or tonumber(field(line, "ms")) < tonumber(field(best, "ms")) then best = line end
  end
  local ms = tonumber(field(ours, "ms"))
  print(("%-16s %9.2f ms %6s MB   %s"):format(w.name, ms, field(ours, "peak_mb"), best and
    ("PyTorch %s %s: %9.2f ms %6s MB   %.2f x%s"):format(field(best, "torch"), field(best, "mode"), field(best, "ms"),
      field(best, "peak_mb"), field(best, "ms") / ms,
      field(best, "params") == field(ours, "params") and "" or "   (parameters differ!)") or "no PyTorch here"))
end

local peer = o.one == "" and python()
for _, w in ipairs(workloads) do
  if o.one == w.name then
    measure(w)
  elseif o.one == "" and (o.only == "" or ("," .. o.only .. ","):find("," .. w.name .. ",", 1, true)) then
    compare(w, peer)
  end
end
