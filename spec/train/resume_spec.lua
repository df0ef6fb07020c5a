-- A checkpoint that lies: each of its numbers and names is changed, one at a time and in several ways. Either it is
-- refused with a reason and nothing of the run has changed, or what it says is what the run then has.
local child = require "spec.support.child"
local core = require "laterna.core"
local dataset = require "laterna.data.dataset"
local lt = require "laterna"
local pack = require "laterna.train.pack"

local folder, path
setup(function()
  folder = child.folder()
  path = folder .. "/checkpoint.safetensors"
end)
teardown(function() child.remove(folder) end)

local Net = lt.nn.class("Net", function(self)
  self.conv, self.norm = lt.nn.Conv2d(1, 2, 3, { padding = 1 }), lt.nn.BatchNorm2d(2)
  self.act = require("laterna.flow.actnorm").ActNorm(2)
  self.augment = lt.gan.augment { generator = lt.generator(4), p = 0.5 }
end)
function Net:forward(x) return self.act(self.norm(self.conv(self.augment(x)))) end

local captions = {}
for i = 1, 12 do captions[i] = "" end
local set = dataset.new { captions = captions,
  images = core.from_string(("Zz  "):rep(48), { 12, 4, 4, 1 }, { dtype = "uint8" }) }

-- A run with one of each part, whose weights and places depend on a seed.
local function parts(seed, optimizer)
  core.manual_seed(seed)
  local it = { model = Net(), now = 0 }
  for _, p in ipairs(it.model:parameters()) do core.no_grad(p.add_, p, core.randn(p.shape) * 0.1) end
  it.budget = lt.train.budget(1e6, { now = function() return it.now end })
  it.options = { save = folder, steps = it.budget, model = it.model, ema = lt.optim.Ema(it.model),
    optimizer = lt.optim[optimizer](it.model:parameters(), optimizer == "SGD" and { momentum = 0.9 } or nil),
    data = set:batches(4, { seed = seed, flip = true }), progress = false }
  it.model.augment.generator:seed(seed)
  return it
end

local function learn(it, run, steps)
  for step, batch in run:steps() do
    it.now = it.now + 60
    run:log(it.options.optimizer:update(it.model(batch.x):square():mean()))
    it.options.ema:update()
    if step == steps then
      run:save()
      break
    end
  end
end

-- All that a resume may change, as texts.
local function snapshot(it)
  local o = it.options
  local out = { random = core.default_generator():state(), generator = it.model.augment.generator:state(),
    data = pack.encode(o.data:state()), minutes = it.budget:minutes(),
    optimizer = pack.encode(o.optimizer:state().numbers), ema = pack.encode(o.ema:state().numbers) }
  for name, t in pairs(it.model:state()) do out["model." .. name] = t:to_string() end
  for name, t in pairs(o.ema:state().tensors) do out["ema." .. name] = t:to_string() end
  for name, t in pairs(o.optimizer:state().tensors) do out["optimizer." .. name] = t:to_string() end
  return out
end

local function copy(v)
  if type(v) ~= "table" then return v end
  local out = {}
  for key, inner in pairs(v) do out[key] = copy(inner) end
  return out
end

local function texts(tensors)
  local out = {}
  for name, t in pairs(tensors) do
    out[name] = ("%s (%s) %s"):format(t.dtype, table.concat(t.shape, ","), t:to_string())
  end
  return out
end

-- A value with its numbers as text: a place in the data may have either, and minutes may be 7 or 7.0.
local function worded(v)
  if type(v) == "number" then return tostring(math.tointeger(v) or v) end
  if type(v) ~= "table" then return v end
  local out = {}
  for key, inner in pairs(v) do out[key] = worded(inner) end
  return out
end

local PACKED = { "random", "numbers", "place", "generators", "clock" }

-- Resumes from a damaged checkpoint. Returns whether it was refused.
local function attempt(what, optimizer, tensors, metadata)
  core.save_safetensors(path, tensors, metadata)
  local it = parts(99, optimizer)
  it.options.resume = true
  local before = snapshot(it)
  local ok, result = pcall(lt.train.run, it.options)
  if not ok then
    local start = ("cannot resume from %s: "):format(path)
    assert.equal(start, tostring(result):sub(1, #start), what)
    local rest = result:sub(#start + 1)
    for _, word in ipairs { ".lua:", "bad argument", "attempt to", "traceback", folder } do
      assert.is_nil(rest:find(word, 1, true), what .. ": " .. result)
    end
    local after = snapshot(it)
    for name, text in pairs(before) do assert.is_true(text == after[name], what .. ": has changed " .. name) end
    return true
  end
  result:save()
  local now, about = core.load_safetensors(path)
  assert.same(texts(tensors), texts(now), what)
  assert.equal(tonumber(metadata.step), tonumber(about.step), what)
  for _, key in ipairs(PACKED) do
    assert.same(worded(pack.decode(metadata[key])), worded(pack.decode(about[key])), what .. ": " .. key)
  end
  return false
end

-- Numbers in the type of t.
local function as(t, numbers) return t.dtype == "int32" and numbers:int() or numbers end

-- Ways to change one tensor; nil where a way has nothing to do.
local TENSORS = {
  gone = function() return nil end,
  longer = function(t) return core.cat({ t:view(-1), as(t, core.zeros(1)) }, 1) end,
  flat = function(t) return t:dim() ~= 1 and t:view(-1) or t:view(1, -1) end,
  other_type = function(t) return t.dtype == "float32" and t:int() or t:float() end,
  nan = function(t) return t.dtype == "float32" and t * (0 / 0) or t:float() * (0 / 0) end,
  infinite = function(t) return t.dtype == "float32" and t * 0 + math.huge or core.full(t.shape, 2 ^ 30):int() end,
  negative = function(t) return as(t, t:float():abs() * -1 - 1) end,
  fractions = function(t) return t:float() + 0.5 end,
  zero = function(t) return as(t, t:float() * 0) end,
}

-- Every place in a decoded value: {table, key}.
local function places(v, out)
  for key, inner in pairs(v) do
    out[#out + 1] = { v, key }
    if type(inner) == "table" then places(inner, out) end
  end
  return out
end

local VALUES = { -1, 0, 1, 7, 1 << 60, math.mininteger, 1.5, 3.0, 0 / 0, math.huge, -1e300, "", "7", "-1", "1e9", "x",
                 true, {}, { 1 } }

local function changed_states(text)
  return { ("\0"):rep(#text), text:sub(1, -2), text .. "\0", ("\255"):rep(#text), ("\0"):rep(2496) .. text:sub(2497),
           text:sub(1, 2496) .. ("\255"):rep(16), "\1" .. text:sub(2) }
end

-- Calls f(what, value) for each change of a decoded value at one place.
local function each_change(key, value, f)
  local list = places({ value }, {})
  for i, place in ipairs(list) do
    local old = place[1][place[2]]
    local options = table.move(VALUES, 1, #VALUES, 1, {})
    if type(old) == "string" then
      local more = changed_states(old)
      table.move(more, 1, #more, #options + 1, options)
    end
    local function changed(how, change)
      local whole = { copy(value) }
      local there = places(whole, {})[i]
      change(there[1], there[2])
      f(("metadata %s, place %d (%s) %s"):format(key, i, tostring(place[2]), how), whole[1])
    end
    for k, v in ipairs(options) do
      changed(("is value %d"):format(k), function(t, name) t[name] = copy(v) end)
    end
    changed("is gone", function(t, name) t[name] = nil end)
    changed("has another name", function(t, name)
      if t[1] == nil then t[tostring(name) .. "x"], t[name] = t[name], nil end
    end)
    changed("has a neighbour", function(t, name) t[tostring(name) .. "x"] = copy(old) end)
  end
end

local function saved(optimizer)
  child.remove(folder)
  local it = parts(1, optimizer)
  learn(it, lt.train.run(it.options), 4)
  return core.load_safetensors(path)
end

describe("a lying checkpoint #slow", function()
  for _, optimizer in ipairs { "AdamW", "SGD", "RMSprop" } do
    it("is refused and changes nothing, or is what the run then has: tensors of " .. optimizer, function()
      local tensors, metadata = saved(optimizer)
      local refused, count = 0, 0
      local function try(what, changed)
        count = count + 1
        refused = refused + (attempt(what, optimizer, changed, metadata) and 1 or 0)
      end
      assert.is_false(attempt("as it is", optimizer, tensors, metadata))
      for name, t in pairs(tensors) do
        if optimizer ~= "AdamW" and not name:find "^optimizer" then goto continue end -- the rest was tried with AdamW
        for how, change in pairs(TENSORS) do
          local changed = copy(tensors)
          changed[name] = change(t)
          try(name .. " " .. how, changed)
        end
        local renamed = copy(tensors)
        renamed[name .. "x"], renamed[name] = t, nil
        try(name .. " has another name", renamed)
        renamed[name] = t
        try(name .. " has a neighbour", renamed)
        ::continue::
      end
      assert.is_true(count > 20 and refused > count / 2, ("%d of %d refused"):format(refused, count))
    end)
  end

  it("is refused and changes nothing, or is what the run then has: metadata", function()
    local tensors, metadata = saved "AdamW"
    local refused, count = 0, 0
    local function try(what, key, text)
      local changed = copy(metadata)
      changed[key] = text
      count = count + 1
      refused = refused + (attempt(what, "AdamW", tensors, changed) and 1 or 0)
    end
    for _, key in ipairs(PACKED) do
      each_change(key, pack.decode(metadata[key]), function(what, value) try(what, key, pack.encode(value)) end)
    end
    local steps = { "", "-1", "1.5", "1e3", "0x10", "99999999999999999999", "9223372036854775807", "x", "nan", "2" }
    for _, text in ipairs(steps) do
      try("step " .. text, "step", text)
    end
    for key in pairs(metadata) do
      if key ~= "clock" then try(key .. " is gone", key, nil) end -- that is a run that counted steps
      try(key .. " has a neighbour", key .. "x", "1")
      try(key .. " is empty", key, "")
      try(key .. " is nonsense", key, "{i1;")
    end
    assert.is_true(count > 300 and refused > count / 2, ("%d of %d refused"):format(refused, count))
  end)
end)

describe("a run that counted steps", function()
  it("goes on by time, with all of its budget, and the other way round", function()
    child.remove(folder)
    local stderr, said = io.stderr, {}
    local function sitting(steps, last)
      core.manual_seed(1)
      local model = lt.nn.Linear(1, 1)
      local opt = lt.optim.SGD(model:parameters())
      io.stderr = { write = function(_, ...) said[#said + 1] = table.concat { ... } end } -- luacheck: ignore
      local ok, run = pcall(lt.train.run, { save = folder, model = model, optimizer = opt, steps = steps, resume = true,
        label = "x" })
      io.stderr = stderr -- luacheck: ignore
      assert(ok, run)
      run.progress = false
      local first
      for step in run:steps() do
        first = first or step
        run:log(opt:update(model(core.ones(1, 1)):sum()))
        if step == last then
          run:save()
          break
        end
      end
      return first, run
    end
    local now = 0
    local function clock() now = now + 60 return now end
    assert.equal(1, (sitting(2)))
    local budget = lt.train.budget(1e3, { now = clock })
    assert.equal(3, (sitting(budget, 5)))
    assert.matches("counts steps and no time: the budget of 1000 minutes begins now\n$", table.concat(said))
    local used = budget:minutes()
    assert.is_true(used > 0)
    local again = lt.train.budget(1e3, { now = clock })
    assert.equal(6, (sitting(again, 6)))
    assert.is_true(again:minutes() > used)
    local first, run = sitting(7)
    assert.same({ 7, 7 }, { first, run.step })
  end)
end)

describe("a refused resume", function()
  it("has not touched the model: another optimizer", function()
    saved "SGD"
    local it = parts(7, "AdamW")
    it.options.resume = true
    local before = snapshot(it)
    local ok, message = pcall(lt.train.run, it.options)
    assert.is_false(ok)
    assert.is_truthy(message:find("cannot resume from " .. path .. ": the optimizer: ", 1, true), message)
    assert.same(before, snapshot(it))
  end)

  -- Data of the user's own, which has no half of load_state that changes nothing.
  local function own_data(place)
    return { place = place, next = function(self) self.place = self.place + 1 return self.place end,
      state = function(self) return { place = self.place } end,
      load_state = function(self, state)
        self.place = state.place
        if state.place == 2 then error "I will not" end
      end }
  end

  it("puts back what objects of the user's own have taken", function()
    child.remove(folder)
    local function run(place, resume)
      local model = lt.nn.Linear(1, 1)
      local o = { save = folder, model = model, steps = 2, data = own_data(place), progress = false, resume = resume }
      return o, model.weight:item(), pcall(lt.train.run, o)
    end
    local _, _, _, first = run(0, false)
    for _ in first:steps() do assert.is_truthy(first:log { loss = 1 }) end
    local o, weight, ok, message = run(40, true)
    assert.is_false(ok)
    assert.equal(("cannot resume from %s: the data: I will not"):format(path), message)
    assert.equal(40, o.data.place)
    assert.equal(weight, o.model.weight:item())
  end)

  it("has not touched the model where the log cannot be read or written", function()
    saved "SGD"
    os.remove(folder .. "/log.csv")
    assert(require("lfs").mkdir(folder .. "/log.csv"))
    local it = parts(7, "SGD")
    it.options.resume = true
    local before = snapshot(it)
    local ok, message = pcall(lt.train.run, it.options)
    assert.is_false(ok)
    assert.is_truthy(message:find("cannot read " .. folder .. "/log.csv: Is a directory", 1, true), message)
    assert.same(before, snapshot(it))
  end)
end)
