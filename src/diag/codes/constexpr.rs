//! K04: what must be known at compile time.

codes! {
    /// A parameter that the launch gives no value.
    ARGUMENT_MISSING = "K0450", "argument-missing", Error;
    /// A value that a parameter cannot hold.
    ARGUMENT_UNFIT = "K0451", "argument-unfit", Error;
    /// An integer divided by zero.
    DIVISION_BY_ZERO = "K0452", "division-by-zero", Error;
    /// An assertion that this launch makes false.
    LAUNCH_ASSERTION = "K0453", "launch-assertion", Error;
    /// A `static_range` loop whose bounds differ between programs.
    STATIC_RANGE_BOUNDS = "K0454", "static-range-bounds", Error;
    /// A loop that would never end.
    ENDLESS_LOOP = "K0455", "endless-loop", Error;
}
