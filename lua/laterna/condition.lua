--- What a generator is told: a plain table `cond` with any of n (how many), text (captions), detail (vectors).
-- @module laterna.condition
local check = require "laterna.check"
local core = require "laterna.core"

local condition = {}

--- Checks that an argument of a function is pictures.
-- @tparam string fname
-- @param x to be a tensor (n,h,w,c)
-- @tparam[opt=1] integer i which argument it is
function condition.pictures(fname, x, i)
  if check.type(fname, i or 1, "x", x, "tensor"):dim() ~= 4 then
    check.fail(fname, i or 1, "x: expected pictures (n,h,w,c), got %d axes", x:dim())
  end
end

--- How many pictures a condition asks for: as many as captions, or details, or n; 1 when it says nothing.
-- @tparam[opt] table cond
-- @treturn integer
function condition.count(fname, i, cond)
  if cond == nil then return 1 end
  check.type(fname, i, "cond", cond, "table")
  local text, detail = cond.text, cond.detail
  local n = detail and check.type(fname, i, "cond.detail", detail, "tensor"):size(1)
    or type(text) == "table" and (text.pooled and text.pooled:size(1) or #text)
    or check.integer(fname, i, "cond.n", cond.n or 1, 1, 1 << 20)
  if cond.n and cond.n ~= n then
    check.fail(fname, i, "cond.n: %s does not go with %d captions or details", check.describe(cond.n), n)
  end
  return n
end

--- The captions of a condition as an encoder writes them: {tokens, mask, pooled}. They may have been encoded already,
-- which lets an extractor and a generator share one encoder. Missing captions are empty ones, "no caption".
-- @param encoder a text encoder, or nil: then no text either
-- @treturn ?table
function condition.text(fname, i, encoder, cond, n)
  local text = check.type(fname, i, "cond", cond, "table|nil") and cond.text
  if type(text) == "table" and text.pooled then return text end
  if not encoder then return nil end
  if text == nil then
    text = {}
    for k = 1, n do text[k] = "" end
  end
  check.type(fname, i, "cond.text", text, "table")
  if #text ~= n then check.fail(fname, i, "cond.text: %d captions for %d pictures", #text, n) end
  return encoder(text)
end

--- Runs f(...) as samplers do: the module and all below it in evaluation mode, nothing recorded. The mode comes back
-- even when f fails.
function condition.quietly(module, f, ...)
  local training = {}
  for _, m in module:named_modules() do
    training[m], m.training = m.training, false
  end
  local results = table.pack(pcall(core.no_grad, f, ...))
  for m, was in pairs(training) do m.training = was end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

return condition
