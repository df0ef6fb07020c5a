--- Linear maps and embeddings.
-- @module laterna.nn.linear
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local core = require "laterna.core"
local init = require "laterna.nn.initialise"

--- y = x weight^T + bias over the last axis: (...,inputs) -> (...,outputs).
-- weight (outputs,inputs) and bias start uniform in +-1/sqrt(inputs), as in PyTorch.
-- @function Linear
-- @tparam integer inputs
-- @tparam integer outputs
-- @tparam[opt] table options {bias=true, generator}
local Linear = class("Linear", function(self, inputs, outputs, options)
  inputs = check.integer("Linear", 1, "inputs", inputs, 1)
  outputs = check.integer("Linear", 2, "outputs", outputs, 1)
  local o = check.options("Linear", 3, options, { bias = { "boolean", true }, generator = "userdata" })
  self.weight = init.kaiming_uniform_(core.zeros(outputs, inputs), { a = math.sqrt(5), generator = o.generator })
  if o.bias then
    local bound = 1 / math.sqrt(inputs)
    self.bias = init.uniform_(core.zeros(outputs), -bound, bound, { generator = o.generator })
  end
end)

function Linear:forward(x)
  return core.linear(x, self.weight, self.bias)
end

function Linear:describe()
  local shape = self.weight.shape
  return ("%d -> %d%s"):format(shape[2], shape[1], self.bias and "" or ", no bias")
end

--- A table of n vectors of d numbers: ids (int32, from 1, any shape) -> (...,d). weight (n,d) starts as N(0,1).
-- @function Embedding
-- @tparam integer n
-- @tparam integer d
-- @tparam[opt] table options {generator}
local Embedding = class("Embedding", function(self, n, d, options)
  n = check.integer("Embedding", 1, "n", n, 1)
  d = check.integer("Embedding", 2, "d", d, 1)
  local o = check.options("Embedding", 3, options, { generator = "userdata" })
  self.weight = init.normal_(core.zeros(n, d), 0, 1, { generator = o.generator })
end)

function Embedding:forward(ids)
  return core.embedding(self.weight, ids)
end

function Embedding:describe()
  local shape = self.weight.shape
  return ("%d x %d"):format(shape[1], shape[2])
end

return { Linear = Linear, Embedding = Embedding }
