--- One JSON value as a text, and nothing after it.
-- @module laterna.data.folder.json
local need = require "laterna.need"

local json = {}

--- Decodes a text that is one object or list.
-- @tparam string text
-- @treturn table|nil nil where it is not one
-- @treturn string the reason
function json.decode(text)
  local dkjson = need("dkjson", "lua-dkjson", "dkjson")
  local ok, value, stop, reason = pcall(dkjson.decode, text)
  if not ok then return nil, "not JSON: nested too deeply" end
  if reason or type(value) ~= "table" then return nil, "not a JSON object" .. (reason and ": " .. reason or "") end
  if text:find("%S", stop) then return nil, "text after the JSON object" end
  return value
end

return json
