--- Optional packages, asked for where they are first used.
-- @module laterna.train.need

--- require(name), or an error that names the package to install.
-- @function need
-- @tparam string name module
-- @tparam string debian the package of Debian and Ubuntu
-- @tparam string rock the package of LuaRocks
return function(name, debian, rock)
  local ok, module = pcall(require, name)
  if ok then return module end
  error(("this needs the Lua module '%s': apt-get install %s, or luarocks install %s"):format(name, debian, rock), 0)
end
