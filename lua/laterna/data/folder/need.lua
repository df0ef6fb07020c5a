--- Optional modules, asked for where they are first used.

--- require, with an error that names the package.
-- @tparam string module
-- @tparam string package its name in Debian
-- @tparam string rock its name at luarocks.org
return function(module, package, rock)
  local ok, found = pcall(require, module)
  if ok then return found end
  error(("folder: the Lua module %s is missing; install Debian's package %s or `luarocks install %s`"):format(module,
    package, rock), 0)
end
