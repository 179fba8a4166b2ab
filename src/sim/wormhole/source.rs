//! Where packets enter: a queue of each class in front of a channel, from which flits are sent as
//! the first router has room for them.

use std::collections::VecDeque;

use super::CLASSES;
use super::packet::{Flit, NONE};
use super::router::Surroundings;
use super::wheel::Arrival;

/// What waits in front of one channel.
#[derive(Debug)]
pub(super) struct Source {
    channel: u32,
    queues: [VecDeque<u32>; CLASSES],
    /// The virtual channel that the first packet of each class holds, and the one that the class
    /// held last.
    held: [u32; CLASSES],
    last: [u32; CLASSES],
    last_class: usize,
}

impl Source {
    pub(super) fn new(channel: u32) -> Source {
        Source {
            channel,
            queues: Default::default(),
            held: [NONE; CLASSES],
            last: [0; CLASSES],
            last_class: 0,
        }
    }

    /// Puts a packet at the end of the queue of its class.
    pub(super) fn push(&mut self, packet: u32, class: u8) {
        self.queues[usize::from(class)].push_back(packet);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// Sends at most one flit, of the class whose turn it is. Gives the packet whose last flit that
    /// was, as its sender knows it, and when its last bit has left.
    pub(super) fn step(&mut self, it: &mut Surroundings<'_>) -> Option<(u32, u64)> {
        if !it.channels[self.channel as usize].is_free_in(it.cycle + 1) {
            return None;
        }
        for turn in 1..=CLASSES {
            let class = (self.last_class + turn) % CLASSES;
            let Some(packet) = self.queues[class].front().copied() else { continue };
            if it.packets[packet as usize].is_read_at() > it.cycle {
                continue;
            }
            if self.held[class] == NONE {
                self.take_vc(class, packet, it);
            }
            let vc = self.held[class];
            if vc != NONE && it.channels[self.channel as usize].credits[vc as usize] > 0 {
                return self.send(class, packet, it);
            }
            if let Some(journal) = it.journal.as_mut().filter(|_| vc != NONE) {
                journal.starve(packet, self.channel);
            }
        }
        None
    }

    /// Takes the first free virtual channel with room, by turns.
    fn take_vc(&mut self, class: usize, packet: u32, it: &mut Surroundings<'_>) {
        let hop = it.hops[it.packets[packet as usize].parcel.way.0 as usize];
        let first = class as u32 * it.params.vcs + u32::from(hop.low);
        let count = u32::from(hop.high - hop.low);
        let channel = &mut it.channels[self.channel as usize];
        let after = self.last[class].saturating_sub(first);
        let mut turns = (1..=count).map(|turn| first + (after + turn) % count);
        let free =
            |vc: &u32| channel.holder[*vc as usize] == NONE && channel.credits[*vc as usize] > 0;
        if let Some(vc) = turns.find(free) {
            channel.holder[vc as usize] = packet;
            (self.held[class], self.last[class]) = (vc, vc);
        }
    }

    fn send(&mut self, class: usize, number: u32, it: &mut Surroundings<'_>) -> Option<(u32, u64)> {
        let channel = &mut it.channels[self.channel as usize];
        let packet = &mut it.packets[number as usize];
        let vc = self.held[class];
        let flit = Flit { packet: number, is_last: packet.sent + 1 == packet.flits };
        let mut waited = 0;
        if packet.sent == 0 {
            packet.first_sent = it.cycle;
            packet.since = packet.is_read_at();
            waited = packet.end_wait(it.cycle, 0);
            channel.held += waited;
            packet.at = 1;
        }
        packet.sent += 1;
        channel.credits[vc as usize] -= 1;
        let bytes = packet.size_of(flit, it.params.flit_bytes);
        let (end, arrival) = channel.send(it.cycle + 1, (bytes, it.params.flit_bytes));
        it.wheel.push(arrival, Arrival::Flit { channel: self.channel, vc: vc as u16, flit });
        self.last_class = class;
        let tag = packet.parcel.tag;
        if flit.is_last {
            if let Some(journal) = &mut it.journal {
                journal.tail(number, end);
            }
            channel.release(vc as u16);
            self.held[class] = NONE;
            self.queues[class].pop_front();
        }
        it.note(self.channel, tag, (end, waited, bytes));
        flit.is_last.then_some((tag, end))
    }
}
