//! What is known of the bytes of a memory, by range: whether they were written, and by whom.

use std::collections::BTreeMap;
use std::ops::Range;

/// A fact for each byte of some disjoint ranges. Touching ranges of one fact are one range.
#[derive(Clone, Debug)]
pub(super) struct RangeMap<T> {
    /// The end and the fact of each range, by its start.
    ranges: BTreeMap<u64, (u64, T)>,
}

impl<T> Default for RangeMap<T> {
    fn default() -> Self {
        RangeMap { ranges: BTreeMap::new() }
    }
}

impl<T: Copy + PartialEq> RangeMap<T> {
    /// The range that holds byte `at`, and its fact.
    pub(super) fn at(&self, at: u64) -> Option<(Range<u64>, T)> {
        let (start, (end, fact)) = self.ranges.range(..=at).next_back()?;
        (at < *end).then_some((*start..*end, *fact))
    }

    /// The first byte of `range` of which nothing is known.
    pub(super) fn first_gap(&self, range: Range<u64>) -> Option<u64> {
        let mut at = range.start;
        while at < range.end {
            let Some((known, _)) = self.at(at) else { return Some(at) };
            at = known.end;
        }
        None
    }

    /// Makes `fact` the fact of every byte of `range`.
    pub(super) fn insert(&mut self, range: Range<u64>, fact: T) {
        if range.is_empty() || self.holds(&range, fact) {
            return;
        }
        self.remove(range.clone());
        let Range { mut start, mut end } = range;
        if let Some((left, known)) = start.checked_sub(1).and_then(|before| self.at(before))
            && known == fact
        {
            start = left.start;
        }
        if let Some((right, known)) = self.at(end)
            && known == fact
        {
            self.ranges.remove(&right.start);
            end = right.end;
        }
        self.ranges.insert(start, (end, fact));
    }

    /// Whether one range covers `range` with `fact`.
    fn holds(&self, range: &Range<u64>, fact: T) -> bool {
        self.at(range.start).is_some_and(|(known, held)| held == fact && range.end <= known.end)
    }

    /// Forgets every byte of `range`.
    pub(super) fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if let Some((known, fact)) = self.at(range.start)
            && known.start < range.start
        {
            self.ranges.insert(known.start, (range.start, fact));
            if range.end < known.end {
                self.ranges.insert(range.end, (known.end, fact));
                return;
            }
        }
        while let Some((start, (end, fact))) = self.first_in(&range) {
            self.ranges.remove(&start);
            if end > range.end {
                self.ranges.insert(range.end, (end, fact));
            }
        }
    }

    /// The first range that starts in `range`.
    fn first_in(&self, range: &Range<u64>) -> Option<(u64, (u64, T))> {
        self.ranges.range(range.clone()).next().map(|(start, rest)| (*start, *rest))
    }

    /// Every range with its fact, lowest first.
    #[cfg(test)]
    fn iter(&self) -> impl Iterator<Item = (Range<u64>, T)> {
        self.ranges.iter().map(|(start, (end, fact))| (*start..*end, *fact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a plain array of facts, over many small insertions and removals.
    #[test]
    fn it_agrees_with_an_array() {
        let (mut map, mut array) = (RangeMap::default(), [None; 40]);
        let mut state = 1_u64;
        for _ in 0..4000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let start = (state >> 40) % 40;
            let end = (start + (state >> 50) % 12).min(40);
            let fact = (state >> 20) % 4;
            let cells = &mut array[start as usize..end as usize];
            if fact == 0 {
                map.remove(start..end);
                cells.fill(None);
            } else {
                map.insert(start..end, fact);
                cells.fill(Some(fact));
            }
            for at in 0..40 {
                assert_eq!(map.at(at).map(|(_, fact)| fact), array[at as usize]);
            }
            let gap = (5..35).find(|at| array[*at as usize].is_none());
            assert_eq!(map.first_gap(5..35), gap);
            let ranges: Vec<_> = map.iter().collect();
            for pair in ranges.windows(2) {
                let (left, right) = (&pair[0], &pair[1]);
                assert!(left.0.end < right.0.start || left.1 != right.1, "{ranges:?}");
            }
        }
    }
}
