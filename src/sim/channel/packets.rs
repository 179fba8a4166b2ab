//! Which packets have come, by address: for readers, which wait for the flag of their launch.

use std::collections::BTreeMap;

use crate::oplog::RecordId;
use crate::units::Ps;

/// Packets that were written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packets {
    /// The launch of the writer.
    pub(super) flag: u32,
    /// When they can be read.
    pub(super) at: Ps,
    /// What wrote them.
    pub(super) record: Option<RecordId>,
}

/// Every packet of a machine, by address.
#[derive(Clone, Debug, Default)]
pub(super) struct PacketMap {
    /// Stretches by their first address, with their ends, none overlapping another.
    stretches: BTreeMap<u64, (u64, Packets)>,
}

impl PacketMap {
    /// Packets are written at `address..address + bytes`.
    pub(super) fn write(&mut self, address: u64, bytes: u64, packets: Packets) {
        if bytes == 0 {
            return;
        }
        let end = address.saturating_add(bytes);
        self.split(address);
        self.split(end);
        let covered: Vec<u64> = self.stretches.range(address..end).map(|(at, _)| *at).collect();
        covered.iter().for_each(|at| {
            self.stretches.remove(at);
        });
        self.stretches.insert(address, (end, packets));
    }

    /// The last packets to come of `address..address + bytes` if all have come by `now` with
    /// `flag`; `None` if not. Of nothing, all has come.
    pub(super) fn read(
        &self,
        (address, bytes): (u64, u64),
        (flag, now): (u32, Ps),
    ) -> Option<Option<Packets>> {
        let end = address.saturating_add(bytes);
        let mut at = address;
        let mut last: Option<Packets> = None;
        while at < end {
            let (_, (until, packets)) = self.stretches.range(..=at).next_back()?;
            if *until <= at || packets.flag != flag || packets.at > now {
                return None;
            }
            if last.is_none_or(|last| packets.at > last.at) {
                last = Some(*packets);
            }
            at = *until;
        }
        Some(last)
    }

    /// Lets no stretch reach across `at`.
    fn split(&mut self, at: u64) {
        let across = self.stretches.range(..at).next_back().map(|(start, it)| (*start, *it));
        if let Some((start, (end, packets))) = across.filter(|(_, (end, _))| *end > at) {
            self.stretches.insert(start, (at, packets));
            self.stretches.insert(at, (end, packets));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(flag: u32, at: u64) -> Packets {
        Packets { flag, at: Ps(at), record: None }
    }

    #[test]
    fn a_reader_waits_for_every_packet_of_its_launch() {
        let mut map = PacketMap::default();
        map.write(100, 50, packets(1, 5));
        map.write(150, 50, packets(1, 9));
        let read = |map: &PacketMap, at, bytes, flag, now| map.read((at, bytes), (flag, Ps(now)));
        assert_eq!(read(&map, 100, 100, 1, 9), Some(Some(packets(1, 9))));
        assert_eq!(read(&map, 100, 50, 1, 5), Some(Some(packets(1, 5))));
        assert_eq!(read(&map, 100, 100, 1, 8), None, "the rest has not come");
        assert_eq!(read(&map, 99, 10, 1, 9), None, "nobody wrote the first");
        assert_eq!(read(&map, 190, 20, 1, 9), None, "nor the last");
        assert_eq!(read(&map, 300, 0, 1, 0), Some(None));
        map.write(120, 10, packets(2, 11));
        assert_eq!(read(&map, 100, 100, 1, 20), None, "some were written again");
        assert_eq!(read(&map, 130, 70, 1, 20), Some(Some(packets(1, 9))));
        assert_eq!(read(&map, 120, 10, 2, 20), Some(Some(packets(2, 11))));
    }
}
