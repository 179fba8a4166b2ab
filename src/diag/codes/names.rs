//! K02: names.

codes! {
    /// A name that nothing binds.
    UNKNOWN_NAME = "K0201", "unknown-name", Error;
    /// A value or module has no such member.
    UNKNOWN_ATTRIBUTE = "K0202", "unknown-attribute", Error;
    /// An import of a module that does not exist.
    UNKNOWN_MODULE = "K0203", "unknown-module", Error;
    /// An import of a name that a module does not have.
    UNKNOWN_IMPORT = "K0204", "unknown-import", Error;
    /// A name bound on one path of a branch, used after it.
    BOUND_ON_ONE_PATH = "K0205", "bound-on-one-path", Error;
    /// A name bound in a loop only, used after it.
    BOUND_IN_LOOP = "K0206", "bound-in-loop", Error;
    /// Two functions of one name.
    DEFINED_TWICE = "K0207", "defined-twice", Error;
    /// Something known that is not supported yet.
    NOT_YET = "K0209", "not-supported-yet", Error;
    /// A library of the host used in a kernel.
    FOREIGN_LIBRARY = "K0210", "foreign-library", Error;
    /// A function that calls itself.
    RECURSION = "K0211", "recursion", Error;
    /// A plain function called by a `jit` kernel.
    NOT_JIT = "K0212", "not-jit", Error;
    /// A built-in of Python that kernels do not have.
    PYTHON_BUILTIN = "K0213", "python-builtin", Error;
    /// A name used above the place where it is bound.
    USED_BEFORE_BOUND = "K0214", "used-before-bound", Error;
    /// A keyword that no parameter has.
    UNKNOWN_KEYWORD = "K0215", "unknown-keyword", Error;
    /// An argument left out.
    MISSING_ARGUMENT = "K0216", "missing-argument", Error;
    /// An argument too many.
    SURPLUS_ARGUMENT = "K0217", "surplus-argument", Error;
    /// A call of something that is no function.
    NOT_CALLABLE = "K0218", "not-callable", Error;
    /// A name imported for annotations, used as a value.
    HOST_ONLY = "K0219", "annotation-only", Error;
    /// A construct of Python that kernels do not have.
    NOT_IN_KERNELS = "K0220", "not-in-kernels", Error;
    /// An extension of kbc in a file that is held to Triton's language.
    NOT_IN_TRITON = "K0221", "not-in-triton", Error;
    /// An import that nothing uses.
    UNUSED_IMPORT = "K0222", "unused-import", Warning;
    /// A variable that nothing reads.
    UNUSED_VARIABLE = "K0223", "unused-variable", Warning;
    /// A parameter that nothing reads.
    UNUSED_PARAMETER = "K0224", "unused-parameter", Warning;
}
