-- How time grows with batch, pixels, width and depth, and what one small operation costs from Lua.
local lt = require "laterna"
local dit = require "spec.bench.dit"
local json = require "dkjson"
local measure = require "spec.bench.measure"
local step = require "spec.bench.step"
local unet = require "spec.bench.unet"
local work = require "spec.bench.work"

local scale = {}

local function print_row(o, row, text)
  print(o.json and json.encode(row) or text)
  io.stdout:flush()
end

-- One direction of growth: its name, what is counted, the sizes, and the training step of a size, with the number of
-- units that it works on. The sums in the middle of the U-Net grow with the square of the pixels; they are few.
local function denoiser(batch, size, width)
  return step.denoiser(unet.UNet(1, width), { batch, size, size, 1 })
end

local directions = {
  { name = "batch", unit = "ns a pixel", sizes = { 8, 16, 32, 64, 128 }, step = function(n)
    return denoiser(n, 32, 32), n * 32 * 32 * 1e-6
  end },
  { name = "side", unit = "ns a pixel", sizes = { 16, 32, 64 }, step = function(size)
    return denoiser(16, size, 32), 16 * size * size * 1e-6
  end },
  { name = "width", unit = "ps a multiply-add", sizes = { 32, 64, 128 }, step = function(width)
    return denoiser(8, 32, width), work.multiply_adds.denoiser(8, 32, width) * 1e-9
  end },
  { name = "depth", unit = "ps a multiply-add", sizes = { 2, 4, 8, 16 }, step = function(depth)
    return dit(16, 192, depth, 3, 64, 16)(), work.multiply_adds.dit(16, 192, depth, 64, 16) * 1e-9
  end },
}

-- Batch, side and width of the U-Net and depth of the transformer, one at a time: the time a unit, of pixels and of
-- multiply-adds, would stay the same if nothing but work grew. The shortest of the runs counts, for other programs only
-- ever take away; on one thread it is the process's own time. o: runs, threads, json, out (a folder: growth.png goes
-- there, each direction's time a unit beside that of its first size), only (one of the directions, or "").
function scale.sizes(o)
  local curves = {}
  for _, d in ipairs(directions) do
    local curve = { x = {}, y = {}, label = ("%s %d to %d"):format(d.name, d.sizes[1], d.sizes[#d.sizes]) }
    local first
    for _, size in ipairs(o.only == "" and d.sizes or o.only == d.name and d.sizes or {}) do
      lt.manual_seed(0)
      local train, units = d.step(size)
      local times = measure.times(train, o.runs, o.threads == 1 and os.clock or nil)
      table.sort(times)
      local ms, each = times[1], times[1] / units
      first = first or each
      table.insert(curve.x, math.log(size / d.sizes[1], 2))
      table.insert(curve.y, each / first)
      print_row(o, { direction = d.name, size = size, ms = ms, each = each, unit = d.unit },
        ("%-5s %3d: %8.1f ms, %6.1f %s, %.2f of the first"):format(d.name, size, ms, each, d.unit, each / first))
      collectgarbage()
    end
    if first then curves[#curves + 1] = curve end
  end
  if o.out ~= "" then
    lt.plot.save(o.out .. "/growth.png", curves, { xlabel = "times doubled", ylabel = "time a unit beside the first",
      ylim = { 0, 1.5 } })
  end
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
