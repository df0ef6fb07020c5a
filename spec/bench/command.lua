-- Programs started for the benchmark, and the lines of JSON that they print.
local json = require "dkjson"

local command = {}

function command.quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Runs a shell command; every line of its output that is a JSON object, decoded.
function command.objects(text)
  local pipe, objects = assert(io.popen(text)), {}
  for line in pipe:lines() do
    local object = line:find "^{" and json.decode(line)
    if object then objects[#objects + 1] = object end
  end
  pipe:close()
  return objects
end

-- What holds a process to an instruction set: our own switch and those of PyTorch, oneDNN, XLA, MKL and OpenBLAS.
-- "": none.
local held = {
  [""] = "",
  portable = "LATERNA_ISA=portable ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 " ..
             "XLA_FLAGS=--xla_cpu_max_isa=SSE4_2 MKL_ENABLE_INSTRUCTIONS=SSE4_2 OPENBLAS_CORETYPE=Nehalem",
  avx2 = "LATERNA_ISA=avx2 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 " ..
         "XLA_FLAGS=--xla_cpu_max_isa=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 OPENBLAS_CORETYPE=Haswell",
}

-- "env A=b " for a command line. An instruction set that others have no switch for is forced on us alone.
function command.environment(isa)
  -- Debian's PyTorch: the threads of its OpenBLAS and of its OpenMP fight unless they wait passively.
  return "env OMP_WAIT_POLICY=PASSIVE " .. (held[isa] or "LATERNA_ISA=" .. isa) .. " "
end

return command
