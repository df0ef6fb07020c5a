-- The face of a generator, checked: what docs/generator.md says of loss, sample, rsample and, where a model has them,
-- encode, decode, log_prob, critic_loss and generator_parameters. Every family, the autoencoder, plug-ins and what the
-- examples define are held to it.
local core = require "laterna.core"

local face = {}

local function same_shape(a, b) return table.concat(a.shape, ",") == table.concat(b.shape, ",") end

local function need(ok, ...) assert(ok, ("%s: %s"):format(face.name, (...):format(select(2, ...)))) end

local function modes(model)
  local list = {}
  for _, m in model:named_modules() do list[#list + 1] = tostring(m.training) end
  return table.concat(list, " ")
end

-- Which parameters have a gradient that is not zero; all gradients are forgotten.
local function moved(model)
  local set, count = {}, 0
  for _, p in ipairs(model:parameters()) do
    if p.grad and p.grad:abs():max():item() > 0 then set[p], count = true, count + 1 end
  end
  model:zero_grad()
  return set, count
end

local function check_loss(model, method, x, cond)
  local loss, log = model[method](model, x, cond)
  need(core.no_grad(function() return loss:numel() end) == 1, "%s gives a scalar", method)
  need(loss.requires_grad, "%s is recorded", method)
  local v = loss:item()
  need(v - v == 0, "%s is finite, got %s", method, v)
  need(type(log) == "table", "%s gives numbers to log", method)
  for key, number in pairs(log) do
    local fine = type(key) == "string" and type(number) == "number" and number - number == 0
    need(fine, "%s logs numbers: %s", method, key)
  end
  loss:backward()
  return moved(model)
end

local function refuses(model, method, words, ...)
  local ok, message = pcall(model[method], model, ...)
  need(not ok, "%s refuses %s", method, words)
  for word in words:gmatch "%S+" do
    need(tostring(message):find(word, 1, true), "%s names %s in: %s", method, word, message)
  end
end

-- Keys that are not known are errors that list the known ones.
local function check_keys(model, x)
  refuses(model, "loss", "known: text captions", x, { captions = { "a", "b" } })
  refuses(model, "loss", "text", x, { "a red star", "blue" })
  if not model.sample then return end
  refuses(model, "sample", "known: text captions", { captions = { "a" } })
  refuses(model, "sample", "text = {", { text = "a red star" })
  need(model.condition_keys and model:condition_keys("loss").rules.text, "condition_keys names the keys of a condition")
end

local function check_sample(model, x, cond, options, before)
  local n, recording = x:size(1), core.grad_enabled()
  local function paint(c, seed)
    local o = {}
    for key, v in pairs(options) do o[key] = v end
    o.seed = seed
    return model:sample(c, o)
  end
  local a, b = paint(cond, 1), paint(cond, 1)
  need(same_shape(a, x), "sample gives (%s), as large as x", table.concat(a.shape, ","))
  need(not a.requires_grad, "sample records nothing")
  need(a:to_string() == b:to_string(), "the same seed is the same pictures")
  need(x:dim() ~= 4 or a:abs():max():item() <= 1, "pictures lie in [-1,1]")
  need(modes(model) == before and core.grad_enabled() == recording, "modes are what they were")
  local first = paint({ text = { cond.text[1] } }, 1)
  need((first - a:narrow(1, 1, 1)):abs():max():item() < 1e-3, "a picture does not depend on its batch")
  need(paint({ n = n + 1 }, 2):size(1) == n + 1, "cond.n says how many")
  need(paint(nil, 2):size(1) == 1, "without a condition it is one picture")
end

local function check_rsample(model, x, cond, options)
  local y = model:rsample(cond, options)
  need(same_shape(y, x), "rsample gives (%s), as large as x", table.concat(y.shape, ","))
  need(y.requires_grad, "rsample is recorded")
  y:square():sum():backward()
  local _, count = moved(model)
  need(count > 0, "the gradient of rsample reaches a parameter")
end

local function check_critic(model, x, cond)
  local critic = model.critic or model.generator and model.generator.critic
  local its = {}
  for _, p in ipairs(critic:parameters()) do its[p] = true end
  local set, count = check_loss(model, "critic_loss", x, cond)
  need(count > 0, "critic_loss teaches the critic")
  for p in pairs(set) do need(its[p], "critic_loss teaches the critic alone") end
  for p in pairs((check_loss(model, "loss", x, cond))) do need(not its[p], "loss teaches all but the critic") end
  if not model.generator_parameters then return end
  local list = model:generator_parameters()
  need(#list > 0, "generator_parameters is a list")
  for _, p in ipairs(list) do need(not its[p], "generator_parameters leaves the critic's out") end
end

--- Holds a model to the face.
-- name: for messages; model in training mode; o: x, cond (with text), sample and rsample (options of these), and
-- `has`, the further methods that it must have, as words in a string.
function face.check(name, model, o)
  face.name = name
  local x, cond, before = o.x, o.cond, modes(model)
  for word in (o.has or ""):gmatch "%S+" do need(type(model[word]) == "function", "it has %s", word) end
  local _, count = check_loss(model, "loss", x, cond)
  need(count > 0, "loss teaches a parameter")
  check_keys(model, x)
  if model.sample then check_sample(model, x, cond, o.sample or {}, before) end
  if model.rsample then check_rsample(model, x, cond, o.rsample or {}) end
  local has_critic = model.critic or model.generator and model.generator.critic
  if model.critic_loss and has_critic then check_critic(model, x, cond) end
  if model.encode then
    local z = model:encode(x, cond)
    need(z:size(1) == x:size(1) and not z.requires_grad, "encode gives a row a picture, and records nothing")
    if model.decode then need(same_shape(model:decode(z, cond), x), "decode gives pictures as large as x") end
  end
  if model.log_prob then need(same_shape(model:log_prob(x, cond), core.zeros(x:size(1))), "log_prob gives (n)") end
end

return face
