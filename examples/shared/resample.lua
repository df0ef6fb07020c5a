-- Details at random that say something. A continuous prior leaves some weight between the kinds that there are, where
-- no picture's detail is, and a painter makes half a star and half a circle of it. So the prior is resampled (Bauer and
-- Mnih 2019, arXiv 1810.11428): what the teller (reader.lua) is not sure about is drawn again.
local lt = require "laterna"
local TRIES, SURE = 24, 0.8

local function draw(ae, teller, captions, generator)
  local n, pooled = #captions, ae.text(captions).pooled
  local kept, best
  for _ = 1, TRIES do
    local z = ae.prior:inverse(lt.randn({ n, ae.detail }, { generator = generator }), pooled)
    local sure = teller:sure(pooled, z)
    if kept then
      local better = best:lt(SURE):float() * sure:gt(best):float()
      kept, best = kept + (z - kept) * better:view(n, 1), best + (sure - best) * better
    else
      kept, best = z, sure
    end
    if best:min():item() >= SURE then break end
  end
  return kept
end

-- Details (n,d) for n captions, of an autoencoder in evaluation mode.
return function(...) return lt.no_grad(draw, ...) end
