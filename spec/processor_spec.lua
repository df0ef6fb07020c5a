-- The machine that there is: no more threads than were asked for, BLAS's included, and processors without AVX.
local child = require "spec.support.child"

-- Products, decompositions (BLAS's own work), convolutions, attention; then how many threads of the process have run.
-- OpenBLAS may have made some when it was loaded: they look for work for a tenth of a second, and sleep from then on.
local WORK = [[
  local core = require "laterna.core"
  local function work()
    for _ = 1, 5 do
      local a = core.randn(300, 300)
      core.eigh(core.matmul(a, a:transpose()))
      core.qr(a)
      core.solve(a, core.randn(300, 2))
      core.conv2d(core.randn(4, 32, 32, 32), core.randn(32, 3, 3, 32), nil, { padding = 1 })
      core.attention(core.randn(2, 64, 2, 16), core.randn(2, 64, 2, 16), core.randn(2, 64, 2, 16))
    end
  end
  local function times()
    local out = {}
    for task in require "lfs".dir "/proc/self/task" do
      local file = task:find "^%d" and io.open("/proc/self/task/" .. task .. "/schedstat")
      if file then
        out[task] = file:read "n" -- nanoseconds
        file:close()
      end
    end
    return out
  end
  local function count(f)
    local before, n = times(), 0
    f()
    for task, t in pairs(times()) do
      if t - (before[task] or 0) > 2e6 then n = n + 1 end
    end
    return n
  end
  os.execute "sleep 0.5"
  local first = count(work)
  if arg[1] then core.threads(tonumber(arg[1])) end
  print(first, count(work))
]]

describe("threads #child", function()
  it("are never more than asked for, those of BLAS included", function()
    if not require "lfs".attributes "/proc/self/schedstat" then return pending "needs /proc" end
    local function most(asked, args)
      local ok, output = child.run(WORK, { env = "OPENBLAS_NUM_THREADS= LATERNA_THREADS=" .. asked, args = args })
      local first, second = output:match "^(%d+)\t(%d+)\n$"
      assert.is_true(ok and tonumber(first) >= 1 and tonumber(first) <= asked, output)
      return tonumber(second)
    end
    assert.equal(1, most(1))
    assert.is_true(most(2) <= 2)
    assert.is_true(most(3, "1") == 1 and most(1, "4") <= 4)
  end)
end)

-- A few steps, and what they come to.
local STEPS = [[
  local lt = require "laterna"
  lt.manual_seed(1)
  local net = lt.nn.Sequential(lt.nn.Conv2d(3, 32, 3, { padding = 1 }), lt.silu,
    lt.nn.Conv2d(32, 32, 3, { padding = 1 }), lt.nn.GroupNorm(8, 32), lt.nn.Conv2d(32, 3, 3, { padding = 1 }))
  local opt = lt.optim.AdamW(net:parameters(), { lr = 1e-3 })
  local x = lt.randn(2, 8, 8, 3)
  for _ = 1, 2 do opt:update((net(x) - x):square():mean()) end
  local a = lt.matmul(lt.randn(5, 5), lt.randn(5, 5))
  print(lt.info().isa, ("%.4f"):format((net(x) - x):square():mean():item() + lt.logdet(a * 0 + lt.eye(5)):item()))
]]

describe("an older processor #child", function()
  -- QEMU's user mode plays one: what that processor does not know is an illegal instruction there too.
  it("computes the same with what it has", function()
    if not os.execute "qemu-x86_64-static --version >/dev/null 2>&1" then return pending "needs qemu-x86_64-static" end
    if child.sanitized then return pending "needs a build that nobody watches" end
    local pipe = io.popen 'readlink -f "$(command -v lua5.4)"'
    local lua = pipe:read "l"
    pipe:close()
    if not lua or lua == "" then return pending "needs lua5.4 on the path" end
    local here = select(2, child.run(STEPS, { env = "LATERNA_ISA=portable" })):match "(%S+)\n$"
    for cpu, isa in pairs { Nehalem = "portable", Haswell = "avx2" } do
      local play = "env -u LATERNA_ISA %s LATERNA_THREADS=2 timeout 300 qemu-x86_64-static -cpu %s %s -e %s 2>&1"
      pipe = io.popen(play:format(child.paths(), cpu, child.quote(lua), child.quote(STEPS)))
      local output = pipe:read "a"
      pipe:close()
      local name, sum = output:match "(%S+)\t(%S+)\n$"
      assert.equal(isa, name, output)
      assert.near(tonumber(here), tonumber(sum), 2e-4)
    end
  end)
end)
