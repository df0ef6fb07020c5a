-- Made by diffusers_loops.py; not to be edited.
return {
  { name = "ddim: eta 0.5", ends = "clean", sampler = "ddim", betas = { 1000, 1e-4, 0.02, "linear" }, options = { eta
    = 0.5 }, n = { 900, 800, 700, 600, 500, 400, 300, 200, 100, 0 }, sum = 239.91399, mean = 0.3123880 },
  { name = "ddim: eta 1", ends = "clean", sampler = "ddim", betas = { 1000, 1e-4, 0.02, "linear" }, options = { eta =
    1 }, n = { 900, 800, 700, 600, 500, 400, 300, 200, 100, 0 }, sum = 236.89102, mean = 0.3084518 },
  { name = "ddim: zero terminal SNR, trailing, v, eta 0", ends = "clean", sampler = "ddim", betas = { 1000, 1e-4,
    0.02, "linear" }, zero = true, options = { eta = 0, predict = "v" }, n = { 999, 899, 799, 699, 599, 499, 399, 299,
    199, 99 }, sum = 50.55741, mean = 0.0658300 },
  { name = "ddim: zero terminal SNR, trailing, v, eta 0.7", ends = "clean", sampler = "ddim", betas = { 1000, 1e-4,
    0.02, "linear" }, zero = true, options = { eta = 0.7, predict = "v" }, n = { 999, 899, 799, 699, 599, 499, 399,
    299, 199, 99 }, sum = 127.17978, mean = 0.1655987 },
  { name = "ddpm: 20 steps, small variance", ends = "clean", sampler = "ddpm", betas = { 1000, 1e-4, 0.02, "linear" },
    options = { clip = true, variance = "small" }, n = { 950, 900, 850, 800, 750, 700, 650, 600, 550, 500, 450, 400,
    350, 300, 250, 200, 150, 100, 50, 0 }, sum = 250.57240, mean = 0.3262662 },
  { name = "ddpm: 20 steps, large variance", ends = "clean", sampler = "ddpm", betas = { 1000, 1e-4, 0.02, "linear" },
    options = { clip = true, variance = "large" }, n = { 950, 900, 850, 800, 750, 700, 650, 600, 550, 500, 450, 400,
    350, 300, 250, 200, 150, 100, 50, 0 }, sum = 321.72434, mean = 0.4189119 },
  { name = "ddpm: zero terminal SNR, trailing, v", ends = "clean", sampler = "ddpm", betas = { 1000, 1e-4, 0.02,
    "linear" }, zero = true, options = { predict = "v" }, n = { 999, 949, 899, 849, 799, 749, 699, 649, 599, 549, 499,
    449, 399, 349, 299, 249, 199, 149, 99, 49 }, sum = 170.19552, mean = 0.2216088 },
  { name = "dpmpp_2m_sde: midpoint, eps", ends = "clean", sampler = "dpmpp_2m_sde", betas = { 1000, 1e-4, 0.02,
    "linear" }, options = { solver_type = "midpoint", predict = "eps" }, n = { 999, 916, 832, 749, 666, 583, 500, 416,
    333, 250, 166, 83 }, sum = 287.35948, mean = 0.3741660 },
  { name = "dpmpp_2m_sde: midpoint, v", ends = "clean", sampler = "dpmpp_2m_sde", betas = { 1000, 1e-4, 0.02, "linear"
    }, options = { solver_type = "midpoint", predict = "v" }, n = { 999, 916, 832, 749, 666, 583, 500, 416, 333, 250,
    166, 83 }, sum = 182.35951, mean = 0.2374473 },
  { name = "dpmpp_2m_sde: heun, eps", ends = "clean", sampler = "dpmpp_2m_sde", betas = { 1000, 1e-4, 0.02, "linear"
    }, options = { solver_type = "heun", predict = "eps" }, n = { 999, 916, 832, 749, 666, 583, 500, 416, 333, 250,
    166, 83 }, sum = 299.66192, mean = 0.3901848 },
  { name = "dpmpp_2m_sde: heun, v", ends = "clean", sampler = "dpmpp_2m_sde", betas = { 1000, 1e-4, 0.02, "linear" },
    options = { solver_type = "heun", predict = "v" }, n = { 999, 916, 832, 749, 666, 583, 500, 416, 333, 250, 166, 83
    }, sum = 191.53247, mean = 0.2493912 },
  { name = "dpmpp_2m: flow, shift 3", ends = "clean", sampler = "dpmpp_2m", flow = true, clock = "whole", options = {
    predict = "velocity" }, sigmas = { 0.9996665, 0.9639411, 0.9227217, 0.8746352, 0.8178097, 0.7496248, 0.6662961,
    0.5621483, 0.4282652, 0.2497916 }, sum = 137.28214, mean = 0.1787528 },
  { name = "dpmpp_2m_sde: flow, shift 3", ends = "clean", sampler = "dpmpp_2m_sde", flow = true, clock = "whole",
    options = { predict = "velocity" }, sigmas = { 0.9996665, 0.9639411, 0.9227217, 0.8746352, 0.8178097, 0.7496248,
    0.6662961, 0.5621483, 0.4282652, 0.2497916 }, sum = 202.43090, mean = 0.2635819 },
  { name = "euler: flow, shift 3", ends = "clean", sampler = "euler", flow = true, options = { predict = "velocity" },
    sigmas = { 1, 0.9601293, 0.913349, 0.8576923, 0.7903683, 0.7072785, 0.6021506, 0.464876, 0.2780488, 0.008928572 },
    sum = 129.34946, mean = 0.1684238 },
}
