-- Instructions of single operations on a processor that is only emulated, where time says nothing: for each operation
-- and each instruction set their number, and how many times fewer than the portable kernels take.
--   lua5.4 spec/bench/instructions.lua "emulator and interpreter" [case...]
-- The emulator ends with a line of their number (instructions.c). What a call takes is the difference of a run of six
-- calls and one of two, on one thread.
local FEW, MORE = 2, 6
local SETS = { "portable", "neon", "neonbf16" }
local NAMES = {
  "gemm", "linear", "conv3x3", "conv3x3_stride", "conv4x4_stride", "depthwise", "group_norm", "layer_norm", "attention",
  "gelu", "softmax",
}
local PRODUCTS = { -- what the precision is for
  gemm = true, linear = true, conv3x3 = true, conv3x3_stride = true, conv4x4_stride = true, attention = true,
}

-- What is counted, forward and backward, by name.
local function cases(core)
  local function leaf(...) return core.randn({ ... }):requires_grad_(true) end
  local function conv(n, cin, cout, k, options)
    local x, w = leaf(n, 16, 16, cin), leaf(cout, k, k, options.groups and 1 or cin)
    return function() return core.conv2d(x, w, nil, options) end
  end
  local function unary(name, ...)
    local x = leaf(256, 192)
    local rest = table.pack(...)
    return function() return core[name](x, table.unpack(rest)) end
  end
  return {
    gemm = function() local a, b = leaf(96, 256), leaf(256, 128) return function() return a:matmul(b) end end,
    linear = function()
      local x, w, b = leaf(384, 192), leaf(192, 192), leaf(192)
      return function() return core.linear(x, w, b) end
    end,
    conv3x3 = function() return conv(2, 64, 64, 3, { padding = 1 }) end,
    conv3x3_stride = function() return conv(4, 32, 32, 3, { padding = 1, stride = 2 }) end,
    conv4x4_stride = function() return conv(4, 32, 64, 4, { padding = 1, stride = 2 }) end,
    depthwise = function() return conv(4, 64, 64, 3, { padding = 1, groups = 64 }) end,
    group_norm = function()
      local x, w, b = leaf(8, 16, 16, 64), leaf(64), leaf(64)
      return function() return core.group_norm(x, 8, w, b) end
    end,
    layer_norm = function()
      local x, w, b = leaf(256, 192), leaf(192), leaf(192)
      return function() return core.layer_norm(x, w, b) end
    end,
    attention = function()
      local q, k, v = leaf(1, 256, 2, 64), leaf(1, 256, 2, 64), leaf(1, 256, 2, 64)
      return function() return core.attention(q, k, v) end
    end,
    gelu = function() return unary "gelu" end,
    softmax = function() return unary("softmax", 2) end,
  }
end

-- In the emulator: calls of one case, forward alone or forward and backward, in a precision.
local function work(name, times, pass, precision)
  local core = require "laterna.core"
  core.manual_seed(1)
  core.precision(precision)
  local call = cases(core)[name]()
  for _ = 1, times do
    local y = call()
    if pass == "backward" then y:backward(y) end
  end
end

local function count(emulator, set, name, times, pass, precision)
  local pipe = assert(io.popen(("LATERNA_ISA=%s LATERNA_THREADS=1 OPENBLAS_NUM_THREADS=1 %s %s work %s %d %s %s 2>&1")
    :format(set, emulator, arg[0], name, times, pass, precision)))
  local output = pipe:read "a"
  assert(pipe:close(), output)
  return assert(math.tointeger(tonumber(output:match "(%d+)\n$")), output)
end

local function rows(emulator, name)
  for _, precision in ipairs(PRODUCTS[name] and { "float32", "bf16" } or { "float32" }) do
    for _, pass in ipairs { "forward", "backward" } do
      local line, base = ("%-15s %-8s %-8s"):format(name, precision, pass), nil
      for _, set in ipairs(SETS) do
        local n = (count(emulator, set, name, MORE, pass, precision) - count(emulator, set, name, FEW, pass, precision))
          // (MORE - FEW)
        base = base or n
        line = line .. ("%12d %5.2f"):format(n, base / n)
      end
      print(line)
    end
  end
end

if arg[1] == "work" then
  work(arg[2], tonumber(arg[3]), arg[4], arg[5])
else
  print(("%-33s%s"):format("", table.concat(SETS, "          ")))
  for _, name in ipairs(#arg > 1 and table.move(arg, 2, #arg, 1, {}) or NAMES) do rows(arg[1], name) end
end
