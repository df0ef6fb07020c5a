-- PyTorch, where a python3 has it: the same steps, run by torch_steps.py beside this file.
local command = require "spec.bench.command"

local peer = {}

-- The pythons of a comma-separated list that have torch, each installation once: { path, version, label }.
function peer.find(list)
  local found, seen = {}, {}
  for path in list:gmatch "[^,]+" do
    local pipe = io.popen(command.quote(path) ..
      " -c 'import torch; print(torch.__version__, torch.__file__)' 2>/dev/null")
    local version, file = pipe:read "a":match "(%S+)%s+(%S+)"
    pipe:close()
    if version and not seen[file] then
      seen[file] = true
      found[#found + 1] = { path = path, version = version, label = "PyTorch " .. version:match "^%d+%.%d+",
                            major = tonumber(version:match "^%d+") }
    end
  end
  return found
end

-- What of PyTorch competes with a mode of ours. torch.compile is of PyTorch 2.
function peer.modes(p, mode)
  local list = mode == "bf16" and { "bf16", "bf16-cl" } or { "fp32", "fp32-cl" }
  if p.major >= 2 then list[3] = mode == "bf16" and "bf16-compile" or "compile" end
  return list
end

-- One workload in one mode in a process of its own: a decoded line of torch_steps.py, or nil with the reason.
function peer.run(p, name, mode, o)
  local words = ("--only %s --modes %s --runs %d --threads %d"):format(name, mode, o.runs, o.threads)
  local line = command.objects(("%s%s spec/bench/torch_steps.py %s 2>/dev/null"):format(
    command.environment(o.isa), command.quote(p.path), words))[1]
  if not line or line.error then return nil, line and line.error or "it ended without a figure" end
  line.library = "torch"
  return line
end

return peer
