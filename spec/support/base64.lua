-- Bytes from base64 (RFC 4648); white space is passed over.
local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

return function(text)
  local out, bits, n = {}, 0, 0
  for letter in text:gsub("[=%s]", ""):gmatch "." do
    bits, n = (bits << 6 | (LETTERS:find(letter, 1, true) - 1)) & 0xffffff, n + 6
    if n >= 8 then
      n = n - 8
      out[#out + 1] = string.char(bits >> n & 255)
    end
  end
  return table.concat(out)
end
