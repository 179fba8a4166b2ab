//! Comparisons: two operands of one type give a truth value.

/// Makes [`CompareOp`] from rows: `/// doc  name = Variant, operator;`
macro_rules! compare_ops {
    ($($(#[doc = $doc:literal])+ $name:ident = $Variant:ident, $op:tt;)*) => {
        /// A comparison. With a NaN every one is false but `ne`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CompareOp { $($(#[doc = $doc])+ $Variant,)* }

        impl CompareOp {
            /// Every comparison, in table order.
            pub const ALL: &'static [CompareOp] = &[$(CompareOp::$Variant,)*];

            /// The name in the text IR.
            pub const fn name(self) -> &'static str {
                match self { $(CompareOp::$Variant => stringify!($name),)* }
            }

            /// The operator of the language.
            pub const fn symbol(self) -> &'static str {
                match self { $(CompareOp::$Variant => stringify!($op),)* }
            }

            /// The comparison named `name`, if there is one.
            pub fn from_name(name: &str) -> Option<CompareOp> {
                CompareOp::ALL.iter().copied().find(|op| op.name() == name)
            }

            /// The op's documentation, for `docs/ops.md`.
            pub const fn summary(self) -> &'static str {
                match self { $(CompareOp::$Variant => concat!($($doc,)+),)* }
            }

            /// The meaning.
            pub fn eval<T: PartialOrd>(self, x: T, y: T) -> bool {
                match self { $(CompareOp::$Variant => x $op y,)* }
            }

            /// [`Self::eval`] of each element as 0 or 1, the comparison chosen once.
            #[inline(always)]
            pub fn map<T: PartialOrd>(self, out: &mut [u8], x: &[T], y: &[T]) {
                match self { $(CompareOp::$Variant => for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                    *out = u8::from(x $op y);
                })* }
            }
        }
    };
}

compare_ops! {
    /// Less.
    lt = Lt, <;
    /// Less or equal.
    le = Le, <=;
    /// Greater.
    gt = Gt, >;
    /// Greater or equal.
    ge = Ge, >=;
    /// Equal.
    eq = Eq, ==;
    /// Not equal.
    ne = Ne, !=;
}
