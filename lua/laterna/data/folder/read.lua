--- Pictures of a list of files, brought to one size.
-- @module laterna.data.folder.read
local check = require "laterna.check"
local core = require "laterna.core"

local FIRST <const>, MOST <const> = 16, 2048 -- files that are read at once
local PACE <const> = 0.1 -- seconds that reading them is to take, so that a bar moves and Ctrl-C is heard

-- Notes what became of the files list[first .. first + n - 1].
local function note(list, first, n, found, kept, root, report)
  for k = 1, n do
    local picture, reason = list[first + k - 1], found.reason[k]
    if reason then
      reason = check.reason(reason, root .. "/" .. picture.file.path)
      report:add("bad", picture.file.path, reason, "unreadable: " .. reason)
    else
      kept[#kept + 1] = picture
      picture.h, picture.w, picture.hash, picture.blank = found.height[k], found.width[k], found.hash[k], found.blank[k]
      picture.file.used = true
      if picture.text then picture.text.used = true end
    end
  end
end

local function lonely_texts(list, report)
  for _, picture in ipairs(list) do
    local text = picture.text
    if text and not text.used and not report.noted[text.path] then
      report:add("orphans", text.path, picture.file.name .. " is bad", "the picture is bad")
    end
  end
end

--- Reads the pictures of a list, by all threads. What cannot be read is reported, as is a text that nobody else has.
-- @function read
-- @tparam string root
-- @tparam {table,...} list with `file`, and `text` where a picture has one; gets `h` and `w`, the size that the picture
-- had, and `hash` and `blank`, of its bytes (see core.load_pictures)
-- @tparam table o `height`, `width`, `channels`, `max_pixels`, `fit`, `background`
-- @tparam Report report
-- @tparam table sink where pictures go: `sink:rows(n)` gives a tensor and a first row with room for n pictures,
-- `sink:keep(n)` takes the first n of them; `sink.most`, the largest n, where there is a limit
-- @tparam function progress called with the number of files that are done
-- @treturn {table,...} those of the list that were read
return function(root, list, o, report, sink, progress)
  local options = { max_pixels = o.max_pixels, fit = o.fit, background = o.background }
  local kept, first, size, most = {}, 1, FIRST, math.min(sink.most or MOST, MOST)
  while first <= #list do
    local n, paths, started = math.min(size, most, #list - first + 1), {}, core.clock()
    for k = 1, n do paths[k] = list[first + k - 1].file.path end
    local rows, row = sink:rows(n)
    local count, found = core.load_pictures(rows, row, root, paths, options)
    note(list, first, n, found, kept, root, report)
    sink:keep(count)
    first = first + n
    progress(first - 1)
    local pace = PACE / math.max(core.clock() - started, 1e-3)
    size = math.max(1, math.min(most, math.floor(n * math.min(4, pace))))
  end
  lonely_texts(list, report)
  return kept
end
