-- The example that paints sprites, on a folder of its own: what comes out has alpha, and is transparent somewhere.
local child = require "spec.support.child"
local core = require "laterna.core"

local COLOURS = { red = { 255, 0, 0 }, green = { 0, 255, 0 }, blue = { 0, 0, 255 } }

describe("the example of sprites #training #child", function()
  local root

  -- Discs of three colours and three sizes on nothing; the hidden pixels have a colour that must not show.
  setup(function()
    root = child.folder()
    for name, c in pairs(COLOURS) do
      for r = 3, 5 do
        local bytes = {}
        for y = 0, 15 do
          for x = 0, 15 do
            local inside = (y - 7.5) ^ 2 + (x - 7.5) ^ 2 < r * r
            bytes[#bytes + 1] = inside and string.char(c[1], c[2], c[3], 255) or "\255\0\255\0"
          end
        end
        local path = child.write(root, ("pictures/disc %s_%d.png"):format(name, r), "")
        core.save_png(path, core.from_string(table.concat(bytes), { 16, 16, 4 }, { dtype = "uint8" }))
      end
    end
  end)
  teardown(function() child.remove(root) end)

  local function run(args)
    local ok, output = child.run(("arg[0] = %q\ndofile(arg[0])"):format(child.root .. "/examples/sprites.lua"), {
      seconds = 300, args = ("--folder %s/pictures --out %s/out --size 16 --captions 'disc red, disc blue' %s"):format(
        root, root, args) })
    assert(ok, output)
    return output
  end

  it("trains, paints what is transparent, and paints again from its file", function()
    local output = run "--minutes 0.1 --width 16 --lr 0.01 --batch 9 --sampling-steps 8"
    local originals, painted = output:match "transparent: ([%d.]+) %% of the pixels of originals, ([%d.]+) %%"
    assert.is_true(tonumber(originals) > 70 and tonumber(originals) < 85)
    assert.is_true(tonumber(painted) > 0 and tonumber(painted) < 100, output)
    assert.is_truthy(output:find("9 pictures; captions: names of the files", 1, true))
    local single = core.load_png(root .. "/out/disc_red.png", { channels = 4 })
    assert.same({ 16, 16, 4 }, single.shape)
    local sheet = core.load_png(root .. "/out/sheet.png", { channels = 4 })
    assert.same({ 32, 8 * 16, 4 }, sheet.shape)
    assert.equal(single:to_string(), sheet:narrow(1, 1, 16):narrow(2, 1, 16):to_string())
    -- what has no alpha has no colour
    local clear = sheet:narrow(3, 4, 1):float():eq(0)
    assert.is_true(clear:sum():item() > 0)
    assert.equal(0, (sheet:narrow(3, 1, 3):float() * clear):sum():item())
    assert.equal(3, core.load_png(root .. "/out/sprites.png"):size(3))
    local before = child.read(root .. "/out/sheet.png")
    os.remove(root .. "/out/sheet.png")
    assert.equal(output:match "transparent:[^\n]*", run("--paint --sampling-steps 8"):match "transparent:[^\n]*")
    assert.equal(before, child.read(root .. "/out/sheet.png"))
  end)
end)
