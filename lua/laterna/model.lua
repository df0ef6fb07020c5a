--- Files of models: a model that carries itself. `lt.save_model` and every checkpoint of a run keep, beside the
-- tensors, how the model was made and what its words mean, so that `lt.open` needs nothing else:
--
--     lt.save_model("model.safetensors", model, { data = captions })
--     local model = lt.open "model.safetensors"                        -- elsewhere, in another script
--     lt.show(model:sample { text = { "a red star" } })
--     print(lt.inspect "model.safetensors")
--
-- All of it is metadata of safetensors: strings by name.
--
--     format        "laterna model 1"; of runs "laterna training checkpoint 2"; of lt.save "laterna state 1"
--     laterna       the version that wrote it
--     model         JSON, laterna.model.write: classes and what their constructors were called with
--     tokenizers    JSON: the text of each, and how many captions it was made from, with their hash
--     vocabularies  JSON: which module reads with which
--     data          JSON: how many captions it was trained on, and their hash; not the captions
--     size          JSON: {h,w,c} of its pictures
--
-- Nothing in a file is executed. A model opens in evaluation mode, as its constructors make it: what a script did to a
-- module afterwards is not in the file, but for nn.spectral_norm, and neither is whether parameters were frozen.
-- @module laterna.model
local build = require "laterna.model.build"
local check = require "laterna.check"
local core = require "laterna.core"
local inspect = require "laterna.model.inspect"
local json = require "laterna.model.json"
local nn = require "laterna.nn"
local read = require "laterna.model.read"
local version = require "laterna.version"
local vocabulary = require "laterna.nn.vocabulary"
local walk = require "laterna.nn.walk"
local write = require "laterna.model.write"

local model = {}

local MODEL, STATE, RUN = "laterna model 1", "laterna state 1", "laterna training checkpoint 2"
local OLD_RUN = "laterna training checkpoint 1"
local SLACK = 64 << 20 -- bytes that constructors may take beside what a file's tensors hold
local RESERVED = { "format", "laterna", "model", "tokenizers", "vocabularies", "data", "size" }

-- Metadata of the caller's, with what is laterna's own: neither may take the other's place.
local function joined(fname, i, theirs, ours)
  local out = {}
  for key, v in next, theirs or {} do
    if ours[key] ~= nil then check.fail(fname, i, "metadata: %s is a key of laterna's own", key) end
    out[key] = v
  end
  for key, v in next, ours do out[key] = v end
  return out
end

--- What is known of the data of a run: how many captions there are, and their hash.
-- @param data a data set, an iterator over its batches, or a list of captions; anything else gives nil
-- @treturn ?string JSON
function model.data_text(data)
  local function field(t, key)
    local ok, v = pcall(function() return t[key] end)
    return ok and v or nil
  end
  if type(data) ~= "table" then return nil end
  local set = field(data, "dataset") or data
  local captions = field(set, "captions") or type(data[1]) == "string" and data or nil
  if type(captions) ~= "table" or type(captions[1]) ~= "string" then return nil end
  local fine, hash = pcall(core.hash_strings, captions) -- not of a list in which other things stand
  return fine and json.encode { captions = #captions, hash = hash } or nil
end

-- The size of a model's pictures, {h,w,c}, where it has a function that says it.
local function size_text(m)
  local size = type(m.picture_size) == "function" and m:picture_size() or nil
  return size and json.encode(table.move(size, 1, #size, 1, json.list(#size))) or nil
end

--- The metadata of a model, as strings by name.
-- @tparam module m
-- @param data as for data_text
-- @treturn table
function model.metadata(m, data)
  local out = write.model(m)
  out.laterna, out.data, out.size = version, model.data_text(data), size_text(m)
  return out
end

local function is_data(v)
  return model.data_text(v) ~= nil, "a data set with captions, or a list of captions"
end

--- Writes a model to a file that lt.open reads. What no file can hold, such as a schedule that is a function of the
-- script's, is named in it and asked for when it is opened. Functions of the library's makers (lt.schedule.cosine {..})
-- are kept.
-- @tparam string path
-- @tparam module m
-- @tparam[opt] table options
--
--  - dtype="float32"; "bfloat16": tensors of two axes or more are rounded, and the file is half as large
--  - data: a data set, or a list of captions, that it was trained on: their number and hash are kept
--  - metadata: {name = string} of your own
function model.save_model(path, m, options)
  if not nn.is_module(m) then check.fail("save_model", 2, "model: expected a module, got %s", check.describe(m)) end
  local o = check.options("save_model", 3, options, {
    dtype = { "string", "float32", one_of = { "float32", "bfloat16" } }, data = is_data, metadata = "table",
  })
  local own = model.metadata(m, o.data)
  own.format = MODEL
  for _, key in ipairs(RESERVED) do -- those too that this model has not: somebody would read them as laterna's
    if own[key] == nil and o.metadata and o.metadata[key] ~= nil then
      check.fail("save_model", 3, "metadata: %s is a key of laterna's own", key)
    end
  end
  core.save_safetensors(path, m:state(), joined("save_model", 3, o.metadata, own), { dtype = o.dtype })
end

--- Writes named tensors as a safetensors file. Of a model's state() the vocabularies go along.
-- @tparam string path
-- @tparam table tensors {name = tensor}
-- @tparam[opt] table metadata {name = string}
-- @tparam[opt] table options dtype="bfloat16": tensors of two axes or more are rounded, half the bytes
function model.save(path, tensors, metadata, options)
  check.type("save", 2, "tensors", tensors, "table")
  check.type("save", 3, "metadata", metadata, "table|nil")
  local about = vocabulary.about(tensors)
  if about and next(about.vocabularies) then
    local own = write.vocabularies(about.vocabularies)
    own.format, own.laterna = STATE, version
    metadata = joined("save", 3, metadata, own)
  end
  core.save_safetensors(path, tensors, metadata, options)
end

-- The tokenizers of a file that laterna wrote, and who reads with which; nothing of other files.
local function words_of(metadata)
  if not tostring(metadata.format):find "^laterna " or not metadata.vocabularies then return {}, {} end
  local tokenizers = read.tokenizers(metadata)
  return read.vocabularies(metadata, tokenizers), tokenizers
end

--- Gives tensors that were read from a file what its metadata says of words.
-- @tparam table tensors {name = tensor}
-- @tparam table metadata
-- @tparam[opt] string path
-- @treturn table the same one, as load gives it
function model.attach(tensors, metadata, path)
  return vocabulary.attach(tensors, { vocabularies = words_of(metadata), path = path, metadata = metadata })
end

--- Reads a safetensors file: `model:load_state(lt.load "weights.safetensors")`. Its metadata goes along, for load_state
-- and for lt.inspect.
-- @tparam string path
-- @tparam[opt] table options prefix: only the tensors whose names begin so, without it
-- @treturn table {name = tensor}
function model.load(path, options)
  local tensors, metadata = core.load_safetensors(path, options)
  local ok, out = pcall(model.attach, tensors, metadata, path)
  if not ok then error(("cannot load %s: %s"):format(path, check.reason(out, path)), 0) end
  return out
end

-- A run's folder stands for the checkpoint in it.
local function file_of(path)
  local file = path .. "/checkpoint.safetensors"
  local there = io.open(file, "rb")
  if there then there:close() end
  return there and file or path
end

--- What a file holds, from its header alone: `print(lt.inspect "model.safetensors")`.
-- @tparam string|table what a file, a run's folder, or what lt.load or model:state() gave
-- @treturn table with a text of its own: format, laterna (version), metadata, tensors {name = {dtype, shape, numbers}},
-- count, numbers, bytes, dtypes, tokenizers (a list), vocabularies (by module), size {h,w,c}, step, minutes,
-- data {captions, hash}, averaged; what is not known is nil
function model.inspect(what)
  if type(check.type("inspect", 1, "path", what, "string|table")) == "string" then what = file_of(what) end
  return inspect(what)
end

-- The prefix of the weights in a file, by its format.
local function prefix_of(tensors, metadata)
  local format = metadata.format
  if format == MODEL then return "" end
  if format == RUN then
    for name in next, tensors do
      if name:find "^ema%." then return "ema." end
    end
    return "model."
  end
  if format == OLD_RUN then
    error("it is a checkpoint of an earlier version, without what its model is; make the model as the script did, "
      .. "model:load_state(lt.load(path, { prefix = \"model.\" })), and lt.save_model it", 0)
  end
  if format == STATE then error("it holds a state, not what its model is; that is what lt.save_model writes", 0) end
  if type(format) == "string" and format:find "^laterna " then
    error(("its format is %s, of another version of laterna"):format(check.describe(format)), 0)
  end
  error("it is not a model that laterna saved; its tensors come with lt.load", 0)
end

-- Are these classes of a script's own, by name?
local function are_classes(v)
  local ok = type(v) == "table"
  for name, class in next, ok and v or {} do ok = ok and type(name) == "string" and walk.is_class(class) end
  return ok, "a table of classes by name, { Net = Net }"
end

-- Who reads words in a model must be who does in its file.
local function check_readers(m, vocabularies)
  local readers = vocabulary.of(m)
  for name in next, vocabularies do
    if not readers[name] then error(("metadata vocabularies: %s reads no words"):format(check.describe(name)), 0) end
  end
  for name in next, readers do
    if not vocabularies[name] then
      error(("metadata vocabularies: nothing of %s"):format(check.describe(name)), 0)
    end
  end
end

local function open(path, classes, values)
  local tensors, metadata = core.inspect_safetensors(path)
  local prefix, numbers = prefix_of(tensors, metadata), 0
  for name, t in next, tensors do
    if name:sub(1, #prefix) == prefix then numbers = numbers + t.numbers end
  end
  local vocabularies, tokenizers = words_of(metadata)
  local m = build(metadata, tokenizers, classes, values, 16 * numbers + SLACK)
  check_readers(m, vocabularies)
  local loaded = core.load_safetensors(path, { prefix = prefix })
  m:prepare_state(model.attach(loaded, metadata, path), { finite = true })()
  return m:eval()
end

--- The model in a file, or in the folder of a run (its averaged weights, where it has them), in evaluation mode, ready
-- to `sample`. The file is checked before anything is made of it, and names what it lacks:
--
--     local model = lt.open("runs/late", { schedule = late })      -- was a Lua function
--     local net = lt.open("net.safetensors", { classes = { Net = Net } })
--
-- @tparam string path
-- @tparam[opt] table options classes: {name = class} of the script's own, by the name that nn.class got; all else are
-- values of options that a file cannot hold, by name, or by dotted path where a name stands twice
-- @treturn module
-- @raise the path, and what is wrong or missing
function model.open(path, options)
  check.type("open", 1, "path", path, "string")
  check.type("open", 2, "options", options, "table|nil")
  local values = {}
  for key, v in next, options or {} do values[key] = v end
  local classes = values.classes or {}
  values.classes = nil
  local fine, what = are_classes(classes)
  if not fine then check.fail("open", 2, "classes: expected %s", what) end
  local file = file_of(path)
  local ok, result = pcall(open, file, classes, values)
  if ok then return result end
  error(("cannot open %s: %s"):format(file, check.reason(result, file)), 0)
end

return model
