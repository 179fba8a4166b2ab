//! The names of Triton and of kernbench that kbc knows and does not support yet.

/// What each is, by name.
const NOT_YET: &[(&str, &str)] = &[
    ("barrier", "a barrier between programs"),
    ("atomic_load", "a load that is ordered among atomics"),
    ("atomic_store", "a store that is ordered among atomics"),
    ("atomic_poll", "a wait for a value in memory"),
    ("inline_asm_elementwise", "assembly of a GPU"),
    ("float8e4b15", "the 8-bit float of bias 15, which only old GPUs convert"),
];

/// What the built-in `name` would be, if it is known and not supported yet.
pub(in crate::sema) fn not_yet(name: &str) -> Option<&'static str> {
    NOT_YET.iter().find(|(known, _)| *known == name).map(|(_, what)| *what)
}
