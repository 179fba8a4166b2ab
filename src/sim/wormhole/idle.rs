//! When a packet would arrive on idle routers with room for all of it.

use super::channel::End;
use super::packet::Parcel;
use super::{RouterNetwork, TICKS};

impl RouterNetwork {
    /// When all of a packet would be written that nobody else and no want of room holds up, in ticks:
    /// its head step by step, the other flits behind it as fast as the slowest stage lets them.
    pub(super) fn idle_done(&self, parcel: &Parcel) -> u64 {
        let flit_bytes = self.params.flit_bytes;
        let flits = parcel.bytes.div_ceil(flit_bytes).max(1);
        let first = parcel.bytes.min(flit_bytes);
        let (ready, each) = parcel.read;
        let single = if flits == 1 { parcel.until } else { 0 };
        let sent = (ready + each).max(single).div_ceil(TICKS);
        let mut start = sent + 1;
        let mut slowest = each.max(TICKS);
        let (way, hops) = (parcel.way.0 as usize, usize::from(parcel.way.1));
        let mut arrival = start;
        for hop in &self.hops[way..way + hops] {
            let spec = &self.channels[hop.channel as usize].spec;
            let entered = start * TICKS + (spec.flit * first).div_ceil(flit_bytes);
            arrival = (entered + spec.flight).div_ceil(TICKS).max(start + 1);
            slowest = slowest.max(spec.flit);
            start = arrival + self.pipeline();
        }
        let behind = ((flits - 1) * slowest).div_ceil(TICKS);
        let behind = behind.max(parcel.until.div_ceil(TICKS).saturating_sub(sent));
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
