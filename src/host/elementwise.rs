//! Elementwise arithmetic on arrays. Floats of up to 32 bits compute in `f32`, and every result is
//! rounded to its type, as the machine's vector engine does.

use super::HostError;
use super::array::{Array, check_shape, promote};
use super::lanes::{Data, Lane, Lanes, extents, from_lanes, to_vec, with_lane_type, with_lanes};
use crate::dtype::DType;
use crate::ops::{BinaryOp, CompareOp, Domain, Integer, UnaryOp};
use crate::shape::Shape;

/// An operator of two arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// One of the machine's own ops.
    Op(BinaryOp),
    /// True division: of integers, in `f32`.
    TrueDiv,
    /// The quotient, rounded toward minus infinity, of any type.
    FloorDiv,
    /// The remainder of that, which has the sign of the divisor.
    Mod,
    /// A power.
    Pow,
}

/// A number of the host program that takes the type of the array it meets, where that can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weak {
    /// An integer.
    Int(i128),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

impl Weak {
    /// The number as an array of one element that may meet one of `dtype`: of that type, unless
    /// the type cannot hold numbers of its kind. Then `f32` for a float, `i64` for an integer.
    pub fn array(self, dtype: DType) -> Array {
        let kind_fits = match self {
            Weak::Float(_) => dtype.is_float(),
            Weak::Int(_) => dtype != DType::I1,
            Weak::Bool(_) => true,
        };
        let one = Shape::default();
        match self {
            Weak::Float(value) => Array::scalar(if kind_fits { dtype } else { DType::F32 }, value),
            Weak::Bool(value) => Array::scalar(dtype, f64::from(u8::from(value))),
            Weak::Int(value) => {
                let dtype = if kind_fits { dtype } else { DType::I64 };
                with_lane_type!(dtype, L => {
                    let mut values = vec![<L as Lane>::from_i128(value)];
                    <L as Lane>::fit(dtype, &mut values);
                    from_lanes(dtype, &one, values)
                })
            }
        }
    }
}

/// Two arrays of one shape and type.
struct Pair {
    left: Array,
    right: Array,
    shape: Shape,
}

/// Both arrays as one type, and the shape that they broadcast to.
fn meet(left: &Array, right: &Array, dtype: DType) -> Result<Pair, HostError> {
    let (from, to) = (left.shape(), right.shape());
    let shape = from.broadcast(&to).map_err(|axis| {
        let text = format!("shapes {from} and {to} do not broadcast: they differ at axis {axis}");
        HostError::Shape(text)
    })?;
    check_shape(&shape)?;
    Ok(Pair { left: left.cast(dtype), right: right.cast(dtype), shape })
}

/// `lanes` spread to `shape`, in row-major order.
fn spread<L: Lane>(lanes: &Lanes<L>, shape: &Shape) -> Vec<L> {
    let view = lanes.broadcast(extents(shape));
    view.map_or_else(Vec::new, |view| view.iter().copied().collect())
}

/// Calls `compute` with the elements of two arrays of one shape in row-major order; those that lie
/// so already are not copied.
fn zip<L: Lane, T: Lane>(
    (left, right): (&Lanes<L>, &Lanes<L>),
    shape: &Shape,
    dtype: DType,
    compute: impl FnOnce(&mut [T], &[L], &[L]),
) -> Array {
    let fits =
        |lanes: &Lanes<L>| lanes.shape().iter().map(|it| *it as u64).eq(shape.0.iter().copied());
    let (x, y);
    let left = match left.as_slice().filter(|_| fits(left)) {
        Some(slice) => slice,
        None => {
            x = spread(left, shape);
            &x
        }
    };
    let right = match right.as_slice().filter(|_| fits(right)) {
        Some(slice) => slice,
        None => {
            y = spread(right, shape);
            &y
        }
    };
    let mut out = vec![T::default(); left.len()];
    compute(&mut out, left, right);
    T::fit(dtype, &mut out);
    from_lanes(dtype, shape, out)
}

impl Array {
    /// `self op other`, of the type in which both meet.
    ///
    /// # Errors
    /// Shapes that do not broadcast, an op that the type has not, a division of integers by zero.
    pub fn arithmetic(&self, op: Arithmetic, other: &Array) -> Result<Array, HostError> {
        let met = promote(self.dtype, other.dtype);
        let dtype = match op {
            Arithmetic::TrueDiv if met.is_int() => DType::F32,
            Arithmetic::Op(op) if met == DType::I1 && !is_bitwise(op) => DType::I64,
            Arithmetic::FloorDiv | Arithmetic::Mod | Arithmetic::Pow if met == DType::I1 => {
                DType::I64
            }
            Arithmetic::Op(_)
            | Arithmetic::TrueDiv
            | Arithmetic::FloorDiv
            | Arithmetic::Mod
            | Arithmetic::Pow => met,
        };
        let pair = meet(self, other, dtype)?;
        if dtype.is_float() { floats(op, &pair, dtype) } else { integers(op, &pair, dtype) }
    }

    /// `self op other`, element by element, as truth values.
    ///
    /// # Errors
    /// Shapes that do not broadcast.
    pub fn compare(&self, op: CompareOp, other: &Array) -> Result<Array, HostError> {
        let Pair { left, right, shape } = meet(self, other, promote(self.dtype, other.dtype))?;
        let holds = |x: bool| u64::from(x);
        let dtype = DType::I1;
        Ok(match (&left.data, &right.data) {
            (Data::F32(x), Data::F32(y)) => zip((x, y), &shape, dtype, |out, x, y| {
                for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                    *out = holds(op.eval(*x, *y));
                }
            }),
            (Data::F64(x), Data::F64(y)) => zip((x, y), &shape, dtype, |out, x, y| {
                for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                    *out = holds(op.eval(*x, *y));
                }
            }),
            (Data::I64(x), Data::I64(y)) => zip((x, y), &shape, dtype, |out, x, y| {
                for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                    *out = holds(op.eval(*x, *y));
                }
            }),
            (Data::U64(x), Data::U64(y)) => zip((x, y), &shape, dtype, |out, x, y| {
                for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                    *out = holds(op.eval(*x, *y));
                }
            }),
            _ => return Err(unequal_lanes()),
        })
    }

    /// `op self`.
    ///
    /// # Errors
    /// An op that the type has not.
    pub fn unary(&self, op: UnaryOp) -> Result<Array, HostError> {
        let is_not = self.dtype == DType::I1 && op == UnaryOp::BitNot;
        let allowed = match op.domain() {
            Domain::Any => true,
            Domain::Float => self.dtype.is_float(),
            Domain::Int => self.dtype.is_int(),
        };
        if !allowed {
            let (name, dtype) = (op.name(), self.dtype);
            return Err(HostError::Type(format!(
                "`{name}` has no meaning for elements of {dtype}"
            )));
        }
        let (dtype, shape) = (self.dtype, self.shape());
        Ok(match &self.data {
            Data::F32(lanes) => map(lanes, dtype, &shape, |out, x| op.map_real(out, x)),
            Data::F64(lanes) => map(lanes, dtype, &shape, |out, x| op.map_real(out, x)),
            Data::I64(lanes) => map(lanes, dtype, &shape, |out, x| op.map_int(out, x)),
            Data::U64(lanes) if is_not => map(lanes, dtype, &shape, |out, x| {
                for (out, x) in out.iter_mut().zip(x) {
                    *out = u64::from(*x == 0);
                }
            }),
            Data::U64(lanes) => map(lanes, dtype, &shape, |out, x| op.map_int(out, x)),
        })
    }
}

const fn is_bitwise(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::BitAnd
            | BinaryOp::BitOr
            | BinaryOp::BitXor
            | BinaryOp::Minimum
            | BinaryOp::Maximum
            | BinaryOp::MinimumNan
            | BinaryOp::MaximumNan
    )
}

fn unequal_lanes() -> HostError {
    HostError::Type(String::from("arrays of one type are held alike"))
}

fn map<L: Lane>(
    lanes: &Lanes<L>,
    dtype: DType,
    shape: &Shape,
    compute: impl FnOnce(&mut [L], &[L]),
) -> Array {
    let values = to_vec(lanes);
    let mut out = vec![L::default(); values.len()];
    compute(&mut out, &values);
    L::fit(dtype, &mut out);
    from_lanes(dtype, shape, out)
}

fn floats(op: Arithmetic, pair: &Pair, dtype: DType) -> Result<Array, HostError> {
    let op = match op {
        Arithmetic::Op(op) if op.domain() == Domain::Int => {
            let name = op.name();
            let text = format!("`{name}` has no meaning for elements of {dtype}");
            return Err(HostError::Type(text));
        }
        Arithmetic::TrueDiv => Arithmetic::Op(BinaryOp::Div),
        Arithmetic::Op(_) | Arithmetic::FloorDiv | Arithmetic::Mod | Arithmetic::Pow => op,
    };
    match (&pair.left.data, &pair.right.data) {
        (Data::F32(x), Data::F32(y)) => Ok(zip((x, y), &pair.shape, dtype, |out, x, y| {
            if let Arithmetic::Op(op) = op {
                op.map_real(out, x, y);
                return;
            }
            for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                *out = float(op, f64::from(*x), f64::from(*y)) as f32;
            }
        })),
        (Data::F64(x), Data::F64(y)) => Ok(zip((x, y), &pair.shape, dtype, |out, x, y| {
            if let Arithmetic::Op(op) = op {
                op.map_real(out, x, y);
                return;
            }
            for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                *out = float(op, *x, *y);
            }
        })),
        _ => Err(unequal_lanes()),
    }
}

/// The operators on floats that the machine has not.
fn float(op: Arithmetic, x: f64, y: f64) -> f64 {
    let rest = || {
        let rest = libm::fmod(x, y);
        if rest != 0.0 && (rest < 0.0) != (y < 0.0) { rest + y } else { rest }
    };
    match op {
        Arithmetic::Pow => libm::pow(x, y),
        Arithmetic::Mod => rest(),
        Arithmetic::Op(_) | Arithmetic::TrueDiv | Arithmetic::FloorDiv => (x / y).floor(),
    }
}

fn integers(op: Arithmetic, pair: &Pair, dtype: DType) -> Result<Array, HostError> {
    let op = match op {
        Arithmetic::FloorDiv => Some(BinaryOp::FloorDiv),
        Arithmetic::Mod => Some(BinaryOp::FloorMod),
        Arithmetic::Op(op) => Some(op),
        Arithmetic::TrueDiv | Arithmetic::Pow => None,
    };
    if op.is_some_and(|op| op.domain() == Domain::Float) {
        let text =
            format!("`{}` has no meaning for elements of {dtype}", op.map_or("", BinaryOp::name));
        return Err(HostError::Type(text));
    }
    let divides = matches!(
        op,
        Some(BinaryOp::FloorDiv | BinaryOp::FloorMod | BinaryOp::IntDiv | BinaryOp::Rem)
    );
    let has_zero = with_lanes!(&pair.right.data, lanes => {
        lanes.iter().any(|value| value.to_i128() == Some(0))
    });
    if divides && has_zero {
        return Err(HostError::Value(String::from("integers are divided by zero")));
    }
    match (&pair.left.data, &pair.right.data) {
        (Data::I64(x), Data::I64(y)) => Ok(zip((x, y), &pair.shape, dtype, |out, x, y| match op {
            Some(op) => op.map_int(out, x, y),
            None => powers(out, x, y),
        })),
        (Data::U64(x), Data::U64(y)) => Ok(zip((x, y), &pair.shape, dtype, |out, x, y| match op {
            Some(op) => op.map_int(out, x, y),
            None => powers(out, x, y),
        })),
        _ => Err(unequal_lanes()),
    }
}

/// `x ** y` that wraps; zero for a negative power, as an integer is truncated.
fn powers<T: Integer>(out: &mut [T], x: &[T], y: &[T]) {
    let two = T::ONE.add(T::ONE);
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        let (mut base, mut exponent) = (*x, *y);
        let mut power = if exponent.is_negative() { T::ZERO } else { T::ONE };
        while exponent > T::ZERO {
            if exponent.rem(two) == T::ONE {
                power = power.mul(base);
            }
            base = base.mul(base);
            exponent = exponent.div(two);
        }
        *out = power;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(dtype: DType, values: &[f64]) -> Array {
        Array::from_f64s(dtype, &Shape::new([values.len() as u64]), values.to_vec()).unwrap()
    }

    const ADD: Arithmetic = Arithmetic::Op(BinaryOp::Add);

    #[test]
    fn each_op_rounds_to_its_type() {
        let sum = floats(DType::F16, &[2048.0]).arithmetic(ADD, &floats(DType::F16, &[1.0]));
        assert_eq!(sum.unwrap().to_f64s(), [2048.0]);
        let sum = floats(DType::F32, &[2048.0]).arithmetic(ADD, &floats(DType::F16, &[1.0]));
        assert_eq!(sum.unwrap().to_f64s(), [2049.0]);
        let sum = floats(DType::I8, &[127.0]).arithmetic(ADD, &floats(DType::I8, &[1.0]));
        assert_eq!(sum.unwrap().to_f64s(), [-128.0]);
    }

    #[test]
    fn arrays_broadcast() {
        let row = floats(DType::F32, &[1.0, 2.0, 3.0]);
        let column = floats(DType::F32, &[10.0, 20.0]).reshape(&Shape::new([2, 1])).unwrap();
        let grid = column.arithmetic(ADD, &row).unwrap();
        assert_eq!(grid.shape(), Shape::new([2, 3]));
        assert_eq!(grid.to_f64s(), [11.0, 12.0, 13.0, 21.0, 22.0, 23.0]);
        let error = floats(DType::F32, &[1.0, 2.0]).arithmetic(ADD, &row).unwrap_err();
        assert!(matches!(error, HostError::Shape(_)));
    }

    #[test]
    fn division_is_python_s() {
        let (x, y) = (floats(DType::I32, &[-7.0, 7.0]), floats(DType::I32, &[2.0, -2.0]));
        let of = |op| x.arithmetic(op, &y).unwrap();
        assert_eq!(of(Arithmetic::TrueDiv).to_f64s(), [-3.5, -3.5]);
        assert_eq!(of(Arithmetic::TrueDiv).dtype(), DType::F32);
        assert_eq!(of(Arithmetic::FloorDiv).to_f64s(), [-4.0, -4.0]);
        assert_eq!(of(Arithmetic::Mod).to_f64s(), [1.0, -1.0]);
        let (x, y) = (floats(DType::F32, &[-7.5]), floats(DType::F32, &[2.0]));
        assert_eq!(x.arithmetic(Arithmetic::FloorDiv, &y).unwrap().to_f64s(), [-4.0]);
        assert_eq!(x.arithmetic(Arithmetic::Mod, &y).unwrap().to_f64s(), [0.5]);
        let zero = floats(DType::I32, &[0.0]);
        assert!(zero.arithmetic(Arithmetic::Mod, &zero).is_err());
    }

    #[test]
    fn numbers_take_the_type_of_the_array_they_meet() {
        assert_eq!(Weak::Float(0.1).array(DType::F16).dtype(), DType::F16);
        assert_eq!(Weak::Float(0.5).array(DType::I32).dtype(), DType::F32);
        assert_eq!(Weak::Int(3).array(DType::BF16).dtype(), DType::BF16);
        assert_eq!(Weak::Int(3).array(DType::I1).dtype(), DType::I64);
        assert_eq!(Weak::Int(300).array(DType::U8).to_f64s(), [44.0]);
    }

    #[test]
    fn powers_and_truth_values() {
        let (x, y) = (floats(DType::I64, &[3.0, -2.0, 5.0]), floats(DType::I64, &[4.0, 3.0, 0.0]));
        assert_eq!(x.arithmetic(Arithmetic::Pow, &y).unwrap().to_f64s(), [81.0, -8.0, 1.0]);
        let truths = x.compare(CompareOp::Gt, &y).unwrap();
        assert_eq!((truths.dtype(), truths.to_f64s()), (DType::I1, vec![0.0, 0.0, 1.0]));
        assert_eq!(truths.unary(UnaryOp::BitNot).unwrap().to_f64s(), [1.0, 1.0, 0.0]);
        let counted = truths.arithmetic(ADD, &truths).unwrap();
        assert_eq!((counted.dtype(), counted.to_f64s()), (DType::I64, vec![0.0, 0.0, 2.0]));
        assert!(x.unary(UnaryOp::Exp).is_err());
    }
}
