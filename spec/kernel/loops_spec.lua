-- Every loop over elements of tensors stands in csrc/kernel and is reached through the table, so that another device
-- could stand there: operations hand on addresses and sizes. This spec reads csrc/op for loops that do more.
local c_loops = require "spec.support.c_loops"
local sources = require "spec.support.sources"

local LAPACK = "LAPACK works in main memory and by columns: matrices are checked, laid out and read for it"
local NUMBER = "one number a picture or a tensor, worked out from what kernels return"

-- Functions that may: file, name, reason.
local ALLOWED = {
  ["csrc/op/linalg.c"] = {
    check_square = LAPACK, lt_logabsdet = LAPACK, solve_matrix = LAPACK, lt_lu = LAPACK, lt_eigh = LAPACK,
    split_qr = LAPACK, lt_qr = LAPACK,
  },
  ["csrc/op/combine.c"] = { combine_backward = NUMBER },
  ["csrc/op/threshold.c"] = { piece = NUMBER, threshold_backward = NUMBER },
}

-- One sentence for every loop that should not be, and for every entry of the list above that names none.
local function wrong_loops(path, text, allowed)
  local found, named = {}, {}
  for _, loop in ipairs(c_loops.find(text)) do
    named[loop.name] = true
    if not (allowed or {})[loop.name] then
      found[#found + 1] = ("%s:%d: a loop of %s goes over elements (%s)"):format(path, loop.line, loop.name, loop.what)
    end
  end
  for name in pairs(allowed or {}) do
    if not named[name] then
      found[#found + 1] = ("%s: %s has no such loop, the list may forget it"):format(path, name)
    end
  end
  return found
end

describe("operations", function()
  it("go over elements in kernels only", function()
    local files, all, left = sources.files("csrc/op", "c", "h"), {}, {}
    table.move(sources.files("csrc/optim", "c", "h"), 1, 100, #files + 1, files)
    assert.is_true(#files > 30)
    for path in pairs(ALLOWED) do left[path] = true end
    for _, path in ipairs(files) do
      for _, sentence in ipairs(wrong_loops(path, sources.read(path), ALLOWED[path])) do all[#all + 1] = sentence end
      left[path] = nil
    end
    for path in pairs(left) do all[#all + 1] = path .. " is not there, the list may forget it" end
    assert.equal("", table.concat(all, "\n"))
  end)
end)

describe("the reader of loops", function()
  local function count(body, before)
    local text = (before or "") .. "\nstatic void f(const float *x, int64_t n, float *y, const int64_t *shape)\n{\n" ..
                 body .. "\n}\n"
    return #c_loops.find(text)
  end

  it("sees elements that are read and written", function()
    assert.equal(1, count("for (int64_t i = 0; i < n; i++)\n    y[i] = x[i];"))
    assert.equal(1, count("for (int i = 0; i < 3; i++) {\n    if (n)\n        y[i] += 1;\n}"))
    assert.equal(1, count("for (; n > 0; n--)\n    *y++ = 0;"))
    assert.equal(1, count("for (;;)\n    if (n)\n        f();\n    else\n        *y = 0;"))
    assert.equal(1, count("while (n-- > 0)\n    sum += x[n];"))
    assert.equal(1, count("do {\n    y[n] = 0;\n} while (n-- > 0);"))
    assert.equal(1, count("for (int64_t i = 0; i < n && x[i] > 0; i++)\n    ;"))
    assert.equal(1, count("for (int64_t i = 0; i < t->size; i++)\n    lt_i32(t)[i] = 1;"))
    assert.equal(1, count("uint8_t *to = lt_u8(t), *end;\nfor (int64_t i = 0; i < n; i++)\n    to[i] = 0;"))
    assert.equal(1, count("const float *a[] = {x, y};\nfor (int64_t i = 0; i < n; i++)\n    sum += a[0][i];"))
  end)

  it("sees fields of a job, and copies", function()
    local job = "typedef struct {\n    int64_t n;\n    const float *a, *b;\n    float *out;\n} job;\n"
    assert.equal(1, count("for (int64_t i = 0; i < j->n; i++)\n    j->out[i] = 0;", job))
    assert.equal(1, count("for (int64_t i = 0; i < j->n; i++)\n    sum += j->b[i];", job))
    assert.equal(1, count("for (int64_t i = 0; i < n; i++)\n    memcpy(y + i * 4, x, 16);"))
    assert.equal(1, count("for (int64_t i = 0; i < n; i++)\n    memset((char *)t->data + i, 0, 1);"))
  end)

  it("names the function and the line, once a function", function()
    local text = "int a;\n\nint g(float *y)\n{\n    for (;;)\n        y[0] = 1;\n    for (;;)\n        y[1] = 1;\n}\n"
    local found = c_loops.find(text)
    assert.equal(1, #found)
    assert.equal("g", found[1].name)
    assert.equal(5, found[1].line)
    assert.equal(0, #wrong_loops("x.c", text, { g = "why" }))
    assert.equal(2, #wrong_loops("x.c", text, { h = "why" }))
  end)

  it("lets shapes, addresses and single elements be", function()
    assert.equal(0, count("for (int i = 0; i < 8; i++)\n    size[i] = shape[i] * 2;"))
    assert.equal(0, count("for (int64_t i = 0; i < n; i += 512)\n    lt_k.pointwise->add(512, x + i, 1, x, 1, y + i);"))
    assert.equal(0, count("// for (;;) y[0] = 1;\ny[0] = x[0];"))
    assert.equal(0, count("for (int i = 0; i < 8; i++) {\n    const float *p = x, *q = y;\n    f(n * p, q);\n}"))
    assert.equal(0, count("for (int k = 0; k < 3; k++)\n    j->a[k] = x + at[k];", "struct j {\n  float *a[3];\n};\n"))
    assert.equal(0, count("for (int i = 0; i < 8; i++)\n    memcpy(shape, other, sizeof shape);"))
  end)
end)
