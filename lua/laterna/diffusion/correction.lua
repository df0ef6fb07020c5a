--- What is done to every guess of the picture before a solver goes on from it: values brought into range, and the part
-- that is known put in its place.
-- @module laterna.diffusion.correction
local check = require "laterna.check"
local core = require "laterna.core"

local correction = {}

--- The options of sample and encode that belong here, for check.options.
correction.options = { clip = "boolean", threshold = { "number", min = 0, max = 1 } }

--- Guesses into [-1,1], by default except in a latent space; or dynamic thresholding (Saharia et al. 2022, arXiv
-- 2205.11487, section 2.3), which divides by the quantile `threshold` of the absolute values where that is over 1.
-- @treturn ?function x0 -> x0
function correction.range(fname, i, o, latent)
  if o.threshold then
    if o.clip then check.fail(fname, i, "clip: expected false or nil beside threshold") end
    return function(x0) return core.threshold(x0, o.threshold) end
  end
  local clip = o.clip
  if clip == nil then clip = not latent end
  return clip and function(x0) return x0:clamp(-1, 1) end or nil
end

--- A mask for (h,w) places of a latent space from one for pictures: a place is painted when any pixel under it is.
-- @tparam string fname
-- @tparam Tensor mask (n,h k,w l,1)
-- @tparam integer h
-- @tparam integer w
-- @treturn Tensor (n,h,w,1)
function correction.shrink(fname, mask, h, w)
  local down, across = mask:size(2) // h, mask:size(3) // w
  if down * h ~= mask:size(2) or across * w ~= mask:size(3) or down * across == 0 then
    check.fail(fname, 2, "mask: expected sides that are %d and %d times an integer, got %d and %d", h, w,
      mask:size(2), mask:size(3))
  end
  return down * across == 1 and mask or core.max_pool2d(mask, { down, across })
end

--- Inpainting. Where the mask is 1 is painted; elsewhere the picture is known, and every guess of x0 gets it. A
-- solver that goes on from that guess keeps the known part on its own path to the picture, whatever solver it is.
-- @tparam Tensor mask (n,h,w,1) or (n,h,w,c)
-- @tparam Tensor picture (n,h,w,c)
-- @treturn function x0 -> x0
function correction.known(mask, picture)
  local kept = picture * (1 - mask)
  return function(x0) return x0 * mask + kept end
end

--- First f, then g; either may be nil.
function correction.both(f, g)
  if not (f and g) then return f or g end
  return function(x0) return g(f(x0)) end
end

return correction
