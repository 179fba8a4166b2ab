//! The memory behind a PE: how its HBM controller serves bursts.
//!
//! - `bursts`: which bursts a transfer touches;
//! - `channels`: the pseudo-channels of the controllers, each of which serves one burst at a time.

mod bursts;
mod channels;

pub(super) use bursts::{BurstLists, BurstRun, Bursts, Touched, Walk};
pub(super) use channels::{Access, Controllers};
