--- What a folder held that did not become a picture with a caption, by reason. Lists of `{ name =, reason = }`:
--
--  - orphans: a picture without a caption, or the other way round
--  - bad: unreadable, refused, malformed
--  - unused: files that laterna has no use for (README.txt, archives, tables without captions)
--  - apart: what nobody would miss: hidden files, those of other splits, those that the option `ignore` names
--  - empty: kept, with an empty caption
--
-- `pictures` counts what was kept, `files` all that lies below the folder, `layout` says how captions were found.
-- `cache`, where there is one, says in words what became of it. `warnings` is a list of `{ what =, names = }`: pictures
-- that were kept and may spoil a training.
-- @module laterna.data.folder.report
local spelling = require "laterna.spelling"

local Report = {}
Report.__index = Report
setmetatable(Report, { __index = spelling.methods("a report", Report) })

local GROUPS <const>, NAMES <const> = 30, 3

local LISTS = { "bad", "orphans", "unused", "empty", "apart" }

local function new(path)
  return setmetatable({ path = path, pictures = 0, files = 0, orphans = {}, bad = {}, empty = {}, unused = {},
    apart = {}, warnings = {}, noted = {} }, Report)
end

--- Notes one problem.
-- @tparam string list "orphans", "bad", "unused", "apart" or "empty"
-- @tparam string name a path, or a path and a line as in `metadata.jsonl:3`
-- @tparam string reason
-- @tparam[opt] string general what is said once of all that share it; without it the reason
function Report:add(list, name, reason, general)
  table.insert(self[list], { name = name, reason = reason, general = general or reason })
  if list ~= "empty" then self.noted[name] = true end
end

--- Notes pictures that were kept and are worth a look.
-- @tparam string what
-- @tparam {string,...} names
function Report:warn(what, names)
  if #names > 0 then table.insert(self.warnings, { what = what, names = names }) end
end

-- Names come from disks and from files that nobody checked: nothing in them may steer a terminal.
local function printable(s)
  s = s:gsub("%c", function(c) return ("\\%03d"):format(c:byte()) end)
  if not utf8.len(s) then s = s:gsub("[\128-\255]", function(c) return ("\\%03d"):format(c:byte()) end) end
  return (s:gsub("\xc2([\128-\159])", function(c) return "\\194" .. ("\\%03d"):format(c:byte()) end))
end

local function some(names)
  local shown = {}
  for i = 1, math.min(#names, NAMES) do shown[i] = printable(names[i]) end
  local more = #names > NAMES and (" and %d more"):format(#names - NAMES) or ""
  return table.concat(shown, ", ") .. more
end

-- What a group is counted in: ".txt", or "rows of metadata.jsonl".
local function unit(name)
  local of = name:match "^(.*):%d+$"
  if of then return "rows of " .. of end
  local ending = name:match "[^/](%.[^./]+)$"
  return ending and #ending <= 9 and ending:lower() or "files"
end

-- Problems that differ in numbers only are one group.
local function groups(list)
  local out, by_key = {}, {}
  for _, problem in ipairs(list) do
    local counted = unit(problem.name)
    local key = counted .. "\0" .. problem.general:gsub("%d+", "0")
    local group = by_key[key]
    if not group then
      group = { unit = counted, first = problem, names = {} }
      by_key[key], out[#out + 1] = group, group
    end
    group.names[#group.names + 1] = problem.name
  end
  return out
end

local function line_of(group)
  if #group.names == 1 then return ("  %s: %s"):format(printable(group.first.name), printable(group.first.reason)) end
  return ("  %d %s: %s (%s)"):format(#group.names, printable(group.unit), printable(group.first.general),
    some(group.names))
end

function Report:__tostring()
  local layout = self.layout and "; captions: " .. printable(self.layout) or ""
  local lines = { ("folder %s: %d pictures%s"):format(printable(self.path), self.pictures, layout) }
  for _, list in ipairs(LISTS) do
    local found = groups(self[list])
    for i = 1, math.min(#found, GROUPS) do lines[#lines + 1] = line_of(found[i]) end
    if #found > GROUPS then
      lines[#lines + 1] = ("  and %d more reasons, in dataset.report.%s"):format(#found - GROUPS, list)
    end
  end
  for _, warning in ipairs(self.warnings) do
    lines[#lines + 1] = ("  look: %d %s: %s"):format(#warning.names, printable(warning.what), some(warning.names))
  end
  if self.cache then lines[#lines + 1] = "  cache: " .. printable(self.cache) end
  return table.concat(lines, "\n")
end

--- What is worth keeping of a report, as a plain table.
-- @treturn table
function Report:kept()
  local out = { pictures = self.pictures, files = self.files, layout = self.layout, warnings = self.warnings }
  for _, list in ipairs(LISTS) do out[list] = self[list] end
  return out
end

--- Was everything used that is no bystander?
-- @treturn boolean
function Report:complete() return #self.orphans == 0 and #self.bad == 0 and #self.unused == 0 end

local report = {}

-- Lists of tables, of which each has texts under these names.
local function are(list, ...)
  local ok = type(list) == "table"
  for i = 1, ok and #list or 0 do
    for _, name in ipairs { ... } do ok = ok and type(list[i]) == "table" and type(list[i][name]) == "string" end
  end
  return ok
end

--- Is this what a report keeps of itself?
-- @tparam table v
-- @treturn boolean
function report.is_kept(v)
  local ok = are(v.warnings, "what") and math.type(v.pictures) == "integer" and math.type(v.files) == "integer"
  for _, list in ipairs(LISTS) do ok = ok and are(v[list], "name", "reason", "general") end
  for _, warning in ipairs(ok and v.warnings or {}) do
    ok = ok and type(warning.names) == "table"
    for _, name in ipairs(ok and warning.names or {}) do ok = ok and type(name) == "string" end
  end
  return ok and (v.layout == nil or type(v.layout) == "string")
end

--- A report of a folder, without anything in it.
-- @function report
-- @tparam string path
-- @tparam[opt] table kept what another one kept
-- @treturn Report
return setmetatable(report, { __call = function(_, path, kept)
  local self = new(path)
  for name, v in pairs(kept or {}) do self[name] = v end
  return self
end })
