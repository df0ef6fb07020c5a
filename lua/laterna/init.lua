--- laterna: train and sample generative image models, on the machine that you have.
-- This table holds what a user may use, and nothing else: tensors and their operations, from the native core, and the
-- parts below, which are loaded when they are first used. What only the library needs stays in laterna.core.
-- @module laterna
local core = require "laterna.core"
local spelling = require "laterna.spelling"

local PUBLIC = [[
  tensor zeros ones full zeros_like ones_like eye arange linspace one_hot from_string
  rand randn randint randperm dropout generator default_generator manual_seed

  view reshape flatten squeeze unsqueeze expand transpose permute narrow chunk split flip cat stack pad
  where gather index_select repeat_interleave sort argsort

  add sub mul div pow neg abs sign reciprocal square sqrt rsqrt exp log log1p sin cos tanh erf floor round
  clamp minimum maximum addcmul eq ne lt le gt ge matmul
  sum mean var std prod min max argmin argmax norm cumsum softmax log_softmax
  lu qr solve inverse logdet eigh

  linear embedding conv2d conv_transpose2d avg_pool2d max_pool2d upsample_nearest resize_bilinear attention
  batch_norm group_norm layer_norm rms_norm relu leaky_relu silu gelu sigmoid softplus
  mse_loss l1_loss huber_loss cross_entropy bce_with_logits gaussian_nll kl_normal

  grad no_grad grad_enabled set_grad_enabled record_function
  load_picture decode_picture load_png save_png decode_png encode_png fit_picture
  info memory threads precision convolution clock
]]

local lt = {}
for name in PUBLIC:gmatch "%S+" do lt[name] = assert(core[name], name) end

local autograd = require "laterna.autograd"
lt.autograd_function, lt.recompute = autograd.autograd_function, autograd.recompute
lt.checkpoint = autograd.recompute -- its name before

local parts = {
  nn = "laterna.nn", optim = "laterna.optim", train = "laterna.train",
  data = "laterna.data", text = "laterna.text",
  edit = "laterna.edit", profile = "laterna.profile", autograd = "laterna.autograd",
  show = "laterna.show", grid = "laterna.show.grid", plot = "laterna.show.plot", progress = "laterna.show.progress",
  pictures = "laterna.pictures", condition = "laterna.condition",
  schedule = "laterna.schedule", prediction = "laterna.prediction", samplers = "laterna.samplers",
  diffusion = "laterna.diffusion", metrics = "laterna.metrics",
  flow = "laterna.flow", gan = "laterna.gan",
  likelihood = "laterna.likelihood", prior = "laterna.prior", vae = "laterna.vae", autoencoder = "laterna.autoencoder",
}

-- Files of tensors and of models: functions of laterna.model, which is loaded when one of them is first used.
local of_model = { save = true, load = true, save_model = true, open = true, inspect = true }

-- Where a name is that somebody looked for in another place: "lt.nn.UNet" for lt.UNet, "lt.relu" for lt.nn.relu.
local function elsewhere(name)
  if rawget(lt, name) ~= nil then return "lt." .. name end
  local names = {}
  for part in next, parts do names[#names + 1] = part end
  table.sort(names)
  for _, part in ipairs(names) do
    if type(lt[part]) == "table" and rawget(lt[part], name) ~= nil then return ("lt.%s.%s"):format(part, name) end
  end
end

local function find(name)
  local part
  if of_model[name] then
    part = require("laterna.model")[name]
  elseif parts[name] then
    part = require("laterna.model.names").publish(name, require(parts[name]))
    part = spelling.part("lt." .. name, part, elsewhere)
  end
  rawset(lt, name, part)
  return part
end

setmetatable(lt, {
  -- All names, those of parts that nobody has used yet too.
  __pairs = function(all)
    for name in next, parts do assert(all[name]) end
    for name in next, of_model do assert(all[name]) end
    return next, all
  end,
})

return spelling.names("lt", lt, find, elsewhere)
