//! K07: the machine at run time.

codes! {}
