--- What a network is called with, net(x, t, cond) where it denoises, checked in one place and in words.
-- @module laterna.nn.call
local check = require "laterna.check"

local call = {}

local function width_of(fname, i, name, t, n, width)
  check.type(fname, i, "cond." .. name, t, "tensor")
  if t:dim() ~= 2 or t:size(1) ~= n or t:size(2) ~= width then
    check.fail(fname, i, "cond.%s: expected (%d,%d), got (%s)", name, n, width, table.concat(t.shape, ","))
  end
end

-- A caption or a detail that the network has no place for would be ignored without a word.
local function expect_place(fname, i, key, option, width)
  if width == 0 then
    check.fail(fname, i, "cond.%s: this network was made without the option %s", key, option)
  end
end

local function check_tokens(fname, i, cond, n, width)
  local tokens, mask = check.type(fname, i, "cond.tokens", cond.tokens, "tensor"), cond.mask
  if tokens:dim() ~= 3 or tokens:size(1) ~= n or tokens:size(3) ~= width then
    check.fail(fname, i, "cond.tokens: expected (%d,l,%d), got (%s)", n, width, table.concat(tokens.shape, ","))
  end
  if mask == nil then return end
  check.type(fname, i, "cond.mask", mask, "tensor")
  if mask:dim() ~= 2 or mask:size(1) ~= n or mask:size(2) ~= tokens:size(2) then
    check.fail(fname, i, "cond.mask: expected (%d,%d), got (%s)", n, tokens:size(2), table.concat(mask.shape, ","))
  end
end

--- Checks that a condition holds what a network has options for.
-- @tparam string fname the network, for the message
-- @tparam integer i which argument cond is
-- @param cond nil, or a table of any of tokens (n,l,text), mask (n,l), pooled (n,text), detail (n,detail)
-- @tparam integer n how many pictures
-- @tparam table sizes text, and detail; without a detail, cond's is not looked at
function call.condition(fname, i, cond, n, sizes)
  if check.type(fname, i, "cond", cond, "table|nil") == nil then return end
  if cond.pooled ~= nil then
    expect_place(fname, i, "pooled", "text", sizes.text)
    width_of(fname, i, "pooled", cond.pooled, n, sizes.text)
  end
  if cond.tokens ~= nil then
    expect_place(fname, i, "tokens", "text", sizes.text)
    check_tokens(fname, i, cond, n, sizes.text)
  end
  if cond.detail ~= nil and sizes.detail then
    expect_place(fname, i, "detail", "detail", sizes.detail)
    width_of(fname, i, "detail", cond.detail, n, sizes.detail)
  end
end

--- The pooled vector that a coder of pictures takes: of a condition, or handed over by itself.
-- @tparam string fname the network, for the message
-- @tparam integer i which argument cond is
-- @param cond nil, a condition, or its pooled vector (n,text)
-- @tparam integer n how many pictures
-- @tparam integer text size of the vector, 0 for a network that takes none
-- @treturn ?Tensor (n,text), nil where text is 0
function call.pooled(fname, i, cond, n, text)
  if check.is_tensor(cond) then cond = { pooled = cond } end
  call.condition(fname, i, cond, n, { text = text })
  local pooled = cond and cond.pooled
  if text > 0 and not pooled then check.fail(fname, i, "cond.pooled: expected (%d,%d), got nil", n, text) end
  return pooled
end

--- Checks what a denoiser was called with: pictures, times and condition.
-- @tparam string fname the network, for the message
-- @param x to be (n,h,w,channels)
-- @param t to be (n)
-- @param cond nil, or a table of any of tokens (n,l,text), mask (n,l), pooled (n,text), detail (n,detail)
-- @tparam table sizes channels, text, detail
function call.check(fname, x, t, cond, sizes)
  check.type(fname, 1, "x", x, "tensor")
  if x:dim() ~= 4 or x:size(4) ~= sizes.channels then
    check.fail(fname, 1, "x: expected (n,h,w,%d), got (%s)", sizes.channels, table.concat(x.shape, ","))
  end
  local n = x:size(1)
  check.type(fname, 2, "t", t, "tensor")
  if t:dim() ~= 1 or t:size(1) ~= n then
    check.fail(fname, 2, "t: expected (%d), a time a picture, got (%s)", n, table.concat(t.shape, ","))
  end
  call.condition(fname, 3, cond, n, sizes)
end

return call
