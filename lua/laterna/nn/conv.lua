--- Convolutions over pictures (n,h,w,c).
-- @module laterna.nn.conv
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local core = require "laterna.core"
local init = require "laterna.nn.initialise"
local pair = require "laterna.nn.pair"

-- Channels divide into groups; the message names the argument that does not.
local function divides(fname, i, name, channels, groups)
  if channels % groups ~= 0 then
    check.fail(fname, i, "%s: expected a multiple of groups (%d), got %d", name, groups, channels)
  end
end

-- weight: kaiming_uniform(a = sqrt 5), which is uniform in +-1/sqrt(fan_in); bias in the same bounds.
local function initialise(self, channels, o)
  init.kaiming_uniform_(self.weight, { a = math.sqrt(5), generator = o.generator })
  if o.bias then
    local bound = 1 / math.sqrt(init.fans(self.weight))
    self.bias = init.uniform_(core.zeros(channels), -bound, bound, { generator = o.generator })
  end
end

local function describe(self, inputs, outputs, kernel)
  local words = { ("%d -> %d, kernel %s"):format(inputs, outputs, pair.text(kernel)) }
  for _, key in ipairs { "stride", "padding", "output_padding", "dilation" } do
    local usual = (key == "stride" or key == "dilation") and 1 or 0
    local v = self.options[key]
    if v and (v[1] ~= usual or v[2] ~= usual) then words[#words + 1] = key .. " " .. pair.text(v) end
  end
  if self.options.groups ~= 1 then words[#words + 1] = "groups " .. self.options.groups end
  if not self.bias then words[#words + 1] = "no bias" end
  return table.concat(words, ", ")
end

--- Convolution: (n,h,w,inputs) -> (n,h',w',outputs), h' = (h + 2 padding - dilation (kernel - 1) - 1) // stride + 1.
-- weight (outputs,kh,kw,inputs/groups) is saved as PyTorch's (outputs,inputs/groups,kh,kw).
--
-- The layer takes a table after x: shift (n,outputs), a row for all pixels of a picture, and add, of the shape of the
-- result, are added to it as it is stored: conv(h, { shift = embedding, add = x }).
-- @function Conv2d
-- @tparam integer inputs channels
-- @tparam integer outputs channels
-- @tparam integer|{integer,integer} kernel
-- @tparam[opt] table options {stride=1, padding=0, dilation=1, groups=1, bias=true, generator}
local Conv2d = class("Conv2d", function(self, inputs, outputs, kernel, options)
  inputs = check.integer("Conv2d", 1, "inputs", inputs, 1)
  outputs = check.integer("Conv2d", 2, "outputs", outputs, 1)
  kernel = pair.check("Conv2d", 3, "kernel", kernel, 1)
  local o = check.options("Conv2d", 4, options, {
    stride = { pair.rule(1), 1 }, padding = { pair.rule(0), 0 }, dilation = { pair.rule(1), 1 },
    groups = { "integer", 1, min = 1 }, bias = { "boolean", true }, generator = "userdata",
  })
  divides("Conv2d", 1, "inputs", inputs, o.groups)
  divides("Conv2d", 2, "outputs", outputs, o.groups)
  self.options = {
    stride = pair.split(o.stride), padding = pair.split(o.padding), dilation = pair.split(o.dilation),
    groups = o.groups,
  }
  self.weight = core.zeros(outputs, kernel[1], kernel[2], inputs // o.groups)
  initialise(self, outputs, o)
end)

Conv2d.layout = { weight = { 1, 4, 2, 3 } }

function Conv2d:forward(x, terms)
  local options = self.options
  if terms then
    terms = check.options("forward", 2, terms, { shift = "tensor", add = "tensor" })
    options = {
      stride = options.stride, padding = options.padding, dilation = options.dilation, groups = options.groups,
      shift = terms.shift, add = terms.add,
    }
  end
  return core.conv2d(x, self.weight, self.bias, options)
end

function Conv2d:describe()
  local shape = self.weight.shape
  return describe(self, shape[4] * self.options.groups, shape[1], { shape[2], shape[3] })
end

--- Transposed convolution, the gradient of a convolution with respect to its input:
-- (n,h,w,inputs) -> (n,h',w',outputs), h' = (h - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.
-- weight (inputs,kh,kw,outputs/groups) is saved as PyTorch's (inputs,outputs/groups,kh,kw).
-- @function ConvTranspose2d
-- @tparam integer inputs channels
-- @tparam integer outputs channels
-- @tparam integer|{integer,integer} kernel
-- @tparam[opt] table options {stride=1, padding=0, output_padding=0, dilation=1, groups=1, bias=true, generator}
local ConvTranspose2d = class("ConvTranspose2d", function(self, inputs, outputs, kernel, options)
  inputs = check.integer("ConvTranspose2d", 1, "inputs", inputs, 1)
  outputs = check.integer("ConvTranspose2d", 2, "outputs", outputs, 1)
  kernel = pair.check("ConvTranspose2d", 3, "kernel", kernel, 1)
  local o = check.options("ConvTranspose2d", 4, options, {
    stride = { pair.rule(1), 1 }, padding = { pair.rule(0), 0 }, output_padding = { pair.rule(0), 0 },
    dilation = { pair.rule(1), 1 }, groups = { "integer", 1, min = 1 }, bias = { "boolean", true },
    generator = "userdata",
  })
  divides("ConvTranspose2d", 1, "inputs", inputs, o.groups)
  divides("ConvTranspose2d", 2, "outputs", outputs, o.groups)
  self.options = {
    stride = pair.split(o.stride), padding = pair.split(o.padding), dilation = pair.split(o.dilation),
    output_padding = pair.split(o.output_padding), groups = o.groups,
  }
  self.weight = core.zeros(inputs, kernel[1], kernel[2], outputs // o.groups)
  initialise(self, outputs, o)
end)

ConvTranspose2d.layout = { weight = { 1, 4, 2, 3 } }

function ConvTranspose2d:forward(x)
  return core.conv_transpose2d(x, self.weight, self.bias, self.options)
end

function ConvTranspose2d:describe()
  local shape = self.weight.shape
  return describe(self, shape[1], shape[4] * self.options.groups, { shape[2], shape[3] })
end

return { Conv2d = Conv2d, ConvTranspose2d = ConvTranspose2d }
