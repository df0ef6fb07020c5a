-- Files that nobody vouches for: read whole where they are not too long, and looked at only through a view that checks
-- every offset first. What is wrong is raised as `path: table: what`.
local file = {}

--- The bytes of a file of at most `most` bytes.
-- @tparam string path
-- @tparam integer most
-- @treturn ?string nil where it cannot be opened
-- @treturn ?string the reason
function file.read(path, most)
  local f, reason = io.open(path, "rb")
  if not f then return nil, reason end
  local bytes, why = f:read(most + 1)
  f:close()
  if not bytes then error(("%s: %s"):format(path, why or "an empty file"), 0) end
  if #bytes > most then error(("%s: longer than %d bytes"):format(path, most), 0) end
  return bytes
end

local View = {}
View.__index = View

--- A part of the bytes; offsets in it count from 0, as font formats do, and numbers are big-endian.
-- @tparam string bytes
-- @tparam string where what errors begin with: the path and the name of the part
-- @tparam integer start offset in bytes
-- @tparam integer size of the part; start + size is at most #bytes
-- @treturn View
function file.view(bytes, where, start, size)
  return setmetatable({ bytes = bytes, where = where, start = start, size = size }, View)
end

--- Raises an error about this part.
function View:fail(message, ...)
  error(self.where .. ": " .. message:format(...), 0)
end

--- Are there `count` bytes at `offset`? An error where not.
function View:check(offset, count)
  if offset < 0 or count < 0 or offset > self.size or count > self.size - offset then
    self:fail("%d bytes at %d lie outside its %d bytes", count, offset, self.size)
  end
end

--- The number in 1, 2 or 4 bytes, without sign.
function View:u8(offset)
  self:check(offset, 1)
  return self.bytes:byte(self.start + offset + 1)
end

function View:u16(offset)
  self:check(offset, 2)
  return (string.unpack(">I2", self.bytes, self.start + offset + 1))
end

function View:u32(offset)
  self:check(offset, 4)
  return (string.unpack(">I4", self.bytes, self.start + offset + 1))
end

--- `count` bytes as a string.
function View:text(offset, count)
  self:check(offset, count)
  return self.bytes:sub(self.start + offset + 1, self.start + offset + count)
end

--- The part from an offset on, or `size` bytes of it.
-- @treturn View
function View:from(offset, size)
  self:check(offset, size or 0)
  return file.view(self.bytes, self.where, self.start + offset, size or self.size - offset)
end

--- A number at `offset` of how many records of `each` bytes follow at `first`; an error where they do not fit, so that
-- nothing is done by a count that the file does not back.
-- @tparam integer offset of the count
-- @tparam integer bytes 2 or 4: the count's own size
-- @tparam integer first offset of the records
-- @tparam integer each
-- @treturn integer
function View:count(offset, bytes, first, each)
  local n = bytes == 2 and self:u16(offset) or self:u32(offset)
  self:check(first, n * each)
  return n
end

--- Binary search in n ordered records: `order(i)`, i from 0, is negative where the wanted one comes before record i,
-- positive where it comes after, and 0 at it.
-- @treturn ?integer
function file.search(n, order)
  local low, high = 0, n - 1
  while low <= high do
    local middle = (low + high) // 2
    local o = order(middle)
    if o == 0 then return middle end
    if o < 0 then high = middle - 1 else low = middle + 1 end
  end
end

return file
