--- The account of a folder: every file that became nothing is named in the report.
-- @module laterna.data.folder.account

local ARCHIVES = {}
for ending in ("tar zip gz tgz 7z rar parquet arrow npz npy h5 hdf5 tfrecord lmdb mdb pkl pt"):gmatch "%S+" do
  ARCHIVES[ending] = true
end

-- List, reason.
local function why(file, set)
  if file.aside then return "apart", file.aside end
  if file.split and set.split ~= "all" and file.split ~= set.split then return "apart", "split " .. file.split end
  if file.kind == "picture" then return "orphans", "no caption" end
  if file.kind == "text" then return "unused", "a text; captions come from elsewhere" end
  if file.kind == "table" then return "unused", "a table that is not read: captions come from elsewhere" end
  if ARCHIVES[file.ending] then return "unused", "an archive: pictures have to be files of their own" end
  return "unused", "neither a picture nor captions"
end

--- Notes every file below the root that was neither used nor reported yet.
-- @function account
-- @tparam table set with `tree` and `split`
-- @tparam Report report
return function(set, report)
  report.files = #set.tree.files
  for _, file in ipairs(set.tree.files) do
    if not file.used and not report.noted[file.path] then
      local list, reason = why(file, set)
      report:add(list, file.path, reason)
    end
  end
end
