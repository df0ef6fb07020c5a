-- make bench-quality: how good a diffusion model of Fashion-MNIST is after so many minutes of training, here and in
-- PyTorch. Both sides train the U-Net of unet.lua from the same weights with the same pictures, times and noise in the
-- same order, and differ by what a step costs alone. Each has one core, in a process of its own beside the other, and
-- its minutes are those of its own process: what else runs on the machine takes none. At some minutes the moving
-- average of the weights is kept. All of them then paint here, from the same noise; the judge is a classifier's
-- features, and the Frechet distance to the test pictures is printed and drawn over the minutes.
--
--   make bench-quality QUALITY_ARGS="--minutes 8 --python /opt/torch/bin/python"
--   make bench-quality QUALITY_ARGS="--only judge"       looks again at what was trained before
--
-- Recipe: v-prediction, alpha = cos(pi t / 2), sigma = sin(pi t / 2), t uniform; batch 32, AdamW 1e-3 with 100 steps of
-- warm-up; averages of decay 0.999, warmed up.
local lt = require "laterna"
local command = require "spec.bench.command"
local json = require "dkjson"
local peer = require "spec.bench.peer"
local UNet = require "spec.bench.unet".UNet
local judges = dofile "examples/shared/judges.lua"

local o = lt.train.arguments {
  minutes = 8.0, marks = "0.5,1,2,4,8,15,30", seed = 1, samples = 500, sampling_steps = 10, mode = "fp32-cl",
  python = "python3,/usr/bin/python3", out = "runs/quality", side = "", only = "",
}
local BATCH <const>, WARMUP <const>, LR <const> = 32, 100, 1e-3

local marks = {}
for mark in o.marks:gmatch "[^,]+" do
  if tonumber(mark) < o.minutes then marks[#marks + 1] = tonumber(mark) end
end
marks[#marks + 1] = o.minutes

local function file(side, mark) return ("%s/%s-%g.safetensors"):format(o.out, side, mark) end

local function angles(t)
  local a = (t * (math.pi / 2)):view(-1, 1, 1, 1)
  return a:cos(), a:sin()
end

local function train()
  lt.threads(1)
  local images, net = lt.data.fashion_mnist("train").images, UNet(1, 32)
  net:load_state((lt.load(o.out .. "/start.safetensors")))
  local count, spent, at = 0, 0, 1
  local opt = lt.optim.AdamW(net:parameters(), { weight_decay = 0.01,
    lr = function(step) return LR * math.min(1, step / WARMUP) end })
  local ema = lt.optim.Ema(net, 0.999)
  lt.manual_seed(o.seed)
  while marks[at] do
    local began = os.clock()
    count = count + 1
    local rows = (lt.rand(BATCH) * #images):floor() + 1
    local t, eps = lt.rand(BATCH), lt.randn(BATCH, 28, 28, 1)
    local x = lt.pictures.from_bytes(images:index_select(1, rows:int()))
    local alpha, sigma = angles(t)
    local loss = lt.mse_loss(net(x * alpha + eps * sigma, t * 1000), eps * alpha - x * sigma)
    opt:zero_grad()
    loss:backward()
    opt:step()
    ema:update()
    local value = loss:item()
    spent = spent + os.clock() - began
    local done = spent >= marks[at] * 60 or nil
    if count <= 3 or done then
      print(json.encode { side = "laterna", step = count, minutes = spent / 60, loss = value,
                          mark = done and marks[at] })
      io.stdout:flush()
    end
    if done then
      lt.save(file("laterna", marks[at]), ema.model:state())
      at = at + 1
    end
  end
end

-- DDIM (eta 0) from the same noise, as bytes.
local function paint(net)
  local parts, generator = {}, lt.generator(o.seed)
  lt.no_grad(function()
    for first = 1, o.samples, 50 do
      local n = math.min(50, o.samples - first + 1)
      local x = lt.randn({ n, 28, 28, 1 }, { generator = generator })
      for i = o.sampling_steps, 1, -1 do
        local t, to = lt.full({ n }, i / o.sampling_steps), lt.full({ n }, (i - 1) / o.sampling_steps)
        local alpha, sigma = angles(t)
        local v = net(x, t * 1000)
        local x0, eps = (x * alpha - v * sigma):clamp(-1, 1), x * sigma + v * alpha
        alpha, sigma = angles(to)
        x = x0 * alpha + eps * sigma
      end
      parts[#parts + 1] = lt.pictures.to_bytes(x:clamp(-1, 1))
    end
  end)
  return lt.cat(parts)
end

local function idx_file()
  local home = os.getenv "LATERNA_DATA"
  for _, folder in ipairs { home and home .. "/fashion-mnist" or "", "/usr/share/datasets/fashion-mnist" } do
    for _, ending in ipairs { ".gz", "" } do
      local path = folder .. "/train-images-idx3-ubyte" .. ending
      local f = io.open(path, "rb")
      if f then
        f:close()
        return path
      end
    end
  end
end

-- Both sides at once: their lines of JSON, when both have ended.
local function train_both(python)
  lt.manual_seed(o.seed)
  lt.save(o.out .. "/start.safetensors", UNet(1, 32):state())
  local lua = arg[-1]
  for i = -1, -20, -1 do lua = arg[i] or lua end
  local ours = ("%s %s --side laterna --minutes %g --marks %s --seed %d --out %s"):format(lua, arg[0], o.minutes,
    o.marks, o.seed, command.quote(o.out))
  local theirs = ("OMP_NUM_THREADS=1 %s spec/bench/torch_quality.py %s %g %d %s %s %s"):format(command.quote(python),
    command.quote(o.out), o.minutes, o.seed, o.mode, table.concat(marks, ","), command.quote(idx_file()))
  local log = command.quote(o.out .. "/log")
  return command.objects(("(%s & %s & wait) 2>%s.errors | tee %s"):format(ours, theirs, log, log))
end

local function judged(lines)
  local judge, _, test = judges.fashion { seed = 1, epochs = 1, keep = o.out .. "/judge.safetensors", quiet = true }
  local real, net, curves = judge:features(test.images), UNet(1, 32), {}
  for _, line in ipairs(lines) do
    if line.mark then
      local name = line.side == "torch" and "PyTorch" or line.side
      net:load_state((lt.load(file(line.side, line.mark))))
      local distance = lt.metrics.frechet(judge:features(paint(net)), real)
      print(("%-8s %5.1f minutes, %5d steps, loss %.4f: Frechet distance %.3f"):format(name, line.minutes, line.step,
        line.loss, distance))
      io.stdout:flush()
      local curve = curves[name] or { x = {}, y = {}, label = name }
      curves[name] = curve
      table.insert(curve.x, line.minutes)
      table.insert(curve.y, distance)
    else
      print(("%-8s step %d: loss %.6f"):format(line.side, line.step, line.loss))
    end
  end
  return { curves.laterna, curves.PyTorch }
end

if o.side == "laterna" then
  train()
  os.exit()
end
os.execute("mkdir -p " .. command.quote(o.out))
local lines = {}
if o.only == "judge" then
  for line in io.lines(o.out .. "/log") do lines[#lines + 1] = json.decode(line) end
else
  local found = peer.find(o.python, "torch")[1]
  assert(found, "no python3 here has torch; name one with --python")
  lines = train_both(found.path)
end
lt.plot.save(o.out .. "/quality.png", judged(lines), { xlabel = "minutes on one core", ylabel = "Frechet distance",
  logy = true, title = "Fashion-MNIST, the same net, pictures and noise" })
print("wrote " .. o.out .. "/quality.png")
