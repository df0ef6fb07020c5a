-- A short training that saves after every step, for others to disturb: prints nothing, writes run/. Four steps in all;
-- with `first` on the command line it stops after two.
local lt = require "laterna"

lt.manual_seed(3)
local model = lt.nn.Sequential(lt.nn.Linear(2, 3), lt.nn.Linear(3, 1))
local opt = lt.optim.AdamW(model:parameters(), { lr = 0.1 })
local run = lt.train.run {
  save = "run", steps = arg[1] == "first" and 2 or 4, every = 1, model = model, optimizer = opt, resume = true,
  ema = lt.optim.Ema(model, 0.5), progress = false,
}
for step in run:steps() do
  run:log(opt:update(model(lt.rand(4, 2)):square():mean(), { twice = 2 * step }))
  run.ema:update()
end
