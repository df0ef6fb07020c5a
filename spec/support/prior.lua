-- What the specs of learned distributions of details share.
local core = require "laterna.core"

local prior = {}

-- A module with weights away from those that it starts with.
function prior.shaken(module, amount)
  for _, p in ipairs(module:parameters()) do core.no_grad(p.add_, p, core.randn(p.shape) * amount) end
  return module
end

-- log N(z; 0, I) of each row, (n).
function prior.normal(z)
  return (z:square():sum(2) + z:size(2) * math.log(2 * math.pi)) * -0.5
end

-- log |det du/dz| of the map from a detail z (1,d) to its noise, by central differences of h; and what log_prob has
-- beyond the noise's own density.
function prior.logdets(of, z, c, h)
  local d, rows = z:size(2), {}
  for i = 1, d do
    local step = core.zeros(1, d)
    step[1][i] = h
    local _, above = of:log_prob(z + step, c)
    local _, below = of:log_prob(z - step, c)
    rows[i] = ((above - below) * (0.5 / h))[1]
  end
  local logp, u = of:log_prob(z, c)
  return core.stack(rows):detach():logdet():item(), logp:item() - prior.normal(u):item()
end

return prior
