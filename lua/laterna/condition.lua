--- What a generator is asked to paint. To a user a condition is a plain table, such as
--
--     { text = { "a red star", "" } }           captions, one a picture; "" says nothing
--     { n = 16 }                                 so many pictures
--     { text = captions, detail = z }            captions, and what they leave out
--
-- and each function of a family states which further keys it takes. Inside the library it becomes one object, made by
-- `condition.read`, with the same fields. It keeps the captions as strings and remembers what each text encoder made of
-- them, so that an extractor and a generator that share an encoder read a caption once. What is derived from it (some
-- of its rows, the same without captions) reads nothing twice either. An object lives as long as one call, or one step
-- of training: what an encoder made is of the weights that it had then.
--
-- A generator of one's own gets such an object from lt.autoencoder: `cond:encode(encoder)` is what an encoder says of
-- the captions, `cond.detail` the detail. With `lt.condition.read` it checks the tables that users give it.
-- @module laterna.condition
local check = require "laterna.check"
local core = require "laterna.core"
local spelling = require "laterna.spelling"

local Condition = {}
Condition.__index = Condition
Condition.__name = "laterna.Condition"
setmetatable(Condition, { __index = spelling.methods("a condition", Condition) })

local condition = {}

-- Keys that every function takes; `reading` is the object's own: {memo, reader, source, rows, settled}.
local COMMON = { n = "integer", text = "table", detail = "tensor" }
local EXAMPLE = '{ text = { "a red star" } }'
-- What people write where captions are meant.
local CAPTIONS = { captions = true, caption = true, prompt = true, prompts = true, texts = true, labels = true }

local function is_condition(v) return type(v) == "table" and getmetatable(v) == Condition end

--- The keys of a function's condition, for `condition.read`. Each has n, text and detail.
-- @tparam[opt] table keys further ones by name: a kind for check.type, or a function that returns whether a value is
-- right, and words for what was expected
-- @tparam[opt] table options rules of the function's options: a key that is one of them is an error that says so
-- @treturn table
function condition.keys(keys, options)
  check.type("keys", 1, "keys", keys, "table|nil")
  check.type("keys", 2, "options", options, "table|nil")
  local rules = {}
  for key, rule in pairs(COMMON) do rules[key] = rule end
  for key, rule in pairs(keys or {}) do rules[key] = rule end
  return { rules = rules, options = options or {} }
end

--- The keys of two functions together, for a model that passes a condition on to another.
-- @tparam table a from condition.keys
-- @tparam ?table b from condition.keys
-- @treturn table
function condition.joined(a, b)
  check.type("joined", 1, "a", a, "table")
  check.type("joined", 2, "b", b, "table|nil")
  local both = condition.keys(a.rules, a.options)
  for key, rule in pairs(b and b.rules or {}) do both.rules[key] = both.rules[key] or rule end
  return both
end

--- The keys that a model states for its condition: model:condition_keys "loss" or "sample".
-- @tparam table model
-- @tparam string fname
-- @treturn ?table nil where it states none
function condition.keys_of(model, fname)
  check.type("keys_of", 1, "model", model, "table")
  return type(model.condition_keys) == "function" and model:condition_keys(fname) or nil
end

local function refuse_key(fname, i, key, value, keys)
  if math.type(key) == "integer" and type(value) == "string" then
    check.fail(fname, i, "cond: captions go by name: %s", EXAMPLE)
  end
  if keys.options[key] ~= nil then
    check.fail(fname, i, "cond.%s: this is an option, not a part of the condition: %s(cond, { %s = ... })", key, fname,
      key)
  end
  local option = check.meant(key, keys.options)
  if option ~= "" and check.meant(key, keys.rules) == "" then
    check.fail(fname, i, "cond: unknown key %s; %s It is an option, not a part of the condition: %s(cond, { ... })",
      check.describe(key), option, fname)
  end
  check.fail(fname, i, "cond: %s%s", check.unknown("key", key, keys.rules),
    CAPTIONS[key] and "; captions are written " .. EXAMPLE or "")
end

local function check_value(fname, i, key, value, rule)
  local name = "cond." .. key
  if key == "text" and type(value) == "string" then
    check.fail(fname, i, "cond.text: expected a list of captions, got %s; write text = { %s }", check.describe(value),
      check.describe(value))
  end
  if type(rule) == "string" then return check.type(fname, i, name, value, rule) end
  local ok, words = rule(value)
  if ok then return end
  check.fail(fname, i, "%s: expected %s, got %s", name, words or "another value", check.describe(value))
end

local function captions_of(fname, i, text)
  for k = 1, rawlen(text) do
    local caption = rawget(text, k)
    if type(caption) ~= "string" then
      check.fail(fname, i, "cond.text: expected strings, got %s at %d", check.describe(caption), k)
    end
  end
  if rawlen(text) == 0 and next(text) ~= nil then
    check.fail(fname, i, "cond.text: expected a list of captions; write text = { \"a red star\" }")
  end
  return text
end

-- How many pictures: as many as x, or else as captions, details, or n; 1 where nothing says.
local function count(fname, i, cond, n)
  local text, detail = cond.text and rawlen(cond.text), cond.detail and cond.detail:size(1)
  if n then
    if text and text ~= n then check.fail(fname, i, "cond.text: %d captions for %d pictures", text, n) end
    if detail and detail ~= n then check.fail(fname, i, "cond.detail: %d details for %d pictures", detail, n) end
  elseif text and detail and text ~= detail then
    check.fail(fname, i, "cond.text: %d captions for %d details", text, detail)
  end
  local own = n or detail or text
  if cond.n and own and cond.n ~= own then
    check.fail(fname, i, "cond.n: %s does not go with %d %s", check.describe(cond.n), own,
      n and "pictures" or "captions or details")
  end
  return own or check.integer(fname, i, "cond.n", cond.n or 1, 1, 1 << 20)
end

--- Makes the object of a condition; everything in it is checked.
-- @tparam string fname the function that was called, for errors
-- @tparam integer i which of its arguments
-- @param cond a plain table, an object, or nil for one without captions
-- @tparam table keys from condition.keys
-- @tparam[opt] integer n how many pictures there are, where that is known
-- @treturn Condition with the fields n, text (a list of strings, or nil), detail, and those of the further keys
function condition.read(fname, i, cond, keys, n)
  if type(cond) == "string" then
    check.fail(fname, i, "cond: expected a table such as %s, got %s", EXAMPLE, check.describe(cond))
  end
  check.type(fname, i, "cond", cond, "table|nil")
  local out = setmetatable({}, Condition)
  for key, value in next, cond or {} do
    local rule = keys.rules[key]
    if rule then
      check_value(fname, i, key, value, rule)
      out[key] = value
    elseif not (key == "reading" and is_condition(cond)) then
      refuse_key(fname, i, key, value, keys)
    end
  end
  if out.text then captions_of(fname, i, out.text) end
  out.n = count(fname, i, out, n)
  out.reading = is_condition(cond) and cond.reading or { memo = {} }
  return out
end

--- The same condition with other fields: its captions and what encoders made of them are kept, unless `text` is one of
-- the changes. A change to false takes a field away.
-- @tparam table changes
-- @treturn Condition
function Condition:with(changes)
  local out = {}
  for key, value in next, self do out[key] = value end
  for key, value in pairs(changes) do out[key] = value or nil end
  if changes.text ~= nil then
    out.reading = { memo = {}, reader = self.reading.reader, settled = self.reading.settled }
  end
  return setmetatable(out, Condition)
end

--- The same for a model without a text encoder of its own: `encoder` reads the captions for it.
-- @tparam ?module encoder nil: nobody does
-- @treturn Condition
function Condition:read_by(encoder)
  local r = self.reading
  return self:with {
    reading = { memo = r.memo, reader = encoder, source = r.source, rows = r.rows, settled = r.settled },
  }
end

--- Who reads the captions for a model: its own encoder, or the one that reads them for it.
-- @tparam ?module encoder the model's own
-- @treturn ?module
function Condition:reader(encoder)
  return encoder or self.reading.reader
end

--- The captions, n of them; "" for each where there are none.
-- @treturn {string,...}
function Condition:captions()
  if self.text then return self.text end
  local list = {}
  for k = 1, self.n do list[k] = "" end
  return list
end

-- Encoded captions of some rows.
local function rows_of(encoded, rows)
  local out = {}
  for key, t in pairs(encoded) do
    if check.is_tensor(t) then out[key] = t:index_select(1, rows) end
  end
  return out
end

--- What an encoder makes of the captions: {tokens, mask, pooled}. It is asked once; what it said while nothing was
-- recorded does not serve where gradients are wanted.
-- @tparam ?module encoder the model's own, or nil where another reads for it
-- @treturn ?table nil where there is no encoder
function Condition:encode(encoder)
  encoder = self:reader(encoder)
  if not encoder then return nil end
  local r, recorded = self.reading, core.grad_enabled()
  local made = r.memo[encoder]
  if made and (made.recorded or not recorded) then return made.encoded end
  local encoded = r.source and rows_of(r.source:encode(encoder), r.rows) or encoder(self:captions())
  check.type("encode", nil, "what the text encoder said", encoded, "table")
  r.memo[encoder] = { encoded = encoded, recorded = recorded }
  return encoded
end

--- The condition as a network takes it: {tokens, mask, pooled, detail}; nil where there is nothing to say.
-- @tparam ?module encoder as for encode
-- @treturn ?table
function Condition:inputs(encoder)
  local text = self:encode(encoder)
  if not text and not self.detail then return nil end
  text = text or {}
  return { tokens = text.tokens, mask = text.mask, pooled = text.pooled, detail = self.detail }
end

--- The captions' vectors, (n,k).
-- @tparam ?module encoder as for encode
-- @treturn ?Tensor
function Condition:pooled(encoder)
  local text = self:encode(encoder)
  return text and text.pooled
end

--- What of it another function takes: fields that its keys do not name are left out.
-- @tparam table keys from condition.keys
-- @treturn Condition
function Condition:limited(keys)
  local out = { reading = self.reading }
  for key in pairs(keys.rules) do out[key] = self[key] end
  return setmetatable(out, Condition)
end

--- The captions and nothing else, for one who reads them with an encoder of its own or not at all, as a critic does.
-- @treturn Condition
function Condition:bare()
  local r = self.reading
  return setmetatable({ n = self.n, text = self.text, reading = { memo = r.memo, source = r.source, rows = r.rows } },
    Condition)
end

--- Some of the pictures: what encoders made of all of them is used for these.
-- @tparam {integer,...}|Tensor rows their numbers, which may come more than once
-- @treturn Condition
function Condition:rows(rows)
  local list = check.is_tensor(rows) and rows:totable() or rows
  local index = check.is_tensor(rows) and rows or core.tensor(rows, { dtype = "int32" })
  local out = { n = #list, detail = self.detail and self.detail:index_select(1, index) }
  if self.text then
    out.text = {}
    for k, i in ipairs(list) do out.text[k] = self.text[math.tointeger(i)] end
  end
  out.reading = { memo = {}, reader = self.reading.reader, source = self, rows = index, settled = self.reading.settled }
  return setmetatable(out, Condition)
end

--- The first k pictures.
-- @tparam integer k
-- @treturn Condition
function Condition:first(k)
  return self:rows(core.arange(1, k, 1, { dtype = "int32" }))
end

--- The same without captions, or with others, such as those of what is not wanted.
-- @tparam[opt] {string,...} captions
-- @treturn Condition
function Condition:without(captions)
  local list = captions or {}
  for k = captions and self.n + 1 or 1, self.n do list[k] = "" end
  return self:with { text = list }
end

--- Both, one below the other: 2 n pictures in one batch.
-- @tparam Condition other with as many
-- @treturn Condition
function Condition:above(other)
  local list = table.move(self:captions(), 1, self.n, 1, {})
  return self:with { n = 2 * self.n, text = table.move(other:captions(), 1, self.n, self.n + 1, list),
    detail = self.detail and core.cat { self.detail, other.detail } or false }
end

--- The condition of a training step: each caption is left out with probability model.drop, so that the model knows what
-- it paints without one. In evaluation mode all are kept, and so are captions that are settled.
-- @tparam module model with fields training and drop
-- @treturn Condition
function Condition:dropped(model)
  if not self.text or not model.training or model.drop == 0 or self.reading.settled then return self end
  local chance, kept = core.rand(self.n, { generator = self.generator }):totable(), {}
  for i, caption in ipairs(self.text) do kept[i] = chance[i] < model.drop and "" or caption end
  return self:with { text = kept }
end

--- The same, with captions that stay as they are: whoever passes it on has decided which are left out, and the model
-- that gets it leaves out no more.
-- @treturn Condition
function Condition:settle()
  local r = self.reading
  return self:with {
    reading = { memo = r.memo, reader = r.reader, source = r.source, rows = r.rows, settled = true },
  }
end

--- For each example another one of the batch whose caption differs, drawn at random. Examples whose caption is that of
-- all are left out.
-- @tparam {string,...} captions
-- @tparam[opt] generator generator
-- @treturn {integer,...} examples
-- @treturn {integer,...} whose caption each is shown with
function condition.others(captions, generator)
  local n = #check.type("others", 1, "captions", captions, "table")
  local start = core.rand(n, { generator = generator }):totable()
  local rows, others = {}, {}
  for i = 1, n do
    local first = math.floor(start[i] * (n - 1))
    for step = 0, n - 2 do
      local j = (i + (first + step) % (n - 1)) % n + 1
      if captions[j] ~= captions[i] then
        rows[#rows + 1], others[#others + 1] = i, j
        break
      end
    end
  end
  return rows, others
end

--- Pictures' conditions with captions that are not their own: those that a list names, or those of other pictures of
-- the batch (condition.others). Examples whose caption is the one in the list, or that have `false` there, are left
-- out.
-- @tparam string fname
-- @tparam integer i which argument the condition was
-- @tparam Condition cond with text
-- @tparam ?table negatives a list of n strings or false
-- @treturn {integer,...} examples
-- @treturn ?Condition as many, without details; nil where there is none
function condition.negatives(fname, i, cond, negatives)
  if not is_condition(cond) then check.fail("negatives", 3, "cond: expected a condition that was read") end
  if negatives == nil then
    local rows, others = condition.others(cond.text, cond.generator)
    return rows, #rows > 0 and cond:rows(others):with { detail = false } or nil
  end
  if check.type(fname, i, "cond.negatives", negatives, "table") and rawlen(negatives) ~= cond.n then
    check.fail(fname, i, "cond.negatives: %d captions for %d pictures", rawlen(negatives), cond.n)
  end
  local rows, captions = {}, {}
  for k = 1, cond.n do
    local caption = rawget(negatives, k)
    if caption then check.type(fname, i, ("cond.negatives[%d]"):format(k), caption, "string") end
    if caption and caption ~= cond.text[k] then rows[#rows + 1], captions[#captions + 1] = k, caption end
  end
  return rows, #rows > 0 and cond:with { n = #rows, text = captions, detail = false } or nil
end

local HIGHEST = 2 -- of pictures, which lie in [-1,1]: what is beyond was not converted

--- Checks that an argument of a function is pictures.
-- @tparam string fname
-- @param x to be a float tensor (n,h,w,c); of 1 to 4 channels its values are to be those of pictures
-- @tparam[opt=1] integer i which argument it is
-- @tparam[opt=false] boolean any true: (n,h,w,c) may hold any numbers, as latents do
-- @treturn Tensor x
function condition.pictures(fname, x, i, any)
  i = i or 1
  if check.type(fname, i, "x", x, "tensor"):dim() ~= 4 then
    check.fail(fname, i, "x: expected pictures (n,h,w,c), got %d axes", x:dim())
  end
  return condition.range(fname, i, "x", x, any)
end

--- Checks that examples are float, and, where they are pictures, that they lie about [-1,1].
-- @tparam string fname
-- @tparam integer i
-- @tparam string name
-- @tparam Tensor x
-- @tparam[opt=false] boolean any
-- @treturn Tensor x
function condition.range(fname, i, name, x, any)
  if check.type(fname, i, name, x, "tensor").dtype ~= "float32" then
    check.fail(fname, i, "%s: expected float pictures in [-1,1], got %s; convert bytes with lt.pictures.from_bytes(x)",
      name, x.dtype)
  end
  if any or x:dim() ~= 4 or x:size(4) > 4 or x:numel() == 0 then return x end
  local lo, hi = core.no_grad(function() return x:min():item(), x:max():item() end)
  local far = hi > HIGHEST and hi or lo < -HIGHEST and lo
  if far and far - far == 0 then
    check.fail(fname, i, "%s: expected pictures in [-1,1], got a value of %.4g; lt.pictures.from_bytes makes them of "
      .. "bytes", name, far)
  end
  return x
end

return condition
