//! Elementwise ops of one operand.

use super::{CostClass, Domain, Integer, Real};

/// Makes [`UnaryOp`] from rows:
/// `/// doc  name = Variant, CostClass, Domain, |x| meaning on floats, meaning on integers;`
macro_rules! unary_ops {
    ($($(#[doc = $doc:literal])+ $name:ident = $Variant:ident, $cost:ident, $domain:ident,
       |$x:ident| $real:expr, $int:expr;)*) => {
        /// An elementwise op of one operand.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum UnaryOp { $($(#[doc = $doc])+ $Variant,)* }

        impl UnaryOp {
            /// Every op, in table order.
            pub const ALL: &'static [UnaryOp] = &[$(UnaryOp::$Variant,)*];

            /// The op's name in the text IR and, after `tl.`, in the language.
            pub const fn name(self) -> &'static str {
                match self { $(UnaryOp::$Variant => stringify!($name),)* }
            }

            /// The op named `name`, if there is one.
            pub fn from_name(name: &str) -> Option<UnaryOp> {
                UnaryOp::ALL.iter().copied().find(|op| op.name() == name)
            }

            /// What the machine prices this op by.
            pub const fn cost_class(self) -> CostClass {
                match self { $(UnaryOp::$Variant => CostClass::$cost,)* }
            }

            /// The element types it takes.
            pub const fn domain(self) -> Domain {
                match self { $(UnaryOp::$Variant => Domain::$domain,)* }
            }

            /// The op's documentation, for `docs/ops.md`.
            pub const fn summary(self) -> &'static str {
                match self { $(UnaryOp::$Variant => concat!($($doc,)+),)* }
            }

            /// The meaning on floats. On an op of integers only, its first operand.
            pub fn eval_real<T: Real>(self, x: T) -> T {
                match self { $(UnaryOp::$Variant => { let $x = x; $real })* }
            }

            /// The meaning on integers. On an op of floats only, its first operand.
            pub fn eval_int<T: Integer>(self, x: T) -> T {
                match self { $(UnaryOp::$Variant => { let $x = x; $int })* }
            }

            /// [`Self::eval_real`] of each element, the op chosen once.
            #[inline(always)]
            pub fn map_real<T: Real>(self, out: &mut [T], x: &[T]) {
                match self { $(UnaryOp::$Variant => for (out, x) in out.iter_mut().zip(x) {
                    let $x = *x;
                    *out = $real;
                })* }
            }

            /// [`Self::eval_int`] of each element, the op chosen once.
            #[inline(always)]
            pub fn map_int<T: Integer>(self, out: &mut [T], x: &[T]) {
                match self { $(UnaryOp::$Variant => for (out, x) in out.iter_mut().zip(x) {
                    let $x = *x;
                    *out = $int;
                })* }
            }
        }
    };
}

unary_ops! {
    /// Arithmetic negation.
    neg = Neg, Simple, Any, |x| -x, x.neg();
    /// Distance from zero.
    abs = Abs, Simple, Any, |x| x.abs(), x.abs();
    /// Bitwise complement; logical negation of a truth value.
    bit_not = BitNot, Simple, Int, |x| x, x.neg().sub(T::ONE);
    /// Largest integer not above.
    floor = Floor, Simple, Float, |x| x.floor(), x;
    /// Smallest integer not below.
    ceil = Ceil, Simple, Float, |x| x.ceil(), x;
    /// Natural exponential.
    exp = Exp, Exponential, Float, |x| x.exp(), x;
    /// Power of two.
    exp2 = Exp2, Exponential, Float, |x| x.exp2(), x;
    /// Natural logarithm.
    log = Log, Logarithm, Float, |x| x.ln(), x;
    /// Binary logarithm.
    log2 = Log2, Logarithm, Float, |x| x.log2(), x;
    /// Square root, correctly rounded.
    sqrt = Sqrt, Root, Float, |x| x.sqrt(), x;
    /// Reciprocal square root, `1 / sqrt(x)`.
    rsqrt = Rsqrt, Root, Float, |x| T::ONE / x.sqrt(), x;
    /// Sine of radians.
    sin = Sin, Trigonometric, Float, |x| x.sin(), x;
    /// Cosine of radians.
    cos = Cos, Trigonometric, Float, |x| x.cos(), x;
    /// Hyperbolic tangent.
    tanh = Tanh, Exponential, Float, |x| x.tanh(), x;
    /// Error function.
    erf = Erf, Exponential, Float, |x| x.erf(), x;
    /// Logistic function, `1 / (1 + exp(-x))`.
    sigmoid = Sigmoid, Exponential, Float, |x| T::ONE / (T::ONE + (-x).exp()), x;
}
