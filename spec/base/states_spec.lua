-- Several Lua states in threads of one process: nothing of one shows in another. `make tsan` runs the same program with
-- every access watched.
local child = require "spec.support.child"
local core = require "laterna.core"

-- All that the core may write to and that is neither const nor of one thread, by file: what keeps threads apart.
local SHARED <const> = {
  ["heap.c: heap"] = "memory.c calls with its lock held",
  ["memory.c: pool"] = "its lock",
  ["memory.c: bytes"] = "the lock of pool",
  ["threads.c: pool"] = "locks, and atomic fields",
  ["threads.c: at_first"] = "atomic",
  ["file.c: count"] = "atomic",
  ["processor.c: here"] = "written once, by pthread_once",
  ["processor.c: once"] = "pthread_once's own",
  ["threads.c: process"] = "a lock",
  ["dispatch.c: products"] = "lt_process_lock, and written once",
  ["lt_k"] = "lt_process_lock, and written once",
  ["callback.c: waiting"] = "atomic",
  ["interrupt.c: presses"] = "atomic",
  ["interrupt.c: gave_up"] = "atomic",
  ["interrupt.c: innermost"] = "its lock",
  ["interrupt.c: lock"] = "a lock",
  ["interrupt.c: before"] = "its lock",
  ["lt_changes"] = "atomic",
  ["tape.c: next_order"] = "atomic",
  ["tensor.c: held"] = "atomic",
  ["walk.c: runs"] = "atomic",
}

-- What compilers put into every library.
local THEIRS <const> = { ["crtstuff.c: completed"] = true, __dso_handle = true, __TMC_END__ = true,
                         __cpu_features2 = true, __cpu_model = true }

describe("what the core keeps outside of a Lua state #child", function()
  it("is of one thread, or in the list of what is kept apart", function()
    if child.sanitized then return end -- sanitizers add their own
    local pipe = io.popen("objdump -t " .. child.quote(child.build() .. "/laterna/core.so") .. " 2>/dev/null")
    local found, file, count = {}, "", 0
    for line in pipe:lines() do
      file = line:match "%f[%w]df %*ABS%*%s+%x+%s*(.*)$" or file
      local section, name = line:match "%s(%.%a+)%s.-(%S+)$"
      if (section == ".bss" or section == ".data") and not name:find "^%." then
        name = name:gsub("%.%d+$", ""):gsub("^.*%.", "")
        found[file ~= "" and file .. ": " .. name or name] = true
        count = count + 1
      end
    end
    if not pipe:close() or count == 0 then return pending "needs objdump, and symbols" end
    for name in pairs(found) do
      assert.is_true(THEIRS[name] or SHARED[name] ~= nil, name .. " is shared by all threads")
    end
    for name in pairs(SHARED) do assert.is_true(found[name] == true, name .. " is gone") end
  end)
end)

describe("Lua states in threads of one process #child", function()
  local folder, host

  setup(function()
    folder = child.folder()
    local command = "env -u LD_PRELOAD %s -O1 -pthread -o %s %s %s 2>/dev/null"
    for _, library in ipairs { "-I/usr/include/lua5.4 -llua5.4", "-llua" } do
      local path = folder .. "/host"
      if os.execute(command:format(os.getenv "CC" or "cc", child.quote(path),
                                   child.quote(child.root .. "/spec/support/many_states.c"), library)) then
        host = path
        break
      end
    end
  end)

  teardown(function() child.remove(folder) end)

  local function run(script, threads, rounds)
    local pipe = io.popen(("%s LATERNA_THREADS=3 timeout 300 %s %s %d %d 2>&1"):format(
      child.paths(), child.quote(host), child.quote(script), threads, rounds))
    local output = pipe:read "a"
    local ok = pipe:close()
    assert.is_true(ok, output)
    assert.equal(("%d states, 0 wrong\n"):format(threads * rounds), output)
  end

  for _, threads in ipairs { 2, 3, 6 } do
    it(("%d of them train the same models, to the bit, as each does alone"):format(threads), function()
      if not host then return pending "needs Lua as a library to link with" end
      run(child.root .. "/spec/support/many_states.lua", threads, 2)
    end)
  end

  it("count the nodes of the tape without a gap in their order", function()
    if not host then return pending "needs Lua as a library to link with" end
    local script = folder .. "/chains.lua"
    local file = assert(io.open(script, "w"))
    file:write [[
      local core = require "laterna.core"
      local wrong = 0
      for _ = 1, 300 do
        local x = core.ones(1, { requires_grad = true })
        local y = x
        for _ = 1, 400 do y = y + x end
        y:backward()
        if x.grad:item() ~= 401 then wrong = wrong + 1 end
      end
      return wrong .. " wrong gradients"
    ]]
    file:close()
    run(script, 4, 1)
  end)

  it("give back the functions of scripts that their own tapes have dropped", function()
    if not host then return pending "needs Lua as a library to link with" end
    local script = folder .. "/callbacks.lua"
    local file = assert(io.open(script, "w"))
    file:write [[
      local core = require "laterna.core"
      local alive = setmetatable({}, { __mode = "k" })
      local left = 0
      for _ = 1, 200 do
        local x = core.ones(2, { requires_grad = true })
        local f = function(dy) return dy end
        alive[f] = true
        core.record_function(f, { x }, { x:detach() })
        f, x = nil, nil
        collectgarbage()
        core.ones(1)
        collectgarbage()
        if next(alive) then left = left + 1 end
      end
      return left .. " left"
    ]]
    file:close()
    run(script, 4, 1)
  end)
end)

describe("LATERNA_THREADS #child", function()
  local SCRIPT <const> = "print(require 'laterna.core'.threads())"

  it("is the number of threads at first; empty, it is not there", function()
    for setting, threads in pairs { ["1"] = 1, ["7"] = 7, ["256"] = 256, [" 3"] = 3 } do
      assert.equal(threads .. "\n", select(2, child.run(SCRIPT, { env = ("LATERNA_THREADS='%s'"):format(setting) })))
    end
    local cores = core.info().cores
    assert.equal(math.min(cores, 256) .. "\n", select(2, child.run(SCRIPT, { env = "LATERNA_THREADS=" })))
  end)

  it("that is no number of threads is an error that says so", function()
    for _, setting in ipairs { "abc", "0", "-1", "1e9", "2.5", "257", "1000000000", "99999999999999999999", "4 cores",
                               " " } do
      local ok, output = child.run('require "laterna"', { env = ("LATERNA_THREADS='%s'"):format(setting) })
      assert.is_false(ok)
      local sentence = ("LATERNA_THREADS: expected an integer from 1 to 256, got '%s'"):format(setting)
      assert.is_true(output:find(sentence, 1, true) ~= nil, output)
    end
  end)
end)
