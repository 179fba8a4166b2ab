//! K04: what must be known at compile time.

codes! {}
