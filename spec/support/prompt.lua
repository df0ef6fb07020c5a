-- A Lua with a terminal in front of it, at which somebody types: a pseudo-terminal, by script(1).
local child = require "spec.support.child"

local prompt = {}

local _, there = pcall(os.execute, "script -qec true /dev/null >/dev/null 2>&1 </dev/null") -- quick specs start nothing
prompt.there = there == true

-- What somebody does, as lines of a shell script: types a line, presses Ctrl-C, waits so many seconds, or until there
-- is a file.
function prompt.type(text) return ("printf '%%s\\n' %s"):format(child.quote(text)) end
prompt.interrupt = "date +%s%N >pressed; printf '\\003'"
function prompt.wait(seconds) return ("sleep %g"):format(seconds) end
function prompt.wait_for(file) return ("while [ ! -e %s ]; do sleep 0.02; done"):format(file) end

-- Runs lua with `args` in `folder`, and what somebody does in front of it. Returns what the terminal shows, how it
-- ended, and the seconds from the last Ctrl-C to the line that `watched` is in. Without the exec, the shell that
-- script(1) starts would hear the Ctrl-C too, and some shells then end with 130 whatever lua does.
function prompt.run(folder, args, actions, watched)
  local keys, shown = folder .. "/keys.sh", nil
  local file = assert(io.open(keys, "w"))
  file:write(table.concat(actions, "\n"), "\n")
  file:close()
  local lua = child.quote(("exec %s %s"):format(child.interpreter(), args))
  local command = ("cd %s && timeout 60 sh keys.sh | env %s TERM=dumb timeout 60 script -qec %s /dev/null 2>&1; "
    .. "echo status $?"):format(child.quote(folder), child.paths(), lua)
  local lines, pipe = {}, io.popen("bash -o pipefail -c " .. child.quote(command))
  for line in pipe:lines() do
    lines[#lines + 1] = line:gsub("\r$", "")
    if watched and not shown and line:find(watched, 1, true) then
      local clock = io.popen("date +%s%N; cat " .. child.quote(folder .. "/pressed"))
      local now, pressed = clock:read("n", "n")
      clock:close()
      shown = (now - pressed) * 1e-9
    end
  end
  pipe:close()
  local status = table.remove(lines):match "status (%d+)"
  return table.concat(lines, "\n"), tonumber(status), shown
end

return prompt
