//! Parts of arrays: `a[1, :, 2:8]`.

use ndarray::{Axis, Slice as NdSlice};

use super::HostError;
use super::array::{Array, check_shape};
use super::lanes::{Data, Lane, Lanes, extents, with_lanes};
use crate::shape::Shape;

/// What is taken of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// One place; the axis disappears. Negative places count from the end.
    At(i128),
    /// Every `step`-th place from `start`, `count` of them. The places are known to lie inside.
    Range {
        /// The first place.
        start: usize,
        /// How many.
        count: usize,
        /// The distance; negative to go backwards.
        step: isize,
    },
    /// The whole axis.
    All,
    /// A new axis of one element; takes nothing.
    New,
}

/// The shape of the part that `indices` take of an array of this shape.
///
/// # Errors
/// As [`Array::index`].
pub fn part_shape(shape: &Shape, indices: &[Index]) -> Result<Shape, HostError> {
    check_indices(shape, indices)?;
    let mut extents = shape.0.iter().copied();
    let mut part = Vec::with_capacity(shape.rank());
    for index in indices {
        match index {
            Index::New => part.push(1),
            Index::All => part.extend(extents.next()),
            Index::At(_) => {
                extents.next();
            }
            Index::Range { count, .. } => {
                extents.next();
                part.push(*count as u64);
            }
        }
    }
    part.extend(extents);
    Ok(Shape(part))
}

impl Array {
    /// The part that `indices` take, first axis first; axes not named are whole.
    ///
    /// # Errors
    /// Too many indices, or a place outside of its axis.
    pub fn index(&self, indices: &[Index]) -> Result<Array, HostError> {
        let shape = self.shape();
        check_indices(&shape, indices)?;
        Ok(with_lanes!(&self.data, lanes => {
            let mut part = lanes.clone();
            narrow(&mut part, indices);
            Lane::array(self.dtype, part)
        }))
    }

    /// Puts `value`, cast to this type and broadcast to the part's shape, where `indices` point.
    ///
    /// # Errors
    /// As [`Array::index`], or a shape that does not broadcast.
    pub fn assign(&mut self, indices: &[Index], value: &Array) -> Result<(), HostError> {
        let part = self.index(indices)?;
        let target = part.shape();
        let value = value.cast(self.dtype).broadcast_to(&target)?;
        drop(part);
        let pairs = (&mut self.data, &value.data);
        match pairs {
            (Data::F32(own), Data::F32(new)) => put(own, indices, new),
            (Data::F64(own), Data::F64(new)) => put(own, indices, new),
            (Data::I64(own), Data::I64(new)) => put(own, indices, new),
            (Data::U64(own), Data::U64(new)) => put(own, indices, new),
            _ => return Err(HostError::Type(String::from("arrays of one type are held alike"))),
        }
        Ok(())
    }
}

fn put<L: Lane>(own: &mut Lanes<L>, indices: &[Index], new: &Lanes<L>) {
    let mut view = own.view_mut();
    let mut axis = 0;
    for index in indices {
        match *index {
            Index::At(place) => {
                let place = resolve(place, view.shape()[axis]).unwrap_or(0);
                view = view.index_axis_move(Axis(axis), place).into_dyn();
            }
            Index::Range { .. } => {
                view.slice_axis_inplace(Axis(axis), slice_of(index));
                axis += 1;
            }
            Index::All => axis += 1,
            Index::New => {
                view = view.insert_axis(Axis(axis));
                axis += 1;
            }
        }
    }
    view.assign(new);
}

/// Narrows `part` to what checked `indices` take.
fn narrow<L: Lane>(part: &mut Lanes<L>, indices: &[Index]) {
    let mut axis = 0;
    for index in indices {
        match *index {
            Index::At(place) => {
                let place = resolve(place, part.shape()[axis]).unwrap_or(0);
                let whole = std::mem::replace(
                    part,
                    Lanes::from_shape_vec(extents(&Shape::new([0])), Vec::new())
                        .expect("an empty array has no elements"),
                );
                *part = whole.index_axis_move(Axis(axis), place).into_dyn();
            }
            Index::Range { .. } => {
                part.slice_axis_inplace(Axis(axis), slice_of(index));
                axis += 1;
            }
            Index::All => axis += 1,
            Index::New => {
                part.insert_axis_inplace(Axis(axis));
                axis += 1;
            }
        }
    }
}

/// A range as ndarray says it: the bounds of what is touched, walked by `step` from one end.
fn slice_of(index: &Index) -> NdSlice {
    let Index::Range { start, count, step } = *index else { return NdSlice::from(..) };
    let Some(steps) = count.checked_sub(1) else { return NdSlice::new(0, Some(0), 1) };
    let first = start as isize;
    let last = first + step * steps as isize;
    NdSlice::new(first.min(last), Some(first.max(last) + 1), step)
}

fn check_indices(shape: &Shape, indices: &[Index]) -> Result<(), HostError> {
    let used = indices.iter().filter(|index| **index != Index::New).count();
    if used > shape.rank() {
        let axes = shape.rank();
        let text = format!("{used} indices into an array of shape {shape}, which has {axes} axes");
        return Err(HostError::Index(text));
    }
    check_shape(&Shape::new(vec![1; shape.rank() + indices.len() - used]))?;
    let mut extents = shape.0.iter().enumerate();
    for index in indices.iter().filter(|index| **index != Index::New) {
        let Some((axis, extent)) = extents.next() else { break };
        if let Index::At(place) = index
            && resolve(*place, *extent as usize).is_none()
        {
            let text = format!("index {place} is outside of axis {axis} of shape {shape}");
            return Err(HostError::Index(text));
        }
    }
    Ok(())
}

/// The place that `index` means on an axis of `extent`; `None` where it is outside.
fn resolve(index: i128, extent: usize) -> Option<usize> {
    let place = if index < 0 { index + extent as i128 } else { index };
    usize::try_from(place).ok().filter(|place| *place < extent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    fn grid() -> Array {
        let values = (0..12).collect();
        Array::from_ints(DType::I32, &Shape::new([3, 4]), values).unwrap()
    }

    #[test]
    fn parts_are_what_numpy_takes() {
        let part = |indices: &[Index]| {
            let part = grid().index(indices).unwrap();
            assert_eq!(part_shape(&grid().shape(), indices).unwrap(), part.shape());
            (part.shape().0, part.to_f64s())
        };
        let range = |start, count, step| Index::Range { start, count, step };
        assert_eq!(part(&[Index::At(1)]), (vec![4], vec![4.0, 5.0, 6.0, 7.0]));
        assert_eq!(part(&[Index::At(-1), Index::At(0)]), (vec![], vec![8.0]));
        assert_eq!(part(&[Index::All, Index::At(2)]), (vec![3], vec![2.0, 6.0, 10.0]));
        assert_eq!(part(&[Index::At(0), range(1, 2, 2)]), (vec![2], vec![1.0, 3.0]));
        assert_eq!(part(&[Index::At(0), range(3, 4, -1)]), (vec![4], vec![3.0, 2.0, 1.0, 0.0]));
        assert_eq!(part(&[Index::At(0), range(3, 2, -2)]), (vec![2], vec![3.0, 1.0]));
        assert_eq!(part(&[range(2, 0, 1)]), (vec![0, 4], vec![]));
        assert_eq!(part(&[Index::At(0), Index::New, range(0, 1, 1)]), (vec![1, 1], vec![0.0]));
    }

    #[test]
    fn places_outside_are_refused() {
        assert!(matches!(grid().index(&[Index::At(3)]), Err(HostError::Index(_))));
        assert!(matches!(grid().index(&[Index::At(-4)]), Err(HostError::Index(_))));
        assert!(matches!(grid().index(&[Index::All; 3]), Err(HostError::Index(_))));
    }

    #[test]
    fn assigning_changes_one_array_only() {
        let before = grid();
        let mut after = before.clone();
        let row = Array::from_ints(DType::I64, &Shape::new([1]), vec![-1]).unwrap();
        after.assign(&[Index::At(1)], &row).unwrap();
        let last = Index::Range { start: 3, count: 2, step: -2 };
        after.assign(&[Index::At(0), last], &row).unwrap();
        assert_eq!(after.to_f64s()[..8], [0.0, -1.0, 2.0, -1.0, -1.0, -1.0, -1.0, -1.0]);
        assert_eq!(before.to_f64s()[4], 4.0);
        let wide = Array::from_ints(DType::I32, &Shape::new([3]), vec![1, 2, 3]).unwrap();
        assert!(after.assign(&[Index::At(0)], &wide).is_err());
    }
}
