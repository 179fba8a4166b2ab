//! What a command waits for among those that its agent has let go before: tiles, slots, memory.
//!
//! An end that is not known yet may be found out about: that of a send, once its source has been read.
//! What cannot be known yet is tried again when something happens in the PE.

use super::dma::Block;
use super::network::NONE;
use super::op::{Moves, Need, Op, Ready, Release, UNKNOWN, Work};
use super::state::Simulation;
use crate::command::AgentId;
use crate::oplog::{Cause, LogSink};
use crate::units::Ps;

impl<L: LogSink> Simulation<'_, L> {
    /// The place of a command in flight.
    pub(super) fn op_index(&self, agent: u32, seq: u32) -> usize {
        let mut ops = self.agents[agent as usize].ops.iter();
        ops.position(|op| op.seq == seq).expect("a command in flight is on its agent's scoreboard")
    }

    /// Takes into account what earlier commands of the agent make a command wait for. False if
    /// that is not known yet.
    pub(super) fn wait_for_hazards(&mut self, agent: u32, need: &Need, ready: &mut Ready) -> bool {
        self.find_hazards(agent, need, ready).is_ok()
    }

    /// The same.
    ///
    /// # Errors
    /// The command of which it is not known yet when it lets go.
    pub(super) fn find_hazards(
        &mut self,
        agent: u32,
        need: &Need,
        ready: &mut Ready,
    ) -> Result<(), u32> {
        let mut from = 0;
        while let Some(at) = self.unknown_hazard(agent, need, (from, ready)) {
            // Once it is settled, the same command is looked at again.
            if !self.settle(agent, at, need.insists) {
                return Err(self.agents[agent as usize].ops[at].seq);
            }
            from = at;
        }
        Ok(())
    }

    /// The first command from a place on of which it is not known when it lets go. Takes those before it
    /// into account.
    fn unknown_hazard(
        &self,
        agent: u32,
        need: &Need,
        (from, ready): (usize, &mut Ready),
    ) -> Option<usize> {
        let state = &self.agents[agent as usize];
        for (at, op) in state.ops.iter().enumerate().skip(from) {
            let same_bytes = || self.move_same_bytes(agent, op, need);
            let end = (op.seq < need.seq).then(|| op.conflict(&need.touches, same_bytes)).flatten();
            match end {
                Some(UNKNOWN) => return Some(at),
                Some(end) => ready.also(end, op.lets_go(end)),
                None => {}
            }
        }
        None
    }

    /// Whether two commands move the same bytes of memory and one of them writes.
    #[inline(never)]
    fn move_same_bytes(&self, agent: u32, op: &Op, need: &Need) -> bool {
        let code = self.program.code(AgentId(agent));
        let mine = self.blocks(agent, op.seq, op.touches.moves);
        let later = self.blocks(agent, need.seq, need.touches.moves);
        mine.iter().any(|mine| later.iter().any(|it| mine.conflicts(it, code)))
    }

    /// The blocks of memory that a command moves.
    fn blocks(&self, agent: u32, seq: u32, moves: Moves) -> &[Block] {
        let agent = &self.agents[agent as usize];
        match moves {
            Moves::Nothing => &[],
            Moves::Block => agent.block(seq).map_or(&[], std::slice::from_ref),
            Moves::Composite => {
                let pipeline = agent.composites.iter().find(|it| it.seq == seq);
                pipeline.map_or(&[], |it| &it.blocks)
            }
        }
    }

    /// Finds out whether a send has been read by now. If it `insists` and it has not, its end
    /// will be an event.
    pub(super) fn settle(&mut self, agent: u32, at: usize, insists: bool) -> bool {
        let op = &self.agents[agent as usize].ops[at];
        if !matches!(op.work, Work::Send(_)) || op.train == NONE {
            return false;
        }
        let train = op.train;
        match self.network.source_end(train) {
            Some(end) => {
                self.finish_send(agent, at, end);
                true
            }
            None => {
                if insists {
                    self.network.watch(train, &mut self.events);
                }
                false
            }
        }
    }
}

impl Op {
    /// What a command that had to wait until `end` for this one says of it.
    fn lets_go(&self, end: Ps) -> Release {
        match self.record.or(self.read_record) {
            Some(record) => Release { at: end, record: Some(record), cause: Cause::Operand },
            None => Release { cause: Cause::Operand, ..self.release },
        }
    }
}
