local core = require "laterna.core"
local inline = require "laterna.show.inline"
local unbase64 = require "spec.support.base64"

-- Bytes that compress badly, so that several pieces are needed.
local function noise(w, h)
  local bytes, state = {}, 1
  for k = 1, w * h * 3 do
    state = state * 1103515245 + 12345 & 0x7fffffff
    bytes[k] = string.char(state >> 16 & 255)
  end
  return { h = h, w = w, c = 3, bytes = table.concat(bytes) }
end

describe("inline pictures", function()
  it("base64 as in RFC 4648", function()
    for plain, coded in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
      foobar = "Zm9vYmFy", ["\0\255\254"] = "AP/+" } do
      assert.equal(coded, inline.base64(plain))
    end
  end)

  it("kitty's pieces hold the picture", function()
    local p = noise(50, 40)
    local text = inline.kitty(p)
    local pieces, data = 0, {}
    local rest = text:gsub("\27_G([^;]*);([^\27]*)\27\\", function(keys, piece)
      pieces = pieces + 1
      assert.is_true(#piece <= 4096)
      assert.equal(pieces == 1, keys:find "^a=T,f=100,q=2,m=[01]$" ~= nil)
      data[#data + 1] = piece
      data.more = keys:match "m=([01])"
      return ""
    end)
    assert.equal("\n", rest)
    assert.is_true(pieces > 1)
    assert.equal("0", data.more)
    local t = core.decode_png(unbase64(table.concat(data)))
    assert.same({ 40, 50, 3 }, t.shape)
    assert.equal(p.bytes, t:to_string())
  end)

  it("kitty's only piece is the last", function()
    local text = inline.kitty({ h = 1, w = 1, c = 1, bytes = "\7" }, 12)
    assert.matches("^\27_Ga=T,f=100,q=2,c=12,m=0;[%w+/]+=*\27\\\n$", text)
  end)

  it("iTerm2 is told the size in bytes", function()
    local p = { h = 2, w = 2, c = 1, bytes = "\0\1\2\3" }
    local head = "^\27%]1337;File=inline=1;size=(%d+);preserveAspectRatio=1:"
    local count, data = inline.iterm2(p):match(head .. "([%w+/=]+)\7\n$")
    local png = unbase64(data)
    assert.equal(#png, tonumber(count))
    assert.equal(p.bytes, core.decode_png(png):to_string())
    assert.matches("size=%d+;width=9;", inline.iterm2(p, 9))
  end)
end)
