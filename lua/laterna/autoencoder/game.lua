--- The condition of an autoencoder's generator in training, and the turn of its critic, where it has one.
-- @module laterna.autoencoder.game
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local edit = require "laterna.autoencoder.edit"
local nn = require "laterna.nn"

local game = {}

local function has_critic(self) return type(self.generator.critic_loss) == "function" end

-- Details from the prior for the first pictures of a batch; nil for none.
local function from_prior(fname, self, cond, posterior)
  local part = cond.from_prior and check.number(fname, 2, "cond.from_prior", cond.from_prior, 0, 1) or 0
  local k = math.floor(part * posterior.z:size(1) + 0.5)
  if k == 0 then return nil end
  local u = core.randn(k, self.detail, { generator = cond.generator })
  return edit.from_noise(self, u, posterior.cond and posterior.cond:first(k) or nil)
end

--- The condition of the generator: captions and detail of the posterior, and what of cond is the generator's.
-- @tparam string fname
-- @tparam autoencoder self
-- @tparam Condition cond
-- @tparam table posterior
-- @treturn Condition
function game.condition_of(fname, self, cond, posterior)
  if cond.from_prior and not has_critic(self) then
    check.fail(fname, 2, "cond.from_prior: this generator has no critic to judge details that no picture has")
  end
  local base = posterior.cond or cond:bare():read_by(self.text)
  local keys, changes = condition.keys_of(self.generator, "loss"), { n = cond.n, detail = posterior.z }
  for key in pairs(keys and keys.rules or { generator = true }) do
    if changes[key] == nil and key ~= "text" then changes[key] = cond[key] end
  end
  changes.judged_detail = from_prior(fname, self, cond, posterior)
  return base:with(changes)
end

--- What the critic of a gan minimises, and its log (laterna.gan): it is shown pictures beside those painted from the
-- details that the extractor wrote. Neither extractor nor generator learns from it.
-- @tparam autoencoder self
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond as for loss
-- @treturn Tensor
-- @treturn table
function game.critic_loss(self, x, cond)
  condition.pictures("critic_loss", x, 1, true)
  if not has_critic(self) then check.fail("critic_loss", nil, "self: this generator has no critic") end
  cond = condition.read("critic_loss", 2, cond, self:condition_keys "loss", x:size(1))
  local posterior = cond.posterior
  if not posterior then
    posterior = core.no_grad(self.extract, self, x, { text = cond.text, generator = cond.generator })
  end
  check.type("critic_loss", 2, "cond.posterior.z", posterior.z, "tensor")
  local its = game.condition_of("critic_loss", self, cond, posterior)
  local z, drawn = its.detail:detach(), its.judged_detail
  if drawn then
    local k, n = drawn:size(1), z:size(1)
    z = k == n and drawn or core.cat { drawn, z:narrow(1, k + 1, n - k) }
  end
  return self.generator:critic_loss(x, its:with { detail = z, judged_detail = false })
end

--- All parameters but those of a generator's critic, which has an optimizer of its own:
-- ae.generator.critic:parameters().
-- @tparam autoencoder self
-- @treturn {tensor,...}
function game.generator_parameters(self)
  local critic, list, other = self.generator.critic, {}, {}
  for _, p in ipairs(nn.is_module(critic) and critic:parameters() or {}) do other[p] = true end
  for _, p in ipairs(self:parameters()) do
    if not other[p] then list[#list + 1] = p end
  end
  return list
end

return game
