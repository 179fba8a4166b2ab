//! Walks the agents against the counters of the queues.

use std::collections::VecDeque;

use super::queues::{End, Mismatch, Queue, Wires};
use crate::arena::Id;
use crate::command::channel::ChannelCmd;
use crate::command::{
    self, AgentId, Message, Place, Program, QueueId, SiteId, TileRef, WalkError, Walker,
};

/// Commands that one agent walks before others have a turn.
const TURN: u32 = 4096;

/// Instructions that may be run for each command of the budget.
const INSTS_PER_COMMAND: u64 = 8;

/// Messages named by one side only, counted in rows of equal ones, before the check gives up.
const MAX_ROWS: usize = 4 << 20;

/// Bytes of walkers that the check may hold.
const MAX_WALKER_BYTES: u64 = 2 << 30;

/// Different mismatches that are worth reporting.
const MAX_MISMATCHES: usize = 16;

/// What an agent waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// For a free slot.
    ToSend,
    /// For a message.
    ToReceive,
    /// For a neighbour that it does not have.
    ForNobody,
}

/// A command that cannot go on.
#[derive(Clone, Copy)]
pub(super) struct Blocked {
    pub(super) waits: Waits,
    /// The agent's own direction.
    pub(super) queue: QueueId,
    pub(super) token: u64,
    pub(super) site: SiteId,
    /// What is sent, for a send.
    message: Option<Message>,
    /// Whether the slot is free as soon as the message is there.
    copies: bool,
    /// The stream that waits, and how many of its outputs have been sent.
    stream: Option<(command::IpcqStream, usize)>,
}

/// How far an agent is.
pub(super) enum State {
    /// It can go on, or has not been looked at.
    Ready,
    /// It waits.
    Blocked(Blocked),
    /// It has ended.
    Done,
    /// It cannot go on.
    Failed(WalkError),
}

/// A check in progress.
pub(super) struct Run<'a> {
    program: &'a Program,
    pub(super) wires: Wires,
    walkers: Vec<Walker>,
    pub(super) states: Vec<State>,
    queues: Vec<Queue>,
    ready: VecDeque<AgentId>,
    /// Whether each agent is among the ready ones.
    queued: Vec<bool>,
    pub(super) mismatches: Vec<Mismatch>,
    operations: u64,
    instructions: u64,
    rows: usize,
    budget: u64,
}

impl<'a> Run<'a> {
    /// All agents at their starts. Where holding them would take too much memory, none.
    pub(super) fn new(program: &'a Program, wires: Wires, budget: u64) -> Run<'a> {
        let agents: Vec<AgentId> = program.agents.ids().take(wires.agents).collect();
        let bytes = |agent: &AgentId| {
            let code = program.code(*agent);
            u64::from(code.regs) * 16 + u64::from(code.tiles) * 24
        };
        let is_affordable = agents.iter().map(bytes).sum::<u64>() <= MAX_WALKER_BYTES;
        let walkers = if is_affordable {
            agents.iter().map(|agent| Walker::new(program, *agent)).collect()
        } else {
            Vec::new()
        };
        let queues = agents.len() * program.comm.directions.len();
        Run {
            program,
            wires,
            walkers,
            states: agents.iter().map(|_| State::Ready).collect(),
            queues: std::iter::repeat_with(Queue::default).take(queues).collect(),
            queued: vec![true; agents.len()],
            ready: agents.into(),
            mismatches: Vec::new(),
            operations: 0,
            instructions: 0,
            rows: 0,
            budget: if is_affordable { budget } else { 0 },
        }
    }

    /// Walks until nobody can go on; false where the budget ended first.
    pub(super) fn run(&mut self) -> bool {
        while let Some(agent) = self.ready.pop_front() {
            let spent = self.operations >= self.budget
                || self.instructions / INSTS_PER_COMMAND >= self.budget.max(1)
                || self.rows > MAX_ROWS
                || self.walkers.is_empty();
            if spent {
                return false;
            }
            self.queued[agent.index()] = false;
            self.turn(agent);
        }
        true
    }

    /// Commands walked.
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    /// The queue of `agent` in a direction.
    pub(super) fn queue(&self, agent: AgentId, queue: QueueId) -> Option<&Queue> {
        self.queues.get(self.index(agent, queue))
    }

    fn index(&self, agent: AgentId, queue: QueueId) -> usize {
        agent.index() * self.program.comm.directions.len() + usize::from(queue.0)
    }

    /// Walks `agent` until it waits, ends or has had its turn.
    fn turn(&mut self, agent: AgentId) {
        if let State::Blocked(blocked) = self.states[agent.index()]
            && !self.retry(agent, blocked)
        {
            return;
        }
        for _ in 0..TURN {
            let walker = &mut self.walkers[agent.index()];
            let before = walker.instructions();
            let step = walker.next(self.program);
            self.instructions += walker.instructions() - before;
            let step = match step {
                Ok(Some(step)) => step,
                Ok(None) => return self.states[agent.index()] = State::Done,
                Err(error) => return self.fail(agent, error),
            };
            self.operations += 1;
            let outcome = step.command.visit(&mut Act { run: self, agent, site: step.site });
            if let Err(blocked) = outcome {
                self.states[agent.index()] = State::Blocked(blocked);
                return;
            }
        }
        self.enqueue(agent);
    }

    fn fail(&mut self, agent: AgentId, error: WalkError) {
        if matches!(error, WalkError::Endless { .. }) {
            // Finding that out takes long; the others may be left alone.
            self.budget = 0;
        }
        self.states[agent.index()] = State::Failed(error);
    }

    fn enqueue(&mut self, agent: AgentId) {
        if !std::mem::replace(&mut self.queued[agent.index()], true) {
            self.ready.push_back(agent);
        }
    }

    /// Tries again what `agent` waits for; whether it could go on.
    fn retry(&mut self, agent: AgentId, blocked: Blocked) -> bool {
        let Blocked { queue, token, site, .. } = blocked;
        let mut act = Act { run: self, agent, site };
        if let Some((stream, sent)) = blocked.stream {
            let outcome = act.stream(&stream, sent);
            self.states[agent.index()] = outcome.map_or_else(State::Blocked, |()| State::Ready);
            return outcome.is_ok();
        }
        let outcome = match (blocked.waits, blocked.message) {
            (Waits::ToSend, Some(message)) => act.send(queue, token, message),
            (Waits::ToReceive, _) => act.take(queue, token, blocked.copies),
            (Waits::ToSend | Waits::ForNobody, _) => Err(blocked),
        };
        if outcome.is_ok() {
            self.states[agent.index()] = State::Ready;
        }
        outcome.is_ok()
    }

    /// Lets `agent` try again if it waits in this direction.
    fn wake(&mut self, agent: AgentId, queue: QueueId, waits: Waits) {
        let Some(State::Blocked(blocked)) = self.states.get(agent.index()) else { return };
        if blocked.waits == waits && blocked.queue == queue {
            self.enqueue(agent);
        }
    }

    fn compare(&mut self, found: Mismatch) {
        let is_known = |known: &Mismatch| {
            known.sent.site == found.sent.site && known.expected.site == found.expected.site
        };
        let differs = found.sent.message != found.expected.message;
        if differs
            && self.mismatches.len() < MAX_MISMATCHES
            && !self.mismatches.iter().any(is_known)
        {
            self.mismatches.push(found);
        }
    }
}

/// One command of one agent.
struct Act<'r, 'a> {
    run: &'r mut Run<'a>,
    agent: AgentId,
    site: SiteId,
}

type Outcome = Result<(), Blocked>;

impl Act<'_, '_> {
    fn blocked(&self, waits: Waits, queue: QueueId, token: u64) -> Blocked {
        let site = self.site;
        Blocked { waits, queue, token, site, message: None, copies: false, stream: None }
    }

    fn send(&mut self, direction: QueueId, token: u64, message: Message) -> Outcome {
        let Some(peer) = self.run.wires.peer(self.agent, direction) else {
            return Err(self.blocked(Waits::ForNobody, direction, token));
        };
        let slots = self.run.program.comm.slots;
        let index = self.run.index(peer.agent, peer.queue);
        let queue = &mut self.run.queues[index];
        if !queue.has_room(token, slots) {
            let blocked = self.blocked(Waits::ToSend, direction, token);
            return Err(Blocked { message: Some(message), ..blocked });
        }
        let (sent, rows) = (End { site: self.site, message }, queue.rows());
        let expected = queue.send(sent);
        self.run.rows = self.run.rows + queue.rows() - rows;
        if let Some(expected) = expected {
            let (sender, receiver, queue) = (self.agent, peer.agent, peer.queue);
            self.run.compare(Mismatch { sender, sent, receiver, expected, queue, token });
        }
        self.run.wake(peer.agent, peer.queue, Waits::ToReceive);
        Ok(())
    }

    /// Asks for the next message of a queue.
    fn claim(&mut self, direction: QueueId, token: u64, message: Message) {
        let (receiver, expected) = (self.agent, End { site: self.site, message });
        let feeder = self.run.wires.feeder(receiver, direction);
        let index = self.run.index(receiver, direction);
        let queue = &mut self.run.queues[index];
        let rows = queue.rows();
        let sent = queue.claim(expected);
        self.run.rows = self.run.rows + queue.rows() - rows;
        if let (Some(sent), Some(feeder)) = (sent, feeder) {
            let (sender, queue) = (feeder.agent, direction);
            self.run.compare(Mismatch { sender, sent, receiver, expected, queue, token });
        }
    }

    /// Waits until a message that was asked for is there.
    fn take(&mut self, direction: QueueId, token: u64, copies: bool) -> Outcome {
        let is_fed = self.run.wires.feeder(self.agent, direction).is_some();
        let queue = self.run.queue(self.agent, direction);
        if queue.is_none_or(|queue| queue.sent <= token) {
            let waits = if is_fed { Waits::ToReceive } else { Waits::ForNobody };
            return Err(Blocked { copies, ..self.blocked(waits, direction, token) });
        }
        if copies {
            self.release(direction, token);
        }
        Ok(())
    }

    /// Goes on with a stream of which `sent` outputs have been sent: with its message there, sends
    /// the others, then frees the slot.
    fn stream(&mut self, it: &command::IpcqStream, sent: usize) -> Outcome {
        let Some((queue, token)) = slot(it.slot) else { return Ok(()) };
        let again = |blocked: Blocked, sent| Blocked { stream: Some((*it, sent)), ..blocked };
        self.take(queue, token, false).map_err(|blocked| again(blocked, sent))?;
        for (index, (to, number)) in it.outputs().enumerate().skip(sent) {
            self.send(to, number, it.message).map_err(|blocked| again(blocked, index))?;
        }
        self.release(queue, token);
        Ok(())
    }

    fn release(&mut self, direction: QueueId, token: u64) {
        let index = self.run.index(self.agent, direction);
        self.run.queues[index].release(token);
        if let Some(feeder) = self.run.wires.feeder(self.agent, direction) {
            self.run.wake(feeder.agent, feeder.queue, Waits::ToSend);
        }
    }
}

/// The queue and message of a slot.
fn slot(tile: TileRef) -> Option<(QueueId, u64)> {
    match tile.place {
        Place::Slot { queue, token } => Some((queue, token)),
        Place::Scratch(_) => None,
    }
}

impl command::Visit for Act<'_, '_> {
    type Out = Outcome;

    fn channel(&mut self, _: &ChannelCmd) -> Outcome {
        // Programs with channels are checked by `channel`.
        Ok(())
    }

    fn dma_read(&mut self, _: &command::DmaRead) -> Outcome {
        Ok(())
    }

    fn dma_write(&mut self, _: &command::DmaWrite) -> Outcome {
        Ok(())
    }

    fn dma_gather(&mut self, _: &command::DmaGather) -> Outcome {
        Ok(())
    }

    fn dma_scatter(&mut self, _: &command::DmaScatter) -> Outcome {
        Ok(())
    }

    fn dma_atomic(&mut self, _: &command::DmaAtomic) -> Outcome {
        Ok(())
    }

    fn math(&mut self, _: &command::MathCmd) -> Outcome {
        Ok(())
    }

    fn gemm(&mut self, _: &command::GemmCmd) -> Outcome {
        Ok(())
    }

    fn composite(&mut self, _: &command::CompositeCmd) -> Outcome {
        Ok(())
    }

    fn composite_wait(&mut self, _: &command::CompositeWait) -> Outcome {
        Ok(())
    }

    fn ipcq_send(&mut self, it: &command::IpcqSend) -> Outcome {
        self.send(it.queue, it.token, it.message)
    }

    fn ipcq_recv(&mut self, it: &command::IpcqRecv) -> Outcome {
        let Some((queue, token)) = slot(it.slot) else { return Ok(()) };
        self.claim(queue, token, it.message);
        self.take(queue, token, it.dst.is_some())
    }

    fn ipcq_stream(&mut self, it: &command::IpcqStream) -> Outcome {
        if let Some((queue, token)) = slot(it.slot) {
            self.claim(queue, token, it.message);
        }
        self.stream(it, 0)
    }

    fn ipcq_recv_async(&mut self, it: &command::IpcqRecvAsync) -> Outcome {
        if let Some((queue, token)) = slot(it.slot) {
            self.claim(queue, token, it.message);
        }
        Ok(())
    }

    fn wait(&mut self, it: &command::Wait) -> Outcome {
        match slot(it.slot) {
            Some((queue, token)) => self.take(queue, token, false),
            None => Ok(()),
        }
    }

    fn ipcq_release(&mut self, it: &command::IpcqRelease) -> Outcome {
        if let Some((queue, token)) = slot(it.slot) {
            self.release(queue, token);
        }
        Ok(())
    }
}
