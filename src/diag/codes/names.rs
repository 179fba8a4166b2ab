//! K02: names.

codes! {}
