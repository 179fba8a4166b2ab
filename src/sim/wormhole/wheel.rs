//! What is on its way between routers: flits and credits, by the cycle in which they arrive.

use super::packet::Flit;

/// Something that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A flit reaches the far end of a channel, on one of its virtual channels.
    Flit { channel: u32, vc: u16, flit: Flit },
    /// The near end of a channel learns that the far one has room for one more flit.
    Credit { channel: u32, vc: u16 },
}

/// A ring of cycles, long enough for the longest way there is.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Vec<Vec<Arrival>>,
    mask: u64,
    /// Arrivals that have not been taken.
    pending: u64,
}

impl Wheel {
    /// A wheel for ways of at most `longest` cycles.
    pub(super) fn new(longest: u64) -> Wheel {
        let size = (longest + 2).next_power_of_two();
        Wheel { slots: vec![Vec::new(); size as usize], mask: size - 1, pending: 0 }
    }

    /// Lets something arrive in `cycle`, which lies ahead, not further than the longest way.
    pub(super) fn push(&mut self, cycle: u64, arrival: Arrival) {
        self.slots[(cycle & self.mask) as usize].push(arrival);
        self.pending += 1;
    }

    /// Takes all that arrives in `cycle` into `into`, which is empty.
    pub(super) fn take(&mut self, cycle: u64, into: &mut Vec<Arrival>) {
        std::mem::swap(&mut self.slots[(cycle & self.mask) as usize], into);
        self.pending -= into.len() as u64;
    }

    /// The first cycle after `cycle` in which something arrives.
    pub(super) fn next_after(&self, cycle: u64) -> Option<u64> {
        if self.pending == 0 {
            return None;
        }
        let ahead = 1..=self.mask + 1;
        ahead.map(|by| cycle + by).find(|at| !self.slots[(at & self.mask) as usize].is_empty())
    }
}
