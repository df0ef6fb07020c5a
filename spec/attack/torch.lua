-- Operations, layers, losses, optimizers, averages, whole trainings and random streams against PyTorch, where a Python
-- has it: random shapes, forward, backward and twice backward, under every instruction set of this machine and with 1,
-- 2 and 5 threads. Without PyTorch this part says so and counts nothing. LATERNA_PYTHON names another Python.
local child = require "spec.support.child"

local torch = {}

local PYTHON = os.getenv "LATERNA_PYTHON" or "python3"
local COUNT <const> = 340 -- cases a file

-- Python stays outside of the sanitizers that this process may be under.
local function python(words)
  return ("env -u LD_PRELOAD %s %s"):format(child.quote(PYTHON), words)
end

local function answer(command)
  local pipe = io.popen(command)
  local text = pipe:read "a"
  return pipe:close() and text or nil
end

local function compare(path, seed, isa, threads)
  local ok, output, how = child.run('require "spec.attack.torch_worker"', {
    args = ("%s %d"):format(child.quote(path), seed), seconds = 120,
    env = ("LATERNA_ISA=%s THREADS=%d"):format(isa, threads),
  })
  return ok, output, how
end

--- Compares until the time is up.
-- @tparam table options seconds, seed, index (the number of a file)
-- @treturn integer cases that agree
-- @treturn integer what differs
function torch.run(options)
  if not answer(python "-c 'import torch' 2>/dev/null") then
    print(("skipped: %s has no PyTorch (LATERNA_PYTHON names another)"):format(PYTHON))
    return 0, 0
  end
  local isas = require "laterna.core".info().isas
  local path, start, file = os.tmpname(), os.time(), options.index or 0
  local passed, failed, seen = 0, 0, {}
  repeat
    local seed = options.seed * 100000 + file
    local script = child.quote(child.root .. "/spec/attack/torch_cases.py")
    assert(answer(python(("-B -W ignore %s %s %d %d"):format(script, child.quote(path), seed, COUNT))), "no cases")
    for _, isa in ipairs(isas) do
      for _, threads in ipairs { 1, 2, 5 } do
        local ok, output, how = compare(path, seed, isa, threads)
        passed = passed + (math.tointeger(tonumber(output:match "(%d+) agree")) or 0)
        if not ok then
          failed = failed + 1
          print(("FINDING make attack PART=torch SEED=%d INDEX=%d (%s, %d threads: %s)"):format(
            options.seed, file, isa, threads, how))
        end
        for line in output:gmatch "[^\n]+" do
          local key = line:match "^differs (%S+)"
          if key and not seen[key] or not key and not ok then
            seen[key or ""] = true
            failed = failed + (key and 1 or 0)
            print(("FINDING make attack PART=torch SEED=%d INDEX=%d (%s, %d threads): %s"):format(
              options.seed, file, isa, threads, line))
          end
        end
      end
    end
    file = file + 1
  until options.index or os.time() - start >= options.seconds
  os.remove(path)
  print(("%d cases agree, over %s, threads 1, 2, 5"):format(passed, table.concat(isas, ", ")))
  return passed, failed
end

return torch
