//! The standard library: `lib/*.kb`, embedded in the binary, imported by name.

/// Every module: its name and its text.
pub(super) const MODULES: &[(&str, &str)] = &[
    ("ccl", include_str!("../../lib/ccl.kb")),
    ("nn", include_str!("../../lib/nn.kb")),
    ("random", include_str!("../../lib/random.kb")),
    ("tl", include_str!("../../lib/tl.kb")),
    ("libdevice", include_str!("../../lib/libdevice.kb")),
];

/// The modules that every file has without importing them: `tl` and `libdevice` look there for
/// functions that are not built in.
pub(super) const IMPLIED: &[&str] = &["tl", "libdevice"];

/// The text of the module `name`.
pub(super) fn text(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(module, _)| *module == name).map(|(_, text)| *text)
}
