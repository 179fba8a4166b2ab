//! K01: lexing, layout and parsing.

codes! {
    /// A character that begins no token.
    STRAY_CHARACTER = "K0101", "stray-character", Error;
    /// A string whose quote never closes.
    UNTERMINATED_STRING = "K0102", "unterminated-string", Error;
    /// A number that breaks the rules of writing numbers.
    BAD_NUMBER = "K0103", "bad-number", Error;
    /// An integer beyond 128 bits.
    NUMBER_TOO_LARGE = "K0104", "number-too-large", Error;
    /// A prefix, an escape or a brace in a string that means nothing.
    BAD_STRING = "K0105", "bad-string", Error;
    /// Tabs and blanks whose widths cannot be compared.
    MIXED_INDENTATION = "K0106", "mixed-indentation", Error;
    /// A line that returns to no enclosing block.
    BAD_DEDENT = "K0107", "bad-dedent", Error;
    /// A line that is indented for no reason.
    UNEXPECTED_INDENT = "K0108", "unexpected-indent", Error;
    /// A header without its block.
    MISSING_BLOCK = "K0109", "missing-block", Error;
    /// A bracket that is never closed.
    UNCLOSED_BRACKET = "K0110", "unclosed-bracket", Error;
    /// A closing bracket that closes nothing, or a bracket of another kind.
    UNMATCHED_BRACKET = "K0111", "unmatched-bracket", Error;
    /// A header without its colon.
    MISSING_COLON = "K0112", "missing-colon", Error;
    /// What Python has and the language has not.
    UNSUPPORTED = "K0113", "unsupported-construct", Error;
    /// A token where another was expected.
    UNEXPECTED = "K0114", "unexpected-token", Error;
    /// A spelling of another language.
    FOREIGN_SPELLING = "K0115", "foreign-spelling", Error;
    /// `=` where a value is compared.
    ASSIGNMENT_IN_EXPRESSION = "K0116", "assignment-in-expression", Error;
    /// An assignment to what cannot be assigned to.
    BAD_TARGET = "K0117", "bad-target", Error;
    /// Arguments or parameters in an order that has no meaning.
    ARGUMENT_ORDER = "K0118", "argument-order", Error;
    /// Expressions, brackets or blocks nested too deep.
    TOO_DEEP = "K0119", "nested-too-deep", Error;
    /// Two parameters, or two arguments, of one name.
    REPEATED_NAME = "K0120", "repeated-name", Error;
    /// `*value` where there is nothing to unpack it into.
    LONE_STAR = "K0121", "lone-star", Error;
    /// Text IR that is not what is expected at its place.
    KIR_UNEXPECTED = "K0150", "kir-unexpected", Error;
    /// Text IR that names an operation that there is not.
    KIR_UNKNOWN_OP = "K0151", "kir-unknown-operation", Error;
    /// Text IR that uses a value or function that is not defined.
    KIR_UNDEFINED = "K0152", "kir-undefined", Error;
    /// Text IR that defines a value, a function or a buffer twice.
    KIR_REDEFINED = "K0153", "kir-redefined", Error;
    /// Text IR with an element type that there is not.
    KIR_UNKNOWN_TYPE = "K0154", "kir-unknown-type", Error;
    /// Text IR with a number that does not fit its place.
    KIR_NUMBER = "K0155", "kir-bad-number", Error;
    /// Text IR that gives an operation another number of results than types.
    KIR_RESULTS = "K0156", "kir-results-and-types", Error;
    /// Text IR with blocks nested too deep.
    KIR_TOO_DEEP = "K0157", "kir-too-deep", Error;
    /// Text IR whose blocks and terminators do not fit.
    KIR_STRUCTURE = "K0160", "kir-structure", Error;
    /// Text IR that uses a value where it is not defined.
    KIR_DEFINITION = "K0161", "kir-definition-before-use", Error;
    /// Text IR with an operation that takes or gives the wrong types.
    KIR_TYPES = "K0162", "kir-types", Error;
    /// Text IR whose loops or branches hand on something else than they say.
    KIR_AGREEMENT = "K0163", "kir-agreement", Error;
    /// Text IR whose functions do not fit together.
    KIR_FUNCTIONS = "K0164", "kir-functions", Error;
    /// Text IR that stores a value where it cannot be.
    KIR_STORAGE = "K0165", "kir-storage", Error;
    /// A file that is not text.
    NOT_UTF8 = "K0170", "not-utf8", Error;
}
