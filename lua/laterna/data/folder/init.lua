--- Pictures of one's own: a folder of pictures with captions, laid out as people have them.
-- @module laterna.data.folder
local account = require "laterna.data.folder.account"
local bar = require "laterna.data.folder.bar"
local captions = require "laterna.data.folder.captions"
local check = require "laterna.check"
local classes = require "laterna.data.folder.classes"
local coco = require "laterna.data.folder.coco"
local core = require "laterna.core"
local dataset = require "laterna.data.dataset"
local files = require "laterna.data.folder.files"
local look = require "laterna.data.folder.look"
local names = require "laterna.data.folder.names"
local need = require "laterna.need"
local new_report = require "laterna.data.folder.report"
local open_cache = require "laterna.data.folder.cache"
local read = require "laterna.data.folder.read"
local room = require "laterna.data.folder.room"
local splits = require "laterna.data.folder.splits"
local tables = require "laterna.data.folder.tables"
local tree = require "laterna.data.folder.tree"

local MOST <const>, MOST_JSON <const> = 4096, 64

local function is_size(v)
  local sides = type(v) == "table" and v or { v, v }
  local ok = #sides == 2
  for _, side in ipairs(sides) do ok = ok and math.type(side) == "integer" and side >= 1 and side <= MOST end
  return ok, ("an integer from 1 to %d or {height, width}"):format(MOST)
end

local function sides(size)
  if type(size) == "table" then return size[1], size[2] end
  return size, size
end

local function is_list_of_names(v)
  local ok = type(v) == "table"
  for i = 1, ok and #v or 0 do ok = ok and type(v[i]) == "string" end
  return ok, "a list of names"
end

local function is_path(v)
  return type(v) == "string" and v ~= "" and not v:find "%z", "the path of a file"
end

local function is_background(v)
  local list, ok = type(v) == "table" and v or { v, v, v }, true
  for i = 1, 3 do ok = ok and type(list[i]) == "number" and list[i] >= -1 and list[i] <= 1 end
  return ok and #list == 3, "a number from -1 to 1 or {red, green, blue}"
end

local KNOWN = {
  size = { is_size, 32 }, fit = { "string", "crop", one_of = { "crop", "pad" } }, background = { is_background, 1 },
  channels = { "integer", 3, min = 1, max = 4 }, max_pixels = { "integer", nil, min = 1 },
  captions = { "string", "auto",
    one_of = { "auto", "txt", "jsonl", "csv", "coco", "folders", "names", "none" } },
  key = "string", split = { "string", nil, one_of = { "train", "test", "validation", "all" } },
  repeats = { "boolean", true }, ignore = is_list_of_names,
  bad = { "string", "skip", one_of = { "skip", "error" } }, quiet = { "boolean", false },
  symlinks = { "boolean", false }, cache = is_path,
}

local function names_of(there)
  local list = {}
  for split in pairs(there) do list[#list + 1] = split end
  table.sort(list)
  return table.concat(list, ", "), #list, list[1]
end

-- The split that is read: the one asked for, else "train", else the only one.
local function choose(wanted, there)
  if wanted or there.train or next(there) == nil then return wanted or "train" end
  local all, count, first = names_of(there)
  if count > 1 then check.fail("folder", 2, "split: the folder has %s; none of them is train", all) end
  return first
end

local function wanted(list, split)
  local out = {}
  for _, file in ipairs(list) do
    if split == "all" or file.split == nil or file.split == split then out[#out + 1] = file end
  end
  return out
end

-- Those called `first`, where there are some; else all for which test(file) is true.
local function candidates(list, first, test)
  local named, others = {}, {}
  for _, file in ipairs(list) do
    if file.name == first then named[#named + 1] = file elseif test(file) then others[#others + 1] = file end
  end
  return #named > 0 and named or others
end

-- JSON files that hold captions -> their rows. A file beside a picture of its name is about that picture alone.
local function parse_all(set, index)
  local out, count = {}, 0
  for _, file in ipairs(set.tables) do
    if file.ending == "json" and count < MOST_JSON and
      index.by_path_stem[tree.join(file.folder, file.stem)] == nil then
      local rows, reason = coco.parse(file, index, set)
      if reason then set.report:add(reason:find "^larger" and "unused" or "bad", file.path, reason) end
      out[file], count = rows, count + 1
    end
  end
  return out
end

-- All that the ways of finding captions have to know of a folder.
local function describe(found, o, report)
  local there = splits.find(found)
  local set = { tree = found, root = found.root, report = report, key = o.key, there = there }
  set.split = choose(o.split, there)
  set.pictures, set.tables = wanted(found.picture, set.split), wanted(found.table, set.split)
  set.classes = classes.find(set.pictures, report)
  set.pictures = set.classes.pictures
  if not o.repeats then set.classes.repeats = nil end
  local index, lists, texts = names.index(found, report), {}, {}
  set.index = index
  for _, text in ipairs(wanted(found.text, set.split)) do
    local lonely = index.by_path_stem[tree.join(text.folder, text.stem)] == nil
    local list = lonely and tables.is_csv(text, index, set)
    table.insert(list and lists or texts, text)
  end
  set.texts = texts
  set.candidates = {
    jsonl = candidates(set.tables, "metadata.jsonl", function(file) return tables.is_jsonl(file, set) end),
    csv = candidates(set.tables, "metadata.csv", function(file) return tables.is_csv(file, index, set) end),
  }
  if #set.candidates.csv == 0 then set.candidates.csv = lists end
  set.split_asked = o.split ~= nil
  local parsed
  function set.parsed()
    parsed = parsed or parse_all(set, index)
    return parsed
  end
  return set
end

-- The classes of pictures, sorted, and for each picture its number; nil where some have none, or all the same.
local function labels_of(kept, kind)
  local list, number = {}, {}
  for _, picture in ipairs(kept) do
    local name = picture.class and files.caption(picture.class)
    if not name or name == "" then return nil end
    if not number[name] then list[#list + 1], number[name] = name, true end
  end
  if #list < 2 and kind ~= "folders" then return nil end
  table.sort(list)
  for i, name in ipairs(list) do number[name] = i end
  local labels = {}
  for i, picture in ipairs(kept) do labels[i] = number[files.caption(picture.class)] end
  return list, labels
end

-- All that is known of the pictures, as a plain table.
local function assemble(kept, kind)
  local text, lists = {}, { names = {} }
  for i, picture in ipairs(kept) do
    text[i], lists.names[i] = picture.captions[1], picture.file.path
    if #picture.captions > 1 then lists.all_captions = {} end
    if picture.repeats then lists.repeats = {} end
    if picture.metadata then lists.metadata = {} end
  end
  for i, picture in ipairs(kept) do
    if lists.all_captions then lists.all_captions[i] = picture.captions end
    if lists.repeats then lists.repeats[i] = picture.repeats or 1 end
    if lists.metadata then lists.metadata[i] = picture.metadata or {} end
  end
  local names_of_classes, labels = labels_of(kept, kind)
  return { captions = text, lists = lists, classes = names_of_classes, labels = labels }
end

-- The pictures and their captions; or none, and the reason where it is known here.
local function find_captions(set, kind, o)
  local list, layout
  if kind then list, layout = captions[kind](set) end
  if not list then return {}, layout end
  set.report.layout = layout
  local known = set.there[o.split] or o.split == "all" or o.split == "train" and not next(set.there)
  return (o.split == nil or known) and list or {}
end

-- Why there is nothing to read.
local function nothing(set, kind)
  local all = names_of(set.there)
  if #set.tree.picture == 0 then return "there is no picture in it" end
  if set.split ~= "all" and not set.there[set.split] and (next(set.there) or set.split ~= "train") then
    return ("there is no split %s; the folder has %s"):format(set.split, next(set.there) and all or "none")
  end
  if kind then return "no picture with a caption is left" end
  return ("nothing says what its %d pictures show: no texts, no table, no folders as classes; captions = \"names\" "
    .. "takes the files' names, captions = \"none\" leaves them empty"):format(#set.pictures)
end

-- With bad = "error" nothing may be left over.
local function refuse(o, report)
  if o.bad == "error" and not report:complete() then check.raise("%s", report) end
end

-- Reads what tree.walk found: all that is known of the pictures, and the pictures, in memory or in the cache.
local function read_anew(path, o, report, found, cache)
  local _ <close> = cache and cache:begin(o)
  local set = describe(found, o, report)
  local kind = o.captions == "auto" and captions.guess(set) or o.captions ~= "auto" and o.captions or nil
  local list, missing = find_captions(set, kind, o)
  tree.sort(list, function(picture) return picture.file end)
  local sink, kept = cache or #list > 0 and room(#list, o), {}
  if #list > 0 then
    local shown <close> = bar(#list, { label = "pictures", quiet = o.quiet })
    kept = read(path, list, o, report, sink, shown)
  end
  account(set, report)
  report.pictures = #kept
  if #kept == 0 then check.raise("%s\n%s", report, missing or nothing(set, kind)) end
  look(report, kept, o)
  refuse(o, report)
  local value = assemble(kept, kind)
  value.report = report:kept()
  local images = sink:finish(value)
  if cache then
    report.cache = cache.why and ("%s is made anew: %s"):format(o.cache, cache.why) or "written to " .. o.cache
  end
  return value, images
end

--- Loads a folder of pictures with captions, in the order of their names, whatever it is called that holds them. With
-- captions = "auto" the first of these layouts that fits is taken; `report.layout` names it:
--
--  - "jsonl": metadata.jsonl, in the folder or in others below it, one object a line, `{"file_name": "a/b.png",
--    "text": "a caption"}`; other keys are kept. A list of texts is several captions
--  - "csv": metadata.csv, captions.csv or another table with a column of names (file_name, file, image, ...) and one of
--    captions (text, caption, prompt, ...; else label); separators are , ; tab and |; several rows of a picture are
--    several captions
--  - "coco": COCO's captions, or other JSON with names and captions
--  - "txt": `name.png` beside `name.txt` or `name.caption`, at any depth, or with its text in another folder
--  - "folders": the top folders are the classes and the captions, `ankle_boot` -> "ankle boot"
--
-- With "txt" and tables the top folders are classes as well, where there are several. kohya's folders `10_name` repeat
-- their pictures (see `Dataset:batches`). Folders train/, test/ and validation/, tables with these words in their names
-- and a column `split` hold parts of the set, of which one is read. Every picture is brought to its size as
-- lt.fit_picture does: with 2 and 4 channels colours are weighted by alpha, and a pixel with alpha 0 has no colour of
-- its own (all its channels are 0). All threads read; what is read does not depend on their number. On a terminal a bar
-- is shown after half a second.
--
-- With `cache` the pictures at their final size, and all else that is known, are written to a file of safetensors; the
-- next call maps it, without a look into the folder's files: pages are read when they are needed, so that a set may be
-- larger than memory, also while it is written. The cache is used as long as options, paths, sizes and times (to the
-- nanosecond) of all pictures, texts and tables are what they were, and the names of all other files; else it is made
-- anew, and a line of the report says why. So is one that is damaged; its pictures themselves are under no checksum. A
-- file that is no cache is never replaced. Sets that came out of a cache may be changed: nothing reaches the file. It
-- must not be changed in place while they live.
--
-- `dataset.report`, printed once on stderr, names the layout and every file below the folder that was not used, by
-- reason: see `laterna.data.folder.report`. It warns of pictures that are nearly blank, tiny, of extreme proportions or
-- there twice, and of captions that are all the same or share no word.
-- @function folder
-- @tparam string path
-- @tparam[opt] table options
-- @tparam[opt=32] integer|table options.size a side, or {height, width}
-- @tparam[opt=3] integer options.channels 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha
-- @tparam[opt="crop"] string options.fit "crop": of other proportions the largest centred part; "pad": the whole
-- picture, with the background around it, which with 2 and 4 channels is transparent
-- @tparam[opt=1] number|table options.background for "pad" and for alpha that is dropped: a grey from -1 to 1, or
-- {red, green, blue}
-- @tparam[opt] string options.cache path of a file that holds the set from then on; its folder has to be there
-- @tparam[opt="auto"] string options.captions "txt", "jsonl", "csv", "coco", "folders"; "names": the files' names,
-- `a red star_001.png` -> "a red star"; "none": empty ones; or "auto": found out
-- @tparam[opt] string options.key which field or column of a table is the caption
-- @tparam[opt] string options.split "train" (the default where there are splits), "test", "validation" or "all"
-- @tparam[opt=true] boolean options.repeats heed the numbers of kohya's folders
-- @tparam[opt="skip"] string options.bad "error" refuses the folder when any file is not used, but for hidden files,
-- other splits and those that `ignore` names
-- @tparam[opt] {string,...} options.ignore names of files or folders that may lie there, such as "README.txt" or "*.md"
-- @tparam[opt=false] boolean options.quiet print nothing
-- @tparam[opt=false] boolean options.symlinks follow symbolic links, which may lead out of the folder
-- @tparam[opt] integer options.max_pixels refuse larger pictures, as load_picture does
-- @treturn Dataset with `names` (paths inside the folder) and `report`; where there are classes `labels` and `classes`;
-- where tables say more `metadata`, for each picture a table; where pictures have several captions `all_captions`, for
-- each a list; with kohya's folders `repeats`
-- @raise what is wrong with an option; a folder out of which nothing can be read, or with bad = "error" not all; not
-- enough memory for all pictures, without a cache; a cache that cannot be written, or would replace another file
return function(path, options)
  check.type("folder", 1, "path", path, "string")
  local o = check.options("folder", 2, options, KNOWN)
  o.height, o.width = sides(o.size)
  local lfs = need("lfs", "lua-filesystem", "luafilesystem")
  local mode, why = lfs.attributes(path, "mode")
  if mode ~= "directory" then
    check.fail("folder", 1, "path: %s", mode and path .. " is not a folder" or why)
  end
  local cache = o.cache and open_cache(o.cache) or nil
  local report = new_report(path)
  local found = tree.walk(path, o, report, cache)
  local kept = cache and cache:read(found, report, o)
  if kept then
    report = new_report(path, kept.report)
    report.cache = "read from " .. o.cache
    refuse(o, report)
  end
  local value, images = kept, kept and kept.images
  if not kept then value, images = read_anew(path, o, report, found, cache) end
  if not o.quiet then io.stderr:write(tostring(report), "\n") end
  return dataset.new { images = images, captions = value.captions, lists = value.lists, classes = value.classes,
    labels = value.labels and core.tensor(value.labels, { dtype = "int32" }), report = report }
end
