--- Pictures in the terminal.
-- @module laterna.show
local core = require "laterna.core"
local check = require "laterna.check"
local grid = require "laterna.show.grid"
local ground = require "laterna.show.ground"
local halfblock = require "laterna.show.halfblock"
local inline = require "laterna.show.inline"
local pixels = require "laterna.show.pixels"
local sixel = require "laterna.show.sixel"
local terminal = require "laterna.show.terminal"

local COMFORTABLE_WIDTH, COMFORTABLE_HEIGHT = 600, 400 -- small pictures grow towards this many pixels
local CELL = 10                                        -- pixels a column, where the terminal does not say

local OPTIONS = {
  protocol = { one_of = terminal.protocols }, width = { "integer", min = 1, max = 10000 },
  scale = { "integer", min = 1, max = 256 }, out = terminal.writer, tty = "boolean",
  ground = { ground.is, "chequered" }, columns = "integer", pad = "integer", background = "number",
  labels = "table", row_labels = "table", column_labels = "table",
}
local FOR_GRID = { "columns", "pad", "background", "labels", "row_labels", "column_labels" }

-- The grid's own errors name 'grid' and its arguments, which are show's too, at the same places.
local function as_grid(pictures, o)
  local options = { ground = o.ground }
  for _, key in ipairs(FOR_GRID) do options[key] = o[key] end
  return grid(pictures, options)
end

-- One picture out of whatever came, and what to call it.
local function resolve(what, o)
  if type(what) == "string" then
    return pixels.read("show", 1, "picture", core.load_picture(what), o.ground), "picture " .. what .. " "
  end
  check.type("show", 1, "picture", what, "tensor|table|string")
  local shape = type(what) ~= "table" and what.shape
  local many = not shape or #shape == 4
  for _, key in ipairs(FOR_GRID) do many = many or o[key] ~= nil end
  if not many then return pixels.read("show", 1, "picture", what, o.ground), "picture " end
  local p = pixels.read("show", 1, "picture", as_grid(what, o))
  if shape and #shape == 4 then
    p.shape = pixels.size_text { shape[2], shape[3], shape[4] }
    return p, shape[1] == 1 and "picture " or shape[1] .. " pictures "
  end
  return p, "grid "
end

-- Escape codes for a protocol that shows true pixels.
local function draw_pixels(p, protocol, o, limit)
  local factor = o.scale or math.max(1, math.min(COMFORTABLE_WIDTH // p.w, COMFORTABLE_HEIGHT // p.h))
  if protocol == "sixel" then
    local room = (o.width or limit) * CELL
    if not o.scale then factor = math.max(1, math.min(factor, room // p.w)) end
    if p.w * factor > room then p = pixels.shrink(p, room, math.max(1, p.h * room // p.w)) end
    return sixel(pixels.enlarge(p, factor))
  end
  p = pixels.enlarge(p, factor)
  return inline[protocol](p, o.width or (p.w > limit * CELL and limit or nil))
end

--- Shows a picture in the terminal, as well as the terminal can: kitty's and iTerm2's protocols, sixels, or two pixels
-- a cell in 24-bit or 256 colours. Where that is not possible, a line of text says what was not shown and why.
-- @tparam tensor|table|string picture (h,w), (h,w,c) with 1 to 4 channels, the last of 2 and 4 being alpha; (n,h,w,c)
-- or a list, which become a grid; uint8, or float32 in [-1,1] (NaN is black, and said so); or the path of a picture
-- @tparam[opt] table options `protocol` ("auto", "kitty", "iterm2", "sixel", "halfblock", "256", "none"; the
-- environment variable LATERNA_SHOW names one for "auto"), `width` (columns of text to fill at most), `scale` (each
-- pixel becomes scale x scale pixels), `ground` ("chequered": what pictures with alpha lie on, light and dark squares;
-- or a grey in [-1,1]), `out` (io.stdout), `tty` (true or false: do not ask whether `out` is a
-- terminal), and for several pictures the options of `grid`: `columns`, `pad`, `background`, `labels`, `row_labels`,
-- `column_labels`
-- @raise what is no picture, unknown options, what reading the file raises
-- @function show
return function(picture, options)
  local o = check.options("show", 2, options, OPTIONS)
  local p, title = resolve(picture, o)
  local out = o.out or io.stdout
  local tty = o.tty
  if tty == nil then tty = terminal.is_terminal(out) end
  local protocol, reason = o.protocol or "auto", "protocol is none"
  if protocol == "auto" then
    if tty then
      protocol, reason = terminal.detect()
    else
      protocol, reason = "none", "output is not a terminal"
    end
  end
  local columns = terminal.size()
  if protocol == "none" then
    out:write(("%s%s (not shown: %s)\n"):format(title, p.shape, reason))
  elseif protocol == "halfblock" or protocol == "256" then
    out:write(halfblock(pixels.enlarge(p, o.scale or 1), o.width or columns, protocol, not terminal.utf8()))
  else
    out:write(draw_pixels(p, protocol, o, columns))
  end
  if p.nans > 0 then out:write(("%d of %d values are NaN (shown black)\n"):format(p.nans, p.h * p.w * p.c)) end
end
