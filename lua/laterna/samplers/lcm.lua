--- Sampling from a latent consistency model, in a few steps.
-- @module laterna.samplers.lcm
local core = require "laterna.core"
local solver = require "laterna.samplers.solver"

-- Luo et al. and their code: sigma_data of the boundary condition, and the discrete time that t = 1 is.
local SIGMA_DATA, STEPS = 0.5, 1000

--- Multistep consistency sampling (Luo et al. 2023, LCM, arXiv 2310.04378): the picture f = c_skip x +
-- c_out x0, and noise drawn to the next time, x' = alpha' f + sigma' z. With u = timestep_scaling * 1000 t, c_skip =
-- .25 / (u^2 + .25) and c_out = u / sqrt(u^2 + .25) make f the identity at t = 0; they are 0 and 1 nearly everywhere
-- else. Calls: one a step.
-- @tparam function schedule
-- @param times a list, or a number of steps
-- @tparam[opt] table options those of all samplers; boundary (true): false leaves c_skip and c_out away, f = x0;
-- timestep_scaling (10)
-- @treturn table sampler
return solver.define("lcm",
  { boundary = { "boolean", true }, timestep_scaling = { "number", 10, min = 0 } }, nil,
  function(s, o)
    local x, x0
    for i = 1, s.n do
      local from, to = s.knots[i], s.knots[i + 1]
      x, x0 = s:ask(from, x)
      local u = o.boundary and o.timestep_scaling * STEPS * from.t or math.huge
      local c_skip, c_out = SIGMA_DATA ^ 2 / (u * u + SIGMA_DATA ^ 2), 1 / math.sqrt(1 + (SIGMA_DATA / u) ^ 2)
      local tensors, numbers = { x, x0 }, { to.alpha * c_skip, to.alpha * c_out }
      if to.sigma > 0 then tensors[3], numbers[3] = s:noise(), to.sigma end
      x = core.combine(tensors, numbers)
    end
    return x
  end)
