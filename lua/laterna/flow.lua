--- Normalising flows: one invertible network between pictures and noise (Dinh et al. 2014, arXiv 1410.8516; Rezende and
-- Mohamed 2015, arXiv 1505.05770).
--
--   z = f(y; caption),   log p(y | caption) = log N(z; 0, I) + log |det df/dy|
--
-- The likelihood is exact, and the noise is the picture, rewritten: flow:encode and flow:decode undo each other. y is
-- the picture x, dequantised (laterna.flow.dequantise); of vectors it is x itself.
--
--     local flow = lt.flow {
--       net = lt.flow.Glow { size = { 28, 28, 1 }, text = 64 }, size = { 28, 28, 1 },
--       text = lt.text.Encoder(captions, { dim = 64 }),
--     }
--     local loss, log = flow:loss(x, { text = captions })              -- bits per dimension
--     local pictures = flow:sample({ text = { "ankle boot", "bag" } }, { temperature = 0.8 })
--     local z = flow:encode(x, { text = captions })                    -- flow:decode(z, ...) is x
--
-- Layers to make nets of are in lt.flow.layers, nets made of them are lt.flow.Glow, RealNVP and SplineFlow.
-- @module laterna.flow
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local dequantise = require "laterna.flow.dequantise"
local evaluation = require "laterna.evaluation"
local finite = require "laterna.finite"
local journal = require "laterna.journal"
local flow_condition = require "laterna.flow.condition"
local layer = require "laterna.flow.layer"
local models = require "laterna.flow.models"
local nn = require "laterna.nn"
local noise = require "laterna.noise"
local watch = require "laterna.flow.watch"

local GUIDANCE = { guidance = { "number", 1, min = 0, max = 1e4 } }
local DRAWN = noise.with { temperature = { "number", min = 0, max = 1e6 } }
local GUIDED = noise.with { temperature = DRAWN.temperature, guidance = GUIDANCE.guidance }
local LOSS = condition.keys { generator = check.is_generator, contrast = "number", negatives = "table" }
local PLAIN, DECODE, SAMPLE = condition.keys(), condition.keys(nil, GUIDANCE), condition.keys(nil, GUIDED)

local function is_dequantiser(v)
  local ok = v == "uniform" or v == "variational" or v == "none" or layer.rule(v)
  return ok, '"uniform", "variational", "none" or an invertible layer'
end

local function dequantiser(kind, size)
  if kind == nil then kind = #size == 3 and "uniform" or "none" end
  if kind == "uniform" then return dequantise.Dequantise() end
  if kind == "variational" then return dequantise.VariationalDequantise(size[3]) end
  return kind ~= "none" and kind or nil
end

--- A flow: `lt.flow(options)`.
-- @function flow
-- @tparam table options
--
--  - net: an invertible layer, (n,h,w,c) in [-1,1] -> noise; one of lt.flow.layers or a model
--  - size: {h,w,c} of the pictures, or {d} of vectors
--  - text: a text encoder; without one captions are ignored
--  - dequantise: "uniform" noise on grey levels, "variational" noise that is learned along, a layer of one's own, or
--    "none" for what is continuous; by default uniform for pictures and none for vectors
--  - drop=0.1: how often a caption is left out in training
--  - temperature=1: what sample and rsample scale the noise with unless their options say otherwise
--  - invertible_backward=false: true to keep no activations in training, and to rebuild them from the noise in backward
--    (laterna.flow.reversible): a fraction of the memory, about twice the time
-- @treturn flow
local Flow = nn.class("flow", function(self, options)
  local o = check.options("flow", 1, options, {
    net = { layer.rule, required = true }, size = { layer.size_rule, required = true }, text = nn.module_rule,
    dequantise = is_dequantiser, drop = { "number", 0.1, min = 0, max = 1 },
    invertible_backward = { "boolean", false }, temperature = { "number", 1, min = 0, max = 1e6 },
  })
  self.net, self.text, self.drop, self.temperature = o.net, o.text, o.drop, o.temperature
  self.size, self.d = table.move(o.size, 1, #o.size, 1, {}), 1
  for _, side in ipairs(self.size) do self.d = self.d * side end
  self.dequantise = dequantiser(o.dequantise, self.size)
  for _, m in self.net:named_modules() do
    if o.invertible_backward and m.rebuild_activations then m:rebuild_activations() end
  end
end)

--- The keys of its condition, for a model that passes its own on (laterna.condition).
-- @tparam string fname "loss" or "sample"
-- @treturn table
function Flow:condition_keys(fname) return fname == "sample" and SAMPLE or LOSS end -- luacheck: ignore self

Flow.layers = require "laterna.flow.layers"
for name, model in pairs(models) do Flow[name] = model end
Flow.TarFlow, Flow.denoise = require("laterna.flow.tarflow").TarFlow, require("laterna.flow.noise").denoise

-- Examples of the size that the flow is for.
local function examples(fname, self, x)
  check.type(fname, 1, "x", x, "tensor")
  local size = table.concat(self.size, ",")
  if x:dim() ~= #self.size + 1 or table.concat(x.shape, ",", 2) ~= size or x:size(1) == 0 then
    check.fail(fname, 1, "x: expected (n,%s), got (%s)", size, table.concat(x.shape, ","))
  end
  return condition.range(fname, 1, "x", x, not self.dequantise)
end

-- y, and what dequantisation adds to its log-density.
local function continuous(self, x, generator)
  if not self.dequantise then return x, layer.none(x) end
  return watch.step(self.dequantise, false, x, { generator = generator })
end

-- log p(y | cond), in nats; cond as layers take it.
local function density(self, y, cond)
  local z, logdet = watch.step(self.net, false, y, cond)
  return layer.total((z:square() + math.log(2 * math.pi)) * -0.5) + logdet
end

-- The words for numbers that are not finite: the step of the run, and the layer they came from.
local function explain(self, x, y, cond)
  local step = finite.where()
  if not finite.is_finite(x) then return step .. "flow: the loss is not finite: x has values that are not" end
  local culprit = watch.first(function()
    if self.dequantise then watch.step(self.dequantise, false, x, nil) end
    return density(self, y, cond)
  end)
  for name, m in self:named_modules() do
    if rawequal(m, culprit) then
      return ("%sflow: the loss is not finite: layer %s (%s) is the first with a value that is not"):format(step, name,
        getmetatable(m).__name)
    end
  end
  return step .. "flow: the loss is not finite, though every layer's values are"
end

-- -log P(caption | x), where it is either its own or another (condition.negatives), and both are as likely before:
-- softplus(log p(x | other) - log p(x | own)), (k) nats for the pictures whose caption was not left out and for which
-- there is another; nil if there is none. logp: log p(y | own), (n); own: the condition with all captions; kept: with
-- some left out.
local function contrast(self, y, logp, own, kept)
  local rows, other = condition.negatives("loss", 2, own, own.negatives)
  local pick, of_other = {}, {}
  for k, i in ipairs(rows) do
    if kept.text[i] ~= "" then pick[#pick + 1], of_other[#of_other + 1] = i, k end
  end
  if #pick == 0 then return nil end
  local index = core.tensor(pick, { dtype = "int32" })
  local detail = own.detail and own.detail:index_select(1, index)
  local captions = {}
  for k, row in ipairs(of_other) do captions[k] = other.text[row] end
  other = own:with { n = #pick, text = captions, detail = detail or false }
  return (density(self, y:index_select(1, index), other:inputs(self.text)) - logp:index_select(1, index)):softplus()
end

--- What to minimise: bits per dimension, a scalar, and numbers to log (bits). Of pictures it is a bound of
-- -log2 P(x) / (h w c) for 8-bit pictures; of what is not dequantised, -log2 p(x) / d. A loss that is not finite is an
-- error that names the layer it came from, and the step within lt.train.run; where the run leaves such steps out
-- (nonfinite = "skip"), it is returned.
--
-- With contrast, a weight w, - w log2 P(caption | x) / d is added, where the caption is either the picture's own or one
-- of another picture of the batch, or the one that negatives lists for it: Bayes' rule (`classify`) is right more often
-- then, and captions mean more; with a large weight pictures become less likely. It costs a second pass. Logged as
-- contrast, in nats, and named, the part of the pictures that are likelier under their own caption.
-- @tparam Tensor x (n,h,w,c) in [-1,1], or (n,d)
-- @tparam[opt] table cond text; detail (n,k); generator for dequantisation and the captions that are left out;
-- contrast, at least 0; negatives, a list of captions that are not the pictures' (false: none for this one)
-- @treturn Tensor
-- @treturn table
function Flow:loss(x, cond)
  examples("loss", self, x)
  cond = condition.read("loss", 2, cond, LOSS, x:size(1))
  local weight = cond.contrast and check.number("loss", 2, "cond.contrast", cond.contrast, 0, 1e9) or 0
  local kept = cond:dropped(self)
  local inputs = kept:inputs(self.text)
  local y, logdet = continuous(self, x, cond.generator)
  local logp = density(self, y, inputs)
  local loss = (logp + logdet):mean() * (-1 / (self.d * math.log(2)))
  local bits = loss:item()
  if bits - bits ~= 0 and not finite.skips() then error(explain(self, x, y, inputs), 0) end
  local log = { bits = bits }
  if weight == 0 then return loss, log end
  if not cond:reader(self.text) or not cond.text then
    check.fail("loss", 2, "cond.contrast: it needs a flow that reads captions, and cond.text, a list of them")
  end
  local other = contrast(self, y, logp, cond, kept)
  if not other then return loss, log end
  log.contrast, log.named = other:mean():item(), core.no_grad(function()
    return other:lt(math.log(2)):float():mean():item()
  end)
  return loss + other:mean() * (weight / (self.d * math.log(2))), log
end

Flow.loss = journal.whole(Flow.loss)

--- Height, width and channels of the pictures; nil for vectors.
-- @treturn ?table
function Flow:picture_size() return #self.size == 3 and self.size or nil end

-- Runs f in evaluation mode; recorded only where a gradient of t is wanted.
local function quietly(self, t, f, ...)
  if not t.requires_grad then return evaluation.quietly(self, f, ...) end
  return evaluation.run(self, f, ...)
end

--- log P(x | caption), or of what is continuous log p, in nats; of pictures a bound. In evaluation mode; recorded if x
-- wants a gradient. Bits per dimension are -log_prob / (d log 2).
-- @tparam Tensor x (n,h,w,c) or (n,d)
-- @tparam[opt] table cond text, detail
-- @tparam[opt] table options generator; draws=1 of the noise of dequantisation, of which the bound is the average
-- @treturn Tensor (n)
function Flow:log_prob(x, cond, options)
  examples("log_prob", self, x)
  local o = check.options("log_prob", 3, options, {
    generator = check.is_generator, draws = { "integer", 1, min = 1, max = 1 << 16 },
  })
  cond = condition.read("log_prob", 2, cond, PLAIN, x:size(1))
  return quietly(self, x, function()
    local inputs, sum = cond:inputs(self.text), 0
    for _ = 1, o.draws do
      local y, logdet = continuous(self, x, o.generator)
      sum = sum + density(self, y, inputs) + logdet
    end
    return sum * (1 / o.draws)
  end)
end

--- The noise that a picture is. Pictures are taken in the middle of their grey levels, so that decode gives them back.
-- @tparam Tensor x (n,h,w,c) or (n,d)
-- @tparam[opt] table cond text, detail
-- @treturn Tensor z (n,d); flow:parts(z) are its parts
function Flow:encode(x, cond)
  examples("encode", self, x)
  cond = condition.read("encode", 2, cond, PLAIN, x:size(1))
  return quietly(self, x, function()
    local y = self.dequantise and (self.dequantise.centre or dequantise.centre)(x) or x
    local z = self.net(y, cond:inputs(self.text))
    return z:flatten(2)
  end)
end

local function noise_size(fname, self, z)
  check.type(fname, 1, "z", z, "tensor")
  if z:dim() ~= 2 or z:size(2) ~= self.d or z:size(1) == 0 or z.dtype ~= "float32" then
    check.fail(fname, 1, "z: expected (n,%d), got (%s)", self.d, table.concat(z.shape, ","))
  end
end

local function paint(self, z, inputs)
  local size = layer.resized(self.net, self.size)
  local x = self.net:inverse(z:view(z:size(1), table.unpack(size)), inputs)
  if self.dequantise then x = self.dequantise:inverse(x, nil) end
  return x
end

--- The picture that noise is: whole grey levels where the flow dequantises.
-- @tparam Tensor z (n,d)
-- @tparam[opt] table cond text, detail
-- @tparam[opt] table options guidance=1, as for sample
-- @treturn Tensor (n,h,w,c) in [-1,1], or (n,d)
function Flow:decode(z, cond, options)
  noise_size("decode", self, z)
  local o = check.options("decode", 3, options, GUIDANCE)
  cond = condition.read("decode", 2, cond, DECODE, z:size(1))
  return quietly(self, z, function()
    return paint(self, z, flow_condition.guided("decode", 2, self, cond, o.guidance))
  end)
end

-- Noise of (n,d) as the options of sample and rsample ask for it.
local function drawn(fname, self, n, o)
  return noise.draw({ n, self.d }, noise.source(fname, 2, o, n)) * (o.temperature or self.temperature)
end

--- Pictures from captions: noise decoded. In evaluation mode, nothing recorded.
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options temperature, by default the flow's, scales the noise; guidance=1: how far to exaggerate
-- what the caption changes in every layer's numbers (laterna.flow.condition); seed: picture i has its own generator,
-- seeded with seed + i - 1, and does not depend on its batch; seeds: the same with a list; or generator: one for all
-- @treturn Tensor (n,h,w,c) in [-1,1], or (n,d)
function Flow:sample(cond, options)
  cond = condition.read("sample", 1, cond, SAMPLE)
  local o = check.options("sample", 2, options, GUIDED)
  return evaluation.quietly(self, function()
    local inputs = flow_condition.guided("sample", 1, self, cond, o.guidance)
    return paint(self, drawn("sample", self, cond.n, o), inputs)
  end)
end

--- The same in training mode and recorded, so that whoever judges the pictures can teach the flow: its gradient runs
-- through the inverse. Where the flow dequantises, pictures are not rounded to grey levels here, for a rounded number
-- has no slope. No caption is left out.
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options temperature, seed, seeds, generator as for sample
-- @treturn Tensor (n,h,w,c), or (n,d)
function Flow:rsample(cond, options)
  cond = condition.read("rsample", 1, cond, SAMPLE)
  local o = check.options("rsample", 2, options, DRAWN)
  local z = drawn("rsample", self, cond.n, o)
  local size = layer.resized(self.net, self.size)
  local y = self.net:inverse(z:view(cond.n, table.unpack(size)), cond:inputs(self.text))
  local of = self.dequantise
  if of and of.smooth then return of.smooth(y) end
  return of and (of:inverse(y, nil)) or y
end

--- Noise cut into the parts that the levels of a multi-scale net gave, finest first; with any other net it is one.
-- @tparam Tensor z (n,d)
-- @treturn table tensors (n,h,w,c)
function Flow:parts(z)
  noise_size("parts", self, z)
  return layer.cut(z, self.net.part_sizes and self.net:part_sizes() or { layer.resized(self.net, self.size) })
end

--- Parts joined to noise again.
-- @tparam table parts tensors (n,h,w,c), as flow:parts gives them
-- @treturn Tensor z (n,d)
function Flow:join(parts)
  check.type("join", 1, "parts", parts, "table")
  local flat = {}
  for i = 1, rawlen(parts) do flat[i] = check.type("join", 1, "parts", rawget(parts, i), "tensor"):flatten(2) end
  if #flat == 0 then check.fail("join", 1, "parts: expected at least one") end
  local z = core.cat(flat, 2)
  noise_size("join", self, z)
  return z
end

--- Which caption a picture has, by Bayes' rule with equal odds before: the one under which it is likeliest. The noise
-- of dequantisation is the same for all captions.
-- @tparam Tensor x (n,h,w,c) or (n,d)
-- @tparam {string,...} captions the k to choose from
-- @tparam[opt] table options draws=1 of the noise, over which log P is averaged; batch=100 pictures at a time;
-- generator
-- @treturn Tensor (n) int32, numbers of captions
-- @treturn Tensor (n,k) log P(caption | x)
function Flow:classify(x, captions, options)
  examples("classify", self, x)
  if not self.text then check.fail("classify", nil, "self: this flow reads no captions") end
  check.type("classify", 2, "captions", captions, "table")
  if rawlen(captions) == 0 then check.fail("classify", 2, "captions: expected at least one") end
  local o = check.options("classify", 3, options, {
    draws = { "integer", 1, min = 1, max = 1 << 16 }, batch = { "integer", 100, min = 1 },
    generator = check.is_generator,
  })
  local rows = {}
  local function likelihoods(part)
    local n, columns = part:size(1), {}
    for _ = 1, o.draws do
      local y = continuous(self, part, o.generator)
      for k = 1, rawlen(captions) do
        local same = {}
        for i = 1, n do same[i] = rawget(captions, k) end
        local inputs = condition.read("classify", 2, { text = same }, PLAIN, n):inputs(self.text)
        local logp = density(self, y, inputs) * (1 / o.draws)
        columns[k] = columns[k] and columns[k] + logp or logp
      end
    end
    return core.stack(columns, 2)
  end
  local n = x:size(1)
  for first = 1, n, o.batch do
    local part = x:narrow(1, first, math.min(o.batch, n - first + 1))
    rows[#rows + 1] = evaluation.quietly(self, likelihoods, part)
  end
  local logp = core.cat(rows):log_softmax(2)
  return logp:argmax(2), logp
end

return Flow
