//! K05: lowering, capacity and communication.

codes! {}
