//! What a run adds up: traffic, busy and stalled time.

use crate::oplog::{Cause, Engine};
use crate::topology::PeId;
use crate::units::Ps;

/// Kinds of engine.
pub const ENGINES: usize = 10;
/// Kinds of cause.
pub const CAUSES: usize = 6;

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commands that ran.
    pub commands: u64,
    /// Bytes of messages between agents.
    pub message_bytes: u64,
    /// Bytes read from HBM.
    pub bytes_read: u64,
    /// Bytes written to HBM.
    pub bytes_written: u64,
    /// Links that messages and transfers passed.
    pub hops: u64,
    /// Multiply-adds of matrix engines.
    pub macs: u64,
    /// Elements of vector engines.
    pub elements: u64,
    /// The most scratch and slots that any PE's TCM holds, in bytes.
    pub tcm_bytes: u64,
    /// What each kind of engine did on all PEs together, in the order of [`Engine`].
    pub engines: [EngineUse; ENGINES],
    /// The time for which each engine of each PE that takes part was busy.
    pub pes: Vec<PeUse>,
    /// What went over each link, in the order of link ids.
    pub links: Vec<LinkUse>,
}

/// What one kind of engine did on all PEs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineUse {
    /// Commands.
    pub commands: u64,
    /// The time for which it was busy.
    pub busy: Ps,
    /// The time for which commands waited for it, by what they waited for, in the order of
    /// [`Cause`].
    pub stalled: [Ps; CAUSES],
}

/// What the engines of one PE did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeUse {
    /// The PE.
    pub pe: PeId,
    /// The time for which each was busy, in the order of [`Engine`].
    pub busy: [Ps; ENGINES],
    /// When it had done all it does: the end of its last record, counted from the barrier.
    pub ended: Ps,
}

/// What went over one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkUse {
    /// Messages and transfers.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The time that the bytes take to enter it.
    pub busy: Ps,
    /// The time for which messages were held up here by others.
    pub held: Ps,
}

impl Counters {
    /// What a kind of engine did.
    pub fn engine(&self, engine: Engine) -> &EngineUse {
        &self.engines[engine as usize]
    }

    pub(super) fn engine_mut(&mut self, engine: Engine) -> &mut EngineUse {
        &mut self.engines[engine as usize]
    }

    pub(super) fn stall(&mut self, engine: Engine, cause: Cause, time: Ps) {
        self.engines[engine as usize].stalled[cause as usize] += time;
    }
}
