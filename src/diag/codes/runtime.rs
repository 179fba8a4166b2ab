//! K07: the machine at run time.

codes! {
    /// A simulation in which PEs wait for each other.
    DEADLOCK = "K0701", "simulated-deadlock", Error;
    /// A simulation in which a PE waits for one that has ended.
    STARVED = "K0702", "simulated-starvation", Error;
    /// PEs that no links join.
    NO_ROUTE = "K0703", "no-route", Error;
    /// The log of a run cannot be read back.
    LOG_UNREADABLE = "K0704", "log-unreadable", Error;
    /// Tensors need more memory than a PE has.
    MEMORY_FULL = "K0705", "memory-full", Error;
    /// A command reads memory that nothing has written.
    UNWRITTEN_READ = "K0730", "unwritten-read", Error;
    /// Two PEs touch the same bytes, one to write, in no fixed order.
    DATA_RACE = "K0731", "data-race", Error;
    /// A command reads or writes an address that no tensor has.
    OUT_OF_BOUNDS = "K0732", "out-of-bounds", Error;
    /// An integer tile is divided by zero.
    TILE_DIVISION_BY_ZERO = "K0733", "tile-division-by-zero", Error;
    /// A message is read after a later one has taken its slot.
    MESSAGE_OVERWRITTEN = "K0734", "message-overwritten", Error;
    /// A result is not what its definition or its reference says.
    WRONG_RESULT = "K0735", "wrong-result", Error;
    /// A gather inside a tile names an element that is not there.
    NO_SUCH_ELEMENT = "K0745", "no-such-element", Error;
    /// What a kernel asserts of a tile does not hold.
    TILE_ASSERTION_FAILS = "K0746", "tile-assertion-fails", Error;
}
