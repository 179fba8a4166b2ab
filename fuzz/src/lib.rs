//! Fuzzing of kbc on stable Rust, described in `docs/fuzzing.md`.
//!
//! ```text
//! seeds, corpus ─► Pool ─ mutate ─► input ─► Target::run ─► what it drew
//!                   ▲                                         │ new
//!                   └─────────────────────────────────────────┘
//! ```
//!
//! Every input is decided by the seed of the run and the inputs before it. Nothing here measures
//! coverage; an input is kept if what the target made of it (how far it got, which diagnostics it
//! drew) was not seen before.

#![allow(
    clippy::disallowed_methods,
    reason = "a tool beside the compiler: it reads its corpus and a clock"
)]

pub mod corpus;
pub mod dice;
pub mod graft;
pub mod mutate;
pub mod rewire;
pub mod runner;
pub mod said;
pub mod target;
pub mod words;

/// The generators and the machine of the tests.
#[path = "../../tests/support/mod.rs"]
#[allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::too_many_lines,
    reason = "it is shared with the tests, which are judged as tests"
)]
mod support;
