//! Code: what all agents of one kernel share. Loops stay loops.

use super::channel::{ChannelTemplate, ExchangeId, ExchangeSpec, ListId, PortId, PortSpec};
use super::spec::{GemmSpec, LaneSpec, MathSpec};
use super::{CompositeId, CompositeSpec, Message, QueueId, TileRef};
use crate::arena::Arena;
use crate::dtype::{DType, Rounding};
use crate::id;
use crate::ir::{Buffer, DmaDesc, Literal, MAX_STEP_OPERANDS};
use crate::ops::{AtomicOp, BinaryOp, CompareOp, TernaryOp, UnaryOp};
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
