//! Where the lanes of gathers and scatters lie, and what is written there.

use super::operand::{BLOCK, Operand};
use super::{Input, NumericError, elementwise};
use crate::command::{ArgSpec, LaneSpec};
use crate::dtype::DType;
use crate::ir::Literal;
use crate::replay::bytes::Bytes;

/// The address of each lane, in row-major order, counted from `base`; `None` where the mask leaves
/// it out.
///
/// # Errors
/// Where the spec does not fit its operands.
pub(in crate::replay) fn addresses(
    spec: &LaneSpec,
    base: u64,
    [index, mask]: [Option<Input<'_>>; 2],
) -> Result<Vec<Option<u64>>, NumericError> {
    let index = operand(spec, spec.index.as_ref(), index)?;
    let mask = operand(spec, spec.mask.as_ref(), mask)?;
    let count = spec.shape.elements() as usize;
    let size = spec.dtype.bytes() as i64;
    let mut addresses = Vec::with_capacity(count);
    let mut at = Odometer::new(spec);
    let (mut counts, mut live) = ([0_i64; BLOCK], [1_u64; BLOCK]);
    for start in (0..count).step_by(BLOCK) {
        let len = BLOCK.min(count - start);
        if let Some(index) = &index {
            index.load_from(0, start, &mut counts[..len]);
        }
        if let Some(mask) = &mask {
            mask.load_from(0, start, &mut live[..len]);
        }
        for (count, live) in counts[..len].iter().zip(&live[..len]) {
            let offset = at.next().wrapping_add(count.wrapping_mul(size));
            addresses.push((*live != 0).then(|| base.wrapping_add_signed(offset)));
        }
    }
    Ok(addresses)
}

/// Writes `value` to every element of `dtype` in `out`.
///
/// # Errors
/// Where `out` is not whole elements.
pub(in crate::replay) fn fill(
    dtype: DType,
    value: Literal,
    out: &mut [u8],
) -> Result<(), NumericError> {
    elementwise::copy(&Operand::scalar(dtype, value), out)
}

/// The element of each lane, one after the other.
///
/// # Errors
/// Where the spec does not fit its operand.
pub(in crate::replay) fn values(
    spec: &LaneSpec,
    value: Option<Input<'_>>,
) -> Result<Bytes, NumericError> {
    let mut out = Bytes::zeroed(spec.bytes() as usize);
    if let Some(value) = operand(spec, spec.value.as_ref(), value)? {
        elementwise::copy(&value, out.as_mut_slice())?;
    }
    Ok(out)
}

fn operand<'a>(
    spec: &LaneSpec,
    read: Option<&ArgSpec>,
    input: Option<Input<'a>>,
) -> Result<Option<Operand<'a>>, NumericError> {
    match (read, input) {
        (None, None) => Ok(None),
        (Some(read), Some(Input::Tile(bytes))) => {
            Operand::tile(read.dtype, bytes, &spec.shape, &read.strides).map(Some)
        }
        (Some(read), Some(Input::Scalar(value))) => Ok(Some(Operand::scalar(read.dtype, value))),
        (Some(_), None) | (None, Some(_)) => {
            Err(NumericError::Malformed("lanes have other operands than their spec"))
        }
    }
}

/// Walks the lanes row by row and adds up their strides.
struct Odometer<'a> {
    spec: &'a LaneSpec,
    index: Vec<u64>,
    offset: i64,
}

impl<'a> Odometer<'a> {
    fn new(spec: &'a LaneSpec) -> Odometer<'a> {
        Odometer { spec, index: vec![0; spec.shape.rank()], offset: 0 }
    }

    /// The offset of the lane at hand; goes on to the next.
    fn next(&mut self) -> i64 {
        let here = self.offset;
        for axis in (0..self.index.len()).rev() {
            let (extent, stride) = (self.spec.shape.0[axis], self.spec.strides[axis]);
            self.index[axis] += 1;
            self.offset = self.offset.wrapping_add(stride);
            if self.index[axis] < extent {
                break;
            }
            self.offset = self.offset.wrapping_sub((extent as i64).wrapping_mul(stride));
            self.index[axis] = 0;
        }
        here
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::shape::Shape;

    fn arg(dtype: DType, strides: &[i64]) -> Option<ArgSpec> {
        Some(ArgSpec { dtype, offset: 0, strides: strides.to_vec() })
    }

    #[test]
    fn an_index_of_rows_and_a_mask_of_columns() {
        let spec = LaneSpec {
            shape: Shape::new([2, 3]),
            dtype: DType::F32,
            strides: vec![0, 4],
            index: arg(DType::I32, &[1, 0]),
            mask: arg(DType::I1, &[0, 1]),
            value: None,
        };
        let index: Vec<u8> = [10_i32, -1].iter().flat_map(|it| it.to_le_bytes()).collect();
        let mask = [1, 0, 1];
        let found = addresses(&spec, 1000, [Some(Input::Tile(&index)), Some(Input::Tile(&mask))]);
        let expected = [Some(1040), None, Some(1048), Some(996), None, Some(1004)];
        assert_eq!(found.unwrap(), expected);
        // Three lanes of a row lie one after the other: two bursts in all.
        assert_eq!((spec.run_bytes(), spec.bursts(256), spec.bytes()), (12, 2, 24));
    }

    #[test]
    fn lanes_without_an_index_follow_their_strides() {
        let strided = |strides: &[i64]| LaneSpec {
            shape: Shape::new([2, 2]),
            dtype: DType::I16,
            strides: strides.to_vec(),
            index: None,
            mask: None,
            value: None,
        };
        let all = |spec: &LaneSpec| {
            let found = addresses(spec, 100, [None, None]).unwrap();
            found.into_iter().map(Option::unwrap).collect::<Vec<u64>>()
        };
        assert_eq!(all(&strided(&[100, -2])), [100, 98, 200, 198]);
        assert_eq!(strided(&[4, 2]).run_bytes(), 8);
        assert_eq!(strided(&[100, -2]).bursts(256), 4);
    }
}
