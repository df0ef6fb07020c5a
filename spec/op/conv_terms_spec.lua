-- What a convolution adds as it stores its result: bias, a shift a picture, another tensor.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local naive = require "spec.support.naive"
local nn = require "laterna.nn"

local generator = core.generator(34)
local function randn(...) return core.randn({ ... }, { generator = generator }) end

-- cin cout kernel options; each reaches another routine
local cases = {
  winograd = { 32, 36, 3, { padding = 1 } },
  winograd_groups = { 32, 64, 3, { padding = 1, groups = 2 } },
  wide = { 5, 6, 3, { padding = 1 } },
  halved = { 8, 20, 4, { stride = 2, padding = 1 } },
  pointwise = { 33, 70, 1, {} },
  narrow = { 20, 2, 3, { padding = 1 } },
  depthwise = { 6, 6, 3, { groups = 6 } },
}

local function with(options, shift, add)
  local o = { shift = shift, add = add }
  for k, v in pairs(options) do o[k] = v end
  return o
end

local function close(a, b) return naive.difference(a, naive.flat(b)) < 1e-5 end

describe("terms of conv2d", function()
  for name, c in pairs(cases) do
    it("are added, and have gradients: " .. name, function()
      local cin, cout, kernel, options = table.unpack(c)
      local x = randn(2, 9, 6, cin):requires_grad_(true)
      local w = randn(cout, kernel, kernel, cin // (options.groups or 1)):requires_grad_(true)
      local b, shift = randn(cout):requires_grad_(true), randn(2, cout):requires_grad_(true)
      local plain = core.conv2d(x, w, nil, options)
      local add = randn(table.unpack(plain.shape)):requires_grad_(true)
      local dy = randn(table.unpack(plain.shape))
      local inputs = { x, w, b, shift, add }
      for _, some in ipairs { { true, true, true }, { false, true, false }, { false, false, true } } do
        local bias, s, a = some[1] and b or nil, some[2] and shift or nil, some[3] and add or nil
        local y = core.conv2d(x, w, bias, with(options, s, a))
        local expected = plain
        if bias then expected = expected + bias end
        if s then expected = expected + s:view(2, 1, 1, cout) end
        if a then expected = expected + a end
        assert.is_true(close(y, expected))
        local found = core.grad(y, inputs, { grad_output = dy })
        local known = core.grad(expected, inputs, { grad_output = dy, retain_graph = true })
        for i = 1, 5 do
          assert.equal(known[i] == nil, found[i] == nil)
          if known[i] then assert.is_true(close(found[i], known[i])) end
        end
      end
    end)
  end

  it("have gradients of first and second order", function()
    gradcheck.check(function(x, w, b, shift, add)
      return core.conv2d(x, w, b, { padding = 1, shift = shift * shift, add = add * add })
    end, { randn(2, 2, 3, 2), randn(3, 3, 3, 2), randn(3), randn(2, 3), randn(2, 2, 3, 3) }, { second = true })
  end)

  it("are taken by the layer", function()
    local layer, x = nn.Conv2d(3, 4, 3, { padding = 1 }), randn(2, 5, 4, 3)
    local shift, add = randn(2, 4), randn(2, 5, 4, 4)
    assert.is_true(close(layer(x, { shift = shift, add = add }), layer(x) + shift:view(2, 1, 1, 4) + add))
    assert.is_true(close(layer(x, { add = add }), layer(x) + add))
    fails("unknown option \"bias\"", layer, x, { bias = shift })
    fails("shift: expected tensor, got 3", layer, x, { shift = 3 })
  end)

  it("have to fit", function()
    local x, w = core.ones(2, 4, 4, 3), core.ones(5, 3, 3, 3)
    fails("bad argument #4 to 'conv2d' (shift: expected (2,5), got (5))", core.conv2d, x, w, nil,
      { shift = core.ones(5) })
    fails("bad argument #4 to 'conv2d' (add: expected (2,2,2,5), got (2,4,4,5))", core.conv2d, x, w, nil,
      { add = core.ones(2, 4, 4, 5) })
    fails("bad argument #4 to 'conv2d' (add: expected tensor, got number)", core.conv2d, x, w, nil, { add = 1 })
    fails('unknown option "add"', core.conv_transpose2d, x, core.ones(3, 3, 3, 5), nil, { add = core.ones(2, 6, 6, 5) })
  end)
end)
