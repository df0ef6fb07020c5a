--- What errors cost in training, by how much noise there is. A weight is a function
--
--   w(snr, t) -> the weight of the squared error in x0,      snr = alpha^2 / sigma^2
--
-- whatever it is that the network predicts: an error e in eps is one of e^2 / snr in x0 (and with alpha^2 + sigma^2 = 1
-- one of e^2 / (snr + 1) for v). The papers' formulas, which are for eps, come out of these by dividing by snr.
-- @module laterna.diffusion.weight
local check = require "laterna.check"

local weight = {}

--- 1: squared error in x0.
-- @treturn function
function weight.constant()
  return function() return 1 end
end

--- snr: plain squared error in eps (Ho et al. 2020, arXiv 2006.11239, L_simple).
-- @treturn function
function weight.snr()
  return function(snr) return snr end
end

--- min(snr, gamma) (Hang et al. 2023, arXiv 2303.09556, section 3.4; for eps min(snr, gamma) / snr).
-- @tparam[opt=5] number gamma
-- @treturn function
function weight.min_snr(gamma)
  gamma = check.number("min_snr", 1, "gamma", gamma == nil and 5 or gamma, 1e-9)
  return function(snr) return math.min(snr, gamma) end
end

--- snr / (k + snr)^gamma (Choi et al. 2022, arXiv 2204.00227, eq. 8; for eps 1 / (k + snr)^gamma): less for what is
-- almost clean, where nothing is learned of how things look.
-- @tparam[opt] table options k=1, gamma=1
-- @treturn function
function weight.p2(options)
  local o = check.options("p2", 1, options, { k = { "number", 1, min = 1e-9 }, gamma = { "number", 1, min = 0 } })
  return function(snr) return snr / (o.k + snr) ^ o.gamma end
end

--- snr + 1 / sigma_data^2 (Karras et al. 2022, arXiv 2206.00364, table 1: (sigma^2 + sigma_data^2) / (sigma
-- sigma_data)^2): plain squared error of what the network of predict = "edm" says.
-- @tparam[opt=1] number sigma_data
-- @treturn function
function weight.edm(sigma_data)
  sigma_data = check.number("edm", 1, "sigma_data", sigma_data == nil and 1 or sigma_data, 1e-6)
  return function(snr) return snr + 1 / (sigma_data * sigma_data) end
end

return weight
