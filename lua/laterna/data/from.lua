--- A data set of tensors that are there already.
-- @module laterna.data.from
local check = require "laterna.check"
local core = require "laterna.core"
local dataset = require "laterna.data.dataset"
local to_bytes = require("laterna.pictures").to_bytes

local KNOWN = { labels = "table|tensor", classes = "table" }

-- Is every number within -1 .. 1? Rounding errors pass. Then what there is, in words.
local function in_range(x)
  local low, high = x:min():item(), x:max():item()
  return low >= -1.001 and high <= 1.001, low ~= low and "NaN" or ("numbers from %g to %g"):format(low, high)
end

local function check_pictures(images)
  if images.dtype ~= "uint8" and images.dtype ~= "float32" then
    check.fail("from", 1, "images: expected uint8, or float32 from -1 to 1, got %s", images.dtype)
  end
  if images:dim() ~= 4 or images:numel() == 0 or images:size(4) > 4 then
    check.fail("from", 1, "images: expected (n,h,w,c) with 1 to 4 channels, got (%s)", table.concat(images.shape, ","))
  end
  if images.dtype == "uint8" then return end
  local ok, what = in_range(images)
  if not ok then check.fail("from", 1, "images: expected numbers from -1 to 1, got %s", what) end
end

-- A caption, or a list of several, of one picture.
local function texts_of(v, i)
  local list = type(v) == "table" and check.type("from", 2, ("captions[%d]"):format(i), v, "table") or { v }
  if #list == 0 then check.fail("from", 2, "captions[%d]: expected text or a list of texts, got an empty list", i) end
  local out = {}
  for k = 1, #list do out[k] = check.type("from", 2, ("captions[%d]"):format(i), list[k], "string") end
  return out
end

local function texts(captions, n)
  check.type("from", 2, "captions", captions, "table|nil")
  if captions and #captions ~= n then
    check.fail("from", 2, "captions: expected %d, one a picture, got %d", n, #captions)
  end
  local first, all, several = {}, {}, false
  for i = 1, n do
    all[i] = captions and texts_of(captions[i], i) or { "" }
    first[i], several = all[i][1], several or #all[i] > 1
  end
  return first, several and all or nil
end

-- Labels (n) from 1, and the names of the classes; without names their numbers.
local function classes_of(o, n)
  if not o.labels then
    if o.classes then check.fail("from", 3, "classes: there are no labels") end
    return nil
  end
  local list, highest = o.labels, 0
  if check.is_tensor(list) then
    if list:dim() ~= 1 then check.fail("from", 3, "labels: expected (n), got (%s)", table.concat(list.shape, ",")) end
    list = list:totable()
  end
  if #list ~= n then check.fail("from", 3, "labels: expected %d, one a picture, got %d", n, #list) end
  local labels, names = {}, {}
  for i = 1, n do
    labels[i] = check.integer("from", 3, ("labels[%d]"):format(i), list[i], 1, o.classes and #o.classes or 1 << 20)
    highest = math.max(highest, labels[i])
  end
  for k = 1, o.classes and #o.classes or highest do
    names[k] = o.classes and check.type("from", 3, ("classes[%d]"):format(k), o.classes[k], "string") or tostring(k)
  end
  return names, core.tensor(labels, { dtype = "int32" })
end

--- A data set of pictures and captions that are in memory.
-- @function from
-- @tparam Tensor images (n,h,w,c), c = 1 to 4: uint8, which is shared and not copied, or float32 from -1 to 1, which is
-- rounded to bytes
-- @tparam[opt] table captions one a picture, text or a list of several texts, of which each batch draws one; without
-- them all are empty
-- @tparam[opt] table options
-- @tparam[opt] Tensor|table options.labels a number from 1 for each picture
-- @tparam[opt] {string,...} options.classes the names of the classes; without them "1", "2", ...
-- @treturn Dataset
-- @raise what does not fit, before anything is made
return function(images, captions, options)
  check.type("from", 1, "images", images, "tensor")
  local o = check.options("from", 3, options, KNOWN)
  check_pictures(images)
  local first, all = texts(captions, #images)
  local classes, labels = classes_of(o, #images)
  return dataset.new { images = images.dtype == "uint8" and images or to_bytes(images), captions = first,
    classes = classes, labels = labels, lists = { all_captions = all } }
end
