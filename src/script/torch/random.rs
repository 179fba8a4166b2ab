//! Random tensors: the same for the same seed, on any machine.

use crate::dtype::DType;
use crate::host::{Array, HostError};
use crate::replay::data::{Values, generate};
use crate::shape::Shape;

/// Which seed the next random tensor has: `torch.manual_seed(s)` starts at `s * 2^32`, and each
/// tensor takes the next. A program that sets none starts at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::script) struct Seeds {
    next: u64,
}

impl Seeds {
    /// Starts again from `seed`.
    pub(super) fn restart(&mut self, seed: i128) {
        self.next = (seed as u64) << 32;
    }

    /// The next seed.
    pub(super) fn take(&mut self) -> u64 {
        let seed = self.next;
        self.next = self.next.wrapping_add(1);
        seed
    }
}

/// An array of random numbers, each rounded to `dtype` once.
pub(super) fn array(
    dtype: DType,
    shape: &Shape,
    values: Values,
    seed: u64,
) -> Result<Array, HostError> {
    Array::from_bytes(dtype, shape, &generate(dtype, shape.elements(), values, seed))
}
