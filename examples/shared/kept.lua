-- Weights that are trained once: from the file if it was made with the same settings, which `made` says in words; or
-- else learn() trains the module, and they are kept there.
local lt = require "laterna"

return function(path, module, made, learn)
  local file = io.open(path)
  if file and file:close() and lt.inspect(path).metadata.made == made then
    module:load_state(lt.load(path))
  else
    learn()
    require("laterna.train.folder").make(path:match "^(.*)/" or ".")
    lt.save(path, module:state(), { made = made })
  end
  return module:eval()
end
