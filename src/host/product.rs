//! Products of stacks of matrices, and choices between arrays.

use super::HostError;
use super::array::{Array, check_shape, promote};
use super::index::Index;
use super::lanes::{Data, Lane, Lanes, from_lanes, to_vec};
use crate::dtype::DType;
use crate::shape::Shape;

impl Array {
    /// The matrix product as PyTorch's `matmul`: of the last two axes, the others broadcast; a vector
    /// on the left is a row, on the right a column, and its axis is not in the result. The sum of a row and
    /// a column runs along both, first element first, in `f32` for floats of up to 32 bits, and is rounded
    /// at the end.
    ///
    /// # Errors
    /// Single elements, or shapes that do not fit each other.
    pub fn matmul(&self, other: &Array) -> Result<Array, HostError> {
        let (left, right) = (self.shape(), other.shape());
        match (left.rank(), right.rank()) {
            (0, _) | (_, 0) => {
                let text = format!("shapes {left} and {right} are not both of vectors or matrices");
                Err(HostError::Shape(text))
            }
            (2, 2) => self.multiply_matrix(other),
            (1, _) => {
                let row = self.reshape(&Shape::new([1, left.0[0]]))?;
                without_axis(
                    &row.matmul(other)?,
                    if right.rank() == 1 { 0 } else { right.rank() - 2 },
                )
            }
            (_, 1) => {
                let column = other.reshape(&Shape::new([right.0[0], 1]))?;
                without_axis(&self.matmul(&column)?, left.rank() - 1)
            }
            (_, _) => self.multiply_stacks(other),
        }
    }

    fn multiply_stacks(&self, other: &Array) -> Result<Array, HostError> {
        let (left, right) = (self.shape(), other.shape());
        let (x_stack, x) = left.0.split_at(left.rank() - 2);
        let (y_stack, y) = right.0.split_at(right.rank() - 2);
        let unfit =
            |_| HostError::Shape(format!("stacks of shapes {left} and {right} do not broadcast"));
        let stack = Shape::new(x_stack).broadcast(&Shape::new(y_stack)).map_err(unfit)?;
        let shape = Shape([&stack.0[..], &[x[0], y[1]]].concat());
        check_shape(&shape)?;
        let flat = |it: &Array, matrix: &[u64]| {
            let whole = it.broadcast_to(&Shape([&stack.0[..], matrix].concat()))?;
            whole.reshape(&Shape::new([stack.elements(), matrix[0], matrix[1]]))
        };
        let (xs, ys) = (flat(self, x)?, flat(other, y)?);
        let mut products = Vec::new();
        for place in 0..stack.elements() {
            let at = [Index::At(i128::from(place))];
            let product = xs.index(&at)?.multiply_matrix(&ys.index(&at)?)?;
            products.push(product.index(&[Index::New])?);
        }
        if products.is_empty() {
            return Array::full(promote(self.dtype(), other.dtype()), &shape, 0.0);
        }
        Array::concatenate(&products, 0)?.reshape(&shape)
    }

    /// The elements of `yes` where `self` is not zero, else those of `no`, of the type in which both meet.
    ///
    /// # Errors
    /// Shapes that do not broadcast.
    pub fn select(&self, yes: &Array, no: &Array) -> Result<Array, HostError> {
        let dtype = promote(yes.dtype(), no.dtype());
        let apart = |_| {
            let shapes = [self, yes, no].map(|it| it.shape().to_string());
            HostError::Shape(format!("shapes {} do not broadcast", shapes.join(", ")))
        };
        let shape = yes.shape().broadcast(&no.shape()).map_err(apart)?;
        let shape = shape.broadcast(&self.shape()).map_err(apart)?;
        check_shape(&shape)?;
        let spread = |it: &Array| it.broadcast_to(&shape);
        let choice = spread(&self.cast(DType::I1))?.to_ints().unwrap_or_default();
        let (yes, no) = (spread(&yes.cast(dtype))?, spread(&no.cast(dtype))?);
        match (&yes.data, &no.data) {
            (Data::F32(x), Data::F32(y)) => Ok(chosen(&choice, (x, y), dtype, &shape)),
            (Data::F64(x), Data::F64(y)) => Ok(chosen(&choice, (x, y), dtype, &shape)),
            (Data::I64(x), Data::I64(y)) => Ok(chosen(&choice, (x, y), dtype, &shape)),
            (Data::U64(x), Data::U64(y)) => Ok(chosen(&choice, (x, y), dtype, &shape)),
            _ => Err(HostError::Type(String::from("arrays of one type are held alike"))),
        }
    }
}

fn chosen<L: Lane>(
    choice: &[i128],
    (yes, no): (&Lanes<L>, &Lanes<L>),
    dtype: DType,
    shape: &Shape,
) -> Array {
    let pairs = to_vec(yes).into_iter().zip(to_vec(no));
    let values = choice.iter().zip(pairs).map(|(it, (yes, no))| if *it != 0 { yes } else { no });
    from_lanes(dtype, shape, values.collect())
}

fn without_axis(array: &Array, axis: usize) -> Result<Array, HostError> {
    let mut shape = array.shape();
    shape.0.remove(axis);
    array.reshape(&shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(shape: &[u64], values: &[i64]) -> Array {
        Array::from_ints(DType::I64, &Shape::new(shape), values.to_vec()).unwrap()
    }

    #[test]
    fn products_are_those_of_pytorch() {
        // Two matrices against one: [[1, 2], [3, 4]] and [[0, 1], [1, 0]] times [[5, 6], [7, 8]].
        let stack = ints(&[2, 2, 2], &[1, 2, 3, 4, 0, 1, 1, 0]);
        let matrix = ints(&[2, 2], &[5, 6, 7, 8]);
        let product = stack.matmul(&matrix).unwrap();
        assert_eq!(product.shape(), Shape::new([2, 2, 2]));
        assert_eq!(product.to_f64s(), [19.0, 22.0, 43.0, 50.0, 7.0, 8.0, 5.0, 6.0]);
        let vector = ints(&[2], &[1, 10]);
        assert_eq!(matrix.matmul(&vector).unwrap().to_f64s(), [65.0, 87.0]);
        assert_eq!(vector.matmul(&matrix).unwrap().to_f64s(), [75.0, 86.0]);
        assert_eq!(vector.matmul(&vector).unwrap().shape(), Shape::default());
        assert_eq!(vector.matmul(&stack).unwrap().shape(), Shape::new([2, 2]));
        assert_eq!(vector.matmul(&stack).unwrap().to_f64s(), [31.0, 42.0, 10.0, 1.0]);
        let three = ints(&[3, 2, 2], &[0; 12]);
        assert!(stack.matmul(&three).is_err() && ints(&[], &[1]).matmul(&vector).is_err());
        let none = ints(&[0, 2, 2], &[]);
        assert_eq!(none.matmul(&matrix).unwrap().shape(), Shape::new([0, 2, 2]));
    }

    #[test]
    fn choices_broadcast_and_meet() {
        let condition = ints(&[2, 1], &[0, 3]);
        let yes = Array::from_f64s(DType::F32, &Shape::new([2]), vec![0.5, f64::NAN]).unwrap();
        let chosen = condition.select(&yes, &ints(&[], &[7])).unwrap();
        assert_eq!((chosen.dtype(), chosen.shape()), (DType::F32, Shape::new([2, 2])));
        let values = chosen.to_f64s();
        assert_eq!(values[..3], [7.0, 7.0, 0.5]);
        assert!(values[3].is_nan());
        assert!(ints(&[3], &[0; 3]).select(&yes, &yes).is_err());
    }
}
