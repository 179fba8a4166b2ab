//! The standard library: `lib/*.kb`, embedded in the binary, imported by name.

/// Every module: its name and its text.
pub(super) const MODULES: &[(&str, &str)] =
    &[("ccl", include_str!("../../lib/ccl.kb")), ("nn", include_str!("../../lib/nn.kb"))];

/// The text of the module `name`.
pub(super) fn text(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(module, _)| *module == name).map(|(_, text)| *text)
}
