-- Axes and tensors past what 32 bits count. Needs 12 GB of memory and LATERNA_LARGE=1 (make nightly sets it).
local core = require "laterna.core"
local fails = require "spec.support.fails"

local PAST <const> = (1 << 31) + 64

describe("sizes past 2^31 #training", function()
  local it_when_asked = os.getenv "LATERNA_LARGE" and it or pending

  after_each(function() collectgarbage() end)

  it_when_asked("of bytes are counted, cut and found right", function()
    local t = core.zeros(PAST, { dtype = "uint8" })
    t[PAST], t[1] = 7, 3
    assert.equal(PAST, #t)
    assert.same({ 0, 7 }, t:narrow(1, PAST - 1, 2):totable())
    local rows = t:view(2, PAST // 2)
    assert.equal(7, rows[2][PAST // 2]:item())
    assert.equal(PAST, rows:transpose(1, 2):reshape(PAST):numel())
  end)

  it_when_asked("are summed and multiplied", function()
    local x = core.ones(1, PAST)
    x[1][PAST] = 5
    assert.near(PAST + 4, x:sum():item(), PAST * 1e-6)
    assert.equal(5, x:max():item())
    -- a product whose inner axis BLAS's 32-bit sizes could not hold
    assert.near(PAST + 24, core.matmul(x, x:view(PAST, 1)):item(), PAST * 1e-5)
    assert.same({ 1, 1 }, core.linear(x, x).shape)
  end)

  it("are refused where LAPACK counts with 32 bits", function()
    for _, f in ipairs { "inverse", "eigh", "qr", "lu", "logdet" } do
      fails("1 to 16384 rows", core[f], core.zeros(0, PAST))
    end
  end)
end)
