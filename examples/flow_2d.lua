-- A flow between two shapes in the plane and a round Gaussian: the density that it learned beside the points that it
-- draws, and beside the real points. The caption says which shape, so one flow holds both.
--
--   lua5.4 examples/flow_2d.lua                      a minute on two cores
--   lua5.4 examples/flow_2d.lua --coupling AffineCoupling --layers 12       squares are hard to make of those
--
-- Writes <out>/flow_2d.png and prints how many nats a point costs; of the checkerboard the least is log 32 = 3.466.
local lt = require "laterna"
local plane = dofile((arg[0]:match "^(.*/)" or "") .. "shared/plane.lua")

local o = lt.train.arguments { steps = 2500, batch = 512, coupling = "SplineCoupling", hidden = 64, layers = 4,
                               lr = 5e-3, seed = 1, out = "runs/flow_2d" }

lt.manual_seed(o.seed)
local shapes = { "two moons", "checkerboard" }

local draw = {
  ["two moons"] = function(n)
    local side = lt.randint(0, 1, { n }):float()
    local angle = lt.rand(n) * math.pi
    local x = angle:cos() + side
    local y = angle:sin() * (1 - side * 2) + side * 0.5
    return (lt.stack({ x - 0.5, y - 0.25 }, 2) + lt.randn(n, 2) * 0.08) * 2
  end,
  checkerboard = function(n) -- of the 64 squares of [-4,4]^2, the 32 black ones
    local column, row = lt.randint(0, 7, { n }):float(), lt.randint(0, 3, { n }):float() * 2
    return lt.stack({ column + lt.rand(n), row + column - (column * 0.5):floor() * 2 + lt.rand(n) }, 2) - 4
  end,
}

-- Each layer bends one coordinate, as the other and the caption say; they take turns.
local layers, spline = {}, o.coupling == "SplineCoupling"
for i = 1, o.layers do
  layers[i] = lt.flow.layers[o.coupling](2, { flip = i % 2 == 0, kernel = 1, hidden = o.hidden, depth = 2, text = 8,
    bins = spline and 16 or nil, bound = spline and 5 or nil })
end
local flow = lt.flow {
  net = lt.flow.layers.Sequence(layers), size = { 2 }, drop = 0,
  text = lt.text.Encoder(shapes, { dim = 8, depth = 1, heads = 2 }),
}
local ema = lt.optim.Ema(flow, 0.99)
local opt = lt.optim.Adam(flow:parameters(), {
  lr = lt.optim.schedule.cosine(o.lr, o.steps, { warmup = math.min(50, o.steps // 10), final = 0.01 * o.lr }) })

local run = lt.train.run { save = o.out, steps = o.steps, model = flow, optimizer = opt, ema = ema }
for _ in run:steps() do
  local x, n = {}, o.batch // #shapes
  for i, shape in ipairs(shapes) do x[i] = draw[shape](n) end
  local loss, log = flow:loss(lt.cat(x), { text = lt.text.repeated(shapes, n) })
  run:log(opt:update(loss, log, { clip_norm = 1 }))
  ema:update()
end

-- The square [-4.5,4.5]^2 as side x side points, and points counted on it; grey is the square root of the density.
local side, edge = 96, 4.5
local line = (lt.arange(0, side - 1) + 0.5) * (2 * edge / side) - edge
local across, down = lt.repeat_interleave(line:view(1, side), side, 1), -line:view(side, 1):expand(side, side)
local points = lt.stack({ across, down }, 3)

local function grey(d) return (d * (1 / d:max():item())):sqrt():view(side, side) * 2 - 1 end

local function counted(x) return grey(plane.counted(x, side, edge, 8)) end

local rows, repeated = {}, lt.text.repeated
for i, shape in ipairs(shapes) do
  local density = ema.model:log_prob(points:view(-1, 2), { text = repeated(shape, side * side) }):exp()
  rows[i] = { counted(draw[shape](20000)), grey(density),
              counted(ema.model:sample({ text = repeated(shape, 20000) }, { seed = 1 })) }
  local nats = -ema.model:log_prob(draw[shape](10000), { text = repeated(shape, 10000) }):mean():item()
  print(("%-14s %.3f nats a point; the density adds up to %.3f on the picture"):format(shape, nats,
    density:sum():item() * (2 * edge / side) ^ 2))
end
local picture = lt.grid(rows, { row_labels = shapes, column_labels = { "points", "density", "samples" }, scale = 2 })
lt.save_png(o.out .. "/flow_2d.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/flow_2d.png")
