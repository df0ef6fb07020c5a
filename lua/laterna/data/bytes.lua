--- Pictures as bytes: what a data set keeps.
-- @module laterna.data.bytes
local bytes = {}

--- Is every number of pictures within -1 .. 1? Rounding errors pass.
-- @tparam Tensor x float32
-- @treturn boolean
-- @treturn string what there is, in words
function bytes.in_range(x)
  if x:numel() == 0 then return true, "no numbers" end
  local low, high = x:min():item(), x:max():item()
  return low >= -1.001 and high <= 1.001, low ~= low and "NaN" or ("numbers from %g to %g"):format(low, high)
end

--- Numbers as bytes: -1 .. 1, clamped, becomes 0 .. 255, rounded; the inverse of what a batch holds.
-- @tparam Tensor x float32; or uint8, which stays as it is
-- @treturn Tensor uint8
function bytes.from(x)
  if x.dtype == "uint8" then return x end
  return x:detach():clamp(-1, 1):add(1):mul(127.5):round():byte()
end

return bytes
