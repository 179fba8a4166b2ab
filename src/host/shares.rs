//! What each PE holds of a tensor, to move it share by share: each share is one stretch of memory, whose
//! elements may lie apart in the tensor.

use super::Layout;
use super::tensor::{Placement, Tensor};
use crate::topology::PeId;

/// Elements that follow one another in a tensor, counted row by row: the first, and how many.
pub type Run = (u64, u64);

/// What one PE holds of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Whose.
    pub pe: u32,
    /// Where it begins in the tensor's stretch of memory, in elements.
    pub offset: u64,
    /// How many elements.
    pub elements: u64,
}

/// `runs` with what follows on joined, and each moved by `by` elements.
pub fn joined(runs: impl IntoIterator<Item = Run>, by: u64) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    for (first, count) in runs {
        let first = first.saturating_add(by);
        match found.last_mut() {
            Some((start, length)) if start.saturating_add(*length) == first => *length += count,
            Some(_) | None => found.push((first, count)),
        }
    }
    found
}

impl Tensor {
    /// What each PE holds that has any of it, in the order of the PEs. `None` of a tensor that is not one
    /// rank's own: cut along its rows over the ranks, or copied to all of them.
    pub fn shares(&self) -> Option<Vec<Share>> {
        match &self.placement {
            Placement::Single(pe) => {
                Some(vec![Share { pe: *pe, offset: 0, elements: self.shape.elements() }])
            }
            Placement::Policy(layout) => Some(layout.shares()),
            Placement::Sharded(_) | Placement::Replicated | Placement::Copied(_) => None,
        }
    }

    /// The elements of what `pe` holds, in the order of its memory.
    pub fn runs(&self, pe: u32) -> Vec<Run> {
        match self.layout() {
            Some(layout) => layout.held_by(PeId(pe)).map_or(Vec::new(), |it| layout.runs(it)),
            None => vec![(0, self.shape.elements())],
        }
    }

    /// Whether both are cut alike: as many shares, of the same elements each.
    pub fn is_cut_like(&self, other: &Tensor) -> bool {
        self.shape == other.shape
            && match (&self.placement, &other.placement) {
                (Placement::Policy(own), Placement::Policy(other)) => own.is_like(other),
                (Placement::Single(_), Placement::Single(_)) => true,
                (_, _) => false,
            }
    }
}

impl Layout {
    /// Every PE's share that has elements, in the order of the PEs.
    fn shares(&self) -> Vec<Share> {
        let part = self.part();
        let of = |pe: PeId| {
            let block = self.held_by(pe)?;
            let elements = self.elements_of(block);
            Some(Share { pe: pe.0, offset: block.offset, elements })
        };
        part.members(self.machine()).into_iter().filter_map(of).collect()
    }

    /// Whether the PEs of both hold the same, each part counted from its own first PE.
    pub fn is_like(&self, other: &Layout) -> bool {
        let forms = |it: &Layout| (it.policy().cube, it.policy().pe);
        forms(self) == forms(other) && self.part().is_like(&other.part()) && self.is_of_shape(other)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dtype::DType;
    use crate::host::{DpPolicy, Form, SipChoice, TensorId};
    use crate::shape::Shape;
    use crate::source::Span;
    use crate::topology::{Extent, Grid};

    const fn grid(w: u32, h: u32) -> Grid {
        Grid { w, h, wraps: false }
    }

    const EXTENT: Extent = Extent { sips: grid(2, 1), cubes: grid(2, 1), pes: grid(2, 1) };

    fn tensor(policy: DpPolicy, device: SipChoice, shape: [u64; 2]) -> Tensor {
        let part = policy.part(device, (&EXTENT, 8)).unwrap();
        let shape = Shape::new(shape);
        let layout = Layout::new(policy, &shape, (part, EXTENT)).unwrap();
        let placement = Placement::Policy(Arc::new(layout));
        let (id, made, name) = (TensorId(0), Span::NONE, String::from("x"));
        Tensor { id, name, shape, dtype: DType::F16, base: 0, placement, made }
    }

    #[test]
    fn shares_are_stretches_and_their_elements_runs() {
        let policy = DpPolicy { cube: Form::RowWise, pe: Form::ColumnWise, ..DpPolicy::default() };
        let x = tensor(policy, SipChoice::One(1), [3, 4]);
        let shares: Vec<(u32, u64, u64)> =
            x.shares().unwrap().iter().map(|it| (it.pe, it.offset, it.elements)).collect();
        // Two rows for the first cube, one for the second; two columns for each PE.
        assert_eq!(shares, [(4, 0, 4), (5, 4, 4), (6, 8, 2), (7, 10, 2)]);
        assert_eq!(x.runs(5), [(2, 2), (6, 2)]);
        assert_eq!(x.runs(6), [(8, 2)]);
        assert!(x.is_cut_like(&tensor(policy, SipChoice::One(0), [3, 4])));
        assert!(!x.is_cut_like(&tensor(policy, SipChoice::One(0), [4, 4])));
        let turned = DpPolicy { cube: Form::ColumnWise, pe: Form::RowWise, ..policy };
        assert!(!x.is_cut_like(&tensor(turned, SipChoice::One(0), [3, 4])));
    }

    #[test]
    fn copies_are_shares_of_their_own_and_nothing_is_none() {
        let copies = tensor(DpPolicy::default(), SipChoice::Cube(2), [3, 4]);
        let pes: Vec<u32> = copies.shares().unwrap().iter().map(|it| it.pe).collect();
        assert_eq!(pes, [4, 5]);
        assert_eq!(copies.runs(5), [(0, 12)]);
        let few = DpPolicy { cube: Form::RowWise, ..DpPolicy::default() };
        let few = tensor(few, SipChoice::One(0), [1, 4]);
        assert_eq!(few.shares().unwrap().len(), 2);
    }

    #[test]
    fn runs_that_follow_on_are_one() {
        assert_eq!(joined([(0, 2), (2, 3), (8, 1)], 10), [(10, 5), (18, 1)]);
        assert_eq!(joined([], 3), []);
    }
}
