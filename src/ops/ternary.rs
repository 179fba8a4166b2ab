//! Elementwise ops of three operands.

use super::{CostClass, Domain, Integer, Real};

/// Makes [`TernaryOp`] from rows:
/// `/// doc  name = Variant, CostClass, Domain, |x, y, z| meaning on floats, meaning on integers;`
macro_rules! ternary_ops {
    ($($(#[doc = $doc:literal])+ $name:ident = $Variant:ident, $cost:ident, $domain:ident,
       |$x:ident, $y:ident, $z:ident| $real:expr, $int:expr;)*) => {
        /// An elementwise op of three operands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TernaryOp { $($(#[doc = $doc])+ $Variant,)* }

        impl TernaryOp {
            /// Every op, in table order.
            pub const ALL: &'static [TernaryOp] = &[$(TernaryOp::$Variant,)*];

            /// The op's name in the text IR and, after `tl.`, in the language.
            pub const fn name(self) -> &'static str {
                match self { $(TernaryOp::$Variant => stringify!($name),)* }
            }

            /// The op named `name`, if there is one.
            pub fn from_name(name: &str) -> Option<TernaryOp> {
                TernaryOp::ALL.iter().copied().find(|op| op.name() == name)
            }

            /// What the machine prices this op by.
            pub const fn cost_class(self) -> CostClass {
                match self { $(TernaryOp::$Variant => CostClass::$cost,)* }
            }

            /// The element types it takes.
            pub const fn domain(self) -> Domain {
                match self { $(TernaryOp::$Variant => Domain::$domain,)* }
            }

            /// The op's documentation, for `docs/ops.md`.
            pub const fn summary(self) -> &'static str {
                match self { $(TernaryOp::$Variant => concat!($($doc,)+),)* }
            }

            /// The meaning on floats. On an op of integers only, its first operand.
            pub fn eval_real<T: Real>(self, x: T, y: T, z: T) -> T {
                match self { $(TernaryOp::$Variant => { let ($x, $y, $z) = (x, y, z); let _ = ($y, $z); $real })* }
            }

            /// The meaning on integers. On an op of floats only, its first operand.
            pub fn eval_int<T: Integer>(self, x: T, y: T, z: T) -> T {
                match self { $(TernaryOp::$Variant => { let ($x, $y, $z) = (x, y, z); let _ = ($y, $z); $int })* }
            }

            /// [`Self::eval_real`] of each element, the op chosen once.
            #[inline(always)]
            pub fn map_real<T: Real>(self, out: &mut [T], x: &[T], y: &[T], z: &[T]) {
                match self { $(TernaryOp::$Variant => for (((out, x), y), z) in out.iter_mut().zip(x).zip(y).zip(z) {
                    let ($x, $y, $z) = (*x, *y, *z); let _ = ($y, $z);
                    *out = $real;
                })* }
            }

            /// [`Self::eval_int`] of each element, the op chosen once.
            #[inline(always)]
            pub fn map_int<T: Integer>(self, out: &mut [T], x: &[T], y: &[T], z: &[T]) {
                match self { $(TernaryOp::$Variant => for (((out, x), y), z) in out.iter_mut().zip(x).zip(y).zip(z) {
                    let ($x, $y, $z) = (*x, *y, *z); let _ = ($y, $z);
                    *out = $int;
                })* }
            }
        }
    };
}

ternary_ops! {
    /// `x * y + z`, rounded once.
    fma = Fma, Simple, Float, |x, y, z| x.fma(y, z), x.mul(y).add(z);
    /// `x` held between `y` and `z`.
    clamp = Clamp, Simple, Any, |x, y, z| x.max(y).min(z), x.max(y).min(z);
    /// `x` held between `y` and `z`; a NaN stays one.
    clamp_nan = ClampNan, Simple, Any, |x, y, z| super::binary::unless_nan(x, x, x.max(y).min(z)), x.max(y).min(z);
}
