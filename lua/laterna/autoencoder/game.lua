--- What the generator of an autoencoder is told in training, and the turn of its critic, where it has one.
-- @module laterna.autoencoder.game
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local edit = require "laterna.autoencoder.edit"
local nn = require "laterna.nn"

local game = {}

local OWN = { text = true, detail = true, beta = true, seen = true, n = true, drawn = true }

-- Details at random for the first pictures of a batch; nil for none.
local function drawn(fname, self, cond, seen)
  local part = cond.drawn and check.number(fname, 2, "cond.drawn", cond.drawn, 0, 1) or 0
  local k = math.floor(part * seen.z:size(1) + 0.5)
  if k == 0 then return nil end
  local u = core.randn(k, self.detail, { generator = cond.generator })
  return edit.from_noise(self, u, { text = seen.text and condition.slice(seen.text, 1, k) })
end

--- What the generator is told: what was seen, and whatever in cond is not the autoencoder's.
-- @tparam string fname
-- @tparam autoencoder self
-- @tparam table cond
-- @tparam table seen
-- @treturn table
function game.told(fname, self, cond, seen)
  local told = { text = seen.text, detail = seen.z }
  for key, v in next, cond do
    if not OWN[key] then told[key] = v end
  end
  if cond.drawn and type(self.generator.critic_loss) ~= "function" then
    check.fail(fname, 2, "cond.drawn: this generator has no critic to judge details that no picture has")
  end
  told.drawn = drawn(fname, self, cond, seen)
  return told
end

--- What the critic of a gan minimises, and its log (laterna.gan): it is shown pictures beside those painted from the
-- details that the extractor wrote. Neither extractor nor generator learns from it.
-- @tparam autoencoder self
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond as for loss
-- @treturn Tensor
-- @treturn table
function game.critic_loss(self, x, cond)
  condition.pictures("critic_loss", x)
  cond = check.type("critic_loss", 2, "cond", cond, "table|nil") or {}
  if type(self.generator.critic_loss) ~= "function" then
    check.fail("critic_loss", nil, "self: this generator has no critic")
  end
  local seen = cond.seen or core.no_grad(self.extract, self, x, cond)
  check.type("critic_loss", 2, "cond.seen.z", check.type("critic_loss", 2, "cond.seen", seen, "table").z, "tensor")
  local told = game.told("critic_loss", self, cond, seen)
  told.detail = told.detail:detach()
  if told.drawn then
    local k, n = told.drawn:size(1), told.detail:size(1)
    told.detail = k == n and told.drawn or core.cat { told.drawn, told.detail:narrow(1, k + 1, n - k) }
    told.drawn = nil
  end
  return self.generator:critic_loss(x, told)
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
