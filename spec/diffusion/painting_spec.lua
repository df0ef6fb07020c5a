-- Sampling: from where, through which times, with which numbers, told what.
local core = require "laterna.core"
local denoiser = require "spec.support.denoiser"
local Encoder = require("laterna.text").Encoder
local ideal = require "spec.support.ideal"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local samplers = require "laterna.samplers"
local schedules = require "laterna.schedule"
local Diffusion = require "laterna.diffusion"

local NAMES = { "ddpm", "ddim", "euler", "euler_ancestral", "heun", "dpm2", "dpmpp_2s_ancestral", "dpmpp_2m",
                "dpmpp_2m_sde", "dpmpp_sde", "unipc", "lms", "lcm" }
local KINDS = { "eps", "x0", "v", "velocity", "edm" }

local function same(a, b, message)
  assert.same(a.shape, b.shape)
  assert.is_true((a - b):abs():max():item() == 0, message)
end

describe("sample", function()
  before_each(function() core.manual_seed(11) end)

  it("paints the data with every sampler, by name and as a function #slow", function()
    local model = ideal.gaussian("cosine", "v", 0.2, 0.2)
    for _, name in ipairs(NAMES) do
      local x = model:sample({ n = 300 }, { sampler = name, steps = 30, seed = 1, clip = false })
      assert.same({ 300, 3, 2, 1 }, x.shape)
      assert.near(0.2, x:mean():item(), 0.03, name)
      -- lcm ends where one step leads; the two of first order are short of the variance by what 30 steps leave out.
      local off = (name == "ddpm" or name == "euler_ancestral") and 0.05 or 0.03
      if name ~= "lcm" then assert.near(0.2, x:std():item(), off, name) end
      local y = model:sample({ n = 300 }, { sampler = samplers[name], steps = 30, seed = 1, clip = false })
      same(x, y, name)
    end
  end)

  it("ends on one of two points, half of the time each, with every prediction", function()
    for _, schedule in ipairs { "cosine", "flow", "linear", "edm" } do
      for _, kind in ipairs(KINDS) do
        local x = ideal.two_points(schedule, kind):sample({ n = 100 }, { seed = 3 })
        assert.is_true((x:abs() - 1):abs():mean():item() < 0.02, schedule .. " " .. kind)
        assert.near(0, x:mean():item(), 0.15)
      end
    end
  end)

  it("visits the times it is told to", function()
    local asked = {}
    local model = Diffusion { size = { 2, 2, 1 }, net = function(x, t)
      asked[#asked + 1] = t[1]:item()
      return x * 0
    end }
    for _, steps in ipairs { 1, 2, 7, 50 } do
      asked = {}
      model:sample(nil, { sampler = "ddim", steps = steps })
      assert.equal(steps, #asked)
      for i, t in ipairs(asked) do assert.near(1 - (i - 1) / steps, t, 1e-6) end
    end
    asked = {}
    model:sample(nil, { sampler = "ddim", times = { 0.75, 0.5, 0.125, 0 } })
    assert.same({ 0.75, 0.5, 0.125 }, asked)
    asked = {}
    local given
    model:sample(nil, { sampler = "ddim", steps = 2, spacing = function(schedule, n, first)
      given = { schedule, n, first }
      return { first, 0.25, 0 }
    end })
    assert.same({ 1, 0.25 }, asked)
    assert.same({ model.schedule, 2, 1 }, given)
  end)

  it("with eps begins where there is a picture to see", function()
    for _, name in ipairs { "cosine", "flow" } do
      local first
      local x = ideal.gaussian(name, "eps", 0, 0.5):sample({ n = 2 }, { spacing = function(schedule, n, from)
        first = from
        return schedules.spacing.uniform(schedule, n, from)
      end })
      assert.is_true(first > 0.99 and first < 1)
      assert.is_true(x:abs():max():item() <= 1) -- no NaN
    end
  end)

  it("gives a seed the same picture whatever its batch, bit for bit #slow", function()
    local captions = { "a red star", "", "a star", "red", "a red red star" }
    local net = nn.UNet { channels = 1, size = 8, width = 8, multipliers = { 1, 2 }, blocks = 1, text = 16 }
    local text = Encoder(captions, { dim = 16, depth = 1 })
    local told = Diffusion { net = denoiser.shake(net), text = text, size = { 8, 8, 1 } }
    for sampler, guidance in pairs { dpmpp_2m = 1, heun = 2, euler_ancestral = 2, dpmpp_sde = 1 } do
      local options = { sampler = sampler, steps = 3, guidance = guidance, clip = false, seed = 40 }
      local all = told:sample({ text = captions }, options)
      options.seed = nil
      for i, caption in ipairs(captions) do
        options.seeds = { 39 + i }
        same(all[{ i, i }], told:sample({ text = { caption } }, options), sampler)
      end
    end
  end)

  it("draws from the generator that it is given, or from the default one", function()
    local model = ideal.gaussian("cosine", "v", 0, 0.5)
    local a = model:sample({ n = 2 }, { generator = core.generator(2), sampler = "ddpm" })
    same(a, model:sample({ n = 2 }, { generator = core.generator(2), sampler = "ddpm" }))
    core.manual_seed(8)
    local b = model:sample { n = 2 }
    core.manual_seed(8)
    same(b, model:sample { n = 2 })
  end)

  it("starts from the noise it is given, as many pictures as that is for", function()
    local model, z = ideal.gaussian("cosine", "v", 0, 0.5), core.randn(3, 3, 2, 1)
    local x = model:sample(nil, { noise = z, sampler = "heun", steps = 50, clip = false })
    assert.is_true((x - (z * 0.5):clamp(-1, 1)):abs():max():item() < 0.01)
    assert.same({ 4, 3, 2, 1 }, model:sample(nil, { seeds = { 1, 2, 3, 4 } }).shape)
  end)

  it("shows every step", function()
    local model, seen = ideal.two_points("cosine", "v"), {}
    model:sample({ n = 2 }, { steps = 4, callback = function(at) seen[#seen + 1] = at end })
    assert.equal(4, #seen)
    for i, at in ipairs(seen) do
      assert.equal(i, at.step)
      assert.equal(4, at.calls)
      assert.near(1 - i / 4, at.t, 1e-9)
      assert.same({ 2, 3, 2, 1 }, at.x.shape)
      assert.same({ 2, 3, 2, 1 }, at.x0.shape)
      assert.is_true(at.x0:abs():max():item() <= 1)
    end
    local x = model:sample({ n = 2 }, { steps = 2, callback = function(at) return at.t == 0 and at.x * 0 or nil end })
    assert.equal(0, x:abs():max():item())
  end)

  it("paints as large as it was trained, also from a file and in an average", function()
    local Net = nn.class("Net", function(self) self.scale = core.ones(1) end)
    function Net:forward(x) return x * self.scale end
    local model = Diffusion { net = Net() }
    local function fails() model:sample() end
    assert.has_error(fails, "bad argument #2 to 'sample' (size: expected {height, width, channels}; "
      .. "this model has seen no picture)")
    local ema = optim.Ema(model, 0.5)
    model:loss(core.rand(2, 4, 3, 2))
    ema:update()
    assert.same({ 1, 4, 3, 2 }, model:sample().shape)
    assert.same({ 1, 4, 3, 2 }, ema.model:sample().shape)
    assert.same({ 1, 2, 2, 2 }, model:sample(nil, { size = { 2, 2, 2 } }).shape)
    local path = os.tmpname()
    core.save_safetensors(path, model:state())
    local other = Diffusion { net = Net() }
    other:load_state((core.load_safetensors(path)))
    os.remove(path)
    assert.same({ 1, 4, 3, 2 }, other:sample().shape)
  end)

  it("paints in evaluation mode and gives the mode back, also after an error", function()
    local Net = nn.class("Net", function(self) self.scale = core.ones(1) end)
    local mode, broken
    function Net:forward(x)
      mode = self.training
      if broken then error "broken" end
      return x * self.scale
    end
    local model = Diffusion { net = Net(), size = { 2, 2, 1 } }
    local x = model:sample(nil, { steps = 1 })
    assert.is_false(mode)
    assert.is_true(model.net.training)
    assert.is_false(x.requires_grad)
    broken = true
    assert.has_error(function() model:sample() end)
    assert.is_true(model.net.training)
    assert.is_true(core.grad_enabled())
    model:eval()
    broken = false
    model:sample(nil, { steps = 1 })
    assert.is_false(model.net.training)
  end)

  it("from a picture begins at the strength, in as many steps", function()
    local times, model = {}, ideal.two_points("cosine", "v")
    local picture = core.tensor({ 1, -1, 1, 1, -1, 1 }):view(1, 3, 2, 1)
    local x = model:sample({ n = 3 }, { picture = picture, strength = 0.15, steps = 3, sampler = "ddim",
                                        callback = function(at) times[at.step] = at.t end })
    for i, t in ipairs { 0.1, 0.05, 0 } do assert.near(t, times[i], 1e-9) end
    assert.is_true((x - picture):abs():max():item() < 1e-2) -- too little noise to leave the points it is at
    local y = model:sample({ n = 3 }, { picture = picture, times = { 0.15, 0.1, 0.05, 0 }, sampler = "ddim" })
    assert.is_true((y - picture):abs():max():item() < 1e-2)
    x = model:sample({ n = 200 }, { picture = picture, strength = 0.95, steps = 10 })
    assert.is_true((x - picture):abs():mean():item() > 0.5)
  end)

  it("paints the hole and leaves the rest, with every sampler", function()
    local model = ideal.two_points("cosine", "v")
    local picture, mask = core.rand(4, 3, 2, 1) * 2 - 1, core.tensor({ 0, 1, 1, 0, 0, 0 }):view(1, 3, 2, 1)
    for _, name in ipairs(NAMES) do
      local x = model:sample(nil, { picture = picture, mask = mask, sampler = name, steps = 10, seed = 5 })
      same(picture * (1 - mask), x * (1 - mask), name)
      assert.is_true((x:abs() - 1)[{ 1, 4 }]:abs():mul(mask):max():item() < 0.02, name)
    end
    local whole = model:sample({ n = 4 }, { picture = picture[{ 1, 1 }], mask = core.zeros(4, 3, 2, 1) })
    same(picture[{ 1, 1 }]:expand(4, 3, 2, 1), whole)
  end)

  it("guesses of x0 agree with the picture where it is known", function()
    local model = ideal.two_points("cosine", "v")
    local picture, mask = core.rand(2, 3, 2, 1), core.tensor({ 0, 1, 1, 0, 0, 0 }):view(1, 3, 2, 1)
    model:sample(nil, { picture = picture, mask = mask, steps = 5, callback = function(at)
      same(picture * (1 - mask), at.x0 * (1 - mask))
    end })
  end)

  it("paints in a latent space, where nothing is clipped", function()
    local space = {
      encode = function(_, x) return x:narrow(2, 1, 1) * 4 end, -- (n,2,2,1) -> (n,1,2,1)
      decode = function(_, z) return core.cat({ z, z }, 2) * 0.25 end,
    }
    local latents = ideal.gaussian("cosine", "v", 0, 1, { space = space, size = { 1, 2, 1 } })
    latents:loss(core.randn(500, 2, 2, 1) * 0.4) -- measures the latents, whose deviation is made 1
    local x = latents:sample({ n = 400 }, { seed = 1 })
    assert.same({ 400, 2, 2, 1 }, x.shape)
    assert.near(0.4, x:std():item(), 0.03)
    local z = latents:encode(x[{ 1, 5 }])
    assert.same({ 5, 1, 2, 1 }, z.shape)
    local back = latents:sample(nil, { noise = z, sampler = "heun", steps = 100 })
    assert.is_true((back - x[{ 1, 5 }]):abs():max():item() < 0.01)
    local mask = core.tensor({ 1, 0, 0, 0 }):view(1, 2, 2, 1)
    local filled = latents:sample(nil, { picture = x[{ 1, 5 }], mask = mask, seed = 2 })
    same(x[{ 1, 5 }] * (1 - mask), filled * (1 - mask))
    assert.is_true((filled - x[{ 1, 5 }]):abs():max():item() > 0.01)
  end)

  it("refuses in words", function()
    local model, picture = ideal.gaussian("cosine", "v", 0, 0.5), core.zeros(2, 3, 2, 1)
    for message, options in pairs {
      ["sampler: expected a sampler or the name of one of lt.samplers, got \"magic\""] = { sampler = "magic" },
      ["sampler: expected a sampler or the name of one of lt.samplers, got 3"] = { sampler = 3 },
      ["steps: expected integer from 1 to 100000, got 0"] = { steps = 0 },
      ["steps: expected integer from 1 to 100000, got 2.5"] = { steps = 2.5 },
      ["unknown option \"step\""] = { step = 3 },
      ["seed: expected one of seed, seeds and generator"] = { seed = 1, generator = core.generator(1) },
      ["seeds: 3 for 2 pictures"] = { seeds = { 1, 2, 3 } },
      ["seeds: expected integer, got \"a\""] = { seeds = { 1, "a" } },
      ["generator: expected a generator, got tensor"] = { generator = picture },
      ["noise: expected (2,3,2,1), got (1,3)"] = { noise = core.zeros(1, 3) },
      ["noise: expected (2,3,2,1), got (2,2,2,1)"] = { noise = core.zeros(2, 2, 2, 1) },
      ["picture: expected strength or mask with it"] = { picture = picture },
      ["picture: expected (2,h,w,c), got (3,2,1)"] = { picture = picture[1], strength = 0.5 },
      ["picture: expected (2,5,2,1), got (2,3,2,1)"] = { picture = picture, size = { 5, 2, 1 }, strength = 1 },
      ["mask: expected a picture with it"] = { mask = picture },
      ["mask: expected (2,3,2,1), got (2,3,1,1)"] = { mask = core.zeros(2, 3, 1, 1), picture = picture },
      ["strength: expected a picture with it"] = { strength = 0.5 },
      ["strength: expected number from 1e-06 to 1, got 0"] = { picture = picture, strength = 0 },
      ["strength: the first of times says where to begin"] = { picture = picture, strength = 0.5, times = { 1, 0 } },
      ["solver: clip is for sample to set"] = { solver = { clip = true } },
      ["size: expected {height, width, channels}"] = { size = { 3, 2 } },
      ["callback: expected callable, got 3"] = { callback = 3 },
      ["spacing: expected callable, got \"karras\""] = { spacing = "karras" },
      ["clip: expected boolean, got 1"] = { clip = 1 },
      ["threshold: expected number from 0 to 1, got 2"] = { threshold = 2 },
      ["resample: expected integer from 1 to 10000, got 0"] = { resample = 0 },
    } do
      local ok, err = pcall(model.sample, model, { n = 2 }, options)
      assert.is_false(ok, message)
      assert.is_truthy(err:find("bad argument #2 to 'sample' (" .. message, 1, true), err)
    end
    for _, times in ipairs { {}, { 1 }, { 0, 1 }, { 1, 1, 0 }, { "a", 0 }, { 2, 0 }, { 0 / 0, 0 } } do
      assert.is_false((pcall(model.sample, model, nil, { times = times })))
    end
    assert.has_error(function() model:sample { n = 0 } end)
    assert.has_error(function() model:sample(3) end)
    assert.has_error(function() schedules.check(model) end)
  end)
end)
