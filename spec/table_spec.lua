-- The table of faults in spec/README.md names specs that there are.
local sources = require "spec.support.sources"

-- Rows of the table by number: the cell that names specs.
local function rows()
  local list = {}
  for number, cell in sources.read("spec/README.md"):gmatch "\n| (%d+) |[^|\n]*|[^|\n]*|([^|\n]*)|" do
    list[#list + 1] = { number = tonumber(number), cell = cell }
  end
  return list
end

-- Names of files and tests in a cell that do not exist; and how many there are that do.
local function missing(cell)
  local out, found, path = {}, 0, nil
  for file, name in cell:gmatch '([^"]*)"([^"]*)"' do
    path = file:match "`(spec/[%w_/]+%.lua)`" or path
    local text = path and sources.read(path) or ""
    if text:find(name, 1, true) then found = found + 1 else out[#out + 1] = ("%s: %s"):format(path, name) end
  end
  return out, found
end

describe("the table of faults", function()
  it("has a spec for each of 36", function()
    local list = rows()
    assert.equal(36, #list)
    for i, row in ipairs(list) do
      local out, found = missing(row.cell)
      assert.equal(i, row.number)
      assert.equal("", table.concat(out, "\n"))
      assert.is_true(found > 0, row.cell)
    end
  end)

  it("would be seen to name what is not there", function()
    assert.same({ "spec/table_spec.lua: no such" .. " test" }, (missing('`spec/table_spec.lua` "no such' .. ' test"')))
  end)
end)
