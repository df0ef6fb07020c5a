-- Critics: shapes for any sides and options, the scale they start with, what they hear, and gradient penalties.

local core = require "laterna.core"
local denoiser = require "spec.support.denoiser"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"

local function tiny(o)
  local all = { size = 8, channels = 1, width = 4, multipliers = { 1, 2 }, heads = 2 }
  for key, value in pairs(o or {}) do all[key] = value end
  return nn.Critic(all)
end

local function pictures(n, h, w, c) return (denoiser.pictures(n, h, w or h, c or 1)) end

local function shapes(maps)
  local list = {}
  for i, map in ipairs(maps) do list[i] = table.concat(map.shape, ",") end
  return list
end

describe("nn.Critic", function()
  before_each(function() core.manual_seed(21) end)

  it("gives a score a picture, and a feature map a level, odd sides too", function()
    for _, case in ipairs {
      { {}, { "3,8,8,4", "3,4,4,8" } },
      { { size = { 7, 10 }, channels = 3 }, { "3,7,10,4", "3,4,5,8" } },
      { { size = 28, multipliers = { 1, 1, 2, 3 }, blocks = { 0, 1, 2, 0 } },
        { "3,28,28,4", "3,14,14,4", "3,7,7,8", "3,4,4,12" } },
      { { size = 1, multipliers = { 2 } }, { "3,1,1,8" } },
      { { width = 6, expansion = 3, group = 4 }, { "3,8,8,6", "3,4,4,12" } },
      { { block = "dcgan" }, { "3,4,4,4", "3,2,2,8" } },
      { { block = "dcgan", norm = "batch", size = { 9, 7 } }, { "3,4,3,4", "3,2,1,8" } },
      { { block = "vgg", blocks = { 1, 2 }, size = { 9, 7 } }, { "3,4,3,4", "3,2,1,8" } },
    } do
      local o, expected = table.unpack(case)
      local net = tiny(o)
      local h, w = table.unpack(type(o.size) == "table" and o.size or { o.size or 8, o.size or 8 })
      local x = pictures(3, h, w, o.channels)
      local scores, maps = net:features(x)
      assert.same({ 3 }, scores.shape)
      assert.same(expected, shapes(maps))
      net:eval()
      assert.equal(0, denoiser.apart(net(x), (net:features(x))))
    end
  end)

  it("has as many parameters as its layers need", function()
    local function count(o)
      local n = 0
      for _, p in ipairs(tiny(o):parameters()) do n = n + p:numel() end
      return n
    end
    -- input 4; blocks 4 -> 8 -> 8 -> 4 and 8 -> 16 -> 16 -> 8, 3x3 in groups of 8 and 16; widening; basis; phi; w, b
    local blocks = (4 * 8 + 8) + (9 * 8 * 8 + 8) + 8 * 4 + (8 * 16 + 16) + (9 * 16 * 16 + 16) + 16 * 8
    assert.equal(4 + blocks + 4 * 8 + 8 * 16 + 8 * 8 + 8 + 1, count())
    assert.equal(count() + 6 * 8, count { text = 6 })
    assert.equal(count { text = 6 } + (8 * 8 + 8) + (6 * 16 + 16) + 8 * 8, count { text = 6, caption = "cross" })
    -- 3x3: 1 -> 4, 4 -> 8 -> 8; what is left is 2x2
    assert.equal((9 * 4 + 4) + (9 * 4 * 8 + 8) + (9 * 8 * 8 + 8) + 8 * 4 + 8 * 8 + 8 + 1,
      count { block = "vgg", blocks = { 1, 2 } })
    assert.equal(count { group = 4 }, count() - 9 * 8 * 4 - 9 * 16 * 12)
  end)

  it("starts with scores near 1, however deep it is #slow", function()
    for _, blocks in ipairs { 1, 6 } do
      local x, net = pictures(100, 16), tiny { size = 16, width = 16, blocks = blocks, text = 6 }
      local scale = net(x, denoiser.condition(100, 3, 6)):square():mean():sqrt():item()
      assert.is_true(scale > 0.1 and scale < 4, scale)
    end
  end)

  it("keeps the scale of what it sees when every block speaks #slow", function()
    -- Fix-up's factor L^(-1/4) a layer: were the last layer drawn as the others are, L blocks would add about as much
    -- as came in, whatever L is; without it 16 blocks would multiply the second moment by 2^16.
    local block = require "laterna.nn.bottleneck"
    local function grown(count)
      local x = core.randn(64, 6, 6, 32)
      local before = x:square():mean():item()
      for _, b in ipairs(block.row(32, count, { expansion = 2, group = 16, count = count })) do
        block.scaled(b.conv3, count ^ -0.25)
        x = b(x)
      end
      return x:square():mean():item() / before
    end
    for _, count in ipairs { 1, 4, 16 } do
      local factor = grown(count)
      assert.is_true(factor > 1.2 and factor < 4, count .. ": " .. factor)
    end
  end)

  it("trains every parameter", function()
    local x, cond = pictures(3, 8), denoiser.condition(3, 4, 6)
    local function dead(o, said)
      local net = tiny(o)
      return denoiser.dead(setmetatable({}, { -- called as a denoiser is
        __call = function(_, a) return net(a, said) end,
        __index = function(_, name) return function(_, ...) return net[name](net, ...) end end,
      }), x)
    end
    assert.same({}, dead({ text = 6, caption = "cross" }, cond))
    assert.same({}, dead())
    assert.same({}, dead({ text = 6, block = "dcgan", norm = "batch" }, cond))
    assert.same({}, dead({ text = 6, block = "vgg", blocks = { 1, 2 } }, cond))
  end)

  it("hears the caption's vector, and with cross-attention its tokens; a detail is no business of its", function()
    local x = pictures(2, 8)
    local cond = denoiser.condition(2, 3, 6, { detail = 2 })
    local other = denoiser.condition(2, 3, 6, { detail = 2, seed = 4 })
    for _, o in ipairs { { text = 6 }, { text = 6, caption = "cross" }, { text = 6, block = "dcgan" },
      { text = 6, block = "vgg" } } do
      local net = denoiser.shake(tiny(o))
      local y = net(x, cond)
      for _, key in ipairs { "pooled", "tokens", "detail" } do
        local changed = {}
        for k, v in pairs(cond) do changed[k] = k == key and other[k] or v end
        local heard = key == "pooled" or key == "tokens" and o.caption == "cross"
        assert.equal(heard, denoiser.apart(y, net(x, changed)) > 1e-5, key)
      end
      assert.equal(0, denoiser.apart(net(x), net(x, {})))
    end
  end)

  it("projects: the caption's part of the score is linear in its vector", function()
    local x, net = pictures(2, 8), denoiser.shake(tiny { text = 6 })
    local a, b = denoiser.condition(2, 3, 6).pooled, denoiser.condition(2, 3, 6, { seed = 4 }).pooled
    local function part(pooled) return net(x, { pooled = pooled }) - net(x) end
    assert.is_true(denoiser.apart(part(a * 2 + b), part(a) * 2 + part(b)) < 1e-4)
  end)

  it("scores the same pictures with several captions", function()
    local x, conds = pictures(2, 8), {}
    for i = 1, 3 do conds[i] = denoiser.condition(2, 3, 6, { seed = i }) end
    for _, caption in ipairs { "projection", "cross" } do
      local net = denoiser.shake(tiny { text = 6, caption = caption })
      for i, scores in ipairs(net:scores(x, conds)) do assert.equal(0, denoiser.apart(scores, net(x, conds[i]))) end
      local calls, body = 0, net.body
      net.body = setmetatable({ words = body.words }, { __call = function(_, ...)
        calls = calls + 1
        return body(...)
      end })
      net:scores(x, conds)
      assert.equal(caption == "cross" and 3 or 1, calls)
    end
  end)

  it("learns which caption goes with a picture #training", function()
    local optim, generator = require "laterna.optim", core.generator(8)
    -- The left or the right half is bright; no caption and no half is real by itself, the pair alone is.
    local function batch(n)
      local side = core.randint(1, 2, { n }, { generator = generator })
      local told = core.randint(1, 2, { n }, { generator = generator })
      local half = core.cat({ core.ones(1, 8, 4, 1), -core.ones(1, 8, 4, 1) }, 3)
      local sign = side:float():view(n, 1, 1, 1) * 2 - 3
      local x = half * sign + core.randn({ n, 8, 8, 1 }, { generator = generator })
      return x, { pooled = core.one_hot(told, 2):float() }, side:float():eq(told:float()) * 2 - 1
    end
    for _, caption in ipairs { "projection", "cross" } do
      local net = tiny { text = 2, caption = caption }
      local adam = optim.Adam(net:parameters(), { lr = 0.01 })
      for _ = 1, 60 do
        local x, cond, right = batch(32)
        if caption == "cross" then cond = { tokens = cond.pooled:view(32, 1, 2) } end
        local loss = (net(x, cond) * -right):softplus():mean()
        adam:zero_grad()
        loss:backward()
        adam:step()
      end
      local x, cond, right = batch(200)
      if caption == "cross" then cond = { tokens = cond.pooled:view(200, 1, 2) } end
      assert.is_true((net(x, cond):detach() * right):gt(0):mean():item() > 0.95, caption)
    end
  end)

  it("passes over padding, and each picture hears its own caption", function()
    local net = denoiser.shake(tiny { text = 6, caption = "cross" })
    denoiser.passes_over_padding(function(x, _, cond) return net(x, cond) end, pictures(2, 8), nil, 1e-5)
  end)

  it("judges each picture alone", function()
    local x, net = pictures(3, 8), denoiser.shake(tiny())
    local together = net(x)
    for i = 1, 3 do assert.is_true(denoiser.apart(together[{ i, i }], net(x[{ i, i }])) < 1e-5) end
  end)

  -- sum_i |d score_i / dx|^2
  local function penalty(net, x, cond)
    local slope = core.grad(net(x, cond):sum(), { x }, { create_graph = true })[1]
    return slope:square():sum()
  end

  -- The slope jumps where a leaky ReLU's input crosses zero, which differences would see and a derivative does not:
  -- biases of both signs, larger than all that comes from the layers before, hold every unit on its side.
  local function away_from_kinks(net)
    local size = 1
    core.no_grad(function()
      for name, p in net:named_parameters() do
        if name:find "^body.*bias$" and not name:find "words" then
          size = size * 10
          p:copy_((core.arange(1, #p):float() * 2.4):sin():sign() * size)
        end
      end
    end)
    return net
  end

  -- Moves all parameters at once along a random direction; how penalty and tape then differ.
  local function compare(net, x, cond, generator, h)
    local parameters, way, slope, size = net:parameters(), {}, 0, 0
    for i, p in ipairs(parameters) do
      way[i] = core.randn(p.shape, { generator = generator }) * p:square():mean():sqrt():item()
      if p.grad then
        slope = slope + (way[i] * p.grad):sum():item()
        size = size + (way[i] * p.grad):square():sum():item()
      end
    end
    local function move(step)
      core.no_grad(function()
        for i, p in ipairs(parameters) do p:add_(way[i], step) end
      end)
      return penalty(net, x, cond):item()
    end
    local difference = (move(h) - move(-2 * h)) / (2 * h)
    move(h)
    assert.is_true(math.abs(difference - slope) < 0.01 * math.max(math.abs(slope), math.sqrt(size)),
      ("differences %g, tape %g"):format(difference, slope))
  end

  for name, o in pairs {
    residual = { text = 6 }, cross = { text = 6, caption = "cross", blocks = { 0, 1 } },
    odd = { size = { 5, 7 }, channels = 2 },
    vgg = { block = "vgg", text = 6 },
    dcgan = { block = "dcgan", text = 6 }, dcgan_batch = { block = "dcgan", norm = "batch", text = 6 },
  } do
    it("has penalties whose gradients differences show: " .. name, function()
      local net, size = away_from_kinks(denoiser.shake(tiny(o))), o.size or { 8, 8 }
      local x = pictures(3, size[1], size[2], o.channels):requires_grad_(true)
      local cond = o.text and denoiser.condition(3, 4, 6, { padding = 1 }) or nil
      penalty(net, x, cond):backward()
      local generator = core.generator(6)
      local h = o.block == "vgg" and 3e-4 or 0.01 -- the largest of four shall stay the largest
      for _ = 1, 4 do compare(net, x, cond, generator, h) end
    end)
  end

  it("has the gradients that differences show, in pictures and captions", function()
    local net = denoiser.shake(tiny { text = 3, caption = "cross", size = 4 })
    local cond = denoiser.condition(2, 2, 3)
    assert.is_true(gradcheck.check(function(x, tokens, pooled)
      return net(x, { tokens = tokens, mask = cond.mask, pooled = pooled })
    end, { pictures(2, 4), cond.tokens, cond.pooled }, { tolerance = 3e-3, h = 0.004 }))
  end)

  it("is all in its state", function()
    denoiser.is_in_its_state(function(o)
      o.caption = "cross"
      local net = tiny(o)
      return setmetatable({}, {
        __call = function(_, x, _, cond) return net(x, cond) end,
        __index = function(_, name) return function(_, ...) return net[name](net, ...) end end,
      })
    end, pictures(2, 8))
  end)

  it("refuses in words", function()
    local net = tiny { text = 6 }
    fails("bad argument #1 to 'Critic' (x: expected (n,8,8,1), got (2,8,7,1))", net, core.zeros(2, 8, 7, 1))
    fails("bad argument #1 to 'Critic' (x: expected tensor, got nil)", net)
    fails("bad argument #2 to 'Critic' (cond.pooled: expected (2,6), got (2,5))", net, pictures(2, 8),
      { pooled = core.zeros(2, 5) })
    fails("cond.tokens: expected (2,l,6)", net, pictures(2, 8), { tokens = core.zeros(3, 2, 6) })
    fails("cond.pooled: this network was made without the option text", tiny(), pictures(2, 8),
      { pooled = core.zeros(2, 6) })
    fails("cond: expected table or nil", net, pictures(2, 8), "a bag")
    fails("bad argument #2 to 'scores' (conds: expected table, got nil)", net.scores, net, pictures(2, 8))
    fails("conds: expected table, got 3", net.scores, net, pictures(2, 8), { {}, 3 })
    fails("caption: \"cross\" needs the option text", tiny, { caption = "cross" })
    fails("caption: dcgan has \"projection\" only", tiny, { text = 6, caption = "cross", block = "dcgan" })
    fails("heads: expected a divisor of the channels at attention (8), got 3", tiny,
      { text = 6, caption = "cross", heads = 3 })
    fails("norm: residual blocks have none", tiny, { norm = "batch" })
    fails("multipliers: expected 1 to 12 levels, got 0", tiny, { multipliers = {} })
    fails("multipliers: expected a list of integers from 1", tiny, { multipliers = { 1, 0 } })
    fails("blocks: expected one number for each of 2 levels, got 3", tiny, { blocks = { 1, 1, 1 } })
    fails("blocks: expected an integer from 0, or a list of integers from 0", tiny, { blocks = -1 })
    fails("size: 2 cannot be halved 2 times", tiny, { size = 2, multipliers = { 1, 1, 1 } })
    fails("size: 3x9 cannot be halved 2 times", tiny, { size = { 3, 9 }, block = "dcgan" })
    fails("size: 3x9 cannot be halved 2 times", tiny, { size = { 3, 9 }, block = "vgg" })
    fails("caption: vgg has \"projection\" only", tiny, { text = 6, caption = "cross", block = "vgg" })
    fails("norm: vgg blocks have none", tiny, { norm = "batch", block = "vgg" })
    fails("blocks: vgg needs at least 1 a level", tiny, { blocks = { 1, 0 }, block = "vgg" })
    fails("block: expected \"residual\", \"dcgan\" or \"vgg\"", tiny, { block = "resnet" })
    fails("unknown option \"depth\"", tiny, { depth = 1 })
  end)
end)
