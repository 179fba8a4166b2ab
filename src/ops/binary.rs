//! Elementwise ops of two operands.

use super::{CostClass, Domain, Integer, Real};

/// Makes [`BinaryOp`] from rows:
/// `/// doc  name = Variant, CostClass, Domain, |x, y| meaning on floats, meaning on integers;`
macro_rules! binary_ops {
    ($($(#[doc = $doc:literal])+ $name:ident = $Variant:ident, $cost:ident, $domain:ident,
       |$x:ident, $y:ident| $real:expr, $int:expr;)*) => {
        /// An elementwise op of two operands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum BinaryOp { $($(#[doc = $doc])+ $Variant,)* }

        impl BinaryOp {
            /// Every op, in table order.
            pub const ALL: &'static [BinaryOp] = &[$(BinaryOp::$Variant,)*];

            /// The op's name in the text IR and, after `tl.`, in the language.
            pub const fn name(self) -> &'static str {
                match self { $(BinaryOp::$Variant => stringify!($name),)* }
            }

            /// The op named `name`, if there is one.
            pub fn from_name(name: &str) -> Option<BinaryOp> {
                BinaryOp::ALL.iter().copied().find(|op| op.name() == name)
            }

            /// What the machine prices this op by.
            pub const fn cost_class(self) -> CostClass {
                match self { $(BinaryOp::$Variant => CostClass::$cost,)* }
            }

            /// The element types it takes.
            pub const fn domain(self) -> Domain {
                match self { $(BinaryOp::$Variant => Domain::$domain,)* }
            }

            /// The op's documentation, for `docs/ops.md`.
            pub const fn summary(self) -> &'static str {
                match self { $(BinaryOp::$Variant => concat!($($doc,)+),)* }
            }

            /// The meaning on floats. On an op of integers only, its first operand.
            pub fn eval_real<T: Real>(self, x: T, y: T) -> T {
                match self { $(BinaryOp::$Variant => { let ($x, $y) = (x, y); let _ = $y; $real })* }
            }

            /// The meaning on integers. On an op of floats only, its first operand.
            pub fn eval_int<T: Integer>(self, x: T, y: T) -> T {
                match self { $(BinaryOp::$Variant => { let ($x, $y) = (x, y); let _ = $y; $int })* }
            }

            /// [`Self::eval_real`] of each element, the op chosen once.
            #[inline(always)]
            pub fn map_real<T: Real>(self, out: &mut [T], x: &[T], y: &[T]) {
                match self { $(BinaryOp::$Variant => for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                    let ($x, $y) = (*x, *y); let _ = $y;
                    *out = $real;
                })* }
            }

            /// [`Self::eval_int`] of each element, the op chosen once.
            #[inline(always)]
            pub fn map_int<T: Integer>(self, out: &mut [T], x: &[T], y: &[T]) {
                match self { $(BinaryOp::$Variant => for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                    let ($x, $y) = (*x, *y); let _ = $y;
                    *out = $int;
                })* }
            }
        }
    };
}

binary_ops! {
    /// Sum.
    add = Add, Simple, Any, |x, y| x + y, x.add(y);
    /// Difference.
    sub = Sub, Simple, Any, |x, y| x - y, x.sub(y);
    /// Product.
    mul = Mul, Simple, Any, |x, y| x * y, x.mul(y);
    /// Quotient of floats.
    div = Div, Division, Float, |x, y| x / y, x;
    /// Quotient of integers, truncated toward zero.
    int_div = IntDiv, Division, Int, |x, y| x, x.div(y);
    /// Quotient of integers, rounded toward minus infinity.
    floor_div = FloorDiv, Division, Int, |x, y| x, x.floor_div(y);
    /// Remainder of truncated division: it has the sign of the dividend.
    rem = Rem, Division, Any, |x, y| x.fmod(y), x.rem(y);
    /// The first to the power of the second.
    pow = Pow, Exponential, Float, |x, y| x.pow(y), x;
    /// Remainder of floor division: it has the sign of the divisor.
    floor_mod = FloorMod, Division, Int, |x, y| x, x.floor_mod(y);
    /// The smaller; a NaN loses.
    minimum = Minimum, Simple, Any, |x, y| x.min(y), x.min(y);
    /// The larger; a NaN loses.
    maximum = Maximum, Simple, Any, |x, y| x.max(y), x.max(y);
    /// The smaller; a NaN wins.
    minimum_nan = MinimumNan, Simple, Any, |x, y| unless_nan(x, y, x.min(y)), x.min(y);
    /// The larger; a NaN wins.
    maximum_nan = MaximumNan, Simple, Any, |x, y| unless_nan(x, y, x.max(y)), x.max(y);
    /// Bitwise and.
    bit_and = BitAnd, Simple, Int, |x, y| x, x.and(y);
    /// Bitwise or.
    bit_or = BitOr, Simple, Int, |x, y| x, x.or(y);
    /// Bitwise exclusive or.
    bit_xor = BitXor, Simple, Int, |x, y| x, x.xor(y);
    /// Shift left; 0 once every bit is out.
    shl = Shl, Simple, Int, |x, y| x, x.shl(y);
    /// Shift right, filled with the sign of a signed operand.
    shr = Shr, Simple, Int, |x, y| x, x.shr(y);
    /// High half of the 64-bit product of 32-bit integers, taken without signs.
    umulhi = UMulHi, Simple, Int, |x, y| x, x.umulhi(y);
    /// High half of the 128-bit product of 64-bit integers, taken without signs.
    umulhi64 = UMulHi64, Simple, Int, |x, y| x, x.umulhi64(y);
}

/// `chosen`, unless `x` or `y` is a NaN, which the sum then is.
#[inline(always)]
pub(super) fn unless_nan<T: Real>(x: T, y: T, chosen: T) -> T {
    if x.partial_cmp(&y).is_some() { chosen } else { x + y }
}

impl BinaryOp {
    /// Whether the operands may change places.
    pub const fn is_commutative(self) -> bool {
        matches!(
            self,
            BinaryOp::Add
                | BinaryOp::Mul
                | BinaryOp::Minimum
                | BinaryOp::Maximum
                | BinaryOp::MinimumNan
                | BinaryOp::MaximumNan
                | BinaryOp::BitAnd
                | BinaryOp::BitOr
                | BinaryOp::BitXor
                | BinaryOp::UMulHi
                | BinaryOp::UMulHi64
        )
    }
}
