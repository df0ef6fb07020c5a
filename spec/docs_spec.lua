-- The pages in docs: every block marked lua is a program of its own and runs as it stands, in an empty folder. Pieces
-- of files, which are to be read, are marked "lua piece".
local child = require "spec.support.child"
local lfs = require "lfs"
local sources = require "spec.support.sources"

-- The blocks of a page, without the indentation of the list that they stand in: { line =, code = }.
local function blocks(text)
  local list, inside = {}, nil
  for number, line in ipairs(sources.lines(text)) do
    local indent, mark = line:match "^(%s*)```(.*)$"
    if not indent then
      if inside then inside.code = inside.code .. line:sub(#inside.indent + 1) .. "\n" end
    elseif inside then
      if inside.mark == "lua" then list[#list + 1] = inside end
      inside = nil
    else
      inside = { indent = indent, mark = mark, line = number, code = "" }
    end
  end
  assert(not inside, "a block without an end")
  return list
end

describe("the pages in docs", function()
  local pages = sources.files("docs", "md")

  it("are there", function() assert.is_true(#pages >= 1) end)

  for _, path in ipairs(pages) do
    for _, block in ipairs(blocks(sources.read(path))) do
      local name = ("%s:%d"):format(path, block.line)
      it("have a program that runs: " .. name, function()
        local printed = {}
        local env = setmetatable({ print = function(...) printed[#printed + 1] = ... end }, { __index = _G })
        local run = assert(load(block.code, "=" .. name, "t", env))
        local home, folder = lfs.currentdir(), child.folder()
        assert(lfs.chdir(folder))
        local ok, message = xpcall(run, debug.traceback)
        assert(lfs.chdir(home))
        child.remove(folder)
        assert.is_true(ok, message)
      end)
    end
  end

  it("show a way to add each kind of thing", function()
    local text = sources.read "docs/CONTRIBUTING.md"
    assert.is_true(#blocks(text) >= 6)
    for _, title in ipairs { "An operation", "A layer", "A sampler", "A schedule", "A family", "A data format",
      "An instruction set" } do
      assert.is_truthy(text:find("\n## " .. title .. "\n", 1, true), title)
    end
  end)

  -- Whoever follows them must find what they name.
  it("name files that are there", function()
    local text = sources.read "docs/CONTRIBUTING.md"
    for name in text:gmatch "`([%w_/]+%.%a+)`" do
      if name:find "/" then assert.is_truthy(lfs.attributes(sources.root .. "/" .. name), name) end
    end
  end)
end)
