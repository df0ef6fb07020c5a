--- Vocabularies that go along with a state. Word numbers follow how often words occur, so weights that were trained
-- under one vocabulary read every caption as another under the next: a state knows its own, and no other is loaded.
--
-- A state is a plain table {name = tensor} with a metatable; its field `about` holds
--
--  - vocabularies: {name of the module = tokenizer}
--  - path, metadata: of the file that it was read from
-- @module laterna.nn.vocabulary
local walk = require "laterna.nn.walk"

local vocabulary = {}

local State = { __name = "laterna.State" }

local MOST_NAMED = 5 -- words that differ, in an error

--- Gives a state what goes along with it.
-- @tparam table tensors {name = tensor}
-- @tparam table about {vocabularies, path, metadata}
-- @treturn table the same one
function vocabulary.attach(tensors, about)
  return setmetatable(tensors, { __name = State.__name, about = about })
end

--- What goes along with a state; nil for a plain table.
-- @tparam table state
-- @treturn ?table
function vocabulary.about(state)
  local metatable = getmetatable(state)
  return type(metatable) == "table" and metatable.__name == State.__name and metatable.about or nil
end

--- The modules that read words: whose field `tokenizer` is a tokenizer.
-- @tparam module module
-- @treturn {table,...} {name, module, tokenizer}, in order
function vocabulary.readers(module)
  local out = {}
  for _, entry in ipairs(walk.survey("state", module).modules) do
    local tokenizer = rawget(entry.module, "tokenizer")
    local metatable = type(tokenizer) == "table" and getmetatable(tokenizer)
    if metatable and metatable.__name == "laterna.Tokenizer" then
      out[#out + 1] = { name = entry.name, module = entry.module, tokenizer = tokenizer }
    end
  end
  return out
end

--- Tokenizers of a module by the name of who reads with them.
-- @tparam module module
-- @treturn table {name = tokenizer}
function vocabulary.of(module)
  local out = {}
  for _, reader in ipairs(vocabulary.readers(module)) do out[reader.name] = reader.tokenizer end
  return out
end

-- A word as people write it: the pieces of a text begin with the space before them.
local function shown(word)
  return ('"%s"'):format((word:gsub("^ (.)", "%1")))
end

local function quoted(words)
  local out = {}
  for i = 1, math.min(#words, MOST_NAMED) do out[i] = shown(words[i]) end
  return table.concat(out, ", ") .. (#words > MOST_NAMED and ", ..." or "")
end

-- Words of one list that the other's index has not.
local function only(words, id)
  local out = {}
  for _, word in ipairs(words) do
    if not id[word] then out[#out + 1] = word end
  end
  return out
end

--- How two vocabularies differ, in words; nil where they are the same.
-- @tparam Tokenizer theirs the state's
-- @tparam Tokenizer ours the module's
-- @treturn ?string
function vocabulary.difference(theirs, ours)
  local parts, moved = {}, {}
  if theirs.lowercase ~= ours.lowercase then
    parts[1] = theirs.lowercase and "the state's makes small letters, the module's does not"
      or "the module's makes small letters, the state's does not"
  end
  local count = 0
  for i = 1, math.max(#theirs.words, #ours.words) do
    local a, b = theirs.words[i], ours.words[i]
    if a ~= b then count = count + 1 end
    if a and b and a ~= b and #moved < MOST_NAMED then
      moved[#moved + 1] = ("%s would be read as %s"):format(shown(b), shown(a))
    end
  end
  if count == 0 then return parts[1] end
  parts[#parts + 1] = ("%d of %d words differ"):format(count, math.max(#theirs.words, #ours.words))
  if #moved > 0 then parts[#parts + 1] = table.concat(moved, ", ") .. (count > #moved and ", ..." or "") end
  local gone, new = only(theirs.words, ours.id), only(ours.words, theirs.id)
  if #gone > 0 then parts[#parts + 1] = ("%d only in the state: %s"):format(#gone, quoted(gone)) end
  if #new > 0 then parts[#parts + 1] = ("%d only in the module: %s"):format(#new, quoted(new)) end
  return table.concat(parts, "; ")
end

local noted = {}

-- Once for each file: its words may be others, and nobody can tell.
local function note(path)
  if noted[path] then return end
  noted[path] = true
  io.stderr:write(("%s holds no vocabulary: whether its words are this model's cannot be known\n"):format(path))
end

-- The tokenizer that a state has for a module: under the prefix, or, in a run's checkpoint, by the model's own names.
local function theirs_of(about, name, prefix)
  local full = name == "" and prefix:gsub("%.$", "") or prefix .. name
  return about.vocabularies[full] or about.vocabularies[name]
end

--- Compares the vocabularies of a state and a module. Where a file holds none a note is written, once for each file.
-- @tparam table state
-- @tparam module module
-- @tparam[opt=""] string prefix before the module's names in the state
-- @treturn {table,...} readers that differ: {name, module, why}
function vocabulary.compare(state, module, prefix)
  local about, differing = vocabulary.about(state), {}
  if not about then return differing end
  for _, reader in ipairs(vocabulary.readers(module)) do
    local theirs = theirs_of(about, reader.name, prefix or "")
    if theirs then
      reader.why = vocabulary.difference(theirs, reader.tokenizer)
      if reader.why then differing[#differing + 1] = reader end
    elseif about.path then
      note(about.path)
    end
  end
  return differing
end

return vocabulary
