-- The coders of pictures: shapes, what a caption changes, one way of calling them and the older one, and what they
-- refuse.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"

local function shaken(net)
  for _, p in ipairs(net:parameters()) do core.no_grad(p.add_, p, core.randn(p.shape) * 0.2) end
  return net
end

local function far(a, b) return (a - b):abs():max():item() end

-- Every coder as it is called, as it was called before, an input, and the shape of what comes out.
local CODERS = {
  PictureEncoder = {
    { outputs = 6, size = 8, channels = 3, width = 4, levels = 2, blocks = 2, text = 5 },
    { 6, { size = 8, channels = 3, width = 4, levels = 2, blocks = 2, condition = 5 } }, { 2, 8, 8, 3 }, { 2, 6 } },
  PictureDecoder = {
    { detail = 3, channels = 2, size = 8, width = 4, levels = 1, text = 5 },
    { 3, 2, { size = 8, width = 4, levels = 1, condition = 5 } }, { 2, 3 }, { 2, 8, 8, 2 } },
  SpatialEncoder = {
    { outputs = 6, channels = 3, width = 4, levels = 1, text = 5 },
    { 6, { channels = 3, width = 4, levels = 1, condition = 5 } }, { 2, 6, 8, 3 }, { 2, 3, 4, 6 } },
  SpatialDecoder = {
    { detail = 3, channels = 2, width = 4, levels = 2, text = 5 },
    { 3, 2, { width = 4, levels = 2, condition = 5 } }, { 2, 2, 3, 3 }, { 2, 8, 12, 2 } },
}

for name, case in pairs(CODERS) do
  local options, before, input, output = table.unpack(case)

  local function made(...)
    core.manual_seed(3)
    return nn[name](...)
  end

  describe("nn." .. name, function()
    it("gives the shape that its options say, and hears the caption", function()
      local net, x, c = shaken(made(options)), core.randn(input), core.randn(2, 5)
      local y = net(x, { pooled = c, tokens = core.randn(2, 3, 5) })
      assert.same(output, y.shape)
      assert.is_true(far(y, net(x, { pooled = c * 2 })) > 1e-4)
      assert.equal(0, far(y, net(x, c))) -- the pooled vector by itself
    end)

    it("needs no caption where it was made without", function()
      local plain = {}
      for key, v in pairs(options) do plain[key] = v end
      plain.text = nil
      assert.same(output, made(plain)(core.randn(input)).shape)
      local x = core.randn(input)
      if name:find "^Picture" then
        fails("cond.pooled: this network was made without the option text", made(plain), x, core.randn(2, 5))
      else -- a space of latents, of a model with captions
        assert.equal(0, far(made(plain)(x), made(plain)(x, { pooled = core.randn(2, 5) })))
      end
    end)

    it("understands the older call: the same names, the same bits", function()
      local now, old = made(options):state(), made(table.unpack(before)):state()
      for key, v in pairs(now) do assert.equal(v:to_string(), assert(old[key], key):to_string()) end
      for key in pairs(old) do assert.is_truthy(now[key], key) end
    end)

    it("refuses what does not fit", function()
      local net = made(options)
      fails("cond.pooled: expected (2,5), got nil", net, core.randn(input))
      fails("cond.pooled: expected (2,5), got (2,4)", net, core.randn(input), { pooled = core.randn(2, 4) })
      fails("cond: expected table or nil, got 3", net, core.randn(input), 3)
      fails("expected tensor, got nil", net)
      local size = options.detail and "detail" or "outputs"
      fails(("option %s is missing"):format(size), nn[name], {})
      fails('unknown option "condition"', nn[name], { [size] = 3, condition = 5 })
      fails(("bad argument #1 to '%s' (%s: expected integer of at least 1, got 0)"):format(name, size), nn[name], 0)
      fails(("bad argument #%d to '%s' (levels: expected integer from 0 to 8, got 9)"):format(#before, name), nn[name],
        3, options.detail and 2 or { levels = 9 }, { levels = 9 })
      if options.size then fails("size: 9 cannot be halved 2 times", nn[name], { [size] = 3, size = 9 }) end
    end)
  end)
end
