-- Ctrl-C in a script: whose process ends, and whose does not.

local child = require "spec.support.child"
local core = require "laterna.core"

-- A loop that is interrupted in its third step of nine.
local LOOP = [[
local lt = require "laterna"
local function learn(options)
  options = options or {}
  local model = lt.nn.Linear(1, 1)
  local opt = lt.optim.SGD(model:parameters())
  local run = lt.train.run { steps = options.steps or 9, model = model, optimizer = opt, progress = false,
    exit = options.exit, save = options.save, every = 100 }
  for step in run:steps() do
    run:log(opt:update(model(lt.ones(1, 1)):sum()))
    if step == 3 then io.popen "kill -INT $PPID":close() end
    if options.body then options.body(step) end
  end
  print("after the loop", run.step, run.interrupted)
  return run
end
]]

describe("Ctrl-C #child", function()
  local folder
  setup(function() folder = child.folder() end)
  teardown(function() child.remove(folder) end)

  local function ends(text, options)
    options = options or {}
    options.cd = folder
    local _, output, how = child.run(LOOP .. text, options)
    assert.equal("exit 130", how, output)
    assert.equal("", output)
  end

  local function goes_on(text, options)
    options = options or {}
    options.cd = folder
    local ok, output, how = child.run(LOOP .. text, options)
    assert.is_true(ok, how .. ": " .. output)
    assert.is_truthy(output:find("after the loop\t3\ttrue", 1, true), output)
    return output
  end

  it("ends a script, from its main chunk and from its functions", function()
    ends "learn() print 'on'"
    ends "local function a() return learn() end local function b() local r = a() return r end b() print 'on'"
    ends "setmetatable({}, { __index = function() learn() end }).x() print 'on'"
  end)

  it("ends a script when everything is saved and closed", function()
    ends [[
      local closes <close> = setmetatable({}, { __close = function() io.open("closed", "w"):close() end })
      learn { save = "run" }
    ]]
    local file = assert(io.open(folder .. "/closed"), "the state was not closed")
    file:close()
    local _, output = child.run([[
      local state, about = require("laterna.core").load_safetensors "run/checkpoint.safetensors"
      local rows = 0
      for _ in io.lines "run/log.csv" do rows = rows + 1 end
      print(about.step, rows, state["model.weight"].shape[1])
    ]], { cd = folder })
    assert.equal("3\t4\t1\n", output)
  end)

  it("does not end what asked to be left alone", function()
    goes_on "assert(learn { exit = false }.interrupted)"
  end)

  it("does not end what may be caught, sorted or called back", function()
    goes_on "print(pcall(learn))"
    goes_on "pcall(function() learn() end)"
    goes_on "xpcall(learn, print)"
    goes_on "('x'):gsub('x', function() learn() end)"
    local other = assert(io.open(folder .. "/other.lua", "w"))
    other:write "learned()"
    other:close()
    goes_on "learned = learn dofile 'other.lua'"
  end)

  it("does not end a coroutine's caller", function()
    goes_on "assert(coroutine.resume(coroutine.create(learn)))"
    goes_on "coroutine.wrap(learn)()"
  end)

  it("does not end a prompt, nor what is not the script", function()
    goes_on("learn()", { flags = "-i" })
    local _, output, how = child.run("print 'the script'", { flags = "-e " .. child.quote(LOOP .. " learn()") })
    assert.equal("exit 0", how, output)
    assert.equal("after the loop\t3\ttrue\nthe script\n", output)
    goes_on "arg = nil learn()"
    goes_on "arg[0] = 'another.lua' learn()"
  end)

  it("in a loop within a loop ends both, and saves both", function()
    local _, output, how = child.run(LOOP .. [[
      local run = lt.train.run { steps = 9, model = lt.nn.Linear(1, 1), progress = false, save = "outer", every = 100 }
      for step in run:steps() do
        if step == 2 then
          assert(learn { save = "inner" }.interrupted)
        end
      end
      print "not reached"
    ]], { cd = folder })
    assert.equal("exit 130", how, output)
    assert.equal("after the loop\t3\ttrue\n", output)
    for name, step in pairs { inner = "3", outer = "2" } do
      local _, about = core.load_safetensors(("%s/%s/checkpoint.safetensors"):format(folder, name))
      assert.equal(step, about.step)
    end
  end)
end)
