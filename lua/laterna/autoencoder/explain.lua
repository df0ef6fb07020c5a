--- What a caption leaves out of a picture, taken apart: along which axes of the detail the nats lie, what each of them
-- does to the picture, and which words would save most of them.
--
--     local found = ae:explain(picture, "a star", { words = { "red", "green", "on the grass" } })
--     lt.show(lt.grid(found.rows, { row_labels = found.labels }))
--     print(found.gap, found.words[1].word, found.words[1].saves)
--
-- The axes are those of the noise u that the detail comes from, which is N(0, I) under every caption; where no prior
-- was learned the detail is its own noise. With q(u | picture, caption) of mean m and covariance C, the axis v costs
--
--   KL(N(v m, v C v) || N(0, 1)) = 1/2 ((v m)^2 + v C v - 1 - log(v C v))       nats
--
-- Without a learned prior C is diagonal, and the axes' nats sum to the gap. With one, m and C are those of draws from
-- q, which counts as gaussian: then it is the principal axes of C (`by = "directions"`), which do not vary together,
-- whose nats add up; coordinates may tell a thing twice.
-- @module laterna.autoencoder.explain
local check = require "laterna.check"
local core = require "laterna.core"

local KNOWN = {
  by = { "string", "coordinates", one_of = { "coordinates", "directions" } },
  strips = { "integer", 6, min = 0, max = 1 << 12 }, steps = { "integer", 7, min = 2, max = 1 << 12 },
  span = { "number", 2, min = 0, max = 1e6 }, draws = { "integer", 256, min = 2, max = 1 << 20 },
  words = "table", say = "callable", seed = { "integer", 1 }, sample = "table",
}

-- A condition of n pictures with one caption.
local function said(self, caption, n)
  local list = {}
  for i = 1, n do list[i] = caption end
  return { n = n, text = self.text and list or nil }
end

-- Adds a word to a caption where the caller does not know better.
local function append(caption, word)
  return caption == "" and word or caption .. " " .. word
end

-- A list of {word, caption}: items of the list are added to the caption, named ones are whole captions.
local function candidates(o, caption)
  local list = {}
  for key, value in next, o.words or {} do
    local where = ("words[%s]"):format(check.describe(key))
    check.type("explain", 3, where, value, "string")
    if type(key) == "string" then
      list[#list + 1] = { word = key, caption = value }
    else
      local longer = (o.say or append)(caption, value)
      list[#list + 1] = { word = value, caption = check.type("explain", 3, "what say gave", longer, "string") }
    end
  end
  table.sort(list, function(a, b)
    if a.word ~= b.word then return a.word < b.word end
    return a.caption < b.caption
  end)
  return list
end

-- Mean (1,d) and covariance (d,d) of the noise that the picture's detail comes from.
local function posterior(self, mu, logvar, caption, o)
  if not self.prior then return mu, core.eye(mu:size(2)) * logvar:exp() end
  local eps = core.randn(o.draws, mu:size(2), { generator = core.generator(o.seed) })
  local u = self:to_noise(mu + (logvar * 0.5):exp() * eps, said(self, caption, o.draws))
  local mean = u:mean(1, { keepdim = true })
  local off = u - mean
  return mean, core.matmul(off:transpose(), off) * (1 / (o.draws - 1))
end

-- The axes (d,d), one a row: unit vectors, or the eigenvectors of C.
local function axes_of(by, covariance)
  local d = covariance:size(1)
  if by == "coordinates" then return core.eye(d) end
  local _, vectors = core.eigh(covariance)
  return vectors:transpose()
end

-- All axes by nats, the dearest first: {index, nats, value, spread, axis}.
local function ranked(mean, covariance, by)
  local axes = axes_of(by, covariance)
  local values = core.matmul(axes, mean:view(-1, 1)):view(-1):totable()
  local variances = (core.matmul(axes, covariance) * axes):sum(2):totable()
  local list = {}
  for i, value in ipairs(values) do
    local variance = math.max(variances[i], 1e-12)
    list[i] = { index = i, value = value, spread = math.sqrt(variance), axis = axes[i],
      nats = 0.5 * (value * value + variance - 1 - math.log(variance)) }
  end
  table.sort(list, function(a, b)
    if a.nats ~= b.nats then return a.nats > b.nats end
    return a.index < b.index
  end)
  return list
end

-- Paints noises (n,d) under the caption. What else the generator draws is the same in every call.
local function paint(self, u, caption, o)
  local cond = said(self, caption, u:size(1))
  cond.detail = self:from_noise(u, cond)
  local options = {}
  for key, value in next, o.sample or {} do options[key] = value end
  if not (options.seed or options.seeds) then options.generator = options.generator or core.generator(o.seed) end
  return self:sample(cond, options)
end

-- The first axes' strips: column by column, so that chance falls alike along a strip, whatever the generator.
local function strips(self, mean, list, caption, o)
  local count = math.min(o.strips, #list)
  if count == 0 then return end
  local columns = {}
  for k = 1, o.steps do
    local at = o.span * (2 * (k - 1) / (o.steps - 1) - 1)
    local rows = {}
    for i = 1, count do rows[i] = mean + (list[i].axis * (at - list[i].value)):view(1, -1) end
    columns[k] = paint(self, core.cat(rows), caption, o)
  end
  local all = core.stack(columns, 2) -- (count,steps,h,w,c)
  for i = 1, count do list[i].strip = all[i] end
end

-- The gaps of one picture under a list of captions, in nats.
local function gaps(self, x, captions, o)
  local n, shape = #captions, x.shape
  shape[1] = n
  local cond = { n = n, text = self.text and captions or nil }
  return self:gap(x:expand(shape), cond, { draws = o.draws, generator = core.generator(o.seed) }):totable()
end

local function measure(self, x, found, o)
  local caption = found.caption
  local mu, logvar = self:encode(x, said(self, caption, 1))
  local mean = self:to_noise(mu, said(self, caption, 1))
  if logvar then
    local covariance
    mean, covariance = posterior(self, mu, logvar, caption, o)
    found.axes = ranked(mean, covariance, o.by)
    strips(self, mean, found.axes, caption, o)
  end
  local captions = { caption }
  for i, item in ipairs(found.words) do captions[i + 1] = item.caption end
  local nats = gaps(self, x, captions, o)
  found.gap = nats[1]
  for i, item in ipairs(found.words) do item.gap, item.saves = nats[i + 1], nats[1] - nats[i + 1] end
  table.sort(found.words, function(a, b)
    if a.saves ~= b.saves then return a.saves > b.saves end
    return a.word < b.word
  end)
  found.rows, found.labels = { core.cat { x, paint(self, mean, caption, o) } }, { "the picture, and painted again" }
  for i, axis in ipairs(found.axes) do
    if not axis.strip then break end
    found.rows[i + 1], found.labels[i + 1] = axis.strip, ("%d: %.1f nats"):format(axis.index, axis.nats)
  end
end

--- What the caption leaves out of a picture: axes of the detail ranked by nats, with a strip of pictures for each of
-- the first while the rest is held, and what further words would save. A method of autoencoders: `ae:explain`.
-- @function explain
-- @tparam autoencoder self
-- @tparam Tensor picture (h,w,c) in [-1,1]
-- @tparam[opt=""] string caption
-- @tparam[opt] table options
--
--  - by="coordinates": or "directions", the principal axes of the uncertainty
--  - strips=6: axes that are painted; steps=7 pictures each, from -span to span=2 standard deviations of the noise
--  - words: strings to add to the caption, and as named items whole captions: { "red", dark = "a dark star" };
--    say: (caption, word) -> caption adds a word, after a space by default
--  - draws=256: for expectations; seed=1: of all that is drawn; sample: the generator's options
-- @treturn table
--
--  - gap: nats in all; caption
--  - axes: the dearest first, each {index, nats, value, spread (mean and standard deviation of q along it), axis (d),
--    strip (steps,h,w,c)}; none where the regulariser knows no variance
--  - words: what saves most first, each {word, caption, gap, saves}; a word that is not true saves less than nothing
--  - rows and labels, for lt.grid(rows, {row_labels = labels})
return function(self, picture, caption, options)
  check.type("explain", 1, "picture", picture, "tensor")
  if picture:dim() ~= 3 then check.fail("explain", 1, "picture: expected (h,w,c), got %d axes", picture:dim()) end
  caption = check.type("explain", 2, "caption", caption, "string|nil") or ""
  local o = check.options("explain", 3, options, KNOWN)
  if o.words and not self.text then check.fail("explain", 3, "words: this autoencoder has no text encoder") end
  local found = { caption = caption, words = candidates(o, caption), axes = {} }
  core.no_grad(measure, self, picture:view(1, table.unpack(picture.shape)), found, o)
  return found
end
