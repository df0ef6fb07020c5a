-- numbered(n): a data set in which every picture can be told from the others: n of 2x3x1, and every byte of picture i
-- is i.
local core = require "laterna.core"
local dataset = require "laterna.data.dataset"

return function(n)
  local bytes, captions, labels, names = {}, {}, {}, {}
  for i = 1, n do
    bytes[i] = string.char(i):rep(6)
    captions[i], labels[i], names[i] = "picture " .. i, (i - 1) % 3 + 1, "p" .. i
  end
  return dataset.new { images = core.from_string(table.concat(bytes), { n, 2, 3, 1 }, { dtype = "uint8" }),
    captions = captions, labels = core.tensor(labels, { dtype = "int32" }), classes = { "a", "b", "c" },
    lists = { names = names } }
end
