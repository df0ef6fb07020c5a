-- Recipes for hostile_recipes: arguments that work for pictures and files.
local core = require "laterna.core"

local function T(...) return core.ones(...) end
local function I(...) return core.tensor({ ... }, { dtype = "int32" }) end
local function U(...) return core.zeros(...):byte() end

-- recipe(names, make) notes them.
return function(recipe)
  recipe("encode_png", function() return U(4, 4, 3) end)
  recipe("decode_png", function()
    return core.encode_png(U(4, 4, 3)), { channels = 3, dtype = "float32", max_pixels = 100 }
  end)
  recipe("save_png", function() return "picture.png", U(4, 4, 3) end)
  recipe("load_png", function()
    core.save_png("picture.png", U(4, 4, 3))
    return "picture.png", { channels = 3, dtype = "uint8", max_pixels = 100 }
  end)
  recipe("decode_picture", function()
    return core.encode_png(U(4, 4, 3)), { channels = 3, dtype = "float32", max_pixels = 100 }
  end)
  recipe("load_picture", function()
    core.save_png("picture", U(4, 4, 3))
    return "picture", { channels = 3, dtype = "uint8", max_pixels = 100 }
  end)
  recipe("replace_file", function() return "text", "bytes" end)
  recipe("append_file", function() return "text", "bytes" end)
  recipe("sync_file", function()
    core.replace_file("text", "bytes")
    return "text"
  end)
  recipe("decode_idx", function() return "\0\0\8\1\0\0\0\2ab" end)
  recipe("load_idx", function()
    local file = io.open("numbers.idx", "wb")
    file:write "\0\0\8\1\0\0\0\2ab"
    file:close()
    return "numbers.idx"
  end)
  recipe("save_safetensors save", function() return "state.safetensors", { a = T(2, 3) }, { note = "x" } end)
  recipe("load_safetensors load", function()
    core.save_safetensors("loaded.safetensors", { a = T(2, 3) }, { note = "x" })
    return "loaded.safetensors"
  end)
  recipe("draw_scenes", function() return core.zeros(2, 21), 16, 3 end)
  recipe("gather_pictures", function() return U(4, 4, 4, 3), I(1, 2), core.zeros(2, { dtype = "uint8" }) end)
  recipe("take_pictures", function() return U(4, 4, 4, 3), I(1, 2) end)
  recipe("warp_pictures", function() return T(2, 4, 4, 3), T(2, 6) end)
  recipe("fit_picture", function() return U(4, 4, 3), 8, 6, { fit = "pad", background = { 0, 1, -1 } } end)
  recipe("picture_rows", function() return 2, 4, 4, 3 end)
  recipe("load_pictures", function()
    core.save_png("picture.png", U(4, 4, 3))
    return U(3, 4, 4, 3), 2, ".", { "picture.png", "none" }, { fit = "pad", background = 0, max_pixels = 100 }
  end)
  recipe("list_folder", function() return "." end)
  recipe("read_files", function() return ".", { "last", "none" }, 1000 end)
  recipe("begin_stream", function() return "stream.safetensors" end)
  recipe("append_stream", function() return core.begin_stream "stream.safetensors", U(2, 3) end)
  recipe("finish_stream", function()
    local stream = core.begin_stream "stream.safetensors"
    core.append_stream(stream, U(2, 3))
    return stream, { { "a", 2, 3 } }, { { "key", "text" } }
  end)
end
