-- The README's tour, pasted: its Lua blocks are run one after another, as at a prompt, in an empty folder.
local lfs = require "lfs"

describe("the README", function()
  it("has a tour that runs", function()
    local file = assert(io.open "README.md")
    local text = file:read "a"
    file:close()
    local home = lfs.currentdir()
    -- A training that takes minutes when every read is watched; each of its operations has specs of its own.
    if os.getenv "LATERNA_SANITIZED" then return end
    local folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    local printed = {}
    local env = setmetatable({ print = function(...) printed[#printed + 1] = table.pack(...) end }, { __index = _G })
    local stdout, stderr = io.stdout, io.stderr
    local null = assert(io.open("/dev/null", "w"))
    local blocks = 0
    assert(lfs.chdir(folder))
    io.stdout, io.stderr = null, null
    local ok, message = xpcall(function()
      for block in text:gmatch "```lua\n(.-)```" do
        blocks = blocks + 1
        assert(load(block, "=README block " .. blocks, "t", env))()
      end
    end, debug.traceback)
    io.stdout, io.stderr = stdout, stderr
    null:close()
    assert(lfs.chdir(home))
    local written = io.open(folder .. "/again.png") ~= nil and
                    io.open(folder .. "/runs/tour/checkpoint.safetensors") ~= nil
    os.execute("rm -r '" .. folder .. "'")
    assert.is_true(ok, message)
    assert.is_true(blocks >= 6)
    assert.is_true(written)
    assert.matches("%[%[ 1%.5410, %-0%.2934, %-2%.1788%]", tostring(printed[1][1]))
  end)
end)
