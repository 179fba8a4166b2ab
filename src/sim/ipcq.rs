//! The queues between agents: which messages are in their slots, and which slots are free.

use super::network::{NONE, idle_time};
use super::routes::{LinkCosts, RouteId, Routes};
use crate::arena::Id;
use crate::command::{AgentId, Code, Peer, Program, QueueId, Template};
use crate::oplog::RecordId;
use crate::topology::{CreditMode, Machine, NodeId, Switching};
use crate::units::{Bandwidth, Ps};

/// One sender's way to one queue of its neighbour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) sender: AgentId,
    pub(super) receiver: AgentId,
    /// The queue, as the receiver calls it.
    pub(super) queue: QueueId,
    /// The way of its messages; `None` where there is none.
    pub(super) route: Option<RouteId>,
    /// How long a credit is on its way.
    credit: Ps,
}

/// What streams know of a connection.
#[derive(Clone, Copy, Debug)]
struct StreamWay {
    /// Whether the receiver's code has streams that take from the queue.
    streamable: bool,
    /// Where a router beside the receiver copies what it passes on.
    fork: Option<Fork>,
    /// Of a sender with streams, how its way begins.
    entry: Option<Entry>,
    /// When the last message that the sender had in memory had left it.
    sent: Ps,
}

/// What streams know of a slot.
#[derive(Clone, Copy, Debug)]
struct StreamSlot {
    /// The train of the message that is on its way to it, and the one to the router before, if any.
    trains: [u32; 2],
    /// The stream that waits for a message, and for which: agent, command, message.
    awaited: Option<(u32, u32, u64)>,
}

/// How the way of a sender begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The first node on it.
    pub(super) router: NodeId,
    /// From the end of a flit at the sender to its arrival there.
    pub(super) ramp: Ps,
    /// The way from there on, to the router that copies where there is one.
    pub(super) onward: RouteId,
}

/// The two parts of a way that leads by a router that copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fork {
    pub(super) router: NodeId,
    /// To the router, and from there to the PE.
    pub(super) trunk: RouteId,
    pub(super) down: RouteId,
}

/// A slot of a queue. Message `t` is the `t / slots`-th that is in slot `t % slots`.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Since when the last message can be seen.
    visible: Ps,
    /// When its sender knew that the slot was free again, and when it was.
    credit: Ps,
    fire: Ps,
    delivery: RecordId,
    release: RecordId,
    /// Messages that have been in it, the one in it included.
    filled: u32,
    /// Messages that have been taken out of it.
    freed: u32,
}

const UNUSED: Slot = Slot {
    visible: Ps::ZERO,
    credit: Ps::ZERO,
    fire: Ps::ZERO,
    delivery: RecordId(0),
    release: RecordId(0),
    filled: 0,
    freed: 0,
};

/// When a slot was free again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    /// When the sender knows.
    pub(super) time: Ps,
    /// When it happened, and what made it happen.
    pub(super) fire: Ps,
    pub(super) record: RecordId,
}

/// Every queue of a program.
#[derive(Clone, Debug, Default)]
pub(super) struct Ipcq {
    directions: usize,
    slots_each: u64,
    connections: Vec<Connection>,
    /// The connection that agent `a` sends to in direction `d`, and the one it receives from, at
    /// `a * directions + d`; [`NONE`] for none.
    sends: Vec<u32>,
    receives: Vec<u32>,
    slots: Vec<Slot>,
    /// By connection and by slot; both empty in a program without streams.
    stream_ways: Vec<StreamWay>,
    stream_slots: Vec<StreamSlot>,
}

impl Ipcq {
    /// The empty queues of `program`.
    pub(super) fn new(program: &Program, machine: &Machine, routes: &mut Routes) -> Ipcq {
        let directions = program.comm.directions.len();
        let ends = program.agents.len() * directions;
        let mut ipcq = Ipcq {
            directions,
            slots_each: u64::from(program.comm.slots.max(1)),
            sends: vec![NONE; ends],
            receives: vec![NONE; ends],
            ..Ipcq::default()
        };
        for agent in program.agents.ids() {
            for direction in 0..directions {
                let queue = QueueId(direction as u8);
                if let Some(peer) = program.comm.peer(agent, queue) {
                    ipcq.connect(program, machine, routes, (agent, queue, peer));
                }
            }
        }
        let slots = ipcq.connections.len() as u64 * ipcq.slots_each;
        ipcq.slots = vec![UNUSED; slots as usize];
        if program.codes.values().any(has_streams) {
            ipcq.prepare_streams(program, machine, routes);
        }
        ipcq
    }

    fn connect(
        &mut self,
        program: &Program,
        machine: &Machine,
        routes: &mut Routes,
        (sender, queue, peer): (AgentId, QueueId, Peer),
    ) {
        let there = self.end(peer.agent, peer.queue);
        // The program's checks leave one sender a queue; another would have no slots of its own.
        let Some(receives) = self.receives.get_mut(there).filter(|it| **it == NONE) else { return };
        let connection = self.connections.len() as u32;
        *receives = connection;
        let here = self.end(sender, queue);
        self.sends[here] = connection;
        let dma = |agent: AgentId| machine.pe(program.agents[agent].pe).dma;
        let (from, to) = (dma(sender), dma(peer.agent));
        let ipcq = &machine.params().ipcq;
        let credit = match ipcq.credit {
            CreditMode::Ideal => Ps::ZERO,
            CreditMode::Asynchronous | CreditMode::Blocking => {
                let back = machine.route(to, from).unwrap_or_default();
                idle_time(machine, &back, ipcq.credit_bytes, Bandwidth::INFINITE)
            }
        };
        let route = routes.find(machine, from, to);
        let (receiver, queue) = (peer.agent, peer.queue);
        self.connections.push(Connection { sender, receiver, queue, route, credit });
    }

    fn prepare_streams(&mut self, program: &Program, machine: &Machine, routes: &mut Routes) {
        let dma = |agent: AgentId| machine.pe(program.agents[agent].pe).dma;
        let interleaved = machine.network().switching == Switching::Interleaved;
        let way = |it: &Connection| {
            let ends = (dma(it.sender), dma(it.receiver));
            let (streamable, copies) = streams(program.code(it.receiver), it.queue);
            let fork = (copies && interleaved).then(|| find_fork(machine, routes, ends)).flatten();
            let sender = program.code(it.sender);
            let entry = find_entry(sender, machine, routes, (ends.0, ends.1, fork));
            StreamWay { streamable, fork, entry, sent: Ps::ZERO }
        };
        self.stream_ways = self.connections.iter().map(way).collect();
        self.stream_slots = vec![StreamSlot { trains: [NONE; 2], awaited: None }; self.slots.len()];
    }

    /// Whether the program has streams. Without them nothing of what follows is asked of a slot.
    pub(super) fn has_streams(&self) -> bool {
        !self.stream_ways.is_empty()
    }

    /// Whether the receiver's code has streams that take from the queue.
    pub(super) fn is_streamable(&self, connection: u32) -> bool {
        self.stream_ways.get(connection as usize).is_some_and(|way| way.streamable)
    }

    /// Where a router beside the receiver copies what it passes on.
    pub(super) fn fork(&self, connection: u32) -> Option<Fork> {
        self.stream_ways.get(connection as usize)?.fork
    }

    /// Of a sender with streams, how its way begins.
    pub(super) fn entry(&self, connection: u32) -> Option<Entry> {
        self.stream_ways.get(connection as usize)?.entry
    }

    fn end(&self, agent: AgentId, queue: QueueId) -> usize {
        agent.index() * self.directions + usize::from(queue.0)
    }

    /// The connection over which `agent` sends in a direction.
    pub(super) fn sends_to(&self, agent: AgentId, queue: QueueId) -> Option<u32> {
        self.sends.get(self.end(agent, queue)).copied().filter(|it| *it != NONE)
    }

    /// The connection over which `agent` receives from a direction.
    pub(super) fn receives_from(&self, agent: AgentId, queue: QueueId) -> Option<u32> {
        self.receives.get(self.end(agent, queue)).copied().filter(|it| *it != NONE)
    }

    /// A connection.
    pub(super) fn connection(&self, number: u32) -> &Connection {
        &self.connections[number as usize]
    }

    /// The last message that the sender had in memory has left it.
    pub(super) fn sent(&mut self, connection: u32, end: Ps) {
        if let Some(way) = self.stream_ways.get_mut(connection as usize) {
            way.sent = way.sent.max(end);
        }
    }

    /// When that was.
    pub(super) fn last_sent(&self, connection: u32) -> Ps {
        self.stream_ways.get(connection as usize).map_or(Ps::ZERO, |way| way.sent)
    }

    /// Message `token` is on its way.
    pub(super) fn set_trains(&mut self, connection: u32, token: u64, trains: [u32; 2]) {
        if let Some(slot) = self.stream_slot(connection, token) {
            slot.trains = trains;
        }
    }

    /// The stream that waits for message `token`, which waits no more.
    pub(super) fn take_awaited(&mut self, connection: u32, token: u64) -> Option<(u32, u32)> {
        let awaited = &mut self.stream_slot(connection, token)?.awaited;
        awaited.take_if(|(.., of)| *of == token).map(|(agent, seq, _)| (agent, seq))
    }

    /// The train of message `token`, which is on its way, and the one to the router before.
    pub(super) fn trains(&self, connection: u32, token: u64) -> [u32; 2] {
        let slot = self.stream_slots.get(self.slot_index(connection, token));
        slot.map_or([NONE; 2], |slot| slot.trains)
    }

    /// The train to the router before the receiver, to which nothing more is asked of it.
    pub(super) fn take_trunk(&mut self, connection: u32, token: u64) -> Option<u32> {
        let trunk = &mut self.stream_slot(connection, token)?.trains[1];
        Some(std::mem::replace(trunk, NONE)).filter(|it| *it != NONE)
    }

    /// A stream waits for message `token`, which is not on its way yet.
    pub(super) fn wait_for(&mut self, connection: u32, token: u64, (agent, seq): (u32, u32)) {
        if let Some(slot) = self.stream_slot(connection, token) {
            slot.awaited = Some((agent, seq, token));
        }
    }

    /// Whether message `token` has been taken out of its slot.
    pub(super) fn is_freed(&self, connection: u32, token: u64) -> bool {
        u64::from(self.slot(connection, token).freed) > token / self.slots_each
    }

    fn slot_index(&self, connection: u32, token: u64) -> usize {
        (u64::from(connection) * self.slots_each + token % self.slots_each) as usize
    }

    fn slot(&self, connection: u32, token: u64) -> &Slot {
        &self.slots[self.slot_index(connection, token)]
    }

    fn stream_slot(&mut self, connection: u32, token: u64) -> Option<&mut StreamSlot> {
        let index = self.slot_index(connection, token);
        self.stream_slots.get_mut(index)
    }

    fn slot_mut(&mut self, connection: u32, token: u64) -> &mut Slot {
        let index = self.slot_index(connection, token);
        &mut self.slots[index]
    }

    /// Since when message `token` can be seen, and the record of its delivery; `None` before it
    /// has arrived.
    pub(super) fn visible(&self, connection: u32, token: u64) -> Option<(Ps, RecordId)> {
        let slot = self.slot(connection, token);
        (u64::from(slot.filled) > token / self.slots_each).then_some((slot.visible, slot.delivery))
    }

    /// When the sender may send `token`; nothing to wait for in the first round of slots.
    pub(super) fn credit(&self, connection: u32, token: u64) -> Option<Option<Credit>> {
        let Some(before) = token.checked_sub(self.slots_each) else { return Some(None) };
        let slot = self.slot(connection, before);
        let is_free = u64::from(slot.freed) > before / self.slots_each;
        is_free.then_some(Some(Credit { time: slot.credit, fire: slot.fire, record: slot.release }))
    }

    /// The message that has to leave its slot before `token` may be sent.
    pub(super) fn before(&self, token: u64) -> Option<u64> {
        token.checked_sub(self.slots_each)
    }

    /// Message `token` can be seen from `time` on.
    pub(super) fn deliver(&mut self, connection: u32, token: u64, time: Ps, record: RecordId) {
        let slot = self.slot_mut(connection, token);
        slot.filled += 1;
        slot.visible = time;
        slot.delivery = record;
        if let Some(slot) = self.stream_slot(connection, token) {
            slot.trains[0] = NONE;
        }
    }

    /// Message `token` has been used on its way, and leaves its slot.
    pub(super) fn pass(&mut self, connection: u32, token: u64) {
        let slot = self.slot_mut(connection, token);
        slot.filled += 1;
        self.set_trains(connection, token, [NONE; 2]);
    }

    /// Message `token` leaves its slot at `fire`. Gives when its sender knows.
    pub(super) fn release(
        &mut self,
        connection: u32,
        token: u64,
        fire: Ps,
        record: RecordId,
    ) -> Ps {
        let credit = fire + self.connections[connection as usize].credit;
        let slot = self.slot_mut(connection, token);
        slot.freed += 1;
        slot.fire = fire;
        slot.credit = credit;
        slot.release = record;
        credit
    }

    /// How many slots of the queue that message `token` waits for are taken, of how many.
    pub(super) fn fill(&self, connection: u32) -> (u64, u64) {
        let first = self.slot_index(connection, 0);
        let slots = &self.slots[first..first + self.slots_each as usize];
        let taken = slots.iter().map(|slot| u64::from(slot.filled.saturating_sub(slot.freed)));
        (taken.sum(), self.slots_each)
    }
}

fn is_stream(template: &Template) -> bool {
    matches!(template, Template::Stream { .. })
}

fn has_streams(code: &Code) -> bool {
    code.sites.values().any(|site| is_stream(&site.template))
}

/// Whether streams of `code` take from a queue, and whether some pass on what they take unchanged.
fn streams(code: &Code, queue: QueueId) -> (bool, bool) {
    let (mut takes, mut copies) = (false, false);
    for site in code.sites.values() {
        if let Template::Stream { queue: from, acc, to, .. } = &site.template
            && *from == queue
        {
            takes = true;
            copies |= acc.is_none() && !to.is_empty();
        }
    }
    (takes, copies)
}

/// The router before `to`, if it copies.
fn find_fork(machine: &Machine, routes: &mut Routes, (from, to): (NodeId, NodeId)) -> Option<Fork> {
    let route = machine.route(from, to)?;
    let router = machine.ends(*route.last()?).0;
    if router == from || !machine.node(router).multicast {
        return None;
    }
    let (trunk, down) = (routes.find(machine, from, router)?, routes.find(machine, router, to)?);
    Some(Fork { router, trunk, down })
}

/// How the way of a sender begins whose code has streams.
fn find_entry(
    code: &Code,
    machine: &Machine,
    routes: &mut Routes,
    (from, to, fork): (NodeId, NodeId, Option<Fork>),
) -> Option<Entry> {
    if !has_streams(code) {
        return None;
    }
    let first = *machine.route(from, to)?.first()?;
    let router = machine.ends(first).1;
    let onward = routes.find(machine, router, fork.map_or(to, |fork| fork.router))?;
    Some(Entry { router, ramp: LinkCosts::of(machine, first).delay, onward })
}
