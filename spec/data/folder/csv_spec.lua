local csv = require "laterna.data.folder.csv"

-- All rows as "line: a|b", and faults as "line! reason".
local function rows(text, separator)
  local out = {}
  for line, fields, fault in csv.rows(text, separator or ",") do
    out[#out + 1] = fields and line .. ": " .. table.concat(fields, "|") or line .. "! " .. fault
  end
  return out
end

describe("tables of separated values", function()
  it("follow RFC 4180", function()
    assert.same({ "1: a|b", "2: c|d" }, rows "a,b\r\nc,d\r\n")
    assert.same({ "1: a|b", "2: c|d" }, rows "a,b\nc,d")
    assert.same({ "1: a,b|c \"d\"|" }, rows '"a,b","c ""d""",\n')
    assert.same({ "1: one\ntwo|x", "3: y" }, rows '"one\ntwo",x\ny')
    assert.same({ "1: |", "2: ", "3: z" }, rows ",\n\nz\n")
    assert.same({ "1: \"|" }, rows '"""",""')
    assert.same({}, rows "")
  end)

  it("take other separators, a byte-order mark, and lone carriage returns", function()
    assert.same({ "1: a|b,c" }, rows("\u{feff}a;b,c", ";"))
    assert.same({ "1: a|b" }, rows("a\tb", "\t"))
    assert.same({ "1: a|b" }, rows("a|b", "|"))
    assert.same({ "1: a", "2: b" }, rows "a\rb\r")
  end)

  it("keep quotes that are no quotes", function()
    assert.same({ '1: a "star"|b' }, rows 'a "star",b')
    assert.same({ "1: a star|b" }, rows '"a" star,b')
  end)

  it("end at a quote that is not closed, whatever comes", function()
    assert.same({ "1: a|b", "2! a quote that is not closed: nothing below is read" }, rows 'a,b\nc,"d\ne,f\n')
    assert.same({ "1! a quote that is not closed: nothing below is read" }, rows('"' .. ("x\n"):rep(1 << 20) .. '"'))
    assert.same({ "1! too long: nothing below is read" }, rows(("x"):rep(2 << 20) .. "\na"))
    assert.same({ "1! too long: nothing below is read" }, rows((","):rep(2000) .. "\na"))
  end)

  it("take time that grows with their length only #slow", function()
    local start = os.clock()
    rows(('"x\n'):rep(300000))
    rows(('""'):rep(300000))
    assert.is_true(os.clock() - start < 5)
  end)
end)
