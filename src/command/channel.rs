//! Channel commands: what thread blocks of GPU-like PEs do to each other's memory, with the names
//! of MSCCL++.
//!
//! A channel program joins *ranks*, each a PE with the buffers that a collective works on; its
//! agents are the rank's thread blocks, lanes of that PE. What a command names (stretches of
//! memory, ends of channels, semaphores) is resolved to addresses and to numbers of the program
//! when the program is made, so that the check, the simulator and the replay agree on it.
//!
//! Three things differ from one time a command runs to the next, and walkers fill them in: the
//! launch, which packets carry as their flag; the half of scratch that belongs to it; and the
//! byte that a pipeline has come to.

use super::code::Operand;
use crate::dtype::DType;
use crate::id;
use crate::ops::BinaryOp;

id! {
    /// Data that threads move: an entry of [`super::Code::exchanges`].
    ExchangeId, "e";
    /// Data that a port moves: an entry of [`super::Code::ports`].
    PortId, "p";
    /// Ends of channels or semaphores: an entry of [`super::Code::lists`].
    ListId, "n";
}

/// How data lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// As it is.
    Plain,
    /// Each 32-bit word followed by the launch number, in twice the room: readers wait for it.
    Packets,
}

/// A stretch of the memory of one rank, or through a switch the same one of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// How data lies there.
    pub form: Form,
    /// Its first address on each rank that it is on.
    pub at: Vec<u64>,
    /// Bytes of data.
    pub bytes: u64,
    /// What even launches add to the address, where scratch has a half for each of two.
    pub half: u64,
    /// What a pipeline's offset is taken modulo, where scratch is a ring; 0 where it is not.
    pub ring: u64,
}

/// Values that are made from sources and left in targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What is read, in the order in which it is combined; a stretch on several ranks counts as
    /// one source for each.
    pub sources: Vec<Stretch>,
    /// What combines two sources, rounding each time.
    pub reduce: BinaryOp,
    /// What is written, each with the same data.
    pub targets: Vec<Stretch>,
}

/// Data that the threads of a block move in one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSpec {
    /// What MSCCL++ calls it.
    pub name: &'static str,
    /// What is moved, all at once.
    pub moves: Vec<Move>,
    /// How a pipeline cuts it.
    pub unit: Unit,
}

/// How much of an operand an iteration of a pipeline moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// The bytes of an iteration; 0 outside of pipelines.
    pub bytes: u64,
    /// Whether an operand that is over before the pipeline is read past its end, as the device
    /// does, whose 32-bit difference wraps.
    pub overruns: bool,
}

/// Something that a block asks of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRequest {
    /// The end of the channel.
    pub channel: u32,
    /// What is read, some time later. Packets are copied as they are.
    pub source: Stretch,
    /// What is written.
    pub target: Stretch,
}

/// Data that a port moves for one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// What MSCCL++ calls it.
    pub name: &'static str,
    /// The requests, in order.
    pub requests: Vec<PortRequest>,
    /// Whether each is followed by a signal.
    pub signals: bool,
    /// Whether the block waits until all are done.
    pub flushes: bool,
    /// Whether the block waits for the packets that are copied.
    pub awaits: bool,
    /// How a pipeline cuts it.
    pub unit: Unit,
}

/// Where a resolved stretch lies at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The launch, from 1: the flag of its packets.
    pub launch: u32,
    /// The byte that a pipeline has come to.
    pub offset: u64,
}

impl Moment {
    /// Bytes of data that `stretch` has now.
    pub fn bytes(self, stretch: &Stretch, unit: Unit) -> u64 {
        if unit.bytes == 0 || stretch.form == Form::Packets {
            return stretch.bytes;
        }
        match stretch.bytes.checked_sub(self.offset) {
            Some(left) => left.min(unit.bytes),
            None if unit.overruns => unit.bytes,
            None => 0,
        }
    }

    /// Its first address now, on the rank that is number `place` of those it is on.
    pub fn address(self, stretch: &Stretch, place: usize, unit: Unit) -> u64 {
        let base = stretch.at.get(place).copied().unwrap_or(0);
        let half = if self.launch.is_multiple_of(2) { stretch.half } else { 0 };
        let moved = match (unit.bytes, stretch.form, stretch.ring) {
            (0, _, _) | (_, Form::Packets, _) => 0,
            (_, Form::Plain, 0) => self.offset,
            (_, Form::Plain, ring) => self.offset % ring,
        };
        base.saturating_add(half).saturating_add(moved)
    }
}

impl Form {
    /// Bytes of memory that `bytes` of data take.
    pub const fn room(self, bytes: u64) -> u64 {
        match self {
            Form::Plain => bytes,
            Form::Packets => bytes.saturating_mul(2),
        }
    }
}

/// Makes [`ChannelOp`] and [`VisitChannel`] from rows `method: Struct, "text name";`.
macro_rules! channel_ops {
    ($($(#[doc = $doc:literal])+ $method:ident: $Struct:ident { $($(#[doc = $field_doc:literal])+ $field:ident: $Type:ty,)* }, $name:literal;)*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $Struct { $($(#[doc = $field_doc])+ pub $field: $Type,)* }
        )*

        /// What a thread block does on its channels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ChannelOp {
            $(#[doc = concat!("See [`", stringify!($Struct), "`].")] $Struct($Struct),)*
        }

        /// What each channel command means to one consumer.
        pub trait VisitChannel {
            /// What the consumer computes for a command.
            type Out;
            $(
                #[doc = concat!("The meaning of [`", stringify!($Struct), "`].")]
                fn $method(&mut self, it: &$Struct) -> Self::Out;
            )*
        }

        impl ChannelOp {
            /// Hands this command to `visitor`'s method for it.
            pub fn visit<V: VisitChannel>(&self, visitor: &mut V) -> V::Out {
                match self { $(ChannelOp::$Struct(it) => visitor.$method(it),)* }
            }

            /// The command's name in the text form.
            pub const fn name(&self) -> &'static str {
                match self { $(ChannelOp::$Struct(_) => $name,)* }
            }
        }
    };
}

channel_ops! {
    /// Threads move data: copies, puts, gets, reductions, packets, and what goes through a switch.
    exchange: Exchange {
        /// What is moved.
        spec: ExchangeId,
    }, "exchange";
    /// A port is asked to move data. The block goes on; the source is read some time later.
    port_put: PortPut {
        /// What is moved.
        spec: PortId,
    }, "port_put";
    /// Waits until everything asked of some ports is done.
    flush: Flush {
        /// The ends of channels.
        channels: ListId,
    }, "flush";
    /// Adds one to the peer's counter of each channel; on a port, behind what was asked of it.
    signal: Signal {
        /// The ends of channels.
        channels: ListId,
        /// Whether it says nothing of what was written before.
        relaxed: bool,
    }, "signal";
    /// Waits until the peer of each channel has signalled once more than before.
    await_signal: AwaitSignal {
        /// The ends of channels.
        channels: ListId,
        /// Whether what is read later may be older.
        relaxed: bool,
    }, "wait";
    /// The threads of the block meet.
    sync: BlockSync {}, "sync";
    /// Blocks of a rank meet.
    barrier: BlockBarrier {
        /// The barrier, among those of the program.
        barrier: u32,
        /// How many blocks meet.
        blocks: u32,
    }, "barrier";
    /// Takes one from each semaphore, in order, waiting until there is one.
    acquire: Acquire {
        /// The semaphores.
        semaphores: ListId,
    }, "sem_acquire";
    /// Adds one to each semaphore.
    release: Release {
        /// The semaphores.
        semaphores: ListId,
    }, "sem_release";
    /// The kernel ends: the blocks of the rank meet, the host takes the output and, before the
    /// next launch, gives a new input.
    kernel_end: KernelEnd {}, "kernel_end";
}

/// A channel command as it is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelCmd {
    /// What it does.
    pub op: ChannelOp,
    /// When.
    pub at: Moment,
}

/// A channel command before it is walked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelTemplate {
    /// What it does.
    pub op: ChannelOp,
    /// The launch, from 1.
    pub launch: Operand,
    /// The byte that a pipeline has come to.
    pub offset: Operand,
}

/// What a channel goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKind {
    /// Threads read and write the peer's memory themselves.
    Memory,
    /// A DMA engine or a NIC does, asked through the rank's proxy.
    Port,
}

/// One end of a channel, with the counter of signals that come in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelEnd {
    /// Whose end it is.
    pub rank: u32,
    /// Who is at the other.
    pub peer: u32,
    /// What it goes over.
    pub kind: ChannelKind,
    /// Its number among the channels of its kind of its rank.
    pub number: u32,
    /// The other end; `None` where the peer has no such channel, so that signals vanish.
    pub pair: Option<u32>,
}

/// A buffer of a rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RankBuffer {
    /// Its first address.
    pub base: u64,
    /// Its length.
    pub bytes: u64,
}

/// What a rank has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RankMemory {
    /// What the host gives.
    pub input: RankBuffer,
    /// What the host takes.
    pub output: RankBuffer,
    /// What is the program's own, zero at the start of the first launch.
    pub scratch: RankBuffer,
    /// Bytes of a chunk.
    pub chunk: u64,
    /// The first of its agents.
    pub first_agent: u32,
    /// How many agents it has.
    pub agents: u32,
}

/// A counting semaphore of a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Semaphore {
    /// Whose.
    pub rank: u32,
    /// Its number at that rank.
    pub number: u32,
    /// Its value before the first launch.
    pub initial: u32,
}

/// What outputs must hold after each launch, by the inputs of the same launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Every rank: the reduction of all inputs.
    AllReduce(BinaryOp),
    /// Every rank: all inputs, in the order of ranks.
    AllGather,
    /// Rank *r*: part *r* of the reduction of all inputs.
    ReduceScatter(BinaryOp),
    /// Rank *r*: part *r* of every input, in the order of ranks.
    AllToAll,
    /// Every rank: the input of rank 0.
    Broadcast,
    /// Rank *r*: the input of the rank one group of so many ranks before, in its place.
    SendReceive {
        /// Ranks of a group.
        group: u32,
    },
}

/// Where a part of an output comes from: the same bytes of the inputs of one rank or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its first byte in the output.
    pub to: u64,
    /// Its length.
    pub bytes: u64,
    /// Whose input it is; `None` where it is the reduction of all.
    pub rank: Option<u32>,
    /// Its first byte there.
    pub from: u64,
}

impl Definition {
    /// What combines inputs.
    pub const fn reduce(self) -> BinaryOp {
        match self {
            Definition::AllReduce(op) | Definition::ReduceScatter(op) => op,
            Definition::AllGather
            | Definition::AllToAll
            | Definition::Broadcast
            | Definition::SendReceive { .. } => BinaryOp::Add,
        }
    }

    /// The parts of the output of `rank`, of so many `ranks`, which is `bytes` long.
    pub fn parts(self, rank: u32, ranks: u32, bytes: u64) -> Vec<Part> {
        let whole = |rank, from| vec![Part { to: 0, bytes, rank, from }];
        let each = bytes / u64::from(ranks.max(1));
        let slices = |from: &dyn Fn(u32) -> u64| -> Vec<Part> {
            let part = |from_rank: u32| {
                let to = u64::from(from_rank) * each;
                Part { to, bytes: each, rank: Some(from_rank), from: from(from_rank) }
            };
            (0..ranks).map(part).collect()
        };
        match self {
            Definition::AllReduce(_) => whole(None, 0),
            Definition::Broadcast => whole(Some(0), 0),
            Definition::ReduceScatter(_) => whole(None, u64::from(rank) * bytes),
            Definition::AllGather => slices(&|_| 0),
            Definition::AllToAll => slices(&|_| u64::from(rank) * each),
            Definition::SendReceive { group } => {
                let (group, groups) = (group.max(1), ranks / group.max(1));
                let before = (rank / group + groups.max(1) - 1) % groups.max(1);
                whole(Some(before * group + rank % group), 0)
            }
        }
    }
}

/// Everything that the ranks of a channel program have in common. A program without channels has
/// no ranks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channels {
    /// The ranks; rank *r* is PE *r*.
    pub ranks: Vec<RankMemory>,
    /// Every end of every channel.
    pub ends: Vec<ChannelEnd>,
    /// Every semaphore.
    pub semaphores: Vec<Semaphore>,
    /// How many barriers there are.
    pub barriers: u32,
    /// How often every rank runs its kernel.
    pub launches: u32,
    /// Threads of a block; 0 where nobody says, which is as many as the machine's rates are for.
    pub threads: u32,
    /// The type of elements.
    pub dtype: Option<DType>,
    /// What the outputs must hold, if that is known.
    pub definition: Option<Definition>,
}

impl Channels {
    /// Whether the program has any.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(form: Form, bytes: u64) -> Stretch {
        Stretch { form, at: vec![1000], bytes, half: 500, ring: 0 }
    }

    #[test]
    fn a_pipeline_cuts_plain_operands_only() {
        let unit = Unit { bytes: 64, overruns: false };
        let at = |launch, offset| Moment { launch, offset };
        let plain = stretch(Form::Plain, 100);
        assert_eq!((at(1, 64).address(&plain, 0, unit), at(1, 64).bytes(&plain, unit)), (1064, 36));
        assert_eq!((at(2, 0).address(&plain, 0, unit), at(2, 0).bytes(&plain, unit)), (1500, 64));
        assert_eq!(at(1, 128).bytes(&plain, unit), 0);
        assert_eq!(at(1, 128).bytes(&plain, Unit { overruns: true, ..unit }), 64);
        let packets = stretch(Form::Packets, 100);
        let here = at(1, 64);
        assert_eq!((here.address(&packets, 0, unit), here.bytes(&packets, unit)), (1000, 100));
        let ring = Stretch { ring: 48, ..plain };
        assert_eq!(at(1, 64).address(&ring, 0, unit), 1016);
    }

    #[test]
    fn definitions_say_where_parts_come_from() {
        let part = |to, bytes, rank, from| Part { to, bytes, rank, from };
        let sum = BinaryOp::Add;
        assert_eq!(Definition::ReduceScatter(sum).parts(2, 4, 8), [part(0, 8, None, 16)]);
        let all = Definition::AllToAll.parts(1, 2, 8);
        assert_eq!(all, [part(0, 4, Some(0), 4), part(4, 4, Some(1), 4)]);
        let from = |rank| Definition::SendReceive { group: 2 }.parts(rank, 8, 8)[0].rank;
        assert_eq!([from(0), from(3), from(7)], [Some(6), Some(1), Some(5)]);
    }
}
