//! The memory behind a PE: how its HBM controller serves bursts.
//!
//! - `bursts`: which bursts a transfer touches;
//! - `channels`: the pseudo-channels of the controllers, each of which serves one burst at a time;
//! - [`bank`]: the banks of a channel, their rows and what each command waits for;
//! - `in_order`: such banks serving what a kernel moves, in the order in which it comes;
//! - [`queue`]: a controller of such banks, cycle by cycle;
//! - [`traffic`]: what it makes of traffic.

pub mod bank;
mod bursts;
mod channels;
mod in_order;
pub mod queue;
pub mod traffic;

pub(super) use bursts::{BurstLists, BurstRun, Bursts, Touched, Walk};
pub(super) use channels::{Access, Controllers};
