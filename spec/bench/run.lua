-- make bench: whole training steps, ours and those of PyTorch and JAX, where a python3 has them, in turn on the same
-- machine in the same minutes. Medians; each workload and each mode in a process of its own, so that peak memory is
-- its own.
--
--   make bench BENCH_ARGS="--only vae_mlp_b128,unet32_b64 --runs 21 --json"
--
--   --only NAME[,NAME]     some of the workloads
--   --precision fp32,bf16  ours; the others' best mode of the same precision stands beside it
--   --runs N               0: 7 to 101, as time allows
--   --threads N            all sides
--   --isa avx2             holds all sides to it
--   --python PATH[,PATH]   where PyTorch and JAX are looked for: python3 and /usr/bin/python3
--   --json, --markdown     lines of JSON, or the table of the README
--   --scale, --overhead    time over batch, side, width and depth (--only one of them; --out FOLDER: a plot); what one
--                          small operation costs from Lua
--   --one NAME --mode M    one workload of ours in this process; NAME may be "machine"
local lt = require "laterna"
local command = require "spec.bench.command"
local json = require "dkjson"
local measure = require "spec.bench.measure"
local peer = require "spec.bench.peer"
local report = require "spec.bench.report"
local scale = require "spec.bench.scale"
local work = require "spec.bench.work"
local workloads = require "spec.bench.workloads"

local o = lt.train.arguments {
  only = "", runs = 0, threads = lt.threads(), precision = "fp32,bf16", isa = "",
  python = "python3,/usr/bin/python3", json = false, markdown = false, scale = false, overhead = false,
  one = "", mode = "fp32", out = "",
}

local function say(...) io.stderr:write(("# " .. (...) .. "\n"):format(select(2, ...))) end

local lua = arg[-1]
for i = -1, -20, -1 do lua = arg[i] or lua end

local function ours(name, mode, runs)
  return assert(command.objects(("%s%s %s --one %s --mode %s --runs %d --threads %d"):format(
    command.environment(o.isa), lua, arg[0], name, mode, runs, o.threads))[1], "the step failed: see above")
end

local function machine()
  lt.threads(o.threads)
  local info = lt.info { peak = true }
  return { cpu = info.cpu or "unknown processor", cores = info.cores, threads = o.threads,
           isa = info.isa, blas = info.blas, peak = info.peak }
end

local function asked(name) return o.only == "" or ("," .. o.only .. ","):find("," .. name .. ",", 1, true) end

-- The best that was seen: other programs only ever take away.
local function raise(peak, seen)
  for key, value in pairs(seen) do peak[key] = math.max(peak[key] or 0, value) end
end

-- Half of our runs come before the others' and half after: a machine whose speed drifts meanwhile drifts for both.
local function compare(name, mode, peers, peak)
  say("%s %s", name, mode)
  local first = ours(name, mode, o.runs)
  raise(peak, first.peak)
  local row = { name = name, mode = mode, ours = first, peers = {} }
  for i, p in ipairs(peers) do
    local side = { label = p.label, all = {}, modes = peer.modes(p, name, mode) }
    for _, theirs in ipairs(side.modes) do
      say("%s %s: %s %s", name, mode, p.label, theirs)
      local line, why = peer.run(p, name, theirs, { isa = o.isa, threads = o.threads, runs = first.runs })
      if not line then say("%s cannot run %s: %s", p.label, theirs, why) end
      side.all[#side.all + 1] = line
      if line and (not side.best or line.ms < side.best.ms) then side.best = line end
    end
    row.peers[i] = side
    if side.best and (not row.best or side.best.ms < row.best.best.ms) then row.best = side end
  end
  if #peers > 0 then
    local again = ours(name, mode, first.runs)
    raise(peak, again.peak)
    table.move(again.times, 1, #again.times, #first.times + 1, first.times)
    first.runs, first.ms = #first.times, measure.median(first.times)
    first.min_ms, first.peak_mb = first.times[1], math.max(first.peak_mb, again.peak_mb)
  end
  first.times, first.peak = nil, nil
  first.gf = work[name]
  if first.gf then
    first.gflops = first.gf / first.ms * 1e3
    first.share = first.gflops / (peak[mode] or peak.fp32)
  end
  return row
end

local function table_of_all()
  local here = ours("machine", "fp32", 0)
  local peers = peer.find(o.python)
  here.peers = {}
  for i, p in ipairs(peers) do here.peers[i] = { label = p.label, version = p.version } end
  if #peers == 0 then say "no python3 here has torch or jax: our own figures alone" end
  local row, done = (o.json and report.json or o.markdown and report.markdown or report.lines)(here)
  for _, w in ipairs(workloads) do
    for mode in o.precision:gmatch "[^,]+" do
      if asked(w.name) then row(compare(w.name, mode, peers, here.peak)) end
    end
  end
  done()
end

if o.one == "machine" then
  print(json.encode(machine()))
elseif o.one ~= "" then
  print(json.encode(measure.workload(o), { keyorder = { "library", "workload", "mode", "ms", "min_ms" } }))
elseif o.scale or o.overhead then
  lt.threads(o.threads)
  if o.scale then scale.sizes(o) end
  if o.overhead then scale.overhead(o) end
else
  table_of_all()
end
