--- Models made of the layers: nets for laterna.flow, of pictures (n,h,w,c) in [-1,1] or of vectors (n,d).
--
-- All take the same options, and each its own beside them:
--
--  - size={h,w,c} of pictures, or {d}; levels: how often pictures are squeezed, by default as often as 2 divides their
--    sides, 3 times at most; 1 for vectors
--  - steps=8 a level; hidden=128 channels of the networks, a number or a list of one for each level; depth=1 and kernel
--    (3; 1 for vectors) of the networks, see laterna.flow.coupling_net
--  - text=0 and detail=0: sizes of cond.pooled and cond.detail, for all networks, and a ConditionalAffine at
--    the end; heads=0 of attention in the last level's networks
--  - bound: of the couplings' log-scales, or of the interval of their splines
--  - logit=1e-5: alpha of a Logit at the front, false for none; for pictures only
-- @module laterna.flow.models
local check = require "laterna.check"
local actnorm = require "laterna.flow.actnorm"
local container = require "laterna.flow.container"
local conv1x1 = require "laterna.flow.conv1x1"
local coupling = require "laterna.flow.coupling"
local layer = require "laterna.flow.layer"
local logit = require "laterna.flow.logit"
local prior = require "laterna.flow.prior"
local rearrange = require "laterna.flow.rearrange"

local models = {}

local function hidden_rule(v)
  local list = type(v) == "table" and v or { v }
  local ok = rawlen(list) > 0
  for i = 1, rawlen(list) do ok = ok and math.type(rawget(list, i)) == "integer" and rawget(list, i) > 0 end
  return ok, "an integer, or a list of one for each level"
end

local function alpha_rule(v)
  return v == false or type(v) == "number" and v >= 1e-6 and v < 0.5, "a number from 1e-6 to 0.5, or false"
end

-- Most squeezes that the sides of pictures allow, 3 at most.
local function most_levels(size)
  local h, w, levels = size[1], size[2], 0
  while levels < 3 and #size == 3 and h % 2 == 0 and w % 2 == 0 do h, w, levels = h // 2, w // 2, levels + 1 end
  return math.max(levels, 1)
end

local function read(name, options, own)
  local known = {
    size = { layer.size_rule, required = true }, levels = { "integer", min = 1, max = 16 },
    steps = { "integer", 8, min = 1, max = 1024 }, hidden = { hidden_rule, 128 },
    depth = { "integer", 1, min = 0, max = 64 }, kernel = { "integer", min = 1 }, text = { "integer", 0, min = 0 },
    detail = { "integer", 0, min = 0 }, heads = { "integer", 0, min = 0 }, bound = { "number", min = 1e-3 },
    logit = { alpha_rule, 1e-5 }, dropout = { "number", 0, min = 0, max = 0.99 },
  }
  for key, rule in pairs(own) do known[key] = rule end
  local o = check.options(name, 1, options, known)
  o.size = table.move(o.size, 1, #o.size, 1, {})
  o.pictures = #o.size == 3
  o.levels = o.levels or most_levels(o.size)
  if not o.pictures and (o.levels ~= 1 or o.heads > 0) then
    check.fail(name, 1, "levels, heads: vectors have one level and no attention")
  end
  o.kernel = o.kernel or o.pictures and 3 or 1
  return o
end

-- The options of one coupling of a level.
local function coupling_options(o, level, more)
  local hidden = type(o.hidden) == "table" and (o.hidden[level] or o.hidden[#o.hidden]) or o.hidden
  local t = { hidden = hidden, depth = o.depth, kernel = o.kernel, text = o.text, detail = o.detail, bound = o.bound,
              dropout = o.dropout, heads = level == o.levels and o.heads or 0 }
  for key, v in pairs(more or {}) do t[key] = v end
  return t
end

-- The whole net from a function that gives the layers of a level: steps(list, size, level) adds to list. For pictures
-- each level squeezes (by itself, if `squeezes`) and all but the last split.
local function build(o, squeezes, steps)
  local levels, size = {}, o.size
  for level = 1, o.levels do
    local list = {}
    if o.pictures and not squeezes then list[1] = rearrange.Squeeze() end
    for _, l in ipairs(list) do size = l:resized(size) end
    steps(list, size, level)
    levels[level] = container.Sequence(list)
    if squeezes then size = levels[level]:resized(size) end
    local c = size[#size]
    size = table.move(size, 1, #size - 1, 1, {})
    size[#size + 1] = level < o.levels and c - c // 2 or c
  end
  local net = { container.MultiScale(levels, { size = o.size }) }
  if o.pictures and o.logit then table.insert(net, 1, logit.Logit { alpha = o.logit }) end
  if o.text + o.detail > 0 then
    local d = net[#net]:resized()[1]
    net[#net + 1] = prior.ConditionalAffine(d, { text = o.text, detail = o.detail })
  end
  return #net > 1 and container.Sequence(net) or net[1]
end

local KINDS = {
  affine = coupling.AffineCoupling, additive = coupling.AdditiveCoupling, spline = coupling.SplineCoupling,
}

-- Actnorm, a 1x1 convolution and a coupling, `steps` times.
local function glow_steps(o, kind, more)
  return function(list, size, level)
    local c = size[#size]
    for _ = 1, o.steps do
      list[#list + 1] = conv1x1.Conv1x1(c, { actnorm = true })
      list[#list + 1] = kind(c, coupling_options(o, level, more))
    end
  end
end

--- Glow (Kingma and Dhariwal 2018, arXiv 1807.03039): each step is an actnorm, an invertible 1x1 convolution and a
-- coupling of channels.
-- @tparam table options as above, and coupling="affine", "additive" or "spline"
-- @treturn module
function models.Glow(options)
  local o = read("Glow", options, { coupling = { "string", "affine", one_of = { "affine", "additive", "spline" } } })
  if o.coupling == "additive" then o.bound = nil end
  return build(o, false, glow_steps(o, KINDS[o.coupling]))
end

--- Neural spline flow (Durkan et al. 2019, arXiv 1906.04032, 5): Glow's steps with rational-quadratic splines.
-- @tparam table options as above, and bins=8
-- @treturn module
function models.SplineFlow(options)
  local o = read("SplineFlow", options, { bins = { "integer", 8, min = 2, max = 64 } })
  return build(o, false, glow_steps(o, coupling.SplineCoupling, { bins = o.bins }))
end

--- RealNVP (Dinh et al. 2017, arXiv 1605.08803, 3.6): each level has affine couplings with checkerboard masks, a
-- squeeze, and couplings with channel masks, each after an actnorm in the place of batch norm; `steps` of either kind,
-- with the two halves in turn. Vectors have those of channels only.
-- @tparam table options as above; steps=4
-- @treturn module
function models.RealNVP(options)
  local o = read("RealNVP", options, { steps = { "integer", 4, min = 1, max = 1024 } })
  local function add(list, c, level, mask)
    for i = 1, o.steps do
      list[#list + 1] = actnorm.ActNorm(c)
      list[#list + 1] = coupling.AffineCoupling(c, coupling_options(o, level, { mask = mask, flip = i % 2 == 0 }))
    end
  end
  return build(o, true, function(list, size, level)
    local c = size[#size]
    if o.pictures then
      add(list, c, level, "checkerboard")
      list[#list + 1], c = rearrange.Squeeze(), 4 * c
    end
    add(list, c, level, "channel")
  end)
end

return models
