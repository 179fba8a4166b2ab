//! Who sends to whom, and when: destinations of synthetic traffic, and the chance of a packet.

use crate::topology::{Extent, Machine};

/// A pattern of destinations, as in Dally and Towles, "Principles and Practices of Interconnection
/// Networks", table 3.1, on the grid of all PEs of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Any PE, the sender included.
    Uniform,
    /// Column and row swapped.
    Transpose,
    /// The PE opposite in the order of ranks: all bits of the rank inverted.
    BitComplement,
    /// One column and one row further, around the edges.
    Neighbor,
    /// The first PE.
    Hotspot,
}

impl Pattern {
    /// Every pattern.
    pub const ALL: [Pattern; 5] = [
        Pattern::Uniform,
        Pattern::Transpose,
        Pattern::BitComplement,
        Pattern::Neighbor,
        Pattern::Hotspot,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Pattern::Uniform => "uniform",
            Pattern::Transpose => "transpose",
            Pattern::BitComplement => "bitcomp",
            Pattern::Neighbor => "neighbor",
            Pattern::Hotspot => "hotspot",
        }
    }
}

/// The PEs of a machine as one grid, level by level: a PE's column is the SIP's, then the cube's,
/// then its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeGrid {
    extent: Extent,
    pub(super) w: u32,
    pub(super) h: u32,
}

impl PeGrid {
    pub(super) fn of(machine: &Machine) -> PeGrid {
        let extent = *machine.extent();
        let Extent { sips, cubes, pes } = extent;
        PeGrid { extent, w: sips.w * cubes.w * pes.w, h: sips.h * cubes.h * pes.h }
    }

    pub(super) fn count(&self) -> u32 {
        self.w * self.h
    }

    fn place(&self, rank: u32) -> (u32, u32) {
        let Extent { cubes, pes, sips } = self.extent;
        let at = self.extent.coord(crate::topology::PeId(rank));
        let x = (at.sip % sips.w * cubes.w + at.cube % cubes.w) * pes.w + at.pe % pes.w;
        let y = (at.sip / sips.w * cubes.h + at.cube / cubes.w) * pes.h + at.pe / pes.w;
        (x, y)
    }

    fn rank(&self, (x, y): (u32, u32)) -> u32 {
        let Extent { cubes, pes, sips } = self.extent;
        let pe = y % pes.h * pes.w + x % pes.w;
        let (cx, cy) = (x / pes.w, y / pes.h);
        let cube = cy % cubes.h * cubes.w + cx % cubes.w;
        let sip = cy / cubes.h * sips.w + cx / cubes.w;
        (sip * cubes.count() + cube) * pes.count() + pe
    }
}

/// A stream of random numbers, the same on every machine: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Copy, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// Stream number `stream` of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Random {
        let mut mixer = Random { state: seed };
        let first = mixer.next();
        Random { state: first ^ Random { state: stream }.next() }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// A number below `count`.
    pub(super) fn below(&mut self, count: u32) -> u32 {
        let wide = u128::from(self.next()) * u128::from(count);
        (wide >> 64) as u32
    }

    /// True with a chance of `threshold` in 2^64.
    pub(super) fn chance(&mut self, threshold: u64) -> bool {
        self.next() < threshold
    }
}

impl Pattern {
    /// Where a packet of `from` goes.
    pub(super) fn target(self, grid: &PeGrid, from: u32, random: &mut Random) -> u32 {
        match self {
            Pattern::Uniform => random.below(grid.count()),
            Pattern::Transpose => {
                let (x, y) = grid.place(from);
                grid.rank((y % grid.w, x % grid.h))
            }
            Pattern::BitComplement => grid.count() - 1 - from,
            Pattern::Neighbor => {
                let (x, y) = grid.place(from);
                grid.rank(((x + 1) % grid.w, (y + 1) % grid.h))
            }
            Pattern::Hotspot => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Grid;

    fn grid(sips: (u32, u32), cubes: (u32, u32), pes: (u32, u32)) -> PeGrid {
        let make = |(w, h)| Grid { w, h, wraps: false };
        let extent = Extent { sips: make(sips), cubes: make(cubes), pes: make(pes) };
        PeGrid { extent, w: sips.0 * cubes.0 * pes.0, h: sips.1 * cubes.1 * pes.1 }
    }

    #[test]
    fn places_and_ranks_are_inverse() {
        let grid = grid((3, 2), (2, 4), (4, 2));
        let mut seen = vec![false; grid.count() as usize];
        for rank in 0..grid.count() {
            let (x, y) = grid.place(rank);
            assert!(x < 24 && y < 16, "{x} {y}");
            assert_eq!(grid.rank((x, y)), rank);
            assert!(!std::mem::replace(&mut seen[(y * 24 + x) as usize], true));
        }
        // The second PE of the second cube of the fifth SIP: column 1, row 1 of SIPs of 8 x 8.
        assert_eq!(grid.place(4 * 64 + 8 + 1), (8 + 4 + 1, 8));
    }

    #[test]
    fn patterns_are_those_of_the_textbook() {
        let grid = grid((1, 1), (1, 1), (4, 4));
        let mut random = Random::new(1, 0);
        let of = |pattern: Pattern, random: &mut Random| -> Vec<u32> {
            [0, 1, 6, 15].map(|from| pattern.target(&grid, from, random)).to_vec()
        };
        assert_eq!(of(Pattern::Transpose, &mut random), [0, 4, 9, 15]);
        assert_eq!(of(Pattern::BitComplement, &mut random), [15, 14, 9, 0]);
        assert_eq!(of(Pattern::Neighbor, &mut random), [5, 6, 11, 0]);
        assert_eq!(of(Pattern::Hotspot, &mut random), [0, 0, 0, 0]);
        let mut hits = [0u32; 16];
        for _ in 0..16_000 {
            hits[Pattern::Uniform.target(&grid, 3, &mut random) as usize] += 1;
        }
        // 1,000 each, with a standard deviation of 31.
        assert!(hits.iter().all(|count| (850..1150).contains(count)), "{hits:?}");
    }
}
