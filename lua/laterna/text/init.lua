--- Text: a tokenizer trained from captions, and an encoder trained with the generator. None is downloaded.
-- @module laterna.text
local text = {
  --- text.Tokenizer(captions, options); see laterna.text.tokenizer.
  Tokenizer = require "laterna.text.tokenizer",
  --- text.Encoder(captions, options); see laterna.text.encoder.
  Encoder = require "laterna.text.encoder",
  --- text.repeated(captions, n); see laterna.text.repeated.
  repeated = require "laterna.text.repeated",
}

return text
