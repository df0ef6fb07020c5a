--- Losses of the game between generator and critic, as functions of the critic's scores: logits, high where it takes a
-- picture for real. Each is a table:
--
--  - critic(real, fake) -> scalar, what the critic minimises
--  - generator(real, fake) -> scalar, what the generator minimises
--  - ranking(right, wrong) -> scalar: what the critic minimises where real pictures are shown with k wrong captions
--    each, wrong (n,k), and their own, right (n). Where there is none it is the mean of critic(right, wrong)
--  - paired: whether the generator's part reads the scores of real pictures; where it does not, they are nil
--  - boundary: the score between real and painted, or "middle": the middle of the two means, where only differences of
--    scores mean anything
--  - r1, r2, gradient_penalty: weights of the penalties that the loss needs, unless lt.gan is told others
--
-- Arguments are tensors of any shape, (n) as a critic gives them; means are taken over all.
-- @module laterna.gan.losses
local check = require "laterna.check"
local core = require "laterna.core"

local losses = {}

local function scores(fname, real, fake)
  check.type(fname, 1, "real", real, "tensor")
  check.type(fname, 2, "fake", fake, "tensor")
end

local function fakes(fake)
  return check.type("generator", 2, "fake", fake, "tensor")
end

--- Non-saturating (Goodfellow et al. 2014, arXiv 1406.2661): -log s(real) - log(1 - s(fake)); the generator's is
-- -log s(fake). The critic's best scores are log p/q.
losses.non_saturating = {
  boundary = 0,
  critic = function(real, fake)
    scores("critic", real, fake)
    return real:neg():softplus():mean() + fake:softplus():mean()
  end,
  generator = function(_, fake) return fakes(fake):neg():softplus():mean() end,
}

--- Hinge (Lim and Ye 2017, arXiv 1705.02894): max(0, 1 - real) + max(0, 1 + fake); the generator's is -fake.
losses.hinge = {
  boundary = 0,
  critic = function(real, fake)
    scores("critic", real, fake)
    return (1 - real):relu():mean() + (fake + 1):relu():mean()
  end,
  generator = function(_, fake) return fakes(fake):mean():neg() end,
}

--- Least squares (Mao et al. 2016, arXiv 1611.04076) with a = 0, b = c = 1: half of (real - 1)^2 + fake^2; the
-- generator's is half of (fake - 1)^2.
losses.least_squares = {
  boundary = 0.5,
  critic = function(real, fake)
    scores("critic", real, fake)
    return ((real - 1):square():mean() + fake:square():mean()) * 0.5
  end,
  generator = function(_, fake) return (fakes(fake) - 1):square():mean() * 0.5 end,
}

--- Wasserstein (Arjovsky et al. 2017, arXiv 1701.07875): fake - real; the generator's is -fake. It needs a critic of
-- slope 1 at most: with the gradient penalty of Gulrajani et al. 2017, arXiv 1704.00028, weight 10.
losses.wasserstein = {
  boundary = "middle", gradient_penalty = 10,
  critic = function(real, fake)
    scores("critic", real, fake)
    return fake:mean() - real:mean()
  end,
  generator = function(_, fake) return fakes(fake):mean():neg() end,
}

-- softplus(low - high) of pairs: a real picture, a painted one.
local function pairing(fname, high, low, real, fake)
  scores(fname, real, fake)
  local a, b = table.concat(real.shape, ","), table.concat(fake.shape, ",")
  if a ~= b then check.fail(fname, 2, "fake: expected (%s) as real, for they are paired; got (%s)", a, b) end
  return (low - high):softplus():mean()
end

-- -log of the softmax of right among right and wrong: log (1 + sum over k of exp(wrong_k - right)).
local function ranking(right, wrong)
  scores("ranking", right, wrong)
  if right:dim() ~= 1 or wrong:dim() ~= 2 or wrong:size(1) ~= right:size(1) then
    check.fail("ranking", 2, "wrong: expected (n,k) and right (n), got (%s) and (%s)", table.concat(wrong.shape, ","),
      table.concat(right.shape, ","))
  end
  return core.cat({ right:unsqueeze(2), wrong }, 2):log_softmax(2):narrow(2, 1, 1):mean():neg()
end

--- Relativistic pairing (Jolicoeur-Martineau 2018, arXiv 1807.00734), -log s(real - fake); the generator's is
-- -log s(fake - real). Every real picture is compared with a painted one, so that no mode can be dropped without loss;
-- it converges with R1 and R2, weight 1 (R3GAN: Huang et al. 2024, arXiv 2501.05441). Of k wrong captions it makes a
-- choice, -log of the softmax of the right one (InfoNCE: van den Oord et al. 2018, arXiv 1807.03748, eq. 4): for k = 1
-- that is the same pairing; for more it learns most from the wrong caption that it finds best.
losses.relativistic = {
  boundary = "middle", paired = true, r1 = 1, r2 = 1,
  critic = function(real, fake) return pairing("critic", real, fake, real, fake) end,
  generator = function(real, fake) return pairing("generator", fake, real, real, fake) end,
  ranking = ranking,
}

return losses
