//! Replays a run on real data: executes the commands of an op log on memory images.
//!
//! The log says in which causal order commands ran and messages arrived; the program says what
//! each command does. Nothing here knows a time. A [`Replay`] is fed records as they become
//! known, so a host can read what has been computed so far; any order of the records that keeps
//! each after what it depends on gives the same bytes.
//!
//! Each agent's stream is walked again, by the walker that the simulator used. A send is copied
//! when it runs, and the copy goes into the receiver's slot when the log says that it arrived: a
//! slot that is reused too early holds wrong data here as it would there.
//!
//! What is wrong with the data (a read of what nothing wrote, an address outside of every
//! tensor, a division by zero) is reported with the line that did it, and the replay goes on.
//!
//! - records: `plan` makes tasks of them, `schedule` runs these, in order or on several threads,
//!   `stream` finds the commands they are about;
//! - commands: `execute`; `composite`, `lanes`, `block` and `windows` for those that move or compute by
//!   pieces, `inspect` for prints, `channel` for thread blocks; `numeric` computes;
//! - memories: `memory` and `image` (HBM), `local` (scratch and slots), `bytes`, `ranges`;
//! - faults: `access`, `race`, `fault`;
//! - what is expected: [`data`] and [`npy`] give inputs, [`verify`] compares results, `value` shows
//!   them.

mod access;
mod block;
mod bytes;
mod channel;
mod composite;
pub mod data;
mod execute;
mod fault;
mod image;
mod inspect;
mod lanes;
mod local;
mod memory;
pub mod npy;
mod numeric;
mod plan;
mod race;
mod ranges;
mod schedule;
mod stream;
mod value;
pub mod verify;
mod windows;

pub use channel::{ChannelReplay, LaunchData};
pub use image::{Origin, Writer};
pub use inspect::Printed;
pub use memory::Memory;
pub use race::RaceCheck;
pub use value::{Value, ulps, value};

use crate::command::Program;
use crate::diag::Sink;
use crate::oplog::Record;
use fault::Reporter;
use plan::Planner;
use schedule::Agents;

/// Records that are planned at once; what is held for each is gone before the next.
const BATCH: usize = 1 << 15;

/// The data of one launch, as far as its log has been replayed.
#[derive(Debug)]
pub struct Replay<'p> {
    program: &'p Program,
    memory: Memory,
    planner: Planner,
    agents: Agents,
    reporter: Reporter,
    printed: Vec<Printed>,
    threads: usize,
}

impl<'p> Replay<'p> {
    /// The start of a launch of `program` on `memory`, whose address map is the program's.
    pub fn new(program: &'p Program, memory: Memory) -> Replay<'p> {
        Replay {
            program,
            memory,
            planner: Planner::new(program),
            agents: Agents::new(program),
            reporter: Reporter::default(),
            printed: Vec::new(),
            threads: 1,
        }
    }

    /// The same, on up to `threads` threads. Their number changes nothing but the time it takes.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Replay<'p> {
        Replay { threads: threads.max(1), ..self }
    }

    /// The same, of a machine that gives slots back as soon as they are received: what is in one stays
    /// there until the next message lands, and a later read of it is told (K0734).
    #[must_use]
    pub fn with_slots_given_back_at_recv(mut self) -> Replay<'p> {
        self.agents.keep_slots();
        self
    }

    /// Executes the next records of the log. What is wrong with the data goes to `sink`.
    pub fn advance(&mut self, records: &[Record], sink: &mut Sink) {
        for batch in records.chunks(BATCH) {
            let plan = self.planner.plan(self.program, &mut self.memory, batch);
            let mut found = self.agents.run(self.program, &self.memory, &plan, self.threads);
            self.printed.append(&mut found.printed);
            self.reporter.report(self.program, found.faults, sink);
        }
    }

    /// Looks for races in what has been replayed: two agents that touch the same bytes of HBM,
    /// one of them to write, with no message between them that puts one before the other.
    pub fn check_races(&mut self, sink: &mut Sink) -> RaceCheck {
        let suspects = self.planner.touched.suspects();
        if suspects.is_empty() {
            return RaceCheck { pairs: 0, races: 0, complete: true };
        }
        let check = {
            let replayed = race::Replayed {
                program: self.program,
                memory: &self.memory,
                planner: &self.planner,
                agents: &self.agents,
            };
            race::check(&replayed, &suspects, sink)
        };
        self.reporter.any |= check.races > 0;
        check
    }

    /// What kernels have printed since this was asked last, in the order of the log.
    pub fn take_printed(&mut self) -> Vec<Printed> {
        std::mem::take(&mut self.printed)
    }

    /// Whether anything wrong with the data was reported.
    pub fn has_faults(&self) -> bool {
        self.reporter.any
    }

    /// The contents of the tensors after what has been replayed.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The contents of the tensors, for the next launch.
    pub fn into_memory(self) -> Memory {
        self.memory
    }
}
