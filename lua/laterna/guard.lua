--- Methods that know whom they serve: `opt.step()` is an error in words, as `opt:step()` was meant, and so is
-- `opt:stpe()`.
-- @module laterna.guard
local check = require "laterna.check"
local spelling = require "laterna.spelling"

--- Wraps every function of a class so that it refuses a `self` of another kind.
-- @function guard
-- @tparam table class the metatable of the objects, with the methods in it
-- @tparam string noun what an object is called in the error
-- @treturn table class
return function(class, noun)
  for name, method in pairs(class) do
    if type(method) == "function" and name:sub(1, 2) ~= "__" then
      class[name] = function(self, ...)
        if not rawequal(getmetatable(self), class) then
          check.fail(name, nil, "self: expected %s, got %s; call it as x:%s()", noun, check.describe(self), name)
        end
        return method(self, ...)
      end
    end
  end
  return setmetatable(class, { __index = spelling.methods(noun, class) })
end
