--- Blocks of a network that keep nothing for backward but what they were called with, and are computed again there
-- (laterna.autograd's recompute; "gradient checkpointing" elsewhere). Results and gradients are the same bits; a step
-- takes up to a third more time.
--
--     local net = nn.DiT { dim = 384, depth = 12 }
--     net:recompute()                                  -- all twelve blocks
--     net.blocks[1]:recompute(false)                   -- but for the first
--
-- What counts as a block: the blocks of nn.DiT, nn.UNet, nn.Generator and text encoders, residual blocks, nn.Residual,
-- modules in an nn.Sequential that are made of others, and modules of classes that say so: `MyBlock.is_block = true`.
-- Critics have none: gradients of gradients, which their penalties ask for, do not go through what is computed again.
-- Other classes say so by `no_blocks = true`.
-- @module laterna.nn.recompute
local autograd = require "laterna.autograd"
local core = require "laterna.core"
local walk = require "laterna.nn.walk"

local recompute = {}

-- What measure has been asked about: {bytes, seconds} by module.
local probes = setmetatable({}, { __mode = "k" })

local function noted(probe, saved, start, ...)
  probe.bytes = probe.bytes + core.memory().saved - saved
  probe.seconds = probe.seconds + core.clock() - start
  return ...
end

-- A forward that is called twice, the second time in backward: that call is measured.
local function measured(probe, forward)
  local again = false
  return function(...)
    if again then return noted(probe, core.memory().saved, core.clock(), forward(...)) end
    again = true
    return forward(...)
  end
end

--- What a module gives that is computed again in backward.
-- @tparam module module
-- @param ... what it is called with
function recompute.call(module, ...)
  local forward, probe = module.forward, probes[module]
  return autograd.recompute(probe and measured(probe, forward) or forward, module, ...)
end

-- Is it a block, below what is `above`?
local function is_block(module, above)
  if module.is_block then return true end
  return above ~= nil and above.holds_blocks == true and #walk.survey("blocks", module).modules > 1
end

--- The blocks of a module, itself among them; none lies within another.
-- @tparam string fname the function to be named in errors
-- @tparam module module
-- @treturn {module,...} in natural order of their names
function recompute.blocks(fname, module)
  local blocks, last, by_name = {}, nil, {} -- last: what the names of all that is in the last block begin with
  for _, entry in ipairs(walk.survey(fname, module).modules) do
    local name = entry.name
    by_name[name] = entry.module
    local above = name ~= "" and by_name[name:match "^(.*)%." or ""] or nil
    local is_inside = last and name:sub(1, #last) == last
    local found = not is_inside and not entry.module.no_blocks and is_block(entry.module, above)
    if found then blocks[#blocks + 1] = entry.module end
    if found or not is_inside and entry.module.no_blocks then last = name == "" and "" or name .. "." end
  end
  return blocks
end

--- Begins to measure modules that are computed again: `bytes` that the tape holds of what is computed, and `seconds`.
-- @tparam {module,...} modules
-- @treturn table {bytes, seconds} by module, which grow with every backward
function recompute.measure(modules)
  local found = {}
  for _, module in ipairs(modules) do
    found[module] = { bytes = 0, seconds = 0 }
    probes[module] = found[module]
  end
  return found
end

--- Ends that.
-- @tparam {module,...} modules
function recompute.measured(modules)
  for _, module in ipairs(modules) do probes[module] = nil end
end

return recompute
