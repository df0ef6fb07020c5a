--- The version of laterna, as its rockspec has it: files of models say which one wrote them.
-- @module laterna.version
return "scm-1"
