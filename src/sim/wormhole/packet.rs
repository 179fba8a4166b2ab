//! Packets, their flits, and the ways they take.

use super::TICKS;

/// What is not there.
pub(super) const NONE: u32 = u32::MAX;

/// One flit of a packet. A virtual channel holds whole packets one after the other, so a flit need
/// not know its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flit {
    pub(super) packet: u32,
    /// Whether it is the packet's last.
    pub(super) is_last: bool,
}

/// One step of a way: a channel, and the virtual channels of its class that may be taken there,
/// from `low` to before `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Hop {
    pub(in crate::sim) channel: u32,
    pub(in crate::sim) low: u16,
    pub(in crate::sim) high: u16,
}

/// A packet to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sim) struct Parcel {
    /// Where its way begins among all hops, and how long it is.
    pub(in crate::sim) way: (u32, u16),
    pub(in crate::sim) class: u8,
    pub(in crate::sim) bytes: u64,
    /// When its first byte can be read, in ticks, and how long a flit of it takes then.
    pub(in crate::sim) read: (u64, u64),
    /// When its last flit can be read at the earliest, in ticks.
    pub(in crate::sim) until: u64,
    /// How long its target takes to write a flit, in ticks.
    pub(in crate::sim) write: u64,
    /// What the sender knows it by.
    pub(in crate::sim) tag: u32,
}

/// A packet under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) parcel: Parcel,
    pub(super) flits: u32,
    /// The hop that its head takes next.
    pub(super) at: u16,
    /// Flits that have left the source.
    pub(super) sent: u32,
    /// The cycle in which its first flit left the source.
    pub(super) first_sent: u64,
    /// The cycle in which its head came to where it is.
    pub(super) since: u64,
    /// The hop at which its head waited longest, and for how many cycles.
    pub(super) held: (u16, u64),
    /// The cycle in which its first flit came to its target, and when all that has come is written,
    /// in ticks.
    pub(super) came: u64,
    pub(super) written: u64,
}

/// A packet that has arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Delivery {
    pub(in crate::sim) tag: u32,
    pub(in crate::sim) bytes: u64,
    /// When its last byte is written, in ticks.
    pub(in crate::sim) done: u64,
    /// The cycle in which its first flit came to its target.
    pub(in crate::sim) came: u64,
    /// The cycle in which its first flit left the source.
    pub(in crate::sim) first_sent: u64,
    /// Where its way begins, the hop of it at which its head waited longest, and for how long, in
    /// cycles.
    pub(in crate::sim) way: u32,
    pub(in crate::sim) held: (u16, u64),
    /// What was sent.
    pub(in crate::sim) parcel: Parcel,
}

impl Packet {
    pub(super) fn new(parcel: Parcel, flit_bytes: u64) -> Packet {
        let flits = u32::try_from(parcel.bytes.div_ceil(flit_bytes).max(1)).unwrap_or(u32::MAX);
        Packet {
            parcel,
            flits,
            at: 0,
            sent: 0,
            first_sent: 0,
            since: 0,
            held: (0, 0),
            came: 0,
            written: 0,
        }
    }

    /// The bytes of one of its flits; the last one holds what is left.
    pub(super) fn size_of(&self, flit: Flit, flit_bytes: u64) -> u64 {
        let before = flit_bytes * u64::from(self.flits - 1);
        if flit.is_last { self.parcel.bytes.saturating_sub(before) } else { flit_bytes }
    }

    /// The first cycle in which its next flit has been read from its source.
    pub(super) fn is_read_at(&self) -> u64 {
        let (start, each) = self.parcel.read;
        let is_last = self.sent + 1 == self.flits;
        let until = if is_last { self.parcel.until } else { 0 };
        (start + each * u64::from(self.sent + 1)).max(until).div_ceil(TICKS)
    }

    /// Counts the wait of its head at its present place, which ended in `cycle` and could have
    /// ended `least` cycles after it came.
    pub(super) fn end_wait(&mut self, cycle: u64, least: u64) -> u64 {
        let wait = cycle.saturating_sub(self.since + least);
        if wait > self.held.1 {
            self.held = (self.at, wait);
        }
        wait
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery {
            tag: self.parcel.tag,
            bytes: self.parcel.bytes,
            done: self.written,
            came: self.came,
            first_sent: self.first_sent,
            way: self.parcel.way.0,
            held: self.held,
            parcel: self.parcel,
        }
    }
}

impl Delivery {
    /// A packet that was where it goes to at a time in ticks.
    pub(in crate::sim) fn at_once(tag: u32, time: u64) -> Delivery {
        let first_sent = time / TICKS;
        let came = first_sent;
        let parcel = Parcel::default();
        Delivery { tag, bytes: 0, done: time, came, first_sent, way: 0, held: (0, 0), parcel }
    }
}
