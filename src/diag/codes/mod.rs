//! The registry: every code once, one file a stage.
//!
//! A row is one line of English, then `CONSTANT = "K0000", "name-in-words", Severity;`. The row
//! needs a page `docs/errors/K0000.md`; the build fails without it.

/// Registers the codes of one stage.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $CODE:ident = $id:literal, $name:literal, $severity:ident;)*) => {
        $(
            $(#[doc = $doc])+
            pub const $CODE: $crate::diag::Code = $crate::diag::Code {
                id: $id,
                name: $name,
                severity: $crate::diag::Severity::$severity,
                page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors/", $id, ".md")),
            };
        )*

        /// The codes of this stage, in order.
        pub(super) const ALL: &[$crate::diag::Code] = &[$($CODE,)*];
    };
}

/// K04: what must be known at compile time.
pub mod constexpr;
/// K08: host programs.
pub mod hosting;
/// K00: kbc itself.
pub mod internal;
/// K05: lowering, capacity and communication.
pub mod lowering;
/// K06: machine and communicator files.
pub mod machine;
/// K02: names.
pub mod names;
/// K09: imported execution plans.
pub mod plans;
/// K07: the machine at run time.
pub mod runtime;
/// K01: lexing, layout and parsing.
pub mod syntax;
/// K03: types and shapes.
pub mod types;

use super::Code;

/// Every registered code, in order.
pub fn all_codes() -> impl Iterator<Item = &'static Code> {
    [
        internal::ALL,
        syntax::ALL,
        names::ALL,
        types::ALL,
        constexpr::ALL,
        lowering::ALL,
        machine::ALL,
        runtime::ALL,
        hosting::ALL,
        plans::ALL,
    ]
    .into_iter()
    .flatten()
}

/// The code of this id, in any case: `k0301` and `K0301` alike.
pub fn code(id: &str) -> Option<&'static Code> {
    all_codes().find(|code| code.id.eq_ignore_ascii_case(id))
}
