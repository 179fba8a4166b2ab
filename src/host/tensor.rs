//! Tensors: what lies where in the machine's memories.

use std::ops::Range;
use std::sync::Arc;

use super::layout::Layout;
use crate::dtype::DType;
use crate::id;
use crate::launch;
use crate::shape::Shape;
use crate::source::Span;
use crate::topology::PeId;

id! {
    /// A tensor of a context. Ids are not reused.
    TensorId, "t";
}

/// A tensor on the machine: a dense, row-major array at one virtual address.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its id.
    pub id: TensorId,
    /// Its name, for messages.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
    /// The virtual address of its first element, the same for every rank.
    pub base: u64,
    /// Which rank holds what.
    pub placement: Placement,
    /// Where the program makes it; [`Span::NONE`] where it does not.
    pub made: Span,
}

/// Which rank holds what of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Cut along its first axis into slices that lie one after another and cover it.
    Sharded(Vec<Slice>),
    /// Copied whole to every rank, which sees its own copy.
    Replicated,
    /// All on one rank.
    Single(u32),
    /// Over cubes and PEs as a policy says.
    Policy(Arc<Layout>),
    /// In copies of the same stretches of memory, each seen by PEs of its own: one address for what several
    /// teams of a launch have.
    Copied(Arc<launch::Copies>),
}

/// The rows that one rank holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The rank.
    pub rank: u32,
    /// How many rows: indices of the first axis.
    pub rows: u64,
}

impl Placement {
    /// `rows` rows dealt to `world` ranks in order, as evenly as they go: the first ranks hold one
    /// more where they do not divide.
    pub fn even(rows: u64, world: u32) -> Placement {
        let (each, more) = (rows / u64::from(world.max(1)), rows % u64::from(world.max(1)));
        let of = |rank: u32| Slice { rank, rows: each + u64::from(u64::from(rank) < more) };
        Placement::Sharded((0..world).map(of).filter(|slice| slice.rows > 0).collect())
    }

    /// What is wrong with this placement for a tensor of `rows` rows in a world of `world` ranks:
    /// slices that do not add up, or a rank that is not there.
    pub fn fault(&self, rows: u64, world: u32) -> Option<String> {
        let missing =
            |rank: u32| format!("rank {rank} holds a part of it, and the world has {world} ranks");
        match self {
            Placement::Replicated | Placement::Policy(_) | Placement::Copied(_) => None,
            Placement::Single(rank) => (*rank >= world).then(|| missing(*rank)),
            Placement::Sharded(slices) => {
                let held = slices.iter().fold(0u64, |sum, slice| sum.saturating_add(slice.rows));
                let outside = slices.iter().find(|slice| slice.rank >= world);
                if let Some(slice) = outside {
                    return Some(missing(slice.rank));
                }
                (held != rows).then(|| format!("its slices hold {held} rows, and it has {rows}"))
            }
        }
    }
}

impl Tensor {
    /// Its size in bytes; saturates where it does not fit.
    pub fn bytes(&self) -> u64 {
        self.shape.elements().saturating_mul(self.dtype.bytes())
    }

    /// The extent of its first axis; one for a single element.
    pub fn rows(&self) -> u64 {
        self.shape.0.first().copied().unwrap_or(1)
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> u64 {
        let elements =
            self.shape.0.iter().skip(1).fold(1, |product: u64, n| product.saturating_mul(*n));
        elements.saturating_mul(self.dtype.bytes())
    }

    /// The layout of a tensor that a policy places.
    pub fn layout(&self) -> Option<&Layout> {
        let Placement::Policy(layout) = &self.placement else { return None };
        Some(layout)
    }

    /// Whether ranks have copies of their own, of all of it or of the same part.
    pub fn has_copies(&self) -> bool {
        match &self.placement {
            Placement::Replicated | Placement::Copied(_) => true,
            Placement::Policy(layout) => layout.copies() > 1,
            Placement::Sharded(_) | Placement::Single(_) => false,
        }
    }

    /// What `rank` holds: its rows and its columns, indices of the first and of the last axis. All
    /// columns where only rows are cut.
    pub fn local_part(&self, rank: u32) -> [Range<u64>; 2] {
        if let Placement::Policy(layout) = &self.placement {
            let block = layout.held_by(PeId(rank));
            return block.map_or([0..0, 0..0], |it| [it.rows.clone(), it.columns.clone()]);
        }
        let (first, count) = self.local_rows(rank);
        [first..first + count, 0..self.shape.0.last().copied().unwrap_or(1)]
    }

    /// The shape of what the first rank that holds anything has, which is the largest share.
    pub fn local_shape(&self) -> Shape {
        if let Placement::Policy(layout) = &self.placement {
            return layout.local_shape();
        }
        let rank = self.owner_of_row(0);
        let mut shape = self.shape.clone();
        if let Some(rows) = shape.0.first_mut() {
            *rows = self.local_rows(rank).1;
        }
        shape
    }

    /// The rank that holds the element at `place`, counted row by row; the first one of a tensor with
    /// copies.
    pub fn owner(&self, place: u64) -> u32 {
        if let Placement::Policy(layout) = &self.placement {
            return layout.owner(place).0;
        }
        let of_row = self.row_bytes() / self.dtype.bytes().max(1);
        self.owner_of_row(place.checked_div(of_row).unwrap_or(0))
    }

    /// A rank that sees the first copy.
    pub fn first_reader(&self) -> u32 {
        self.layout().map_or(0, |layout| layout.first_reader().0)
    }

    /// The rows that `rank` holds: the first, and how many. None of a tensor that a policy places:
    /// [`Tensor::local_part`] knows those.
    pub fn local_rows(&self, rank: u32) -> (u64, u64) {
        match &self.placement {
            Placement::Policy(_) | Placement::Copied(_) => (0, 0),
            Placement::Replicated => (0, self.rows()),
            Placement::Single(owner) if *owner == rank => (0, self.rows()),
            Placement::Single(_) => (0, 0),
            Placement::Sharded(slices) => {
                let before = slices.iter().take_while(|slice| slice.rank != rank);
                let first = before.map(|slice| slice.rows).sum();
                let own = slices.iter().find(|slice| slice.rank == rank);
                own.map_or((0, 0), |slice| (first, slice.rows))
            }
        }
    }

    /// The rank that holds a row; rank 0 of a replicated tensor, and of one that a policy places.
    pub fn owner_of_row(&self, row: u64) -> u32 {
        match &self.placement {
            Placement::Replicated | Placement::Policy(_) | Placement::Copied(_) => 0,
            Placement::Single(rank) => *rank,
            Placement::Sharded(slices) => {
                let mut end = 0;
                let holds = |slice: &&Slice| {
                    end += slice.rows;
                    row < end
                };
                slices.iter().find(holds).map_or(0, |slice| slice.rank)
            }
        }
    }

    /// The tensor's stretch of the address space, as a launch is told of it. Rank `r` is the
    /// machine's PE `r`.
    pub fn region(&self) -> launch::Region {
        let shard = |offset, bytes, rank| launch::Shard { offset, bytes, pe: PeId(rank) };
        let placement = match &self.placement {
            Placement::Replicated => launch::Placement::Replicated,
            Placement::Policy(layout) => layout.stretches(self.dtype.bytes()),
            Placement::Copied(copies) => launch::Placement::Copied(copies.clone()),
            Placement::Single(rank) => {
                launch::Placement::Sharded(vec![shard(0, self.bytes(), *rank)])
            }
            Placement::Sharded(slices) => {
                let mut offset = 0;
                let mut next = |slice: &Slice| {
                    let (start, bytes) = (offset, slice.rows * self.row_bytes());
                    offset += bytes;
                    shard(start, bytes, slice.rank)
                };
                launch::Placement::Sharded(slices.iter().map(&mut next).collect())
            }
        };
        let (name, base, bytes) = (self.name.clone(), self.base, self.bytes());
        launch::Region { name, base, bytes, placement }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(rows: u64, placement: Placement) -> Tensor {
        let (name, shape) = (String::from("x"), Shape::new([rows, 3]));
        let (id, dtype, made) = (TensorId(0), DType::F16, Span::NONE);
        Tensor { id, name, shape, dtype, base: 0x1000, placement, made }
    }

    #[test]
    fn rows_are_dealt_as_evenly_as_they_go() {
        let rows = |rows, world| match Placement::even(rows, world) {
            Placement::Sharded(slices) => slices.iter().map(|it| (it.rank, it.rows)).collect(),
            Placement::Replicated
            | Placement::Single(_)
            | Placement::Policy(_)
            | Placement::Copied(_) => vec![],
        };
        assert_eq!(rows(7, 3), [(0, 3), (1, 2), (2, 2)]);
        assert_eq!(rows(2, 3), [(0, 1), (1, 1)]);
        assert_eq!(rows(0, 3), []);
        assert_eq!(rows(1, 0), []);
    }

    #[test]
    fn a_sharded_tensor_s_region_is_its_slices() {
        let tensor = tensor(7, Placement::even(7, 3));
        let launch::Placement::Sharded(shards) = tensor.region().placement else { panic!() };
        let seen: Vec<_> = shards.iter().map(|it| (it.offset, it.bytes, it.pe.0)).collect();
        assert_eq!(seen, [(0, 18, 0), (18, 12, 1), (30, 12, 2)]);
        assert_eq!(tensor.bytes(), 42);
        assert_eq!(tensor.local_rows(1), (3, 2));
        assert_eq!(tensor.local_rows(9), (0, 0));
        assert_eq!([0, 2, 3, 6].map(|row| tensor.owner_of_row(row)), [0, 0, 1, 2]);
    }

    #[test]
    fn bad_placements_say_why() {
        let slice = |rank, rows| Slice { rank, rows };
        let short = Placement::Sharded(vec![slice(0, 2), slice(1, 2)]);
        assert_eq!(short.fault(5, 2).unwrap(), "its slices hold 4 rows, and it has 5");
        assert_eq!(short.fault(4, 2), None);
        assert!(short.fault(4, 1).is_some());
        assert!(Placement::Single(3).fault(1, 3).is_some());
    }
}
