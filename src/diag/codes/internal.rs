//! K00: kbc itself.

codes! {
    /// kbc broke one of its own rules.
    INTERNAL = "K0001", "internal-error", Bug;
}
