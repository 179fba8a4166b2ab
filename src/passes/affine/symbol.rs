//! The scalars that affine forms are sums of.

use rustc_hash::FxHashMap;

use crate::arena::{Arena, SideTable};
use crate::id;
use crate::ir::Value;
use crate::passes::intervals::Interval;

id! {
    /// A scalar that forms are sums of.
    Symbol, "s";
}

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// An integer scalar of the function.
    Scalar(Value),
    /// The base of a tile that a loop carries, or that a loop or branch gives. No scalar of the
    /// function is it yet.
    Joined(Value),
}

/// The symbols there are, and what each can be.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    kinds: Arena<Symbol, Kind>,
    ids: FxHashMap<Kind, Symbol>,
    intervals: SideTable<Symbol, Option<Interval>>,
}

impl Symbols {
    /// The symbol of `kind`, which is in `interval`.
    pub(super) fn of(&mut self, kind: Kind, interval: Interval) -> Symbol {
        let kinds = &mut self.kinds;
        let symbol = *self.ids.entry(kind).or_insert_with(|| kinds.push(kind));
        self.intervals.set(symbol, Some(interval));
        symbol
    }

    pub(super) fn kind(&self, symbol: Symbol) -> Kind {
        self.kinds[symbol]
    }

    pub(super) fn interval(&self, symbol: Symbol) -> Interval {
        self.intervals[symbol].unwrap_or(Interval::I64)
    }
}
