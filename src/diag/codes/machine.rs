//! K06: machine and communicator files.

codes! {
    /// The file cannot be read as YAML.
    YAML_SYNTAX = "K0601", "yaml-syntax", Error;
    /// A key that means nothing where it stands.
    UNKNOWN_KEY = "K0602", "unknown-key", Error;
    /// A value of another kind than its key takes.
    WRONG_TYPE = "K0603", "wrong-type", Error;
    /// One key, two values.
    DUPLICATE_KEY = "K0604", "duplicate-key", Error;
    /// A count that no machine can have.
    IMPOSSIBLE_COUNT = "K0605", "impossible-count", Error;
    /// A bandwidth that moves nothing.
    BAD_BANDWIDTH = "K0606", "bad-bandwidth", Error;
    /// A time, length, size or share outside its range.
    BAD_QUANTITY = "K0607", "bad-quantity", Error;
    /// A name that is none of those a key takes.
    UNKNOWN_CHOICE = "K0608", "unknown-choice", Error;
    /// Columns times rows is not the count.
    GRID_MISMATCH = "K0609", "grid-mismatch", Error;
    /// Corners whose PEs do not form a grid.
    PE_LAYOUT = "K0610", "pe-layout", Error;
    /// Too few routers for what must be joined to them.
    NOC_TOO_SMALL = "K0611", "noc-too-small", Error;
    /// Slices of HBM that are not one a PE.
    HBM_SLICES = "K0612", "hbm-slices", Error;
    /// A PE that some message cannot reach or leave.
    UNREACHABLE_PE = "K0613", "unreachable-pe", Error;
    /// More local memory is reserved than there is.
    TCM_RESERVED = "K0614", "tcm-reserved", Error;
    /// A key is left out that has no default.
    MISSING_KEY = "K0615", "missing-key", Error;
    /// Two nodes of one name.
    DUPLICATE_NODE = "K0616", "duplicate-node", Error;
    /// A link to a node that does not exist.
    UNKNOWN_NODE = "K0617", "unknown-node", Error;
    /// A link from a node to itself.
    SELF_LINK = "K0618", "self-link", Error;
    /// A machine in which nothing computes.
    NO_PES = "K0619", "no-pes", Error;
    /// A machine described in both ways at once.
    TWO_FORMS = "K0620", "two-forms", Error;
    /// A machine too large to address or to build.
    MACHINE_TOO_LARGE = "K0621", "machine-too-large", Error;
    /// Messages that wait for each other's buffers in a cycle.
    WAIT_CYCLE = "K0622", "wait-cycle", Error;
    /// Too few virtual channels to keep messages from waiting in a cycle.
    TOO_FEW_VCS = "K0623", "too-few-vcs", Error;
    /// A group that does not stand above.
    UNKNOWN_GROUP = "K0630", "unknown-group", Error;
    /// Links between as many nodes on one side as there are not on the other.
    UNPAIRED_LINKS = "K0631", "unpaired-links", Error;
    /// A communicator file that names no algorithm.
    UNKNOWN_ALGORITHM = "K0640", "unknown-algorithm", Error;
    /// A communicator file whose algorithm's own file cannot be used.
    ALGORITHM_FILE = "K0641", "algorithm-file", Error;
}
