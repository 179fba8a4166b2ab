//! K03: types and shapes.

codes! {
    /// Shapes that do not broadcast.
    SHAPES_DO_NOT_BROADCAST = "K0301", "shapes-do-not-broadcast", Error;
    /// Element types without a common one.
    DTYPES_DO_NOT_MEET = "K0302", "element-types-do-not-meet", Error;
    /// An operand or condition of the wrong kind.
    NOT_AN_OPERAND = "K0303", "not-an-operand", Error;
    /// An argument of the wrong kind.
    WRONG_ARGUMENT = "K0304", "wrong-argument", Error;
    /// A loop-carried name that changes its type or shape.
    LOOP_CHANGES_TYPE = "K0305", "loop-changes-type", Error;
    /// A value of different types on the paths of a branch.
    PATHS_DIFFER = "K0306", "paths-differ", Error;
    /// A matrix product of shapes that do not fit.
    DOT_SHAPES = "K0307", "dot-shapes", Error;
    /// A matrix product of element types that do not fit.
    DOT_DTYPES = "K0308", "dot-element-types", Error;
    /// An axis that a tile does not have.
    AXIS_OUT_OF_RANGE = "K0309", "axis-out-of-range", Error;
    /// Division of signed by unsigned.
    SIGNEDNESS = "K0310", "mixed-signedness", Error;
    /// Floats where integers are needed.
    NEEDS_INT = "K0311", "needs-integers", Error;
    /// Integers where floats are needed.
    NEEDS_FLOAT = "K0312", "needs-floats", Error;
    /// Narrow floats where a `jit` kernel needs wide ones.
    HALF_IN_JIT = "K0313", "narrow-float-in-jit", Error;
    /// A condition that depends on the data of a tile.
    TILE_CONDITION = "K0314", "tile-condition", Error;
    /// An index into a tile.
    TILE_INDEX = "K0315", "tile-index", Error;
    /// An assignment to an item or attribute.
    ITEM_ASSIGNMENT = "K0316", "item-assignment", Error;
    /// A tile of addresses in a kernel that addresses contiguous blocks.
    POINTER_TILE = "K0317", "pointer-tile", Error;
    /// Arithmetic that pointers do not have.
    POINTER_ARITHMETIC = "K0318", "pointer-arithmetic", Error;
    /// The two styles of kernels mixed.
    MIXED_STYLES = "K0319", "mixed-styles", Error;
    /// Something that is no address, used as one.
    NOT_AN_ADDRESS = "K0320", "not-an-address", Error;
    /// A pointer used for another element type than its own.
    ELEMENT_TYPE = "K0321", "pointer-element-type", Error;
    /// A return inside a loop.
    RETURN_IN_LOOP = "K0322", "return-in-loop", Error;
    /// A return on some paths of an inner branch.
    RETURN_ON_SOME_PATHS = "K0323", "return-on-some-paths", Error;
    /// `break` or `continue`.
    BREAK_OR_CONTINUE = "K0324", "break-or-continue", Error;
    /// A kernel that returns a value.
    KERNEL_RETURNS = "K0325", "kernel-returns-a-value", Error;
    /// A tuple unpacked into another number of names.
    UNPACKING = "K0326", "unpacking", Error;
    /// The operator `@`.
    MATMUL_OPERATOR = "K0327", "matmul-operator", Error;
    /// The operator `**` on what the compiler does not know.
    POWER_OPERATOR = "K0328", "power-operator", Error;
    /// A method of PyTorch or NumPy arrays.
    ARRAY_METHOD = "K0329", "array-method", Error;
    /// A reshape to another number of elements.
    RESHAPE_SIZE = "K0330", "reshape-size", Error;
    /// A tile that cannot be repeated to a shape.
    BROADCAST_TO = "K0331", "broadcast-to", Error;
    /// A buffer that cannot be received into.
    RECV_DST = "K0332", "recv-dst", Error;
    /// A number that an element type does not hold.
    NUMBER_OUT_OF_RANGE = "K0333", "number-out-of-range", Error;
    /// `len` of a tile.
    LEN_OF_TILE = "K0334", "len-of-tile", Error;
    /// An extent that is no positive integer.
    BAD_EXTENT = "K0335", "bad-extent", Error;
    /// An extent computed inside a branch.
    LOCAL_EXTENT = "K0336", "local-extent", Error;
    /// A loop over something that cannot be walked.
    NOT_ITERABLE = "K0337", "not-iterable", Error;
    /// An index without one `:` for each axis.
    INDEX_MISSES_AXES = "K0338", "index-misses-axes", Error;
    /// A wait for something that is no future.
    WAIT_OF_NO_FUTURE = "K0339", "wait-of-no-future", Error;
    /// A receive without shape and element type.
    RECV_NEEDS_TYPE = "K0340", "recv-needs-type", Error;
    /// An order of axes that is no permutation.
    PERMUTATION = "K0341", "permutation", Error;
    /// A softmax that does not say its axis.
    SOFTMAX_NEEDS_AXIS = "K0342", "softmax-needs-axis", Error;
    /// A range of integers without any.
    EMPTY_ARANGE = "K0343", "empty-arange", Error;
    /// A gather or scatter that a descriptor does not have.
    DESCRIPTOR_GATHER = "K0344", "descriptor-gather", Error;
    /// Elements that an atomic does not change.
    ATOMIC_TYPE = "K0345", "atomic-type", Error;
    /// An order or scope of an atomic that does not exist.
    ATOMIC_ORDER = "K0346", "atomic-order", Error;
    /// A cast of a pointer, or to one, that does not exist.
    POINTER_CAST = "K0347", "pointer-cast", Error;
    /// A mask that is no truth value.
    MASK_NOT_BOOL = "K0350", "mask-not-bool", Error;
    /// A value for masked-off elements, without a mask.
    OTHER_WITHOUT_MASK = "K0351", "other-without-mask", Error;
    /// More values or mask elements than pointers.
    WIDER_THAN_POINTERS = "K0352", "wider-than-pointers", Error;
    /// Lists of a descriptor or block pointer with different numbers of axes.
    BLOCK_AXES = "K0353", "block-axes", Error;
    /// A descriptor whose last stride is not 1.
    DESCRIPTOR_LAST_STRIDE = "K0354", "descriptor-last-stride", Error;
    /// A descriptor whose blocks have rows of less than 16 bytes.
    DESCRIPTOR_SHORT_ROW = "K0355", "descriptor-short-row", Error;
    /// Something else where a descriptor or block pointer is expected.
    NOT_A_VIEW = "K0356", "not-a-view", Error;
    /// A value that does not fit the block it is stored to.
    BLOCK_VALUE = "K0357", "block-value", Error;
    /// A mask, padding or check of bounds that an access does not have.
    BLOCK_OPTION = "K0358", "block-option", Error;
    /// A moved block pointer that is dropped.
    UNUSED_ADVANCE = "K0359", "unused-advance", Error;
    /// A rounding that a conversion does not have.
    DOWNCAST_ROUNDING = "K0360", "downcast-rounding", Error;
    /// A precision that a matrix product does not have.
    DOT_PRECISION = "K0361", "dot-precision", Error;
    /// Something else where a function is expected.
    EXPECTED_FUNCTION = "K0370", "expected-function", Error;
    /// A function that combines two elements into something else.
    COMBINATION_RESULT = "K0371", "combination-result", Error;
    /// An axis of another length than an op takes.
    UNFIT_EXTENT = "K0372", "unfit-extent", Error;
    /// Tiles that must have one shape and have not.
    SHAPES_DIFFER = "K0373", "shapes-differ", Error;
    /// A reinterpretation of bits as a type of another width.
    BITCAST_WIDTH = "K0374", "bitcast-width", Error;
    /// Directions that a stream cannot go on in together.
    STREAM_OUTPUTS = "K0375", "stream-outputs", Error;
    /// A reduction that a stream does not have.
    STREAM_REDUCTION = "K0376", "stream-reduction", Error;
    /// Shapes that this launch makes disagree.
    LAUNCH_SHAPES = "K0380", "launch-shapes", Error;
    /// An extent of a tile that the launch does not decide.
    LAUNCH_EXTENT_UNKNOWN = "K0381", "launch-extent-unknown", Error;
    /// An extent of a tile that this launch makes zero or negative.
    LAUNCH_EXTENT_NOT_POSITIVE = "K0382", "launch-extent-not-positive", Error;
    /// An operation whose shapes do not fit together at this launch.
    LAUNCH_TYPES = "K0383", "launch-types", Error;
    /// Operands of a composite whose shapes do not fit.
    COMPOSITE_SHAPES = "K0390", "composite-shapes", Error;
    /// Operands of a composite whose element types do not fit.
    COMPOSITE_TYPES = "K0391", "composite-types", Error;
    /// An operand of a composite that is neither a tile nor a reference.
    COMPOSITE_OPERAND = "K0392", "composite-operand", Error;
    /// A composite of no kind that there is.
    COMPOSITE_KIND = "K0393", "composite-kind", Error;
    /// A step of an epilogue that says something that there is not.
    EPILOGUE_STEP = "K0394", "epilogue-step", Error;
    /// A reference where a tile is taken.
    REFERENCE_AS_TILE = "K0395", "reference-as-tile", Error;
    /// An argument of a channel, a rank, a buffer or a semaphore that is something else.
    PLAN_ARGUMENT = "K0396", "plan-argument", Error;
    /// An op that is given to no thread block, or given twice.
    NO_THREAD_BLOCK = "K0397", "no-thread-block", Error;
    /// A subscript of a buffer that is no slice.
    CHUNK_SLICE = "K0398", "chunk-slice", Error;
    /// A word that channels do not know.
    PLAN_WORD = "K0399", "plan-word", Error;
}
