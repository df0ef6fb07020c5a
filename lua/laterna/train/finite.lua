--- The old place of laterna.finite.
-- @module laterna.train.finite
return require "laterna.finite"
