--- What holds while a function runs, and only then: also when it yields, when it fails, and when its coroutine is
-- closed or dropped half-way. (Whether operations are recorded, and lt.precision, follow the coroutine by themselves.)
-- @module laterna.scope
local scope = {}

-- What is left of a coroutine's to-be-closed values is closed, in the scope, when the one around it is.
local function closer(co, enter, leave)
  return setmetatable({}, { __close = function()
    if coroutine.status(co) ~= "suspended" then return end
    enter()
    local ok, err = coroutine.close(co)
    leave()
    if not ok then error(err, 0) end
  end })
end

-- The results of pcall or coroutine.resume, without the first.
local function results_of(results)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- f in a coroutine within the present one: that shows when it yields, which is handed on.
local function run_in_coroutine(enter, leave, f, ...)
  local co = coroutine.create(f)
  local _ <close> = closer(co, enter, leave)
  enter()
  local results = table.pack(coroutine.resume(co, ...))
  while coroutine.status(co) == "suspended" do
    leave()
    local sent = table.pack(coroutine.yield(table.unpack(results, 2, results.n)))
    enter()
    results = table.pack(coroutine.resume(co, table.unpack(sent, 1, sent.n)))
  end
  if not results[1] then
    local _, err = coroutine.close(co) -- closes what the error has left open
    if err ~= nil then results[2] = err end
  end
  leave()
  return results_of(results)
end

--- Calls enter(), f(...) and leave(). Where f yields, leave() is called before and enter() after.
-- @tparam function enter cannot yield, nor can leave
-- @tparam function leave
-- @tparam function f
-- @param ... its arguments
-- @return what f returns
function scope.run(enter, leave, f, ...)
  if coroutine.isyieldable() then return run_in_coroutine(enter, leave, f, ...) end
  enter()
  local results = table.pack(pcall(f, ...))
  leave()
  return results_of(results)
end

return scope
