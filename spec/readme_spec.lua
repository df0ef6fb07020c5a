-- The README's tour, pasted: its Lua blocks are run one after another, as at a prompt, in an empty folder. So is what
-- was typed in its transcripts, with two steps of training instead of a minute's.
local lfs = require "lfs"

-- What was typed at the prompts of a transcript, or nil: lines after "> " and ">> ".
local function typed(block)
  if block:sub(1, 2) ~= "> " then return nil end
  local lines = {}
  for line in block:gmatch "[^\n]+" do lines[#lines + 1] = line:match "^>>? (.*)" end
  local function short(call) return (call:gsub("steps = %d+", "steps = 2")) end
  return (table.concat(lines, "\n"):gsub("train%.run %b{}", short))
end

describe("the README #training", function()
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
    local blocks, transcripts = 0, 0
    assert(lfs.chdir(folder))
    io.stdout, io.stderr = null, null
    local ok, message = xpcall(function()
      for block in text:gmatch "```lua\n(.-)```" do
        blocks = blocks + 1
        assert(load(block, "=README block " .. blocks, "t", env))()
      end
      for block in text:gmatch "```text\n(.-)```" do
        local chunk = typed(block)
        if chunk then
          transcripts = transcripts + 1
          local f = assert(load(chunk, "=README transcript " .. transcripts, "t", env))
          if pcall(require("laterna").data.fashion_mnist, "train") then f() end -- where the pictures are installed
        end
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
    assert.is_true(transcripts >= 1)
    assert.is_true(written)
    assert.matches("%[%[ 1%.5410, %-0%.2934, %-2%.1788%]", tostring(printed[1][1]))
  end)
end)
