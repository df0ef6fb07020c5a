local Tokenizer = require "laterna.text.tokenizer"

local CAPTIONS = {
  "a red star", "a blue star", "A striped red star, night sky", "ankle boot", "T-shirt/top", "l'été à Österreich",
  "日本語の星", "a large circle above a square",
}

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

-- A reproducible mix of captions' characters, code points of all sizes, and bytes that are no UTF-8.
local function random_text(state)
  local out = {}
  local function draw(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return (state >> 8) % n
  end
  for i = 1, draw(24) do
    local kind = draw(4)
    if kind == 0 then out[i] = ("star  ,.\n\t A"):sub(draw(12) + 1, draw(12) + 1)
    elseif kind == 1 then out[i] = utf8.char(draw(0xD800))
    elseif kind == 2 then out[i] = utf8.char(0xE000 + draw(0x102000))
    else out[i] = string.char(draw(256)) end
  end
  return table.concat(out)
end

describe("the tokenizer", function()
  local tok = Tokenizer(CAPTIONS)

  it("gives one id to a known word and counts ids from 1", function()
    local ids = tok:encode "a red star"
    assert.equal(3, #ids)
    for _, id in ipairs(ids) do assert.is_true(id > 259 and id <= tok.size) end
    assert.same(ids, tok:encode "  A\tRED\n star ")
    assert.equal(260, ids[1]) -- "a" is the most frequent word
  end)

  it("gives back the normalised text of anything, exactly", function()
    for _, caption in ipairs(CAPTIONS) do
      assert.equal(tok:normalise(caption), tok:decode(tok:encode(caption)))
    end
    for seed = 1, 500 do
      local s = random_text(seed)
      assert.equal(tok:normalise(s), tok:decode(tok:encode(s)))
    end
  end)

  it("normalises blanks and capitals, of other scripts too", function()
    assert.equal("été, straße, ωμέγα, жар", tok:normalise "  ÉTÉ,\tSTRAßE,  ΩΜέΓΑ,\r\nЖАР ")
    local kept = Tokenizer(CAPTIONS, { lowercase = false })
    assert.equal("A Red STAR", kept:decode(kept:encode "A  Red STAR"))
  end)

  it("is never without an answer: longest known pieces, then bytes", function()
    local unknown = tok:encode "starred"
    assert.is_true(#unknown > 1 and #unknown < 8)
    local byte = tok:encode "\xff"
    assert.equal(4 + 255, byte[#byte])
    assert.equal(4, tok:encode("a\0")[2])
    assert.same({}, tok:encode "")
    assert.same({}, tok:encode " \n\t")
  end)

  it("keeps code points whole", function()
    local ids = tok:encode "星語"
    assert.equal(3, #ids) -- the space before it, and both signs, known from other places
    for char, id in pairs(tok.id) do
      assert.truthy(utf8.len(char))
      assert.is_true(id > 259)
    end
  end)

  it("drops the rarest words when the vocabulary is small", function()
    local small = Tokenizer(CAPTIONS, { vocabulary = 261 })
    assert.equal(261, small.size)
    assert.same({ " a", " star" }, small.words)
    assert.equal("a large circle", small:decode(small:encode "a large circle"))
    local bytes = Tokenizer({}, { vocabulary = 259 })
    assert.equal(259, #bytes)
    assert.equal("any text at all", bytes:decode(bytes:encode "any text at all"))
  end)

  it("does not depend on the order of the captions", function()
    local reversed = {}
    for i = #CAPTIONS, 1, -1 do reversed[#reversed + 1] = CAPTIONS[i] end
    assert.equal(tok:state(), Tokenizer(reversed):state())
  end)

  it("passes over padding, start and stop when decoding, and refuses other ids", function()
    local ids = tok:encode "a star"
    assert.equal("a star", tok:decode{ tok.start, ids[1], ids[2], tok.stop, tok.padding, tok.padding })
    for _, bad in ipairs{ 0, -1, tok.size + 1, 1.5, "1", {} } do
      assert.matches("bad argument #2 to 'decode' %(ids%[1%]: expected integer", message(tok.decode, tok, { bad }))
    end
  end)

  it("refuses captions that are not strings", function()
    assert.matches("expected strings, got 3 at 2", message(Tokenizer, { "a", 3 }))
    assert.matches("expected table", message(Tokenizer, "a"))
    assert.matches("vocabulary: expected integer", message(Tokenizer, {}, { vocabulary = 258 }))
    assert.matches("unknown option", message(Tokenizer, {}, { size = 300 }))
    assert.matches("text: expected string", message(tok.encode, tok, nil))
    assert.matches("self: expected a tokenizer", message(tok.encode, {}, "a"))
  end)
end)

describe("a tokenizer's state", function()
  local tok = Tokenizer(CAPTIONS)

  it("is UTF-8 text that builds the same tokenizer", function()
    local state = tok:state()
    assert.truthy(utf8.len(state))
    local again = Tokenizer.load(state)
    assert.equal(state, again:state())
    assert.same(tok:encode "a starred RED 日 boot", again:encode "a starred RED 日 boot")
    local kept = Tokenizer({ "A" }, { lowercase = false })
    assert.is_false(Tokenizer.load(kept:state()).lowercase)
  end)

  it("is refused when it is not what state() wrote", function()
    local head = "laterna tokenizer 1\nlowercase yes\nwords "
    assert.equal(261, Tokenizer.load(head .. "2\na\nb\n").size)
    for text, reason in pairs{
      [""] = "not a tokenizer's",
      ["return os.exit()"] = "not a tokenizer's",
      ["laterna tokenizer 1\nlowercase maybe\nwords 0\n"] = "not a tokenizer's",
      [head .. "2\na\n"] = "2 words announced, 1 found",
      [head .. "1\na\nb\n"] = "more than the 1 words",
      [head .. "2\na\na\n"] = "word 2 is there twice",
      [head .. "2\na\n\n"] = "word 2 is not one line",
      [head .. "1\na\0\n"] = "word 1 is not one line",
      [head .. "1\n\xff\n"] = "word 1 is not one line",
      [head .. "1\n" .. ("a"):rep(65) .. "\n"] = "word 1 is not one line",
      [head .. "1\na\nb"] = "text after the last line",
      [head .. "99999999999999999999\na\n"] = "more than 1000000 words",
    } do
      local err = message(Tokenizer.load, text)
      assert.matches("bad argument #1 to 'load' (state: " .. reason, err, 1, true)
    end
    assert.matches("state: expected string", message(Tokenizer.load, nil))
  end)

  it("survives any cut and any changed byte: loads or is refused in words", function()
    local state = Tokenizer({ "a red star" }):state()
    for i = 1, #state do
      for _, text in ipairs{ state:sub(1, i - 1), state:sub(1, i - 1) .. "\n" .. state:sub(i + 1) } do
        local ok, result = pcall(Tokenizer.load, text)
        if ok then assert.equal(text, result:state()) else assert.matches("bad argument #1 to 'load'", result) end
      end
    end
  end)
end)
