//! Reductions along an axis.

use super::BinaryOp;

/// Makes [`ReduceOp`] from rows: `/// doc  name = Variant, combining op, gives an index;`
macro_rules! reduce_ops {
    ($($(#[doc = $doc:literal])+ $name:ident = $Variant:ident, $combine:ident, $index:literal;)*) => {
        /// A reduction of one axis, or of all.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReduceOp { $($(#[doc = $doc])+ $Variant,)* }

        impl ReduceOp {
            /// Every reduction, in table order.
            pub const ALL: &'static [ReduceOp] = &[$(ReduceOp::$Variant,)*];

            /// The op's name in the text IR and, after `tl.`, in the language.
            pub const fn name(self) -> &'static str {
                match self { $(ReduceOp::$Variant => stringify!($name),)* }
            }

            /// The reduction named `name`, if there is one.
            pub fn from_name(name: &str) -> Option<ReduceOp> {
                ReduceOp::ALL.iter().copied().find(|op| op.name() == name)
            }

            /// What combines two elements. For a reduction that gives an index, what decides
            /// which element wins; the leftmost wins ties.
            pub const fn combine(self) -> BinaryOp {
                match self { $(ReduceOp::$Variant => BinaryOp::$combine,)* }
            }

            /// Whether the result is the place of the winning element (`i32`), not its value.
            pub const fn gives_index(self) -> bool {
                match self { $(ReduceOp::$Variant => $index,)* }
            }

            /// The op's documentation, for `docs/ops.md`.
            pub const fn summary(self) -> &'static str {
                match self { $(ReduceOp::$Variant => concat!($($doc,)+),)* }
            }
        }
    };
}

reduce_ops! {
    /// Sum, element 0 first, one after the other.
    sum = Sum, Add, false;
    /// Largest element; NaNs lose.
    max = Max, Maximum, false;
    /// Smallest element; NaNs lose.
    min = Min, Minimum, false;
    /// Largest element; a NaN, if there is one.
    max_nan = MaxNan, MaximumNan, false;
    /// Smallest element; a NaN, if there is one.
    min_nan = MinNan, MinimumNan, false;
    /// Exclusive or of the bits of integers.
    xor_sum = XorSum, BitXor, false;
    /// Or of the bits of integers.
    reduce_or = ReduceOr, BitOr, false;
    /// Place of the largest element.
    argmax = ArgMax, Maximum, true;
    /// Place of the smallest element.
    argmin = ArgMin, Minimum, true;
}
