-- The log of a run is as safe as its checkpoint: what the checkpoint counts as done is in it, whatever goes wrong.
local child = require "spec.support.child"
local Log = require "laterna.train.log"
local lfs = require "lfs"
local lt = require "laterna"

local folder
before_each(function() folder = child.folder() end)
after_each(function() child.remove(folder) end)

local function read(name)
  local file = io.open(folder .. "/" .. name, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(text)
  file:close()
end

local function run(options)
  local o = { save = folder, steps = 4, model = lt.nn.Linear(1, 1), progress = false }
  for key, v in pairs(options or {}) do o[key] = v end
  return lt.train.run(o)
end

local function steps_of(text)
  local out = {}
  for step in text:gmatch "\n(%d+)," do out[#out + 1] = tonumber(step) end
  return out
end

describe("the log of a run", function()
  it("has the row of a step that was saved within it", function()
    local r = run()
    for step in r:steps() do
      r:log { loss = step }
      if step == 2 then
        r:save()
        break
      end
    end
    assert.equal("step,loss\n1,1\n2,2\n", read "log.csv")
    r = run { resume = true }
    for step in r:steps() do r:log { loss = step } end
    assert.equal("step,loss\n1,1\n2,2\n3,3\n4,4\n", read "log.csv")
  end)

  it("has one row a step, with what was noted before and after a save", function()
    local r = run { on_step = function(_, self) self:save() end }
    for step in r:steps() do
      r:log { loss = step }
      r:save()
      r:log { loss = step * 10, more = 5 }
      if step == 2 then r:save() end
    end
    assert.equal("step,loss,more\n1,10,5\n2,20,5\n3,30,5\n4,40,5\n", read "log.csv")
  end)

  it("is not erased by a new run where there is no checkpoint", function()
    write("log.csv", "step,loss\n1,5\n")
    run()
    assert.equal("step,loss\n1,5\n", read "log.csv.previous")
    write("log.csv", "step,loss\n1,6\n")
    run { resume = true }
    assert.equal("step,loss\n1,5\n", read "log.csv.previous")
    assert.equal("step,loss\n1,6\n", read "log.csv.previous-2")
    run()
    assert.is_nil(read "log.csv.previous-3")
    assert.equal("", read "log.csv")
  end)

  it("is not erased where it cannot be read, or is of something else #child", function()
    assert(lfs.mkdir(folder .. "/log.csv"))
    assert.error_matches(function() Log.open(folder .. "/log.csv", 3) end, "^cannot read .*/log.csv: Is a directory$")
    write("other.csv", "name,age\nx,3\n")
    assert.error_matches(function() Log.open(folder .. "/other.csv", 3) end, "it is not the log of a run")
    assert.equal("name,age\nx,3\n", read "other.csv")
    write("bare", "step,loss\n1,2\n")
    os.execute("chmod 200 " .. child.quote(folder .. "/bare"))
    local readable = io.open(folder .. "/bare")
    if readable then readable:close() end -- the superuser reads everything
    local ok = pcall(Log.open, folder .. "/bare", 3)
    assert.equal(readable ~= nil, ok)
    os.execute("chmod 600 " .. child.quote(folder .. "/bare"))
    assert.equal("step,loss\n1,2\n", read "bare")
  end)

  it("is left as it is where nothing has to be cut off, and loses a half row", function()
    write("log.csv", "step,loss\n1,2\n2,3\n")
    local before = lfs.attributes(folder .. "/log.csv", "ino")
    Log.open(folder .. "/log.csv", 2)
    assert.equal(before, lfs.attributes(folder .. "/log.csv", "ino"))
    write("log.csv", "step,loss\n1,2\n2,3\n3")
    Log.open(folder .. "/log.csv", 3)
    assert.equal("step,loss\n1,2\n2,3\n", read "log.csv")
  end)

  it("keeps a row that cannot be written, says so once, and refuses to say that all is on the disk", function()
    local said = {}
    local path = folder .. "/log.csv"
    local log = Log.open(path, 0, function(text) said[#said + 1] = text end)
    log:write(1, { "loss" }, { loss = 1 })
    assert(os.rename(path, path .. ".away"))
    assert(lfs.mkdir(path))
    log:write(2, { "loss" }, { loss = 2 })
    log:write(3, { "loss" }, { loss = 3 })
    assert.equal(1, #said)
    assert.is_truthy(said[1]:find("step 2: cannot write '" .. path .. "'", 1, true), said[1])
    assert.error_matches(function() log:sync() end, "^cannot write ")
    assert.error_matches(function() log:close() end, "^cannot write ")
    assert(lfs.rmdir(path))
    assert(os.rename(path .. ".away", path))
    log:write(4, { "loss" }, { loss = 4 })
    log:sync()
    assert.equal("step,loss\n1,1\n2,2\n3,3\n4,4\n", read "log.csv")
  end)
end)

-- A run of 40 steps with a checkpoint at its end; what it raises is printed.
local SCRIPT = [[
  local lt = require "laterna"
  local model = lt.nn.Linear(1, 1)
  local ok, why = pcall(function()
    local run = lt.train.run { save = "run", steps = 40, model = model, progress = false, every = 10 }
    for step in run:steps() do run:log { loss = step } end
  end)
  print(ok, why)
  os.exit(ok and 0 or 3, true)
]]

local function rows_and_step()
  return steps_of(read "run/log.csv"), lt.inspect(folder .. "/run/checkpoint.safetensors").step
end

local _, strace = pcall(os.execute, "strace -o /dev/null true 2>/dev/null") -- quick specs start nothing
local it_with_strace = strace == true and it or pending

describe("a disk that is full #child", function()
  it("ends a run by an error, not by a signal, at the limit of a file's size", function()
    local _, output, how = child.run(SCRIPT:gsub("40", "4000", 1), { cd = folder,
      env = "sh -c 'ulimit -f 8; exec env \"$@\"' sh" })
    assert.equal("exit 3", how, output)
    assert.is_truthy(output:find("false\tcannot write '", 1, true), output)
    assert.is_truthy(output:find("File too large", 1, true), output)
  end)

  it("does not change what the signal does to others", function()
    local _, output, how = child.run([[
      local core = require "laterna.core"
      print(select(2, pcall(core.save_safetensors, "a", { a = core.zeros(100000) })))
      io.stdout:flush()
      local file = io.open("b", "w")
      file:write(("x"):rep(100000))
      file:close()
      print "still here"
    ]], { cd = folder, env = [[sh -c '"$@"; exit $?' sh sh -c 'ulimit -c 0; ulimit -f 8; exec env "$@"' sh]] })
    assert.is_truthy(output:find("File too large", 1, true), output)
    assert.is_nil(output:find("still here", 1, true), output)
    assert.is_truthy(how == "exit 153" or how == "exit 159", how) -- 128 + SIGXFSZ
  end)

  it_with_strace("loses no row at any call: what the checkpoint counts is in the log", function()
    for _, call in ipairs { "write", "fsync", "openat", "rename" } do
      for n = 1, 9 do
        local inject = "strace -f -qq -o /dev/null -P run/log.csv -e trace=%s -e inject=%s:error=ENOSPC:when=%d"
        local paths = ("%s env %s"):format(inject:format(call, call, n), child.paths())
        local _, output, how = child.run(SCRIPT, { cd = folder, paths = paths })
        local what = ("%s %d: %s %s"):format(call, n, how, output)
        assert.is_truthy(how == "exit 0" or how == "exit 3", what)
        if how == "exit 3" then assert.is_truthy(output:find("No space left on device", 1, true), what) end
        if lfs.attributes(folder .. "/run/checkpoint.safetensors") then
          local rows, step = rows_and_step()
          for i = 1, step do assert.equal(i, rows[i], what) end
          if how == "exit 0" then assert.equal(40, step, what) end
        else
          assert.equal("exit 3", how, what)
        end
        child.remove(folder .. "/run")
      end
    end
  end)
end)
