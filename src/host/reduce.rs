//! Reductions and matrix products of arrays, in orders that never change.

use ndarray::{ArrayView1, Axis};

use super::HostError;
use super::array::{Array, promote};
use super::lanes::{Data, Lane, Lanes, from_lanes, to_vec, with_lanes};
use crate::dtype::{DType, Kind};
use crate::shape::Shape;

/// A reduction of one axis, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The sum, first element first. Narrow floats add in `f32` and round at the end; integers
    /// add in 64 bits.
    Sum,
    /// The product, likewise.
    Prod,
    /// The sum over the count; floats only.
    Mean,
    /// The largest; a NaN wins.
    Max,
    /// The smallest; a NaN wins.
    Min,
    /// The place of the largest, the first of equals.
    ArgMax,
    /// The place of the smallest, the first of equals.
    ArgMin,
    /// Whether every element is true.
    All,
    /// Whether any element is true.
    Any,
}

impl Reduction {
    /// Every reduction, with the method that is called so.
    pub const NAMED: [(&'static str, Reduction); 9] = [
        ("sum", Reduction::Sum),
        ("prod", Reduction::Prod),
        ("mean", Reduction::Mean),
        ("amax", Reduction::Max),
        ("amin", Reduction::Min),
        ("argmax", Reduction::ArgMax),
        ("argmin", Reduction::ArgMin),
        ("all", Reduction::All),
        ("any", Reduction::Any),
    ];

    /// The type of the result on elements of `dtype`.
    fn result(self, dtype: DType) -> DType {
        match self {
            Reduction::Sum | Reduction::Prod if dtype.kind() == Kind::Unsigned => DType::U64,
            Reduction::Sum | Reduction::Prod if dtype.is_int() => DType::I64,
            Reduction::ArgMax | Reduction::ArgMin => DType::I64,
            Reduction::All | Reduction::Any => DType::I1,
            Reduction::Sum
            | Reduction::Prod
            | Reduction::Mean
            | Reduction::Max
            | Reduction::Min => dtype,
        }
    }

    const fn needs_elements(self) -> bool {
        matches!(self, Reduction::Max | Reduction::Min | Reduction::ArgMax | Reduction::ArgMin)
    }

    fn name(self) -> &'static str {
        Reduction::NAMED.iter().find(|(_, known)| *known == self).map_or("?", |(name, _)| name)
    }
}

/// A lane that can be added and multiplied.
trait Number: Lane {
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn over(self, count: usize) -> Self;
    fn is_nan(self) -> bool;
}

macro_rules! numbers {
    ($($Float:ident)* ; $($Int:ident)*) => {
        $(impl Number for $Float {
            fn plus(self, other: Self) -> Self { self + other }
            fn times(self, other: Self) -> Self { self * other }
            fn over(self, count: usize) -> Self { self / count as $Float }
            fn is_nan(self) -> bool { $Float::is_nan(self) }
        })*
        $(impl Number for $Int {
            fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
            fn times(self, other: Self) -> Self { self.wrapping_mul(other) }
            fn over(self, count: usize) -> Self { self / (count.max(1) as $Int) }
            fn is_nan(self) -> bool { false }
        })*
    };
}

numbers! { f32 f64 ; i64 u64 }

impl Array {
    /// Reduces `axis`, or everything; a reduced axis stays as one of one element if `keep`.
    ///
    /// # Errors
    /// An axis that is not there, the largest of nothing, the mean of integers.
    pub fn reduce(
        &self,
        reduction: Reduction,
        axis: Option<usize>,
        keep: bool,
    ) -> Result<Array, HostError> {
        let shape = self.shape();
        if reduction == Reduction::Mean && self.dtype.is_int() {
            let text = format!("the mean of elements of {} is not one of them", self.dtype);
            return Err(HostError::Type(text));
        }
        if axis.is_some_and(|axis| axis >= shape.rank()) {
            let (axis, axes) = (axis.unwrap_or(0), shape.rank());
            let text = format!("axis {axis} of an array of shape {shape}, which has {axes} axes");
            return Err(HostError::Shape(text));
        }
        let count = axis.map_or(shape.elements(), |axis| shape.0[axis]);
        if count == 0 && reduction.needs_elements() {
            let text = format!("`{}` of no elements, in shape {shape}", reduction.name());
            return Err(HostError::Value(text));
        }
        let result = reduced_shape(&shape, axis, keep);
        let dtype = reduction.result(self.dtype);
        Ok(with_lanes!(&self.data, lanes => reduce_lanes(lanes, (reduction, axis), dtype, &result)))
    }

    /// Reduces several axes together, first element first, with one rounding.
    ///
    /// # Errors
    /// As [`Array::reduce`], or an axis is named twice.
    pub fn reduce_axes(
        &self,
        reduction: Reduction,
        axes: &[usize],
        keep: bool,
    ) -> Result<Array, HostError> {
        let shape = self.shape();
        let mut reduced = axes.to_vec();
        reduced.sort_unstable();
        let rest = (0..shape.rank()).filter(|axis| !reduced.contains(axis));
        let order: Vec<usize> = rest.chain(reduced.iter().copied()).collect();
        let turned = self.permute(&order)?;
        let extents = turned.shape().0;
        let (outer, inner) = extents.split_at(shape.rank() - reduced.len());
        let lines = Shape([outer, &[inner.iter().product()]].concat());
        let result = turned.reshape(&lines)?.reduce(reduction, Some(outer.len()), false)?;
        if !keep {
            return Ok(result);
        }
        let kept = shape.0.iter().enumerate();
        let kept = kept.map(|(axis, extent)| if reduced.contains(&axis) { 1 } else { *extent });
        result.reshape(&Shape(kept.collect()))
    }

    /// The matrix product: rows of `self` with columns of `other`. The sum of a row and a column
    /// runs along both, first element first, in `f32` for floats of up to 32 bits, and is rounded
    /// at the end.
    ///
    /// # Errors
    /// Arrays that are not matrices, or do not fit each other.
    pub(super) fn multiply_matrix(&self, other: &Array) -> Result<Array, HostError> {
        let (left, right) = (self.shape(), other.shape());
        let ([m, k], [inner, n]) = (&left.0[..], &right.0[..]) else {
            let text = format!("shapes {left} and {right} are not two matrices");
            return Err(HostError::Shape(text));
        };
        if k != inner {
            let text = format!("shapes {left} and {right} do not multiply: {k} is not {inner}");
            return Err(HostError::Shape(text));
        }
        let dtype = promote(self.dtype, other.dtype);
        let shape = Shape::new([*m, *n]);
        super::array::check_shape(&shape)?;
        let (x, y) = (self.cast(dtype), other.cast(dtype));
        match (&x.data, &y.data) {
            (Data::F32(x), Data::F32(y)) => Ok(multiply(x, y, dtype, &shape)),
            (Data::F64(x), Data::F64(y)) => Ok(multiply(x, y, dtype, &shape)),
            (Data::I64(x), Data::I64(y)) => Ok(multiply(x, y, dtype, &shape)),
            (Data::U64(x), Data::U64(y)) => Ok(multiply(x, y, dtype, &shape)),
            _ => Err(HostError::Type(String::from("arrays of one type are held alike"))),
        }
    }
}

fn reduced_shape(shape: &Shape, axis: Option<usize>, keep: bool) -> Shape {
    let is_reduced = |at: usize| axis.is_none_or(|axis| axis == at);
    let extents = shape.0.iter().enumerate();
    let kept = extents.filter(|(at, _)| keep || !is_reduced(*at));
    Shape(kept.map(|(at, extent)| if is_reduced(at) { 1 } else { *extent }).collect())
}

fn reduce_lanes<L: Number>(
    lanes: &Lanes<L>,
    (reduction, axis): (Reduction, Option<usize>),
    dtype: DType,
    shape: &Shape,
) -> Array {
    let values: Vec<Reduced<L>> = match axis {
        None => vec![reduce_line(ArrayView1::from(&to_vec(lanes)), reduction)],
        Some(axis) => {
            lanes.lanes(Axis(axis)).into_iter().map(|it| reduce_line(it, reduction)).collect()
        }
    };
    let mut numbers = Vec::with_capacity(values.len());
    let mut places = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Reduced::Number(number) => numbers.push(number),
            Reduced::Place(place) => places.push(place),
        }
    }
    if !places.is_empty() || matches!(dtype, DType::I1) || is_place(reduction) {
        return from_lanes(DType::I64, shape, places).cast(dtype);
    }
    let wide = from_lanes(lane_dtype::<L>(), shape, numbers);
    wide.cast(dtype)
}

const fn is_place(reduction: Reduction) -> bool {
    matches!(reduction, Reduction::ArgMax | Reduction::ArgMin)
}

/// The type whose elements are lanes already.
fn lane_dtype<L: Lane>() -> DType {
    let probe = L::array(DType::F64, Lanes::from_elem(ndarray::IxDyn(&[]), L::default()));
    match probe.data {
        Data::F32(_) => DType::F32,
        Data::F64(_) => DType::F64,
        Data::I64(_) => DType::I64,
        Data::U64(_) => DType::U64,
    }
}

/// The result of one line.
enum Reduced<L> {
    Number(L),
    /// A place, or 0 or 1 for a truth value.
    Place(i64),
}

fn reduce_line<L: Number>(line: ArrayView1<'_, L>, reduction: Reduction) -> Reduced<L> {
    let zero = L::default();
    let one = L::from_i128(1);
    let count = line.len();
    let wins = |largest: bool| {
        move |best: L, next: L| {
            let better = if largest { next > best } else { next < best };
            better || (next.is_nan() && !best.is_nan())
        }
    };
    let extreme = |largest: bool| {
        let wins = wins(largest);
        line.iter().copied().reduce(|best, next| if wins(best, next) { next } else { best })
    };
    let place = |largest: bool| {
        let wins = wins(largest);
        let numbered = line.iter().copied().enumerate();
        let best = numbered.reduce(|best, next| if wins(best.1, next.1) { next } else { best });
        best.map_or(0, |(place, _)| place as i64)
    };
    match reduction {
        Reduction::Sum => Reduced::Number(line.iter().fold(zero, |sum, it| sum.plus(*it))),
        Reduction::Prod => Reduced::Number(line.iter().fold(one, |all, it| all.times(*it))),
        Reduction::Mean => {
            Reduced::Number(line.iter().fold(zero, |sum, it| sum.plus(*it)).over(count))
        }
        Reduction::Max => Reduced::Number(extreme(true).unwrap_or(zero)),
        Reduction::Min => Reduced::Number(extreme(false).unwrap_or(zero)),
        Reduction::ArgMax => Reduced::Place(place(true)),
        Reduction::ArgMin => Reduced::Place(place(false)),
        Reduction::All => Reduced::Place(i64::from(line.iter().all(|it| *it != zero))),
        Reduction::Any => Reduced::Place(i64::from(line.iter().any(|it| *it != zero))),
    }
}

fn multiply<L: Number>(x: &Lanes<L>, y: &Lanes<L>, dtype: DType, shape: &Shape) -> Array {
    let (x, y) = (to_vec(x), to_vec(y));
    let n = shape.0[1] as usize;
    let k = y.len().checked_div(n).unwrap_or(0);
    let mut out = vec![L::default(); shape.elements() as usize];
    if k > 0 && n > 0 {
        for (row, out) in x.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
            for (left, column) in row.iter().zip(y.chunks_exact(n)) {
                for (out, right) in out.iter_mut().zip(column) {
                    *out = out.plus(left.times(*right));
                }
            }
        }
    }
    L::fit(dtype, &mut out);
    from_lanes(dtype, shape, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(dtype: DType, shape: &[u64], values: &[f64]) -> Array {
        Array::from_f64s(dtype, &Shape::new(shape), values.to_vec()).unwrap()
    }

    fn values(array: Result<Array, HostError>) -> (Vec<u64>, Vec<f64>) {
        let array = array.unwrap();
        (array.shape().0, array.to_f64s())
    }

    #[test]
    fn axes_are_reduced_or_kept() {
        let grid = floats(DType::F32, &[2, 3], &[1.0, 2.0, 3.0, 4.0, 6.0, 5.0]);
        let sum = |axis, keep| values(grid.reduce(Reduction::Sum, axis, keep));
        assert_eq!(sum(None, false), (vec![], vec![21.0]));
        assert_eq!(sum(Some(0), false), (vec![3], vec![5.0, 8.0, 8.0]));
        assert_eq!(sum(Some(1), true), (vec![2, 1], vec![6.0, 15.0]));
        assert_eq!(sum(None, true), (vec![1, 1], vec![21.0]));
        assert_eq!(values(grid.reduce(Reduction::Mean, Some(1), false)).1, [2.0, 5.0]);
        assert_eq!(values(grid.reduce(Reduction::Max, Some(0), false)).1, [4.0, 6.0, 5.0]);
        assert_eq!(values(grid.reduce(Reduction::ArgMax, Some(1), false)).1, [2.0, 1.0]);
        assert_eq!(values(grid.reduce(Reduction::All, None, false)).1, [1.0]);
        assert!(grid.reduce(Reduction::Sum, Some(2), false).is_err());
    }

    #[test]
    fn narrow_sums_round_once() {
        // In f16 itself, 2048 + 1 stays 2048 however often 1 is added.
        let ones = floats(DType::F16, &[5], &[2048.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(values(ones.reduce(Reduction::Sum, None, false)).1, [2052.0]);
        let bytes = floats(DType::U8, &[3], &[200.0, 200.0, 200.0]);
        let sum = bytes.reduce(Reduction::Sum, None, false).unwrap();
        assert_eq!((sum.dtype(), sum.to_f64s()), (DType::U64, vec![600.0]));
        assert!(bytes.reduce(Reduction::Mean, None, false).is_err());
    }

    #[test]
    fn reductions_of_nothing() {
        let empty = floats(DType::F32, &[0, 2], &[]);
        assert_eq!(values(empty.reduce(Reduction::Sum, Some(0), false)).1, [0.0, 0.0]);
        assert_eq!(values(empty.reduce(Reduction::Any, None, false)).1, [0.0]);
        assert_eq!(values(empty.reduce(Reduction::Sum, Some(1), false)), (vec![0], vec![]));
        assert_eq!(values(empty.reduce(Reduction::ArgMax, Some(1), false)), (vec![0], vec![]));
        assert!(empty.reduce(Reduction::Max, None, false).is_err());
    }

    #[test]
    fn a_nan_is_the_extreme() {
        let with_nan = floats(DType::F64, &[3], &[1.0, f64::NAN, 3.0]);
        assert!(values(with_nan.reduce(Reduction::Max, None, false)).1[0].is_nan());
        assert_eq!(values(with_nan.reduce(Reduction::ArgMin, None, false)).1, [1.0]);
    }

    #[test]
    fn matrices_multiply() {
        let x = floats(DType::F16, &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let y = floats(DType::F32, &[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let product = x.matmul(&y).unwrap();
        assert_eq!(product.dtype(), DType::F32);
        assert_eq!(product.to_f64s(), [4.0, 5.0, 10.0, 11.0]);
        let turned = x.permute(&[1, 0]).unwrap();
        assert_eq!(x.matmul(&turned).unwrap().to_f64s(), [14.0, 32.0, 32.0, 77.0]);
        assert!(x.matmul(&x).is_err());
    }
}
