//! Programs built by hand, replayed from logs in every order a machine might choose.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod dataflow;
mod faults;
mod kit;
mod races;
mod threads;
