-- Does bfloat16 harm training? The bench's U-Net learns to remove noise from Fashion-MNIST twice, from the same
-- weights with the same pictures and the same noise, in float32 and with the inputs of all products rounded; the mean
-- losses of the last steps stand side by side.
--
--   lua5.4 spec/bench/precision.lua --steps 1000
local lt = require "laterna"
local UNet = require "spec.bench.unet".UNet

local o = lt.train.arguments { steps = 1000, last = 100, batch = 32, width = 32, seed = 0, lr = 1e-3 }

-- x = alpha x0 + sigma eps with the cosine schedule, t uniform; the network says eps.
local function train(precision, pictures)
  lt.precision(precision)
  lt.manual_seed(o.seed)
  local model = UNet(1, o.width)
  local optimizer = lt.optim.AdamW(model:parameters(), { lr = o.lr })
  local batches = pictures:batches(o.batch, { seed = o.seed })
  local sum, count, start = 0, 0, lt.clock()
  for i = 1, o.steps do
    local x = batches:next().x
    local t, eps = lt.rand(x:size(1)), lt.randn(x.shape)
    local angle = (t * (math.pi / 2)):view(-1, 1, 1, 1)
    local loss = lt.mse_loss(model(x * angle:cos() + eps * angle:sin(), t * 1000), eps)
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    if i > o.steps - o.last then sum, count = sum + loss:item(), count + 1 end
  end
  local mean = sum / count
  print(("%-8s loss %.5f, mean of the last %d of %d steps; %.1f ms a step"):format(precision, mean, count, o.steps,
    1e3 * (lt.clock() - start) / o.steps))
  return mean
end

local pictures = lt.data.fashion_mnist "train"
local full = train("float32", pictures)
print(("rounded / float32: %.4f"):format(train("rounded", pictures) / full))
