-- opt:update: a step of training from what a loss returned.

local core = require "laterna.core"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

local function wave(...)
  local n = 1
  for _, size in ipairs { ... } do n = n * size end
  return core.sin(core.arange(1, n)):view { ... }
end

local function parameter(t)
  return t:clone():requires_grad_(true)
end

describe("an optimizer's update", function()
  -- Six steps of a small net: the weights, and what was logged.
  local function six_steps(name, options, body)
    core.manual_seed(3)
    local net = nn.Sequential(nn.Linear(4, 8), core.tanh, nn.Linear(8, 2))
    local opt, out = optim[name](net:parameters(), options), {}
    for i = 1, 6 do
      local loss = (net(wave(5, 4) * i) - i):square():mean()
      out[i] = body(opt, loss, { part = loss:item() / 2 })
    end
    for _, p in ipairs(net:parameters()) do out[#out + 1] = p:to_string() end
    return out
  end

  for _, name in ipairs { "SGD", "Adam", "AdamW", "RMSprop", "Lion", "Muon" } do
    for _, limits in ipairs { {}, { clip_norm = 0.5 }, { clip_value = 0.1 }, { clip_norm = 0.5, clip_value = 0.1 } } do
      it("of " .. name .. " does what the long form does, bit for bit: " .. (limits.clip_norm and "norm " or "")
        .. (limits.clip_value and "value" or ""), function()
        local function long(opt, loss, log)
          opt:zero_grad()
          loss:backward()
          if limits.clip_value then optim.clip_value(opt:parameters(), limits.clip_value) end
          if limits.clip_norm then log.grad_norm = optim.clip_norm(opt:parameters(), limits.clip_norm) end
          opt:step()
          log.loss = loss:item()
          return log
        end
        local short = six_steps(name, { lr = 0.02 }, function(opt, loss, log) return opt:update(loss, log, limits) end)
        local expected = six_steps(name, { lr = 0.02 }, long)
        assert.same(expected, short)
        assert.equal(limits.clip_norm ~= nil, short[1].grad_norm ~= nil)
        assert.is_true(short[6].loss < short[1].loss * 36)
      end)
    end
  end

  it("goes from what a loss returns, with a log or without", function()
    local p = parameter(core.tensor { 3 })
    local opt = optim.SGD({ p }, { lr = 0.25 })
    local function loss() return p:square():sum(), { kl = 2 } end
    assert.same({ loss = 9, kl = 2 }, opt:update(loss()))
    assert.equal(1.5, p:item())
    assert.same({ loss = 2.25 }, opt:update((loss())))
    local own = { loss = 7 }
    assert.equal(own, opt:update(p:square():sum(), own))
    assert.same({ loss = 7 }, own)
    opt:update(p:view(1, 1):square()) -- one number of any shape
  end)

  it("gives the log back of a step that is skipped", function()
    for _, options in ipairs { {}, { clip_norm = 1 }, { clip_value = 1 } } do
      local p = parameter(core.ones(2))
      local opt = optim.SGD({ p }, { lr = 1 })
      opt.skip_nonfinite = true
      local log = opt:update((p * core.tensor { 1, 0 / 0 }):sum(), { seen = 3 }, options)
      assert.same({ 1, 1 }, p:totable())
      assert.equal(3, log.seen)
      assert.is_true(log.loss ~= log.loss)
      assert.same(3, opt:update((p * core.tensor { 1, 2 }):sum()).loss)
      assert.same({ 0, -1 }, p:totable())
    end
  end)

  it("refuses what it cannot use, and then changes nothing", function()
    local p = parameter(core.ones(2))
    local opt = optim.SGD({ p }, { lr = 1 })
    p:sum():backward()
    local function refuses(message, ...)
      local ok, text = pcall(opt.update, opt, ...)
      assert.is_false(ok)
      assert.is_truthy(tostring(text):find(message, 1, true), text)
    end
    refuses("bad argument #1 to 'update' (loss: expected tensor, got nil)")
    refuses("loss: expected tensor, got 3", 3)
    refuses("loss: expected one number, got shape (2); take its mean", p * 2)
    refuses("loss: it depends on no parameter that wants a gradient", core.ones(1))
    refuses("loss: it depends on no parameter that wants a gradient", core.no_grad(p.sum, p))
    refuses("bad argument #2 to 'update' (log: expected table or nil, got 1)", p:sum(), 1)
    refuses("log: clip_norm is an option, and options come third", p:sum(), { clip_norm = 1 })
    refuses("bad argument #3 to 'update' (unknown option \"clip\"; known: clip_norm, clip_value)",
      p:sum(), nil, { clip = 1 })
    refuses("clip_norm: expected a number above 0, got 0", p:sum(), nil, { clip_norm = 0 })
    refuses("clip_norm: expected a number above 0, got true", p:sum(), nil, { clip_norm = true })
    refuses("clip_value: expected a number above 0", p:sum(), {}, { clip_value = 0 / 0 })
    assert.same({ 1, 1 }, p:totable())
    assert.same({ 1, 1 }, p.grad:totable())
    assert.equal(0, opt:state().numbers.step)
    assert.error_matches(function() opt.update(p:sum()) end, "self: expected an optimizer, got tensor")
  end)
end)
