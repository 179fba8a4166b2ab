//! Atomic ops at the memories: each memory carries them out one after another, in the order in
//! which their operands arrive, burst by burst, and answers each when it is done.

use std::collections::VecDeque;

use super::event::{Event, EventKey, EventKind};
use super::network::Cargo;
use super::op::Work;
use super::state::{Simulation, Step};
use crate::oplog::LogSink;
use crate::units::Ps;

/// The atomic ops of one memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Modifier {
    /// When it has carried out all that has come.
    free: Ps,
    /// What it has not carried out, the oldest first.
    queue: VecDeque<Cargo>,
}

impl<L: LogSink> Simulation<'_, L> {
    /// The operands of an atomic op have come to a memory.
    #[inline(never)]
    pub(super) fn modify(&mut self, cargo: &Cargo) {
        let bursts = cargo.bytes.div_ceil(self.params.hbm.burst.max(1));
        let modifier = self.modifiers.entry(cargo.place).or_default();
        modifier.free =
            modifier.free.max(self.now) + Ps(self.params.hbm.atomic.0.saturating_mul(bursts));
        modifier.queue.push_back(*cargo);
        let key = EventKey::memory(cargo.place);
        self.events.push(Event::new(modifier.free, key, EventKind::Modified, cargo.place));
    }

    /// The memory of PE number `place` has carried out the oldest of its atomic ops.
    #[inline(never)]
    pub(super) fn modified(&mut self, place: u32) -> Step<()> {
        let oldest = self.modifiers.get_mut(&place).and_then(|it| it.queue.pop_front());
        let Some(cargo) = oldest else { return Ok(()) };
        let at = self.op_index(cargo.agent, cargo.seq);
        let back = matches!(
            self.agents[cargo.agent as usize].ops[at].work,
            Work::Atomic { back: true, .. }
        );
        self.answer(&cargo, if back { cargo.bytes } else { 0 })
    }
}
