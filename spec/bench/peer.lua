-- PyTorch and JAX, where a python3 has them: the same steps, run by torch_steps.py and jax_steps.py beside this file.
local command = require "spec.bench.command"

local peer = {}

local IN_JAX = { unet32_b64 = true, unet64_b32 = true, dit_small_b64 = true, dit_s2_b8 = true }

-- What of a library competes with a mode of ours. torch.compile is of PyTorch 2.
peer.libraries = {
  torch = { module = "torch", title = "PyTorch", script = "torch_steps.py", modes = function(p, _, mode)
    local list = mode == "bf16" and { "bf16", "bf16-cl" } or { "fp32", "fp32-cl" }
    if p.major >= 2 then list[3] = mode == "bf16" and "bf16-compile" or "compile" end
    return list
  end },
  jax = { module = "jax", title = "JAX", script = "jax_steps.py",
    modes = function(_, name, mode) return IN_JAX[name] and { mode } or {} end },
}

-- The libraries that the pythons of a comma-separated list have, each installation once: { path, version, label,
-- library }. wanted: "torch" or "jax" alone.
function peer.find(list, wanted)
  local found, seen = {}, {}
  for path in list:gmatch "[^,]+" do
    for _, module in ipairs { "torch", "jax" } do
      local library = peer.libraries[module]
      if not wanted or wanted == module then
        local pipe = io.popen(("%s -c 'import %s as l; print(l.__version__, l.__file__)' 2>/dev/null"):format(
          command.quote(path), library.module))
        local version, file = pipe:read "a":match "(%S+)%s+(%S+)"
        pipe:close()
        if version and not seen[file] then
          seen[file] = true
          found[#found + 1] = { path = path, version = version, library = library,
                                major = tonumber(version:match "^%d+"),
                                label = library.title .. " " .. version:match "^%d+%.%d+" }
        end
      end
    end
  end
  return found
end

--- The modes in which a peer runs a workload against a mode of ours; none: it has no such workload.
function peer.modes(p, name, mode) return p.library.modes(p, name, mode) end

-- One workload in one mode in a process of its own: a decoded line of its script, or nil with the reason.
function peer.run(p, name, mode, o)
  local words = ("--only %s --modes %s --runs %d --threads %d"):format(name, mode, o.runs, o.threads)
  local line = command.objects(("%s%s spec/bench/%s %s 2>/dev/null"):format(command.environment(o.isa),
    command.quote(p.path), p.library.script, words))[1]
  if not line or line.error then return nil, line and line.error or "it ended without a figure" end
  line.library = p.library.module
  return line
end

return peer
