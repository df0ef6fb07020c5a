--- The CSV file of a run: a column `step`, then one for each logged name, in natural order as they first appear.
-- @module laterna.train.log
local Log = {}
Log.__index = Log

local function split(line)
  local out = {}
  for cell in (line .. ","):gmatch "([^,]*)," do out[#out + 1] = cell end
  return out
end

local function refuse(path, why)
  error(("cannot write %s: %s"):format(path, why), 0)
end

-- Replaces the file by its rewritten lines, through a temporary one.
local function replace(path, lines)
  local temporary = path .. ".tmp"
  local file, why = io.open(temporary, "w")
  if not file then refuse(temporary, why) end
  local ok
  ok, why = file:write(#lines > 0 and table.concat(lines, "\n") .. "\n" or "")
  local closed, why_closed = file:close()
  if not ok or not closed then
    os.remove(temporary)
    refuse(temporary, why or why_closed)
  end
  ok, why = os.rename(temporary, path)
  if not ok then refuse(path, why) end
end

local function read_lines(path)
  local file = io.open(path, "r")
  local lines = {}
  if not file then return lines end
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

-- Rows up to a step: what a resumed run has not done is cut off, and so is a line that was never finished.
local function keep(lines, step)
  local columns = lines[1] and split(lines[1]) or { "step" }
  local out = { lines[1] }
  for i = 2, #lines do
    local cells = split(lines[i])
    local at = tonumber(cells[1])
    if #cells == #columns and at and at <= step then out[#out + 1] = lines[i] end
  end
  return columns, out
end

local function open(self)
  local why
  self.file, why = io.open(self.path, "a")
  if not self.file then refuse(self.path, why) end
  self.file:setvbuf "line"
end

--- Opens a log that keeps the rows up to `step`; 0 begins a new one.
-- @tparam string path
-- @tparam integer step
function Log.open(path, step)
  local self = setmetatable({ path = path }, Log)
  local lines
  self.columns, lines = keep(step > 0 and read_lines(path) or {}, step)
  replace(path, lines)
  open(self)
  self.empty = #lines == 0
  return self
end

-- New names become new columns, empty in the rows so far.
local function widen(self, names)
  local known, missing = {}, {}
  for _, name in ipairs(self.columns) do known[name] = true end
  for _, name in ipairs(names) do
    if not known[name] then missing[#missing + 1] = name end
  end
  if #missing == 0 and not self.empty then return end
  self:close()
  local lines = read_lines(self.path)
  table.move(missing, 1, #missing, #self.columns + 1, self.columns)
  lines[1] = table.concat(self.columns, ",")
  for i = 2, #lines do lines[i] = lines[i] .. (","):rep(#missing) end
  replace(self.path, lines)
  open(self)
  self.empty = false
end

--- Writes a row.
-- @tparam integer step
-- @tparam {string,...} names in order
-- @tparam table values number by name
function Log:write(step, names, values)
  widen(self, names)
  local cells = { tostring(step) }
  for i = 2, #self.columns do
    local v = values[self.columns[i]]
    cells[i] = v and ("%.9g"):format(v) or ""
  end
  local ok, why = self.file:write(table.concat(cells, ","), "\n")
  if not ok then refuse(self.path, why) end
end

--- Closes the file; an error if the last rows could not be written.
function Log:close()
  if not self.file then return end
  local ok, why = self.file:close()
  self.file = nil
  if not ok then refuse(self.path, why) end
end

return Log
