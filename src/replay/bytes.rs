//! The bytes of a memory, aligned for every element type and taken from the system only where
//! they are touched.

use bytemuck::{cast_slice, cast_slice_mut};

/// A zeroed stretch of memory. Its first byte is aligned to 8, so that a tile at an aligned
/// offset can be seen as a slice of its elements.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes {
    words: Vec<u64>,
    len: usize,
}

impl Bytes {
    /// `len` zero bytes.
    pub(super) fn zeroed(len: usize) -> Bytes {
        Bytes { words: vec![0; len.div_ceil(8)], len }
    }

    /// A copy of `bytes`.
    pub(super) fn copied(bytes: &[u8]) -> Bytes {
        let mut copy = Bytes::zeroed(bytes.len());
        copy.as_mut_slice().copy_from_slice(bytes);
        copy
    }

    /// All of it.
    pub(super) fn as_slice(&self) -> &[u8] {
        &cast_slice(&self.words)[..self.len]
    }

    /// All of it, to change.
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut cast_slice_mut(&mut self.words)[..self.len]
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_lengths_keep_their_length_and_alignment() {
        let mut bytes = Bytes::zeroed(13);
        bytes.as_mut_slice()[12] = 7;
        assert_eq!(bytes.as_slice().len(), 13);
        assert_eq!(bytes.as_slice()[12], 7);
        assert_eq!(bytes.as_slice().as_ptr().align_offset(8), 0);
    }
}
