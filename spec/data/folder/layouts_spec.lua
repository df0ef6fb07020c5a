-- The folders of spec/data/folder/layouts.lua: each is read as a person means it, or refused with the reason; and the
-- report of each names every file that was not used.
local child = require "spec.support.child"
local core = require "laterna.core"
local data = require "laterna.data"
local layouts = require "spec.data.folder.layouts"

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- The pictures are PNG whatever they are called: what counts is what is in them.
local function build(layout)
  local root = child.folder()
  for i, path in ipairs(sorted_keys(layout.files)) do
    local text = layout.files[path]
    if text == true then
      text = core.encode_png(core.arange(0, 47):mul(i % 5 + 1):add(i):byte():view(4, 4, 3))
    end
    child.write(root, path, text)
  end
  return root
end

local function load(layout, root, more)
  local options = { size = 4, quiet = true }
  for key, v in pairs(layout.options or {}) do options[key] = v end
  for key, v in pairs(more or {}) do options[key] = v end
  return pcall(data.folder, root, options)
end

local LISTS = { "orphans", "bad", "unused", "apart" }

-- What the report names, of the files that there are: path -> list.
local function left_out(report, files)
  local left = {}
  for _, list in ipairs(LISTS) do
    for _, problem in ipairs(report[list]) do
      assert.is_nil(left[problem.name], "named twice: " .. problem.name)
      if files[problem.name] then left[problem.name] = list end
    end
  end
  return left
end

local function by_name(set, value)
  local out = {}
  for i, name in ipairs(set.names) do out[name] = value(i) end
  return out
end

local function check_captions(layout, set)
  assert.same(layout.means, by_name(set, function(i)
    local all = set.all_captions and set.all_captions[i] or { set.captions[i] }
    assert.equal(set.captions[i], all[1])
    return #all > 1 and all or all[1]
  end))
  local labels = set.labels and set.labels:totable()
  assert.same(layout.classes or {}, by_name(set, function(i) return labels and set.classes[labels[i]] or nil end))
  assert.same(layout.repeats or {}, by_name(set, function(i) return set.repeats and set.repeats[i] or nil end))
end

-- Whatever is neither a picture of the set nor named has to be where its captions come from.
local function check_rest(layout, set, left)
  local kept = by_name(set, function() return true end)
  local count = 0
  for path in pairs(layout.files) do
    count = count + 1
    if not kept[path] and not left[path] then
      assert.is_truthy(path:find "%.[tT][xX][tT]$" or path:find "%.caption$" or path:find "%.csv$"
        or path:find "%.jsonl?$", path .. " is neither used nor named")
    end
  end
  assert.equal(count, set.report.files)
end

describe("data.folder reads as it is meant:", function()
  local root
  after_each(function() child.remove(root) end)

  for _, layout in ipairs(layouts) do
    it(layout.name, function()
      root = build(layout)
      local ok, set = load(layout, root)
      if layout.refused then
        assert.is_false(ok)
        for _, pattern in ipairs(layout.refused) do assert.matches(pattern, set) end
        return
      end
      assert.is_true(ok, set)
      check_captions(layout, set)
      local left = left_out(set.report, layout.files)
      assert.same(layout.left or {}, left)
      check_rest(layout, set, left)
    end)
  end

  it("and bad = \"error\" refuses those of which a file is not used #slow", function()
    root = child.folder()
    for _, layout in ipairs(layouts) do
      local own = build(layout)
      local ok, message = load(layout, own, { bad = "error" })
      local fault = false
      for path, list in pairs(layout.left or {}) do
        if list ~= "apart" then
          fault = true
          assert.is_false(ok, layout.name)
          assert.matches(path:match "[^/]+$", message, 1, true)
        end
      end
      assert.equal(not fault and not layout.refused, ok, layout.name)
      child.remove(own)
    end
  end)
end)
