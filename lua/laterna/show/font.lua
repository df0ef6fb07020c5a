--- A small stroke font for captions and axes: every glyph is a few lines and arcs, so it is sharp at any size.
-- Units: capitals are 7 high, small letters 5, descenders reach -2; the baseline is y = 0 and y points up.
-- A path is strokes separated by `;`, each a run of points `x,y` and arcs `@cx,cy,rx,ry,from,to` (degrees, joined up).
-- @module laterna.show.font
local font = { cap = 7, ascent = 7.6, descent = 2, line = 11 }

local GLYPHS = {
  A = "0,0 2.6,7 5.2,0; .9,2.3 4.3,2.3",
  B = "0,3.7 2.5,3.7 @2.5,5.35,1.6,1.65,-90,90 0,7 0,0 2.6,0 @2.6,1.85,1.85,1.85,-90,90",
  C = "@2.8,3.5,2.8,3.5,48,312",
  D = "0,0 0,7 1.9,7 @1.9,3.5,3,3.5,90,-90 0,0",
  E = "4,7 0,7 0,0 4,0; 0,3.6 3.4,3.6",
  F = "4,7 0,7 0,0; 0,3.6 3.4,3.6",
  G = "@2.8,3.5,2.8,3.5,48,320 4.9,3.3 3,3.3",
  H = "0,0 0,7; 4.6,0 4.6,7; 0,3.6 4.6,3.6",
  I = "0,0 0,7",
  J = "3,7 3,1.7 @1.5,1.7,1.5,1.7,0,-160",
  K = "0,0 0,7; 4.4,7 0,2.6; 1.5,4.1 4.6,0",
  L = "0,7 0,0 3.8,0",
  M = "0,0 0,7 2.8,1.8 5.6,7 5.6,0",
  N = "0,0 0,7 4.6,0 4.6,7",
  O = "@2.9,3.5,2.9,3.5",
  P = "0,0 0,7 2.6,7 @2.6,5.1,1.9,1.9,90,-90 0,3.2",
  Q = "@2.9,3.5,2.9,3.5; 3.6,1.6 5.6,-.6",
  R = "0,0 0,7 2.6,7 @2.6,5.1,1.9,1.9,90,-90 0,3.2; 2.4,3.2 4.6,0",
  S = "@2.2,5.25,1.95,1.75,35,270 @2.2,1.75,2.2,1.75,90,-148",
  T = "0,7 5,7; 2.5,7 2.5,0",
  U = "0,7 0,2.3 @2.3,2.3,2.3,2.3,180,360 4.6,7",
  V = "0,7 2.5,0 5,7",
  W = "0,7 1.8,0 3.6,6.4 5.4,0 7.2,7",
  X = "0,0 4.6,7; 0,7 4.6,0",
  Y = "0,7 2.4,3.4 4.8,7; 2.4,3.4 2.4,0",
  Z = "0,7 4.6,7 0,0 4.6,0",
  a = "@2.1,2.5,2.1,2.5; 4.2,5 4.2,0",
  b = "0,7.4 0,0; @2.1,2.5,2.1,2.5",
  c = "@2.2,2.5,2.2,2.5,50,310",
  d = "4.2,7.4 4.2,0; @2.1,2.5,2.1,2.5",
  e = "0,2.7 4.2,2.7 @2.1,2.5,2.1,2.5,5,312",
  f = "0,5 2.6,5; 1,0 1,5.9 @2.4,5.9,1.4,1.5,180,80",
  g = "@2.1,2.5,2.1,2.5; 4.2,5 4.2,-.2 @2.1,-.2,2.1,1.9,0,-150",
  h = "0,7.4 0,0; 0,2.9 @1.95,2.9,1.95,2.1,180,0 3.9,0",
  i = "0,5 0,0; 0,6.9 0,7.1",
  j = "1.2,5 1.2,-.7 @0,-.7,1.2,1.3,0,-90; 1.2,6.9 1.2,7.1",
  k = "0,7.4 0,0; 3.6,5 0,1.7; 1.3,2.9 3.8,0",
  l = "0,7.4 0,1.1 @1.1,1.1,1.1,1.1,180,270",
  m = "0,5 0,0; 0,3.4 @1.55,3.4,1.55,1.6,180,0 3.1,0; 3.1,3.4 @4.65,3.4,1.55,1.6,180,0 6.2,0",
  n = "0,5 0,0; 0,2.9 @1.95,2.9,1.95,2.1,180,0 3.9,0",
  o = "@2.2,2.5,2.2,2.5",
  p = "0,5 0,-2; @2.1,2.5,2.1,2.5",
  q = "4.2,5 4.2,-2; @2.1,2.5,2.1,2.5",
  r = "0,5 0,0; 0,2.9 @1.9,2.9,1.9,2.1,180,75",
  s = "@1.75,3.75,1.55,1.25,35,270 @1.75,1.25,1.75,1.25,90,-148",
  t = "1,6.6 1,1.4 @2.3,1.4,1.3,1.4,180,280; 0,5 2.5,5",
  u = "0,5 0,2.1 @1.95,2.1,1.95,2.1,180,360 3.9,5; 3.9,5 3.9,0",
  v = "0,5 2,0 4,5",
  w = "0,5 1.5,0 3,4.6 4.5,0 6,5",
  x = "0,0 3.8,5; 0,5 3.8,0",
  y = "0,5 2.1,0; 4.2,5 1.4,-2 .5,-2",
  z = "0,5 3.6,5 0,0 3.6,0",
  ["0"] = "@2.2,3.5,2.2,3.5",
  ["1"] = ".8,5.6 2.4,7 2.4,0",
  ["2"] = "@2.2,5,2,2,165,-38 .1,0 4.4,0",
  ["3"] = "@2.1,5.3,1.85,1.7,150,-90 @2.1,1.8,2.1,1.8,90,-150",
  ["4"] = "3.4,0 3.4,7 0,1.9 4.4,1.9",
  ["5"] = "4,7 .8,7 .5,3.9 @2.1,2.25,2.2,2.25,132,-150",
  ["6"] = "@2.2,2.2,2.2,2.2,0,-180 @3.9,2.2,3.9,4.8,180,92; @2.2,2.2,2.2,2.2",
  ["7"] = "0,7 4.4,7 1.5,0",
  ["8"] = "@2.2,5.3,1.8,1.7; @2.2,1.8,2.15,1.8",
  ["9"] = "@2.2,4.8,2.2,2.2; @.5,4.8,3.9,4.8,0,-88",
  [" "] = "",
  ["."] = "0,0 0,.2", [","] = ".4,.2 0,-1.3", [":"] = "0,.1 0,.3; 0,4.2 0,4.4",
  [";"] = ".4,.2 0,-1.3; .4,4.2 .4,4.4",
  ["!"] = "0,7 0,2.3; 0,0 0,.2", ["?"] = "@1.9,5.1,1.9,1.9,165,-60 1.9,2.6 1.9,2.2; 1.9,0 1.9,.2",
  ["-"] = "0,3 2.6,3", ["+"] = "0,3.2 4,3.2; 2,1.2 2,5.2", ["="] = "0,2.2 4,2.2; 0,4.2 4,4.2",
  ["_"] = "0,-1 4.4,-1",
  ["/"] = "0,-1 3.2,7.4", ["\\"] = "0,7.4 3.2,-1", ["|"] = "0,7.6 0,-1.6",
  ["~"] = "@1,3,1,.9,180,0 @3,3,1,.9,180,360",
  ["("] = "@2.4,3,2.4,5,125,235", [")"] = "@-1.3,3,2.4,5,55,-55", ["<"] = "3.6,5.4 0,3.1 3.6,.8",
  [">"] = "0,5.4 3.6,3.1 0,.8", ["["] = "1.3,7.6 0,7.6 0,-1.4 1.3,-1.4", ["]"] = "0,7.6 1.3,7.6 1.3,-1.4 0,-1.4",
  ["{"] = "1.6,7.6 .8,7.2 .8,3.8 0,3.1 .8,2.4 .8,-1 1.6,-1.4",
  ["}"] = "0,7.6 .8,7.2 .8,3.8 1.6,3.1 .8,2.4 .8,-1 0,-1.4",
  ["*"] = "1.5,7 1.5,3.8; .1,6.2 2.9,4.6; .1,4.6 2.9,6.2", ["^"] = "0,4.6 1.6,7 3.2,4.6", ["`"] = "0,7.2 1,6",
  ["%"] = "@1.2,5.5,1.2,1.5; @4.8,1.5,1.2,1.5; 4.7,7 1.3,0", ['"'] = "0,7 0,5.2; 1.5,7 1.5,5.2", ["'"] = "0,7 0,5.2",
  ["#"] = "1,0 1.8,7; 3.2,0 4,7; 0,2.3 4.8,2.3; .2,4.7 5,4.7",
  ["&"] = "4.8,0 1.3,4.7 @2.3,5.6,1.35,1.4,215,-50 .8,3.2 @1.9,1.8,1.9,1.8,140,330 4.6,3.2",
  ["@"] = "@3.2,2.6,1.5,1.7; 4.7,4.3 4.7,1.9 @5.5,1.9,.8,1,180,330 @3.3,2.8,3.3,3.6,0,300",
  ["$"] = "@2,5.25,1.8,1.75,35,270 @2,1.75,2,1.75,90,-148; 2,8 2,-1",
  ["×"] = "0,1.2 3.6,4.8; 0,4.8 3.6,1.2",
  ["…"] = "0,0 0,.2; 2,0 2,.2; 4,0 4,.2", ["°"] = "@1,6,1,1", ["·"] = "0,2.9 0,3.1",
  ["α"] = "@1.9,2.5,1.9,2.5; 4.6,5 3.6,1.2 4.8,0", ["σ"] = "4.8,5 2.2,5 @2.2,2.5,2.2,2.5,90,450",
  ["μ"] = "0,5 0,-2; 0,2.1 @1.95,2.1,1.95,2.1,180,360 3.9,5; 3.9,5 3.9,0",
}
local MISSING = "0,0 0,7 4,7 4,0 0,0" -- a box, for what the font does not have

-- Letters with accents lose them rather than become boxes.
local PLAIN = {}
for plain, accented in pairs {
  a = "àáâãäå", c = "ç", e = "èéêë", i = "ìíîï", n = "ñ", o = "òóôõöø", u = "ùúûü", y = "ýÿ",
  A = "ÀÁÂÃÄÅ", C = "Ç", E = "ÈÉÊË", I = "ÌÍÎÏ", N = "Ñ", O = "ÒÓÔÕÖØ", U = "ÙÚÛÜ",
  ["-"] = "–—−", ["'"] = "‘’", ['"'] = "“”",
} do
  for char in accented:gmatch(utf8.charpattern) do PLAIN[char] = plain end
end

local function arc(stroke, cx, cy, rx, ry, from, to)
  local pieces = math.ceil(math.abs(to - from) / 12)
  for k = 0, pieces do
    local a = math.rad(from + (to - from) * k / pieces)
    stroke[#stroke + 1] = { cx + rx * math.cos(a), cy + ry * math.sin(a) }
  end
end

local function parse(path)
  local glyph, lo, hi = { strokes = {} }, math.huge, -math.huge
  for part in path:gmatch "[^;]+" do
    local stroke = {}
    for item in part:gmatch "%S+" do
      local v = {}
      for number in item:gmatch "[-.%d]+" do v[#v + 1] = tonumber(number) end
      if item:sub(1, 1) == "@" then
        arc(stroke, v[1], v[2], v[3], v[4], v[5] or 0, v[6] or 360)
      else
        stroke[#stroke + 1] = v
      end
    end
    for _, p in ipairs(stroke) do lo, hi = math.min(lo, p[1]), math.max(hi, p[1]) end
    glyph.strokes[#glyph.strokes + 1] = stroke
  end
  if lo > hi then lo, hi = 0, 1.4 end
  glyph.left, glyph.width = lo, hi - lo
  return glyph
end

local parsed = {}
local function glyph_of(char)
  local glyph = parsed[char]
  if not glyph then
    glyph = parse(GLYPHS[char] or GLYPHS[PLAIN[char]] or MISSING)
    if char:find "^%d$" then glyph.left, glyph.width = 0, 4.4 end -- digits line up in columns
    parsed[char] = glyph
  end
  return glyph
end

-- Characters of a string; bytes that are no UTF-8 stand for themselves and get the box.
local function chars(text)
  return text:gmatch(utf8.len(text) and utf8.charpattern or ".")
end

local GAP = 1.9 -- between the centre lines of neighbouring glyphs

--- Width of a line of text, in units.
function font.width(text)
  local width = 0
  for char in chars(text) do width = width + glyph_of(char).width + GAP end
  return math.max(0, width - GAP)
end

--- The strokes of a line of text: a list of lists of points {x, y} in units, starting at x = 0.
function font.strokes(text)
  local out, x = {}, 0
  for char in chars(text) do
    local glyph = glyph_of(char)
    for _, stroke in ipairs(glyph.strokes) do
      local moved = {}
      for k, p in ipairs(stroke) do moved[k] = { p[1] - glyph.left + x, p[2] } end
      out[#out + 1] = moved
    end
    x = x + glyph.width + GAP
  end
  return out
end

-- The first characters of a word that fit into `width`, and the rest.
local function split(word, width)
  local head, tail = "", {}
  for char in chars(word) do
    if #tail > 0 or (head ~= "" and font.width(head .. char) > width) then
      tail[#tail + 1] = char
    else
      head = head .. char
    end
  end
  return head, table.concat(tail)
end

--- Breaks text into at most `lines` lines of at most `width` units, at spaces where possible; "…" marks what was cut.
function font.wrap(text, width, lines)
  local out, line = {}, nil
  for word in text:gmatch "%S+" do
    if line and font.width(line .. " " .. word) <= width then
      line = line .. " " .. word
    else
      out[#out + 1] = line
      while font.width(word) > width and #out < lines do
        out[#out + 1], word = split(word, width)
        if word == "" then break end
      end
      line = word
    end
    if #out >= lines then break end
  end
  out[#out + 1] = line ~= "" and line or nil
  if #out > lines then
    local last = out[lines]
    while last ~= "" and font.width(last .. "…") > width do last = last:gsub("[^\128-\191][\128-\191]*$", "") end
    out[lines] = last:gsub(" +$", "") .. "…"
    for k = #out, lines + 1, -1 do out[k] = nil end
  end
  return out
end

return font
