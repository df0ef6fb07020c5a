-- Painting on record: what a flow samples, before it is rounded to grey levels, with the gradient of its inverse.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local flow = require "laterna.flow"
local gradcheck = require "spec.support.gradcheck"
local text = require "laterna.text"

local function shaken(model)
  core.no_grad(function()
    for _, p in ipairs(model:parameters()) do p:add_(core.randn(p.shape) * 0.05) end
  end)
  return model
end

local function encoder() return text.Encoder({ "a", "b" }, { dim = 4, depth = 1, heads = 1 }) end

describe("flow:rsample", function()
  before_each(function() core.manual_seed(7) end)

  it("paints what sample rounds to whole grey levels, and drops no caption", function()
    for _, kind in ipairs { "uniform", "variational", "none" } do
      local model = shaken(flow { net = flow.Glow { size = { 4, 4, 1 }, levels = 1, steps = 2, hidden = 4, text = 4 },
                                  size = { 4, 4, 1 }, text = encoder(), dequantise = kind, drop = 1 })
      local cond, how = { text = { "a", "b", "a" } }, { temperature = 0.3, seed = 4 }
      local painted, sampled = model:rsample(cond, how), model:sample(cond, how)
      assert.is_true(painted.requires_grad)
      local off = (painted:clamp(-1, 1) - sampled):abs():max():item()
      if kind == "none" then assert.is_true((painted - sampled):abs():max():item() < 1e-4) end
      assert.is_true(off <= 0.5 / 127.5 + 1e-4 and (kind == "none" or off > 1e-4), off)
    end
  end)

  it("has the gradient of the inverse, coupling by coupling", function()
    for name, make in pairs {
      Glow = function() return flow.Glow { size = { 2, 2, 1 }, levels = 1, steps = 1, hidden = 2 } end,
      SplineFlow = function() return flow.SplineFlow { size = { 4 }, steps = 1, hidden = 4 } end,
      TarFlow = function()
        return flow.TarFlow { size = { 4, 4, 1 }, patch = 2, dim = 8, layers = 1, heads = 1, blocks = 2 }
      end,
    } do
      local size = name == "SplineFlow" and { 4 } or name == "Glow" and { 2, 2, 1 } or { 4, 4, 1 }
      local ok, model = pcall(function() return shaken(flow { net = make(), size = size }) end)
      assert.is_true(ok, name .. ": " .. tostring(model))
      local p
      for _, one in ipairs(model:parameters()) do
        if not p or one:numel() < p:numel() and one:numel() > 1 then p = one end
      end
      gradcheck.check(function() return model:rsample({ n = 2 }, { seed = 1, temperature = 0.5 }) end, { p },
        { h = 0.01, tolerance = 5e-3 })
    end
  end)

  it("refuses unknown options", function()
    local model = flow { net = flow.SplineFlow { size = { 2 } }, size = { 2 } }
    fails("bad argument #2 to 'rsample' (unknown option \"guidance\"", model.rsample, model, nil, { guidance = 2 })
    fails("bad argument #1 to 'rsample'", model.rsample, model, 3)
  end)
end)
