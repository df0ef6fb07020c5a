-- The benchmark: every row has a twin in PyTorch and a title, and the best of all is named.
local peer = require "spec.bench.peer"
local report = require "spec.bench.report"
local sources = require "spec.support.sources"
local workloads = require "spec.bench.workloads"

local function printed(f)
  local lines, before = {}, print
  _G.print = function(...) lines[#lines + 1] = table.concat({ ... }, " ") end
  local ok, message = pcall(f)
  _G.print = before
  assert(ok, message)
  return table.concat(lines, "\n")
end

local function library(label) return { label = label, all = {}, modes = { "fp32" } } end

describe("the benchmark", function()
  it("has a twin of every row", function()
    local text = sources.read "spec/bench/torch_steps.py"
    for _, w in ipairs(workloads) do assert.is_truthy(text:find('"' .. w.name .. '": ', 1, true), w.name) end
  end)

  it("has a title for every row", function()
    local text = sources.read "spec/bench/report.lua"
    for _, w in ipairs(workloads) do assert.is_truthy(text:find(w.name .. ' = "', 1, true), w.name) end
  end)

  it("names the best of all, and what has no figure", function()
    local torch, jax = library "PyTorch", library "JAX"
    torch.best = { mode = "compile", ms = 30, peak_mb = 100, params = 5 }
    jax.best = { mode = "fp32", ms = 20, peak_mb = 200, params = 5 }
    local row = { name = "unet32_b64", mode = "fp32", ours = { ms = 10, peak_mb = 50, params = 5 },
                  peers = { torch, jax }, best = jax }
    local machine = { cpu = "a processor", cores = 2, threads = 2, isa = "avx2", peers = { torch, jax } }
    local text = printed(function() report.markdown(machine)(row) end)
    local figures = "| 30.0 ms, 100 MB (compile) | 3.00 | 20.0 ms, 200 MB (fp32) | 2.00 | JAX fp32 | 2.00 |"
    assert.is_truthy(text:find(figures, 1, true), text)
    row.peers[2] = { label = "JAX", all = {}, modes = {} } -- has no such workload
    row.peers[1] = { label = "PyTorch", all = {}, modes = { "fp32" } }
    text = printed(function() report.lines(machine)(row) end)
    assert.is_truthy(text:find("PyTorch%s+has no figure"), text)
    assert.is_nil(text:find("JAX", 1, true))
  end)

  it("asks PyTorch for bf16 in every way that its version has", function()
    local old, new
    old = peer.modes({ library = peer.libraries.torch, major = 1 }, "unet32_b64", "bf16")
    new = peer.modes({ library = peer.libraries.torch, major = 2 }, "unet32_b64", "bf16")
    assert.same({ "bf16", "bf16-cl" }, old)
    assert.same({ "bf16", "bf16-cl", "bf16-compile" }, new)
    assert.same({}, peer.modes({ library = peer.libraries.jax }, "tour_b32", "fp32"))
  end)
end)
