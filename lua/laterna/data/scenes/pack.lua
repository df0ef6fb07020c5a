--- Scenes as csrc/data/scene.h wants them: a row of floats each.
-- @module laterna.data.scenes.pack
local check = require "laterna.check"
local words = require "laterna.data.scenes.words"

local pack = { columns = 21 }

local ROW = "<" .. ("f"):rep(pack.columns)
local id = words.id

local function append(row, n, o)
  local rgb = o.rgb or words.rgb[o.colour]
  row[n + 1], row[n + 2] = id.shapes[o.shape], id.textures[o.texture]
  row[n + 3], row[n + 4], row[n + 5], row[n + 6] = o.x, o.y, o.radius or words.radius[o.size], o.angle or 0
  row[n + 7], row[n + 8], row[n + 9] = rgb[1], rgb[2], rgb[3]
end

--- The rows of a list of scenes, as bytes. The scenes are right: sampled, or checked by pack.check.
function pack.rows(list)
  local rows, row = {}, {}
  for i, scene in ipairs(list) do
    for k = 1, pack.columns do row[k] = 0 end
    row[1], row[2], row[3] = id.backgrounds[scene.background], scene.seed or 0, #scene.objects
    for k, o in ipairs(scene.objects) do append(row, 9 * k - 6, o) end
    rows[i] = ROW:pack(table.unpack(row, 1, pack.columns))
  end
  return table.concat(rows)
end

local function check_object(fname, where, o)
  check.type(fname, 1, where, o, "table")
  check.one_of(fname, 1, where .. ".shape", o.shape, words.shapes)
  check.one_of(fname, 1, where .. ".texture", o.texture, words.textures)
  check.number(fname, 1, where .. ".x", o.x, -1, 2)
  check.number(fname, 1, where .. ".y", o.y, -1, 2)
  if o.radius == nil then check.one_of(fname, 1, where .. ".size", o.size, words.sizes) end
  check.number(fname, 1, where .. ".radius", o.radius or 1, 0.001, 1)
  check.number(fname, 1, where .. ".angle", o.angle or 0, -100, 100)
  if o.rgb == nil then return check.one_of(fname, 1, where .. ".colour", o.colour, words.colours) end
  check.type(fname, 1, where .. ".rgb", o.rgb, "table")
  for i = 1, 3 do check.number(fname, 1, ("%s.rgb[%d]"):format(where, i), o.rgb[i], 0, 1) end
end

--- Refuses a scene that a person wrote and that cannot be drawn.
function pack.check(fname, where, scene)
  check.type(fname, 1, where, scene, "table")
  check.one_of(fname, 1, where .. ".background", scene.background, words.backgrounds)
  check.integer(fname, 1, where .. ".seed", scene.seed or 0, 0, 16777215)
  local objects = check.type(fname, 1, where .. ".objects", scene.objects, "table")
  if #objects > 2 then check.fail(fname, 1, "%s.objects: expected at most 2, got %d", where, #objects) end
  for k, o in ipairs(objects) do check_object(fname, ("%s.objects[%d]"):format(where, k), o) end
end

return pack
