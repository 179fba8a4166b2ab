//! Which bursts of a memory a transfer touches.
//!
//! A block is fetched in the order of its addresses, whatever the order of its tile. What is
//! contiguous costs its bytes; everything else costs whole bursts, one for each burst that a row
//! touches: memory has nothing smaller.

use crate::ir::DmaDesc;

/// Bursts that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct BurstRun {
    /// The number of the first: its address over the bytes of a burst.
    pub(in crate::sim) first: u64,
    pub(in crate::sim) count: u64,
}

/// The bursts of a transfer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Bursts {
    /// As many as its bytes fill, from this one on.
    Row(u64),
    /// A list of runs among [`BurstLists`].
    Runs(u32),
}

/// The lists of the transfers on their way that are no rows.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct BurstLists {
    lists: Vec<Vec<BurstRun>>,
    spare: Vec<u32>,
}

impl BurstLists {
    /// Keeps a list until [`BurstLists::take`].
    pub(in crate::sim) fn keep(&mut self, runs: Vec<BurstRun>) -> Bursts {
        match self.spare.pop() {
            Some(at) => {
                self.lists[at as usize] = runs;
                Bursts::Runs(at)
            }
            None => {
                self.lists.push(runs);
                Bursts::Runs(self.lists.len() as u32 - 1)
            }
        }
    }

    /// The runs of a transfer of `bytes`, which has them no longer.
    pub(in crate::sim) fn take(
        &mut self,
        bursts: Bursts,
        (bytes, burst): (u64, u64),
    ) -> Vec<BurstRun> {
        match bursts {
            Bursts::Row(first) => vec![BurstRun { first, count: bytes.div_ceil(burst).max(1) }],
            Bursts::Runs(at) => {
                self.spare.push(at);
                std::mem::take(&mut self.lists[at as usize])
            }
        }
    }
}

/// The bursts of one memory that a transfer touches, as they are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sim) struct Touched {
    runs: Vec<BurstRun>,
    first: u64,
    count: u64,
    /// Where the bytes so far end, and whether there was a gap between them.
    end: u64,
    bytes: u64,
    broken: bool,
}

impl Touched {
    /// `bytes` contiguous bytes, or bursts if it says so, from `address` on.
    pub(in crate::sim) fn row(address: u64, bytes: u64, burst: u64) -> Touched {
        let mut touched = Touched::default();
        touched.add(address, bytes, burst);
        touched
    }

    /// More of the same memory: a row of bytes, each burst of which is touched.
    pub(in crate::sim) fn add(&mut self, address: u64, bytes: u64, burst: u64) {
        let first = address / burst;
        let last = address.saturating_add(bytes.saturating_sub(1)) / burst;
        self.broken |= self.count > 0 && address != self.end;
        self.end = address.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.count == 0 {
            (self.first, self.count) = (first, last - first + 1);
            return;
        }
        let next = self.runs.last().map_or(self.first + self.count, |run| run.first + run.count);
        let first = if first + 1 == next { next } else { first };
        let Some(count) = (last + 1).checked_sub(first).filter(|count| *count > 0) else { return };
        match self.runs.last_mut() {
            None if first == next => self.count += count,
            Some(run) if first == next => run.count += count,
            Some(_) => self.runs.push(BurstRun { first, count }),
            None => {
                self.runs.push(BurstRun { first: self.first, count: self.count });
                self.runs.push(BurstRun { first, count });
            }
        }
    }

    /// Says that not all bytes of its rows are asked for.
    pub(in crate::sim) fn set_sparse(&mut self) {
        self.broken = true;
    }

    /// The bytes that travel: those asked for if they are contiguous, else those of its bursts.
    pub(in crate::sim) fn bytes(&self, burst: u64) -> u64 {
        if !self.broken {
            return self.bytes;
        }
        let count = match self.runs.as_slice() {
            [] => self.count,
            runs => runs.iter().map(|run| run.count).sum(),
        };
        count.saturating_mul(burst)
    }

    /// The first burst, and all runs if there are several.
    pub(in crate::sim) fn into_runs(self) -> (u64, Vec<BurstRun>) {
        (self.first, self.runs)
    }
}

/// A block in the order of its addresses: rows of bytes, each burst of which is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Walk {
    base: u64,
    /// Rows lie so, the longest distance first.
    outer: Vec<(u64, u64)>,
    /// The bytes of a row from its first to its last.
    row: u64,
    /// Whether all of a row's bytes are asked for.
    filled: bool,
}

impl Walk {
    /// The walk over a block whose lowest byte is `base`.
    pub(in crate::sim) fn of(base: u64, desc: &DmaDesc, burst: u64) -> Walk {
        let steps = desc.dims.iter().filter(|dim| dim.extent > 1);
        let mut outer: Vec<(u64, u64)> =
            steps.map(|dim| (dim.extent, dim.stride.unsigned_abs())).collect();
        // Repeated reading of the same bytes is the outermost loop.
        outer.sort_by_key(|(_, stride)| std::cmp::Reverse(stride.wrapping_sub(1)));
        let (mut row, mut filled) = (desc.elem_bytes, true);
        while let Some((extent, stride)) = outer.last().copied() {
            if stride == 0 || stride > row.max(burst) {
                break;
            }
            filled &= stride <= row;
            row = row.saturating_add((extent - 1).saturating_mul(stride));
            outer.pop();
        }
        Walk { base, outer, row, filled }
    }

    /// Whether all bytes of each row are asked for.
    pub(in crate::sim) fn is_filled(&self) -> bool {
        self.filled
    }

    /// Calls `visit(address, bytes)` for each row, in order, until it fails.
    pub(in crate::sim) fn each<E>(
        &self,
        visit: &mut dyn FnMut(u64, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut index = vec![0u64; self.outer.len()];
        let mut at = self.base;
        loop {
            visit(at, self.row)?;
            let mut axis = self.outer.len();
            loop {
                let Some(next) = axis.checked_sub(1) else { return Ok(()) };
                axis = next;
                let (extent, stride) = self.outer[axis];
                index[axis] += 1;
                at = at.wrapping_add(stride);
                if index[axis] < extent {
                    break;
                }
                at = at.wrapping_sub(extent.wrapping_mul(stride));
                index[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::DmaDim;

    fn desc(dims: &[(u64, i64)], elem_bytes: u64) -> DmaDesc {
        let dims = dims.iter().map(|(extent, stride)| DmaDim { extent: *extent, stride: *stride });
        DmaDesc { dims: dims.collect(), elem_bytes }
    }

    /// What a block that begins at its lowest byte touches.
    fn touched(base: u64, dims: &[(u64, i64)], elem_bytes: u64) -> Touched {
        let walk = Walk::of(base, &desc(dims, elem_bytes), 256);
        let mut all = Touched::default();
        walk.each::<()>(&mut |at, bytes| {
            all.add(at, bytes, 256);
            Ok(())
        })
        .unwrap();
        if !walk.is_filled() {
            all.set_sparse();
        }
        all
    }

    fn runs(touched: Touched) -> Vec<(u64, u64)> {
        let (first, runs) = touched.clone().into_runs();
        match runs.as_slice() {
            [] => vec![(first, touched.count)],
            runs => runs.iter().map(|run| (run.first, run.count)).collect(),
        }
    }

    #[test]
    fn what_is_contiguous_costs_its_bytes() {
        assert_eq!(touched(1000, &[(100, 4)], 4).bytes(256), 400);
        // Rows that follow each other are one; so is a transposed block that is dense.
        assert_eq!(touched(0, &[(8, 64), (16, 4)], 4).bytes(256), 512);
        assert_eq!(touched(0, &[(16, 4), (8, 64)], 4).bytes(256), 512);
        assert_eq!(runs(touched(1000, &[(100, 4)], 4)), [(3, 3)]);
    }

    #[test]
    fn what_is_not_costs_the_bursts_that_its_rows_touch() {
        // A column: a burst each.
        let column = touched(0, &[(64, 1024)], 4);
        assert_eq!((column.bytes(256), runs(column).len()), (64 * 256, 64));
        // Rows of half a burst.
        assert_eq!(touched(0, &[(32, 256), (64, 2)], 2).bytes(256), 32 * 256);
        // Every other element: all the bursts between the first and the last.
        let sparse = touched(0, &[(128, 8)], 4);
        assert_eq!((sparse.bytes(256), runs(sparse)), (1024, vec![(0, 4)]));
        // Rows of 300 bytes from byte 200 of a burst on: 200..500 touches two, 1200..1500 two.
        let rows = touched(200, &[(2, 1000), (75, 4)], 4);
        assert_eq!((rows.bytes(256), runs(rows)), (4 * 256, vec![(0, 2), (4, 2)]));
        // Two neighbours that share a burst fetch it once.
        let rows = touched(0, &[(2, 300), (70, 4)], 4);
        assert_eq!((rows.bytes(256), runs(rows)), (3 * 256, vec![(0, 3)]));
    }

    #[test]
    fn a_walk_visits_what_the_definition_has() {
        let cases: [&[(u64, i64)]; 5] = [
            &[(3, 1000), (5, 300), (7, 4)],
            &[(5, 300), (3, 1000), (7, 8)],
            &[(2, 0), (3, 512), (4, 4)],
            &[(1, 999), (4, 2048), (64, 4)],
            &[(6, 260), (65, 4)],
        ];
        for dims in cases {
            let mut expected: Vec<u64> = vec![0];
            for (extent, stride) in dims {
                let all = expected
                    .iter()
                    .flat_map(|at| (0..*extent).map(move |step| at + step * stride.unsigned_abs()));
                expected = all.collect();
            }
            let mut bursts: Vec<u64> =
                expected.iter().flat_map(|at| [at / 256, (at + 3) / 256]).collect();
            bursts.sort_unstable();
            bursts.dedup();
            let mut found: Vec<u64> = runs(touched(0, dims, 4))
                .iter()
                .flat_map(|(first, count)| *first..first + count)
                .collect();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, bursts, "{dims:?}");
        }
    }
}
