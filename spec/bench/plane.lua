-- A small GAN and a small flow of points of the plane, a step of each, as examples/gan_2d.lua and examples/flow_2d.lua
-- make them: hardly any arithmetic, so this measures what an operation and an optimizer cost beside it.
local lt = require "laterna"
local step = require "spec.bench.step"
local nn = lt.nn

local BATCH <const>, HIDDEN <const>, STEPS <const> = 512, 128, 16000

local function mlp(inputs, outputs, bend)
  return nn.Sequential(nn.Linear(inputs, HIDDEN), bend, nn.Linear(HIDDEN, HIDDEN), bend, nn.Linear(HIDDEN, HIDDEN),
    bend, nn.Linear(HIDDEN, outputs))
end

-- A point and its waves of four octaves, (n,18).
local function waves(x)
  local parts = { x }
  for k = 1, 4 do
    parts[2 * k], parts[2 * k + 1] = (x * 2 ^ k):sin(), (x * 2 ^ k):cos()
  end
  return lt.cat(parts, 2)
end

-- A ring of eight narrow Gaussians; relativistic loss with both penalties.
local function gan_training()
  local places = {}
  for i = 0, 7 do places[i + 1] = { 2 * math.cos(i * math.pi / 4), 2 * math.sin(i * math.pi / 4) } end
  local centres = lt.tensor(places)
  local function draw() return centres:index_select(1, lt.randint(1, 8, { BATCH })) + lt.randn(BATCH, 2) * 0.05 end
  local function gamma(call) return 0.3 * (1e-3 / 0.3) ^ (call / STEPS) end
  local gan = lt.gan {
    generator = nn.Residual(mlp(2, 2, lt.tanh)), detail = 2, loss = "relativistic", r1 = gamma, r2 = gamma,
    critic = lt.gan.Critic { net = nn.Sequential(waves, mlp(18, 1, function(x) return x:leaky_relu(0.2) end)) },
  }
  local adam = { betas = { 0, 0.99 }, lr = lt.optim.schedule.cosine(2e-3, STEPS, { warmup = 50, final = 4e-5 }) }
  local generator = lt.optim.Adam(gan:generator_parameters(), adam)
  local critic = lt.optim.Adam(gan.critic:parameters(), adam)
  local ema = lt.optim.Ema(gan, 0.995)
  local function turn(optimizer, loss)
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    return loss:item()
  end
  return function()
    local critic_loss = turn(critic, (gan:critic_loss(draw())))
    local loss = turn(generator, (gan:loss(draw())))
    ema:update()
    return critic_loss, loss
  end, gan
end

-- Two moons and a checkerboard, which the caption tells apart; splines that take turns.
local function flow_training()
  local shapes, layers = { "two moons", "checkerboard" }, {}
  for i = 1, 4 do
    layers[i] = lt.flow.layers.SplineCoupling(2, { flip = i % 2 == 0, kernel = 1, hidden = 64, depth = 2, text = 8,
      bins = 16, bound = 5 })
  end
  local flow = lt.flow { net = lt.flow.layers.Sequence(layers), size = { 2 }, drop = 0,
    text = lt.text.Encoder(shapes, { dim = 8, depth = 1, heads = 2 }) }
  local ema = lt.optim.Ema(flow, function(n) return math.min(0.99, (1 + n) / (10 + n)) end)
  local adam = lt.optim.Adam(flow:parameters(), {
    lr = lt.optim.schedule.cosine(5e-3, STEPS, { warmup = 50, final = 5e-5 }) })
  local n, captions = BATCH // 2, {}
  for i = 1, BATCH do captions[i] = shapes[i <= n and 1 or 2] end
  local function moons()
    local side, angle = lt.randint(0, 1, { n }):float(), lt.rand(n) * math.pi
    local x, y = angle:cos() + side, angle:sin() * (1 - side * 2) + side * 0.5
    return (lt.stack({ x - 0.5, y - 0.25 }, 2) + lt.randn(n, 2) * 0.08) * 2
  end
  local function checkerboard()
    local column, row = lt.randint(0, 7, { n }):float(), lt.randint(0, 3, { n }):float() * 2
    return lt.stack({ column + lt.rand(n), row + column - (column * 0.5):floor() * 2 + lt.rand(n) }, 2) - 4
  end
  return function()
    local loss = flow:loss(lt.cat { moons(), checkerboard() }, { text = captions })
    adam:zero_grad()
    loss:backward()
    lt.optim.clip_norm(flow:parameters(), 1)
    adam:step()
    ema:update()
    return loss:item()
  end, flow
end

local plane = { gan_training = gan_training, flow_training = flow_training }

--- One call makes a step of each.
function plane.workload()
  local play, gan = gan_training()
  local fit, flow = flow_training()
  return function()
    play()
    fit()
  end, step.count(gan, flow)
end

return plane
