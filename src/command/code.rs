//! Code: what all agents of one kernel share. Loops stay loops.

use super::channel::{ChannelTemplate, ExchangeId, ExchangeSpec, ListId, PortId, PortSpec};
use super::{CompositeId, CompositeSpec, Message, QueueId, TileRef};
use crate::arena::Arena;
use crate::dtype::{DType, Rounding};
use crate::id;
use crate::ir::{Buffer, DmaDesc, Inspection, Literal, MAX_STEP_OPERANDS, SortKind};
use crate::ops::{AtomicOp, BinaryOp, CompareOp, CostClass, ReduceOp, TernaryOp, UnaryOp};
use crate::shape::Shape;
use crate::source::Span;

id! {
    /// A scalar register.
    Reg, "r";
    /// A register that holds where a tile is.
    TileReg, "t";
    /// A place in a code's instructions.
    Pc, "@";
    /// A place in a code that issues commands.
    SiteId, "s";
    /// A DMA descriptor of a code.
    DescId, "d";
    /// What a vector command computes.
    MathId, "m";
    /// What a command says of what it sees.
    TextId, "t";
    /// What a matrix command computes.
    GemmId, "g";
    /// The lanes of a gather or scatter.
    LaneId, "l";
}

/// The code of one kernel, specialised for one launch.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The kernel's name.
    pub name: String,
    /// The instructions, the last of them [`Inst::End`].
    pub insts: Vec<Inst>,
    /// Where each instruction was written.
    pub spans: Vec<Span>,
    /// Scalar registers. 0, 1 and 2 hold the program id at the start.
    pub regs: u32,
    /// Tile registers.
    pub tiles: u32,
    /// What is issued, by site.
    pub sites: Arena<SiteId, Site>,
    /// DMA descriptors.
    pub descs: Arena<DescId, DmaDesc>,
    /// Vector computations.
    pub maths: Arena<MathId, MathSpec>,
    /// What commands say of what they see.
    pub texts: Arena<TextId, String>,
    /// Matrix computations.
    pub gemms: Arena<GemmId, GemmSpec>,
    /// Tile pipelines.
    pub composites: Arena<CompositeId, CompositeSpec>,
    /// The lanes of gathers and scatters.
    pub lanes: Arena<LaneId, LaneSpec>,
    /// Data that threads move on channels.
    pub exchanges: Arena<ExchangeId, ExchangeSpec>,
    /// Data that ports move.
    pub ports: Arena<PortId, PortSpec>,
    /// Ends of channels, or semaphores, that a command names.
    pub lists: Arena<ListId, Vec<u32>>,
    /// The stretches of scratch that tiles are made in.
    pub buffers: Vec<Buffer>,
    /// Tile registers that are live at a place, as [`LiveSet`] ranges.
    pub live: Vec<TileReg>,
    /// Bytes of scratch that all buffers take together.
    pub scratch_bytes: u64,
    /// What the kernel calls what an instruction defines, for reading; ordered by place.
    pub names: Vec<(Pc, String)>,
    /// What messages call the command of each site, where a plan numbers its ops.
    pub site_names: Vec<String>,
}

/// A range of [`Code::live`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveSet {
    /// The first.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// A place that issues commands.
#[derive(Clone, Debug)]
pub struct Site {
    /// What is issued.
    pub template: Template,
    /// Where it was written.
    pub span: Span,
}

/// A scalar operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// A register.
    Reg(Reg),
    /// A constant.
    Const(Literal),
}

/// A scalar computation of PE_CPU. It takes no time: time is charged a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScalarExpr {
    /// The operand itself.
    Copy(Operand),
    /// See [`UnaryOp`].
    Unary(UnaryOp, DType, Operand),
    /// See [`BinaryOp`].
    Binary(BinaryOp, DType, Operand, Operand),
    /// See [`TernaryOp`].
    Ternary(TernaryOp, DType, [Operand; 3]),
    /// See [`CompareOp`]; the type is that of the operands.
    Compare(CompareOp, DType, Operand, Operand),
    /// The second where the first is not 0, else the third.
    Select([Operand; 3]),
    /// The operand converted to a type.
    Cast(DType, Operand, Rounding),
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Inst {
    /// Computes a scalar.
    Scalar {
        /// Where it goes.
        dst: Reg,
        /// What it is.
        expr: ScalarExpr,
    },
    /// Starts a counted loop: sets `var` to `lo`; goes past `end` if there is no iteration.
    LoopBegin {
        /// The induction variable.
        var: Reg,
        /// First.
        lo: Operand,
        /// End, not taken; not changed by the body.
        hi: Operand,
        /// Distance, not zero; not changed by the body.
        step: Operand,
        /// The matching [`Inst::LoopEnd`].
        end: Pc,
    },
    /// Steps the loop and goes back to just after `begin`, or on.
    LoopEnd {
        /// The matching [`Inst::LoopBegin`].
        begin: Pc,
    },
    /// Begins a conditional loop; does nothing.
    WhileBegin,
    /// Goes past `end` unless `condition` holds.
    WhileTest {
        /// Decides.
        condition: Operand,
        /// The matching [`Inst::WhileEnd`].
        end: Pc,
    },
    /// Goes back to `begin`.
    WhileEnd {
        /// The matching [`Inst::WhileBegin`].
        begin: Pc,
    },
    /// Goes on if `condition` holds, else just after `otherwise`.
    IfBegin {
        /// Decides.
        condition: Operand,
        /// The matching [`Inst::Else`].
        otherwise: Pc,
    },
    /// Ends the first block: goes to `end`.
    Else {
        /// The matching [`Inst::IfEnd`].
        end: Pc,
    },
    /// Ends the second block; does nothing.
    IfEnd,
    /// `dst` holds what `src` holds.
    MoveTile {
        /// Changed.
        dst: TileReg,
        /// Read.
        src: TileReg,
    },
    /// Makes room for a new tile.
    Define {
        /// The register that names the new tile.
        dst: TileReg,
        /// The buffer; its copies are taken in turn, those that one of `live` is in left out.
        buffer: u32,
        /// The size of the tile.
        bytes: u64,
        /// Tiles that stay in use while the new one is made.
        live: LiveSet,
    },
    /// Issues a command.
    Issue {
        /// Which.
        site: SiteId,
    },
    /// Stops with an error unless `condition` holds.
    Assert {
        /// What must hold.
        condition: Operand,
        /// Its message, in [`Code::sites`] as [`Template::Assert`].
        site: SiteId,
    },
    /// Ends the program.
    End,
}

/// An operand of a vector command, before it is walked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg {
    /// A tile.
    Tile(TileReg),
    /// A scalar, repeated.
    Scalar(Operand),
}

/// An operand of a vector command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MathArg {
    /// A tile.
    Tile(TileRef),
    /// A scalar, repeated.
    Scalar(Literal),
}

/// Where an operand of a composite is, before it is walked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SourceArg {
    /// A tile in TCM.
    Tile(TileReg),
    /// A block of memory from this virtual address on.
    Memory(Operand),
}

/// A window, before it is walked. Axes are those of the block.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowArgs {
    /// The axes that are moved in part: the first index and the one past the last, as far as the
    /// axis has them.
    pub clips: Vec<(u32, Option<Operand>, Option<Operand>)>,
    /// The axes that wrap round: where index 0 lies, and the period.
    pub wraps: Vec<(u32, Operand, u64)>,
    /// The type of the block's elements.
    pub dtype: DType,
    /// What the rest of the tile holds after a read; 0 without.
    pub fill: Option<Operand>,
}

/// The lanes of a command, before it is walked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LaneArgs {
    /// How they lie and how their operands are read.
    pub spec: LaneId,
    /// The virtual address that they are counted from.
    pub base: Operand,
    /// What each lane adds to it, in elements.
    pub index: Option<TileReg>,
    /// Which lanes take part.
    pub mask: Option<Arg>,
}

/// A command whose places and addresses are still registers.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// See [`super::DmaRead`].
    DmaRead {
        /// The virtual address.
        base: Operand,
        /// The block.
        desc: DescId,
        /// What of it is read.
        window: Option<Box<WindowArgs>>,
        /// The tile, defined just before.
        dst: TileReg,
    },
    /// See [`super::DmaWrite`].
    DmaWrite {
        /// The virtual address.
        base: Operand,
        /// The block.
        desc: DescId,
        /// What of it is written.
        window: Option<Box<WindowArgs>>,
        /// The tile.
        src: TileReg,
    },
    /// See [`super::DmaGather`].
    DmaGather {
        /// What is read.
        lanes: LaneArgs,
        /// What masked-off lanes hold.
        other: Option<Arg>,
        /// The tile, defined just before.
        dst: TileReg,
    },
    /// See [`super::DmaScatter`].
    DmaScatter {
        /// What is written.
        lanes: LaneArgs,
        /// The tile.
        src: TileReg,
    },
    /// See [`super::DmaAtomic`].
    DmaAtomic {
        /// How elements are changed.
        op: AtomicOp,
        /// Which.
        lanes: LaneArgs,
        /// The other operand of each lane.
        src: TileReg,
        /// What a compare-and-swap expects.
        expected: Option<TileReg>,
        /// What each lane found, defined just before.
        dst: Option<TileReg>,
    },
    /// See [`super::MathCmd`].
    Math {
        /// What it computes.
        spec: MathId,
        /// Its operands.
        args: [Option<Arg>; 3],
        /// Its result, defined just before.
        out: TileReg,
    },
    /// See [`super::GemmCmd`].
    Gemm {
        /// What it computes.
        spec: GemmId,
        /// The left operand.
        a: TileReg,
        /// The right operand.
        b: TileReg,
        /// The addend.
        acc: Option<TileReg>,
        /// Its result, defined just before.
        out: TileReg,
    },
    /// See [`super::CompositeCmd`].
    Composite {
        /// What it computes.
        spec: CompositeId,
        /// The left operand.
        a: SourceArg,
        /// The right operand.
        b: Option<SourceArg>,
        /// The operands of the steps that have one.
        args: [Option<Arg>; MAX_STEP_OPERANDS],
        /// The virtual address of the result.
        out: Operand,
        /// The register that names the composite.
        number: Reg,
    },
    /// See [`super::CompositeWait`].
    CompositeWait {
        /// What names the composite.
        number: Operand,
    },
    /// See [`super::IpcqSend`].
    Send {
        /// The direction.
        queue: QueueId,
        /// The tile.
        src: TileReg,
        /// What is sent.
        message: Message,
    },
    /// See [`super::IpcqRecv`].
    Recv {
        /// The direction.
        queue: QueueId,
        /// The tile that the message is copied to.
        dst: Option<TileReg>,
        /// The register that names the received tile: the slot, or `dst`.
        out: TileReg,
        /// Whether reading the slot costs time.
        consume: bool,
        /// What is expected.
        message: Message,
    },
    /// See [`super::IpcqStream`].
    Stream {
        /// The direction that the message comes from.
        queue: QueueId,
        /// What makes the result of the message and `acc`.
        spec: MathId,
        /// What the message is combined with.
        acc: Option<TileReg>,
        /// Its result, defined just before; `None` where nobody reads it.
        out: Option<TileReg>,
        /// The directions that the result goes on in.
        to: Vec<QueueId>,
        /// What is expected and sent on.
        message: Message,
    },
    /// See [`super::IpcqRecvAsync`].
    RecvAsync {
        /// The direction.
        queue: QueueId,
        /// The register that names the slot.
        out: TileReg,
        /// What is expected.
        message: Message,
    },
    /// See [`super::Wait`].
    Wait {
        /// The slot that was claimed.
        slot: TileReg,
    },
    /// See [`super::IpcqRelease`]; nothing unless `tile` is a slot that none of `live` holds.
    Release {
        /// The tile.
        tile: TileReg,
        /// Tiles still in use.
        live: LiveSet,
    },
    /// See [`super::channel::ChannelCmd`].
    Channel(ChannelTemplate),
    /// The message of an [`Inst::Assert`].
    Assert {
        /// What to say.
        message: String,
    },
}

/// What a vector command computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MathOp {
    /// Elementwise.
    Unary(UnaryOp),
    /// Elementwise.
    Binary(BinaryOp),
    /// Elementwise.
    Ternary(TernaryOp),
    /// Elementwise; gives `i1`.
    Compare(CompareOp),
    /// The second operand where the first is not 0, else the third.
    Select,
    /// Conversion to the result's type.
    Cast(Rounding),
    /// The one scalar operand, everywhere.
    Full,
    /// `start, start + 1, …`.
    Arange(i64),
    /// The operand, laid out row by row.
    Copy,
    /// Along `axis` of the operand, or of all elements.
    Reduce(ReduceOp, Option<u32>),
    /// Running combination along an axis.
    Scan {
        /// What combines two elements.
        op: BinaryOp,
        /// The axis.
        axis: u32,
        /// Whether it goes from the last element to the first.
        reverse: bool,
    },
    /// Along the last axis.
    Sort {
        /// How.
        kind: SortKind,
        /// Whether the largest element comes first.
        descending: bool,
    },
    /// The second operand after the first.
    Concat {
        /// The axis that grows.
        axis: u32,
        /// The extent of the first operand along it.
        first: u64,
    },
    /// Elements of the first operand at the places in the second.
    Gather {
        /// The axis that places count along.
        axis: u32,
        /// The extent of the first operand along it.
        extent: u64,
    },
    /// True once it has looked at the elements: to print them, or to refuse the run where one is not
    /// true.
    Inspect(Inspection, TextId),
    /// How often each integer below `bins` occurs in the first operand where the second, if there
    /// is one, holds.
    Histogram {
        /// How many integers are counted.
        bins: u64,
    },
}

impl MathOp {
    /// The shape of operand `index` of an op that walks the shape `walked`; it may broadcast to
    /// it.
    pub fn arg_shape(self, index: usize, walked: &Shape) -> Shape {
        let mut shape = walked.clone();
        if let MathOp::Concat { axis, first } = self
            && let Some(extent) = shape.0.get_mut(axis as usize)
        {
            *extent = if index == 0 { first } else { extent.saturating_sub(first) };
        } else if let (MathOp::Gather { axis, extent: own }, 0) = (self, index)
            && let Some(extent) = shape.0.get_mut(axis as usize)
        {
            *extent = own;
        }
        shape
    }

    /// How many operands it may take, at least and at most.
    pub const fn arity(self) -> (usize, usize) {
        match self {
            MathOp::Arange(_) => (0, 0),
            MathOp::Unary(_)
            | MathOp::Cast(_)
            | MathOp::Full
            | MathOp::Copy
            | MathOp::Reduce(..)
            | MathOp::Inspect(..)
            | MathOp::Scan { .. }
            | MathOp::Sort { .. } => (1, 1),
            MathOp::Histogram { .. } => (1, 2),
            MathOp::Binary(_)
            | MathOp::Compare(_)
            | MathOp::Concat { .. }
            | MathOp::Gather { .. } => (2, 2),
            MathOp::Ternary(_) | MathOp::Select => (3, 3),
        }
    }
}

impl MathSpec {
    /// Elements of the result: one for each of the walked shape, but where an op says otherwise.
    pub fn result_elements(&self) -> u64 {
        if let MathOp::Inspect(..) = self.op {
            return 1;
        }
        let MathOp::Reduce(_, axis) = self.op else {
            let MathOp::Histogram { bins } = self.op else { return self.shape.elements() };
            return bins;
        };
        let Some(axis) = axis else { return 1 };
        let kept = self.shape.0.iter().enumerate().filter(|(index, _)| *index != axis as usize);
        kept.fold(1, |product: u64, (_, extent)| product.saturating_mul(*extent))
    }

    /// How often the engine goes over the elements: once; of *n* elements along an axis, a scan
    /// ⌈log₂ n⌉ times, a merge as often, and a sort once for each of its merges' passes.
    pub fn passes(&self) -> u64 {
        let doublings = |extent: u64| u64::from(extent.max(2).next_power_of_two().trailing_zeros());
        if let MathOp::Scan { axis, .. } = self.op {
            return doublings(self.shape.0.get(axis as usize).copied().unwrap_or(1));
        }
        let MathOp::Sort { kind, .. } = self.op else { return 1 };
        let merge = doublings(self.shape.0.last().copied().unwrap_or(1));
        match kind {
            SortKind::Merge => merge,
            SortKind::Full => merge * (merge + 1) / 2,
        }
    }
}

/// A vector computation: `out[i] = op(args[..][i])` over a shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MathSpec {
    /// The op.
    pub op: MathOp,
    /// The shape that is walked: the result's, or for a reduction or histogram its operand's.
    pub shape: Shape,
    /// How each operand is read over that shape.
    pub args: Vec<ArgSpec>,
    /// The type of the result, which is dense and row-major.
    pub out: DType,
    /// What it costs an element.
    pub cost: CostClass,
}

/// How an operand is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArgSpec {
    /// Its element type.
    pub dtype: DType,
    /// Where in the tile its first element is, in elements.
    pub offset: u64,
    /// Its strides over the walked shape, in elements: 0 where it repeats, negative where it goes
    /// backwards; empty for a scalar.
    pub strides: Vec<i64>,
}

/// A matrix computation: `out[m, n] = a[m, k] · b[k, n] (+ acc[m, n])`, for each of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GemmSpec {
    /// How many products.
    pub batch: u64,
    /// Rows of a result.
    pub m: u64,
    /// Columns of a result.
    pub n: u64,
    /// Products summed.
    pub k: u64,
    /// How the left factors are read, over batch, m and k.
    pub a: FactorSpec,
    /// How the right factors are read, over batch, k and n.
    pub b: FactorSpec,
    /// The type of `acc` and of the results, which are dense and row-major.
    pub out: DType,
}

/// How a factor of a matrix computation is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FactorSpec {
    /// Its element type.
    pub dtype: DType,
    /// Its strides over the batch, its rows and its columns, in elements.
    pub strides: [i64; 3],
}

impl GemmSpec {
    /// One product of dense row-major factors: `[m, k] · [k, n]`.
    pub fn dense([m, n, k]: [u64; 3], input: DType, out: DType) -> GemmSpec {
        let factor = |columns: u64| FactorSpec { dtype: input, strides: [0, columns as i64, 1] };
        GemmSpec { batch: 1, m, n, k, a: factor(k), b: factor(n), out }
    }

    /// Its multiply-adds.
    pub fn macs(&self) -> u64 {
        [self.m, self.n, self.k].into_iter().fold(self.batch, u64::saturating_mul)
    }

    /// Elements of the result.
    pub fn elements(&self) -> u64 {
        self.batch.saturating_mul(self.m).saturating_mul(self.n)
    }

    /// The extents that the left factor is read over.
    pub fn a_shape(&self) -> Shape {
        Shape::new([self.batch, self.m, self.k])
    }

    /// The extents that the right factor is read over.
    pub fn b_shape(&self) -> Shape {
        Shape::new([self.batch, self.k, self.n])
    }
}

/// How the lanes of a gather or scatter lie in HBM, and how their operands are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaneSpec {
    /// The shape of the lanes: the result's, or the value's.
    pub shape: Shape,
    /// The element type in memory and in the tile.
    pub dtype: DType,
    /// Bytes from lane to lane along each axis, beside what the index says.
    pub strides: Vec<i64>,
    /// How the index is read: integers that count elements.
    pub index: Option<ArgSpec>,
    /// How the mask is read.
    pub mask: Option<ArgSpec>,
    /// How the tile that is written is read; for a gather, what masked-off lanes hold.
    pub value: Option<ArgSpec>,
}

impl Template {
    /// The directions that it sends in.
    pub fn sends_to(&self) -> &[QueueId] {
        if let Template::Send { queue, .. } = self {
            return std::slice::from_ref(queue);
        }
        if let Template::Stream { to, .. } = self { to } else { &[] }
    }

    /// The direction that it receives from.
    pub fn receives_from(&self) -> Option<QueueId> {
        if let Template::Recv { queue, .. }
        | Template::Stream { queue, .. }
        | Template::RecvAsync { queue, .. } = self
        {
            return Some(*queue);
        }
        None
    }
}

impl WindowArgs {
    /// What decides how much is moved.
    pub fn bounds(&self) -> impl Iterator<Item = Operand> + '_ {
        self.clips.iter().flat_map(|(_, lo, hi)| lo.iter().chain(hi).copied())
    }
}

impl LaneSpec {
    /// Bytes of all lanes.
    pub fn bytes(&self) -> u64 {
        self.shape.elements().saturating_mul(self.dtype.bytes())
    }

    /// Bytes that lie one after another whatever the index says: the lanes along the inner axes
    /// that the index does not tell apart and that have no gaps.
    pub fn run_bytes(&self) -> u64 {
        let mut run = self.dtype.bytes();
        for axis in (0..self.shape.rank()).rev() {
            let extent = self.shape.0[axis];
            let index = self.index.as_ref().and_then(|index| index.strides.get(axis));
            let told_apart = index.is_some_and(|stride| *stride != 0);
            let next = u64::try_from(self.strides[axis]) == Ok(run);
            if extent != 1 && (told_apart || !next) {
                break;
            }
            run = run.saturating_mul(extent);
        }
        run
    }

    /// Bursts of `burst` bytes that the lanes take, masked or not: each run begins one.
    pub fn bursts(&self, burst: u64) -> u64 {
        let run = self.run_bytes().max(1);
        (self.bytes() / run).saturating_mul(run.div_ceil(burst.max(1)))
    }
}

impl Code {
    /// The instruction at `pc`.
    pub fn inst(&self, pc: Pc) -> &Inst {
        &self.insts[pc.0 as usize]
    }

    /// What the kernel calls what the instruction at `pc` defines.
    pub fn name(&self, pc: Pc) -> Option<&str> {
        let found = self.names.binary_search_by_key(&pc, |(at, _)| *at).ok()?;
        self.names.get(found).map(|(_, name)| name.as_str())
    }

    /// What messages call the command of `site`, where they do.
    pub fn site_name(&self, site: SiteId) -> Option<String> {
        self.site_names.get(site.0 as usize).cloned()
    }

    /// The registers of `set`.
    pub fn live(&self, set: LiveSet) -> &[TileReg] {
        let start = set.start as usize;
        &self.live[start..start + set.len as usize]
    }
}
