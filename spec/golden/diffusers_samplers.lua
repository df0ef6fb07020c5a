-- The figures that Hugging Face's diffusers asserts of its schedulers (tests/schedulers, on CPU, version 0.42), for
-- every one that we have a sampler for: the sum and the mean of |x| at the end of a loop, to 1e-2 and 1e-3.
--
-- All loops are those of tests/schedulers/test_schedulers.py. Pictures are 4x3x8x8 (batch, channel, row, column),
-- sample[b][c][h][w] = (((c*8+h)*8+w)*4+b)/768, noise = (767 - index)/768 in the same order; the network is x n/(n+1)
-- with n the discrete time; fresh noise is torch.randn of seed 0. alpha_bar is the cumulative product of 1 - beta,
-- betas evenly spaced (linear) or with evenly spaced roots (scaled_linear), in single precision.
--
-- Not here, for want of such a sampler: DPM2's ancestral form, the DPM-Solver++ of single steps (its two stages end
-- at the times of the list; those of our 2S lie at the logarithmic middle), and DDIM run backwards.
--
-- A case:
--   test       the test there; several where they assert the same figure of the same loop
--   sampler, options   of ours
--   betas      { T, first, last, kind }; or edm = sigma_max: alpha 1, sigma = t sigma_max
--   n          the discrete times of the steps; or sigmas = their noise-to-signal ratios, a list or a function of the
--              largest and the least ratio of the schedule (at n = T-1 and at n = 0)
--   ends       where the last step goes: "clean" (sigma 0), a discrete time, or at the last of the list: "there" (so
--              there is one step fewer), "just beyond"
--   clock      which n the network is told: "linear" (n = tT-1; where n is given), "log" (interpolated in log sigma:
--              the library's sigma_to_t), "round" (that, rounded), "c_noise" (log(sigma)/4)
--   start      "sample": x is the sample; "scaled": sample * sigma_max, in x = x0 + sigma eps, as the tests of
--              k-diffusion's solvers begin; noised = true: to that (or to alpha times it) sigma * noise is added
--   halved     those tests give x/sqrt(sigma^2+1) to the network, and by an oversight to the step as well
--   input      what else is done to x for the network: "c_in" (x/sqrt(sigma^2+sigma_data^2)); sign = -1: its word is
--              negated
--   sum, mean  the figures; sum_tolerance, mean_tolerance where they are not 1e-2, 1e-3

-- numpy's linspace, backwards; rounded half to even where asked.
local function backwards(from, to, count, round)
  local list = {}
  for k = 1, count do
    local v = from + (to - from) * (count - k) / (count - 1)
    if round then
      local low = math.floor(v)
      local up = v - low > 0.5 or (v - low == 0.5 and low % 2 == 1)
      v = up and low + 1 or low
    end
    list[k] = v
  end
  return list
end

local function tail(list, first) return table.move(list, first, #list, 1, {}) end

-- Ten sigmas from the largest to the least: Karras et al. 2022, eq. 5, rho 7.
local function karras(max, min)
  local list = {}
  for k = 0, 9 do
    local a, b = max ^ (1 / 7), min ^ (1 / 7)
    list[k + 1] = (a + k / 9 * (b - a)) ^ 7
  end
  return list
end

-- The same, uniform in the log-SNR (Lu et al. 2022, DPM-Solver).
local function lu(max, min)
  local list = {}
  for k = 0, 9 do list[k + 1] = max * (min / max) ^ (k / 9) end
  return list
end

local LINEAR = { 1000, 1e-4, 0.02, "linear" }
local LINEAR_1100 = { 1100, 1e-4, 0.02, "linear" } -- k-diffusion's solvers are tested with T = 1100

-- Where the library's last two sigmas are equal (a Karras list ends in sigma_min, and sigma_min is appended), the
-- last step goes nowhere. A step of ours must go somewhere: it is left out, or (UniPC, whose corrector works in it)
-- made tiny.

local TENTHS = backwards(0, 999, 11, true) -- 999 899 799 699 599 500 400 300 200 100 0: the 0 is where it ends
TENTHS[11] = nil
local SPREAD = backwards(0, 1099, 10) -- 1099 976.9 854.8 .. 122.1 0
local LEADING = { 900, 800, 700, 600, 500, 400, 300, 200, 100, 0 }
local EVERY = backwards(0, 999, 1000)

local cases = {}
local function add(class, defaults, list)
  for _, case in ipairs(list) do
    for key, value in pairs(defaults) do
      if case[key] == nil then case[key] = value end
    end
    case.name = class .. ": " .. case.test
    cases[#cases + 1] = case
  end
end

-- DDPM: small fixed variance, x0 clipped. "with_noise" begins at n = 1, where the library's beta, as 1 - alpha in
-- single precision, is off by 5e-4 of itself: the same loop in double precision gives 387.9676. In the parallel
-- class's test three batches, sample, sample + .1 and sample - .1, each take one step without noise from n = 0, 1, 2,
-- and are summed.
add("ddpm", { sampler = "ddpm", betas = LINEAR, options = { clip = true }, n = EVERY, ends = "clean" }, {
  { test = "full_loop_no_noise", sum = 258.9606, mean = 0.3372 },
  { test = "full_loop_with_v_prediction", options = { clip = true, predict = "v" }, sum = 202.0296, mean = 0.2631 },
  { test = "full_loop_with_noise", n = { 1, 0 }, noised = true, sum = 387.9466, mean = 0.5051,
    sum_tolerance = 0.03 },
  { test = "parallel: batch_step_no_noise", options = { clip = true, noise = "none" },
    parts = { { 0, n = { 0 }, ends = "clean" }, { 0.1, n = { 1 }, ends = 0 }, { -0.1, n = { 2 }, ends = 1 } },
    sum = 1153.1833, mean = 0.5005 },
})

-- DDIM, eta 0, leading times. "no_set_alpha_to_one": the last step ends at n = 0, where it is already, so it is left
-- out. The parallel class's test as above, but each of the steps goes a tenth of the way, which is beyond the clean
-- end.
local STEEP = { 1000, 0.01, 0.02, "linear" }
local clipped = { clip = true, recompute = false } -- eps stays what the network said
add("ddim", { sampler = "ddim", betas = LINEAR, options = clipped, n = LEADING, ends = "clean" }, {
  { test = "full_loop_no_noise", sum = 172.0067, mean = 0.223967 },
  { test = "full_loop_with_v_prediction", options = { clip = true, recompute = false, predict = "v" },
    sum = 52.5302, mean = 0.0684 },
  { test = "full_loop_with_set_alpha_to_one", betas = STEEP, sum = 149.8295, mean = 0.1951 },
  { test = "full_loop_with_no_set_alpha_to_one", betas = STEEP, n = table.move(LEADING, 1, 9, 1, {}), ends = 0,
    sum = 149.0784, mean = 0.1941 },
  { test = "full_loop_with_noise", n = { 100, 0 }, noised = true, sum = 354.5418, mean = 0.4616 },
  { test = "parallel: batch_step_no_noise",
    parts = { { 0, n = { 0 } }, { 0.1, n = { 1 } }, { -0.1, n = { 2 } } }, sum = 1147.7904, mean = 0.4982 },
})

-- k-diffusion's solvers: ten steps evenly spaced over n = 1099..0 and then to sigma 0; x is sample * sigma_max, and
-- the two-stage ones ask 19 times (the step to 0 is Euler's). "with_noise" begins at the ninth time, with sample *
-- sigma_max and noise * sigma: hence the large figures. full_loop_device asserts what full_loop_no_noise does.
local KDIFF = { betas = LINEAR_1100, n = SPREAD, ends = "clean", start = "scaled", halved = true }
local LAST_TWO = tail(SPREAD, 9)
local function kdiff(sampler, list)
  local defaults = { sampler = sampler }
  for key, value in pairs(KDIFF) do defaults[key] = value end
  add(sampler, defaults, list)
end
local V = { predict = "v" }

kdiff("euler", {
  { test = "full_loop_no_noise, device", sum = 10.0807, mean = 0.0131 },
  { test = "full_loop_with_v_prediction", options = V, sum = 0.0002, mean = 2.2676e-06 },
  { test = "full_loop_device_karras_sigmas", sigmas = karras, clock = "log", sum = 124.52299499511719,
    mean = 0.16213932633399963 },
  { test = "full_loop_with_noise", n = LAST_TWO, noised = true, sum = 57062.9297, mean = 74.3007 },
})
kdiff("euler_ancestral", {
  { test = "full_loop_no_noise, device", sum = 152.3192, mean = 0.1983 },
  { test = "full_loop_with_v_prediction", options = V, sum = 108.4439, mean = 0.1412 },
  { test = "full_loop_with_noise", n = LAST_TWO, noised = true, sum = 56163.0508, mean = 73.1290 },
})
kdiff("heun", {
  { test = "full_loop_no_noise, device", sum = 0.1233, mean = 0.0002 },
  { test = "full_loop_with_v_prediction", options = V, sum = 4.6934e-07, mean = 6.1112e-10 },
  { test = "full_loop_device_karras_sigmas", sigmas = karras, clock = "log", sum = 0.00015,
    mean = 1.9869554535034695e-07 },
  -- The slope at sigma = .01 divides a difference by it: in single precision that costs a few bits.
  { test = "full_loop_with_noise", n = LAST_TWO, noised = true, sum = 75074.8906, mean = 97.7538,
    sum_tolerance = 0.3 },
})
-- The middle of a step is the geometric mean of its sigmas.
kdiff("dpm2", {
  { test = "full_loop_no_noise, device", clock = "log", sum = 20.4125, mean = 0.0266 },
  { test = "full_loop_with_v_prediction", clock = "log", options = V, sum = 4.6934e-07, mean = 6.1112e-10 },
  { test = "full_loop_with_noise", clock = "log", n = LAST_TWO, noised = true, sum = 70408.4062, mean = 91.6776 },
})
-- Not here: test_full_loop_with_noise, which begins at the ninth time. The library then takes the coefficients of
-- order 4 though there is but one derivative, and leaves the other three terms out: no method's step.
kdiff("lms", {
  { test = "full_loop_no_noise, device", sum = 1006.388, mean = 1.31 },
  { test = "full_loop_with_v_prediction", options = V, sum = 0.0017, mean = 2.2676e-06 },
  { test = "full_loop_device_karras_sigmas", sigmas = karras, clock = "log", sum = 3812.9927, mean = 4.9648,
    sum_tolerance = 2e-2 },
})
-- DPM-Solver++ SDE draws from torchsde's Brownian tree: those draws are in diffusers_brownian.safetensors, made by
-- diffusers_brownian.py.
kdiff("dpmpp_sde", {
  { test = "full_loop_no_noise, device", clock = "log", draws = "linspace", sum = 162.52383422851562,
    mean = 0.211619570851326 },
  { test = "full_loop_with_v_prediction", clock = "log", draws = "linspace", options = V, sum = 119.8487548828125,
    mean = 0.1560530662536621 },
  { test = "full_loop_device_karras_sigmas", clock = "log", draws = "karras", sigmas = karras,
    sum = 170.3135223388672, mean = 0.23003872730981811, mean_tolerance = 1e-2 },
})

-- DPM-Solver++ 2M: midpoint, no lower order at the end, final sigma = sigma(0). Only the mean is asserted.
-- Thresholding with a largest value of 1/2 clamps x0 to [-1/2, 1/2] and divides by 1/2.
local MULTISTEP = { sampler = "dpmpp_2m", betas = LINEAR, n = TENTHS, ends = 0 }
add("dpmpp_2m", MULTISTEP, {
  { test = "full_loop_no_noise, switch", mean = 0.3301 },
  { test = "full_loop_with_noise", n = tail(TENTHS, 6), noised = true, sum = 318.4111, mean = 0.4146 },
  { test = "full_loop_no_noise_thres", options = { clip = "half" }, mean = 1.1364 },
  { test = "full_loop_with_v_prediction", options = V, mean = 0.2251 },
  { test = "full_loop_with_karras_and_v_prediction", options = V, sigmas = karras, ends = "there", clock = "round",
    mean = 0.2096 },
  { test = "full_loop_with_lu_and_v_prediction", options = V, sigmas = lu, ends = "there", clock = "round",
    mean = 0.1554 },
})

-- UniPC, B2, order 2 (1 in the first and the last step). The class "1D" does the same with pictures of 4x3x8.
local function unipc(class, shape, figures)
  add(class, { sampler = "unipc", betas = LINEAR, n = TENTHS, ends = 0, shape = shape }, {
    { test = "full_loop_no_noise, switch", mean = figures[1] },
    { test = "full_loop_with_karras", sigmas = karras, ends = "just beyond", clock = "round", mean = figures[2] },
    { test = "full_loop_with_v_prediction", options = V, mean = figures[3] },
    { test = "full_loop_with_karras_and_v_prediction", options = V, sigmas = karras, ends = "just beyond",
      clock = "round", mean = figures[4] },
    { test = "full_loop_with_noise", n = tail(TENTHS, 9), noised = true, sum = figures[5], mean = figures[6] },
  })
end
unipc("unipc", nil, { 0.2464, 0.2925, 0.1014, 0.1966, 315.5757, 0.4109 })
unipc("unipc 1D", { 4, 1, 8, 3 }, { 0.2441, 0.2898, 0.1014, 0.1944, 39.0870, 0.4072 })

-- LCM: 1 or 10 of the 50 times 19, 39 .. 999. n/(n+1) never sees the boundary scaling: at n = 99 it is 1 - 1e-7.
add("lcm", { sampler = "lcm", betas = { 1000, 0.00085, 0.012, "scaled_linear" }, ends = "clean",
  sum_tolerance = 1e-3 }, {
  { test = "full_loop_onestep", n = { 999 }, sum = 18.7097, mean = 0.0244 },
  { test = "full_loop_multistep", n = { 999, 899, 799, 699, 599, 499, 399, 299, 199, 99 }, sum = 197.7616,
    mean = 0.2575 },
})

-- EDM: x = x0 + sigma eps, ten Karras sigmas 80 .. .002, sigma_data 1/2, the network told log(sigma)/4. Euler begins
-- with sample * sqrt(80^2 + 1), goes on to sigma 0 and scales the network's input; the other begins with the sample,
-- ends at sigma .002 and forgets to scale. There v means the negative of EDM's network.
local EDM = karras(80, 0.002)
local edm = { predict = "edm", sigma_data = 0.5 }
add("edm euler", { sampler = "euler", edm = 80, sigmas = EDM, ends = "clean", clock = "c_noise", input = "c_in",
  options = edm, factor = (80 ^ 2 + 1) ^ 0.5 }, {
  { test = "full_loop_no_noise, device", sum = 34.1855, mean = 0.044, sum_tolerance = 1e-3 },
})
add("edm dpmpp_2m", { sampler = "dpmpp_2m", edm = 80, sigmas = EDM, ends = "there", clock = "c_noise",
  options = edm }, {
  { test = "full_loop_no_noise", mean = 0.0001 },
  { test = "full_loop_with_noise", sigmas = tail(EDM, 6), noised = true, sum = 8.1661, mean = 0.0106 },
  { test = "full_loop_no_noise_thres", options = { predict = "edm", sigma_data = 0.5, clip = "half" },
    mean = 0.0080 },
  { test = "full_loop_with_v_prediction", sign = -1, mean = 0.0092 },
})

-- test_variance of DDPM and of DDIM with eta 1: of the noise that a step adds, from n to another (nil: to the clean
-- end); to 1e-5.
local variances = {
  { sampler = "ddpm", n = 0, variance = 0 }, { sampler = "ddpm", n = 487, to = 486, variance = 0.00979 },
  { sampler = "ddpm", n = 999, to = 998, variance = 0.02 },
  { sampler = "ddim", n = 420, to = 400, variance = 0.14771 },
  { sampler = "ddim", n = 980, to = 960, variance = 0.32460 },
  { sampler = "ddim", n = 487, to = 486, variance = 0.00979 },
  { sampler = "ddim", n = 999, to = 998, variance = 0.02 },
}

-- UniPCMultistepScheduler1DTest.test_flow_and_karras_sigmas_values: a Karras list from 200 to .01, as times of the
-- flow.
local flow_times = { sigma_min = 0.01, sigma_max = 200, 0.9950248599052429, 0.9787454605102539, 0.8774884343147278,
  0.3604971766471863, 0.009900986216962337, 0 }

return cases, variances, flow_times
