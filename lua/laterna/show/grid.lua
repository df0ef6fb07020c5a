--- Many pictures as one, with captions: the result picture of a script.
-- @module laterna.show.grid
local core = require "laterna.core"
local check = require "laterna.check"
local canvas = require "laterna.show.canvas"
local font = require "laterna.show.font"
local ground = require "laterna.show.ground"
local pixels = require "laterna.show.pixels"
local sheet = require "laterna.show.sheet"

local TEXT = 15               -- size of captions in pixels
local LINE = TEXT * 1.1       -- from one line to the next
local GAP = 6                 -- between captions and pictures
local ROW_LABEL = 190         -- the widest a row's caption gets before it is broken
local MAX_SIDE = 1 << 15

-- The pictures of one tensor: one for (h,w) and (h,w,c), n for (n,h,w,c). part(t, c) gives what of it is to be seen,
-- of 1 or 3 channels.
local function pictures_of(name, t, part)
  check.type("grid", 1, name, t, "tensor")
  local s = t.shape
  local c = #s == 2 and 1 or s[#s]
  if not sheet.size[t.dtype] then check.fail("grid", 1, "%s: expected float32 or uint8, got %s", name, t.dtype) end
  if #s < 2 or #s > 4 or c > 4 or t:numel() == 0 then
    check.fail("grid", 1, "%s: expected (h,w), (h,w,c) or (n,h,w,c) with 1 to 4 channels, got (%s)", name,
      table.concat(s, ","))
  end
  t = part(t, c)
  c = #s == 2 and 1 or t:size(#s)
  local n, h, w = 1, s[1], s[2]
  if #s == 4 then n, h, w = s[1], s[2], s[3] end
  local out, bytes, each = {}, t:to_string(), h * w * c * sheet.size[t.dtype]
  for k = 1, n do
    out[k] = { h = h, w = w, c = c, dtype = t.dtype, bytes = bytes:sub((k - 1) * each + 1, k * each) }
  end
  return out
end

-- A copy of a list, whatever its metatable says.
local function raw(list)
  local out = {}
  for k = 1, rawlen(list) do out[k] = rawget(list, k) end
  return out
end

local function append(list, more)
  for _, v in ipairs(more) do list[#list + 1] = v end
end

-- Either the rows that were asked for, or one list that is still to be broken into rows.
local function collect(what, part)
  if type(what) ~= "table" then return nil, pictures_of("pictures", what, part) end
  what = raw(what)
  if #what == 0 then check.fail("grid", 1, "pictures: expected a tensor or a list of tensors, got an empty table") end
  local rows, flat, nested = {}, {}, false
  for k, item in ipairs(what) do
    local row, name = {}, "pictures[" .. k .. "]"
    if type(item) == "table" then
      for j, t in ipairs(raw(item)) do append(row, pictures_of(("%s[%d]"):format(name, j), t, part)) end
      if #row == 0 then check.fail("grid", 1, "%s: expected at least one picture", name) end
    else
      row = pictures_of(name, item, part)
    end
    nested = nested or type(item) == "table" or item:dim() == 4
    rows[k] = row
    append(flat, row)
  end
  return nested and rows or nil, flat
end

local function break_rows(flat, columns)
  local rows = {}
  for k, p in ipairs(flat) do
    local r = (k - 1) // columns + 1
    rows[r] = rows[r] or {}
    table.insert(rows[r], p)
  end
  return rows
end

local function strings(v)
  if type(v) ~= "table" then return false, "a list of strings" end
  for _, text in ipairs(raw(v)) do
    if type(text) ~= "string" then return false, "a list of strings" end
  end
  return true
end

-- Captions broken into lines that fit `width` pixels, and the height in pixels that the tallest needs.
local function wrap_all(captions, width, most_lines)
  local out, lines = {}, 0
  for k, text in ipairs(captions or {}) do
    out[k] = font.wrap(text, math.max(1, width - TEXT / 5) * 10 / TEXT, most_lines)
    lines = math.max(lines, #out[k])
  end
  return out, lines > 0 and math.ceil(lines * LINE + TEXT * 0.35) + GAP // 2 or 0
end

-- Sizes in pixels: of a cell (w, h), of everything (width, height), and the margins that captions take.
local function measure(rows, all, o)
  local m = { columns = 0, w = 0, h = 0, left = 0 }
  for _, row in ipairs(rows) do m.columns = math.max(m.columns, #row) end
  for _, p in ipairs(all) do m.h, m.w = math.max(m.h, p.h), math.max(m.w, p.w) end
  local room = o.labels and 112 or (o.row_labels or o.column_labels) and 64 or 1
  m.scale = o.scale or math.max(1, math.ceil(room / m.w))
  m.w, m.h = m.w * m.scale, m.h * m.scale
  m.labels, m.below = wrap_all(o.labels, m.w, 4)
  m.column_labels, m.top = wrap_all(o.column_labels, m.w, 3)
  m.row_labels = wrap_all(o.row_labels, ROW_LABEL, math.max(1, math.floor(m.h / LINE)))
  for _, lines in ipairs(m.row_labels) do
    for _, line in ipairs(lines) do m.left = math.max(m.left, math.ceil(canvas.text_width(line, TEXT)) + 2 * GAP) end
  end
  m.width = m.left + o.pad + m.columns * (m.w + o.pad)
  m.height = m.top + o.pad + #rows * (m.h + m.below + o.pad)
  for _, side in ipairs { m.width, m.height } do
    if side > MAX_SIDE then
      check.fail("grid", 1, "pictures: the result would be %dx%d, at most %d a side", m.height, m.width, MAX_SIDE)
    end
  end
  return m
end

local function has_alpha(c) return c == 2 or c == 4 end

local function compose(pictures, o, part)
  local rows, all = collect(pictures, part)
  if rows and o.columns then check.fail("grid", 2, "columns: the pictures already come in rows") end
  rows = rows or break_rows(all, o.columns or 8)
  local m = measure(rows, all, o)
  for name, most in pairs { labels = #all, row_labels = #rows, column_labels = m.columns } do
    local got = o[name] and #o[name] or 0
    if got > most then check.fail("grid", 2, "%s: expected at most %d, got %d", name, most, got) end
  end

  local dtype, c = sheet.unify(all)
  local unit = sheet.size[dtype] * c
  local style = { dtype = dtype, c = c, background = o.background, text = TEXT }
  local page = sheet.new(m.width, m.height, c, dtype, o.background)
  local function column_x(j) return m.left + o.pad + (j - 1) * (m.w + o.pad) end
  local function write(lines, x, y, w, h, align)
    style.align = align
    if lines and #lines > 0 then page.put(x, y, sheet.caption(lines, w, h, style)) end
  end
  for j, lines in ipairs(m.column_labels) do write(lines, column_x(j), 0, m.w, m.top, "center") end
  local number, y = 0, m.top + o.pad
  for r, row in ipairs(rows) do
    for j, p in ipairs(row) do
      number, p = number + 1, pixels.enlarge(p, m.scale, unit)
      page.put(column_x(j) + (m.w - p.w) // 2, y + (m.h - p.h) // 2, p)
      write(m.labels[number], column_x(j), y + m.h + GAP // 2, m.w, m.below - GAP // 2, "center")
    end
    write(m.row_labels[r], 0, y, m.left - GAP, m.h, "right")
    y = y + m.h + m.below + o.pad
  end
  return core.from_string(page.bytes(), { m.height, m.width, c }, { dtype = dtype })
end

local CAPTIONS = { "labels", "row_labels", "column_labels" }

-- Pictures on nothing: their colours are laid out, and their alphas likewise.
local function on_nothing(pictures, o)
  for _, key in ipairs { "background", table.unpack(CAPTIONS) } do
    if o[key] then check.fail("grid", 2, '%s: with ground = "none" nothing lies between the pictures', key) end
  end
  o.background = -1
  local colours = compose(pictures, o, function(t, c)
    return has_alpha(c) and t:narrow(t:dim(), 1, c - 1) or t
  end)
  local alpha = compose(pictures, o, function(t, c)
    if has_alpha(c) then return t:narrow(t:dim(), c, 1) end
    local one = #t.shape == 2 and t or t:narrow(t:dim(), 1, 1)
    return t.dtype == "uint8" and core.full(one.shape, 255):byte() or core.ones_like(one)
  end)
  return core.cat({ colours, alpha }, 3)
end

local function is_ground(v)
  return v == "none" or ground.is(v), '"chequered", "none" or a grey from -1 to 1'
end

--- Lays pictures out as one.
-- @tparam tensor|table pictures (n,h,w,c), (h,w,c) or (h,w), c = 1 to 4, uint8 or float32 in [-1,1]; a list of
-- pictures; or a list of rows, each a list of pictures or a batch (n,h,w,c): `grid{ originals, reconstructions }`.
-- Smaller pictures are centred; grey among colour becomes colour; uint8 among float32 becomes float32. Of 2 and 4
-- channels the last is alpha
-- @tparam[opt] table options `columns` (8; not for rows), `pad` (2 pixels between and around), `background` (1 is
-- white, -1 black), `scale` (every pixel becomes scale x scale; 1, but with captions what makes pictures wide enough
-- for them), `ground` (what pictures with alpha lie on: "chequered", light and dark squares of an eighth of the longer
-- side and at most 16 pixels, before they are scaled; a grey in [-1,1]; or "none": the result has alpha, and nothing
-- lies between the pictures; without captions and background), and captions: `labels` (below the pictures, row by row),
-- `row_labels` (left of the rows), `column_labels` (on top)
-- @treturn tensor (H,W,c), of the pictures' type
-- @raise other types and shapes, unknown options, more captions than pictures, results above 32768 pixels a side
-- @function grid
return function(pictures, options)
  local o = check.options("grid", 2, options, {
    columns = { "integer", min = 1, max = MAX_SIDE }, pad = { "integer", 2, min = 0, max = 1024 },
    background = { "number", min = -1, max = 1 }, scale = { "integer", min = 1, max = 64 },
    ground = { is_ground, "chequered" }, labels = strings, row_labels = strings, column_labels = strings,
  })
  for _, key in ipairs(CAPTIONS) do o[key] = o[key] and raw(o[key]) end
  if o.ground == "none" then return on_nothing(pictures, o) end
  o.background = o.background or 1
  return compose(pictures, o, function(t, c) return has_alpha(c) and ground.lay(t, o.ground) or t end)
end
