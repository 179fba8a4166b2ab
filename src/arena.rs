//! Typed ids and the dense tables they index.
//!
//! An id is a `u32` that only indexes the table it was made for; it prints the way the text
//! forms name it (`%3`, `pe5`). No id is ever reused, and tables never shrink.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A dense index into one kind of table.
pub trait Id: Copy + Eq + Ord + std::hash::Hash + std::fmt::Debug {
    /// The id at `index`.
    fn from_index(index: usize) -> Self;
    /// The index of this id.
    fn index(self) -> usize;
}

/// Declares typed ids: `id!(/// doc  Value, "%");` makes `Value`, printed as `%7`.
#[macro_export]
macro_rules! id {
    ($($(#[$meta:meta])* $Name:ident, $prefix:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(unreachable_pub, reason = "an id may belong to a table that its module keeps private")]
        pub struct $Name(pub u32);

        impl $crate::arena::Id for $Name {
            fn from_index(index: usize) -> Self {
                $Name(u32::try_from(index).expect("tables hold fewer than 2^32 entries"))
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl std::fmt::Debug for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )+};
}

/// A growing table whose entries are named by `I`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arena<I, T> {
    items: Vec<T>,
    ids: PhantomData<fn(I) -> I>,
}

impl<I, T> Default for Arena<I, T> {
    fn default() -> Self {
        Arena { items: Vec::new(), ids: PhantomData }
    }
}

impl<I: Id, T> Arena<I, T> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `item` and returns its id.
    pub fn push(&mut self, item: T) -> I {
        let id = I::from_index(self.items.len());
        self.items.push(item);
        id
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the table holds nothing.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The entry at `id`, unless `id` was made for a larger table (text input may do so).
    pub fn get(&self, id: I) -> Option<&T> {
        self.items.get(id.index())
    }

    /// Every id, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + use<I, T> {
        (0..self.items.len()).map(I::from_index)
    }

    /// Every entry with its id, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (I, &T)> {
        self.items.iter().enumerate().map(|(index, item)| (I::from_index(index), item))
    }

    /// Every entry with its id, in order, to change.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (I, &mut T)> {
        self.items.iter_mut().enumerate().map(|(index, item)| (I::from_index(index), item))
    }

    /// The entries alone, in order.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }
}

impl<I: Id, T> Index<I> for Arena<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        &self.items[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for Arena<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index()]
    }
}

impl<I: Id, T> FromIterator<T> for Arena<I, T> {
    fn from_iter<It: IntoIterator<Item = T>>(items: It) -> Self {
        Arena { items: items.into_iter().collect(), ids: PhantomData }
    }
}

/// Facts kept beside an [`Arena`], one per id, `T::default()` where nothing was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideTable<I, T> {
    items: Vec<T>,
    default: T,
    ids: PhantomData<fn(I) -> I>,
}

impl<I, T: Default> Default for SideTable<I, T> {
    fn default() -> Self {
        SideTable { items: Vec::new(), default: T::default(), ids: PhantomData }
    }
}

impl<I: Id, T: Default + Clone> SideTable<I, T> {
    /// A table that says nothing of any id.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says `item` of `id`.
    pub fn set(&mut self, id: I, item: T) {
        *self.get_mut(id) = item;
    }

    /// What is said of `id`, to change.
    pub fn get_mut(&mut self, id: I) -> &mut T {
        if self.items.len() <= id.index() {
            self.items.resize(id.index() + 1, T::default());
        }
        &mut self.items[id.index()]
    }
}

impl<I: Id, T> Index<I> for SideTable<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        self.items.get(id.index()).unwrap_or(&self.default)
    }
}
