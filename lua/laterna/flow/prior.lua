--- Noise that depends on the condition: a Gaussian of its own for every caption.
-- @module laterna.flow.prior
local check = require "laterna.check"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"
local flow_condition = require "laterna.flow.condition"

--- y = (x - t) exp(-s) for each of d numbers, t and bounded s linear in the condition: with N(0, I) of y, x is
-- N(t, exp(s)^2) (Kingma and Dhariwal 2018, arXiv 1807.03039, have such a top for classes). As the last layer of a net
-- that gives (n,d). Starts as the identity.
--
-- A `net` of one's own says t and s in the place of the linear map: with a decoder of pictures,
-- net = nn.PictureDecoder(text + detail, 2 * channels, ...), it is the first layer of a net, takes from a picture what
-- caption and detail let expect, and leaves to the layers that follow what neither says.
-- @function ConditionalAffine
-- @tparam integer d numbers of an example, h w c of a picture
-- @tparam table options {text=0, detail=0 (sizes of cond.pooled and cond.detail, not both 0), bound=2, net: module,
-- (n,text + detail) -> (n,2d), or (n,h,w,2c): t beside s}
local ConditionalAffine = nn.class("ConditionalAffine", function(self, d, options)
  self.d = check.integer("ConditionalAffine", 1, "d", d, 1, 1 << 24)
  local o = check.options("ConditionalAffine", 2, options, {
    text = { "integer", 0, min = 0 }, detail = { "integer", 0, min = 0 },
    bound = { "number", 2, min = 1e-3, max = 10 }, net = nn.module_rule,
  })
  if o.text + o.detail == 0 then check.fail("ConditionalAffine", 2, "text, detail: expected one of them above 0") end
  self.bound, self.widths = o.bound, { pooled = o.text, detail = o.detail }
  if o.net then
    self.net = o.net
    return
  end
  self.linear = nn.Linear(o.text + o.detail, 2 * d)
  nn.init.zeros_(self.linear.weight)
  nn.init.zeros_(self.linear.bias)
end)

local function terms(self, x, cond)
  local n = x:size(1)
  local function said(_, c)
    local out = (self.net or self.linear)(flow_condition.vector(self.widths, n, c))
    if check.type("ConditionalAffine", nil, "what net gave", out, "tensor"):numel() ~= 2 * n * self.d
      or x:numel() ~= n * self.d then
      check.fail("ConditionalAffine", 1, "x: expected %d numbers an example, got (%s), and (%s) from the net", self.d,
        table.concat(x.shape, ","), table.concat(out.shape, ","))
    end
    return out
  end
  local t, s = flow_condition.ask(said, x, cond):chunk(2, -1)
  return t:flatten(2), layer.bounded(s, self.bound):flatten(2)
end

function ConditionalAffine:forward(x, cond)
  layer.check("ConditionalAffine", x, cond)
  local t, s = terms(self, x, cond)
  return ((x:flatten(2) - t) * (-s):exp()):view(x.shape), -s:sum(2)
end

--- @tparam Tensor y like x
-- @treturn Tensor
-- @treturn Tensor (n)
function ConditionalAffine:inverse(y, cond)
  layer.check("ConditionalAffine", y, cond)
  local t, s = terms(self, y, cond)
  return core.addcmul(t, y:flatten(2), s:exp()):view(y.shape), s:sum(2)
end

function ConditionalAffine:describe()
  return ("%d numbers"):format(self.d)
end

return { ConditionalAffine = ConditionalAffine }
