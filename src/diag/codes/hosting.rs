//! K08: host programs.

codes! {}
