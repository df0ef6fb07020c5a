-- Ctrl-C, typed at a terminal at a random moment of a training, once or twice: the process ends with status 130 (or, if
-- it came before there was a loop, as Lua ends), the checkpoint is whole, the log has every step that it counts, the
-- terminal is as it was, and the run goes on. `script` gives the terminal.
local child = require "spec.support.child"
local core = require "laterna.core"

local terminal = {}

local TRAIN = [[
  local lt = require "laterna"
  lt.manual_seed(3)
  local model = lt.nn.Sequential(lt.nn.Linear(64, 128), lt.nn.Linear(128, 1))
  local opt = lt.optim.AdamW(model:parameters(), { lr = 0.001 })
  local run = lt.train.run { save = "run", steps = tonumber(arg[1]), every = 20, model = model, optimizer = opt,
                             resume = true }
  for step in run:steps() do run:log(opt:update(model(lt.rand(64, 64)):square():mean())) end
]]

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- Types Ctrl-C after so many seconds, at each of the times; returns the status, and what the terminal showed last.
local function interrupted(folder, times)
  -- before there is a shell that bears it, Ctrl-C would end that in the training's place
  local keys, slept = { "for i in $(seq 1000); do [ -s before ] && break; sleep 0.01; done" }, 0
  for i, t in ipairs(times) do
    keys[i + 1] = ("sleep %.3f; printf '\\003'"):format(t - slept)
    slept = t
  end
  write(folder .. "/inner.sh", ([[
trap : INT
stty -a > before
%s lua train.lua 1000000
echo "status $?" > status
stty -a > after
]]):format("env " .. child.paths()):gsub("lua train", (arg[-1] or "lua5.4") .. " train"))
  local command = "cd %s && rm -f status before after && { %s; sleep 4; } | timeout 20 script -qec 'sh inner.sh' shown"
  os.execute((command .. " >shown.out 2>&1"):format(child.quote(folder), table.concat(keys, "; ")))
  return child.read(folder .. "/status"):match "status (%d+)", child.read(folder .. "/shown")
end

-- Words for what is wrong afterwards, or nil.
local function wrong(folder, status, shown, twice)
  if not status then return "the process did not end" end
  if status ~= "130" and not (status == "1" and shown:find "interrupted!") then
    return ("status %s: %s"):format(status, shown:sub(-300))
  end
  if child.read(folder .. "/before") ~= child.read(folder .. "/after") then return "the terminal is not as it was" end
  local hidden, shown_again = select(2, shown:gsub("\27%[%?25l", "")), select(2, shown:gsub("\27%[%?25h", ""))
  if hidden > shown_again and not twice then return "the cursor is left hidden" end
  local path = folder .. "/run/checkpoint.safetensors"
  if child.read(path) == "" then return end -- it came before the first step
  local ok, _, metadata = pcall(core.load_safetensors, path)
  if not ok then return "the checkpoint cannot be read" end
  local step, rows = math.tointeger(tonumber(metadata.step)), {}
  for n in child.read(folder .. "/run/log.csv"):gmatch "\n(%d+)," do rows[tonumber(n)] = true end
  for i = 1, step do
    if not rows[i] then return ("step %d is in the checkpoint and row %d not in the log"):format(step, i) end
  end
  local went, output = child.run(TRAIN, { cd = folder, args = tostring(step + 2), seconds = 30 })
  if not went then return "it cannot go on: " .. output:sub(-300) end
end

--- Interrupts until the time is up.
-- @tparam table options seconds, seed
-- @treturn integer passed
-- @treturn integer failed
function terminal.run(options)
  if not os.execute "script -qec true /dev/null >/dev/null 2>&1 </dev/null" then
    print "skipped: there is no `script` to make a terminal"
    return 0, 0
  end
  math.randomseed(options.seed)
  local start, passed, failed = os.time(), 0, 0
  repeat
    local folder = child.folder()
    write(folder .. "/train.lua", TRAIN)
    local times = { 0.02 + 1.5 * math.random() }
    if math.random(3) == 1 then times[2] = times[1] + (math.random(2) == 1 and 0.001 or 0.2 * math.random()) end
    local status, shown = interrupted(folder, times)
    local why = wrong(folder, status, shown, #times == 2)
    if why then
      failed = failed + 1
      print(("FINDING make attack PART=terminal SEED=%d: Ctrl-C after %s s: %s"):format(
        options.seed, table.concat(times, " and "), why))
    else
      passed = passed + 1
    end
    child.remove(folder)
  until os.time() - start >= options.seconds
  return passed, failed
end

return terminal
