--- Samplers: from noise to pictures. Each is a function (schedule, times, options) -> s that never calls the network
-- itself:
--
--     local s = lt.samplers.ddim(schedule, 20, { predict = "v" })
--     while s.t do x = s:step(x, net(x, s.t)) end
--
-- times is a number of steps (uniform in t from 1 to 0) or a falling list of times, the last of which is where it ends.
-- `laterna.samplers.solver` says what s is and which options all of them know; a sampler of one's own is any function
-- of the same shape, `define` makes one.
-- @module laterna.samplers
local certify = require "laterna.samplers.certify"
local multistep = require "laterna.samplers.multistep"
local ode = require "laterna.samplers.ode"
local sde = require "laterna.samplers.sde"
local solver = require "laterna.samplers.solver"
local stochastic = require "laterna.samplers.stochastic"
local unipc = require "laterna.samplers.unipc"

local samplers = {
  define = solver.define,
  drive = solver.drive,
  move = solver.move,
  certify = certify,
  euler = ode.euler,
  ddim = ode.ddim,
  heun = ode.heun,
  dpm2 = ode.dpm2,
  dpmpp_2m = multistep.dpmpp_2m,
  lms = multistep.lms,
  unipc = unipc.unipc,
  ddpm = stochastic.ddpm,
  euler_ancestral = stochastic.euler_ancestral,
  dpmpp_2s_ancestral = stochastic.dpmpp_2s_ancestral,
  dpmpp_2m_sde = sde.dpmpp_2m_sde,
  dpmpp_sde = sde.dpmpp_sde,
  lcm = require "laterna.samplers.lcm",
  churn = require "laterna.samplers.churn",
}

return samplers
