--- The caption-gap meter: how much a caption leaves out, in nats.
-- @module laterna.autoencoder.gap
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local evaluation = require "laterna.evaluation"

local gap = {}

local KEYS = condition.keys()

local OPTIONS = {
  draws = { "integer", 8, min = 1, max = 1 << 16 }, batch = { "integer", 100, min = 1 },
  generator = check.is_generator,
}

--- What pictures show that their captions do not say: KL(q(detail | picture, caption) || p(detail | caption)) of each,
-- in nats. In the mean over pictures of a caption it is a bound of the mutual information of picture and detail given
-- the caption. Closed form for N(0, I); under a learned prior the mean over draws. Evaluation mode, nothing recorded.
-- @tparam autoencoder self
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text
-- @tparam[opt] table options draws=8 of the detail; batch=100 pictures at a time; generator
-- @treturn Tensor (n)
function gap.gap(self, x, cond, options)
  condition.pictures("gap", x, 1, true)
  local o = check.options("gap", 3, options, OPTIONS)
  local n, parts = x:size(1), {}
  cond = condition.read("gap", 2, cond, KEYS, n)
  for first = 1, n, o.batch do
    local last = math.min(first + o.batch - 1, n)
    parts[#parts + 1] = evaluation.quietly(self, function()
      local captions = cond.text and table.move(cond.text, first, last, 1, {})
      local posterior = self:extract(x:narrow(1, first, last - first + 1), { text = captions })
      return self.regulariser:gap(posterior, { prior = self.prior, pooled = posterior.cond:pooled(self.text),
        draws = o.draws, generator = o.generator })
    end)
  end
  return core.cat(parts)
end

-- Lines of a report as text, those that leave out most first.
local function written(report)
  local lines = { "nats  pictures  caption" }
  for i, row in ipairs(report) do
    lines[i + 1] = ("%7.2f  %5d  %s"):format(row.gap, row.n, row.caption == "" and "(no caption)" or row.caption)
  end
  return table.concat(lines, "\n")
end

--- The captions of a set of pictures, ranked by what they leave out.
-- @tparam autoencoder self
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam {string,...} captions n of them; the same may come often
-- @tparam[opt] table options as for gap
-- @treturn table a list of {caption, gap (the mean, in nats), n (pictures)}, the largest gap first; tostring writes it
function gap.report(self, x, captions, options)
  condition.pictures("report", x, 1, true)
  check.type("report", 2, "captions", captions, "table")
  local each, rows, place = gap.gap(self, x, { text = captions }, options):totable(), {}, {}
  for i, nats in ipairs(each) do
    local caption = check.type("report", 2, "captions", captions[i], "string")
    local row = place[caption]
    if not row then
      row = { caption = caption, gap = 0, n = 0 }
      place[caption], rows[#rows + 1] = row, row
    end
    row.gap, row.n = row.gap + nats, row.n + 1
  end
  for _, row in ipairs(rows) do row.gap = row.gap / row.n end
  table.sort(rows, function(a, b)
    if a.gap ~= b.gap then return a.gap > b.gap end
    return a.caption < b.caption
  end)
  return setmetatable(rows, { __tostring = written })
end

return gap
