//! K08: host programs.

codes! {
    /// A name of a host function that nothing defines.
    HOST_NAME = "K0801", "undefined-host-name", Error;
    /// A variable of a host function that has no value yet.
    HOST_UNBOUND = "K0802", "unbound-host-variable", Error;
    /// An operation that these types do not have.
    HOST_TYPE = "K0803", "host-type-mismatch", Error;
    /// Arguments that do not fit the function called.
    HOST_ARGUMENTS = "K0804", "host-call-arguments", Error;
    /// An attribute or method that is not there.
    HOST_ATTRIBUTE = "K0805", "missing-host-attribute", Error;
    /// An index or key that is not there.
    HOST_INDEX = "K0806", "host-index-out-of-range", Error;
    /// A value that the operation cannot take.
    HOST_VALUE = "K0807", "bad-host-value", Error;
    /// What Python has and host functions have not.
    HOST_UNSUPPORTED = "K0808", "unsupported-in-host-functions", Error;
    /// More steps, nesting or memory than a host program may use.
    HOST_BUDGET = "K0809", "host-program-too-large", Error;
    /// An `assert` of a host function that does not hold.
    HOST_ASSERTION = "K0810", "host-assertion-failed", Error;
    /// A choice or number that needs data in a run without data.
    UNKNOWN_DATA = "K0812", "unknown-without-data", Error;
    /// Shapes that do not fit each other.
    HOST_SHAPE = "K0813", "host-shape-mismatch", Error;
    /// A parameter of a host function that nothing gives a value.
    MISSING_SETTING = "K0814", "missing-setting", Error;
    /// A `--set` that nothing takes.
    UNKNOWN_SETTING = "K0815", "unknown-setting", Error;
    /// Arguments that do not fit the kernel.
    KERNEL_ARGUMENTS = "K0816", "kernel-arguments", Error;
    /// A `neighbors` that returns no neighbours.
    BAD_NEIGHBORS = "K0817", "bad-neighbors", Error;
    /// Ranks that call a collective differently.
    COLLECTIVE_MISMATCH = "K0818", "collective-mismatch", Error;
    /// Ranks that wait for others that never come.
    RANKS_WAIT = "K0819", "ranks-wait-for-ever", Error;
    /// A parameter of a kernel that the shell gives no value.
    NO_ARGUMENT = "K0820", "no-argument", Error;
    /// An argument from the shell that no parameter takes.
    UNKNOWN_ARGUMENT = "K0821", "unknown-argument", Error;
    /// An argument from the shell of another kind than the parameter takes.
    ARGUMENT_KIND = "K0822", "argument-kind", Error;
    /// An exception that the host program raises and nothing catches.
    HOST_RAISED = "K0823", "host-exception", Error;
    /// A policy that does not fit the machine or the tensor.
    BAD_PLACEMENT = "K0830", "bad-placement", Error;
    /// A tensor that was freed before.
    FREED_TENSOR = "K0831", "freed-tensor", Error;
}
