//! A channel: the wires from one router to the next, and what the near end knows of the buffers at
//! the far one.

use super::TICKS;
use super::packet::NONE;

/// What is at one end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum End {
    /// A router.
    Router(u32),
    /// A part that only sends and receives.
    Terminal,
}

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct ChannelSpec {
    pub(in crate::sim) from: End,
    pub(in crate::sim) to: End,
    /// How long a whole flit takes to enter it, and from then to its arrival, in ticks.
    pub(in crate::sim) flit: u64,
    pub(in crate::sim) flight: u64,
    /// How long a credit takes on the wire back, in ticks.
    pub(in crate::sim) back: u64,
}

/// A channel and the virtual channels at its far end, as its near end sees them.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) spec: ChannelSpec,
    /// The number of its port at the router that it leaves, and at the one that it enters.
    pub(super) from_port: u32,
    pub(super) to_port: u32,
    /// Room at the far end, in flits.
    pub(super) credits: Vec<u32>,
    /// The packet that holds each virtual channel, from its head to its tail.
    pub(super) holder: Vec<u32>,
    /// Room at the far end of an empty virtual channel; whether each is held although its tail has left,
    /// until all of that is back; and whether any ever is.
    room: u32,
    drains: Vec<bool>,
    waits: bool,
    /// When it has sent what was given to it, in ticks.
    free: u64,
    /// Cycles for which heads waited to be sent here.
    pub(super) held: u64,
}

impl Channel {
    pub(super) fn new(spec: ChannelSpec, vcs: usize, room: u32) -> Channel {
        Channel {
            spec,
            from_port: 0,
            to_port: 0,
            credits: vec![room; vcs],
            holder: vec![NONE; vcs],
            room,
            drains: vec![false; vcs],
            waits: false,
            free: 0,
            held: 0,
        }
    }

    /// The same, whose virtual channels may be held until their credits are back.
    pub(super) fn waiting(self, waits: bool) -> Channel {
        Channel { waits, ..self }
    }

    /// The tail of the packet that holds a virtual channel has left.
    pub(super) fn release(&mut self, vc: u16) {
        if self.waits {
            self.drains[usize::from(vc)] = true;
        } else {
            self.holder[usize::from(vc)] = NONE;
        }
    }

    /// There is room for one more flit at the far end of a virtual channel.
    pub(super) fn take_credit(&mut self, vc: u16) {
        let vc = usize::from(vc);
        self.credits[vc] += 1;
        if self.drains[vc] && self.credits[vc] == self.room {
            (self.drains[vc], self.holder[vc]) = (false, NONE);
        }
    }

    /// Whether a flit that gets here at the begin of `cycle` enters it in that cycle.
    pub(super) fn is_free_in(&self, cycle: u64) -> bool {
        self.free < (cycle + 1) * TICKS
    }

    /// Sends a flit of `bytes` of `flit_bytes` that gets here at the begin of `cycle`. Gives when
    /// its last bit has left, in ticks, and the cycle in which it arrives, a later one.
    pub(super) fn send(&mut self, cycle: u64, (bytes, flit_bytes): (u64, u64)) -> (u64, u64) {
        let start = self.free.max(cycle * TICKS);
        self.free = start + (self.spec.flit * bytes).div_ceil(flit_bytes);
        let arrival = (self.free + self.spec.flight).div_ceil(TICKS);
        (self.free, arrival.max(cycle + 1))
    }

    /// Cycles from when a flit leaves the buffer at the far end to when the near end knows, without
    /// what the near end itself takes.
    pub(super) fn credit_flight(&self) -> u64 {
        2 + self.spec.back.div_ceil(TICKS)
    }

    /// The longest that anything is under way here after it was sent, in cycles.
    pub(super) fn longest(&self) -> u64 {
        (self.spec.flit + self.spec.flight + self.spec.back).div_ceil(TICKS) + 4
    }
}
