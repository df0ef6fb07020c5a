-- Places named by an array, against their naive twin: slices and elements, along every axis, with places that are named
-- often and never.
local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local naive = require "spec.support.naive"

local shapes = { { 1, 1, 1 }, { 1, 5, 1 }, { 4, 3, 1 }, { 1, 7, 9 }, { 3, 4, 5 }, { 2, 100, 33 }, { 5, 2, 64 } }

local function int(list) return core.tensor(list, { dtype = "int32" }) end

-- `count` numbers of 1 .. most; the last of them is named by none where there are others.
local function places(count, most)
  local list = {}
  for i = 1, count do list[i] = (i * i * 31 + i) % math.max(most - 1, 1) + 1 end
  return list
end

describe("index", function()
  for _, shape in ipairs(shapes) do
    local outer, size, inner = table.unpack(shape)
    for _, count in ipairs { 1, 2, 2 * size + 1 } do
      local s = { outer = outer, size = size, count = count, inner = inner }
      local generator = core.generator(size + count)
      local function randn(n) return core.randn({ outer, n, inner }, { generator = generator }) end

      it(("selects %d slices of (%d,%d,%d) and adds them back"):format(count, outer, size, inner), function()
        local x, dy, list, full = randn(size):requires_grad_(), randn(count), places(count, size), {}
        for i = 0, outer * count * inner - 1 do full[i + 1] = list[i // inner % count + 1] end
        local y = x:index_select(2, int(list))
        y:backward(dy)
        local wanted, back = naive.gather(s, naive.flat(x), full, naive.flat(dy))
        assert.same(wanted, naive.flat(y))
        close(x.grad, back, 1e-5)
        local bytes = (x:detach() * 50):byte()
        local of_bytes = naive.gather(s, naive.flat(bytes), full, naive.flat(dy))
        assert.same(of_bytes, naive.flat(bytes:index_select(2, int(list))))
      end)

      it(("gathers %d elements of (%d,%d,%d) and adds them back"):format(count, outer, size, inner), function()
        local x, dy, list = randn(size):requires_grad_(), randn(count), places(outer * count * inner, size)
        local y = core.gather(x, 2, int(list):view(outer, count, inner))
        y:backward(dy)
        local wanted, back = naive.gather(s, naive.flat(x), list, naive.flat(dy))
        assert.same(wanted, naive.flat(y))
        close(x.grad, back, 1e-5)
      end)
    end

    it(("sorts the lines of (%d,%d,%d)"):format(outer, size, inner), function()
      local x = (core.randn({ outer, size, inner }, { generator = core.generator(2) }) * 3):round()
      for _, down in ipairs { false, true } do
        local list, got = naive.flat(x), naive.flat(x:argsort(2, { descending = down }))
        for o = 0, outer - 1 do
          for k = 1, inner do
            local function at(i) return (o * size + i - 1) * inner + k end
            local order = {}
            for i = 1, size do order[i] = i end
            table.sort(order, function(i, j)
              local a, b = list[at(i)], list[at(j)]
              if a == b then return i < j end
              if down then return a > b end
              return a < b
            end)
            for i = 1, size do assert.equal(order[i], got[at(i)]) end
          end
        end
      end
    end)
  end

  it("marks classes", function()
    assert.same({ { 0, 1, 0 }, { 1, 0, 0 }, { 0, 0, 1 } }, core.one_hot(int { 2, 1, 3 }, 3):totable())
  end)

  it("finds the first place that is outside, whatever its number", function()
    local x = core.zeros(9, 2)
    for _, bad in ipairs { 0, -1, 10, 2147483647, -2147483648 } do
      for _, at in ipairs { 1, 2, 700 } do
        local list = places(700, 9)
        list[at] = bad
        local message = ("%d at place %d is outside 1..9"):format(bad, at)
        fails(message, x.index_select, x, 1, int(list))
        fails(message, core.embedding, x, int(list))
        fails("(ids: " .. message, core.one_hot, int(list), 9)
      end
    end
  end)
end)
