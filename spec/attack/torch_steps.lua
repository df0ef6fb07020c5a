-- The library's side of the cases of torch_steps.py.
local core = require "laterna.core"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

local steps = {}

local function parameter(t) return t:detach():clone():requires_grad_(true) end

local function set_gradient(p, g)
  local loss = (p * g):sum()
  loss:backward()
end

-- Makes one step for each row of the gradients.
local function descend(opt, p, gradients)
  for _, row in gradients:detach():rows() do
    opt:zero_grad()
    set_gradient(p, row)
    opt:step()
  end
end

for _, name in ipairs { "SGD", "Adam", "AdamW", "RMSprop", "Lion", "Muon", "Muon.convolution" } do
  steps[name] = function(x, _, o)
    local p = parameter(x[1])
    descend(optim[name:match "^%a+"]({ p }, o), p, x[2])
    return p:detach()
  end
end

function steps.Muon_beside_AdamW(x, _, o)
  local p, q = parameter(x[1]), parameter(x[2])
  local opt = optim.Muon({ p, q }, o)
  for k = 1, x[3]:size(1) do
    opt:zero_grad()
    set_gradient(p, x[3][k]:detach())
    set_gradient(q, x[4][k]:detach())
    opt:step()
  end
  return core.cat({ p:detach():flatten(), q:detach() }, 1)
end

function steps.schedule(_, _, o)
  local rate, out = optim.schedule[o.name](table.unpack(o.arguments)), {}
  for step = 1, o.n do out[step] = rate(step) end
  return core.tensor(out)
end

function steps.ema(x, _, o)
  local layer = nn.LayerNorm(1)
  layer.weight = x[1]:detach():clone()
  local average = optim.Ema(layer, o.decay, { warmup = o.warmup })
  for _, row in x[2]:detach():rows() do
    core.no_grad(layer.weight.copy_, layer.weight, row)
    average:update()
  end
  return average.model.weight:detach()
end

function steps.clip_gradients(x, _, o)
  local p, out = {}, {}
  for k, g in ipairs(x) do
    p[k] = core.zeros(g.shape):requires_grad_(true)
    set_gradient(p[k], g:detach())
  end
  local before = optim["clip_" .. o.by](p, o.most)
  if before then out[1] = core.tensor { before } end
  for _, q in ipairs(p) do out[#out + 1] = q.grad:flatten() end
  return core.cat(out, 1)
end

function steps.training(x, _, o, _, p)
  local cin, width, cout = table.unpack(o.sizes)
  local net = nn.Sequential(nn.Conv2d(cin, width, 3, { stride = 2, padding = 1, bias = false }),
    nn.BatchNorm2d(width, { activation = "silu" }), nn.Conv2d(width, cout, 3, { padding = 1 })):load_state(p)
  local opt, losses = optim[o.which](net:parameters(), o.optimizer), {}
  opt.lr = optim.schedule.cosine(o.lr, 10)
  local average = optim.Ema(net, o.decay, { warmup = false })
  for k = 1, x[1]:size(1) do
    local log = opt:update(core.mse_loss(net(x[1][k]), x[2][k]), {}, { clip_norm = o.clip })
    average:update()
    losses[k] = log.loss
  end
  return core.tensor(losses), {
    parameters = {},
    state = function()
      local state = net:state()
      for name, t in pairs(average.model:state()) do state["ema." .. name] = t end
      return state
    end,
  }
end

local function generator(o) return { generator = core.generator(o.seed) } end

function steps.rand(_, _, o) return core.rand(o.n, generator(o)) end
function steps.randn(_, _, o) return core.randn(o.n, generator(o)) end
function steps.randperm(_, _, o) return core.randperm(o.n, generator(o)) end
function steps.randint(_, _, o) return core.randint(1, o.n, { 7 }, generator(o)) end

function steps.init(_, _, o)
  local t = core.zeros(o.shape)
  core.manual_seed(o.seed)
  if o.name:find "kaiming" or o.name:find "xavier" then return nn.init[o.name](t, o.options) end
  return nn.init[o.name](t)
end

return steps
