-- What a sampler costs beyond the network: milliseconds a network call with a network that answers at once, 16 pictures
-- of 32 x 32 x 3, each with a generator of its own, guesses clipped; beside one call of the bench's U-Net of width 32.
--
--   lua5.4 spec/bench/samplers.lua
local lt = require "laterna"
local UNet = require "spec.bench.unet".UNet

local STEPS, RUNS, BATCH = 50, 9, 16
local schedule = lt.schedule.cosine()

local function median(f)
  local times = {}
  for i = 1, RUNS do
    local start = lt.clock()
    f()
    times[i] = 1e3 * (lt.clock() - start)
  end
  table.sort(times)
  return times[RUNS // 2 + 1]
end

lt.no_grad(function()
  local x, said = lt.randn(BATCH, 32, 32, 3), lt.randn(BATCH, 32, 32, 3)
  local net, t = UNet(3, 32), lt.full({ BATCH }, 0.5)
  net(x, t)
  local call = median(function() net(x, t) end)
  print(("one call of the U-Net: %.2f ms"):format(call))
  local generators = {}
  for i = 1, BATCH do generators[i] = lt.generator(i) end
  for _, name in ipairs { "ddpm", "ddim", "euler_ancestral", "heun", "dpm2", "dpmpp_2s_ancestral", "dpmpp_2m",
    "dpmpp_2m_sde", "dpmpp_sde", "unipc", "lms", "lcm" } do
    local calls
    local all = median(function()
      local s = lt.samplers[name](schedule, STEPS, { predict = "v", noise = generators, clip = true })
      calls = s.calls
      lt.samplers.drive(s, x, function() return said end)
    end)
    print(("%-20s %.4f ms a call, %.2f %%"):format(name, all / calls, 100 * all / calls / call))
  end
end)
