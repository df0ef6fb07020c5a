-- Pictures come as bytes, and everything that computes wants floats: whoever forgets to convert them is told by the
-- function that they called, and how it is done.
local lt = require "laterna"
local models = require "spec.support.models"

local HOW = "lt.pictures.from_bytes"

local function bytes(...) return lt.zeros({ ... }, { dtype = "uint8" }) end

local function said(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

local function blames(name, message)
  assert(message:find("'" .. name .. "'", 1, true), message .. "\n  does not blame " .. name)
  assert(message:find("got uint8", 1, true), message)
  assert(message:find(HOW, 1, true), message .. "\n  does not say how")
end

describe("bytes where floats are wanted", function()
  local x, b = lt.ones(2, 3), bytes(2, 3)

  for _, name in ipairs { "mse_loss", "l1_loss", "huber_loss", "bce_with_logits", "kl_normal" } do
    it("are blamed on the loss: " .. name, function()
      blames(name, said(lt[name], x, b))
      blames(name, said(lt[name], b, x))
      blames(name, said(lt[name], x, bytes(1, 3)))
    end)
  end

  it("are blamed on the other losses", function()
    blames("gaussian_nll", said(lt.gaussian_nll, b, x, x))
    blames("gaussian_nll", said(lt.gaussian_nll, x, b, x))
    blames("gaussian_nll", said(lt.gaussian_nll, x, x, b))
    blames("cross_entropy", said(lt.cross_entropy, b, bytes(2)))
    assert.matches("target: expected int32 classes or float32 probabilities, got uint8; x:int%(%)",
      said(lt.cross_entropy, x, bytes(2)))
  end)

  local layers = {
    conv2d = lt.nn.Conv2d(1, 2, 3), conv_transpose2d = lt.nn.ConvTranspose2d(1, 2, 3), linear = lt.nn.Linear(1, 2),
    group_norm = lt.nn.GroupNorm(1, 1), layer_norm = lt.nn.LayerNorm(1), rms_norm = lt.nn.RMSNorm(1),
    batch_norm = lt.nn.BatchNorm2d(1), avg_pool2d = lt.nn.AvgPool2d(2), max_pool2d = lt.nn.MaxPool2d(2),
    upsample_nearest = lt.nn.Upsample(), dropout = lt.nn.Dropout(0.5),
  }
  for name, layer in pairs(layers) do
    it("are blamed on the layer's function: " .. name, function() blames(name, said(layer, bytes(2, 4, 4, 1))) end)
  end

  for name in pairs(models.made) do
    it("are blamed on the loss of a model, not on what it computes: " .. name, function()
      local model = models.make(name)
      local cond = { text = { "a red star", "a blue circle" } }
      blames("loss", said(model.loss, model, bytes(2, 8, 8, 3), cond))
    end)
  end
end)
