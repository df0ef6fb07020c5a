-- A critic that has learned to read: to choose a picture's caption among wrong ones, some of them wrong in one word
-- only. What it sees are the things that captions name; that is what painters are to get right, more than every cloud.
-- It learns in two minutes from pictures and captions alone, once, and is kept in a file.
local lt = require "laterna"
local nn = lt.nn
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local kept, prompts = dofile(here .. "kept.lua"), dofile(here .. "prompts.lua")

local WIDTH, LIES, RATE = 16, 3, 1e-2

-- A critic of the pictures of a data set, and a game without a painter, in which it learns.
local function new(train)
  local size, channels = train.images:size(2), train.images:size(4)
  local deep = size % 32 == 0
  local function encoder() return lt.text.Encoder(train.captions, { dim = 64, depth = 1 }) end
  local critic = lt.gan.Critic { text = encoder(), net = nn.Critic {
    size = size, channels = channels, multipliers = { 1, 2, deep and 4 or nil }, block = "vgg",
    blocks = { 1, 2, deep and 2 or nil }, width = WIDTH, text = 64 } }
  return critic, lt.gan { generator = nn.Sequential(), critic = critic, detail = 1, r1 = 0.05, penalty_every = 4,
    wrong = 2, wrong_captions = 4 }
end

local function learn(critic, game, train, o)
  local clock, g = lt.train.clock(o.reading), lt.generator(o.seed)
  local optimizer = lt.optim.Muon(critic:parameters(), {
    lr = lt.optim.schedule.cosine(RATE, clock, { warmup = 50, final = 0.02 * RATE }) })
  local run = lt.train.run { steps = clock, model = critic, optimizer = optimizer,
    data = train:batches(math.min(32, #train), { seed = o.seed }), label = "reading", resume = false,
    progress = not o.quiet }
  for _, batch in run:steps() do
    local loss, log = game:reading_loss(batch.x, { text = batch.captions,
      against = train.mentions and prompts.lies(train, batch.index, LIES, g) or nil })
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    run:log(log)
  end
  if run.interrupted then os.exit(130) end
end

-- The reader of a data set. o: reading (minutes), seed, keep (a file), quiet. Returns its critic; new(), one like it
-- that has not learned; eye(captions, part, whole), the likelihood of a vae's decoder that sees as it does
-- (critic:likelihood).
return function(train, o)
  local critic, game = new(train)
  kept(o.keep, critic, ("seed %d, %g minutes"):format(o.seed, o.reading),
    function() learn(critic, game, train, o) end)
  critic = critic:fixed()
  return {
    critic = critic, new = function() return (new(train)) end,
    eye = function(captions, part, whole)
      return critic:likelihood({ text = captions }, { part = part, whole = whole })
    end,
  }
end
