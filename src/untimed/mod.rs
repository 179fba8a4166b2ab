//! stub
#![allow(missing_docs, reason = "stub")]
pub mod report;
