//! Ops that read an element of memory, combine it and write it back as one.

use super::{BinaryOp, Domain};

/// Makes [`AtomicOp`] from rows: `/// doc  name = Variant, Domain, the op that combines, if any;`
macro_rules! atomic_ops {
    ($($(#[doc = $doc:literal])+ $name:ident = $Variant:ident, $domain:ident, $combine:expr;)*) => {
        /// What an atomic op leaves in memory; it gives what was there before.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AtomicOp { $($(#[doc = $doc])+ $Variant,)* }

        impl AtomicOp {
            /// Every op, in table order.
            pub const ALL: &'static [AtomicOp] = &[$(AtomicOp::$Variant,)*];

            /// The op's name in the text IR and, after `tl.`, in the language.
            pub const fn name(self) -> &'static str {
                match self { $(AtomicOp::$Variant => stringify!($name),)* }
            }

            /// The op named `name`, if there is one.
            pub fn from_name(name: &str) -> Option<AtomicOp> {
                AtomicOp::ALL.iter().copied().find(|op| op.name() == name)
            }

            /// The element types it takes.
            pub const fn domain(self) -> Domain {
                match self { $(AtomicOp::$Variant => Domain::$domain,)* }
            }

            /// The op's documentation.
            pub const fn summary(self) -> &'static str {
                match self { $(AtomicOp::$Variant => concat!($($doc,)+),)* }
            }

            /// What combines the element and the operand; `None` where the operand replaces it.
            pub const fn combine(self) -> Option<BinaryOp> {
                match self { $(AtomicOp::$Variant => $combine,)* }
            }
        }
    };
}

atomic_ops! {
    /// Adds to elements of memory at once; gives what was there before.
    atomic_add = Add, Any, Some(BinaryOp::Add);
    /// Leaves the larger of an element of memory and a value; gives what was there before.
    atomic_max = Max, Any, Some(BinaryOp::Maximum);
    /// Leaves the smaller of an element of memory and a value; gives what was there before.
    atomic_min = Min, Any, Some(BinaryOp::Minimum);
    /// Leaves the bits that an element of memory and a value share; gives what was there before.
    atomic_and = And, Int, Some(BinaryOp::BitAnd);
    /// Leaves the bits of an element of memory and of a value; gives what was there before.
    atomic_or = Or, Int, Some(BinaryOp::BitOr);
    /// Flips the bits of a value in an element of memory; gives what was there before.
    atomic_xor = Xor, Int, Some(BinaryOp::BitXor);
    /// Replaces an element of memory; gives what was there before.
    atomic_xchg = Xchg, Any, None;
    /// Replaces an element of memory where it is what is expected; gives what was there before.
    atomic_cas = Cas, Any, None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for op in AtomicOp::ALL {
            assert_eq!(AtomicOp::from_name(op.name()), Some(*op));
            assert!(op.name().starts_with("atomic_"));
        }
    }
}
