-- The small conv net of spec/golden/conv_state.py.

local core = require "laterna.core"
local nn = require "laterna.nn"

local Net = nn.class("ConvNet", function(self)
  self.down = nn.Sequential(nn.Conv2d(1, 4, 3, { stride = 2, padding = 1 }), nn.BatchNorm2d(4), core.relu)
  self.up = nn.ConvTranspose2d(4, 2, 4, { stride = 2, padding = 1 })
  self.head = nn.Linear(2, 3)
end)

-- x (n,h,w,1) -> (n,h,w,3)
function Net:forward(x)
  return self.head(self.up(self.down(x)))
end

return Net
