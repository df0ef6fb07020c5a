-- A training that saves, disturbed at every system call that touches its folder: the process is killed there, or the
-- call fails. Afterwards the checkpoint is that of some step, whole; the log has every step that the checkpoint counts;
-- what failed was said; and the same training, run again, ends with the same bits. With an odd seed it goes on from
-- step 2, with an even one it begins in an empty folder. strace disturbs, where it is there; elsewhere a preloaded
-- library, which knows only what C code of the library calls.
local child = require "spec.support.child"
local core = require "laterna.core"

local faults = {}

local ERRORS = { "ENOSPC", "EIO", "EINTR", "EDQUOT" }
local OPENING = { "ENOSPC", "EIO", "EACCES", "EMFILE" } -- of calls that take a path

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a"
  if file then file:close() end
  return text
end

local function copy(from, to)
  assert(os.execute(("rm -rf %s && cp -a %s %s"):format(child.quote(to), child.quote(from), child.quote(to))))
end

-- Runs the training in a folder; `how` stands before the interpreter. Returns the status and what was printed.
local function train(folder, how, first)
  local _, output, status = child.run('require "spec.attack.faulted_run"', {
    cd = folder, args = first and "first" or "", seconds = 60,
    env = "OPENBLAS_NUM_THREADS=1 LATERNA_THREADS=1 " .. how,
  })
  return status, output
end

-- What a checkpoint holds, as bytes: all tensors by name, and the step; nil when it cannot be read.
local function contents(path)
  local ok, tensors, metadata = pcall(core.load_safetensors, path)
  if not ok then return nil, tensors end
  local names, out = {}, {}
  for name in pairs(tensors) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do out[i] = name .. tensors[name]:to_string() end
  return table.concat(out), math.tointeger(tonumber(metadata.step))
end

-- The steps of a log; nil and words when a line is not a row.
local function rows(path)
  local text = read(path)
  if not text then return nil, "there is no log" end
  local steps, columns = {}, nil
  for line in text:gmatch "[^\n]+" do
    local _, commas = line:gsub(",", "")
    if columns and commas ~= columns then return nil, "a broken row: " .. line end
    columns = columns or commas
    local step = math.tointeger(tonumber(line:match "^%d+"))
    if step then steps[step] = true end
  end
  return steps
end

-- What is wrong with a run's folder, as words, or nil; and the step of its checkpoint. right: the contents of the
-- checkpoint by step; right.first: the step at which the run stood before, 0 where there was no checkpoint yet.
local function wrong(folder, right)
  local path = folder .. "/run/checkpoint.safetensors"
  if right.first == 0 and not read(path) then return nil, 0 end
  local bytes, step = contents(path)
  if not bytes then return "the checkpoint cannot be read: " .. tostring(step) end
  if right[step] ~= bytes then return ("the checkpoint is not that of step %s"):format(step) end
  local steps, why = rows(folder .. "/run/log.csv")
  if not steps then return why end
  for i = 1, step do
    if not steps[i] then return ("step %d is in the checkpoint and row %d not in the log"):format(step, i) end
  end
  return nil, step
end

-- ---- what there is to disturb ----------

-- System calls that touch the run's folder: {name, n}, the n-th call of its name.
local function calls_of(folder)
  local trace = folder .. "/trace"
  train(folder, ("strace -f -y -o %s"):format(child.quote(trace)))
  local list, count = {}, {}
  for line in (read(trace) or ""):gmatch "[^\n]+" do
    local pid, name = line:match "^(%d+)%s+([%w_]+)%("
    if name then -- strace counts the calls of each thread by themselves
      local key = pid .. name
      count[key] = (count[key] or 0) + 1
      if line:find("run/", 1, true) or line:find('"run"', 1, true) then
        list[#list + 1] = { name = name, n = count[key], line = line:match("%s(.*)"):sub(1, 120) }
      end
    end
  end
  return list
end

local function by_strace(start)
  local list = {}
  copy(start, start .. ".traced")
  for _, call in ipairs(calls_of(start .. ".traced")) do
    local at = ("-e trace=%s -e inject=%s:%%s:when=%d"):format(call.name, call.name, call.n)
    -- the shell is the one that says "Killed"
    local strace = [[sh -c '"$@" 2>&1; exit $?' sh strace -f -o /dev/null ]] .. at
    list[#list + 1] = { how = strace:format "signal=SIGKILL", kill = true, what = "kill at " .. call.line }
    for _, e in ipairs(call.line:find "AT_FDCWD" and OPENING or ERRORS) do
      list[#list + 1] = { how = strace:format("error=" .. e), what = e .. " at " .. call.line }
    end
  end
  child.remove(start .. ".traced")
  return list
end

local function by_preload(start)
  local shim = start .. "/shim.so"
  if not os.execute(("env -u LD_PRELOAD cc -shared -fPIC -O1 -o %s %s -ldl"):format(
    child.quote(shim), child.quote(child.root .. "/spec/support/faults.c"))) then
    return {}
  end
  local list = {}
  for n = 1, 60 do
    for _, fault in ipairs { "kill", "error" } do
      list[#list + 1] = { kill = fault == "kill", what = ("%s at call %d"):format(fault, n),
                          how = ("sh -c '\"$@\"; exit $?' sh env LD_PRELOAD=%s FAULT=%s FAULT_AT=%d"):format(
                            child.quote(shim), fault, n) }
    end
  end
  return list
end

-- ---- one disturbance ----------

-- Words for what is wrong after a disturbed run, and after the run that goes on; nil when all is as it should be. And
-- the step of the checkpoint that the disturbed run has left.
local function disturb(start, folder, fault, right)
  copy(start, folder)
  local status, output = train(folder, fault.how)
  local why, step = wrong(folder, right)
  if why then return why .. (" (%s: %s)"):format(status, output:sub(1, 300)) end
  if output:find("stack traceback", 1, true) and not output:find("cannot", 1, true) then
    return "an error that does not say what could not be done: " .. output:sub(1, 500)
  end
  if not fault.kill and status == "exit 0" and step ~= 4 then return "it stopped at step " .. step .. " in silence" end
  status, output = train(folder, "")
  if status ~= "exit 0" then return ("it cannot go on: %s: %s"):format(status, output:sub(1, 300)) end
  local last
  why, last = wrong(folder, right)
  why = why or last ~= 4 and "going on did not reach the end"
  if why then return "after going on: " .. why end
  local left = io.popen("ls -A " .. child.quote(folder .. "/run")):read "a"
  if left:find "tmp" then return "a temporary file is left for good: " .. left:gsub("\n", " ") end
  return nil, step
end

-- The contents of the checkpoint after each step. Leaves in the folder a run that has done so many steps.
local function references(folder, first)
  local right = { first = first }
  local whole = folder .. ".whole"
  copy(folder, whole)
  for step = 1, 4 do
    local script = read(child.root .. "/spec/attack/faulted_run.lua"):gsub("or 4,", "or " .. step .. ",")
    child.run(script, { cd = whole, env = "OPENBLAS_NUM_THREADS=1 LATERNA_THREADS=1" })
    right[step] = contents(whole .. "/run/checkpoint.safetensors")
  end
  child.remove(whole)
  if first > 0 then train(folder, "", true) end
  return right
end

--- Disturbs until the time is up, or every call was disturbed in every way.
-- @tparam table options seconds, seed, index (one disturbance)
-- @treturn integer passed
-- @treturn integer failed
function faults.run(options)
  local start = child.folder()
  local right = references(start, options.seed % 2 == 1 and 2 or 0)
  local strace = os.execute "strace -o /dev/null true 2>/dev/null"
  local list = strace and by_strace(start) or by_preload(start)
  print(("%d kills and errors by %s"):format(#list, strace and "strace" or "a preloaded library"))
  math.randomseed(options.seed)
  local order = {}
  for i = 1, #list do table.insert(order, math.random(#order + 1), i) end
  local begun, passed, failed, seen, ended = os.time(), 0, 0, {}, {}
  for _, i in ipairs(options.index and { options.index } or order) do
    if not options.index and os.time() - begun >= options.seconds then break end
    local why, step = disturb(start, start .. ".disturbed", list[i], right)
    if not why then
      passed = passed + 1
      local way = ("%s: %s"):format(list[i].kill and "kills" or "errors", step == right.first and "the old file"
        or step == 4 and "the last file" or "a file on the way")
      ended[way] = (ended[way] or 0) + 1
    else
      failed = failed + 1
      local key = why:gsub("%d+", "#"):sub(1, 60)
      seen[key] = (seen[key] or 0) + 1
      if seen[key] <= 3 then
        print(("FINDING make attack PART=faults SEED=%d INDEX=%d\n  %s: %s"):format(options.seed, i, list[i].what, why))
      end
    end
  end
  for _, folder in ipairs { start, start .. ".disturbed" } do child.remove(folder) end
  for way, n in pairs(ended) do print(("  %d times, %s"):format(n, way)) end
  for key, n in pairs(seen) do print(("  %d times: %s"):format(n, key)) end
  return passed, failed
end

return faults
