--- Data sets in the IDX format of MNIST: one file of pictures, one of labels, plain or gzipped.
-- @module laterna.data.idx
local check = require "laterna.check"
local core = require "laterna.core"
local dataset = require "laterna.data.dataset"

-- (n,h,w) or (n,h,w,c) bytes -> (n,h,w,c)
local function pictures(path)
  local t = core.load_idx(path)
  if t.dtype ~= "uint8" or (t:dim() ~= 3 and t:dim() ~= 4) then
    error(("%s: expected pictures (n,h,w) or (n,h,w,c) of bytes, got %s (%s)"):format(path, t.dtype,
      table.concat(t.shape, ",")), 0)
  end
  if t:dim() == 4 then return t end
  return t:view(t:size(1), t:size(2), t:size(3), 1)
end

local function labels(path, n)
  local t = core.load_idx(path)
  if t:dim() ~= 1 or t.dtype == "float32" then
    error(("%s: expected labels (n), got %s (%s)"):format(path, t.dtype, table.concat(t.shape, ",")), 0)
  end
  if #t ~= n then error(("%s: %d labels for %d pictures"):format(path, #t, n), 0) end
  return t:totable()
end

--- Pictures and labels of two IDX files. The labels in the file count from 0, as the format's data sets do; the data
-- set's count from 1 and index `classes`. Captions are the class names.
-- @function idx
-- @tparam string images_path IDX of bytes, (n,h,w) or (n,h,w,c); `.gz` is unpacked
-- @tparam[opt] string labels_path IDX of integers, (n)
-- @tparam[opt] table classes their names; without it "0", "1", ...
-- @treturn Dataset captions are empty when there are no labels
return function(images_path, labels_path, classes)
  check.type("idx", 1, "images_path", images_path, "string")
  check.type("idx", 2, "labels_path", labels_path, "string|nil")
  check.type("idx", 3, "classes", classes, "table|nil")
  for i, name in ipairs(classes or {}) do check.type("idx", 3, "classes[" .. i .. "]", name, "string") end
  local images = pictures(images_path)
  local captions = {}
  if not labels_path then
    for i = 1, #images do captions[i] = "" end
    return dataset.new { images = images, captions = captions }
  end
  local ids, names, highest = labels(labels_path, #images), {}, 0
  for i, id in ipairs(ids) do
    if id < 0 or (classes and id >= #classes) then
      error(("%s: label %d of picture %d is not one of %d classes"):format(labels_path, id, i, #(classes or {})), 0)
    end
    highest = math.max(highest, id)
  end
  for k = 1, classes and #classes or highest + 1 do names[k] = classes and classes[k] or tostring(k - 1) end
  for i, id in ipairs(ids) do
    ids[i] = id + 1
    captions[i] = names[id + 1]
  end
  return dataset.new { images = images, captions = captions, classes = names,
    labels = core.tensor(ids, { dtype = "int32" }) }
end
