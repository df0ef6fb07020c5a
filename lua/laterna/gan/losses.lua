--- Losses of the game between generator and critic, as functions of the critic's scores: logits, high where it takes a
-- picture for real. Each is a table:
--
--  - critic(real, fake) -> scalar, what the critic minimises
--  - generator(real, fake) -> scalar, what the generator minimises
--  - ranking(positive, negative) -> scalar: what the critic minimises where real pictures are shown with k captions
--    each that are not theirs, negative (n,k), and with their own, positive (n). Where there is none it is the mean of
--    critic(positive, negative)
--  - paired: whether the generator's part reads the scores of real pictures; where it does not, they are nil
--  - boundary: the score between real and painted, or "middle": the middle of the two means, where only differences of
--    scores mean anything
--  - r1, r2, gradient_penalty: weights of the penalties that the loss needs, unless the options of lt.gan say others
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

-- -log of the softmax of the positive among all: log (1 + sum over k of exp(negative_k - positive)).
local function ranking(positive, negative)
  scores("ranking", positive, negative)
  if positive:dim() ~= 1 or negative:dim() ~= 2 or negative:size(1) ~= positive:size(1) then
    check.fail("ranking", 2, "negative: expected (n,k) and positive (n), got (%s) and (%s)",
      table.concat(negative.shape, ","), table.concat(positive.shape, ","))
  end
  return core.cat({ positive:unsqueeze(2), negative }, 2):log_softmax(2):narrow(2, 1, 1):mean():neg()
end

--- Relativistic pairing (Jolicoeur-Martineau 2018, arXiv 1807.00734), -log s(real - fake); the generator's is
-- -log s(fake - real). Every real picture is compared with a painted one, so that no mode can be dropped without loss;
-- it converges with R1 and R2, weight 1 (R3GAN: Huang et al. 2024, arXiv 2501.05441). Of k negatives it makes a
-- choice, -log of the softmax of the positive (InfoNCE: van den Oord et al. 2018, arXiv 1807.03748, eq. 4): for k = 1
-- that is the same pairing; for more it learns most from the negative that it finds best.
losses.relativistic = {
  boundary = "middle", paired = true, r1 = 1, r2 = 1,
  critic = function(real, fake) return pairing("critic", real, fake, real, fake) end,
  generator = function(real, fake) return pairing("generator", fake, real, real, fake) end,
  ranking = ranking,
}

return losses
