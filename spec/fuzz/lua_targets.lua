-- What the fuzzers of parsers written in Lua call, by name: a function of any bytes, which raises an error when the
-- parser does something wrong. To refuse in words is right.
local build = require "laterna.model.build"
local child = require "spec.support.child"
local core = require "laterna.core"
local data = require "laterna.data"
local json = require "laterna.model.json"
local pack = require "laterna.train.pack"
local read = require "laterna.model.read"
local Tokenizer = require "laterna.text.tokenizer"
require "laterna" -- the classes that a file may name

local targets = {}

-- A refusal in Lua's own words: nobody thought of what came. What a refusal quotes does not count.
local OWN = { "%.lua:%d+: attempt to", "%.lua:%d+: assertion failed", "%.lua:%d+: bad argument #%d+ to '%w+' %(%w+ exp",
              "^stack overflow", "%.lua:%d+: stack overflow", "^invalid order function",
              "%.lua:%d+: invalid order function" }

local function check_words(err)
  assert(type(err) == "string", "the error is no text")
  for _, words in ipairs(OWN) do assert(not err:find(words), err) end
end

-- f(...)'s first result, or nil after a refusal in words.
local function try(f, ...)
  local ok, result = pcall(f, ...)
  if ok then return result end
  check_words(result)
end

local folders = {}

-- A folder with two pictures in it, one for each kind of table.
local function folder_for(kind)
  if not folders[kind] then
    folders[kind] = child.folder()
    for _, name in ipairs { "a.png", "b.png" } do core.save_png(folders[kind] .. "/" .. name, core.zeros(2, 2, 3)) end
  end
  return folders[kind]
end

-- Tables of captions: rows name pictures inside the folder, and each picture is there once.
local function table_target(kind, name)
  targets[kind] = function(bytes)
    local root = folder_for(kind)
    local file = assert(io.open(root .. "/" .. name, "wb"))
    file:write(bytes)
    file:close()
    local set = try(data.folder, root, { captions = kind, size = 2, quiet = true })
    if not set then return end
    tostring(set.report)
    assert(#set <= 2 and set.names[1] ~= set.names[2], "a picture is there twice")
    for i = 1, #set do
      assert(set.names[i] == "a.png" or set.names[i] == "b.png", set.names[i])
      for _, caption in ipairs(set.all_captions and set.all_captions[i] or { set.captions[i] }) do
        assert(utf8.len(caption), "a caption that is no text")
      end
    end
  end
end

table_target("jsonl", "metadata.jsonl")
table_target("csv", "captions.csv")
table_target("coco", "captions.json")

--- What a tokenizer takes it gives back, to the byte; and it reads any bytes.
function targets.tokenizer(bytes)
  local t = try(Tokenizer.load, bytes)
  if t then assert(t:state() == bytes, "it takes what it does not write") end
  t = t or Tokenizer { "a red star", "\u{e9}t\u{e9}" }
  assert(t:decode(t:encode(bytes)) == t:normalise(bytes), "what is read is not what was written")
end

--- Metadata of a model: its JSON comes back the same; the classes that it names are made within a limit of memory.
function targets.metadata(bytes)
  local v = try(json.decode, bytes)
  if v == nil then return end
  local text = json.encode(v)
  assert(json.encode(json.decode(text)) == text, "JSON changes on its way")
  local metadata = { model = bytes, tokenizers = bytes, vocabularies = bytes }
  local tokenizers = try(read.tokenizers, metadata)
  try(read.vocabularies, metadata, tokenizers or {})
  try(build, metadata, {}, {}, {}, 1 << 20)
end

--- The text of a run's small state.
function targets.pack(bytes)
  local v = try(pack.decode, bytes)
  if v ~= nil then assert(pack.encode(pack.decode(pack.encode(v))) == pack.encode(v), "a state changes on its way") end
end

return targets
