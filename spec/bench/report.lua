-- What a comparison looks like: lines for a person, lines of JSON, or the table of the README.
local json = require "dkjson"

local report = {}

local title = {
  vae_mlp_b128 = "VAE of linear layers, batch 128",
  vae_conv_b128 = "VAE of convolutions, batch 128",
  unet32_b64 = "U-Net, width 32, 32 x 32, batch 64",
  unet64_b32 = "U-Net, width 64, 32 x 32, batch 32",
  dit_small_b64 = "transformer 192 x 6, 64 tokens, batch 64",
  dit_s2_b8 = "DiT-S/2, 256 tokens, batch 8",
  glow_b32 = "Glow, 3 x 8 steps, 32 x 32, batch 32",
  dcgan_b64 = "DCGAN, 32 x 32, batch 64",
  ddim50_unet32_b16 = "50 steps of DDIM, U-Net 32, 16 pictures",
  unet_b1 = "U-Net 32, one picture of 64 x 64",
  tour_b32 = "the tour: extractor, four painters, critic, batch 32",
  mlp_2d = "GAN and flow of the plane, batch 512",
}

-- 3 significant digits: 0.0123, 1.23, 12.3, 123, 1230.
function report.digits(x)
  if x == 0 then return "0" end
  local decimals = math.max(0, 2 - math.floor(math.log(math.abs(x), 10) + 1e-9))
  return ("%." .. decimals .. "f"):format(x)
end

local function share(ours) return ours.share and ("%.0f %%"):format(100 * ours.share) or "" end

-- machine: { cpu, cores, threads, isa, peak, peers }
function report.lines(machine)
  local peak = machine.peak or {}
  local figures = {}
  for _, key in ipairs { "fp32", "bf16", "memory" } do
    local unit = key == "memory" and "GB/s of memory" or "GF/s " .. key
    if peak[key] then figures[#figures + 1] = ("%.0f %s"):format(peak[key], unit) end
  end
  print(("%s, %d cores, %d threads, %s%s"):format(machine.cpu, machine.cores, machine.threads, machine.isa,
    #figures > 0 and "; peak " .. table.concat(figures, ", ") or ""))
  return function(row)
    local ours = row.ours
    print(("%-18s %-4s %9s ms %6d MB %5s"):format(row.name, row.mode, report.digits(ours.ms), ours.peak_mb,
      share(ours)))
    for _, p in ipairs(row.peers) do
      local best = p.best
      if best then
        print(("    %-14s %-12s %9s ms %6d MB   %.2f x faster, %.2f of its memory%s"):format(p.label, best.mode,
          report.digits(best.ms), best.peak_mb, best.ms / ours.ms, ours.peak_mb / best.peak_mb,
          best.params == ours.params and "" or "   (PARAMETERS DIFFER)"))
      elseif #p.modes > 0 then
        print(("    %-14s has no figure"):format(p.label))
      end
    end
  end, function() end
end

function report.json(machine)
  print(json.encode({ machine = machine }))
  return function(row)
    print(json.encode(row.ours))
    for _, p in ipairs(row.peers) do
      for _, line in ipairs(p.all) do print(json.encode(line)) end
    end
  end, function() end
end

function report.markdown(machine)
  local head, rule = "| step | precision | laterna | of peak |", "|---|---|---|---|"
  for _, p in ipairs(machine.peers) do
    head, rule = head .. (" %s, its best mode | ratio |"):format(p.label), rule .. "---|---|"
  end
  local several = #machine.peers > 1
  if several then head, rule = head .. " best of all | ratio |", rule .. "---|---|" end
  print(head)
  print(rule)
  return function(row)
    local ours = row.ours
    local text = ("| %s | %s | %s ms, %d MB | %s |"):format(title[row.name] or row.name,
      row.mode == "bf16" and "bf16" or "float32", report.digits(ours.ms), ours.peak_mb, share(ours))
    for i = 1, #machine.peers do
      local p = row.peers[i]
      text = text .. (p.best and (" %s ms, %d MB (%s) | %.2f |"):format(report.digits(p.best.ms), p.best.peak_mb,
        p.best.mode, p.best.ms / ours.ms) or " - | - |")
    end
    if several then
      text = text .. (row.best and (" %s %s | %.2f |"):format(row.best.label, row.best.best.mode,
        row.best.best.ms / ours.ms) or " - | - |")
    end
    print(text)
  end, function()
    local peak = machine.peak or {}
    print(("\n(%s, %d cores, instruction set %s%s%s; medians.)"):format(machine.cpu, machine.cores, machine.isa,
      peak.fp32 and (", measured peak %.0f GF/s in float32"):format(peak.fp32) or "",
      peak.bf16 and (" and %.0f in bf16"):format(peak.bf16) or ""))
  end
end

return report
