-- The diffusion transformer: shapes, the paper's number of parameters, a start at zero, no dead parameter, captions in
-- three ways.

local close = require "spec.support.close"
local core = require "laterna.core"
local denoiser = require "spec.support.denoiser"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"

local function tiny(o)
  local all = { channels = 1, size = 8, patch = 2, dim = 16, depth = 2, heads = 2 }
  for key, value in pairs(o or {}) do all[key] = value end
  return nn.DiT(all)
end

local pictures = denoiser.pictures

local WAYS = { "tokens", "cross", "pooled" }
local POSITIONS = { "fixed", "rope" }

describe("nn.DiT", function()
  before_each(function() core.manual_seed(11) end)

  it("gives pictures of the size it gets, at any size that its patches fill", function()
    for _, positions in ipairs(POSITIONS) do
      for _, case in ipairs {
        { {}, 8, 8, 1 }, { { size = { 6, 8 } }, 6, 8, 1 }, { {}, 4, 10, 1 }, { { channels = 3, patch = 4 }, 8, 12, 3 },
        { { patch = 1, size = 3 }, 3, 3, 1 }, { { depth = 0 }, 8, 8, 1 }, { { mlp = 2 }, 8, 8, 1 },
        { { mix = 3 }, 8, 6, 1 }, { { mix = 5, mlp = 1 }, 4, 8, 1 },
      } do
        local o, h, w, c = table.unpack(case)
        o.positions = positions
        assert.same({ 2, h, w, c }, denoiser.shake(tiny(o))(pictures(2, h, w, c)).shape)
      end
    end
    local x, t = pictures(2, 8, 8, 3)
    assert.same({ 2, 8, 8, 6 }, tiny { channels = 3, out_channels = 6 }(x, t).shape)
  end)

  -- Peebles and Xie 2022, table 1: DiT-S/2 has 33 M. It reads 32x32x4 latents and predicts variances too; its count of
  -- 32,963,360 (pytorch) has a table of 1001 classes and the 256 positions, which are not in ours.
  it("has as many parameters as the paper's DiT-S/2 #slow", function()
    local net = nn.DiT { channels = 4, out_channels = 8, size = 32, patch = 2, dim = 384, depth = 12, heads = 6 }
    local n = 0
    for _, p in ipairs(net:parameters()) do n = n + p:numel() end
    assert.equal(32963360, n + 1001 * 384 + 256 * 384)
  end)

  it("puts patches back where they were cut", function()
    local net = tiny { channels = 2, depth = 0, dim = 8 }
    core.no_grad(function() -- both maps become the identity, and the norm's output is looked at as a picture
      net.input.weight:copy_(core.eye(8))
      net.output.weight:copy_(core.eye(8))
    end)
    local x, t = pictures(1, 4, 6, 2)
    local where = nn.position.fixed(2, 3, 8, { 4 / 2, 4 / 3 })
    local want = core.zeros(1, 4, 6, 2)
    for i = 1, 2 do
      for j = 1, 3 do
        local patch = {} -- rows, then columns, then channels
        for a = 1, 2 do
          for b = 1, 2 do
            for c = 1, 2 do patch[#patch + 1] = x[1][2 * i - 2 + a][2 * j - 2 + b][c]:item() end
          end
        end
        local h = nn.LayerNorm(8, { affine = false, eps = 1e-6 })(core.tensor(patch) + where[3 * (i - 1) + j])
        for a = 1, 2 do
          for b = 1, 2 do
            for c = 1, 2 do want[1][2 * i - 2 + a][2 * j - 2 + b][c] = h[4 * (a - 1) + 2 * (b - 1) + c]:item() end
          end
        end
      end
    end
    close(net(x, t), want, 1e-5)
  end)

  it("starts with zeros for an answer", function()
    local x, t = pictures(2, 8, 8, 1)
    for _, way in ipairs(WAYS) do
      local y = tiny { text = 6, caption = way }(x, t, denoiser.condition(2, 3, 6))
      assert.equal(0, y:abs():max():item())
    end
  end)

  it("trains every parameter", function()
    local x, t = pictures(3, 8, 8, 1)
    for _, way in ipairs(WAYS) do
      for _, positions in ipairs(POSITIONS) do
        local net = tiny { text = 6, detail = 2, caption = way, positions = positions, mix = 3 }
        assert.same({}, denoiser.dead(net, x, t, denoiser.condition(3, 4, 6, { detail = 2 })))
      end
    end
    assert.same({}, denoiser.dead(tiny(), x, t))
  end)

  it("hears the time, the caption's vector and tokens, and the detail", function()
    local x, t = pictures(2, 8, 8, 1)
    for _, way in ipairs(WAYS) do
      local net = denoiser.shake(tiny { text = 6, detail = 2, caption = way })
      local cond = denoiser.condition(2, 3, 6, { detail = 2 })
      local other = denoiser.condition(2, 3, 6, { detail = 2, seed = 10 })
      local y = net(x, t, cond)
      assert.is_true(denoiser.apart(y, net(x, t * 0.5, cond)) > 1e-3)
      for _, key in ipairs { "tokens", "pooled", "detail" } do
        local changed = {}
        for k, v in pairs(cond) do changed[k] = k == key and other[k] or v end
        local off = denoiser.apart(y, net(x, t, changed))
        assert.equal(not (key == "tokens" and way == "pooled"), off > 1e-4, way .. ": " .. key)
      end
    end
  end)

  it("passes over padding, and each picture hears its own caption", function()
    local x, t = pictures(2, 8, 8, 1)
    for _, way in ipairs { "tokens", "cross" } do
      for _, positions in ipairs(POSITIONS) do
        local net = denoiser.shake(tiny { text = 6, caption = way, positions = positions })
        local cond, y = denoiser.passes_over_padding(net, x, t, 1e-5)
        -- no mask: all are words
        assert.is_true(denoiser.apart(net(x, t, { tokens = cond.tokens, pooled = cond.pooled })[1], y[1]) > 1e-4)
      end
    end
  end)

  it("knows where a patch is", function()
    local x, t = pictures(1, 8, 8, 1)
    local moved = core.cat({ x:narrow(3, 3, 6), x:narrow(3, 1, 2) }, 3) -- one patch to the left, around the edge
    local function moved_back(y) return core.cat({ y:narrow(3, 7, 2), y:narrow(3, 1, 6) }, 3) end
    for _, positions in ipairs(POSITIONS) do
      local net = denoiser.shake(tiny { positions = positions })
      assert.is_true(denoiser.apart(moved_back(net(moved, t)), net(x, t)) > 1e-3, positions)
    end
  end)

  it("mixes a patch with its neighbours, whatever stands before the patches", function()
    local x, t = pictures(1, 10, 8, 1) -- 5x4 patches
    for _, way in ipairs { "tokens", "cross" } do
      local net = denoiser.shake(tiny { depth = 1, mix = 3, text = 6, caption = way })
      local deaf = net.blocks[1].proj -- without attention, nothing but the convolution goes from patch to patch
      core.no_grad(function() deaf.weight:fill_(0) end)
      local cond = denoiser.condition(1, 3, 6)
      local touched = x:clone()
      core.no_grad(function() touched[1][3][1]:fill_(9) end) -- row 2, column 1 of the patches
      local off = (net(touched, t, cond) - net(x, t, cond)):abs()
      for i = 1, 5 do
        for j = 1, 4 do
          local patch = off[1][{ 2 * i - 1, 2 * i }]:narrow(2, 2 * j - 1, 2)
          local near = math.abs(i - 2) <= 1 and math.abs(j - 1) <= 1
          assert.equal(near, patch:max():item() > 1e-5, ("%s: %d,%d"):format(way, i, j))
        end
      end
    end
  end)

  it("takes no condition for a condition that says nothing", function()
    local x, t = pictures(2, 8, 8, 1)
    local net = denoiser.shake(tiny { text = 6 })
    assert.equal(0, denoiser.apart(net(x, t), net(x, t, {})))
  end)

  it("has the gradients that differences show", function()
    local x, t = pictures(1, 4, 2, 1)
    for _, o in ipairs {
      { caption = "tokens", positions = "rope", mix = 3 }, { caption = "cross", positions = "fixed" },
    } do
      o.text, o.dim, o.depth = 3, 8, 1
      local net = denoiser.shake(tiny(o))
      local cond = denoiser.condition(1, 2, 3)
      assert.is_true(gradcheck.check(function(z, tokens, pooled)
        return net(z, t, { tokens = tokens, mask = cond.mask, pooled = pooled })
      end, { x, cond.tokens, cond.pooled }, { tolerance = 2e-3 }))
    end
  end)

  it("is all in its state", function()
    denoiser.is_in_its_state(tiny, pictures(2, 8, 8, 1))
  end)

  it("refuses in words", function()
    local x, t = pictures(2, 8, 8, 1)
    local net = tiny { text = 6 }
    fails("bad argument #1 to 'DiT' (size: 27 cannot be cut into patches of 2)", tiny, { size = 27 })
    fails("size: expected an integer of at least 1, or a pair", tiny, { size = 0 })
    fails("heads: expected a divisor of dim (16), got 3", tiny, { heads = 3 })
    fails("dim: fixed positions need a multiple of 4, got 6", tiny, { dim = 6 })
    fails("dim: rope positions need a multiple of 4 in a head, got 2", tiny, { heads = 8, positions = "rope" })
    fails("mix: expected an odd side, got 2", tiny, { mix = 2 })
    fails("caption: expected \"tokens\", \"cross\" or \"pooled\", got \"words\"", tiny, { caption = "words" })
    fails("x: sides that can be cut into patches of 2, got (2,8,7,1)", net, core.zeros(2, 8, 7, 1), t)
    fails("x: expected (n,h,w,1), got (2,8,8,3)", net, core.zeros(2, 8, 8, 3), t)
    fails("bad argument #2 to 'DiT' (t: expected (2), a time a picture, got (1))", net, x, core.zeros(1))
    fails("cond.tokens: expected (2,l,6), got (2,3,5)", net, x, t, { tokens = core.zeros(2, 3, 5) })
    fails("cond.tokens: this network was made without the option text", tiny(), x, t, { tokens = core.zeros(2, 3, 5) })
  end)
end)
