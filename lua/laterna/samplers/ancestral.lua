--- How a step that draws fresh noise divides the noise: what it keeps of the old, and what it draws.
--
-- From x = alpha x0 + sigma eps at one knot to the next, at alpha' and sigma'. The ratio of the two noise-to-signal
-- ratios, q = (sigma'/alpha') / (sigma/alpha) = sigma' alpha / (alpha' sigma), is below 1, and 0 where alpha is 0: a
-- path may begin with nothing but noise. The next x is alpha' x0 + down eps + up z, with down^2 + up^2 = sigma'^2 and
-- z drawn.
-- @module laterna.samplers.ancestral
local ancestral = {}

--- The options of samplers that draw noise: eta, how much of it, 0 none; s_noise, times the deviation of what is drawn.
ancestral.eta, ancestral.s_noise = { "number", 1, min = 0 }, { "number", 1, min = 0 }

-- A step over more than this much of log(alpha/sigma) begins at (almost) nothing but noise.
local LONG = 5

--- q, the part of the noise-to-signal ratio that is left after a step.
-- @tparam table from a knot {t, alpha, sigma}
-- @tparam table to the next
-- @treturn number in 0..1
function ancestral.left(from, to)
  return math.min(1, to.sigma * from.alpha / (to.alpha * from.sigma)) -- above 1 by rounding, where times almost meet
end

--- down and up of a step (Song et al. 2021, DDIM, arXiv 2010.02502, eq. 16, for any alpha and sigma): with eta = 1 the
-- variance that is drawn is that of the reverse of the diffusion, up^2 = sigma'^2 (1 - q^2); with eta = 0 none is.
-- @tparam table from
-- @tparam table to
-- @tparam number eta at least 0
-- @treturn number down
-- @treturn number up at most sigma'
function ancestral.split(from, to, eta)
  local q = ancestral.left(from, to)
  local up = math.min(to.sigma, eta * to.sigma * math.sqrt((1 - q) * (1 + q)))
  return math.sqrt((to.sigma - up) * (to.sigma + up)), up
end

--- Where a step with two stages looks in between: at the part r of its way in log(alpha/sigma), but no later than at
-- the next knot. A very long step, as from alpha = 0, weighs the last of its way so much (by exp of log(alpha/sigma))
-- that the mean place is 1 before its end: there, then.
-- @tparam table s the sampler
-- @tparam table from a knot
-- @tparam table to the next
-- @tparam number ratio sigma/alpha at the end of the deterministic step, above 0
-- @tparam number r in 0..1
-- @treturn table knot
-- @treturn number r, or 1/2 where the step is long: that is when the second stage says all
function ancestral.middle(s, from, to, ratio, r)
  local long = from.ratio > ratio * math.exp(LONG)
  local wanted = long and ratio * math.exp(1) or from.ratio ^ (1 - r) * ratio ^ r
  if wanted <= to.ratio then return to, r end
  return s:knot_with(from, to, wanted), long and 0.5 or r
end

return ancestral
