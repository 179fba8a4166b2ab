//! K09: imported execution plans.

codes! {
    /// A plan is no JSON.
    NOT_JSON = "K0901", "plan-not-json", Error;
    /// A value of a plan has another type than its key asks for.
    WRONG_TYPE = "K0902", "plan-type", Error;
    /// A part of a plan lacks a key.
    MISSING_KEY = "K0903", "plan-missing-key", Error;
    /// A part of a plan has a key that plans do not have.
    UNKNOWN_KEY = "K0904", "plan-unknown-key", Error;
    /// An op, a type or a reduction that plans do not have.
    UNKNOWN_NAME = "K0905", "plan-unknown-name", Error;
    /// A number that names a rank, a channel, a buffer, a semaphore or a block that is not there.
    BAD_INDEX = "K0906", "plan-bad-index", Error;
    /// An op with other operands than it takes.
    BAD_OP = "K0907", "plan-bad-op", Error;
    /// Chunks that lie outside of their buffer.
    OUTSIDE_BUFFER = "K0908", "plan-outside-buffer", Error;
    /// Counts or sizes that no message can be cut by.
    BAD_SIZES = "K0909", "plan-bad-sizes", Error;
    /// A message of a size that the plan is not meant for.
    SIZE_NOT_MEANT = "K0910", "plan-size-not-meant", Warning;
    /// Something that the device refuses to load.
    NOT_LOADABLE = "K0911", "plan-not-loadable", Error;
    /// More of something than the device has room for.
    DEVICE_LIMIT = "K0912", "plan-device-limit", Warning;
    /// Thread blocks that wait for ever.
    STUCK = "K0913", "plan-deadlock", Error;
    /// An output that does not hold what the collective says.
    WRONG_CONTRIBUTIONS = "K0914", "plan-wrong-result", Error;
    /// Two accesses to the same bytes in no order, one of them a write.
    UNORDERED = "K0915", "plan-race", Warning;
    /// A collective that has no definition here.
    NO_DEFINITION = "K0916", "plan-no-definition", Warning;
    /// A switch channel on a machine whose ranks have no switch in common.
    NO_SWITCH = "K0917", "plan-no-switch", Error;
    /// Signals that nobody waits for.
    LEFT_OVER = "K0918", "plan-signals-left-over", Warning;
    /// An op whose threads should have met before it.
    NO_MEETING = "K0919", "plan-threads-do-not-meet", Warning;
    /// A rank, a channel or a semaphore that is not there.
    NO_SUCH_RANK = "K0930", "no-such-rank", Error;
    /// A chunk of another rank than the one that an op is about.
    CHUNK_RANK = "K0931", "chunk-of-another-rank", Error;
    /// Chunks of one op that differ in size.
    CHUNK_SIZES = "K0932", "chunk-sizes", Error;
    /// Packets outside of scratch.
    NEEDS_SCRATCH = "K0933", "packets-need-scratch", Error;
    /// Signals from one rank to another that are not as many as waits.
    UNPAIRED_SIGNALS = "K0934", "unpaired-signals", Error;
    /// Chunks that a buffer does not have.
    CHUNK_BOUNDS = "K0935", "chunk-out-of-bounds", Error;
    /// A kernel of channels that does not say once, and alike on all ranks, what it computes.
    COLLECTIVE_SAID = "K0936", "collective-not-said", Error;
    /// A kernel of channels that does something else.
    NOT_A_RECIPE = "K0937", "not-a-recipe", Error;
    /// A loop over pieces in another, or over nothing.
    PIPELINE = "K0938", "loop-over-pieces", Error;
    /// A switch channel of ranks, or over chunks, that it cannot have.
    SWITCH_GROUP = "K0939", "switch-group", Error;
    /// Thread blocks, or methods of a channel, that there are not.
    BLOCK_LIST = "K0940", "thread-block-list", Error;
    /// A kernel that is no execution plan.
    NOT_EXPORTABLE = "K0941", "not-exportable", Error;
}
