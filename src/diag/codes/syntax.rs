//! K01: lexing, layout and parsing.

codes! {}
