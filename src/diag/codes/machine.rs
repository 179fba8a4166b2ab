//! K06: machine and communicator files.

codes! {}
