--- Pictures to smaller pictures of features and back: the two halves of an auto-encoder whose detail keeps its places,
-- so that a diffusion model can work there (Rombach et al. 2022, arXiv 2112.10752).
--
--     encoder = nn.SpatialEncoder { outputs = 2 * 4, channels = 3 },   -- (n,32,32,3) -> (n,8,8,8): mu beside logvar
--     decoder = nn.SpatialDecoder { detail = 4, channels = 3 },        -- (n,8,8,4) -> (n,32,32,3)
-- @module laterna.nn.latent
local call = require "laterna.nn.call"
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local levels = require "laterna.nn.levels"

local SAME = { padding = 1 }

-- A space of latents serves models with captions too: without the option text it passes over what they say.
local function pooled_of(fname, cond, n, text)
  return text > 0 and call.pooled(fname, 2, cond, n, text) or nil
end

--- (n,h,w,channels), cond -> (n,h/2^levels,w/2^levels,outputs). Each level halves the picture and doubles the width,
-- then come `blocks` residual blocks, in which the caption's pooled vector scales and shifts.
-- @function SpatialEncoder
-- @tparam table options
--
--  - outputs: channels of what comes out; twice the detail's, for mu and logvar
--  - channels=1 of the pictures
--  - width=32 at full size, levels=2, blocks=1 a level: of the convolutions
--  - text=0: size of the caption's pooled vector; with 0 captions are passed over
--
-- SpatialEncoder(outputs, { condition = text, ... }), as it was written before, is understood.
local SpatialEncoder = class("SpatialEncoder", function(self, ...)
  local options, i = levels.coder_arguments("SpatialEncoder", { "outputs" }, ...)
  local o = check.options("SpatialEncoder", i, options, levels.joined(levels.coder_options, {
    outputs = { "integer", required = true, min = 1 },
  }))
  self.text = o.text
  self.input = conv.Conv2d(o.channels, o.width, 3, SAME)
  local width = levels.add_down(self, o.width, o, o.text > 0 and o.text or nil)
  self.norm = levels.last_norm(width)
  self.out = conv.Conv2d(width, o.outputs, 3, SAME)
end)

--- @tparam Tensor x (n,h,w,channels), sides that can be halved `levels` times
-- @tparam[opt] table cond pooled (n,text), or that vector itself; needed where text is not 0, else passed over
-- @treturn Tensor (n,h/2^levels,w/2^levels,outputs)
function SpatialEncoder:forward(x, cond)
  check.type("SpatialEncoder", 1, "x", x, "tensor")
  local times = 1 << #self.down
  if x:dim() ~= 4 or x:size(2) % times ~= 0 or x:size(3) % times ~= 0 then
    check.fail("SpatialEncoder", 1, "x: expected (n,h,w,c) with sides that %d divides, got (%s)", times,
      table.concat(x.shape, ","))
  end
  local pooled = pooled_of("SpatialEncoder", cond, x:size(1), self.text)
  return self.out(self.norm(levels.run_down(self, self.input(x), pooled)))
end

--- (n,h,w,detail), cond -> (n,h*2^levels,w*2^levels,channels), the mirror of SpatialEncoder.
-- @function SpatialDecoder
-- @tparam table options detail: channels of the detail; the others as for SpatialEncoder
--
-- SpatialDecoder(detail, channels, { condition = text, ... }), as it was written before, is understood.
local SpatialDecoder = class("SpatialDecoder", function(self, ...)
  local options, i = levels.coder_arguments("SpatialDecoder", { "detail", "channels" }, ...)
  local o = check.options("SpatialDecoder", i, options, levels.joined(levels.coder_options, {
    detail = { "integer", required = true, min = 1 },
  }))
  self.text = o.text
  self.input = conv.Conv2d(o.detail, o.width << o.levels, 3, SAME)
  levels.add_up(self, o.width, o, o.text > 0 and o.text or nil)
  self.norm = levels.last_norm(o.width)
  self.out = conv.Conv2d(o.width, o.channels, 3, SAME)
end)

--- @tparam Tensor z (n,h,w,detail)
-- @tparam[opt] table cond pooled (n,text), or that vector itself; needed where text is not 0, else passed over
-- @treturn Tensor (n,h*2^levels,w*2^levels,channels)
function SpatialDecoder:forward(z, cond)
  check.type("SpatialDecoder", 1, "z", z, "tensor")
  local pooled = pooled_of("SpatialDecoder", cond, z:size(1), self.text)
  return self.out(self.norm(levels.run_up(self, self.input(z), pooled)))
end

return { SpatialEncoder = SpatialEncoder, SpatialDecoder = SpatialDecoder }
