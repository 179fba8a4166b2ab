//! K03: types and shapes.

codes! {}
