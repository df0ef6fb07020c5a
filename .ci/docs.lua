-- Gathers docstrings into files that LDoc reads without guessing: every entry gets its name and parameters here.
-- What a user can reach (public.lua) stands under the name that is typed, on the page of its part: lt.nn.UNet on lt.nn.
-- Whatever else has a docstring is internal, a page a file. A public name without a docstring is an error.
-- `lua5.4 .ci/docs.lua FOLDER FILE...`; with "-" for a folder nothing is written: only the names are checked.
local public = dofile((arg[0]:match "^(.*/)" or "") .. "public.lua")()
local folder = table.remove(arg, 1)

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

-- ---- files: { path, page, head, entries }; head: lines; an entry: { name, kind, lines, line } ----------

-- C: /*** text @function name ... */, perhaps several names to one text.
local function c_file(path, text)
  local title = text:match "^//%s?([^\n]*)" or ""
  local file = { path = path, page = "laterna.core", head = { (title:gsub("[%.:].*", "")) }, entries = {} }
  for comment in text:gmatch "/%*%*%*%s*(.-)%s*%*/" do
    local names, common = {}, {}
    for _, line in ipairs(lines_of(comment)) do
      line = line:match "^%s*(.*)"
      local name = line:match "^@function%s+(%S+)"
      if name then names[#names + 1] = name else common[#common + 1] = line end
    end
    for _, name in ipairs(names) do
      file.entries[#file.entries + 1] = { name = name, lines = common, kind = "@function " }
    end
  end
  return file
end

-- Lua: --- blocks, named by a tag of their own, by the line that follows them, or by the file that returns what they
-- are about. Returns name, kind and parameters.
local function named(text, below, page)
  local tag, own = text:match "(@function)%s+(%S+)"
  if not tag then tag, own = text:match "(@table)%s+(%S+)" end
  if tag then return own, tag .. " ", "" end
  local name, params = below:match "^%s*local function ([%w_]+)%((.-)%)"
  if not name then name, params = below:match "^%s*function ([%w_%.:]+)%((.-)%)" end
  if not name then name, params = below:match "^%s*([%w_%.]+) = function%((.-)%)" end
  if not name and below:find "^return " then name, params = page:match "[%w_]+$", below:match "function%((.-)%)" end
  if name then return name, "@function ", text:find "@t?param" and "" or params or "" end
  name = below:match "^%s*local ([%w_]+)" or below:match "^%s*([%w_%.]+) ="
  if not name then return nil end
  return name, text:find "^[%w_%.]+%(" and "@function " or "@table ", ""
end

local function without(lines, pattern)
  local kept = {}
  for _, line in ipairs(lines) do
    if not line:find(pattern) then kept[#kept + 1] = line end
  end
  return kept
end

local function lua_file(path, text)
  local page = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
  local file = { path = path, page = page, entries = {} }
  local lines, i = lines_of(text), 1
  while i <= #lines do
    if lines[i]:find "^%s*%-%-%-%s" and not lines[i]:find "^%s*%-%-%-%-" then
      local block = { lines[i]:match "^%s*%-%-%-%s?(.*)" }
      while lines[i + 1] and lines[i + 1]:find "^%s*%-%-" do
        i = i + 1
        block[#block + 1] = lines[i]:match "^%s*%-%-%s?(.*)"
      end
      if not file.head then
        file.head = without(block, "^@%a*mod")
        file.class = table.concat(block, "\n"):match "@classmod [%w_.]*%.([%w_]+)" -- of objects that a user gets
      else
        local name, kind, params = named(table.concat(block, "\n"), lines[i + 1] or "", page)
        local entry = { name = name, kind = kind, lines = without(block, "^@function"), line = i + 1 }
        if params then
          for param in params:gmatch "[^,%s]+" do entry.lines[#entry.lines + 1] = "@param " .. param end
        end
        if file.class and name and not name:find "[.:]" then entry.name = file.class .. ":" .. name end
        if name then file.entries[#file.entries + 1] = entry end
      end
    end
    i = i + 1
  end
  file.head = file.head or { page }
  return file
end

-- ---- which entry says what a public name is ----------
local files, by_place, by_name = {}, {}, {}

local function last(name) return name:match "[%w_]+$" end

local function gather(path)
  local file = (path:find "%.c$" and c_file or lua_file)(path, read(path))
  files[#files + 1] = file
  for _, entry in ipairs(file.entries) do
    entry.file, entry.typed = file, {}
    if entry.line then by_place[path .. ":" .. entry.line] = entry end
    local key = last(entry.name)
    by_name[key] = by_name[key] or {}
    table.insert(by_name[key], entry)
  end
end

local core_name = {}
for name, f in pairs(require "laterna.core") do core_name[f] = name end

-- How well an entry of that last name suits a path: of the same file, of another file of the same part, or not at all.
local function suits(entry, path)
  local part, page = path:match "^lt%.([%w_]+)", entry.file.page
  if page == "laterna.core" then return 1 end
  if path == "lt." .. part and last(page) == part then return 3 end
  local home = path:gsub("[%.:][%w_]+$", ""):gsub("^lt", "laterna")
  if page ~= "laterna." .. part and page:find("laterna." .. part .. ".", 1, true) ~= 1 then return 0 end
  local class, of = path:match "([%w_]+):", entry.name:match "([%w_]+):"
  if class and of and class:lower() ~= of:lower() then return 0 end
  if (class == nil) ~= (of == nil) then return 1 end
  return page == home and 3 or 2
end

local function entry_of(p)
  local place = type(p.value) == "function" and debug.getinfo(p.value, "S") or { what = "Lua", source = "" }
  local path = place.source:match "@.-(lua/laterna/.*)$"
  local found, most, native = path and by_place[path .. ":" .. place.linedefined], 0, place.what == "C"
  if found then return found end
  for _, entry in ipairs(by_name[last(p.path)] or {}) do
    local fit = (native or entry.file.page ~= "laterna.core") and suits(entry, p.path) or 0
    if fit > most then found, most = entry, fit end
  end
  local other = native and core_name[p.value] -- lt.load is load_safetensors
  return found or other and other ~= last(p.path) and entry_of { path = "lt." .. other, value = p.value } or nil
end

-- "lt.nn" of "lt.nn.UNet"; what has no page of its own is on "laterna": on one called "lt" LDoc would cut names short.
local has_page = {}
for _, p in ipairs(public) do
  local page = p.path:match "^(lt%.[%w_]+)[%.:]"
  if page then has_page[page] = true end
end
local function page_of(path)
  local page = path:match "^lt%.[%w_]+"
  return has_page[page] and page or "laterna"
end

for _, path in ipairs(arg) do gather(path) end
local missing = {}
for _, p in ipairs(public) do
  local entry = entry_of(p)
  if entry then
    entry.typed[#entry.typed + 1] = p.path
    entry.file.public = true
  else
    missing[#missing + 1] = p.path
  end
end
-- Methods that no walk reaches: a class's own way of being called, and those of objects that public functions return,
-- as of a variable that is called like the class.
for _, file in ipairs(files) do
  local public_file = (file.public or file.class) and file.page ~= "laterna.core"
  for _, entry in ipairs(public_file and file.entries or {}) do
    local class, method = entry.name:match "^([%w_]+):([%w_]+)$"
    if class and #entry.typed == 0 then
      local path = (class == "methods" and last(file.page) or class):lower()
      for _, other in ipairs(file.entries) do path = last(other.typed[1] or "") == class and other.typed[1] or path end
      entry.typed[1] = path .. ":" .. method
    end
  end
end
if #missing > 0 then
  io.stderr:write("public names without a docstring: ", table.concat(missing, ", "), "\n")
  os.exit(1)
end

-- ---- pages ----------
if folder == "-" then return end

-- The block with a tag put between its text and other tags. LDoc knows no lt.NAME to refer to, and drops entries with
-- "`--" in their text.
local function write(out, lines, tag)
  local all, tags = {}, { tag }
  for _, line in ipairs(lines) do
    local see = line:match "^@see laterna%.core%.(%S+)"
    local list = (#tags > 1 or line:find "^%s*@") and not see and tags or all
    list[#list + 1] = see and "See lt." .. see .. "." or line:gsub("`%-%-", "`&#45;-") .. ""
  end
  table.move(tags, 1, #tags, #all + 1, all)
  for i, line in ipairs(all) do out:write(i == 1 and "--- " or "-- ", line, "\n") end
  out:write "\n"
end

-- pages[name][file] = list of { name, entry }
local pages = {}
local function put(page, entry, name)
  pages[page] = pages[page] or {}
  pages[page][entry.file] = pages[page][entry.file] or {}
  table.insert(pages[page][entry.file], { name = name, entry = entry })
end

for _, file in ipairs(files) do
  for _, entry in ipairs(file.entries) do
    for _, path in ipairs(entry.typed) do
      local page = page_of(path:find "^lt%." and path or file.page:gsub("^laterna", "lt"))
      put(page, entry, path)
    end
    if #entry.typed == 0 then put(file.page, entry, entry.name) end
  end
end

-- The file that a page begins with: that of the part itself. lt.plot stands with lt.show.
local function is_head(file, page)
  return file.page == page:gsub("^lt", "laterna") or file.page == page:gsub("^lt", "laterna.show")
end

local function write_page(page, by_file)
  local public_page = page == "laterna" or page:find "^lt%." ~= nil
  local out = assert(io.open(("%s/%s.lua"):format(folder, page), "w"))
  local ordered, head = {}, nil
  for _, file in ipairs(files) do
    if is_head(file, page) then head = file.head end
    if by_file[file] then table.insert(ordered, is_head(file, page) and 1 or #ordered + 1, file) end
  end
  local object = page:match "^lt%.([%w_]+)"
  write(out, head or { object and "Methods of every " .. object .. ", and what makes one." or "Native functions." },
    (public_page and "@module " or "@script ") .. page)
  for i, file in ipairs(ordered) do
    if public_page and not is_head(file, page) then write(out, file.head, "@section s" .. i) end
    for _, item in ipairs(by_file[file]) do write(out, item.entry.lines, item.entry.kind .. item.name) end
  end
  out:write "return {}\n"
  out:close()
end

for page, by_file in pairs(pages) do write_page(page, by_file) end
