//! When a packet would arrive on idle routers with room for all of it.

use super::channel::End;
use super::packet::Parcel;
use super::{RouterNetwork, TICKS};

impl RouterNetwork {
    /// When the last bit of a packet that nobody else and no want of room holds up would have entered the
    /// channel of each hop, added to `tails`, and when all of it would be written, in ticks: its head goes step by step,
    /// the other flits behind it as fast as the slowest stage lets them.
    pub(super) fn idle(&self, parcel: &Parcel, tails: &mut Vec<u64>) -> u64 {
        let flit_bytes = self.params.flit_bytes;
        let flits = parcel.bytes.div_ceil(flit_bytes).max(1);
        let last = parcel.bytes - flit_bytes * (flits - 1);
        let (ready, each) = parcel.read;
        let single = if flits == 1 { parcel.until } else { 0 };
        let sent = (ready + each).max(single).div_ceil(TICKS);
        let late = parcel.until.div_ceil(TICKS).saturating_sub(sent) * TICKS;
        let mut start = sent + 1;
        let mut slowest = each.max(TICKS);
        let (way, hops) = (parcel.way.0 as usize, usize::from(parcel.way.1));
        let mut arrival = start;
        for hop in &self.hops[way..way + hops] {
            let spec = &self.channels[hop.channel as usize].spec;
            let takes = |bytes: u64| (spec.flit * bytes).div_ceil(flit_bytes);
            let entered = start * TICKS + takes(parcel.bytes.min(flit_bytes));
            arrival = (entered + spec.flight).div_ceil(TICKS).max(start + 1);
            slowest = slowest.max(spec.flit);
            tails.push(start * TICKS + ((flits - 1) * slowest).max(late) + takes(last));
            start = arrival + self.pipeline();
        }
        let behind = ((flits - 1) * slowest).max(late).div_ceil(TICKS);
        let each_written = (arrival + behind) * TICKS + parcel.write;
        each_written.max(arrival * TICKS + flits * parcel.write)
    }

    /// Cycles of a head in a router that it meets nobody in.
    pub(super) fn pipeline(&self) -> u64 {
        self.params.head_cycles() + self.params.switch_cycles()
    }

    /// Whether a channel leaves a router.
    pub(super) fn leaves_router(&self, channel: u32) -> bool {
        matches!(self.channels[channel as usize].spec.from, End::Router(_))
    }
}
