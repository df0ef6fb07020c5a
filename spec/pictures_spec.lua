-- Bytes to [-1,1] and back.

local core = require "laterna.core"
local data = require "laterna.data"
local pictures = require "laterna.pictures"

describe("pictures", function()
  local all = core.arange(0, 255, { dtype = "int32" }):byte()

  it("come back from numbers, each of the 256 bytes", function()
    local x = pictures.from_bytes(all)
    assert.equal("float32", x.dtype)
    assert.equal(-1, x[1]:item())
    assert.equal(1, x[256]:item())
    for v, got in ipairs(x:totable()) do assert.is_true(math.abs(got - ((v - 1) / 127.5 - 1)) < 1.2e-7) end
    assert.same(all:totable(), pictures.to_bytes(x):totable())
    assert.equal(x:to_string(), pictures.from_bytes(pictures.to_bytes(x)):to_string())
  end)

  it("are as a data set gives them", function()
    local scenes = data.scenes { n = 4, size = 8, seed = 3 }
    local x = scenes:batches(4, { shuffle = false }):next().x
    assert.equal(x:to_string(), pictures.from_bytes(scenes.images):to_string())
    assert.equal(scenes.images:to_string(), pictures.to_bytes(x):to_string())
  end)

  it("are rounded to the nearest byte and held within their range", function()
    local x = core.tensor { -7, -1, -0.9999, 0, 0.002, 0.9999, 1, 1e30, -math.huge, math.huge, 0 / 0 }
    assert.same({ 0, 0, 0, 128, 128, 255, 255, 255, 0, 255, 0 }, pictures.to_bytes(x):totable())
  end)

  it("have any shape, and nothing is recorded", function()
    assert.same({ 2, 3, 4, 1 }, pictures.to_bytes(core.zeros(2, 3, 4, 1)).shape)
    assert.same({}, pictures.to_bytes(core.tensor(0.5)).shape)
    assert.same({ 0, 3 }, pictures.from_bytes(core.zeros(0, 3):byte()).shape)
    local w = core.ones(2):requires_grad_()
    assert.same({ 255, 255 }, pictures.to_bytes(w):totable())
    assert.is_true((w * 2).requires_grad)
  end)

  it("of another kind are refused", function()
    assert.error_matches(function() pictures.to_bytes(all) end,
      "bad argument #1 to 'to_bytes' %(x: expected float32, got uint8; ")
    assert.error_matches(function() pictures.from_bytes(core.zeros(2)) end,
      "bad argument #1 to 'from_bytes' %(bytes: expected uint8, got float32; ")
    assert.error_matches(function() pictures.from_bytes(core.zeros(2, { dtype = "int32" })) end, "got int32")
    assert.error_matches(function() pictures.to_bytes { 1 } end, "x: expected tensor, got table")
    assert.error_matches(function() pictures.from_bytes() end, "bytes: expected tensor, got nil")
  end)
end)
