-- What a function makes of each picture of a data set: see Dataset:map.
local check = require "laterna.check"
local core = require "laterna.core"
local to_bytes = require("laterna.pictures").to_bytes

local OWN = { x = true, caption = true, label = true, index = true, all_captions = true }
local TAKEN = { images = true, captions = true, labels = true, classes = true, lists = true, report = true }

local function fail(i, what, v) check.fail("map", 1, "f: expected %s for picture %d, got %s", what, i, v) end

local function shape_of(t) return "(" .. table.concat(t.shape, ",") .. ")" end

-- The picture that f returned, as bytes.
local function picture(one, i, first)
  if type(one) ~= "table" then fail(i, "a table with x and caption", check.describe(one)) end
  local x = one.x
  if not check.is(x, "tensor") then fail(i, "a tensor x", check.describe(x)) end
  if x.dtype ~= "uint8" and x.dtype ~= "float32" then fail(i, "x of float32 or uint8", x.dtype) end
  if x:dim() ~= 3 or x:numel() == 0 then fail(i, "x (h,w,c)", "shape " .. shape_of(x)) end
  if first and shape_of(first) ~= shape_of(x) then fail(i, "x " .. shape_of(first) .. " as before", shape_of(x)) end
  local sum = x.dtype == "float32" and x:sum():item() or 0
  if sum ~= sum then fail(i, "numbers", "NaN") end
  return x.dtype == "uint8" and x or to_bytes(x)
end

-- What else is known of each picture: lists by name, of the set's names and of those that f adds.
local function keep_more(lists, one, i)
  for name, v in pairs(one) do
    if TAKEN[name] then check.fail("map", 1, "f: %s is a name of the data set's own", name) end
    if type(name) == "string" and not OWN[name] then
      lists[name] = lists[name] or {}
      lists[name][i] = v
    end
  end
end

local function label_of(self, one, i)
  local label = one.label
  if type(label) == "number" and math.tointeger(label) and label >= 1 and label <= #self.classes then return label end
  fail(i, ("a label from 1 to %d"):format(#self.classes), check.describe(label))
end

return function(self, f, item)
  local out = { captions = {}, classes = self.classes, lists = {} }
  local images, first, labels = nil, nil, self.labels and {}
  for i = 1, #self do
    local one = f(item(self, i), i)
    local x = picture(one, i, first)
    first = first or x
    images = images or core.zeros({ #self, table.unpack(x.shape) }, { dtype = "uint8" })
    images[i] = x
    if type(one.caption) ~= "string" then fail(i, "a caption", check.describe(one.caption)) end
    out.captions[i] = one.caption
    if self.all_captions then
      out.lists.all_captions = out.lists.all_captions or {}
      out.lists.all_captions[i] = one.caption == self.captions[i] and self.all_captions[i] or { one.caption }
    end
    if labels then labels[i] = label_of(self, one, i) end
    keep_more(out.lists, one, i)
  end
  out.images, out.labels = images, labels and core.tensor(labels, { dtype = "int32" })
  return out
end
