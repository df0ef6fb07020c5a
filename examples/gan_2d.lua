-- A ring of 8 and a grid of 25 narrow Gaussians in the plane: what each loss of a GAN makes of them, side by side.
-- Modes that are never painted are what GANs are known for; R3GAN's loss, relativistic with R1 and R2, finds all.
--
--   lua5.4 examples/gan_2d.lua                       some minutes on two cores
--   lua5.4 examples/gan_2d.lua --seeds 5 --losses relativistic
--
-- Writes <out>/gan_2d.png and prints, of 10000 samples each, the modes that got at least a quarter of their part, and
-- the share of samples within 3 standard deviations of a mode (of the data that is 0.989).
local lt = require "laterna"
local plane = dofile((arg[0]:match "^(.*/)" or "") .. "shared/plane.lua")

local o = lt.train.arguments { steps = 16000, batch = 512, hidden = 128, lr = 2e-3, gamma = 0.3, final = 1e-3,
                               seeds = 1, sigma = 0.05, losses = "relativistic,non_saturating,hinge,wasserstein",
                               sets = "ring,grid", out = "runs/gan_2d" }

local sets = { ring = {}, grid = {} } -- the places of the modes
for i = 0, 7 do sets.ring[i + 1] = { 2 * math.cos(i * math.pi / 4), 2 * math.sin(i * math.pi / 4) } end
for i = 0, 24 do sets.grid[i + 1] = { i % 5 - 2, i // 5 - 2 } end
for name, places in pairs(sets) do sets[name] = lt.tensor(places) end

local function draw(centres, n)
  return centres:index_select(1, lt.randint(1, centres:size(1), { n })) + lt.randn(n, 2) * o.sigma
end

local Linear, hidden = lt.nn.Linear, o.hidden
-- A generator of tanh paints stairs, whose floors are the modes; leaky_relu's slopes leave more points between them.
local function leaky(x) return x:leaky_relu(0.2) end
local function mlp(inputs, outputs, bend)
  return lt.nn.Sequential(Linear(inputs, hidden), bend, Linear(hidden, hidden), bend, Linear(hidden, hidden), bend,
    Linear(hidden, outputs))
end

-- The critic sees a point as waves of four octaves too: with these it is as sharp as the modes are narrow.
local function waves(x)
  local parts = { x }
  for k = 1, 4 do
    parts[2 * k], parts[2 * k + 1] = (x * 2 ^ k):sin(), (x * 2 ^ k):cos()
  end
  return lt.cat(parts, 2)
end

-- The penalty begins strong, so that the critic's slopes lead to every mode, and falls, so that it can be sharp.
local function gamma(call) return o.gamma * (o.final / o.gamma) ^ (call / o.steps) end

local function train(name, game, seed)
  lt.manual_seed(seed)
  local centres = sets[name]
  local gan = lt.gan {
    generator = lt.nn.Residual(mlp(2, 2, lt.tanh)), detail = 2, loss = game,
    critic = lt.gan.Critic { net = lt.nn.Sequential(waves, mlp(18, 1, leaky)) },
    r1 = game ~= "wasserstein" and gamma or nil, r2 = game == "relativistic" and gamma or nil,
  }
  local adam = { betas = { 0, 0.99 }, lr = lt.optim.schedule.cosine(o.lr, o.steps, {
    warmup = math.min(50, o.steps // 10), final = 0.02 * o.lr }) }
  local og, oc = lt.optim.Adam(gan:generator_parameters(), adam), lt.optim.Adam(gan.critic:parameters(), adam)
  local ema = lt.optim.Ema(gan, 0.995)
  local run = lt.train.run { save = ("%s/%s_%s_%d"):format(o.out, name, game, seed), steps = o.steps, every = o.steps,
                             model = gan, optimizer = { generator = og, critic = oc }, ema = ema }
  for _ in run:steps() do
    run:log(oc:update(gan:critic_loss(draw(centres, o.batch))))
    run:log(og:update(gan:loss(draw(centres, o.batch))))
    ema:update()
  end
  return ema.model:sample({ n = 10000 }, { generator = lt.generator(seed) })
end

-- Points counted on squares of [-2.5,2.5]^2; grey is the square root.
local SIDE <const>, MOST <const> = 160, 16
local function counted(x)
  return (plane.counted(x, SIDE, 2.5, MOST) * (1 / MOST)):sqrt():view(SIDE, SIDE) * 2 - 1
end

local rows, columns, names = {}, { "data" }, {}
for loss in o.losses:gmatch "[%w_]+" do columns[#columns + 1] = loss end
for name in o.sets:gmatch "%w+" do
  local centres = sets[name]
  local modes = centres:size(1)
  local row = { counted(draw(centres, 10000)) }
  for i = 2, #columns do
    for seed = 1, o.seeds do
      local x = train(name, columns[i], seed)
      local covered, share = lt.metrics.modes(x, centres, 3 * o.sigma, { least = 10000 // (4 * modes) })
      print(("%s  %-15s seed %d: %2d of %d modes, %.3f within 3 sigma"):format(name, columns[i], seed, covered, modes,
        share))
      if seed == 1 then row[i] = counted(x) end
    end
  end
  rows[#rows + 1], names[#names + 1] = row, name
end
local picture = lt.grid(rows, { row_labels = names, column_labels = columns })
lt.save_png(o.out .. "/gan_2d.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/gan_2d.png")
