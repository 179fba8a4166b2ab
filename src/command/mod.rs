//! What processing elements are told to do: commands, the compact program they are unrolled
//! from, and the walker that unrolls it.
//!
//! A [`Program`] holds each distinct [`Code`] once, with its loops, and a small binding for each
//! agent. A [`Walker`] runs an agent's scalars and yields its [`Command`]s one by one; nothing
//! ever stores a whole stream. The same walk serves the communication check, the simulator and
//! the replay, so the three agree on what command `seq` of an agent is.
//!
//! Each command is a plain struct. One list makes [`Command`] and [`Visit`] from them; every
//! consumer is an `impl Visit`, so the compiler names each one that has not yet said what a new
//! command means to it.
//!
//! - `program`, `code`, `spec`: what is stored: agents and queues, instructions and templates of
//!   commands, what commands compute;
//! - `composite`, `window`, [`channel`]: the commands that need more than a few lines;
//! - `walker`, `registers`, `uniform`: what is asked of a code: its stream, what an instruction touches,
//!   what is the same for every agent;
//! - [`mod@print`], [`verify`]: the text form, and the rules of a sound program.

pub mod channel;
mod code;
mod composite;
pub mod print;
mod program;
mod registers;
mod spec;
mod uniform;
pub mod verify;
mod walker;
mod window;

pub use code::{
    Arg, Code, DescId, GemmId, Inst, LaneArgs, LaneId, LiveSet, MathArg, MathId, Operand, Pc, Reg,
    ScalarExpr, Site, SiteId, SourceArg, Template, TextId, TileReg, WindowArgs,
};
pub use composite::{
    CompositeCmd, CompositeId, CompositeSpec, CompositeWait, Source, SourceSpec, StepSpec,
    TileBlock,
};
pub use program::{Agent, AgentId, CodeId, Comm, GridShape, Message, Peer, Program, QueueId};
pub use registers::{Access, RegisterMap};
pub use spec::{ArgSpec, FactorSpec, GemmSpec, LaneSpec, MathOp, MathSpec};
pub use uniform::{Uniformity, uniformity};
pub use walker::{Step, WalkError, Walker};
pub use window::{AxisWindow, Piece, Window};

use self::channel::ChannelCmd;
pub use crate::ir::MAX_STREAM_OUTPUTS;
use crate::ops::AtomicOp;

/// Where a tile's bytes are, in the memory of the agent that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// At this byte of the agent's scratch in TCM.
    Scratch(u64),
    /// In the slot of a receive queue that holds the queue's `token`-th message (from 0); its
    /// index is `token` modulo the number of slots.
    Slot {
        /// The queue, by its own direction.
        queue: QueueId,
        /// The message.
        token: u64,
    },
}

/// A dense row-major tile in an agent's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileRef {
    /// Where it begins.
    pub place: Place,
    /// How long it is.
    pub bytes: u64,
}

/// Moves a block of HBM into a tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DmaRead {
    /// The virtual address of the block's first element.
    pub base: u64,
    /// The shape of the block.
    pub desc: DescId,
    /// What of the block is read; all of it without.
    pub window: Option<Window>,
    /// The tile.
    pub dst: TileRef,
}

/// Moves a tile into a block of HBM.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DmaWrite {
    /// The virtual address of the block's first element.
    pub base: u64,
    /// The shape of the block.
    pub desc: DescId,
    /// What of the block is written; all of it without.
    pub window: Option<Window>,
    /// The tile.
    pub src: TileRef,
}

impl DmaRead {
    /// Bytes that are moved.
    pub fn bytes(&self, code: &Code) -> u64 {
        let desc = &code.descs[self.desc];
        self.window.map_or(desc.bytes(), |window| window.bytes(desc))
    }
}

impl DmaWrite {
    /// Bytes that are moved.
    pub fn bytes(&self, code: &Code) -> u64 {
        let desc = &code.descs[self.desc];
        self.window.map_or(desc.bytes(), |window| window.bytes(desc))
    }
}

/// Elements of HBM whose addresses are partly data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lanes {
    /// How they lie and how their operands are read.
    pub spec: LaneId,
    /// The virtual address that they are counted from.
    pub base: u64,
    /// What each lane adds to it, in elements.
    pub index: Option<TileRef>,
    /// Which lanes take part.
    pub mask: Option<MathArg>,
}

/// Moves elements of HBM into a tile, one for each lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DmaGather {
    /// What is read.
    pub lanes: Lanes,
    /// What masked-off lanes hold; 0 without.
    pub other: Option<MathArg>,
    /// The tile.
    pub dst: TileRef,
}

/// Moves the elements of a tile to HBM, one for each lane. Of lanes with one address the last in
/// row-major order stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DmaScatter {
    /// What is written.
    pub lanes: Lanes,
    /// The tile.
    pub src: TileRef,
}

/// Changes elements of HBM where they are, one for each lane; lanes with one address one after
/// another, in row-major order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DmaAtomic {
    /// How.
    pub op: AtomicOp,
    /// What is changed.
    pub lanes: Lanes,
    /// The other operand of each lane.
    pub src: TileRef,
    /// What a compare-and-swap expects, laid out as `src`.
    pub expected: Option<TileRef>,
    /// What each lane found, 0 where it is masked off; `None` where nobody asks.
    pub dst: Option<TileRef>,
}

/// Runs the vector engine over tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MathCmd {
    /// What it computes.
    pub spec: MathId,
    /// Its operands, as many as the spec has.
    pub args: [Option<MathArg>; 3],
    /// Its result.
    pub out: TileRef,
}

/// Runs the matrix engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GemmCmd {
    /// Its sizes and types.
    pub spec: GemmId,
    /// `[m, k]`.
    pub a: TileRef,
    /// `[k, n]`.
    pub b: TileRef,
    /// `[m, n]`, added.
    pub acc: Option<TileRef>,
    /// `[m, n]`.
    pub out: TileRef,
}

/// Sends a tile to the neighbour that a queue leads to. Posted; PE_CPU stalls only while the
/// neighbour has no free slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IpcqSend {
    /// The direction it leaves in.
    pub queue: QueueId,
    /// Its number among the messages this agent sends in that direction, from 0.
    pub token: u64,
    /// The tile.
    pub src: TileRef,
    /// What is sent, to compare with what is expected.
    pub message: Message,
}

/// Waits for the next message of a queue and reads its slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IpcqRecv {
    /// The slot it is in.
    pub slot: TileRef,
    /// Where it is copied to; the slot is then released at once.
    pub dst: Option<TileRef>,
    /// Whether reading the slot costs time; false only in the diagnostic form.
    pub consume: bool,
    /// What is expected.
    pub message: Message,
}

/// Takes the next message of a queue, combines it with a tile and sends the result on, element by
/// element as the message arrives. Its slot is released at its end. Posted; PE_CPU stalls only while
/// a neighbour that it sends to has no free slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IpcqStream {
    /// The slot of the message.
    pub slot: TileRef,
    /// What makes the result: its operands are the message and `acc`.
    pub spec: MathId,
    /// What the message is combined with.
    pub acc: Option<TileRef>,
    /// The result; `None` where nobody reads it.
    pub out: Option<TileRef>,
    /// Where the result goes on: directions, and the numbers of the messages in them.
    pub to: [(QueueId, u64); MAX_STREAM_OUTPUTS],
    /// How many there are of them.
    pub outputs: u8,
    /// What is expected and sent on.
    pub message: Message,
}

impl IpcqStream {
    /// Where the result goes on.
    pub fn outputs(&self) -> impl Iterator<Item = (QueueId, u64)> + use<> {
        self.to.into_iter().take(usize::from(self.outputs))
    }
}

/// Claims the next message of a queue without waiting for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IpcqRecvAsync {
    /// The slot it will be in.
    pub slot: TileRef,
    /// What is expected.
    pub message: Message,
}

/// Waits for a claimed message and reads its slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wait {
    /// The slot it is in.
    pub slot: TileRef,
}

/// Gives a slot back to the sender once its last reader has finished.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IpcqRelease {
    /// The slot.
    pub slot: TileRef,
}

impl Command {
    /// The directions that it sends in.
    pub fn sends_to(&self) -> impl Iterator<Item = QueueId> {
        let send = if let Command::IpcqSend(it) = self { Some(it.queue) } else { None };
        let stream = if let Command::IpcqStream(it) = self { Some(it.outputs()) } else { None };
        let outputs = stream.into_iter().flatten();
        send.into_iter().chain(outputs.map(|(queue, _)| queue))
    }

    /// The slot whose message it waits for.
    pub const fn awaited(&self) -> Option<TileRef> {
        if let Command::IpcqRecv(IpcqRecv { slot, .. })
        | Command::IpcqStream(IpcqStream { slot, .. })
        | Command::Wait(Wait { slot }) = self
        {
            return Some(*slot);
        }
        None
    }
}

/// Makes [`Command`] and [`Visit`] from rows `method: Struct, "text name";`.
macro_rules! commands {
    ($($method:ident: $Struct:ident, $name:literal;)*) => {
        /// One entry of an agent's command stream.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Command {
            $(#[doc = concat!("See [`", stringify!($Struct), "`].")] $Struct($Struct),)*
        }

        /// What each command means to one consumer.
        pub trait Visit {
            /// What the consumer computes for a command.
            type Out;
            $(
                #[doc = concat!("The meaning of [`", stringify!($Struct), "`].")]
                fn $method(&mut self, it: &$Struct) -> Self::Out;
            )*
        }

        impl Command {
            /// Hands this command to `visitor`'s method for it.
            pub fn visit<V: Visit>(&self, visitor: &mut V) -> V::Out {
                match self { $(Command::$Struct(it) => visitor.$method(it),)* }
            }

            /// The command's name in the text form.
            pub const fn name(&self) -> &'static str {
                match self { $(Command::$Struct(_) => $name,)* }
            }

            /// The names of every command, in the order of the list.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// This command's place in [`Command::NAMES`].
            pub const fn kind_index(&self) -> usize {
                let mut _index = 0;
                $(
                    if let Command::$Struct(_) = self {
                        return _index;
                    }
                    _index += 1;
                )*
                _index
            }
        }

        $(impl From<$Struct> for Command {
            fn from(it: $Struct) -> Command { Command::$Struct(it) }
        })*
    };
}

commands! {
    dma_read: DmaRead, "dma_read";
    dma_write: DmaWrite, "dma_write";
    dma_gather: DmaGather, "dma_gather";
    dma_scatter: DmaScatter, "dma_scatter";
    dma_atomic: DmaAtomic, "dma_atomic";
    math: MathCmd, "math";
    gemm: GemmCmd, "gemm";
    composite: CompositeCmd, "composite";
    composite_wait: CompositeWait, "composite_wait";
    ipcq_send: IpcqSend, "ipcq_send";
    ipcq_recv: IpcqRecv, "ipcq_recv";
    ipcq_stream: IpcqStream, "ipcq_stream";
    ipcq_recv_async: IpcqRecvAsync, "ipcq_recv_async";
    wait: Wait, "wait";
    ipcq_release: IpcqRelease, "ipcq_release";
    channel: ChannelCmd, "channel";
}
