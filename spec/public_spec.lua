-- What `lt` shows: names that a user may use, on one screen, and nothing that only the library needs.
local child = require "spec.support.child"
local core = require "laterna.core"

local WIDTH, LINES = 100, 24

-- What the library keeps to itself, by what would be wrong about calling it.
local PRIVATE = {
  steps = "adam_update sgd_update lion_update muon_update rmsprop_update ema_update clip_grad_norm clip_grad_value "
    .. "zero_gradients with_gradients",
  inner_kernels = "attention_qkv spline combine threshold hold randn_each frechet",
  data = "draw_scenes gather_pictures take_pictures warp_pictures picture_rows load_pictures read_files",
  files = "load_safetensors save_safetensors inspect_safetensors load_idx decode_idx hash_strings limit_memory "
    .. "replace_file append_file sync_file list_folder "
    .. "begin_stream append_stream finish_stream",
  naming = "nearest set_home is_tensor",
  machinery = "backward_inside catch_interrupt interrupted isatty terminal_size profile_rows saved_pieces "
    .. "debug_fail_allocation debug_bf16_gain",
}

-- All names of `lt` in a fresh process, sorted, and those that are neither function, nor table, nor callable.
local function names()
  local ok, output = child.run [[
    local lt, list = require "laterna", {}
    for name, v in pairs(lt) do
      local mt = getmetatable(v)
      local good = type(v) == "function" or type(v) == "table" or mt and mt.__call
      list[#list + 1] = name .. (good and "" or "=" .. type(v))
    end
    table.sort(list)
    print(table.concat(list, " "))]]
  assert(ok, output)
  local list, known = {}, {}
  for name in output:gmatch "%S+" do
    list[#list + 1], known[name] = name, true
  end
  return list, known
end

describe("the public list #child", function()
  local list, known
  setup(function() list, known = names() end)

  it("fits one screen", function()
    local lines, length = 1, -1
    for _, name in ipairs(list) do
      if length + 1 + #name > WIDTH then lines, length = lines + 1, -1 end
      length = length + 1 + #name
    end
    assert.is_true(lines <= LINES, lines .. " lines")
  end)

  it("holds functions and tables", function()
    for _, name in ipairs(list) do assert.is_nil(name:find("=", 1, true), name) end
    for _, part in ipairs { "nn", "optim", "train", "data", "vae", "diffusion", "gan", "flow", "autoencoder" } do
      assert.is_true(known[part], part)
    end
  end)

  it("holds every name of the core that a user may use, the others not", function()
    local private = {}
    for _, group in pairs(PRIVATE) do
      for name in group:gmatch "%S+" do
        assert.is_function(core[name], name)
        assert.is_nil(known[name], name)
        private[name] = true
      end
    end
    private.recompute = true -- the core's, beneath the user's function of that name
    for name in pairs(core) do
      assert.is_true(private[name] or known[name], name .. " is neither public nor private")
    end
  end)

  it("has one function for recompute and its name before, and nothing for a name that is none", function()
    local lt = require "laterna"
    assert.equal(lt.recompute, lt.checkpoint)
    assert.not_equal(core.recompute, lt.recompute)
    assert.error_matches(function() return lt.adam_update end, 'lt has no "adam_update"')
    assert.error_matches(function() return lt.no_such_name end, 'lt has no "no_such_name"')
  end)
end)
