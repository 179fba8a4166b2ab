//! kbc compiles a small Triton-like kernel language for a mesh of processing elements, times the
//! result on a machine described in YAML, and replays it on real data to prove it.
//!
//! Modules are listed in dependency order: each may name only those above it, and
//! `tests/architecture.rs` checks that.

pub mod arena;
pub mod units;

pub mod dtype;
pub mod shape;

pub mod source;

pub mod diag;

pub mod ops;

pub mod syntax;

pub mod ir;

pub mod sema;

pub mod passes;

pub mod topology;

pub mod launch;

pub mod command;

pub mod host;

pub mod lower;

pub mod import;

pub mod commcheck;

pub mod oplog;

pub mod sim;

pub mod replay;

pub mod report;

pub mod script;

pub mod driver;

pub mod cli;
