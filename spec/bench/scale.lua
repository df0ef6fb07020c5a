-- How time grows with the batch and with the pixels, and what one small operation costs from Lua.
local lt = require "laterna"
local json = require "dkjson"
local measure = require "spec.bench.measure"
local step = require "spec.bench.step"
local unet = require "spec.bench.unet"

local scale = {}

local function print_row(o, row, text)
  print(o.json and json.encode(row) or text)
  io.stdout:flush()
end

local function row(o, batch, size)
  lt.manual_seed(0)
  local train = step.denoiser(unet.UNet(1, 32), { batch, size, size, 1 })
  local ms = measure.median(measure.times(train, o.runs))
  local each = 1e6 * ms / (batch * size * size)
  print_row(o, { workload = "unet32", batch = batch, pixels = size, ms = ms, ns_a_pixel = each },
    ("unet32, %2d pictures of %2d x %2d: %8.1f ms, %6.0f ns a pixel"):format(batch, size, size, ms, each))
end

-- The training step of the U-Net of width 32: time over batch x pixels stays the same, but for the attention in the
-- middle, which grows with the square of the pixels.
function scale.sizes(o)
  for _, batch in ipairs { 8, 16, 32, 64 } do row(o, batch, 32) end
  for _, size in ipairs { 16, 32, 64 } do row(o, 16, size) end
end

-- Additions of 4 numbers that are recorded for backward, in microseconds each, collector included.
function scale.overhead(o)
  local a, b, n = lt.rand(4):requires_grad_(), lt.rand(4), 100000
  local times = measure.times(function()
    for _ = 1, n do local _ = a + b end
  end, 11)
  local us = 1e3 * measure.median(times) / n
  print_row(o, { workload = "add of 4 with grad", us = us }, ("an addition of 4 numbers with grad: %.3f us"):format(us))
end

return scale
