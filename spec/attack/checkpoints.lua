-- Checkpoints that lie: one number, name, tensor or text of a good one is changed, and a run is asked to go on with it.
-- It goes on, or refuses in words that name the file; after a refusal model, optimizers, average, data and random state
-- are what they were, bit for bit. What cannot be (a negative count, a half of a step, an average that is no number)
-- must not be accepted.
local child = require "spec.support.child"
local core = require "laterna.core"
local lt = require "laterna"
local mutate = require "spec.support.mutate"
local pack = require "laterna.train.pack"

local checkpoints = {}

local random = math.random

local function one_of(list) return list[random(#list)] end

local Net = lt.nn.class("Net", function(self)
  self.first, self.norm, self.second = lt.nn.Linear(3, 4), lt.nn.BatchNorm2d(4), lt.nn.Linear(4, 1)
  self.augment = lt.gan.augment { generator = lt.generator(4), p = 0.5 }
end)
function Net:forward(x) return self.second(self.norm(self.first(self.augment(x)))) end

-- Optimizers of two parts of the model, of other kinds with each seed.
local OPTIMIZERS = {
  { "AdamW", "SGD", { momentum = 0.9 } }, { "Muon", "RMSprop", { momentum = 0.5 } }, { "Lion", "Adam" },
}
local kinds, set = OPTIMIZERS[1], nil

-- All that a checkpoint brings back, made anew.
local function world(folder, resume)
  lt.manual_seed(random(1000))
  local w = { model = Net(), folder = folder }
  w.optimizer = {
    a = lt.optim[kinds[1]]({ w.model.first.weight, w.model.first.bias }, { lr = 0.01 }),
    b = lt.optim[kinds[2]]({ w.model.second.weight, w.model.second.bias }, kinds[3]),
  }
  w.ema = lt.optim.Ema(w.model, 0.9)
  set = set or lt.data.scenes { n = 8, size = 8, objects = 1, seed = 1 }
  w.data = set:batches(2, { seed = 5 })
  function w.run()
    return lt.train.run { save = folder, steps = 6, every = 100, model = w.model, optimizer = w.optimizer, ema = w.ema,
                          data = w.data, resume = resume, progress = false, exit = false }
  end
  return w
end

local function train(w, run, most)
  for step in run:steps() do
    local loss = w.model(lt.randn(2, 4, 4, 3)):square():mean()
    for _, opt in pairs(w.optimizer) do opt:zero_grad() end
    loss:backward()
    for _, opt in pairs(w.optimizer) do opt:step() end
    w.ema:update()
    if step == most then
      run:save()
      break
    end
  end
end

local function bytes_of(tensors)
  local names, out = {}, {}
  for name in pairs(tensors) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do out[i] = name .. tensors[name]:to_string() end
  return table.concat(out)
end

-- Everything of a world, as bytes.
local function snapshot(w)
  local out = { bytes_of(w.model:state()), pack.encode(w.data:state()), core.default_generator():state(),
    w.model.augment.generator:state() }
  for _, part in ipairs { w.optimizer.a, w.optimizer.b, w.ema } do
    local state = part:state()
    out[#out + 1] = bytes_of(state.tensors) .. pack.encode(state.numbers)
  end
  return table.concat(out)
end

-- ---- lies: each changes tensors or metadata in place, and returns what it did, and whether it cannot be ----------

local NUMBERS = { -1, -1 << 40, 1 << 62, math.maxinteger, math.mininteger, 0.5, 3.0, 1e300, 0 / 0, 1 / 0, -1 / 0, 0, 7 }

local function impossible(n)
  return n ~= n or n < 0 or n == 1 / 0 or n % 1 ~= 0
end

-- Places of numbers in a decoded text: {table, key}.
local function numbers_in(v, out)
  local keys = {}
  for key in next, v do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    if type(v[key]) == "number" then out[#out + 1] = { v, key } end
    if type(v[key]) == "table" then numbers_in(v[key], out) end
  end
  return out
end

-- A number among those of a checkpoint: the key of the metadata, {table, key in it}, and a function that writes the
-- text anew.
local function number_in(metadata)
  local key = one_of { "numbers", "place" }
  local v = pack.decode(metadata[key])
  local list = type(v) == "table" and numbers_in(v, {}) or {}
  if #list == 0 then
    key, v = "numbers", pack.decode(metadata.numbers)
    list = numbers_in(v, {})
  end
  return key, one_of(list), function() metadata[key] = pack.encode(v) end
end

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local lies = {}

function lies.number(_, metadata)
  local key, place, put = number_in(metadata)
  local n = one_of(NUMBERS)
  place[1][place[2]] = n
  put()
  return ("%s: %s = %s"):format(key, place[2], n), impossible(n)
end

function lies.kind(_, metadata)
  local key, place, put = number_in(metadata)
  local other = one_of { "x", {}, true, "1" }
  place[1][place[2]] = other
  put()
  return ("%s: %s is a %s"):format(key, place[2], type(other)), true
end

function lies.missing(_, metadata)
  local key = one_of { "numbers", "place", "random", "step", "format", "model", "tokenizers", "vocabularies" }
  metadata[key] = nil
  return key .. " is missing", key ~= "model" and key ~= "tokenizers" and key ~= "vocabularies"
end

function lies.empty(_, metadata)
  local key = one_of { "numbers", "place", "random", "generators" }
  metadata[key] = one_of { "z", "{}", "s0:", "", "t", "i3;" }
  return key .. " = " .. metadata[key], true
end

function lies.step(_, metadata)
  metadata.step = one_of { "-1", "1e3", "3.5", "nan", "", " 3", "99999999999999999999", "0x3", "3\0" }
  return "step = " .. metadata.step, true
end

function lies.random(_, metadata)
  local state = pack.decode(metadata.random)
  local way = random(3)
  if way == 1 then state = ("\0"):rep(#state) elseif way == 2 then state = state:sub(1, random(#state) - 1)
  else state = state .. "x" end
  metadata.random = pack.encode(state)
  return "random state, way " .. way, true
end

function lies.text(_, metadata)
  local key = one_of { "numbers", "place", "random", "format" }
  local text, i = metadata[key], random(#metadata[key])
  metadata[key] = text:sub(1, i - 1) .. string.char(random(32, 126)) .. text:sub(i + 1)
  return ("%s: byte %d"):format(key, i), false
end

function lies.model(_, metadata)
  local ok, changed = pcall(mutate.metadata, metadata, random)
  if not ok then -- where it lists nothing, there is nothing to change
    metadata.model = "{}"
    return "no model", false
  end
  for key in pairs(metadata) do metadata[key] = changed[key] end
  return "model's metadata", false
end

function lies.gone(tensors)
  local name = one_of(sorted(tensors))
  tensors[name] = nil
  return name .. " is gone", true
end

function lies.renamed(tensors)
  local name = one_of(sorted(tensors))
  local i = random(#name)
  local other = name:sub(1, i - 1) .. string.char(random(97, 122)) .. name:sub(i + 1)
  tensors[other], tensors[name] = tensors[name], nil
  return ("%s is called %s"):format(name, other), other ~= name and not tensors[name]
end

function lies.shape(tensors)
  local name = one_of(sorted(tensors))
  tensors[name] = tensors[name]:unsqueeze(1)
  return name .. " has an axis more", true
end

-- The same numbers, or zeros, of another type.
function lies.type(tensors)
  local name = one_of(sorted(tensors))
  local t, others = tensors[name], {}
  for _, kind in ipairs { "float32", "int32", "uint8" } do
    if kind ~= t.dtype then others[#others + 1] = kind end
  end
  local kind = one_of(others)
  local same, other = pcall(core.tensor, t:totable(), { dtype = kind })
  tensors[name] = same and random(2) == 1 and other or core.zeros(t.shape, { dtype = kind })
  return ("%s is of type %s"):format(name, kind), true
end

function lies.value(tensors)
  local name, n = one_of(sorted(tensors)), one_of { 0 / 0, 1 / 0, -1 / 0, -1, 1e30 }
  local t = tensors[name]:float()
  if t:dim() == 0 then t = core.full({}, n) else t[random(#t)] = n end
  tensors[name] = t
  local average = name:find "^ema%." and n - n ~= 0
  return ("%s holds %s"):format(name, n), average or name:find "steps$" ~= nil
end

local LIES = sorted(lies)

-- ---- one checkpoint -----------

-- Words for what is wrong with what came of a lie; nil when all is as it should be. Second: was it refused?
local function judge(w, never, before)
  local ok, run = pcall(w.run)
  if not ok then
    if type(run) ~= "string" or not run:find("cannot resume from", 1, true) then
      return "the refusal does not name the file: " .. tostring(run), true
    end
    if run:find("attempt to", 1, true) or run:find("internal", 1, true) then return "it stumbles: " .. run, true end
    return snapshot(w) ~= before and "a refusal that has changed something: " .. run or nil, true
  end
  if never then return "what cannot be was accepted", false end
  local went, err = pcall(train, w, run, run.step + 1)
  if not went and tostring(err):find("attempt to", 1, true) then return "the next step stumbles: " .. err, false end
end

--- Lies until the time is up.
-- @tparam table options seconds, seed, index (one lie)
-- @treturn integer passed
-- @treturn integer failed
function checkpoints.run(options)
  kinds = OPTIMIZERS[options.seed % #OPTIMIZERS + 1]
  local folder = child.folder()
  local path = folder .. "/checkpoint.safetensors"
  local good = world(folder, false)
  train(good, good.run(), 3)
  local tensors, metadata = core.load_safetensors(path)
  local start, index = os.time(), options.index or 1
  local passed, failed, refused, seen = 0, 0, 0, {}
  repeat
    math.randomseed(options.seed, index)
    local t, m = {}, {}
    for name, v in pairs(tensors) do t[name] = v end
    for key, v in pairs(metadata) do m[key] = v end
    local name = one_of(LIES)
    local what, never = lies[name](t, m)
    core.save_safetensors(path, t, m)
    local w = world(folder, true)
    local why, was_refused = judge(w, never, snapshot(w))
    refused = refused + (was_refused and 1 or 0)
    if not why then passed = passed + 1 else
      failed = failed + 1
      local key = name .. why:gsub("%d+", "#"):sub(1, 40)
      seen[key] = (seen[key] or 0) + 1
      if seen[key] == 1 then
        print(("FINDING make attack PART=checkpoints SEED=%d INDEX=%d\n  %s: %s"):format(
          options.seed, index, what, why:gsub("\n", " "):sub(1, 400)))
      end
    end
    index = index + 1
  until options.index or os.time() - start >= options.seconds
  child.remove(folder)
  print(("%d lies, %d refused"):format(passed + failed, refused))
  for _, key in ipairs(sorted(seen)) do print(("  %d times: %s"):format(seen[key], key:gsub("\n", " "))) end
  return passed, failed
end

return checkpoints
