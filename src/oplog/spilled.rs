//! Lists of any length: what does not fit in memory goes to a file and is read back in batches.
//!
//! The first items stay in memory, so short lists never touch a file. Later ones are packed and
//! appended in batches. Who walks a list backwards or by leaps reads a batch and finds most of the
//! next items there.

use std::cell::RefCell;
use std::io;

/// Bytes that are appended once and read back at any place: a file, for those that may have one.
pub trait Store {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// There is no room.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Fills `bytes` with what is at `offset`.
    ///
    /// # Errors
    /// It cannot be read back.
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
}

/// Makes a store, when one is needed.
pub type OpenStore = fn() -> io::Result<Box<dyn Store>>;

/// Items that are written and read at a time.
pub(super) const BATCH: usize = 1 << 13;

/// What is packed to `N` bytes.
pub(super) trait Packed<const N: usize>: Copy {
    /// The bytes.
    fn pack(&self) -> [u8; N];
    /// What was packed to `bytes`.
    fn unpack(bytes: &[u8; N]) -> Self;
}

/// A list that keeps its first items in memory and the others, packed to `N` bytes each, in a store.
///
/// Where no store can be had, or it is full, everything stays in memory.
pub(super) struct Spilled<T, const N: usize> {
    memory: Vec<T>,
    /// How many items stay in memory.
    in_memory: usize,
    open: Option<OpenStore>,
    store: Option<RefCell<Box<dyn Store>>>,
    /// Items in the store.
    stored: usize,
    /// Whether the store takes no more.
    full: bool,
    /// Items that follow those in the store.
    tail: Vec<T>,
    /// The batch of the store that was read last.
    batch: RefCell<(usize, Vec<T>)>,
}

impl<T, const N: usize> std::fmt::Debug for Spilled<T, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} records in memory, {} stored", self.memory.len(), self.stored)
    }
}

impl<T: Packed<N>, const N: usize> Spilled<T, N> {
    /// An empty list that keeps so many items in memory; without `open` all of them.
    pub(super) fn keeping(in_memory: usize, open: Option<OpenStore>) -> Spilled<T, N> {
        Spilled {
            memory: Vec::new(),
            in_memory,
            open,
            store: None,
            stored: 0,
            full: false,
            tail: Vec::new(),
            batch: RefCell::new((usize::MAX, Vec::new())),
        }
    }

    /// How many items it has.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.memory.len() + self.stored + self.tail.len()
    }

    /// Adds an item at the end.
    #[inline]
    pub(super) fn push(&mut self, item: T) {
        if self.memory.len() < self.in_memory || !self.spills() {
            self.memory.push(item);
            return;
        }
        self.tail.push(item);
        if self.tail.len() == BATCH && !self.full {
            self.spill_tail();
        }
    }

    /// Whether items go to the store: opens it when it is first needed.
    fn spills(&mut self) -> bool {
        if self.store.is_none()
            && let Some(open) = self.open.take()
        {
            self.store = open().ok().map(RefCell::new);
        }
        self.store.is_some()
    }

    fn spill_tail(&mut self) {
        let Some(store) = &self.store else { return };
        let bytes: Vec<u8> = self.tail.iter().flat_map(T::pack).collect();
        // After a failure the tail goes on growing in memory.
        self.full = store.borrow_mut().append(&bytes).is_err();
        if !self.full {
            self.stored += self.tail.len();
            self.tail.clear();
        }
    }

    /// The item at a place; `None` past the end.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn get(&self, index: usize) -> io::Result<Option<T>> {
        let Some(later) = index.checked_sub(self.memory.len()) else {
            return Ok(self.memory.get(index).copied());
        };
        match later.checked_sub(self.stored) {
            None => self.stored_item(later),
            Some(at) => Ok(self.tail.get(at).copied()),
        }
    }

    fn stored_item(&self, index: usize) -> io::Result<Option<T>> {
        let mut batch = self.batch.borrow_mut();
        let number = index / BATCH;
        if batch.0 != number {
            batch.0 = usize::MAX;
            self.read(number, &mut batch.1)?;
            batch.0 = number;
        }
        Ok(batch.1.get(index % BATCH).copied())
    }

    /// Reads a batch of the store into `into`.
    fn read(&self, number: usize, into: &mut Vec<T>) -> io::Result<()> {
        into.clear();
        let first = number * BATCH;
        let count = BATCH.min(self.stored.saturating_sub(first));
        let Some(store) = self.store.as_ref().filter(|_| count > 0) else { return Ok(()) };
        let mut bytes = vec![0; count * N];
        store.borrow_mut().read_at((first * N) as u64, &mut bytes)?;
        into.extend(bytes.as_chunks::<N>().0.iter().map(T::unpack));
        Ok(())
    }

    /// Calls `visit` with all items in order, many at a time.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn for_each_batch(&self, visit: &mut dyn FnMut(&[T])) -> io::Result<()> {
        visit(&self.memory);
        let mut batch = Vec::new();
        for number in 0..self.stored.div_ceil(BATCH) {
            self.read(number, &mut batch)?;
            visit(&batch);
        }
        visit(&self.tail);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A store that has room for so many bytes.
    struct Bytes(Vec<u8>, usize);

    impl Store for Bytes {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            if self.0.len() + bytes.len() > self.1 {
                return Err(io::Error::other("full"));
            }
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
            let from = offset as usize;
            bytes.copy_from_slice(&self.0[from..from + bytes.len()]);
            Ok(())
        }
    }

    /// A store with room for all, one with room for two batches of items of 60 bytes, one that cannot
    /// be had, and none.
    pub(in crate::oplog) fn stores() -> [Option<OpenStore>; 4] {
        let roomy: OpenStore = || Ok(Box::new(Bytes(Vec::new(), usize::MAX)));
        let small: OpenStore = || Ok(Box::new(Bytes(Vec::new(), 2 * BATCH * 60)));
        let none: OpenStore = || Err(io::Error::other("no room"));
        [Some(roomy), Some(small), Some(none), None]
    }

    impl Packed<60> for u64 {
        fn pack(&self) -> [u8; 60] {
            let mut bytes = [0; 60];
            bytes[7..15].copy_from_slice(&self.to_le_bytes());
            bytes
        }

        fn unpack(bytes: &[u8; 60]) -> u64 {
            bytes[7..15].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
        }
    }

    #[test]
    fn what_is_read_back_is_what_was_pushed_wherever_it_is() {
        let square = |number: usize| (number as u64).pow(2);
        let count = 4 * BATCH + 77;
        for open in stores() {
            let mut list: Spilled<u64, 60> = Spilled::keeping(1000, open);
            (0..count).for_each(|number| list.push(square(number)));
            assert_eq!(list.len(), count);
            for number in (0..count).rev().step_by(97) {
                assert_eq!(list.get(number).ok(), Some(Some(square(number))));
            }
            assert_eq!(list.get(count).ok(), Some(None));
            let mut all = Vec::new();
            assert!(list.for_each_batch(&mut |batch| all.extend_from_slice(batch)).is_ok());
            assert!(all.into_iter().eq((0..count).map(square)));
        }
    }

    /// What is read fails once the store is broken, and what is in memory is still there.
    #[test]
    fn a_store_that_cannot_be_read_is_told() {
        struct Lost;
        impl Store for Lost {
            fn append(&mut self, _: &[u8]) -> io::Result<()> {
                Ok(())
            }
            fn read_at(&mut self, _: u64, _: &mut [u8]) -> io::Result<()> {
                Err(io::Error::other("lost"))
            }
        }
        let mut list: Spilled<u64, 60> = Spilled::keeping(10, Some(|| Ok(Box::new(Lost))));
        (0..3 * BATCH as u64).for_each(|number| list.push(number));
        assert_eq!(list.get(9).ok(), Some(Some(9)));
        assert!(list.get(10).is_err() && list.get(10).is_err());
        let last = 3 * BATCH - 1;
        assert_eq!(list.get(last).ok(), Some(Some(last as u64)));
        assert!(list.for_each_batch(&mut |_| ()).is_err());
    }
}
