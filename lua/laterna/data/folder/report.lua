--- What a folder held that did not become a picture with a caption. Three lists of `{ name =, reason = }`: `orphans`
-- (a picture without a caption or the other way round), `bad` (unreadable, refused, malformed) and `empty` (kept, with
-- an empty caption); `pictures` counts what was kept.
-- @module laterna.data.folder.report
local Report = {}
Report.__index = Report

local SHOWN = 20

local function new(path)
  return setmetatable({ path = path, pictures = 0, orphans = {}, bad = {}, empty = {} }, Report)
end

--- Notes one problem in `list`: "orphans", "bad" or "empty".
function Report:add(list, name, reason, ...)
  if select("#", ...) > 0 then reason = reason:format(...) end
  table.insert(self[list], { name = name, reason = reason })
end

-- Names come from disks and from files that nobody checked: nothing in them may steer a terminal.
local function printable(s) return (s:gsub("%c", function(c) return ("\\%03d"):format(c:byte()) end)) end

function Report:__tostring()
  local lines = { ("folder %s: %d pictures"):format(printable(self.path), self.pictures) }
  for _, list in ipairs { "orphans", "bad", "empty" } do
    local found = self[list]
    if #found > 0 then lines[#lines + 1] = ("  %d %s"):format(#found, list) end
    for i = 1, math.min(#found, SHOWN) do
      lines[#lines + 1] = ("    %s: %s"):format(printable(found[i].name), printable(found[i].reason))
    end
    if #found > SHOWN then lines[#lines + 1] = ("    and %d more, in dataset.report"):format(#found - SHOWN) end
  end
  return table.concat(lines, "\n")
end

--- Is there anything that was left out?
function Report:complete() return #self.orphans == 0 and #self.bad == 0 end

return new
