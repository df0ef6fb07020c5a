--- Pictures as bytes and as numbers. Files and data sets hold bytes, 0 to 255; models take and give float32 in [-1,1].
-- @module laterna.pictures
local check = require "laterna.check"
local core = require "laterna.core"

local pictures = {}

local function expect(fname, name, t, dtype, words)
  if check.type(fname, 1, name, t, "tensor").dtype ~= dtype then
    check.fail(fname, 1, "%s: expected %s, got %s%s", name, dtype, t.dtype, t.dtype == "int32" and "" or words)
  end
  return t
end

--- float32 in [-1,1] to uint8, the nearest byte of each number: 127.5 x + 127.5, rounded (halves to the even byte) and
-- held within 0 to 255. NaN becomes 0. Nothing is recorded. to_bytes(from_bytes(b)) is b, for every byte.
-- @tparam Tensor x float32, of any shape
-- @treturn Tensor uint8, like x
function pictures.to_bytes(x)
  expect("to_bytes", "x", x, "float32", "; bytes need no conversion")
  return core.no_grad(function() return (x * 127.5 + 127.5):byte() end)
end

--- uint8 to float32 in [-1,1]: 0 is -1 and 255 is 1, the same numbers, bit for bit, as in the batches of a data set.
-- @tparam Tensor bytes uint8, of any shape
-- @treturn Tensor float32, like bytes
function pictures.from_bytes(bytes)
  expect("from_bytes", "bytes", bytes, "uint8", "; numbers in [-1,1] need no conversion")
  return bytes:float() / 127.5 - 1
end

return pictures
