//! Programs built by hand, replayed from logs in every order a machine might choose.

mod dataflow;
mod faults;
mod kit;
mod races;
mod threads;
