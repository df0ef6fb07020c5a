--- Where the random numbers of painting come from: the default generator, another, or one for each picture.
-- @module laterna.noise
local check = require "laterna.check"
local core = require "laterna.core"

local noise = {}

--- The options of sample that belong here, for check.options.
noise.options = { seed = "integer", seeds = "table", generator = check.is_generator }

--- Rules of check.options with these among them.
-- @tparam table rules
-- @treturn table the same
function noise.with(rules)
  for key, rule in pairs(noise.options) do rules[key] = rule end
  return rules
end

--- The source that these options name: seed gives picture i a generator of its own, seeded with seed + i - 1.
-- @tparam string fname
-- @tparam integer i which argument the options are
-- @tparam table o seed, seeds, generator
-- @tparam integer n pictures, or vectors
-- @treturn nil|Generator|{Generator,...}
function noise.source(fname, i, o, n)
  if (o.seed and 1 or 0) + (o.seeds and 1 or 0) + (o.generator and 1 or 0) > 1 then
    check.fail(fname, i, "seed: expected one of seed, seeds and generator")
  end
  if not o.seed and not o.seeds then return o.generator end
  if o.seeds and #o.seeds ~= n then check.fail(fname, i, "seeds: %d for %d pictures", #o.seeds, n) end
  local list = {}
  for k = 1, n do
    list[k] = core.generator(o.seeds and check.integer(fname, i, "seeds", o.seeds[k]) or o.seed + k - 1)
  end
  return list
end

--- N(0, I) of a shape {n,...}.
-- @tparam table shape
-- @tparam[opt] Generator|table|function source as a sampler's option `noise`
-- @treturn Tensor
function noise.draw(shape, source)
  if type(source) == "function" then return source(shape) end
  if type(source) == "table" then return core.randn_each(source, { table.unpack(shape, 2) }) end
  return core.randn(shape, { generator = source })
end

return noise
