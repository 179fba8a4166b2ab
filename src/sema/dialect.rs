//! What kbc compiles and Triton does not, for files that are held to Triton's language.

use super::Dialect;
use super::analysis::Analysis;
use super::errors::habits;
use super::program::UnitId;
use super::value::Val;
use crate::arena::Id;
use crate::ir::Dim;
use crate::source::Span;

/// Functions of `tl` that Triton does not have.
const OWN: [&str; 29] = [
    "send",
    "recv",
    "recv_async",
    "recv_no_consume",
    "recv_reduce_send",
    "recv_send",
    "wait",
    "tanh",
    "neg",
    "bit_not",
    "div",
    "int_div",
    "floor_div",
    "rem",
    "floor_mod",
    "pow",
    "bit_and",
    "bit_or",
    "bit_xor",
    "shl",
    "shr",
    "umulhi64",
    "minimum_nan",
    "maximum_nan",
    "clamp_nan",
    "max_nan",
    "min_nan",
    "make_block_ptr",
    "advance",
];

impl Analysis<'_> {
    /// Refuses an extension of kbc in a file that is held to Triton's language: `what` is "a tile
    /// of any size", `instead` what Triton has. True if it is refused, which is said.
    pub(super) fn extension(&mut self, what: &str, instead: &str, span: Span) -> bool {
        let own = self.unit() == UnitId::from_index(0);
        if self.input.dialect == Dialect::Kbc || !own {
            return false;
        }
        self.report(habits::extension(what, instead, span));
        true
    }

    /// Refuses a function of `tl` that only kbc has.
    pub(super) fn own_function(&mut self, name: &str, span: Span) -> Option<Val> {
        let own = OWN.contains(&name);
        let refused =
            own && self.extension(&format!("`tl.{name}`"), "Triton has no such function", span);
        refused.then_some(Val::Error)
    }

    /// Refuses an extent that is no power of two, as far as it is known.
    pub(super) fn extent_of_triton(&mut self, dim: Dim, span: Span) -> bool {
        let Dim::Const(extent) = dim else { return true };
        let is_power = extent > 0 && extent & (extent - 1) == 0;
        let what = format!("a tile of {extent} elements along an axis");
        is_power || !self.extension(&what, "extents are powers of two in Triton", span)
    }
}
