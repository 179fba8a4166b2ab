//! Where the last flit of each packet was when, and how long a packet wanted room: what accounts are made of.

/// What is noted of a packet under way. Hops are those of its way, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sim) struct Notes {
    /// When the last bit of it had entered the channel of each hop that it has passed whole, in ticks.
    pub(in crate::sim) tails: Vec<u64>,
    /// Channels in front of which its next flit found no room behind them, and for how many cycles.
    pub(in crate::sim) starved: Vec<(u32, u64)>,
}

/// The notes of all packets under way, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    packets: Vec<Notes>,
}

impl Journal {
    fn notes(&mut self, packet: u32) -> &mut Notes {
        let packet = packet as usize;
        if self.packets.len() <= packet {
            self.packets.resize_with(packet + 1, Notes::default);
        }
        &mut self.packets[packet]
    }

    /// The last flit of a packet has entered the next channel of its way.
    pub(super) fn tail(&mut self, packet: u32, end: u64) {
        self.notes(packet).tails.push(end);
    }

    /// For a cycle there was no room for a packet behind a channel.
    pub(super) fn starve(&mut self, packet: u32, channel: u32) {
        let starved = &mut self.notes(packet).starved;
        match starved.iter_mut().find(|it| it.0 == channel) {
            Some(known) => known.1 += 1,
            None => starved.push((channel, 1)),
        }
    }

    /// Takes what was noted of a packet, which is at its target.
    pub(super) fn take(&mut self, packet: u32) -> Notes {
        std::mem::take(self.notes(packet))
    }
}
