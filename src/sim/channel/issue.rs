//! What each command of a block waits for and does.

use super::{Done, Phase, Which};
use crate::command::channel::{
    self, BlockBarrier, BlockSync, ChannelCmd, KernelEnd, ListId, Moment, VisitChannel,
};
use crate::command::{AgentId, Code};
use crate::oplog::{Cause, LogSink, RecordId};
use crate::sim::op::Ready;
use crate::sim::state::{Simulation, Step};
use crate::topology::BlockParams;
use crate::units::Ps;

/// One command of one block.
pub(super) struct Act<'s, 'a, L> {
    pub(super) sim: &'s mut Simulation<'a, L>,
    pub(super) which: Which,
    pub(super) at: Moment,
}

impl<L: LogSink> Simulation<'_, L> {
    pub(super) fn issue(&mut self, which: Which, it: &ChannelCmd) -> Step<Done> {
        it.op.visit(&mut Act { sim: self, which, at: it.at })
    }
}

impl<L: LogSink> Act<'_, '_, L> {
    pub(super) fn code(&self) -> &Code {
        self.sim.program.code(AgentId(self.which.agent))
    }

    pub(super) fn costs(&self) -> &BlockParams {
        &self.sim.params.blocks
    }

    fn list(&self, list: ListId) -> Vec<u32> {
        self.code().lists[list].clone()
    }

    pub(super) fn phase(&mut self) -> &mut Phase {
        &mut self.sim.channels.blocks[self.which.agent as usize].phase
    }

    /// The command ends `cost` after `ready`.
    pub(super) fn over(&mut self, ready: Ready, cost: Ps) -> Step<Done> {
        let end = ready.time.max(self.sim.now) + cost;
        let record = self.sim.log_block(self.which, ready, end);
        self.sim.is_over(self.which.agent, end, record);
        self.go_on()
    }

    /// What becomes of a command whose end is known.
    pub(super) fn go_on(&mut self) -> Step<Done> {
        Ok(self.sim.passes(self.which.agent))
    }

    /// What a block must have done before others may rely on it: its stores have arrived. `None`
    /// while some have not.
    fn settled(&self) -> Option<Ready> {
        let block = &self.sim.channels.blocks[self.which.agent as usize];
        if block.stores > 0 {
            return None;
        }
        let mut ready = self.sim.comes(self.which.agent);
        if let Some((at, record)) = block.stored {
            ready.also_end(at, Some(record), Cause::Link);
        }
        Some(ready)
    }

    /// Meets others: the last to come lets all go after `cost`. Gives those that go, the first of
    /// the rank last, so that what the meeting ends with has seen all of them.
    fn let_go(&mut self, mut present: Vec<(Which, Ready)>, cost: Ps) {
        let now = self.sim.now;
        let last = present.iter().map(|(_, ready)| *ready).max_by_key(|ready| ready.time);
        present.sort_by_key(|(which, _)| std::cmp::Reverse(which.agent));
        for (which, mut ready) in present {
            if let Some(last) = last {
                let cause = Cause::Barrier.min(last.release.cause);
                ready.also_end(last.time, last.release.record, cause);
            }
            let record = self.sim.log_block(which, ready, now + cost);
            self.sim.is_over(which.agent, now + cost, record);
            self.sim.wake_at(which.agent, now + cost);
        }
    }
}

impl<L: LogSink> VisitChannel for Act<'_, '_, L> {
    type Out = Step<Done>;

    fn exchange(&mut self, it: &channel::Exchange) -> Step<Done> {
        self.exchange_now(it.spec)
    }

    fn port_put(&mut self, it: &channel::PortPut) -> Step<Done> {
        self.port_put_now(it.spec)
    }

    fn flush(&mut self, it: &channel::Flush) -> Step<Done> {
        let posted = |end: u32| (end, self.sim.channels.ports[end as usize].posted);
        let wanted: Vec<(u32, u64)> = self.list(it.channels).into_iter().map(posted).collect();
        if matches!(self.phase(), Phase::Before) {
            *self.phase() = Phase::Flushes(wanted);
        }
        self.flush_now()
    }

    fn signal(&mut self, it: &channel::Signal) -> Step<Done> {
        // A relaxed signal leaves without waiting for the block's stores; on the links to the same
        // peer it stays behind them.
        let ready =
            if it.relaxed { Some(self.sim.comes(self.which.agent)) } else { self.settled() };
        let Some(ready) = ready else { return Ok(Done::Waits) };
        let ends = self.list(it.channels);
        let costs = self.costs();
        let mut cost = if it.relaxed { Ps::ZERO } else { costs.fence };
        if ends.iter().any(|end| self.sim.is_port(*end)) {
            cost += costs.post;
        }
        let start = ready.time.max(self.sim.now);
        let record = self.sim.log_block(self.which, ready, start + cost);
        for end in ends {
            self.sim.post_signal(self.which, end, (start + cost, record));
        }
        self.sim.is_over(self.which.agent, start + cost, record);
        self.go_on()
    }

    fn await_signal(&mut self, it: &channel::AwaitSignal) -> Step<Done> {
        if matches!(self.phase(), Phase::Before) {
            let mut wanted = Vec::new();
            for end in self.list(it.channels) {
                let counter = &mut self.sim.channels.counters[end as usize];
                counter.expected += 1;
                wanted.push((end, counter.expected));
            }
            *self.phase() = Phase::Awaits(wanted);
        }
        let Phase::Awaits(wanted) = self.phase().clone() else { return Ok(Done::Waits) };
        let mut ready = self.sim.comes(self.which.agent);
        for (end, count) in wanted {
            let Some((at, record)) = self.sim.channels.counters[end as usize].nth(count) else {
                return Ok(Done::Waits);
            };
            ready.also_end(at, Some(record), Cause::Link);
        }
        let fence = if it.relaxed { Ps::ZERO } else { self.costs().fence };
        let cost = self.costs().poll + fence;
        self.over(ready, cost)
    }

    fn sync(&mut self, _: &BlockSync) -> Step<Done> {
        let (ready, cost) = (self.sim.comes(self.which.agent), self.costs().sync);
        self.over(ready, cost)
    }

    fn barrier(&mut self, it: &BlockBarrier) -> Step<Done> {
        if matches!(self.phase(), Phase::Meets) {
            return Ok(Done::Waits);
        }
        let Some(ready) = self.settled() else { return Ok(Done::Waits) };
        *self.phase() = Phase::Meets;
        let meeting = &mut self.sim.channels.barriers[it.barrier as usize];
        meeting.present.push((self.which, ready));
        if meeting.present.len() < it.blocks as usize {
            return Ok(Done::Waits);
        }
        let present = std::mem::take(&mut meeting.present);
        let cost = self.costs().barrier;
        self.let_go(present, cost);
        self.go_on()
    }

    fn acquire(&mut self, it: &channel::Acquire) -> Step<Done> {
        let all = self.list(it.semaphores);
        let mut taken = if let Phase::Acquires(taken) = self.phase() { *taken } else { 0 };
        let mut last: Option<(Ps, RecordId)> = None;
        while let Some(semaphore) = all.get(taken) {
            let state = &mut self.sim.channels.semaphores[*semaphore as usize];
            if state.value == 0 {
                *self.phase() = Phase::Acquires(taken);
                return Ok(Done::Waits);
            }
            state.value -= 1;
            last = last.max(state.last);
            taken += 1;
        }
        let mut ready = self.sim.comes(self.which.agent);
        if let Some((at, record)) = last {
            ready.also_end(at, Some(record), Cause::Barrier);
        }
        let cost = self.costs().poll;
        self.over(ready, cost)
    }

    fn release(&mut self, it: &channel::Release) -> Step<Done> {
        let Some(ready) = self.settled() else { return Ok(Done::Waits) };
        let cost = self.costs().sync;
        let end = ready.time.max(self.sim.now) + cost;
        let record = self.sim.log_block(self.which, ready, end);
        for semaphore in self.list(it.semaphores) {
            let state = &mut self.sim.channels.semaphores[semaphore as usize];
            state.value += 1;
            state.last = Some((end, record));
        }
        self.sim.is_over(self.which.agent, end, record);
        self.sim.wake(self.sim.agents[self.which.agent as usize].pe);
        self.go_on()
    }

    fn kernel_end(&mut self, _: &KernelEnd) -> Step<Done> {
        let rank = self.sim.rank_of(self.which.agent);
        if !matches!(self.phase(), Phase::Meets) {
            let Some(ready) = self.settled() else { return Ok(Done::Waits) };
            *self.phase() = Phase::Meets;
            self.sim.channels.kernels[rank as usize].present.push((self.which, ready));
        }
        let agents = self.sim.program.channels.ranks[rank as usize].agents as usize;
        let is_idle = self.sim.channels.proxies[rank as usize].unread == 0;
        let meeting = &mut self.sim.channels.kernels[rank as usize];
        if meeting.present.len() < agents || !is_idle {
            return Ok(Done::Waits);
        }
        let present = std::mem::take(&mut meeting.present);
        let cost = self.costs().launch;
        self.let_go(present, cost);
        self.go_on()
    }
}
