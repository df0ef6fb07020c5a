-- How much arithmetic a step of each workload asks for, so that its time can be set against the machine's peak: two
-- operations for every multiply-add of the matrix products and convolutions as they are defined, whatever a kernel
-- really does (Winograd's multiplies less), in GF. Norms, activations, losses and optimizers are not counted.
--
-- A product costs the same forward, for its input's gradient and for its weight's; a first layer's input wants none.
-- The same goes for attention: two products forward, four for the gradients of q, k and v.
--
-- The workloads of several models at once, tour_b32 and mlp_2d, are not counted: they have a time, but no share.

local FORWARD, FIRST, ALL = 1, 2, 3 -- passes over a product

-- Multiply-adds of one pass: a convolution that gives n pictures of h x h, a linear layer over n rows.
local function conv(n, h, cin, cout, k) return n * h * h * cin * cout * k * k end
local function linear(n, from, to) return n * from * to end

local function vae_mlp(n)
  return FIRST * linear(n, 784, 400) + ALL * (linear(n, 400, 40) + linear(n, 20, 400) + linear(n, 400, 784))
end

-- A transposed convolution costs what the convolution costs whose mirror it is.
local function vae_conv(n)
  local mirrored = conv(n, 7, 32, 64, 4) + linear(n, 3136, 32) + conv(n, 14, 1, 32, 4) -- decoder: 32 latents
  local encoder = conv(n, 7, 32, 64, 4) + linear(n, 3136, 64)
  return ALL * (mirrored + encoder) + FIRST * conv(n, 14, 1, 32, 4)
end

-- U-Net of three widths, d, 2d, 4d if none are named, on h x h pictures of 1 channel or `channels`: the sum of one
-- pass, and what of it are first layers.
local function unet(n, h, d, widths, channels)
  widths, channels = widths or { d, 2 * d, 4 * d }, channels or 1
  local t, first, sum = 4 * d, linear(n, d, 4 * d) + conv(n, h, channels, d, 3), linear(n, 4 * d, 4 * d)
  local function add(x) sum = sum + x end
  local function res(size, cin, cout)
    add(conv(n, size, cin, cout, 3) + conv(n, size, cout, cout, 3) + linear(n, t, cout))
    if cin ~= cout then add(conv(n, size, cin, cout, 1)) end
  end
  local c, size = d, h
  for level = 0, 2 do
    local k = widths[level + 1]
    res(size, c, k)
    res(size, k, k)
    c = k
    if level < 2 then
      size = size // 2
      add(conv(n, size, k, k, 3))
    end
  end
  res(size, c, c)
  add(conv(n, size, c, 3 * c, 1) + conv(n, size, c, c, 1) + 2 * n * size ^ 4 * c)
  res(size, c, c)
  for level = 2, 0, -1 do
    local k = widths[level + 1]
    res(size, c + k, k)
    res(size, 2 * k, k)
    c = k
    if level > 0 then
      size = size * 2
      add(conv(n, size, k, k, 3))
    end
  end
  return sum + conv(n, h, d, channels, 3), first
end

local function denoiser(n, h, d)
  local sum, first = unet(n, h, d)
  return ALL * sum + FIRST * first
end

local function dit(n, d, depth, tokens, patch)
  local rows = n * tokens
  local block = linear(rows, d, 3 * d) + linear(rows, d, d) + 2 * linear(rows, d, 4 * d) + linear(n, d, 6 * d) +
                2 * n * tokens * tokens * d
  local rest = linear(n, d, d) + linear(n, d, 2 * d) + linear(rows, d, patch)
  return ALL * (depth * block + rest) + FIRST * (linear(n, 256, d) + linear(rows, patch, d))
end

local function glow(n, steps, hidden)
  local sum, c, h = 0, 1, 32
  for _ = 1, 3 do
    c, h = 4 * c, h // 2
    sum = sum + steps * (conv(n, h, c, c, 1) + conv(n, h, c // 2, hidden, 3) + conv(n, h, hidden, hidden, 1) +
                         conv(n, h, hidden, c, 3))
    c = c // 2
  end
  return ALL * sum
end

-- The critic sees the pictures, the painted ones, and the painted ones again for the generator, down to their pixels.
local function dcgan(n)
  local first, from_noise = conv(n, 16, 1, 64, 4), conv(n, 1, 256, 100, 4) -- sizes as a convolution has them
  local inner = conv(n, 8, 64, 128, 4) + conv(n, 4, 128, 256, 4)
  local critic = inner + conv(n, 1, 256, 1, 4)
  return 3 * ALL * critic + (2 * FIRST + ALL) * first + ALL * (inner + first) + FIRST * from_noise
end

local function sampling(n, steps)
  local sum, first = unet(n, 32, 32)
  return steps * FORWARD * (sum + first)
end

local function latency()
  local sum, first = unet(1, 64, 32, { 32, 64, 64 }, 3)
  return FORWARD * (sum + first)
end

local multiply_adds = {
  vae_mlp_b128 = vae_mlp(128),
  vae_conv_b128 = vae_conv(128),
  unet32_b64 = denoiser(64, 32, 32),
  unet64_b32 = denoiser(32, 32, 64),
  dit_small_b64 = dit(64, 192, 6, 64, 16),
  dit_s2_b8 = dit(8, 384, 12, 256, 4),
  glow_b32 = glow(32, 8, 128),
  dcgan_b64 = dcgan(64),
  ddim50_unet32_b16 = sampling(16, 50),
  unet_b1 = latency(),
}

-- Multiply-adds of a training step of any size: denoiser(n, h, d) of the U-Net, dit(n, d, depth, tokens, patch).
local work = { multiply_adds = { denoiser = denoiser, dit = dit } }
for name, n in pairs(multiply_adds) do work[name] = 2e-9 * n end
return work
