//! Arrays on the host: dense numbers of one element type, held as the numbers that ops compute
//! with and always rounded to that type.
//!
//! An array is a value: copying one shares its memory until either is changed.

use super::HostError;
use super::lanes::{
    Data, Lane, LaneKind, Lanes, extents, from_lanes, to_vec, with_lane_type, with_lanes,
};
use crate::dtype::{DType, Kind, convert};
use crate::shape::Shape;

/// The most axes of an array.
pub const MAX_AXES: usize = 16;

/// The most elements of an array.
pub const MAX_ELEMENTS: u64 = 1 << 30;

/// An array of one element type.
#[derive(Clone, Debug)]
pub struct Array {
    pub(super) dtype: DType,
    pub(super) data: Data,
}

/// Refuses shapes that no array has.
pub(super) fn check_shape(shape: &Shape) -> Result<(), HostError> {
    if shape.rank() > MAX_AXES {
        let axes = shape.rank();
        return Err(HostError::Shape(format!(
            "an array of {axes} axes; at most {MAX_AXES} are had"
        )));
    }
    check_elements(shape.elements())
        .map_err(|error| HostError::Memory(format!("shape {shape}: {error}")))
}

/// Refuses more elements than an array has.
///
/// # Errors
/// They are more.
pub fn check_elements(elements: u64) -> Result<(), HostError> {
    if elements <= MAX_ELEMENTS {
        return Ok(());
    }
    let text = format!("an array has {elements} elements; at most {MAX_ELEMENTS} are had");
    Err(HostError::Memory(text))
}

impl Array {
    /// An array of these floats, each rounded to `dtype` once.
    ///
    /// # Errors
    /// Where there are not as many as the shape has elements, or too many.
    pub fn from_f64s(dtype: DType, shape: &Shape, values: Vec<f64>) -> Result<Array, HostError> {
        check_count(shape, values.len())?;
        let exact = from_lanes(DType::F64, shape, values);
        Ok(exact.cast(dtype))
    }

    /// An array of these integers, each wrapped or rounded to `dtype` once.
    ///
    /// # Errors
    /// As [`Array::from_f64s`].
    pub fn from_ints(dtype: DType, shape: &Shape, values: Vec<i64>) -> Result<Array, HostError> {
        check_count(shape, values.len())?;
        Ok(from_lanes(DType::I64, shape, values).cast(dtype))
    }

    /// An array of one element.
    pub fn scalar(dtype: DType, value: f64) -> Array {
        from_lanes(DType::F64, &Shape::default(), vec![value]).cast(dtype)
    }

    /// An array whose elements are all `value`.
    ///
    /// # Errors
    /// Where it would be too large.
    pub fn full(dtype: DType, shape: &Shape, value: f64) -> Result<Array, HostError> {
        check_shape(shape)?;
        let one = Array::scalar(dtype, value);
        let count = shape.elements() as usize;
        Ok(with_lanes!(&one.data, lanes => {
            let element = lanes.iter().copied().next().unwrap_or_default();
            from_lanes(dtype, shape, vec![element; count])
        }))
    }

    /// The array whose elements are stored in `bytes`, row by row, little-endian.
    ///
    /// # Errors
    /// Where there are not as many bytes as the shape needs.
    pub fn from_bytes(dtype: DType, shape: &Shape, bytes: &[u8]) -> Result<Array, HostError> {
        let size = dtype.bytes() as usize;
        check_count(shape, bytes.len() / size)?;
        Ok(with_lane_type!(dtype, L => {
            let values = bytes.chunks_exact(size).map(|it| <L as Lane>::load(dtype, it)).collect();
            from_lanes::<L>(dtype, shape, values)
        }))
    }

    /// Its elements as memory holds them, row by row, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes() as usize);
        with_lanes!(&self.data, lanes => {
            for value in lanes.iter() {
                value.store(self.dtype, &mut bytes);
            }
        });
        bytes
    }

    /// Its element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        with_lanes!(&self.data, lanes => {
            Shape(lanes.shape().iter().map(|extent| *extent as u64).collect())
        })
    }

    /// How many elements it has.
    pub fn elements(&self) -> u64 {
        with_lanes!(&self.data, lanes => lanes.len() as u64)
    }

    /// What its elements take in memory as their own type.
    pub fn bytes(&self) -> u64 {
        self.elements() * self.dtype.bytes()
    }

    /// What its elements take on the host.
    pub fn host_bytes(&self) -> u64 {
        let lane: u64 = if LaneKind::of(self.dtype) == LaneKind::F32 { 4 } else { 8 };
        self.elements() * lane
    }

    /// Its elements as floats, row by row.
    pub fn to_f64s(&self) -> Vec<f64> {
        with_lanes!(&self.data, lanes => lanes.iter().map(|value| value.to_f64()).collect())
    }

    /// Its elements as integers, row by row; `None` for floats.
    pub fn to_ints(&self) -> Option<Vec<i128>> {
        with_lanes!(&self.data, lanes => lanes.iter().map(|value| value.to_i128()).collect())
    }

    /// Its elements as `dtype`: rounded once, to nearest even, or wrapped; floats truncate to
    /// integers, and anything but zero is true.
    pub fn cast(&self, dtype: DType) -> Array {
        if dtype == self.dtype {
            return self.clone();
        }
        let shape = self.shape();
        with_lanes!(&self.data, lanes => cast_lanes(lanes, dtype, &shape))
    }

    /// The same elements, row by row, in another shape.
    ///
    /// # Errors
    /// Where that has another number of elements.
    pub fn reshape(&self, shape: &Shape) -> Result<Array, HostError> {
        check_shape(shape)?;
        if shape.elements() != self.elements() {
            let (from, to) = (self.shape(), shape);
            let text = format!(
                "an array of shape {from} has {} elements, and shape {to} has {}",
                self.elements(),
                to.elements()
            );
            return Err(HostError::Shape(text));
        }
        Ok(with_lanes!(&self.data, lanes => {
            let own = lanes.clone();
            match own.into_shape_with_order(extents(shape)) {
                Ok(shaped) => Lane::array(self.dtype, shaped),
                Err(_) => from_lanes(self.dtype, shape, to_vec(lanes)),
            }
        }))
    }

    /// Its axes in another order.
    ///
    /// # Errors
    /// Where `axes` does not name each axis once.
    pub fn permute(&self, axes: &[usize]) -> Result<Array, HostError> {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.shape().rank()) {
            let shape = self.shape();
            let text = format!("axes {axes:?} do not name each axis of shape {shape} once");
            return Err(HostError::Shape(text));
        }
        Ok(with_lanes!(&self.data, lanes => {
            Lane::array(self.dtype, lanes.clone().permuted_axes(ndarray::IxDyn(axes)))
        }))
    }

    /// Repeated along axes of one element, and along new ones in front, to this shape.
    ///
    /// # Errors
    /// Where it does not broadcast to it.
    pub fn broadcast_to(&self, shape: &Shape) -> Result<Array, HostError> {
        check_shape(shape)?;
        let refused = || {
            let from = self.shape();
            HostError::Shape(format!("shape {from} does not broadcast to shape {shape}"))
        };
        with_lanes!(&self.data, lanes => {
            let view = lanes.broadcast(extents(shape)).ok_or_else(refused)?;
            Ok(Lane::array(self.dtype, view.to_owned().into_shared()))
        })
    }

    /// Arrays one after another along an axis, in the type in which all of them meet.
    ///
    /// # Errors
    /// Where they differ in another axis, or there are none.
    pub fn concatenate(parts: &[Array], axis: usize) -> Result<Array, HostError> {
        let Some(first) = parts.first() else {
            return Err(HostError::Value(String::from("no arrays to join")));
        };
        let dtype = parts.iter().fold(first.dtype, |dtype, part| promote(dtype, part.dtype));
        let shapes: Vec<Shape> = parts.iter().map(Array::shape).collect();
        let total = shapes.iter().map(|shape| shape.0.get(axis).copied().unwrap_or(0)).sum();
        let joined_from = |shape: &Shape| {
            let mut joined = shape.clone();
            joined.0.get_mut(axis).map(|extent| *extent = total).map(|()| joined)
        };
        let target = joined_from(&first.shape());
        let Some(shape) =
            target.filter(|it| shapes.iter().all(|own| joined_from(own).as_ref() == Some(it)))
        else {
            let shown: Vec<String> = shapes.iter().take(4).map(Shape::to_string).collect();
            let text = format!("shapes {} do not join along axis {axis}", shown.join(", "));
            return Err(HostError::Shape(text));
        };
        let mut whole = Array::full(dtype, &shape, 0.0)?;
        let mut start = 0;
        for (part, own) in parts.iter().zip(&shapes) {
            let count = own.0.get(axis).map_or(0, |extent| *extent as usize);
            let mut indices = vec![super::Index::All; axis];
            indices.push(super::Index::Range { start, count, step: 1 });
            whole.assign(&indices, part)?;
            start += count;
        }
        Ok(whole)
    }

    /// A copy that shares no memory with this array.
    pub fn detached(&self) -> Array {
        let shape = self.shape();
        with_lanes!(&self.data, lanes => from_lanes(self.dtype, &shape, to_vec(lanes)))
    }
}

/// Refuses a number of values that is not the shape's.
pub(super) fn check_count(shape: &Shape, count: usize) -> Result<(), HostError> {
    check_shape(shape)?;
    let elements = shape.elements();
    if elements == count as u64 {
        return Ok(());
    }
    let text = format!("shape {shape} has {elements} elements, and {count} values are given");
    Err(HostError::Shape(text))
}

/// `lanes` as `dtype`. Floats narrower than 32 bits are reached from `f64` by way of an `f32` that
/// is rounded to odd, so that no value is rounded twice.
fn cast_lanes<L: Lane>(lanes: &Lanes<L>, dtype: DType, shape: &Shape) -> Array {
    let is_narrow = dtype.is_float() && dtype.bits() < 32;
    if dtype == DType::I1 {
        let zero = L::default();
        let truths = lanes.iter().map(|value| u64::from(*value != zero)).collect();
        return from_lanes::<u64>(dtype, shape, truths);
    }
    if is_narrow {
        let odd = |value: &L| convert::f64_to_odd_f32(exact_f64(*value));
        let mut values: Vec<f32> = lanes.iter().map(odd).collect();
        f32::fit(dtype, &mut values);
        return from_lanes(dtype, shape, values);
    }
    with_lane_type!(dtype, T => {
        let convert = |value: &L| match value.to_i128() {
            Some(whole) => <T as Lane>::from_i128(whole),
            None => <T as Lane>::from_f64(value.to_f64()),
        };
        let mut values: Vec<T> = lanes.iter().map(convert).collect();
        <T as Lane>::fit(dtype, &mut values);
        from_lanes(dtype, shape, values)
    })
}

/// A float that rounds to narrow types as `value` does: integers beyond 2^53 are rounded to odd.
fn exact_f64<L: Lane>(value: L) -> f64 {
    let Some(whole) = value.to_i128() else { return value.to_f64() };
    let magnitude = whole.unsigned_abs();
    let dropped = (128 - magnitude.leading_zeros()).saturating_sub(53);
    let kept = magnitude >> dropped;
    let sticky = u128::from(magnitude != kept << dropped);
    let odd = ((kept | sticky) << dropped) as f64;
    if whole < 0 { -odd } else { odd }
}

/// The type in which two arrays meet: the wider of one kind; floats before integers before truth
/// values; `f32` for two different 16-bit floats; signed for integers of both kinds, wide enough
/// for both up to 64 bits.
pub fn promote(left: DType, right: DType) -> DType {
    if left == right {
        return left;
    }
    let rank = |dtype: DType| match dtype.kind() {
        Kind::Bool => 0,
        Kind::Signed | Kind::Unsigned => 1,
        Kind::Float => 2,
    };
    if rank(left) != rank(right) {
        return if rank(left) > rank(right) { left } else { right };
    }
    if left.is_float() {
        return match (left.bits(), right.bits()) {
            (x, y) if x > y => left,
            (x, y) if x < y => right,
            (8, _) => DType::F16,
            _ => DType::F32,
        };
    }
    let (wide, narrow) = if left.bits() >= right.bits() { (left, right) } else { (right, left) };
    if wide.is_unsigned() == narrow.is_unsigned()
        || (!wide.is_unsigned() && wide.bits() > narrow.bits())
    {
        return wide;
    }
    match wide.bits() {
        8 => DType::I16,
        16 => DType::I32,
        _ => DType::I64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(dtype: DType, values: &[f64]) -> Array {
        Array::from_f64s(dtype, &Shape::new([values.len() as u64]), values.to_vec()).unwrap()
    }

    #[test]
    fn values_are_rounded_to_their_type_once() {
        assert_eq!(floats(DType::F16, &[2049.0, 2051.0]).to_f64s(), [2048.0, 2052.0]);
        // A hair above the tie: the nearest f32 is the tie itself.
        let above = 2049.0 + 2f64.powi(-40);
        assert_eq!(floats(DType::F16, &[above]).to_f64s(), [2050.0]);
        assert_eq!(floats(DType::BF16, &[257.0, 259.0]).to_f64s(), [256.0, 260.0]);
        assert_eq!(floats(DType::I8, &[-1.9, 200.0]).to_f64s(), [-1.0, -56.0]);
        assert_eq!(floats(DType::U8, &[-1.0, 256.5]).to_f64s(), [255.0, 0.0]);
        assert_eq!(floats(DType::I1, &[0.0, 0.25, -3.0]).to_f64s(), [0.0, 1.0, 1.0]);
        // 2^60 + 1 lies above the tie of f16's... largest; of bf16's 2^60 and 2^60 + 2^53.
        let big = Array::from_ints(DType::I64, &Shape::new([1]), vec![(1 << 60) + (1 << 52) + 1]);
        let expected = 2f64.powi(60) + 2f64.powi(53);
        assert_eq!(big.unwrap().cast(DType::BF16).to_f64s(), [expected]);
    }

    #[test]
    fn bytes_go_there_and_back() {
        for dtype in DType::ALL {
            let array = floats(*dtype, &[0.0, 1.0, 3.0]);
            let bytes = array.to_bytes();
            assert_eq!(bytes.len() as u64, 3 * dtype.bytes());
            let back = Array::from_bytes(*dtype, &array.shape(), &bytes).unwrap();
            assert_eq!(back.to_f64s(), array.to_f64s(), "{dtype}");
        }
        assert_eq!(floats(DType::F16, &[1.0]).to_bytes(), [0x00, 0x3c]);
        assert_eq!(floats(DType::I16, &[-2.0]).to_bytes(), [0xfe, 0xff]);
        let signed = Array::from_bytes(DType::I16, &Shape::new([1]), &[0xfe, 0xff]).unwrap();
        assert_eq!(signed.to_ints(), Some(vec![-2]));
    }

    #[test]
    fn shapes_change_in_row_major_order() {
        let array = floats(DType::F32, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let matrix = array.reshape(&Shape::new([2, 3])).unwrap();
        let turned = matrix.permute(&[1, 0]).unwrap();
        assert_eq!(turned.shape(), Shape::new([3, 2]));
        assert_eq!(turned.to_f64s(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let flat = turned.reshape(&Shape::new([6])).unwrap();
        assert_eq!(flat.to_f64s(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert!(array.reshape(&Shape::new([4])).is_err());
        assert!(matrix.permute(&[0, 0]).is_err());
        let wide = floats(DType::F32, &[7.0]).broadcast_to(&Shape::new([2, 2])).unwrap();
        assert_eq!(wide.to_f64s(), [7.0; 4]);
        assert!(matrix.broadcast_to(&Shape::new([3])).is_err());
    }

    #[test]
    fn arrays_join_along_an_axis() {
        let row = floats(DType::F16, &[1.0, 2.0]).reshape(&Shape::new([1, 2])).unwrap();
        let wide = floats(DType::F32, &[3.0, 4.0]).reshape(&Shape::new([1, 2])).unwrap();
        let joined = Array::concatenate(&[row.clone(), wide.clone()], 0).unwrap();
        assert_eq!((joined.shape(), joined.dtype()), (Shape::new([2, 2]), DType::F32));
        let beside = Array::concatenate(&[row.clone(), wide], 1).unwrap();
        assert_eq!(beside.to_f64s(), [1.0, 2.0, 3.0, 4.0]);
        assert!(Array::concatenate(&[row, floats(DType::F16, &[1.0])], 0).is_err());
        assert!(Array::concatenate(&[], 0).is_err());
    }

    #[test]
    fn oversized_arrays_are_refused() {
        assert!(Array::full(DType::F32, &Shape::new([1 << 40]), 0.0).is_err());
        assert!(Array::full(DType::F32, &Shape::new([u64::MAX, u64::MAX]), 0.0).is_err());
        assert!(Array::full(DType::F32, &Shape::new(vec![1; 17]), 0.0).is_err());
    }

    #[test]
    fn types_meet_in_one_that_holds_both() {
        assert_eq!(promote(DType::F16, DType::BF16), DType::F32);
        assert_eq!(promote(DType::F16, DType::I64), DType::F16);
        assert_eq!(promote(DType::I8, DType::U8), DType::I16);
        assert_eq!(promote(DType::I32, DType::U8), DType::I32);
        assert_eq!(promote(DType::U64, DType::I8), DType::I64);
        assert_eq!(promote(DType::I1, DType::U8), DType::U8);
        assert_eq!(promote(DType::F32, DType::F64), DType::F64);
        for left in DType::ALL {
            for right in DType::ALL {
                assert_eq!(promote(*left, *right), promote(*right, *left));
            }
        }
    }
}
