-- Compares the cases of one file of torch_cases.py with what the library computes, and prints how many agree.
local core = require "laterna.core"
local dkjson = require "dkjson"

core.threads(tonumber(os.getenv "THREADS"))

-- f(x, i, o, c, p): inputs, indices, options, constants, parameters by name; the output, and of layers what else is
-- compared: {parameters = {tensor, layout} by name, state = function -> what is there afterwards}.
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
for name in ("cumsum softmax log_softmax sort argsort argmax argmin flip"):gmatch "%S+" do
  ops[name] = function(x, _, o) return (core[name](x[1], o.axis)) end
end
function ops.leaky_relu(x, _, o) return core.leaky_relu(x[1], o.slope or 0.01) end
function ops.gelu_tanh(x) return core.gelu(x[1], { approximate = "tanh" }) end
function ops.clamp(x, _, o) return x[1]:clamp(table.unpack(o.bounds or { -0.5, 0.7 })) end
function ops.repeat_interleave(x, _, o) return x[1]:repeat_interleave(2, o.axis) end
function ops.permute(x, _, o) return x[1]:permute(table.unpack(o.axes)) end
function ops.cat(x, _, o) return core.cat(x, o.axis) end
function ops.gather(x, i, o) return x[1]:gather(o.axis, i[1]) end
function ops.index_select(x, i, o) return x[1]:index_select(o.axis, i[1]) end
function ops.embedding(x, i) return core.embedding(x[1], i[1]) end
function ops.narrow(x, _, o) return x[1]:narrow(o.axis, o.start, o.count) end
function ops.split(x, _, o)
  local parts = { core.split(x[1], o.sizes, o.axis) }
  for k, part in ipairs(parts) do parts[k] = part * o.weight[k] end
  return core.cat(parts, o.axis)
end
function ops.stack(x, _, o) return core.stack(x, o.axis) end
function ops.expand(x, _, o) return x[1]:expand(o.shape) end
function ops.pad(x, _, o) return core.pad(x[1], o.sides, o.value) end
function ops.where(x, _, _, c) return core.where(c[1], x[1], x[2]) end
function ops.compare(x, _, o) return core[o.name](x[1], x[2]) end
function ops.one_hot(_, i) return core.one_hot(i[1], 5) end
function ops.upsample_nearest(x, _, o) return core.upsample_nearest(x[1], o.scale) end
function ops.attention_qkv(x, _, o) return core.attention_qkv(x[1], o.heads) end
function ops.eigh(x)
  local values, vectors = core.eigh(x[1])
  return core.cat({ values, (vectors * values):matmul(vectors:transpose()):flatten() }, 1)
end
function ops.qr(x)
  local q, r = core.qr(x[1])
  return core.cat({ q:matmul(r):flatten(), q:transpose():matmul(q):flatten() }, 1)
end
function ops.lu(x)
  local p, l, u = core.lu(x[1])
  return p:matmul(l):matmul(u)
end
function ops.frechet(x) return core.tensor(core.frechet(x[1], x[2])):view {} end
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
-- left of larger ones. each: of every number by itself, where infinities are to be equal, and so are the two NaN.
local function distance(got, right, each)
  if table.concat(got.shape, ",") ~= table.concat(right.shape, ",") then return 1 / 0 end
  if right:numel() == 0 then return 0 end
  got = got:float()
  if each then
    local same = core.maximum(got:eq(right), got:ne(got) * right:ne(right))
    local off = (got - right):abs() / core.maximum(right:abs(), 1)
    local far = core.where(same, 0, off):max():item()
    return far ~= far and 1 / 0 or far
  end
  local most = right:abs():max():item()
  local far = (got - right):abs():max():item()
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
local function compare_named(right, got, tolerance, words, each)
  for name, t in pairs(right) do
    if not got[name] then return ("%s %s is missing"):format(words, name) end
    local off = distance(got[name], t, each)
    if off > tolerance then return ("%s %s is off by %.3g"):format(words, name, off) end
  end
end

-- The leaves of a case: its inputs, named by their numbers, and the parameters, each as {tensor, layout}.
local function leaves_of(inputs, more)
  local leaves = {}
  for k, t in ipairs(inputs) do leaves[tostring(k)] = { tensor = t } end
  for name, entry in pairs(more and more.parameters or {}) do leaves[name] = entry end
  return leaves
end

-- In the order of axes that the case has.
local function arranged(t, leaf) return leaf.layout and t:permute(table.unpack(leaf.layout)) or t end

local function first_gradients(leaves)
  local out = {}
  for name, leaf in pairs(leaves) do
    local grad = leaf.tensor.grad
    out[name] = arranged(grad or core.zeros(leaf.tensor.shape), leaf)
  end
  return out
end

-- The derivative of the sum of all gradients, each times its v.
local function second_gradients(y, g, leaves, v)
  local names, tensors_of = {}, {}
  for name, leaf in pairs(leaves) do
    names[#names + 1], tensors_of[#names + 1] = name, leaf.tensor
  end
  local total = core.zeros(1)
  local first = y.requires_grad and core.grad(y, tensors_of, { grad_output = g, create_graph = true }) or {}
  for i, grad in ipairs(first) do
    local direction = v[names[i]]
    if grad and direction then total = total + (arranged(grad, leaves[names[i]]) * direction):sum() end
  end
  local out = {}
  local grads = total.requires_grad and core.grad(total, tensors_of, { retain_graph = true }) or {}
  for i, name in ipairs(names) do
    out[name] = arranged(grads[i] or core.zeros(tensors_of[i].shape), leaves[name])
  end
  return out
end

-- What is right for the first gradients, by the names of leaves.
local function right_gradients(n)
  local right = named(n, "q")
  for k, t in ipairs(list(n, "d")) do right[tostring(k)] = t end
  return right
end

local function compare_gradients(n, case, y, g, leaves)
  local v, fault = named(n, "v"), nil
  if next(v) then -- sums of terms that cancel: five times the tolerance
    local second = second_gradients(y, g, leaves, v)
    fault = compare_named(named(n, "s"), second, 5 * case.tolerance, "the second gradient of", case.each)
  end
  if y.requires_grad then y:backward(g) end
  local first = first_gradients(leaves)
  return fault or compare_named(right_gradients(n), first, case.tolerance, "the gradient of", case.each)
end

-- Runs one case; returns the words for what is off, or nil.
local function run(n, case)
  local x, inputs = list(n, "x"), {}
  local g, right = tensors[n .. ".g"], tensors[n .. ".y"]
  for k, t in ipairs(x) do inputs[k] = g and t:requires_grad_(true) or t end
  local y, more = ops[case.op:gsub("^hostile%.", "")](x, list(n, "i"), case.options, list(n, "c"), named(n, "p"))
  local off = distance(y:detach(), right, case.each)
  if off > case.tolerance then return ("output is off by %.3g"):format(off) end
  local fault = g and compare_gradients(n, case, y, g, leaves_of(inputs, more))
  return fault or more and compare_named(named(n, "b"), more.state(), case.tolerance, "afterwards")
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
