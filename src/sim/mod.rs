//! Time without data: simulates a program on a machine and logs what each command did, when, and
//! what released it.
//!
//! The rules of timing are in `docs/machine.md` ("Timing"). What lives here:
//!
//! - `event`: the queue of events and their order;
//! - `network`: links, messages as trains of flits; `wormhole`: routers with virtual channels;
//!   `transport`: the one of the two that the machine has; `lanes`: parallel connections;
//!   `traffic`: synthetic loads;
//! - `ledger`, `drawing`: what messages paid on their way, and what links did when;
//! - `ipcq`: slots and credits between agents;
//! - `composite`: pipelines of tiles;
//! - `hbm`: the memories and their channels;
//! - `op`, `dma`, `costs`: what commands touch and how long they take; `hazards`: what they wait for;
//! - `control`: the host, and the processors between it and the PEs;
//! - `stream`: commands that pass messages on as they arrive;
//! - `agent`: PE_CPU, which walks its stream; `pe`: the engines; `transfer`: what arrives;
//! - `channel`: thread blocks and what they do to each other's memory;
//! - `mmu`: what translating addresses costs;
//! - `deadlock`, `failure`: why a run stops early, and how the user is told.
//!
//! **PE run-ahead.** A PE lives on its own local time. PE_CPU and the engines go on as far as
//! everything they need is known, without events, even if other PEs are still behind; an event is
//! queued only where others can change the outcome: a transfer enters the network, a message
//! arrives. Times never depend on who is worked out first, because each is a maximum over what it
//! waits for. Where that is not so, in links, events keep the order of time. Agents that share the
//! engines of one PE take turns by events, too.
//!
//! No value of any tensor is ever seen here.
//!
//! What only some programs or machines need (composites, streams, channels, wormhole routers) is
//! marked `#[inline(never)]` where the loop over events meets it: inlined, it pushes that loop out of
//! the instruction cache (seven times the misses on the ring of 512 PEs, a fifth of the time).

mod agent;
mod channel;
mod composite;
mod control;
mod costs;
mod counters;
mod deadlock;
mod dma;
mod drawing;
mod event;
mod failure;
mod hazards;
pub mod hbm;
mod ipcq;
mod lanes;
mod ledger;
mod mmu;
mod modify;
mod network;
mod op;
mod pe;
mod routes;
mod state;
mod stream;
pub mod traffic;
mod transfer;
mod transport;
mod wormhole;

pub use control::{Access, Host, HostDma, HostPath, HostWork, Launched, Load};
pub use counters::{CAUSES, Counters, ENGINES, EngineUse, LinkUse, PeUse};
pub use failure::{Failure, Waiting, WaitsFor};
pub use ledger::{Accounts, Breakdown, MessageAccount};
pub use network::{Mode, idle_time};

use crate::command::Program;
use crate::oplog::{Engine, LogSink, RecordId};
use crate::topology::Machine;
use crate::units::Ps;

/// How to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How links are worked out. Both ways give the same times.
    pub mode: Mode,
    /// When all agents start. Times of records are counted from 0, the outcome's from here.
    pub barrier: Ps,
    /// Events between two reports of progress.
    pub progress_every: u64,
    /// Whether accounts are kept of messages, and of how many of the worst each.
    pub accounts: Option<usize>,
    /// Whether the log is told what links do.
    pub spans: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::Trains,
            barrier: Ps::ZERO,
            progress_every: 1 << 18,
            accounts: None,
            spans: false,
        }
    }
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Simulated time.
    pub now: Ps,
    /// Events so far.
    pub events: u64,
    /// Agents that have ended, of how many.
    pub finished: (u64, u64),
}

/// What a run gives, besides its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// From the launch barrier to the end of the last write or delivery of any agent; of the last
    /// command where nothing is written or sent.
    pub time: Ps,
    /// The record that ended then.
    pub last: Option<RecordId>,
    /// Messages between agents.
    pub messages: u64,
    /// Events of the simulator.
    pub events: u64,
    /// What else was counted.
    pub counters: Counters,
    /// What messages paid on their way, if the options ask for it.
    pub accounts: Option<Accounts>,
}

/// Simulates `program` on `machine`. Tells `progress` now and then how far it is,
/// and when it is done.
///
/// # Errors
/// Why the run stopped before its end: a deadlock, an address that is nobody's, a stream that
/// cannot go on. The log then holds what happened before.
pub fn simulate(
    program: &Program,
    machine: &Machine,
    options: &Options,
    log: &mut impl LogSink,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, Failure> {
    state::Simulation::new(program, machine, options, log).run(progress).map_err(|it| *it)
}

impl Outcome {
    /// What was busiest, by the counters alone: `gemm`, `math`, `hbm`, `link bandwidth`, or
    /// `latency` where nothing was busy for half of the time. A report, which knows causes, says
    /// it better.
    pub fn bound_by(&self) -> &'static str {
        let engine = |engine: Engine| {
            self.counters.pes.iter().map(|pe| pe.busy[engine as usize]).max().unwrap_or_default()
        };
        let link = self.counters.links.iter().map(|link| link.busy).max().unwrap_or_default();
        let busiest = [
            (engine(Engine::Gemm), "gemm"),
            (engine(Engine::Math), "math"),
            (engine(Engine::DmaRead).max(engine(Engine::DmaWrite)), "hbm"),
            (link, "link bandwidth"),
        ];
        let most = busiest.into_iter().rev().max_by_key(|(time, _)| *time);
        most.filter(|(time, _)| time.0 >= self.time.0.div_ceil(2)).map_or("latency", |it| it.1)
    }
}
