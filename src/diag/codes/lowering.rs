//! K05: lowering, capacity and communication.

codes! {
    /// Tiles that do not fit into TCM.
    TCM_CAPACITY = "K0501", "tcm-capacity", Error;
    /// A `static_range` loop that is too long to unroll.
    UNROLLED_TOO_LARGE = "K0502", "unrolled-too-large", Error;
    /// Calls that make a kernel too large.
    INLINED_TOO_LARGE = "K0503", "inlined-too-large", Error;
    /// Loops and branches that hand on tiles in too many ways.
    TILES_ENTANGLED = "K0504", "tiles-entangled", Error;
    /// A loop that overlaps fewer iterations than it asks for.
    STAGES_REDUCED = "K0505", "stages-reduced", Warning;
    /// Tiles of a composite that do not fit into what the scheduler keeps of TCM.
    COMPOSITE_CAPACITY = "K0506", "composite-capacity", Error;
    /// A composite that nothing waits for.
    COMPOSITE_NEVER_AWAITED = "K0507", "composite-never-awaited", Warning;
    /// A mask that no lane can fail.
    MASK_ALWAYS_TRUE = "K0510", "mask-always-true", Warning;
    /// A store whose elements are written again before anything reads them.
    STORE_OVERWRITTEN = "K0511", "store-overwritten", Warning;
    /// Lanes that are not beside each other in memory.
    LANES_APART = "K0512", "lanes-apart", Warning;
    /// The world has more ranks than the machine has PEs.
    WORLD_TOO_LARGE = "K0520", "world-too-large", Error;
    /// A grid has more programs than can be numbered.
    GRID_TOO_LARGE = "K0521", "grid-too-large", Error;
    /// A direction that no rank has.
    NO_SUCH_DIRECTION = "K0522", "no-such-direction", Error;
    /// What is sent in a direction has no direction to arrive from.
    NO_WAY_BACK = "K0523", "no-way-back", Error;
    /// Two ranks would send to one queue.
    TWO_SENDERS = "K0524", "two-senders", Error;
    /// A tile that is larger than a slot.
    SLOT_TOO_SMALL = "K0526", "slot-too-small", Error;
    /// Receive slots that do not fit in their memory.
    QUEUES_TOO_LARGE = "K0527", "queues-too-large", Error;
    /// Queues without slots.
    NO_SLOTS = "K0528", "no-slots", Error;
    /// More directions than a program may use.
    TOO_MANY_DIRECTIONS = "K0529", "too-many-directions", Error;
    /// A rank that sends or receives in a direction in which it has no neighbour.
    NO_NEIGHBOR = "K0530", "no-neighbour", Error;
    /// A message of another size than is expected.
    SIZE_MISMATCH = "K0531", "message-size-mismatch", Error;
    /// A message of another element type than is expected.
    DTYPE_MISMATCH = "K0532", "message-type-mismatch", Error;
    /// A message that is never received.
    NEVER_RECEIVED = "K0533", "never-received", Error;
    /// A message that is never sent.
    NEVER_SENT = "K0534", "never-sent", Error;
    /// PEs that wait for each other.
    DEADLOCK = "K0535", "deadlock", Error;
    /// An integer divided by zero while a stream is walked.
    SCALAR_DIVISION_BY_ZERO = "K0536", "scalar-division-by-zero", Error;
    /// A loop that never ends.
    ENDLESS_LOOP = "K0537", "endless-stream", Error;
    /// An assertion that does not hold on some PE.
    ASSERTION_FAILED = "K0538", "assertion-failed", Error;
    /// A PE with more commands than can be numbered.
    STREAM_TOO_LONG = "K0539", "stream-too-long", Error;
    /// No kernel to launch, or none of the name that was asked for.
    NO_KERNEL = "K0540", "no-kernel", Error;
    /// A parameter that is neither a scalar with a value nor a tensor.
    NO_VALUE = "K0541", "parameter-without-value", Error;
    /// A definition that says nothing of a launch.
    NOT_APPLICABLE = "K0542", "definition-not-applicable", Error;
    /// A reduction or scan by a function that does more than compute elements.
    COMBINATION_NOT_ELEMENTWISE = "K0545", "combination-not-elementwise", Error;
    /// A kernel of channels that a host program launches.
    CHANNELS_IN_LAUNCH = "K0546", "channels-in-launch", Error;
    /// A branch or loop that loaded data decides.
    DATA_DEPENDENT = "K0550", "data-dependent-control-flow", Error;
}
