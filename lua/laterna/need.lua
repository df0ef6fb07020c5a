--- Optional modules, asked for where they are first used.
-- @module laterna.need

--- require, with an error that names the packages.
-- @function need
-- @tparam string name of the module
-- @tparam string debian its package in Debian and Ubuntu
-- @tparam string rock its package at luarocks.org
-- @treturn table the module
return function(name, debian, rock)
  local ok, module = pcall(require, name)
  if ok then return module end
  error(("this needs the Lua module '%s': apt-get install %s, or luarocks install %s"):format(name, debian, rock), 0)
end
