--- What a flow is given from outside: the condition as its layers take it.
-- @module laterna.flow.given
local check = require "laterna.check"
local condition = require "laterna.condition"

local given = {}

--- A condition of which some captions have been left out, as in training.
-- @tparam flow flow
-- @tparam[opt] table cond {n, text, detail}
-- @treturn ?table
function given.kept(flow, cond)
  return cond and { text = condition.forget(flow, cond.text, cond.generator), detail = cond.detail }
end

--- A condition as layers take it: {tokens, mask, pooled, detail}; nil where there is nothing to tell.
-- @tparam string fname
-- @tparam integer i which argument cond is
-- @tparam flow flow
-- @tparam[opt] table cond {n, text, detail}
-- @tparam integer n examples
-- @treturn ?table
function given.encode(fname, i, flow, cond, n)
  check.type(fname, i, "cond", cond, "table|nil")
  return condition.encode(fname, i, flow.text, given.kept(flow, cond), n)
end

--- The same for painting: with guidance, what the layers are to compare with.
-- @tparam string fname
-- @tparam integer i which argument cond is; the options are the next
-- @tparam flow flow
-- @tparam[opt] table cond
-- @tparam integer n
-- @tparam number guidance 1 for none
-- @treturn ?table
function given.guided(fname, i, flow, cond, n, guidance)
  local told = given.encode(fname, i, flow, cond, n)
  if guidance == 1 then return told end
  local encoder = condition.encoder(flow.text, cond)
  if not encoder or not told then check.fail(fname, i + 1, "guidance: this flow reads no captions") end
  told.without = condition.encode(fname, i, encoder, { detail = cond and cond.detail }, n)
  told.guidance = guidance
  return told
end

return given
