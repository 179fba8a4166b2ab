//! Shapes, row-major strides and NumPy broadcasting.

use std::fmt;

/// The extents of a tile, outermost first; empty for one element.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape(pub Vec<u64>);

impl Shape {
    /// The shape with these extents.
    pub fn new(extents: impl Into<Vec<u64>>) -> Shape {
        Shape(extents.into())
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements; saturates where it does not fit.
    pub fn elements(&self) -> u64 {
        self.0.iter().fold(1, |product, extent| product.saturating_mul(*extent))
    }

    /// Element strides of a row-major tile of this shape.
    pub fn row_major_strides(&self) -> Vec<i64> {
        let mut strides = vec![1; self.0.len()];
        let mut step: i64 = 1;
        for (stride, extent) in strides.iter_mut().zip(&self.0).rev() {
            *stride = step;
            step = step.saturating_mul(i64::try_from(*extent).unwrap_or(i64::MAX));
        }
        strides
    }

    /// The shape that `self` and `other` broadcast to: aligned at the last axis, axes equal or
    /// one of them 1.
    ///
    /// # Errors
    /// The axis of the result, counted from the front, at which they differ.
    pub fn broadcast(&self, other: &Shape) -> Result<Shape, usize> {
        let rank = self.rank().max(other.rank());
        (0..rank)
            .map(|axis| {
                match (self.extent_from_end(rank - axis), other.extent_from_end(rank - axis)) {
                    (1, extent) | (extent, 1) => Ok(extent),
                    (left, right) if left == right => Ok(left),
                    _ => Err(axis),
                }
            })
            .collect::<Result<Vec<u64>, usize>>()
            .map(Shape)
    }

    /// The extent of the axis `from_end` places from the end, counted from one; 1 beyond the front.
    fn extent_from_end(&self, from_end: usize) -> u64 {
        self.0.len().checked_sub(from_end).and_then(|axis| self.0.get(axis)).copied().unwrap_or(1)
    }

    /// Element strides that read a tile with this shape and `strides` as if it had shape `target`,
    /// which it broadcasts to: 0 along repeated axes.
    pub fn broadcast_strides(&self, strides: &[i64], target: &Shape) -> Vec<i64> {
        let lead = target.rank().saturating_sub(self.rank());
        let own = self
            .0
            .iter()
            .zip(strides)
            .map(|(extent, stride)| if *extent == 1 { 0 } else { *stride });
        std::iter::repeat_n(0, lead).chain(own).collect()
    }

    /// Element strides that read a tile with this shape and `strides` in row-major order as if it
    /// had shape `target`, of as many elements; `None` where no strides do.
    pub fn reshaped_strides(&self, strides: &[i64], target: &Shape) -> Option<Vec<i64>> {
        let own = self.0.iter().zip(strides).filter(|(extent, _)| **extent != 1);
        let own: Vec<(u64, i64)> = own.map(|(extent, stride)| (*extent, *stride)).collect();
        let mut result = vec![0; target.rank()];
        // Both are walked from the last axis on. `run` elements are `step` apart: what is left of
        // an axis, or of several that run on into one another.
        let mut axes = own.into_iter().rev().peekable();
        let (mut run, mut step) = (1_u64, 0_i64);
        for (stride, extent) in result.iter_mut().zip(&target.0).rev() {
            if *extent == 1 {
                continue;
            }
            if run == 1 {
                (run, step) = axes.next()?;
            }
            while run % extent != 0 {
                let (more, outer) = axes.next()?;
                if outer != step.checked_mul(i64::try_from(run).ok()?)? {
                    return None;
                }
                run = run.checked_mul(more)?;
            }
            *stride = step;
            step = step.checked_mul(i64::try_from(*extent).ok()?)?;
            run /= extent;
        }
        (run == 1 && axes.peek().is_none()).then_some(result)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extents: Vec<String> = self.0.iter().map(u64::to_string).collect();
        write!(f, "[{}]", extents.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let of = |extents: &[u64]| Shape::new(extents);
        assert_eq!(of(&[64, 32]).broadcast(&of(&[32])), Ok(of(&[64, 32])));
        assert_eq!(of(&[64, 1]).broadcast(&of(&[1, 32])), Ok(of(&[64, 32])));
        assert_eq!(of(&[]).broadcast(&of(&[3])), Ok(of(&[3])));
        assert_eq!(of(&[64, 32]).broadcast(&of(&[64, 16])), Err(1));
        assert_eq!(of(&[2, 3]).broadcast(&of(&[3, 3])), Err(0));
    }

    #[test]
    fn strides_of_a_reshape_read_the_same_elements() {
        let of = |from: &[u64], strides: &[i64], to: &[u64]| {
            Shape::new(from).reshaped_strides(strides, &Shape::new(to))
        };
        assert_eq!(of(&[4, 6], &[6, 1], &[24]), Some(vec![1]));
        assert_eq!(of(&[24], &[1], &[2, 3, 4]), Some(vec![12, 4, 1]));
        // Every second column of a matrix: its rows can be cut, not joined.
        assert_eq!(of(&[4, 6], &[12, 2], &[2, 2, 3, 2]), Some(vec![24, 12, 4, 2]));
        assert_eq!(of(&[4, 6], &[12, 2], &[24]), Some(vec![2]));
        assert_eq!(of(&[4, 6], &[24, 2], &[24]), None);
        // A transposed matrix, and one with an axis of one element in between.
        assert_eq!(of(&[6, 4], &[1, 6], &[24]), None);
        assert_eq!(of(&[6, 1, 4], &[1, 99, 6], &[6, 4, 1]), Some(vec![1, 6, 0]));
        assert_eq!(of(&[4, 6], &[6, 1], &[3, 8]), Some(vec![8, 1]));
        assert_eq!(of(&[4, 6], &[-6, -1], &[24]), Some(vec![-1]));
        assert_eq!(of(&[1], &[0], &[]), Some(vec![]));
        assert_eq!(of(&[4, 8], &[0, 1], &[32]), None);
    }

    #[test]
    fn broadcast_strides_repeat_by_zero() {
        let row = Shape::new([32]);
        assert_eq!(row.broadcast_strides(&row.row_major_strides(), &Shape::new([64, 32])), [0, 1]);
        let column = Shape::new([64, 1]);
        assert_eq!(
            column.broadcast_strides(&column.row_major_strides(), &Shape::new([64, 32])),
            [1, 0]
        );
    }
}
