--- A denoiser's condition in one vector: the time, the caption's pooled vector and the detail.
-- @module laterna.nn.time
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local core = require "laterna.core"
local Linear = require("laterna.nn.linear").Linear

local SCALE = 1000       -- times 0 to 1 become the steps 0 to 1000 for which these frequencies were chosen
local LONGEST = 10000    -- the slowest wave turns once in 2 pi times as many steps

--- Times as waves (Vaswani et al. 2017, arXiv 1706.03762, section 3.5, as in Ho et al. 2020): with a = 1000 t,
-- cos(a f_k) and then sin(a f_k), f_k = 10000^(-k / (d/2)), k = 0 ... d/2 - 1.
-- @tparam Tensor t (n), times from 0 to 1
-- @tparam integer d even
-- @treturn Tensor (n,d)
local function time_waves(t, d)
  if check.type("time_waves", 1, "t", t, "tensor"):dim() ~= 1 then
    check.fail("time_waves", 1, "t: expected (n), got %d axes", t:dim())
  end
  check.integer("time_waves", 2, "d", d, 2)
  if d % 2 ~= 0 then check.fail("time_waves", 2, "d: expected an even number, got %d", d) end
  local half = d // 2
  local f = (core.arange(0, half - 1):float() * (-math.log(LONGEST) / half)):exp()
  local a = (t * SCALE):view(-1, 1) * f:view(1, half)
  return core.cat({ a:cos(), a:sin() }, 2)
end

--- The vector that conditions every block: an MLP of the time's waves, plus linear functions of the caption's pooled
-- vector and of the detail. What is missing adds nothing.
-- @function TimeEmbedding
-- @tparam integer width of the vector
-- @tparam[opt] table options {waves=width (even), text=0, detail=0}: number of waves, sizes of pooled and of detail
local TimeEmbedding = class("TimeEmbedding", function(self, width, options)
  width = check.integer("TimeEmbedding", 1, "width", width, 1)
  local o = check.options("TimeEmbedding", 2, options, {
    waves = { "integer", width + width % 2, min = 2 }, text = { "integer", 0, min = 0 },
    detail = { "integer", 0, min = 0 },
  })
  if o.waves % 2 ~= 0 then check.fail("TimeEmbedding", 2, "waves: expected an even number, got %d", o.waves) end
  self.waves, self.text_width, self.detail_width = o.waves, o.text, o.detail
  self.fc1, self.fc2 = Linear(o.waves, width), Linear(width, width)
  -- Without a bias, so that an unconditional net and a missing caption are one and the same.
  if o.text > 0 then self.text = Linear(o.text, width, { bias = false }) end
  if o.detail > 0 then self.detail = Linear(o.detail, width, { bias = false }) end
end)

--- @tparam Tensor t (n), 0 to 1
-- @tparam[opt] table cond pooled (n,text), detail (n,detail)
-- @treturn Tensor (n,width)
function TimeEmbedding:forward(t, cond)
  check.type("TimeEmbedding", 2, "cond", cond, "table|nil")
  local e = self.fc2(self.fc1(time_waves(t, self.waves)):silu())
  if not cond then return e end
  if cond.pooled and self.text then e = e + self.text(cond.pooled) end
  if cond.detail and self.detail then e = e + self.detail(cond.detail) end
  return e
end

return { TimeEmbedding = TimeEmbedding, time_waves = time_waves }
