-- fails(text, f, ...): f raises an error with this text (plainly) in it. Returns the whole message.
return function(text, f, ...)
  local ok, message = pcall(f, ...)
  if ok then error(("expected an error with '%s', got none"):format(text), 2) end
  if type(message) ~= "string" or not message:find(text, 1, true) then
    error(("expected an error with '%s', got: %s"):format(text, tostring(message)), 2)
  end
  return message
end
