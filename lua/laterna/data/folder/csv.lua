--- Tables as text: RFC 4180, with any separator. Quotes may hold separators, line ends and doubled quotes; lines end as
-- in Unix or Windows.
-- @module laterna.data.folder.csv
local csv = {}

local LONGEST <const>, MOST_FIELDS <const> = 1 << 20, 1000

-- A quoted field that begins at `place` -> what it says, and the place after it; nil where the quote is not closed.
local function quoted(text, place, ends)
  local stop = text:find('"', place + 1, true)
  while stop and text:byte(stop + 1) == 34 and stop - place <= LONGEST do stop = text:find('"', stop + 2, true) end
  if not stop or stop - place > LONGEST then return nil end
  local after = text:find(ends, stop + 1) or #text + 1
  return text:sub(place + 1, stop - 1):gsub('""', '"') .. text:sub(stop + 1, after - 1), after
end

local function field(text, place, ends)
  if text:byte(place) == 34 then return quoted(text, place, ends) end
  local after = text:find(ends, place) or #text + 1
  return text:sub(place, after - 1), after
end

local function line_ends(text)
  local _, count = text:gsub("\n", "\n")
  return count
end

--- Iterates over the rows of a text: the number of the line on which one begins, and the list of its fields. At a fault
-- it gives the line, nil and the reason, and ends: where a quote is not closed, nobody knows what is a row.
-- @tparam string text
-- @tparam string separator one character
-- @treturn function
function csv.rows(text, separator)
  local ends = "[%" .. separator .. "\r\n]"
  local place, line = text:find "^\u{feff}" and 4 or 1, 1
  local function fail(at, reason)
    place = #text + 1
    return at, nil, reason
  end
  return function()
    if place > #text then return nil end
    local fields, first, start = {}, line, place
    while true do
      local value, after = field(text, place, ends)
      if not value then return fail(first, "a quote that is not closed: nothing below is read") end
      line = line + line_ends(value)
      fields[#fields + 1] = value
      if #fields > MOST_FIELDS or after - start > LONGEST then return fail(first, "too long: nothing below is read") end
      local c = text:sub(after, after)
      place = after + 1
      if c ~= separator then
        if c == "\r" and text:sub(place, place) == "\n" then place = place + 1 end
        line = line + 1
        return first, fields
      end
    end
  end
end

return csv
