--- Layers without parameters: pooling, resampling, dropout.
-- @module laterna.nn.pool
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local core = require "laterna.core"
local pair = require "laterna.nn.pair"

-- A window that moves by its own size where no stride is named.
local function pooling(name, operation)
  local Pool = class(name, function(self, kernel, options)
    self.kernel = pair.check(name, 1, "kernel", kernel, 1)
    local o = check.options(name, 2, options, { stride = pair.rule(1), padding = { pair.rule(0), 0 } })
    self.options = { stride = pair.split(o.stride or kernel), padding = pair.split(o.padding) }
  end)

  function Pool:forward(x)
    return core[operation](x, self.kernel, self.options)
  end

  function Pool:describe()
    return ("kernel %s, stride %s"):format(pair.text(self.kernel), pair.text(self.options.stride))
  end
  return Pool
end

--- Mean over windows: (n,h,w,c) -> (n,h',w',c).
-- @function AvgPool2d
-- @tparam integer|{integer,integer} kernel
-- @tparam[opt] table options {stride=kernel, padding=0}
local AvgPool2d = pooling("AvgPool2d", "avg_pool2d")

--- Maximum over windows: (n,h,w,c) -> (n,h',w',c).
-- @function MaxPool2d
-- @tparam integer|{integer,integer} kernel
-- @tparam[opt] table options {stride=kernel, padding=0}
local MaxPool2d = pooling("MaxPool2d", "max_pool2d")

--- Enlarges pictures: (n,h,w,c) -> (n,h scale,w scale,c).
-- @function Upsample
-- @tparam table options {scale=2, mode="nearest"|"bilinear"}
local Upsample = class("Upsample", function(self, options)
  local o = check.options("Upsample", 1, options, {
    scale = { "integer", 2, min = 1 }, mode = { "string", "nearest", one_of = { "nearest", "bilinear" } },
  })
  self.scale, self.mode = o.scale, o.mode
end)

function Upsample:forward(x)
  if self.mode == "nearest" then return core.upsample_nearest(x, self.scale) end
  check.type("Upsample", 1, "x", x, "tensor")
  return core.resize_bilinear(x, { x:size(2) * self.scale, x:size(3) * self.scale })
end

function Upsample:describe()
  return ("x%d, %s"):format(self.scale, self.mode)
end

--- Dropout (Srivastava et al. 2014): in training mode zeroes each value with probability p, scaling the rest by
-- 1/(1-p); draws from the default generator, so that checkpoints know its state. In evaluation mode it does nothing.
-- @function Dropout
-- @tparam[opt=0.5] number p
local Dropout = class("Dropout", function(self, p)
  self.p = check.number("Dropout", 1, "p", p == nil and 0.5 or p, 0, 1)
end)

function Dropout:forward(x)
  if not self.training or self.p == 0 then return x end
  return core.dropout(x, self.p)
end

function Dropout:describe()
  return tostring(self.p)
end

return { AvgPool2d = AvgPool2d, MaxPool2d = MaxPool2d, Upsample = Upsample, Dropout = Dropout }
