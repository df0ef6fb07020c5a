-- Any value passed to any function may raise an error that names the function; it may never crash, hang, take all
-- memory or leave a mess behind.

local child = require "spec.support.child"

describe("every function with every kind of value #child", function()
  it("returns, or raises text that names the function", function()
    local folder = child.folder()
    local ok, output, how = child.run('require "spec.support.hostile"', {
      cd = folder, megabytes = 3000, args = "> /dev/null",
      seconds = (child.sanitized and 540 or 240) + 60 * (tonumber(os.getenv "LATERNA_ATTACK") or 0),
      env = "OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=2",
    })
    local last, report = child.read(folder .. "/last"), child.read(folder .. "/report")
    child.remove(folder)
    assert.is_true(ok, ("%s at %s\n%s"):format(how, last, output:sub(-3000)))
    assert.equal("", report)
  end)
end)
