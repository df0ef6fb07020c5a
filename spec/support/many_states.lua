-- What each of the states of many_states.c does, by the number that it is called with: two families are trained and
-- sampled from, and everything that the core keeps outside of a Lua state is used. Returns all that was computed, in a
-- few lines.
local lt = require "laterna"
local core = require "laterna.core"
local child = require "spec.support.child"
local models = require "spec.support.models"

local number = ...

local lines = {}

local function note(name, value)
  lines[#lines + 1] = ("%s %s"):format(name, value)
end

-- Equal only where every bit is.
local function digest(tensors)
  local bytes = {}
  for i, t in ipairs(tensors) do bytes[i] = t:to_string() end
  return core.hash_strings(bytes)
end

local function names()
  local list = {}
  for name in pairs(models.made) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- Settings of this state alone; its neighbours have others.
lt.threads(1 + number % 3)
lt.precision(number % 2 == 0 and "float32" or "rounded")
lt.convolution(number % 3 == 0 and "direct" or "auto")

-- y = 401 x: every node of the chain must come before what it was made of.
local function chain()
  local x = lt.ones(1, { requires_grad = true })
  local y = x
  for _ = 1, 400 do y = y + x end
  y:backward()
  assert(x.grad:item() == 401, "the gradient of 401 x is " .. x.grad:item())
end

local function train(name)
  local model, options = models.make(name)
  local optimizer = lt.optim[number % 2 == 0 and "AdamW" or "Muon"](model:parameters(), { lr = 1e-3 })
  local ema = lt.optim.Ema(model, 0.9)
  local x, cond = lt.rand(5, 8, 8, 3) * 2 - 1, { text = models.captions }
  for _ = 1, 2 do
    optimizer:update((model:loss(x, cond)))
    if name == "gan" then optimizer:update((model:critic_loss(x, cond))) end
    ema:update()
  end
  note(name, digest(model:parameters()))
  note(name .. " samples", digest { models.sample(ema.model, options) })
end

-- Wide enough for pieces, for Winograd's convolution and for sums in bfloat16.
local function convolve()
  local net = lt.nn.Sequential(lt.nn.Conv2d(32, 32, 3, { padding = 1 }), lt.nn.BatchNorm2d(32), lt.silu)
  local x = lt.randn(4, 16, 16, 32)
  lt.recompute(net, x):sum():backward()
  local square = lt.autograd_function(
    function(ctx, a) ctx.saved = { a } return a * a end,
    function(ctx, dy) return dy * ctx.saved[1] * 2 end)
  local a = lt.randn(64, 96, { requires_grad = true })
  square(lt.matmul(a, lt.randn(96, 64))):sum():backward()
  note("gradients", digest { a.grad, net:parameters()[1].grad })
  local profile = require "laterna.profile"(function() a:exp():sum():backward() end, { quiet = true })
  local calls = {}
  for _, row in ipairs(profile) do calls[#calls + 1] = row.name .. "=" .. row.calls end
  table.sort(calls)
  note("profile", table.concat(calls, " "):gsub("garbage collection=%d+ ?", ""))
end

local function read_and_write()
  local path = os.tmpname()
  local picture = lt.rand(9, 7, 3) * 2 - 1
  lt.save_png(path, picture)
  note("png", digest { lt.load_png(path) })
  lt.save(path, { picture = picture, square = picture * picture })
  note("safetensors", digest { lt.load(path).square })
  os.remove(path)
  local ok, err = pcall(lt.load_png, "/no such folder/picture.png")
  assert(not ok)
  note("missing", err)
  note("scenes", digest { lt.data.scenes { n = 3, size = 8, objects = 2, seed = number }.images })
end

local function read_folder()
  local folder = child.folder()
  for i = 1, 40 do
    child.write(folder, ("%02d.png"):format(i), i % 9 == 4 and "damaged" or lt.encode_png(lt.rand(6, 8, 3) * 2 - 1))
  end
  local options = { size = 4, captions = "none", fit = "pad", quiet = true, cache = folder .. "/set.safetensors" }
  local first, second = lt.data.folder(folder, options), lt.data.folder(folder, options)
  note("folder", ("%d %d %s"):format(#first, #first.report.bad, digest { first.images }))
  assert(digest { second.images } == digest { first.images } and second.report.cache:find "^read from")
  child.remove(folder)
end

for round = 1, 3 do
  lt.manual_seed(100 * round + number)
  chain()
  convolve()
end
local list = names()
for i = 0, 1 do train(list[(2 * number + i) % #list + 1]) end
read_and_write()
read_folder()
local symmetric = lt.randn(12, 12)
note("eigenvalues", digest { (lt.eigh(symmetric + symmetric:transpose())) })
note("settings", ("%d %s %s"):format(lt.threads(), lt.precision(), lt.convolution()))
note("machine", core.info().isa .. " " .. core.info().blas)
core.catch_interrupt(true)
assert(not core.interrupted())
core.catch_interrupt(false)
assert(core.memory().live > 0)
collectgarbage()
return table.concat(lines, "\n")
