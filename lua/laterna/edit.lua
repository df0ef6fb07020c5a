--- Editing pictures by their noise. Works with every family whose encode turns pictures into noise and whose decode
-- turns it back: a flow, where nothing is lost on the way, a vae, a diffusion model.
--
--     local z = flow:encode(pictures)
--     lt.show(flow:decode(lt.edit.interpolate(z[{ 1, 1 }], z[{ 2, 2 }], 8)))
--     local longer = lt.edit.attribute(flow, pictures, captions, "dress")
--     lt.show(flow:decode(lt.edit.walk(z, longer, { -1, 0, 1 })), { columns = 3 })
--
-- Noise is (n,...), one row a picture. Where each picture becomes several they come one after another, so that a grid
-- with that many columns has a picture in each row.
-- @module laterna.edit
local check = require "laterna.check"
local core = require "laterna.core"

local edit = {}

local function noise(fname, i, name, z)
  check.type(fname, i, name, z, "tensor")
  if z:dim() < 2 or z:numel() == 0 or z.dtype ~= "float32" then
    check.fail(fname, i, "%s: expected float32 noise (n,...), got %s (%s)", name, z.dtype, table.concat(z.shape, ","))
  end
  return z
end

local function alike(fname, i, name, z, like)
  noise(fname, i, name, z)
  if table.concat(z.shape, ",") ~= table.concat(like.shape, ",") then
    check.fail(fname, i, "%s: expected (%s), got (%s)", name, table.concat(like.shape, ","), table.concat(z.shape, ","))
  end
  return z
end

local function numbers(fname, i, name, list)
  check.type(fname, i, name, list, "table")
  if rawlen(list) == 0 then check.fail(fname, i, "%s: expected at least one number", name) end
  local out = {}
  for k = 1, rawlen(list) do out[k] = check.number(fname, i, ("%s[%d]"):format(name, k), rawget(list, k)) end
  return out
end

-- A list of k tensors (n,...) as (n k,...), those of one row beside each other.
local function rows(list, shape)
  local all = { shape[1] * #list, table.unpack(shape, 2) }
  return core.stack(list, 2):view(all)
end

-- The angle between two noises, (n,1).
local function angle(a, b)
  local function unit(t) return t / t:norm(2, { keepdim = true }):clamp(1e-12) end
  local cosine = (unit(a) * unit(b)):sum(2, { keepdim = true }):clamp(-1, 1)
  local out = {}
  for i, row in ipairs(cosine:totable()) do out[i] = { math.acos(row[1]) } end
  return core.tensor(out)
end

--- Pictures between pictures. Spherical (White 2016, arXiv 1609.04468), the noise between is as long as noise is,
--
--   z(t) = (sin((1 - t) w) z1 + sin(t w) z2) / sin w,   w the angle between z1 and z2
--
-- linear it is shorter in the middle, where the likely but untypical pictures are.
-- @tparam Tensor z1 (m,...)
-- @tparam Tensor z2 like z1
-- @tparam[opt=8] integer n how many, z1 and z2 themselves included
-- @tparam[opt] table options {kind="spherical", or "linear"}
-- @treturn Tensor (m n,...)
function edit.interpolate(z1, z2, n, options)
  noise("interpolate", 1, "z1", z1)
  alike("interpolate", 2, "z2", z2, z1)
  n = check.integer("interpolate", 3, "n", n == nil and 8 or n, 2, 1 << 16)
  local o = check.options("interpolate", 4, options, {
    kind = { "string", "spherical", one_of = { "spherical", "linear" } },
  })
  local a, b = z1:flatten(2), z2:flatten(2)
  local w = angle(a, b)
  -- Where the two point the same way, or opposite ways, there is no arc: straight on.
  local straight = o.kind == "linear" and core.ones(w.shape) or core.lt(w:sin(), 1e-3)
  local list = {}
  for k = 1, n do
    local t = (k - 1) / (n - 1)
    local below = core.where(straight, 1, w:sin())
    local from = core.where(straight, 1 - t, (w * (1 - t)):sin() / below)
    local to = core.where(straight, t, (w * t):sin() / below)
    list[k] = (a * from + b * to):view(z1.shape)
  end
  return rows(list, z1.shape)
end

--- From the mean of some noise to the mean of other: what tells them apart (Kingma and Dhariwal 2018, arXiv 1807.03039,
-- section 5).
-- @tparam Tensor with (n,...)
-- @tparam Tensor without (m,...)
-- @treturn Tensor (1,...)
function edit.direction(with, without)
  noise("direction", 1, "with", with)
  noise("direction", 2, "without", without)
  if table.concat(with.shape, ",", 2) ~= table.concat(without.shape, ",", 2) then
    check.fail("direction", 2, "without: expected (m,%s), got (%s)", table.concat(with.shape, ",", 2),
      table.concat(without.shape, ","))
  end
  return with:mean(1, { keepdim = true }) - without:mean(1, { keepdim = true })
end

local function has_word(caption, word)
  for w in caption:lower():gmatch "[^%s%p]+" do
    if w == word then return true end
  end
  return false
end

-- The method of a generator, whatever family it is of.
local function method(fname, generator, name)
  local ok, f = pcall(function() return generator[name] end)
  if not ok or not check.is(f, "callable") then
    check.fail(fname, 1, "generator: expected a model with %s, got %s", name, check.describe(generator))
  end
  return f
end

-- What a model's method returned: a tensor, of n rows where n is known.
local function returned(fname, name, v, n)
  noise(fname, 1, "what generator:" .. name .. " returns", v)
  if n and v:size(1) ~= n then
    check.fail(fname, 1, "what generator:%s returns: expected %d rows, got %d", name, n, v:size(1))
  end
  return v
end

--- The direction of an attribute: mean noise of the pictures whose caption has a word, less that of the others. Encoded
-- without captions, unless there is a condition, so that all that the word means is in the noise.
-- @tparam table generator with encode(x, cond)
-- @tparam Tensor x (n,h,w,c)
-- @tparam {string,...} captions one for each picture
-- @tparam string word in any case; whole words count
-- @tparam[opt] table options {batch=100 pictures at a time}
-- @treturn Tensor direction (1,...)
-- @treturn integer how many captions have the word
function edit.attribute(generator, x, captions, word, options)
  local encode = method("attribute", generator, "encode")
  check.type("attribute", 2, "x", x, "tensor")
  check.type("attribute", 3, "captions", captions, "table")
  word = check.type("attribute", 4, "word", word, "string"):lower()
  local o = check.options("attribute", 5, options, { batch = { "integer", 100, min = 1 } })
  if x:dim() < 2 or rawlen(captions) ~= x:size(1) then
    check.fail("attribute", 3, "captions: expected one for each picture of (%s), got %d", table.concat(x.shape, ","),
      rawlen(captions))
  end
  local n, sums, counts = x:size(1), {}, { [true] = 0, [false] = 0 }
  for first = 1, n, o.batch do
    local part = x:narrow(1, first, math.min(o.batch, n - first + 1))
    local z = returned("attribute", "encode", encode(generator, part, nil), #part)
    for i = 1, z:size(1) do
      local caption = check.type("attribute", 3, "captions", rawget(captions, first + i - 1), "string")
      local kind = has_word(caption, word)
      sums[kind] = sums[kind] and sums[kind] + z[{ i, i }] or z[{ i, i }]
      counts[kind] = counts[kind] + 1
    end
  end
  for kind, count in pairs(counts) do
    if count == 0 then
      check.fail("attribute", 4, "word: %s captions have %s", kind and "no" or "all", check.describe(word))
    end
  end
  return sums[true] * (1 / counts[true]) - sums[false] * (1 / counts[false]), counts[true]
end

--- Steps along a direction: z + amount direction.
-- @tparam Tensor z (m,...)
-- @tparam Tensor direction (1,...), or like z
-- @tparam {number,...} amounts k of them; 0 is z itself, -1 the other way
-- @treturn Tensor (m k,...)
function edit.walk(z, direction, amounts)
  noise("walk", 1, "z", z)
  noise("walk", 2, "direction", direction)
  local n = direction:size(1)
  if n ~= 1 and n ~= z:size(1) or table.concat(direction.shape, ",", 2) ~= table.concat(z.shape, ",", 2) then
    check.fail("walk", 2, "direction: expected (1,%s), got (%s)", table.concat(z.shape, ",", 2),
      table.concat(direction.shape, ","))
  end
  local list = {}
  for k, amount in ipairs(numbers("walk", 3, "amounts", amounts)) do list[k] = z + direction * amount end
  return rows(list, z.shape)
end

--- z1 with some parts of z2: of a multi-scale flow, the fine ones (1, ...) are details, the last the coarse shape.
-- @tparam table flow with parts(z) and join(parts)
-- @tparam Tensor z1 (n,d)
-- @tparam Tensor z2 like z1
-- @tparam {integer,...} which numbers of the parts that come from z2
-- @treturn Tensor (n,d)
function edit.swap(flow, z1, z2, which)
  local parts, join = method("swap", flow, "parts"), method("swap", flow, "join")
  noise("swap", 2, "z1", z1)
  alike("swap", 3, "z2", z2, z1)
  local out = check.type("swap", 1, "what flow:parts returns", parts(flow, z1), "table")
  local other = check.type("swap", 1, "what flow:parts returns", parts(flow, z2), "table")
  for _, k in ipairs(numbers("swap", 4, "which", which)) do
    k = check.integer("swap", 4, "which", k, 1, #out)
    out[k] = other[k]
  end
  return join(flow, out)
end

--- The same pictures at several temperatures: colder, they are more like each other and more likely.
-- @tparam table generator whose sample takes temperature and seed
-- @tparam[opt] table cond what to paint, n pictures
-- @tparam {number,...} temperatures k of them
-- @tparam[opt] table options {seed=1}, and others for sample
-- @treturn Tensor (n k,h,w,c)
function edit.temperatures(generator, cond, temperatures, options)
  local sample = method("temperatures", generator, "sample")
  check.type("temperatures", 2, "cond", cond, "table|nil")
  local settings = { seed = 1 }
  for key, v in next, check.type("temperatures", 4, "options", options, "table|nil") or {} do settings[key] = v end
  local list = {}
  for k, t in ipairs(numbers("temperatures", 3, "temperatures", temperatures)) do
    settings.temperature = t
    list[k] = returned("temperatures", "sample", sample(generator, cond, settings), list[1] and #list[1])
  end
  return rows(list, list[1].shape)
end

return edit
