-- Small files of every kind for the fuzzers to start from: lua5.4 spec/fuzz/seeds.lua FOLDER (from the root).
package.path = "./?.lua;" .. package.path
local pictures = require "spec.golden.pictures_pillow"
local png = require "spec.support.png"
local unbase64 = require "spec.support.base64"

local folder = arg[1]

local function write(name, bytes)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(bytes)
  file:close()
end

local DEPTHS = { [0] = { 1, 2, 4, 8, 16 }, [2] = { 8, 16 }, [3] = { 1, 2, 4, 8 }, [4] = { 8, 16 }, [6] = { 8, 16 } }

for colour, depths in pairs(DEPTHS) do
  for _, depth in ipairs(depths) do
    for _, interlace in ipairs{ false, true } do
      local rows, most = {}, (1 << depth) - 1
      for y = 1, 5 do
        rows[y] = {}
        for x = 1, 6 * png.CHANNELS[colour] do rows[y][x] = x * y * 7 % (most + 1) end
      end
      write(("png/%d-%d-%s.png"):format(colour, depth, interlace), png.encode{
        width = 6, height = 5, depth = depth, colour = colour, interlace = interlace, rows = rows,
        palette = colour == 3 and ("rgb"):rep(most + 1) or nil,
        transparency = colour == 3 and "abc" or colour == 0 and "\0\1" or colour == 2 and "\0\1\0\2\0\3" or nil })
    end
  end
end

for i, case in ipairs(pictures) do write(("%s/%d"):format(case.name:match "%w+", i), unbase64(case.file)) end

for type, width in pairs{ [8] = 1, [9] = 1, [11] = 2, [12] = 4, [13] = 4, [14] = 8 } do
  local plain = string.pack(">BBBBI4I4", 0, 0, type, 2, 2, 3) .. ("7"):rep(6 * width)
  write(("idx/%d"):format(type), plain)
  -- gzip: head, the deflate blocks of zlib, checksum and length
  write(("idx/%d.gz"):format(type), "\x1F\x8B\8\0\0\0\0\0\0\3" .. png.zlib(plain):sub(3, -5) ..
        string.pack("<I4I4", png.crc32(plain), #plain))
end

for i, header in ipairs{ "{}", '{"__metadata__":{"a":"b","\\u00fc":"\\ud83c\\udfa8"}}',
  '{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}  ' } do
  write(("safetensors/%d"):format(i), string.pack("<s8", header) .. (i == 3 and "123456789" or ""))
end

for i, line in ipairs { '{"file_name": "a.png", "text": "a red star"}\n{"file_name": "b.png", "text": "\\u00e9"}\n',
  '{"file_name": "../a.png", "text": ""}', '{"file_name": "./a.png", "text": "x", "more": [1, {"y": null}]}\n\n' } do
  write(("jsonl/%d"):format(i), line)
end

for i, text in ipairs { "file_name,text\na.png,a red star\nb.png,\"a \"\"b\"\", too\"\r\n",
  "\u{feff}image;caption;split\n./a.png;x;test\nb;y\n", "a.png#0\tone\na.png#1\ttwo\n", 'file,text\n"a.png\n' } do
  write(("csv/%d"):format(i), text)
end

for i, text in ipairs { '{"images":[{"id":1,"file_name":"a.png"},{"id":"x","file_name":"../b.png"}],' ..
  '"annotations":[{"image_id":1,"caption":"one"},{"image_id":1,"caption":"two"}]}', '{"a.png":"x","b":["y",null]}',
  '{"images":[{"filename":"a.png","split":"train","sentences":[{"raw":"x"}]}]}', '[{"file":"b.png","text":"y"}]' } do
  write(("coco/%d"):format(i), text)
end

write("tokenizer/1", "laterna tokenizer 1\nlowercase yes\nwords 2\nred\n star\n")
write("tokenizer/2", "laterna tokenizer 1\nlowercase no\nwords 0\n")
write("tokenizer/3", "A red  star \xff")

local LINEAR = '{"$args":[2,3],"$class":"lt.nn.Linear"}'
for i, text in ipairs {
  '{"changes":[],"tree":' .. LINEAR .. "}",
  '{"changes":[],"tree":{"$args":[' .. LINEAR .. ',{"$value":"lt.silu"}],"$class":"lt.nn.Sequential"}}',
  '{"changes":[{"module":"","function":"lt.nn.spectral_norm","args":[{"iterations":1}]}],"tree":' .. LINEAR .. "}",
  '[{"captions":1,"hash":"0a","text":"laterna tokenizer 1\\u000alowercase yes\\u000awords 0\\u000a"}]',
  '{"":1,"a":0.5,"b":[-1e3,null,true,"\\ud83c\\udfa8"]}',
} do
  write(("metadata/%d"):format(i), text)
end

for i, text in ipairs { "z", "{s1:61i-3;}", "{i1;n0x1.8p+1;i2;{}}", "s2:00ff", "t", "nnan;" } do
  write(("pack/%d"):format(i), text)
end
