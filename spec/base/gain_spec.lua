-- Where bfloat16 is faster than float32, by processors that are made up: vendor, family, model and instruction set.
local core = require "laterna.core"

local amd, intel = "AuthenticAMD", "GenuineIntel"
-- name, isa, vendor, family, model, is it faster?, what the reason speaks of
local processors = {
  { "Zen 5", "avx512bf16", amd, 26, 0x44, true, "twice" },
  { "Zen 4", "avx512bf16", amd, 25, 0x61, true, "twice" },
  { "Zen 4 held to AVX2", "avx2", amd, 25, 0x61, false, "cannot" },
  { "Zen 3", "avx2", amd, 25, 0x01, false, "cannot" },
  { "Cooper Lake", "avx512bf16", intel, 6, 85, false, "half" },
  { "Sapphire Rapids, AMX hidden", "avx512bf16", intel, 6, 143, false, "half" },
  { "Granite Rapids, AMX hidden", "avx512bf16", intel, 6, 173, false, "half" },
  { "Sapphire Rapids", "amx", intel, 6, 143, true, "AMX" },
  { "Ice Lake", "avx512", intel, 6, 106, false, "cannot" },
  { "another maker's with AVX512-BF16", "avx512bf16", "CentaurHauls", 7, 91, false, "nobody" },
  { "without cpuid", "portable", "", 0, 0, false, "cannot" },
}

describe("bfloat16", function()
  for _, p in ipairs(processors) do
    local name, isa, vendor, family, model, faster, word = table.unpack(p)
    it(("%s: %s"):format(faster and "gains" or "gains nothing", name), function()
      local gains, reason = core.debug_bf16_gain { isa = isa, vendor = vendor, family = family, model = model }
      assert.equal(faster, gains)
      assert.is_truthy(reason:find(word, 1, true), reason)
    end)
  end

  it("gains here as on the processor that this one is", function()
    local file = io.open "/proc/cpuinfo"
    local text = file and file:read "a" or ""
    if file then file:close() end
    local family = tonumber(text:match "cpu family%s*: (%d+)")
    if not family then return pending "needs /proc/cpuinfo of an x86 processor" end
    local gains, reason = core.debug_bf16_gain {
      isa = core.info().isa, vendor = text:match "vendor_id%s*: (%S+)", family = family,
      model = tonumber(text:match "model%s*: (%d+)"),
    }
    assert.same({ faster = gains, reason = reason }, core.info().bf16)
  end)
end)
