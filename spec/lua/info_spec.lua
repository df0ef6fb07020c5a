-- lt.info: what laterna runs on.
local child = require "spec.support.child"
local core = require "laterna.core"

describe("info", function()
  it("names the instruction set in use among those of this machine", function()
    local info = core.info()
    local there = {}
    for _, isa in ipairs(info.isas) do there[isa] = true end
    assert.is_true(there[info.isa], info.isa)
    assert.equal("portable", info.isas[#info.isas])
  end)

  it("names only instruction sets that can be forced #isas", function()
    for _, isa in ipairs(core.info().isas) do
      local ok, output = child.run("print(require 'laterna.core'.info().isa)", { env = "LATERNA_ISA=" .. isa })
      assert.is_true(ok, output)
      assert.equal(isa .. "\n", output)
    end
  end)

  it("counts the cores that this process may use, and the threads that it does use #child", function()
    local before = core.threads()
    core.threads(3)
    assert.equal(3, core.info().threads)
    core.threads(before)
    local script = "local i = require 'laterna.core'.info() print(i.cores, i.threads)"
    if not os.execute "taskset -c 0 true 2>/dev/null" then return pending "needs taskset" end
    assert.equal("1\t1\n", select(2, child.run(script, { env = "LATERNA_THREADS= taskset -c 0" })))
    assert.equal("1\t2\n", select(2, child.run(script, { env = "LATERNA_THREADS=2 taskset -c 0" })))
  end)

  it("names the processor as the system does", function()
    local file = io.open "/proc/cpuinfo"
    local name = file and file:read "a":match "model name%s*: ([^\n]*)"
    if file then file:close() end
    if file then assert.equal(name, core.info().cpu) end
  end)

  it("names the BLAS with its version", function()
    assert.matches("^OpenBLAS %d+%.%d+[%w%.]* %w+", core.info().blas)
  end)

  it("knows how convolutions are computed", function()
    local before = core.convolution()
    for _, name in ipairs { "direct", "auto" } do
      core.convolution(name)
      assert.equal(name, core.info().convolution)
    end
    core.convolution(before)
  end)

  it("knows the precision", function()
    local before = core.precision()
    core.precision "bf16"
    assert.equal("bf16", core.info().precision)
    core.precision "rounded"
    assert.equal("rounded", core.info().precision)
    core.precision "float32"
    assert.equal("float32", core.info().precision)
    assert.equal("float32", core.info().products)
    core.precision(before)
  end)

  it("knows the caches as the system does", function()
    local caches, folder = core.info().caches, "/sys/devices/system/cpu/cpu0/cache/index%d/%s"
    local function read(index, name)
      local file = io.open(folder:format(index, name))
      local text = file and file:read "l"
      if file then file:close() end
      return text
    end
    if not read(0, "level") then return pending "needs /sys" end
    for i = 0, 9 do
      local level, size = read(i, "level"), read(i, "size")
      if level and read(i, "type") ~= "Instruction" and tonumber(level) <= 3 then
        assert.equal(tonumber(size:match "^(%d+)K$") * 1024, caches["l" .. level])
      end
    end
    assert.is_true(caches.l1 < caches.l2)
  end)

  it("measures the peak when asked, and only then #slow", function()
    assert.is_nil(core.info().peak)
    assert.is_nil(core.info({ peak = false }).peak)
    local before = core.memory().count
    local peak = core.info({ peak = true }).peak
    assert.is_true(peak.fp32 > 0 and peak.fp32 < math.huge)
    assert.is_true(peak.memory > 0 and peak.memory < math.huge)
    assert.is_true(peak.bf16 == nil or peak.bf16 > 0)
    assert.equal(before, core.memory().count)
  end)

  it("says so when there is no memory to measure with, and leaks none #slow", function()
    local before = core.memory().count
    for n = 1, 2 do
      collectgarbage "stop"
      core.debug_fail_allocation(n) -- the second try, after a collection, succeeds
      assert.is_true(core.info({ peak = true }).peak.fp32 > 0)
      core.debug_fail_allocation(0)
      collectgarbage "restart"
    end
    collectgarbage()
    assert.is_true(core.memory().count <= before)
  end)

  it("refuses what it does not know", function()
    assert.has_error(function() core.info { peek = true } end,
      "bad argument #1 to 'info' (unknown option \"peek\", did you mean \"peak\"? known: peak)")
    assert.has_error(function() core.info { peak = 1 } end,
      "bad argument #1 to 'info' (peak: expected boolean, got number)")
  end)
end)
