--- The condition as a flow's layers take it: a table {tokens, mask, pooled, detail}, with `without` and `guidance`
-- where they are to be guided.
-- @module laterna.flow.condition
local check = require "laterna.check"
local core = require "laterna.core"

local flow_condition = {}

--- What a network hears of an example as one vector: pooled caption and detail side by side.
-- @tparam table widths {pooled, detail}, the sizes that are expected; 0: not wanted
-- @tparam integer n examples
-- @tparam[opt] table cond
-- @tparam[opt="flow"] string fname for messages
-- @treturn ?Tensor (n,k); nil where both widths are 0
function flow_condition.vector(widths, n, cond, fname)
  check.type("vector", 1, "widths", widths, "table")
  check.type("vector", 3, "cond", cond, "table|nil")
  fname = fname or "flow"
  local parts = {}
  for _, key in ipairs { "pooled", "detail" } do
    local width, v = widths[key], cond and cond[key]
    if width ~= 0 then
      check.type(fname, 2, "cond." .. key, v, "tensor")
      if v:dim() ~= 2 or v:size(1) ~= n or v:size(2) ~= width then
        check.fail(fname, 2, "cond.%s: expected (%d,%d), got (%s)", key, n, width, table.concat(v.shape, ","))
      end
      parts[#parts + 1] = v
    end
  end
  return #parts > 1 and core.cat(parts, 2) or parts[1]
end

--- What a network says under a condition. With cond.without, another condition, and cond.guidance, a number g, it is
-- asked twice: y = y_without + g (y_with - y_without), classifier-free guidance (Ho and Salimans 2022, arXiv
-- 2207.12598) of the numbers that shift and scale. The map stays invertible, for the numbers depend on the same input.
-- @tparam function net (x, cond) -> Tensor
-- @tparam Tensor x
-- @tparam[opt] table cond
-- @treturn Tensor
function flow_condition.ask(net, x, cond)
  check.type("ask", 1, "net", net, "callable")
  check.type("ask", 3, "cond", cond, "table|nil")
  if not cond or not cond.without then return net(x, cond) end
  local amount = check.number("flow", 2, "cond.guidance", cond.guidance)
  local without = net(x, cond.without)
  return without + (net(x, cond) - without) * amount
end

--- A condition for painting: with guidance, what the layers are to compare with is in it.
-- @tparam string fname
-- @tparam integer i which argument of fname the condition was; the options are the next
-- @tparam flow flow
-- @tparam Condition cond
-- @tparam number guidance 1 for none
-- @treturn ?table
function flow_condition.guided(fname, i, flow, cond, guidance)
  local inputs = cond:inputs(flow.text)
  if guidance == 1 then return inputs end
  if not cond:reader(flow.text) then check.fail(fname, i + 1, "guidance: this flow reads no captions") end
  inputs.without, inputs.guidance = cond:without():inputs(flow.text), guidance
  return inputs
end

return flow_condition
