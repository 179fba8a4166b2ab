//! K04: what must be known at compile time.

codes! {
    /// Something that the compiler must know.
    NOT_COMPILE_TIME = "K0401", "not-compile-time", Error;
    /// An assertion that does not hold.
    ASSERTION_FAILS = "K0402", "assertion-fails", Error;
    /// A `tl.constexpr` name bound again.
    BOUND_AGAIN = "K0403", "constexpr-bound-again", Error;
    /// A tile where a `tl.constexpr` is declared.
    NOT_CONSTEXPR = "K0404", "not-constexpr", Error;
    /// Arithmetic on constants that has no value.
    FOLD_FAILED = "K0405", "no-value", Error;
    /// A global that a `jit` kernel cannot read.
    PLAIN_GLOBAL = "K0406", "plain-global", Error;
    /// A global whose value is not known.
    GLOBAL_NOT_CONSTANT = "K0407", "global-not-constant", Error;
    /// A range with a step of 0.
    ZERO_STEP = "K0408", "zero-step", Error;
    /// A loop written out too often.
    UNROLLS_TOO_FAR = "K0409", "unrolls-too-far", Error;
    /// An axis that no launch has.
    NO_SUCH_GRID_AXIS = "K0410", "no-such-grid-axis", Error;
    /// A string that names no element type.
    UNKNOWN_DTYPE = "K0411", "unknown-element-type", Error;
    /// A direction that is no string.
    DIRECTION_NOT_STRING = "K0412", "direction-not-a-string", Error;
    /// An item that a tuple does not have.
    NO_SUCH_ITEM = "K0413", "no-such-item", Error;
    /// Helpers called with too many kinds of arguments.
    TOO_MANY_INSTANCES = "K0414", "too-many-instances", Error;
    /// An f-string of something that is not known.
    FORMAT_OF_VALUE = "K0415", "format-of-value", Error;
    /// A loop whose condition is always true.
    NEVER_ENDS = "K0416", "loop-never-ends", Error;
    /// A compile-time value that differs between paths.
    DIFFERS_BY_PATH = "K0417", "differs-by-path", Error;
    /// Nesting that is too deep.
    TOO_DEEP = "K0418", "too-deep", Error;
    /// A string that is no float.
    NOT_A_FLOAT = "K0419", "not-a-float", Error;
    /// `is` or `in` on what the compiler does not know.
    COMPILE_TIME_COMPARISON = "K0420", "compile-time-comparison", Error;
    /// What `tl.static_print` prints.
    PRINTED = "K0421", "printed", Note;
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
