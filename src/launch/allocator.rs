//! Gives out addresses, virtual or physical: first fit over a list of free stretches, which join
//! again when freed.

use std::collections::BTreeMap;

/// The first virtual address that is given out.
pub const VA_BASE: u64 = 0x1_0000_0000;

/// The size of the address space: 64 GiB.
pub const VA_BYTES: u64 = 64 << 30;

/// What every allocation is aligned to and rounded up to: one page of a PE's MMU.
pub const PAGE_BYTES: u64 = 2 << 20;

/// Gives out stretches of the address space, page by page.
#[derive(Clone, Debug)]
pub struct AddressAllocator {
    page: u64,
    /// Free stretches, by first address; never empty ones, never two that touch.
    free: BTreeMap<u64, u64>,
    /// Stretches in use, by first address.
    used: BTreeMap<u64, u64>,
}

/// There is no free stretch that is long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// The bytes asked for, rounded up to pages.
    pub needed: u64,
    /// The longest free stretch, in bytes.
    pub longest: u64,
    /// All that is free, in bytes.
    pub free: u64,
}

impl Default for AddressAllocator {
    fn default() -> Self {
        AddressAllocator::new(VA_BASE, VA_BYTES, PAGE_BYTES)
    }
}

impl AddressAllocator {
    /// An allocator of `bytes` bytes from `base`, in pages of `page` bytes.
    ///
    /// # Panics
    /// If `page` is zero, or `base` is not a multiple of it.
    pub fn new(base: u64, bytes: u64, page: u64) -> AddressAllocator {
        assert!(page > 0 && base.is_multiple_of(page), "an address space begins at a page");
        let whole_pages = bytes.min(u64::MAX - base) / page * page;
        let free = BTreeMap::from([(base, whole_pages)]);
        AddressAllocator { page, free, used: BTreeMap::new() }
    }

    /// The lowest address from which `bytes` bytes are free, which are now in use. At least one
    /// page is taken, so that every address given out is another.
    ///
    /// # Errors
    /// If no free stretch is long enough.
    pub fn allocate(&mut self, bytes: u64) -> Result<u64, NoRoom> {
        let pages = bytes.div_ceil(self.page).max(1);
        let needed = pages.saturating_mul(self.page);
        let found = self.free.iter().find(|(_, length)| **length >= needed);
        let Some((&base, &length)) = found else { return Err(self.no_room(needed)) };
        self.free.remove(&base);
        if length > needed {
            self.free.insert(base + needed, length - needed);
        }
        self.used.insert(base, needed);
        Ok(base)
    }

    /// Gives back what was allocated at `base`. Says whether anything was.
    pub fn free(&mut self, base: u64) -> bool {
        let Some(mut length) = self.used.remove(&base) else { return false };
        let mut start = base;
        if let Some((&before, &before_length)) = self.free.range(..base).next_back()
            && before + before_length == base
        {
            self.free.remove(&before);
            start = before;
            length += before_length;
        }
        if let Some(after_length) = self.free.remove(&(start + length)) {
            length += after_length;
        }
        self.free.insert(start, length);
        true
    }

    /// The bytes in use, whole pages counted.
    pub fn used_bytes(&self) -> u64 {
        self.used.values().sum()
    }

    fn no_room(&self, needed: u64) -> NoRoom {
        let longest = self.free.values().copied().max().unwrap_or(0);
        NoRoom { needed, longest, free: self.free.values().sum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn allocations_are_first_fit_and_page_aligned() {
        let mut space = AddressAllocator::new(0x1000, 0x4000, 0x1000);
        assert_eq!(space.allocate(1), Ok(0x1000));
        assert_eq!(space.allocate(0x1001), Ok(0x2000));
        assert_eq!(space.allocate(0), Ok(0x4000));
        let no_room = NoRoom { needed: 0x1000, longest: 0, free: 0 };
        assert_eq!(space.allocate(1), Err(no_room));
        assert!(space.free(0x2000));
        assert!(!space.free(0x2000));
        assert_eq!(space.allocate(5), Ok(0x2000));
    }

    #[test]
    fn the_default_space_is_kernbench_s() {
        assert_eq!(AddressAllocator::default().allocate(1), Ok(0x1_0000_0000));
        let no_room = AddressAllocator::default().allocate(u64::MAX).unwrap_err();
        assert_eq!(no_room.free, 64 << 30);
    }

    proptest! {
        /// Whatever is allocated and freed, stretches in use never overlap, and freeing all of
        /// them leaves one stretch: the whole space.
        #[test]
        fn stretches_never_overlap_and_all_come_back(
            steps in prop::collection::vec((any::<bool>(), 0u64..9000, 0usize..8), 1..60)
        ) {
            let mut space = AddressAllocator::new(0, 64 * 1024, 1024);
            let mut held: Vec<(u64, u64)> = Vec::new();
            for (allocates, bytes, which) in steps {
                if allocates {
                    if let Ok(base) = space.allocate(bytes) {
                        held.push((base, bytes.max(1)));
                    }
                } else if !held.is_empty() {
                    let (base, _) = held.remove(which % held.len());
                    prop_assert!(space.free(base));
                }
                let mut sorted = held.clone();
                sorted.sort_unstable();
                prop_assert!(sorted.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
            }
            for (base, _) in held {
                space.free(base);
            }
            prop_assert_eq!(space.free, BTreeMap::from([(0, 64 * 1024)]));
        }
    }
}
