-- Tensors without an element cost nothing, however long their other axes are: loops run over elements. Each function
-- returns at once or refuses; one that does not is the last that the child named.
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"

local LONG <const> = 1 << 40

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function run(text, options)
  local folder = child.folder()
  options.cd, options.megabytes = folder, 3000
  options.seconds = options.seconds * (child.sanitized and 4 or 1)
  local ok, output, how = child.run(text, options)
  local last = read(folder .. "/last")
  child.remove(folder)
  assert.is_true(ok, ("%s at %s\n%s"):format(how, last, output:sub(-2000)))
  return output
end

describe("empty tensors with endless axes", function()
  it("cost no function of tensors any time #child", function()
    local output = run('require "spec.support.empty"', { seconds = 60 })
    local functions, calls, worked = output:match "(%d+) functions, (%d+) calls, (%d+) worked"
    assert.is_true(tonumber(functions) > 150 and tonumber(calls) > 3000 and tonumber(worked) > 500, output)
  end)

  it("sort, print and turn into tables at once, or say why not", function()
    for _, axis in ipairs { 1, 2 } do
      local z = core.zeros(LONG, 0)
      if axis == 1 then z = core.zeros(0, LONG) end
      assert.same(z.shape, (z:sort(axis)).shape)
      assert.same(z.shape, z:argsort(axis).shape)
      assert.is_string(tostring(z))
    end
    assert.same({}, core.zeros(0, LONG):totable())
    assert.same({ {}, {} }, core.zeros(2, 0, LONG):totable())
    fails("bad argument #1 to 'totable' (self: shape (1099511627776,0) has no elements, and would make more than",
          core.zeros(LONG, 0).totable, core.zeros(LONG, 0))
  end)

  it("are refused where the product of their sizes is no number", function()
    fails("too large", core.zeros, 0, LONG, LONG)
    fails("too large", core.zeros, LONG, LONG, 0)
    fails("", function() core.zeros(0, 1):expand(0, LONG):view(0, LONG, LONG) end)
  end)
end)
