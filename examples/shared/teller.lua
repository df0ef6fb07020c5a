-- What one caption leaves out another one says. A teller knows a caption and the detail, as a painter does, and must
-- find the picture's fullest caption among those of other pictures and lies. A nat of words that it cannot tell is paid
-- for like a nat of detail, so the extractor writes down what words are for before it writes down clouds.
local lt = require "laterna"
local nn = lt.nn

-- text: the encoder of the autoencoder; width of a caption's vector; detail, the size of what the extractor writes.
local Teller = nn.class("Teller", function(self, text, width, detail)
  self.text = text
  self.says = nn.Sequential(nn.Linear(width + detail, 256), lt.silu, nn.Linear(256, width))
  self.hears = nn.Linear(width, width)
end)

-- The nats that it is short of, a mean over pictures: minus the logarithm of the chance that it gives the right caption
-- (InfoNCE: van den Oord et al. 2018, arXiv 1807.03748). seen: what was extracted, with the caption in use; captions:
-- the fullest; lies: lists of wrong ones, one of each list for each picture; of: for how many each lie stands, its like
-- (importance sampling, so that a word of ten weighs as ten: Jean et al. 2015, arXiv 1412.2007, eq. 12).
function Teller:loss(seen, captions, lies, of)
  local n, list = #captions, table.move(captions, 1, #captions, 1, {})
  for _, wrong in ipairs(lies) do table.move(wrong, 1, n, #list + 1, list) end
  local heard = self.hears(self.text(list).pooled)
  local width = heard:size(2)
  local said = self.says(lt.cat({ seen.text.pooled, seen.z }, 2)) * (1 / math.sqrt(width))
  local scores = said:matmul(heard:narrow(1, 1, n):transpose(1, 2))
  if #lies > 0 then
    local wrong = heard:narrow(1, n + 1, #list - n):reshape(#lies, n, width)
    scores = lt.cat({ scores, ((wrong * said):sum(3) + lt.tensor(of):log()):transpose(1, 2) }, 2)
  end
  return lt.cross_entropy(scores, lt.arange(1, n, { dtype = "int32" }))
end

return Teller
