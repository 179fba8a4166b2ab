//! What atomic commands leave in memory.

use std::ops::Range;

use super::{Element, with_element};
use crate::dtype::{DType, Kind};
use crate::ir::{Literal, eval};
use crate::ops::AtomicOp;

/// The operands of an atomic command, element after element.
#[derive(Clone, Copy, Debug)]
pub(in crate::replay) struct Operands<'a> {
    /// Which.
    pub(in crate::replay) op: AtomicOp,
    /// The type of all elements.
    pub(in crate::replay) dtype: DType,
    /// One for each lane.
    pub(in crate::replay) values: &'a [u8],
    /// What a compare-and-swap expects of each lane.
    pub(in crate::replay) expected: Option<&'a [u8]>,
}

impl<'a> Operands<'a> {
    /// Those of some lanes, given by their bytes.
    pub(in crate::replay) fn of(&self, lanes: Range<usize>) -> Operands<'a> {
        let expected = self.expected.map(|expected| &expected[lanes.clone()]);
        Operands { values: &self.values[lanes], expected, ..*self }
    }

    /// Changes the elements in `memory`, one for each lane.
    pub(in crate::replay) fn change(&self, memory: &mut [u8]) {
        let size = self.dtype.bytes() as usize;
        let lanes = memory.chunks_exact_mut(size).zip(self.values.chunks_exact(size));
        if let Some(combine) = self.op.combine() {
            for (old, value) in lanes {
                let pair = (literal(self.dtype, old), literal(self.dtype, value));
                if let Some(new) = eval::binary(combine, self.dtype, pair.0, pair.1) {
                    store(self.dtype, new, old);
                }
            }
            return;
        }
        for (lane, (old, value)) in lanes.enumerate() {
            let expected = self.expected.map(|all| &all[lane * size..(lane + 1) * size]);
            if expected.is_none_or(|expected| expected == old) {
                old.copy_from_slice(value);
            }
        }
    }
}

fn literal(dtype: DType, bytes: &[u8]) -> Literal {
    with_element!(dtype, E => {
        let element: E = bytemuck::pod_read_unaligned(bytes);
        match dtype.kind() {
            Kind::Float => Literal::Float(element.to_f64()),
            Kind::Signed => Literal::Int(element.to_i64()),
            Kind::Unsigned | Kind::Bool => Literal::Int(element.to_u64() as i64),
        }
    })
}

fn store(dtype: DType, value: Literal, out: &mut [u8]) {
    with_element!(dtype, E => {
        let element: E = match value {
            Literal::Float(value) => E::from_f64(value),
            Literal::Int(value) if dtype.is_unsigned() => E::from_u64(value as u64),
            Literal::Int(value) => E::from_i64(value),
        };
        out.copy_from_slice(bytemuck::bytes_of(&element));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(
        op: AtomicOp,
        dtype: DType,
        old: &[u8],
        values: &[u8],
        expected: Option<&[u8]>,
    ) -> Vec<u8> {
        let mut memory = old.to_vec();
        Operands { op, dtype, values, expected }.change(&mut memory);
        memory
    }

    #[test]
    fn each_op_leaves_what_its_name_says() {
        let i32s =
            |all: &[i32]| -> Vec<u8> { all.iter().flat_map(|it| it.to_le_bytes()).collect() };
        let (old, value) = (i32s(&[5, -7, i32::MAX]), i32s(&[3, 2, 1]));
        let of = |op| changed(op, DType::I32, &old, &value, None);
        assert_eq!(of(AtomicOp::Add), i32s(&[8, -5, i32::MIN]));
        assert_eq!(of(AtomicOp::Max), i32s(&[5, 2, i32::MAX]));
        assert_eq!(of(AtomicOp::Min), i32s(&[3, -7, 1]));
        assert_eq!(of(AtomicOp::And), i32s(&[5 & 3, -7 & 2, 1]));
        assert_eq!(of(AtomicOp::Or), i32s(&[7, -7 | 2, i32::MAX]));
        assert_eq!(of(AtomicOp::Xor), i32s(&[6, -7 ^ 2, i32::MAX ^ 1]));
        assert_eq!(of(AtomicOp::Xchg), value);
        let expected = i32s(&[5, 7, i32::MAX]);
        let swapped = changed(AtomicOp::Cas, DType::I32, &old, &value, Some(&expected));
        assert_eq!(swapped, i32s(&[3, -7, 1]));
    }

    #[test]
    fn elements_keep_their_type() {
        // The largest u64 is more than 1, whatever its sign bit says; f16 rounds each sum.
        let most = u64::MAX.to_le_bytes();
        let one = 1_u64.to_le_bytes();
        assert_eq!(changed(AtomicOp::Max, DType::U64, &one, &most, None), most);
        let half = |value: f32| half::f16::from_f32(value).to_le_bytes();
        let sum = changed(AtomicOp::Add, DType::F16, &half(2048.0), &half(1.0), None);
        assert_eq!(sum, half(2048.0));
        let sum = changed(
            AtomicOp::Add,
            DType::F64,
            &0.1_f64.to_le_bytes(),
            &0.2_f64.to_le_bytes(),
            None,
        );
        assert_eq!(sum, (0.1_f64 + 0.2).to_le_bytes());
    }
}
