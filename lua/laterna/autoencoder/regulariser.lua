--- What the detail may tell, and what that costs: prices for lt.autoencoder.
--
-- Families measure their losses in units of their own (nats a picture, bits a dimension, squared error, a game's
-- score), so that a fixed beta means something else for each. A target rate in nats a picture means the same for all.
--
-- A price is a module with
--
--  - outputs(d): how many numbers the extractor is to write for a detail of d
--  - read(out, generator): what they mean, {mu (n,d), logvar (n,d) or nil, z (n,d)}, z a draw that gradients go through
--  - charge(seen, told): a scalar to add to the generator's loss, and numbers to log, kl (nats a picture) among them;
--    told = {prior, pooled, loss, beta, generator}
--  - gap(seen, told): KL(q || p) in nats, (n); told = {prior, pooled, draws, generator}
--  - prior(d): optional, the distribution that such details have; then the autoencoder takes no other
-- @module laterna.autoencoder.regulariser
return {
  kl = require "laterna.autoencoder.kl", mmd = require "laterna.autoencoder.mmd",
  fsq = require "laterna.autoencoder.fsq",
}
