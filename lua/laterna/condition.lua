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

--- The captions of a condition as an encoder writes them: {tokens, mask, pooled}, with the list itself as `captions`
-- and the encoder as `encoder`. They may have been encoded already, which lets an extractor and a generator share one.
-- Missing captions are empty ones, "no caption".
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
  local encoded = encoder(text)
  if type(encoded) == "table" then encoded.captions, encoded.encoder = text, encoder end
  return encoded
end

--- Who can read other captions for a model as those of a condition were read: its own encoder, or the one that has read
-- them. Guidance asks what the model says without a caption.
-- @param encoder the model's, or nil
-- @tparam ?table cond
-- @treturn ?module
function condition.encoder(encoder, cond)
  local text = not encoder and type(cond) == "table" and cond.text
  local theirs = type(text) == "table" and text.encoder or nil
  return encoder or check.is(theirs, "callable") and theirs or nil
end

--- The same condition for one who reads captions with an encoder of its own, as a critic does: captions that another
-- encoder has read are the strings again, where those are known.
-- @tparam ?table cond
-- @treturn ?table
function condition.unread(cond)
  local text = cond and cond.text
  if type(text) ~= "table" or not text.pooled or not text.captions then return cond end
  local out = {}
  for key, v in next, cond do out[key] = v end
  out.text = text.captions
  return out
end

--- A condition as networks take it: {tokens, mask, pooled, detail}; nil where there is nothing to tell.
-- @param encoder as for condition.text
-- @treturn ?table
function condition.encode(fname, i, encoder, cond, n)
  local text = condition.text(fname, i, encoder, cond, n)
  local detail = cond and cond.detail
  if not text and not detail then return nil end
  text = text or {}
  return { tokens = text.tokens, mask = text.mask, pooled = text.pooled, detail = detail }
end

--- The captions of a training step: each is left out with probability model.drop, so that the model knows what it
-- paints without one. Captions that are encoded already are kept, and so are all of a model in evaluation mode.
function condition.forget(model, captions, generator)
  if not model.training or model.drop == 0 or type(captions) ~= "table" or captions.pooled then return captions end
  local chance, kept = core.rand(#captions, { generator = generator }):totable(), {}
  for i, caption in ipairs(captions) do kept[i] = chance[i] < model.drop and "" or caption end
  return kept
end

--- Encoded captions of some rows: {tokens, mask, pooled}.
-- @tparam table text
-- @tparam Tensor rows (k) int32
-- @treturn table
function condition.rows(text, rows)
  local out = {}
  for key, t in pairs(check.type("rows", 1, "text", text, "table")) do
    if check.is_tensor(t) then out[key] = t:index_select(1, rows) end
  end
  return out
end

--- Captions first..last of a list, or of what an encoder wrote.
-- @tparam table text {string,...} or {tokens, mask, pooled, captions}
-- @tparam integer first
-- @tparam integer last
-- @treturn table
function condition.slice(text, first, last)
  check.type("slice", 1, "text", text, "table")
  if not text.pooled then return table.move(text, first, last, 1, {}) end
  local out = condition.rows(text, core.arange(first, last, 1, { dtype = "int32" }))
  out.captions, out.encoder = text.captions and table.move(text.captions, first, last, 1, {}), text.encoder
  return out
end

--- For each example another one of the batch whose caption differs, drawn at random. Examples whose caption is that of
-- all are left out. Captions that are encoded already all count as different.
-- @param captions list of n strings, or {tokens, mask, pooled}
-- @tparam integer n
-- @tparam[opt] generator generator
-- @treturn {integer,...} examples
-- @treturn {integer,...} whose caption each is shown with
function condition.others(captions, n, generator)
  local encoded = type(captions) ~= "table" or captions.pooled ~= nil
  local start = core.rand(n, { generator = generator }):totable()
  local rows, others = {}, {}
  for i = 1, n do
    local first = math.floor(start[i] * (n - 1))
    for step = 0, n - 2 do
      local j = (i + (first + step) % (n - 1)) % n + 1
      if encoded or captions[j] ~= captions[i] then
        rows[#rows + 1], others[#others + 1] = i, j
        break
      end
    end
  end
  return rows, others
end

--- For each example a caption that is not its own: those that cond.negatives lists, or that of another one of the batch
-- (condition.others). Examples whose caption is the one in the list, or that have `false` there, are left out.
-- @tparam table cond text, and perhaps against, a list of n strings
-- @tparam integer n
-- @treturn {integer,...} examples
-- @treturn table what each is shown with: strings; or where cond has no against, numbers of examples
-- @treturn boolean whether they are strings
function condition.negatives(fname, i, cond, n)
  local against, own = cond.negatives, cond.text
  if against == nil then
    local rows, others = condition.others(own, n, cond.generator)
    return rows, others, false
  end
  if check.type(fname, i, "cond.negatives", against, "table") and rawlen(against) ~= n then
    check.fail(fname, i, "cond.negatives: %d captions for %d pictures", rawlen(against), n)
  end
  own = type(own) == "table" and not own.pooled and own or {}
  local rows, said = {}, {}
  for k = 1, n do
    local caption = rawget(against, k)
    if caption then check.type(fname, i, ("cond.negatives[%d]"):format(k), caption, "string") end
    if caption and caption ~= own[k] then rows[#rows + 1], said[#said + 1] = k, caption end
  end
  return rows, said, true
end

--- Runs f(...) with the module and all below it in evaluation mode. The modes come back even when f fails.
function condition.evaluating(module, f, ...)
  local training = {}
  for _, m in module:named_modules() do
    training[m], m.training = m.training, false
  end
  local results = table.pack(pcall(f, ...))
  for m, was in pairs(training) do m.training = was end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Runs f(...) as samplers do: in evaluation mode, nothing recorded.
function condition.quietly(module, f, ...)
  return condition.evaluating(module, core.no_grad, f, ...)
end

return condition
