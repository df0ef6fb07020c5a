--- Fashion-MNIST: 60,000 training and 10,000 test pictures, 28x28 grey, of ten kinds of garments.
-- Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", 2017.
-- @module laterna.data.fashion_mnist
local check = require "laterna.check"
local idx = require "laterna.data.idx"

local CLASSES = {
  "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
}
local DEBIAN = "/usr/share/datasets/fashion-mnist"

local function readable(path)
  local f = io.open(path, "rb")
  if f then f:close() end
  return f ~= nil
end

local function find(folder, name)
  for _, path in ipairs { folder .. "/" .. name .. ".gz", folder .. "/" .. name } do
    if readable(path) then return path end
  end
end

--- Loads Fashion-MNIST from a folder that holds its four IDX files, gzipped or not: the one named, else
-- $LATERNA_DATA/fashion-mnist, else where Debian's package dataset-fashion-mnist puts them.
-- @function fashion_mnist
-- @tparam[opt="train"] string split "train" or "test"
-- @tparam[opt] string folder
-- @treturn Dataset images (n,28,28,1) uint8, labels from 1, classes, and the class names as captions
return function(split, folder)
  split = check.one_of("fashion_mnist", 1, "split", split == nil and "train" or split, { "train", "test" })
  check.type("fashion_mnist", 2, "folder", folder, "string|nil")
  local folders, home = { folder }, os.getenv "LATERNA_DATA"
  if not folder then folders = { home and home .. "/fashion-mnist" or DEBIAN, home and DEBIAN } end
  local stem = split == "train" and "train" or "t10k"
  for _, path in ipairs(folders) do
    local images, labels = find(path, stem .. "-images-idx3-ubyte"), find(path, stem .. "-labels-idx1-ubyte")
    if images and labels then return idx(images, labels, CLASSES) end
  end
  error(("fashion_mnist: no %s-images-idx3-ubyte and %s-labels-idx1-ubyte (.gz or not) in %s; "):format(stem, stem,
    table.concat(folders, ", ")) .. "install Debian's package dataset-fashion-mnist, or name the folder", 2)
end
