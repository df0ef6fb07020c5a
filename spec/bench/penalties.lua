-- What R1 and R2 cost: a step of R3GAN's critic, forward, backward and Adam on real and painted pictures, with both
-- penalties and without, at the sizes of the examples; and a step of the generator against it.
--
--   lua5.4 spec/bench/penalties.lua
--   lua5.4 spec/bench/penalties.lua --size 32 --batch 32 --width 16 --profile     where the time goes
local lt = require "laterna"
local measure = require "spec.bench.measure"
local nn = lt.nn

local o = lt.train.arguments {
  size = "28,32", batch = "32,64", width = "16,32", blocks = 1, block = "residual", group = 16, expansion = 2,
  channels = 1, runs = 0, profile = false,
}

local function numbers(text)
  local list = {}
  for n in text:gmatch "%d+" do list[#list + 1] = tonumber(n) end
  return list
end

-- E |d score / dx|^2, on the scores of the pictures x
local function penalty(scores, x) return lt.gan.penalties.squared_norms(scores, x):mean() end

local function steps(size, batch, width)
  local shape = { size = size, channels = o.channels, width = width, block = o.block, text = 32 }
  if o.block == "residual" then shape.blocks, shape.group, shape.expansion = o.blocks, o.group, o.expansion end
  local critic, generator = nn.Critic(shape), nn.Generator(shape)
  local critics, generators = lt.optim.Adam(critic:parameters(), {}), lt.optim.Adam(generator:parameters(), {})
  local cond, x = { pooled = lt.randn(batch, 32) }, lt.randn(batch, size, size, o.channels)
  local function judge(penalised)
    local painted = lt.no_grad(generator, lt.randn(batch, 64), cond)
    local real, fake = x:detach():requires_grad_(penalised), painted:detach():requires_grad_(penalised)
    return function()
      local high, low = critic(real, cond), critic(fake, cond)
      local loss = (low - high):softplus():mean()
      if penalised then loss = loss + (penalty(high, real) + penalty(low, fake)) * 0.5 end
      critics:zero_grad()
      loss:backward()
      critics:step()
    end
  end
  return judge(false), judge(true), function()
    local loss = critic(generator(lt.randn(batch, 64), cond), cond):neg():softplus():mean()
    generators:zero_grad()
    loss:backward()
    generators:step()
  end
end

if o.profile then
  local _, penalised = steps(numbers(o.size)[1], numbers(o.batch)[1], numbers(o.width)[1])
  penalised()
  print(lt.profile(function()
    for _ = 1, 5 do penalised() end
  end))
  os.exit()
end

-- The shortest of each: other programs only ever take away.
local function shortest(...)
  local list, best = { ... }, {}
  for _ = 1, 3 do
    for i, step in ipairs(list) do
      local times = measure.times(step, o.runs)
      table.sort(times)
      best[i] = math.min(best[i] or math.huge, times[1])
    end
  end
  return table.unpack(best)
end

print "  size  batch  width     critic  with R1, R2  ratio    generator"
for _, size in ipairs(numbers(o.size)) do
  for _, batch in ipairs(numbers(o.batch)) do
    for _, width in ipairs(numbers(o.width)) do
      local plain, penalised, paint = shortest(steps(size, batch, width))
      print(("%6d %6d %6d %7.1f ms %9.1f ms %6.2f %9.1f ms"):format(size, batch, width, plain, penalised,
        penalised / plain, paint))
    end
  end
end
