-- Compares the cases of one file of torch_cases.py with what the library computes, and prints how many agree.
local core = require "laterna.core"
local dkjson = require "dkjson"

core.threads(tonumber(os.getenv "THREADS"))

-- f(x, i, o, c, p): inputs, indices, options, constants, parameters by name; the output, and of layers what else is
-- compared: {gradients = function -> gradients of parameters by name, state = function -> what is there afterwards}.
local ops = {}

for name in ("exp square sin cos tanh sigmoid erf neg silu softplus gelu log log1p sqrt rsqrt reciprocal abs sign "
  .. "floor relu add sub mul div pow maximum minimum addcmul matmul linear solve inverse"):gmatch "%S+" do
  ops[name] = function(x) return core[name](table.unpack(x)) end
end
for name in ("mse_loss l1_loss bce_with_logits gaussian_nll kl_normal"):gmatch "%S+" do
  ops[name] = function(x, _, o)
    x[#x + 1] = { reduction = o.reduction }
    return core[name](table.unpack(x))
  end
end
for name in ("sum mean max min norm prod"):gmatch "%S+" do
  ops[name] = function(x, _, o) return (core[name](x[1], o.axes, { keepdim = o.keepdim })) end
end
for name in ("var std"):gmatch "%S+" do
  ops[name] = function(x, _, o) return core[name](x[1], o.axes, { keepdim = o.keepdim, correction = 0 }) end
end
for name in ("cumsum softmax log_softmax sort argsort argmax flip"):gmatch "%S+" do
  ops[name] = function(x, _, o) return (core[name](x[1], o.axis)) end
end
function ops.leaky_relu(x, _, o) return core.leaky_relu(x[1], o.slope) end
function ops.gelu_tanh(x) return core.gelu(x[1], { approximate = "tanh" }) end
function ops.clamp(x) return x[1]:clamp(-0.5, 0.7) end
function ops.repeat_interleave(x, _, o) return x[1]:repeat_interleave(2, o.axis) end
function ops.permute(x, _, o) return x[1]:permute(table.unpack(o.axes)) end
function ops.cat(x, _, o) return core.cat(x, o.axis) end
function ops.gather(x, i, o) return x[1]:gather(o.axis, i[1]) end
function ops.index_select(x, i, o) return x[1]:index_select(o.axis, i[1]) end
function ops.embedding(x, i) return core.embedding(x[1], i[1]) end
function ops.conv2d(x, _, o) return core.conv2d(x[1], x[2], x[3], o) end
function ops.conv_transpose2d(x, _, o) return core.conv_transpose2d(x[1], x[2], x[3], o) end
function ops.max_pool2d(x, _, o) return core.max_pool2d(x[1], o.k, { stride = o.stride, padding = o.padding }) end
function ops.avg_pool2d(x, _, o) return core.avg_pool2d(x[1], o.k, { stride = o.stride, padding = o.padding }) end
function ops.resize_bilinear(x, _, o) return core.resize_bilinear(x[1], o.size) end
function ops.attention(x, _, _, c) return core.attention(x[1], x[2], x[3], { mask = c[1] }) end
function ops.group_norm(x, _, o) return core.group_norm(x[1], o.groups, x[2], x[3]) end
function ops.layer_norm(x) return core.layer_norm(x[1], x[2], x[3]) end
function ops.rms_norm(x) return core.rms_norm(x[1], x[2], { eps = 1e-5 }) end
function ops.batch_norm(x, _, o, c)
  local y = core.batch_norm(x[1], x[2], x[3], c[1], c[2], { training = o.training }):flatten()
  return o.training and core.cat({ y, c[1], c[2] }, 1) or y
end
function ops.huber_loss(x, _, o) return core.huber_loss(x[1], x[2], { delta = 0.7, reduction = o.reduction }) end
function ops.cross_entropy(x, i, o) return core.cross_entropy(x[1], i[1], { reduction = o.reduction }) end
function ops.logdet(x) return (x[1]:logdet()) end

for _, file in ipairs { "layers", "steps" } do
  for name, f in pairs(require("spec.attack.torch_" .. file)) do ops[name] = f end
end

-- The largest difference, as a part of the largest number that is right. Where all of those are small they are what is
-- left of larger ones.
local function distance(got, right)
  if table.concat(got.shape, ",") ~= table.concat(right.shape, ",") then return 1 / 0 end
  if right:numel() == 0 then return 0 end
  local most = right:abs():max():item()
  local far = (got:float() - right):abs():max():item()
  return far ~= far and 1 / 0 or far / math.max(most, 0.05)
end

local tensors, metadata = core.load_safetensors(arg[1])
local cases = dkjson.decode(metadata.cases)
local agree, differ = 0, 0

local function list(n, letter)
  local out = {}
  while tensors[("%d.%s%d"):format(n, letter, #out + 1)] do
    out[#out + 1] = tensors[("%d.%s%d"):format(n, letter, #out + 1)]
  end
  return out
end

-- Tensors by name: those of "N.p:NAME", say.
local function named(n, letter)
  local out, start = {}, ("%d.%s:"):format(n, letter)
  for name, t in pairs(tensors) do
    if name:sub(1, #start) == start then out[name:sub(#start + 1)] = t end
  end
  return out
end

-- Words for the first tensor by name that is off, or nil.
local function compare_named(right, got, tolerance, words)
  for name, t in pairs(right) do
    if not got[name] then return ("%s %s is missing"):format(words, name) end
    local off = distance(got[name], t)
    if off > tolerance then return ("%s %s is off by %.3g"):format(words, name, off) end
  end
end

-- Runs one case; returns the words for what is off, or nil.
local function run(n, case)
  local x, inputs = list(n, "x"), {}
  local g = tensors[n .. ".g"]
  for k, t in ipairs(x) do inputs[k] = g and t:requires_grad_(true) or t end
  local y, more = ops[case.op](x, list(n, "i"), case.options, list(n, "c"), named(n, "p"))
  local right = tensors[n .. ".y"]
  local off = distance(y:detach(), right)
  if off > case.tolerance then return ("output is off by %.3g"):format(off) end
  if more and g and not y.requires_grad then return "no gradient flows" end
  if g and y.requires_grad then y:backward(g) end
  for k, t in ipairs(g and y.requires_grad and list(n, "d") or {}) do
    off = distance(inputs[k].grad or core.zeros(t.shape), t)
    if off > case.tolerance then return ("gradient %d is off by %.3g"):format(k, off) end
  end
  if not more then return end
  return compare_named(named(n, "q"), more.gradients(), case.tolerance, "the gradient of")
    or compare_named(named(n, "b"), more.state(), case.tolerance, "afterwards")
end

for n, case in ipairs(cases) do
  local ok, what = pcall(run, n, case)
  if ok and not what then
    agree = agree + 1
  else
    differ = differ + 1
    print(("differs %s (case %d, %s): %s"):format(case.op, n, dkjson.encode(case.options), what))
  end
end

-- Dropout, by numbers that no seed changes much.
local good, words = require "spec.attack.torch_dropout" (math.tointeger(arg[2]))
agree = agree + good
for _, what in ipairs(words) do
  differ = differ + 1
  print("differs " .. what)
end

print(agree .. " agree")
os.exit(true)
