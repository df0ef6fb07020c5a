--- What a price is asked about, checked: what was seen, and what else is known.
-- @module laterna.autoencoder.given
local check = require "laterna.check"
local nn = require "laterna.nn"

local given = {}

--- Checks the arguments of charge and gap.
-- @tparam string fname
-- @param seen to be a table with these tensors
-- @param told to be a table {prior, pooled, loss, beta, draws, generator}, any of them nil
-- @tparam {string,...} fields the tensors that seen must have
-- @tparam[opt] string method which the prior must have; then there must be one
function given.check(fname, seen, told, fields, method)
  check.type(fname, 1, "seen", seen, "table")
  for _, name in ipairs(fields) do check.type(fname, 1, "seen." .. name, seen[name], "tensor") end
  check.type(fname, 2, "given", told, "table")
  local prior = told.prior
  if (prior ~= nil or method) and not (nn.is_module(prior) and type(prior[method or "log_prob"]) == "function") then
    check.fail(fname, 2, "given.prior: expected a module with %s, got %s", method or "log_prob", check.describe(prior))
  end
  check.type(fname, 2, "given.pooled", told.pooled, "tensor|nil")
  check.type(fname, 2, "given.loss", told.loss, "number|nil")
  check.type(fname, 2, "given.beta", told.beta, "number|nil")
  if told.draws ~= nil then check.integer(fname, 2, "given.draws", told.draws, 1, 1 << 16) end
end

return given
