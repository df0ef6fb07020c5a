--- A training step within so much memory: blocks of the model are computed again in backward where what they would keep
-- does not fit (laterna.nn.recompute).
--
-- The first two steps compute all blocks again; the second is measured: the most bytes that were in use, and what each
-- block would have kept. Then the blocks that would keep the most are computed again, as few as make the rest fit, and
-- further ones where a step still needs more. Which they are depends on bytes alone, and results are the same bits
-- whichever they are.
-- @module laterna.train.memory
local check = require "laterna.check"
local core = require "laterna.core"
local recompute = require "laterna.nn.recompute"

local UNITS = { b = 1, kb = 1e3, mb = 1e6, gb = 1e9, kib = 1 << 10, mib = 1 << 20, gib = 1 << 30 }
local WORDS = 'bytes, or a text such as "600 MB" (B, KB, MB, GB, KiB, MiB, GiB)'

local memory = {}

--- Bytes of what a user writes.
-- @param v a number, or a text such as "600 MB" or "1.5 GiB"
-- @treturn ?integer nil where it is neither, or nothing
function memory.bytes(v)
  local n = v
  if type(v) == "string" then
    local number, unit = v:match "^%s*(%d+%.?%d*)%s*(%a+)%s*$"
    local factor = unit and UNITS[unit:lower()]
    n = factor and tonumber(number) * factor
  end
  if type(n) ~= "number" or n ~= n or n < 1 or n >= 2^53 then return nil end
  return math.floor(n)
end

--- For check.options.
function memory.rule(v)
  return memory.bytes(v) ~= nil, WORDS
end

local function text(bytes)
  if bytes >= 1e9 then return ("%.2f GB"):format(bytes / 1e9) end
  return ("%.0f MB"):format(math.ceil(bytes / 1e6))
end

local Memory = {}
Memory.__index = Memory

--- @tparam module model
-- @tparam number|string limit as of `bytes`
-- @tparam function say called with a format and values, for one line
-- @treturn table with before and after, to be called around each step
function memory.new(model, limit, say)
  local blocks = recompute.blocks("run", model)
  if #blocks == 0 then
    check.fail("run", 1, "memory: the model has no blocks that could be computed again; a class says that its modules "
      .. "are blocks with is_block = true (laterna.nn.recompute)")
  end
  for _, block in ipairs(blocks) do block:recompute() end
  return setmetatable({ limit = memory.bytes(limit), blocks = blocks, say = say, steps = 0,
    found = recompute.measure(blocks) }, Memory)
end

--- Before the body of a step.
function Memory:before()
  if self.settled then return end
  if self.steps == 1 then self.found = recompute.measure(self.blocks) end
  core.memory(true)
  self.start = core.clock()
end

-- Which blocks are computed again: the first `count` of those that would keep the most.
local function choose(self, count)
  self.count = count
  for i, block in ipairs(self.order) do block:recompute(i <= count) end
end

-- After the measured step. Blocks of one size stay in their order.
local function plan(self, peak)
  local place, spare, seconds = {}, self.limit - peak, core.clock() - self.start
  self.order = table.move(self.blocks, 1, #self.blocks, 1, {})
  for i, block in ipairs(self.blocks) do
    place[block] = i
    seconds = seconds - self.found[block].seconds
  end
  recompute.measured(self.blocks)
  table.sort(self.order, function(a, b)
    local x, y = self.found[a].bytes, self.found[b].bytes
    if x ~= y then return x > y end
    return place[a] < place[b]
  end)
  self.plain_seconds = seconds
  local count = #self.order
  while count > 0 and self.found[self.order[count]].bytes <= spare do
    spare = spare - self.found[self.order[count]].bytes
    count = count - 1
  end
  choose(self, count)
end

local function report(self, peak)
  local again = 0
  for i = 1, self.count do again = again + self.found[self.order[i]].seconds end
  local cost = self.count == 0 and "" or (", about %.0f %% more time"):format(100 * again / self.plain_seconds)
  local what = self.count == 0 and "no block is" or ("%d of %d blocks are"):format(self.count, #self.order)
  self.say("memory: a step takes %s%s; %s computed again in backward%s", text(peak),
    peak > self.limit and (", more than the %s asked for"):format(text(self.limit)) or "", what, cost)
end

--- After the body of a step.
function Memory:after()
  if self.settled then return end
  self.steps = self.steps + 1
  local peak = core.memory().peak
  if self.steps == 2 then return plan(self, peak) end
  if self.steps < 3 then return end
  if peak > self.limit and self.count < #self.order then return choose(self, self.count + 1) end
  self.settled = true
  report(self, peak)
end

return memory
