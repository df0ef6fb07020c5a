-- Gathers docstrings into files that LDoc reads without guessing: every entry gets its name and parameters here.
-- The C bindings become one module, laterna.core, with a section a file. `lua5.4 .ci/docs.lua FOLDER FILE...`

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

local function write(out, lines)
  for i, line in ipairs(lines) do out:write(i == 1 and "--- " or "-- ", line, "\n") end
  out:write "\n"
end

-- The block with tags of its own put between text and other tags.
local function with_tags(block, tags)
  local lines, at = { table.unpack(block) }, 1
  while lines[at] and not lines[at]:find "^%s*@" do at = at + 1 end
  for i, tag in ipairs(tags) do table.insert(lines, at + i - 1, tag) end
  return lines
end

-- ---- C: /*** text @function name ... */, perhaps several names to one text ----------
local function title(text)
  local first = text:match "^//%s?([^\n]*)" or ""
  return (first:gsub("[%.:].*", ""))
end

local function c_entries(out, text)
  for comment in text:gmatch "/%*%*%*%s*(.-)%s*%*/" do
    local names, common = {}, {}
    for _, line in ipairs(lines_of(comment)) do
      line = line:match "^%s*(.*)"
      local name = line:match "^@function%s+(%S+)"
      if name then names[#names + 1] = name else common[#common + 1] = line end
    end
    for _, name in ipairs(names) do write(out, with_tags(common, { "@function " .. name })) end
  end
end

-- ---- Lua: --- blocks, named by the line that follows them ----------
-- Tags that name what stands below a block.
local function named(block, below)
  local text = table.concat(block, "\n")
  if text:find "@function" or text:find "@%a*mod" or text:find "@section" or text:find "@type" then return {} end
  local name, params = below:match "^%s*function ([%w_%.:]+)%((.-)%)"
  if not name then name, params = below:match "^%s*([%w_%.]+) = function%((.-)%)" end
  if not name then
    name = below:match "^%s*local function ([%w_]+)" or below:match "^%s*local ([%w_]+)" or
           below:match "^%s*([%w_%.]+) ="
    if not name then return nil end
    return { (text:find "^[%w_%.]+%(" and "@function " or "@table ") .. name:gsub("^.*%.", "") }
  end
  local tags = { "@function " .. name:gsub("^[%w_]+%.", "") }
  if not text:find "@t?param" then
    for param in params:gmatch "[^,%s]+" do tags[#tags + 1] = "@param " .. param end
  end
  return tags
end

local function lua_entries(out, path, text)
  local lines, i, first = lines_of(text), 1, true
  while i <= #lines do
    if lines[i]:find "^%s*%-%-%-%s" and not lines[i]:find "^%s*%-%-%-%-" then
      local block = { lines[i]:match "^%s*%-%-%-%s?(.*)" }
      while lines[i + 1] and lines[i + 1]:find "^%s*%-%-" do
        i = i + 1
        block[#block + 1] = lines[i]:match "^%s*%-%-%s?(.*)"
      end
      local joined = table.concat(block, "\n")
      if first and not joined:find "@%a*mod" then
        block[#block + 1] = "@module " .. path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
      end
      local tags = first and {} or named(block, lines[i + 1] or "")
      if tags then write(out, with_tags(block, tags)) end
      first = false
    end
    i = i + 1
  end
end

local core = assert(io.open(folder .. "/core.lua", "w"))
write(core, { "The native module: tensors, automatic differentiation, arithmetic, layers, pictures and files.",
              "All of it is in `require \"laterna\"` too. What takes a tensor first is also its method: `x:sum()`.",
              "@module laterna.core" })
for n, path in ipairs(arg) do
  local text = read(path)
  if path:find "%.c$" and text:find "@function" then
    write(core, { title(text), "@section " .. path:match "([%w_]+)%.c$" })
    c_entries(core, text)
  elseif path:find "%.lua$" then
    local out = assert(io.open(("%s/%03d.lua"):format(folder, n), "w"))
    lua_entries(out, path, text)
    out:write "return {}\n"
    out:close()
  end
end
core:write "return {}\n"
core:close()
