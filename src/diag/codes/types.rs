//! K03: types and shapes.

codes! {
    /// Shapes that this launch makes disagree.
    LAUNCH_SHAPES = "K0380", "launch-shapes", Error;
    /// An extent of a tile that the launch does not decide.
    LAUNCH_EXTENT_UNKNOWN = "K0381", "launch-extent-unknown", Error;
    /// An extent of a tile that this launch makes zero or negative.
    LAUNCH_EXTENT_NOT_POSITIVE = "K0382", "launch-extent-not-positive", Error;
    /// An operation whose shapes do not fit together at this launch.
    LAUNCH_TYPES = "K0383", "launch-types", Error;
}
