--- A look at pictures that were kept: what often spoils a training, and is seen too late.
-- @module laterna.data.folder.look
local WIDEST <const> = 3 -- times as wide as high, or the other way round
local FEW <const> = 10 -- captions of which nothing can be said

local function blank(report, kept)
  local names = {}
  for _, picture in ipairs(kept) do
    if picture.blank then names[#names + 1] = picture.file.path end
  end
  report:warn("nearly blank", names)
end

local function doubles(report, kept)
  local known, names = {}, {}
  for _, picture in ipairs(kept) do
    if known[picture.hash] then names[#names + 1] = picture.file.path end
    known[picture.hash] = true
  end
  report:warn("exact doubles of others", names)
end

local function proportions(report, kept, o)
  local tiny, extreme = {}, {}
  for _, picture in ipairs(kept) do
    local h, w = picture.h, picture.w
    if h < o.height / 2 or w < o.width / 2 then tiny[#tiny + 1] = picture.file.path end
    if h > WIDEST * w or w > WIDEST * h then extreme[#extreme + 1] = picture.file.path end
  end
  report:warn(("smaller than half of %dx%d"):format(o.height, o.width), tiny)
  report:warn(("longer than %d times their width, of which most is %s"):format(WIDEST,
    o.fit == "pad" and "padding" or "cut away"), extreme)
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
-- @tparam {table,...} kept with `file`, `captions`, and what laterna.data.folder.read found: `h`, `w`, `hash`, `blank`
-- @tparam table o `height`, `width`, `fit`
return function(report, kept, o)
  if o.height * o.width > 1 then blank(report, kept) end -- one pixel is always of one colour
  proportions(report, kept, o)
  if o.height * o.width > 1 then doubles(report, kept) end
  texts(report, kept)
end
