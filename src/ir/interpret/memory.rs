//! The flat memory that programs load from and store to.

/// Stretches of bytes at their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    stretches: Vec<(i64, Vec<u8>)>,
}

impl Memory {
    /// No memory.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Adds `bytes` at `address`. Where stretches overlap, the one added first counts.
    pub fn add(&mut self, address: i64, bytes: Vec<u8>) {
        self.stretches.push((address, bytes));
    }

    /// The stretches in the order in which they were added.
    pub fn stretches(&self) -> impl Iterator<Item = (i64, &[u8])> {
        self.stretches.iter().map(|(address, bytes)| (*address, bytes.as_slice()))
    }

    /// `length` bytes at `address`, if one stretch has them all.
    pub fn get(&self, address: i64, length: usize) -> Option<&[u8]> {
        self.stretches.iter().find_map(|(base, bytes)| {
            let first = usize::try_from(address.checked_sub(*base)?).ok()?;
            bytes.get(first..first.checked_add(length)?)
        })
    }

    /// The same, to change.
    pub fn get_mut(&mut self, address: i64, length: usize) -> Option<&mut [u8]> {
        self.stretches.iter_mut().find_map(|(base, bytes)| {
            let first = usize::try_from(address.checked_sub(*base)?).ok()?;
            bytes.get_mut(first..first.checked_add(length)?)
        })
    }
}
