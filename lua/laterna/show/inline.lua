--- Pictures as PNG inside an escape sequence, as kitty's and iTerm2's protocols want them.
-- @module laterna.show.inline
local core = require "laterna.core"

local inline = {}

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

--- Base64 (RFC 4648) with padding.
function inline.base64(bytes)
  local pair = {} -- 12 bits -> two letters
  for k = 0, 4095 do
    pair[k] = LETTERS:sub((k >> 6) + 1, (k >> 6) + 1) .. LETTERS:sub((k & 63) + 1, (k & 63) + 1)
  end
  local out = {}
  for k = 1, #bytes - 2, 3 do
    local a, b, c = bytes:byte(k, k + 2)
    out[#out + 1] = pair[a << 4 | b >> 4]
    out[#out + 1] = pair[(b & 15) << 8 | c]
  end
  local left = #bytes % 3
  if left > 0 then
    local a, b = bytes:byte(#bytes - left + 1, #bytes)
    out[#out + 1] = pair[a << 4 | (b or 0) >> 4]
    out[#out + 1] = left == 2 and pair[(b & 15) << 8]:sub(1, 1) .. "=" or "=="
  end
  return table.concat(out)
end

local function png(p)
  return core.encode_png(core.from_string(p.bytes, { p.h, p.w, p.c }, { dtype = "uint8" }))
end

--- Kitty's graphics protocol: transmit and display (a=T) a PNG (f=100), quietly (q=2), in pieces of 4096 letters.
-- @tparam[opt] number columns scale to this many columns
function inline.kitty(p, columns)
  local data, out = inline.base64(png(p)), {}
  local first = "a=T,f=100,q=2," .. (columns and "c=" .. columns .. "," or "")
  for k = 1, #data, 4096 do
    out[#out + 1] = ("\27_G%sm=%d;%s\27\\"):format(k == 1 and first or "", k + 4096 <= #data and 1 or 0,
      data:sub(k, k + 4095))
  end
  return table.concat(out) .. "\n"
end

--- iTerm2's inline images (OSC 1337).
-- @tparam[opt] number columns scale to this many columns
function inline.iterm2(p, columns)
  local bytes = png(p)
  return ("\27]1337;File=inline=1;size=%d%s;preserveAspectRatio=1:%s\7\n")
    :format(#bytes, columns and ";width=" .. columns or "", inline.base64(bytes))
end

return inline
