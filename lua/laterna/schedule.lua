--- Noise schedules. A schedule is a function of time that says what is left of the picture and how much noise there is:
--
--   t in [0,1] -> alpha, sigma       x_t = alpha x + sigma eps,   t = 0 the picture, t = 1 noise
--
-- Any such function will do; those of the papers are made here, and check says what is wrong with one:
--
--     local late = function(t) return math.cos(math.pi/2 * t^1.5), math.sin(math.pi/2 * t^1.5) end
--     lt.schedule.check(late)
--     lt.plot(late)                                      -- alpha, sigma and log-SNR
--     local times = lt.schedule.spacing.karras()(late, 20)
--
-- With one argument that is a table of options, or none, each constructor returns a plain function. What is called the
-- ratio here is sigma / alpha, the noise on the scale of the picture; log-SNR is -2 log of it.
-- @module laterna.schedule
local builtin = require "laterna.schedule.builtin"
local change = require "laterna.schedule.change"
local discrete = require "laterna.schedule.discrete"
local tools = require "laterna.schedule.tools"

local schedule = {
  --- check(schedule), ratio(schedule, t), log_snr(schedule, t), invert(schedule, ratio): see laterna.schedule.tools.
  check = tools.check, ratio = tools.ratio, log_snr = tools.log_snr, invert = tools.invert,
  --- cosine, sigmoid, log_snr_linear, edm, flow: see laterna.schedule.builtin.
  cosine = builtin.cosine, sigmoid = builtin.sigmoid, log_snr_linear = builtin.log_snr_linear, edm = builtin.edm,
  flow = builtin.flow,
  --- linear, scaled_linear, from_betas, from_alpha_bar, betas: see laterna.schedule.discrete.
  linear = discrete.linear, scaled_linear = discrete.scaled_linear, from_betas = discrete.from_betas,
  from_alpha_bar = discrete.from_alpha_bar, betas = discrete.betas,
  --- zero_terminal(schedule), shift(schedule, factor): see laterna.schedule.change.
  zero_terminal = change.zero_terminal, shift = change.shift,
  --- Which times a sampler visits: see laterna.schedule.spacing.
  spacing = require "laterna.schedule.spacing",
}

return schedule
