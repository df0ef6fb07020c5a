--- A look at pictures that were kept: what often spoils a training, and is seen too late.
-- @module laterna.data.folder.look
local core = require "laterna.core"

local BLOCK <const>, ROWS <const> = 256, 12
local NEARLY_BLANK <const> = 4 -- variance of bytes: a standard deviation of 2 of 255
local WIDEST <const> = 3 -- times as wide as high, or the other way round
local FEW <const> = 10 -- captions of which nothing can be said

-- The numbers, in a view of all rows of all pictures, of some rows of each of n pictures of height h.
local function some_rows(n, h)
  local rows, count = {}, math.min(h, ROWS)
  for i = 0, n - 1 do
    for k = 0, count - 1 do rows[#rows + 1] = i * h + (2 * k + 1) * h // (2 * count) + 1 end
  end
  return core.tensor(rows, { dtype = "int32" }), count
end

-- For each picture the variances of its channels, as a list of lists. A few rows of each are enough to tell most
-- pictures from blank ones and from each other.
local function variances(images)
  local n, h, w, c = table.unpack(images.shape)
  local out = {}
  if h * w < 2 then return out end
  local index, rows = some_rows(math.min(n, BLOCK), h)
  for first = 1, n, BLOCK do
    local count = math.min(BLOCK, n - first + 1)
    if count * rows < #index then index = index[{ 1, count * rows }] end
    local sample = core.take_pictures(images[{ first, first + count - 1 }]:view(count * h, 1, w, c), index)
    local found = sample:float():view(count, rows * w, c):var(2):totable()
    table.move(found, 1, count, first, out)
  end
  return out
end

local function is_blank(row) return math.max(table.unpack(row)) < NEARLY_BLANK end

local function blank(report, kept, images, spread)
  local names, _, h, w, c = {}, table.unpack(images.shape)
  for i, row in ipairs(spread) do
    if is_blank(row) and is_blank(images[i]:float():view(h * w, c):var(1):totable()) then
      names[#names + 1] = kept[i].file.path
    end
  end
  report:warn("nearly blank", names)
end

-- Only pictures with the same variances are compared, by a hash of their bytes.
local function doubles(report, kept, images, spread)
  local alone, known, names = {}, {}, {} -- alone: by variances the first picture, or false when it is in `known`
  local function hash(i) return core.hash_strings { images[i]:to_string() } end
  for i, row in ipairs(spread) do
    local key = table.concat(row, " ")
    local first = alone[key]
    if first == nil then
      alone[key] = i
    else
      if first then known[hash(first)], alone[key] = true, false end
      local own = hash(i)
      if known[own] then names[#names + 1] = kept[i].file.path end
      known[own] = true
    end
  end
  report:warn("exact doubles of others", names)
end

local function proportions(report, kept, height, width)
  local tiny, extreme = {}, {}
  for _, picture in ipairs(kept) do
    local h, w = picture.h, picture.w
    if h < height / 2 or w < width / 2 then tiny[#tiny + 1] = picture.file.path end
    if h > WIDEST * w or w > WIDEST * h then extreme[#extreme + 1] = picture.file.path end
  end
  report:warn(("smaller than half of %dx%d"):format(height, width), tiny)
  report:warn(("longer than %d times their width, of which most is cut away"):format(WIDEST), extreme)
end

-- Does any word occur in two captions?
local function words_return(kept)
  local owner = {}
  for i, picture in ipairs(kept) do
    for _, caption in ipairs(picture.captions) do
      for word in caption:lower():gmatch "[%w\128-\255]+" do
        if owner[word] and owner[word] ~= i then return true end
        owner[word] = i
      end
    end
  end
  return false
end

local function texts(report, kept)
  local same, all = true, {}
  for i, picture in ipairs(kept) do
    all[i] = picture.file.path
    same = same and picture.captions[1] == kept[1].captions[1] and #picture.captions == 1
  end
  if #kept > 1 and same and kept[1].captions[1] ~= "" then
    report:warn("captions, all the same", all)
  elseif #kept >= FEW and not same and not words_return(kept) then
    report:warn("captions without a word that two of them share", all)
  end
end

--- Warns of pictures and captions, in `report.warnings`.
-- @function look
-- @tparam Report report
-- @tparam {table,...} kept with `file`, `captions`, and the height and width `h` and `w` that they had
-- @tparam Tensor images (n,h,w,c) uint8
return function(report, kept, images)
  local spread = variances(images)
  blank(report, kept, images, spread)
  proportions(report, kept, images:size(2), images:size(3))
  doubles(report, kept, images, spread)
  texts(report, kept)
end
