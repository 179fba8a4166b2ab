//! The state of the queues: counters, and the messages that one side has named and the other not
//! yet.

use std::collections::VecDeque;

use crate::arena::Id;
use crate::command::{AgentId, Message, Peer, Program, QueueId, SiteId};

/// Where each direction of each walked agent leads, both ways.
pub(super) struct Wires {
    /// The agents that are walked: the first `agents`.
    pub(super) agents: usize,
    directions: usize,
    /// Where a send goes.
    peers: Vec<Option<Peer>>,
    /// Who sends into a queue, and in which direction of its own.
    feeders: Vec<Option<Peer>>,
}

impl Wires {
    /// The wires of all agents.
    pub(super) fn of(program: &Program) -> Wires {
        let directions = program.comm.directions.len();
        Wires::new(program.agents.len(), directions, program.comm.peers.clone())
    }

    /// Wires among the first `agents` agents.
    pub(super) fn new(agents: usize, directions: usize, mut peers: Vec<Option<Peer>>) -> Wires {
        peers.resize(agents * directions, None);
        let mut feeders = vec![None; peers.len()];
        for (index, peer) in peers.iter().enumerate() {
            let Some(peer) = peer else { continue };
            let queue = peer.agent.index() * directions + usize::from(peer.queue.0);
            let agent = AgentId::from_index(index / directions);
            if let Some(feeder) = feeders.get_mut(queue) {
                *feeder = Some(Peer { agent, queue: QueueId((index % directions) as u8) });
            }
        }
        Wires { agents, directions, peers, feeders }
    }

    fn index(&self, agent: AgentId, queue: QueueId) -> usize {
        agent.index() * self.directions + usize::from(queue.0)
    }

    /// Where `agent` sends in a direction.
    pub(super) fn peer(&self, agent: AgentId, queue: QueueId) -> Option<Peer> {
        self.peers.get(self.index(agent, queue)).copied().flatten()
    }

    /// Who sends into a queue of `agent`.
    pub(super) fn feeder(&self, agent: AgentId, queue: QueueId) -> Option<Peer> {
        self.feeders.get(self.index(agent, queue)).copied().flatten()
    }
}

/// Where and what one side of a message is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) site: SiteId,
    pub(super) message: Message,
}

/// Messages in a row that were named at one place.
struct Row {
    end: End,
    count: u64,
}

/// Two ends of one message that do not agree.
#[derive(Clone, Copy)]
pub(super) struct Mismatch {
    pub(super) sender: AgentId,
    pub(super) sent: End,
    pub(super) receiver: AgentId,
    pub(super) expected: End,
    pub(super) queue: QueueId,
    pub(super) token: u64,
}

/// A queue of one agent.
#[derive(Default)]
pub(super) struct Queue {
    /// Messages sent into it.
    pub(super) sent: u64,
    /// Messages that its agent has asked for.
    pub(super) claimed: u64,
    /// Messages before the first that holds its slot.
    released: u64,
    /// Messages after that which hold theirs no more.
    early: Vec<u64>,
    /// The messages that are sent but not claimed, or the other way round, in order.
    unmatched: VecDeque<Row>,
}

impl Queue {
    /// Slots that hold a message. One that was given back before its message came holds none.
    pub(super) fn held(&self) -> u64 {
        self.sent.saturating_sub(self.released).saturating_sub(self.early.len() as u64)
    }

    /// Whether the slot of message `token` is free for it.
    pub(super) fn has_room(&self, token: u64, slots: u32) -> bool {
        token < self.released.saturating_add(u64::from(slots))
    }

    /// Names one side of the next message; gives the other side, once both are known.
    fn name(&mut self, end: End, is_first: bool) -> Option<End> {
        if !is_first {
            let row = self.unmatched.front_mut()?;
            let other = row.end;
            row.count -= 1;
            if row.count == 0 {
                self.unmatched.pop_front();
            }
            return Some(other);
        }
        match self.unmatched.back_mut() {
            Some(row) if row.end == end => row.count += 1,
            _ => self.unmatched.push_back(Row { end, count: 1 }),
        }
        None
    }

    /// Sends the next message; gives what is expected of it, if that is known.
    pub(super) fn send(&mut self, end: End) -> Option<End> {
        self.sent += 1;
        self.name(end, self.sent > self.claimed)
    }

    /// Asks for the next message; gives what was sent, if it was.
    pub(super) fn claim(&mut self, end: End) -> Option<End> {
        self.claimed += 1;
        self.name(end, self.claimed > self.sent)
    }

    /// Frees the slot of message `token`.
    pub(super) fn release(&mut self, token: u64) {
        if token != self.released {
            self.early.push(token);
            return;
        }
        self.released += 1;
        while let Some(at) = self.early.iter().position(|early| *early == self.released) {
            self.early.swap_remove(at);
            self.released += 1;
        }
    }

    /// The end of the first message that only one side has named.
    pub(super) fn first_unmatched(&self) -> Option<End> {
        self.unmatched.front().map(|row| row.end)
    }

    /// Entries held for messages that only one side has named.
    pub(super) fn rows(&self) -> usize {
        self.unmatched.len()
    }
}
