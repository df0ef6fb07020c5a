-- Ctrl-C where somebody sits in front of the loop: at a prompt the session is worth more than the loop.
local child = require "spec.support.child"
local prompt = require "spec.support.prompt"

-- One line each, for a prompt. The second step is slow, and makes a file when it begins.
local SETUP = [[
lt = require "laterna" model = lt.nn.Linear(1, 1) opt = lt.optim.SGD(model:parameters())
run = lt.train.run { steps = 4, model = model, optimizer = opt, save = "run" }
function mark(name) io.open(name, "w"):close() end
function work(s) local t, x = lt.clock() + s, lt.ones(64, 64) while lt.clock() < t do x:matmul(x) end end
function slow() mark "slow" work(2) mark "worked" end
function step(n) run:log(opt:update(model(lt.ones(1, 1)):sum())) if n == 2 then slow() end end
function learn() for n in run:steps() do steps = (steps or "") .. n step(n) end end
]]

local it_at_a_terminal = prompt.there and it or pending

describe("Ctrl-C at a terminal #child #slow", function()
  local folder
  before_each(function() folder = child.folder() end)
  after_each(function() child.remove(folder) end)

  local function session(actions, watched)
    local all = {}
    for line in SETUP:gmatch "[^\n]+" do all[#all + 1] = prompt.type(line) end
    table.move(actions, 1, #actions, #all + 1, all)
    all[#all + 1] = prompt.type "os.exit(0)"
    return prompt.run(folder, "", all, watched)
  end

  it_at_a_terminal("is heard at once, ends the loop after the step, and the next loop goes on", function()
    local text, status, seconds = session({
      prompt.type "learn() print('steps ' .. steps) steps = nil mark 'stopped'", prompt.wait_for "slow",
      prompt.wait(0.3), prompt.interrupt, prompt.wait_for "stopped",
      prompt.type "print(run.step, run.interrupted) learn() print('then ' .. steps, run.step, run.interrupted)",
    }, "stopping after this step (again: at once)")
    assert.equal(0, status, text)
    assert.is_true(seconds and seconds < 0.5, text)
    assert.matches("  0%% .- 0/4", text)
    assert.matches("interrupted after step 2 of 4", text)
    assert.matches("steps 12\n", text)
    assert.matches("2\ttrue\n", text)
    assert.matches("then 34\t4\tfalse", text)
    local rows = {}
    for line in io.lines(folder .. "/run/log.csv") do rows[#rows + 1] = line:match "^%w+" end
    assert.same({ "step", "1", "2", "3", "4" }, rows)
  end)

  it_at_a_terminal("pressed again raises an error in the step, and the session goes on", function()
    local text, status = session {
      prompt.type "print(pcall(learn)) mark 'stopped'", prompt.wait_for "slow", prompt.wait(0.3), prompt.interrupt,
      prompt.wait(0.2), prompt.interrupt, prompt.wait_for "stopped",
      prompt.type "print('worked', io.open 'worked', lt.grad_enabled())",
      prompt.type "learn() print('then ' .. steps, run.step, run.interrupted)",
    }
    assert.equal(0, status, text)
    assert.matches("stopping after this step", text)
    assert.matches("false\tinterrupted by Ctrl%-C\n", text)
    assert.matches("worked\tnil\t", text)
    assert.matches("then 12234\t4\tfalse", text)
  end)

  it_at_a_terminal("ends a backward between two operations, and what a coroutine does", function()
    local text, status = session {
      prompt.type "w = lt.rand(900, 900):requires_grad_() y = w for _ = 1, 60 do y = y:matmul(w) end y = y:sum()",
      prompt.type "function step() mark 'slow' y:backward { retain_graph = true } mark 'worked' end",
      prompt.type "print(pcall(learn)) mark 'stopped'", prompt.wait_for "slow", prompt.wait(0.1), prompt.interrupt,
      prompt.wait(0.1), prompt.interrupt, prompt.wait_for "stopped", "rm slow stopped",
      prompt.type "print('first', io.open 'worked') slow = function() mark 'slow' work(9) end",
      prompt.type "function step() coroutine.wrap(slow)() end",
      prompt.type "print('in a coroutine', pcall(learn)) mark 'stopped'", prompt.wait_for "slow", prompt.wait(0.1),
      prompt.interrupt, prompt.wait(0.1), prompt.interrupt, prompt.wait_for "stopped",
    }
    assert.equal(0, status, text)
    assert.matches("\nfalse\tinterrupted by Ctrl%-C\n", text)
    assert.matches("first\tnil", text)
    assert.matches("in a coroutine\tfalse\t.-interrupted by Ctrl%-C\n", text)
  end)

  it_at_a_terminal("pressed again kills a script", function()
    local file = assert(io.open(folder .. "/script.lua", "w"))
    file:write(SETUP, "learn()")
    file:close()
    local text, status = prompt.run(folder, "script.lua", {
      prompt.wait_for "slow", prompt.wait(0.2), prompt.interrupt, prompt.wait(0.2), prompt.interrupt,
    })
    assert.equal(130, status, text)
    assert.matches("stopping after this step %(again: at once%)", text)
    assert.is_nil(io.open(folder .. "/worked"))
  end)
end)
