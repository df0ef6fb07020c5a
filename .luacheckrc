std = "lua54"
max_line_length = 120
files["spec/**/*_spec.lua"].std = "lua54+busted"
self = false
files["spec/support/ops.lua"].max_line_length = false -- a table: one operation a line
files["spec/readme_spec.lua"].ignore = { "122/io" } -- silences what the tour prints
