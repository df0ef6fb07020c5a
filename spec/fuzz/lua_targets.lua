-- What the fuzzers of parsers written in Lua call, by name: a function of any bytes, which raises an error when the
-- parser does something wrong. To refuse in words is right.
local build = require "laterna.model.build"
local captions = require "laterna.data.folder.captions"
local child = require "spec.support.child"
local core = require "laterna.core"
local json = require "laterna.model.json"
local pack = require "laterna.train.pack"
local read = require "laterna.model.read"
local Tokenizer = require "laterna.text.tokenizer"
require "laterna" -- the classes that a file may name

local targets = {}

-- A refusal in Lua's own words: nobody thought of what came. What a refusal quotes does not count.
local OWN = { "%.lua:%d+: attempt to", "%.lua:%d+: assertion failed", "%.lua:%d+: bad argument #%d+ to '%w+' %(%w+ exp",
              "^stack overflow", "%.lua:%d+: stack overflow", "invalid order function" }

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

local folder
local function jsonl_folder()
  if folder then return folder end
  folder = child.folder()
  for _, name in ipairs { "a.png", "b.png" } do core.save_png(folder .. "/" .. name, core.zeros(2, 2, 3)) end
  return folder
end

local Report = {}
Report.__index = Report
function Report.add(_, kind, where, text, ...)
  assert(type(kind) == "string" and type(where) == "string", "a report names its place")
  return text:format(...)
end

--- metadata.jsonl: rows name pictures inside the folder, each once.
function targets.jsonl(bytes)
  local root = jsonl_folder()
  local file = assert(io.open(root .. "/metadata.jsonl", "wb"))
  file:write(bytes)
  file:close()
  local rows = try(captions.jsonl, root, true, setmetatable({}, Report))
  for _, row in ipairs(rows or {}) do
    assert(row.name == "a.png" or row.name == "b.png", row.name)
    assert(utf8.len(row.caption), "a caption that is no text")
  end
  assert(#(rows or {}) <= 2, "a picture is there twice")
end

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
