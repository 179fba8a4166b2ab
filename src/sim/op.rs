//! Commands in flight: what each touches, and what it waits for.
//!
//! The scoreboard of an agent is the list of its commands that have been dispatched and may not
//! have ended. A command conflicts with an earlier one of its agent where
//!
//! - it reads, or writes, a tile that the earlier one writes: it waits for the end;
//! - it writes a tile that the earlier one reads: it waits for the end of the reading, which for
//!   what leaves the PE is when the last byte has left;
//! - both move the same bytes of HBM and one of them writes: it waits for the end.

use crate::command::{GemmId, MathArg, MathId, Place, QueueId, SiteId, TileRef};
use crate::ir::MAX_STEP_OPERANDS;
use crate::oplog::{Cause, Engine, RecordId, TransferId};
use crate::topology::LinkId;
use crate::units::Ps;

/// A time that is not known yet.
pub(super) const UNKNOWN: Ps = Ps::MAX;

/// Why something could happen when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Release {
    /// When what released it let go.
    pub(super) at: Ps,
    /// What released it.
    pub(super) record: Option<RecordId>,
    pub(super) cause: Cause,
}

/// The latest of several things that a command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) time: Ps,
    pub(super) release: Release,
}

impl Ready {
    /// Takes another thing into account. Of two as late, the one that comes first in the order of
    /// causes, then of records, is named.
    pub(super) fn also(&mut self, time: Ps, release: Release) {
        let rank = |release: &Release| (release.cause, release.record);
        if time > self.time || (time == self.time && rank(&release) < rank(&self.release)) {
            *self = Ready { time, release };
        }
    }

    /// Waits for the end of a record.
    pub(super) fn also_end(&mut self, end: Ps, record: Option<RecordId>, cause: Cause) {
        self.also(end, Release { at: end, record, cause });
    }
}

/// Bytes of an agent's scratch, or one of its slots; empty for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    lo: u64,
    hi: u64,
}

/// Slots lie beyond all scratch: a bit that says so, the queue, the message.
const SLOTS: u64 = 1 << 63;
const QUEUE: u32 = 55;

impl Range {
    /// No bytes.
    pub(super) const NOTHING: Range = Range { lo: 0, hi: 0 };

    /// The bytes of a tile.
    pub(super) fn of(tile: &TileRef) -> Range {
        match tile.place {
            Place::Scratch(at) => Range { lo: at, hi: at.saturating_add(tile.bytes).min(SLOTS) },
            Place::Slot { queue, token } => Range::slot(queue, token),
        }
    }

    /// The bytes of an operand.
    pub(super) fn of_arg(arg: Option<&MathArg>) -> Range {
        match arg {
            Some(MathArg::Tile(tile)) => Range::of(tile),
            Some(MathArg::Scalar(_)) | None => Range::NOTHING,
        }
    }

    /// The slot of a message.
    pub(super) fn slot(queue: QueueId, token: u64) -> Range {
        let lo = SLOTS | u64::from(queue.0) << QUEUE | token & ((1 << QUEUE) - 1);
        Range { lo, hi: lo + 1 }
    }

    fn overlaps(self, other: Range) -> bool {
        self.lo.max(other.lo) < self.hi.min(other.hi)
    }
}

/// The most tiles that a command reads.
const READS: usize = 2 + MAX_STEP_OPERANDS;

/// What a command reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reads {
    ranges: [Range; READS],
    /// How many of them there are.
    count: u8,
}

impl Reads {
    /// These ranges, without those that are empty.
    pub(super) fn of<const N: usize>(ranges: [Range; N]) -> Reads {
        let mut reads = Reads::default();
        for range in ranges.into_iter().filter(|range| *range != Range::NOTHING) {
            reads.ranges[usize::from(reads.count)] = range;
            reads.count += 1;
        }
        reads
    }

    fn overlap(&self, range: Range) -> bool {
        self.ranges.iter().take(usize::from(self.count)).any(|read| read.overlaps(range))
    }
}

/// What of HBM a command moves. Few commands do, so the agent keeps it beside its scoreboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Moves {
    #[default]
    Nothing,
    /// One block, which the agent knows.
    Block,
    /// The blocks that the pipeline of the composite knows.
    Composite,
}

/// What a command touches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Footprint {
    pub(super) reads: Reads,
    pub(super) write: Range,
    pub(super) moves: Moves,
}

impl Footprint {
    /// Writes only.
    pub(super) fn writing(write: Range) -> Footprint {
        Footprint { write, ..Footprint::default() }
    }

    /// Reads only.
    pub(super) fn reading(read: Range) -> Footprint {
        Footprint { reads: Reads::of([read]), ..Footprint::default() }
    }

    /// The operands and the result of a vector command.
    pub(super) fn math(args: &[Option<MathArg>; 3], out: &TileRef) -> Footprint {
        let reads = Reads::of(args.map(|arg| Range::of_arg(arg.as_ref())));
        Footprint { reads, write: Range::of(out), ..Footprint::default() }
    }
}

/// What a command must wait for: what it touches, among the commands before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) seq: u32,
    pub(super) touches: Footprint,
    /// Whether the end of what it waits for has to be an event.
    pub(super) insists: bool,
}

/// An engine of a PE that commands queue for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    DmaRead,
    DmaWrite,
    DmaComm,
    Gemm,
    Math,
    /// Streams, which go through the vector unit as they pass.
    Stream,
    /// Messages that a router beside the PE passes on.
    Pass,
    /// The tile scheduler. This and what follows is for composites only.
    Scheduler,
    /// The places in TCM for tiles that come from memory.
    Staging,
    /// The registers that tiles are fetched into.
    Registers,
    /// The registers that sums are kept in.
    Sums,
    /// The places in TCM for tiles of the result.
    Output,
}

/// How many channels of an engine there are, which come first.
pub(super) const CHANNELS: usize = 7;
/// How many there are of all, with what composites alone take in turn.
pub(super) const TURNS: usize = 12;

impl Channel {
    /// Its name in the log.
    pub(super) fn engine(self) -> Engine {
        match self {
            Channel::DmaRead => Engine::DmaRead,
            Channel::DmaWrite => Engine::DmaWrite,
            Channel::DmaComm | Channel::Stream | Channel::Pass => Engine::DmaComm,
            Channel::Gemm => Engine::Gemm,
            Channel::Math => Engine::Math,
            Channel::Scheduler
            | Channel::Staging
            | Channel::Registers
            | Channel::Sums
            | Channel::Output => Engine::Scheduler,
        }
    }
}

/// What a command does once it starts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Math(MathId),
    Gemm(GemmId),
    Read,
    Write,
    /// Changes memory where it is; whether what was there comes back, and how many operands go
    /// out for each element.
    Atomic {
        back: bool,
        operands: u64,
    },
    /// Sends over a connection.
    Send(u32),
    /// Runs a pipeline of tiles.
    Composite,
    /// Passes a message on as it arrives; see [`super::stream`].
    Stream,
}

/// A command that has been dispatched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) seq: u32,
    pub(super) site: SiteId,
    pub(super) channel: Channel,
    pub(super) work: Work,
    pub(super) touches: Footprint,
    /// When PE_CPU let it go.
    pub(super) issued: Ps,
    /// Before it starts, why PE_CPU let it go no earlier; then, why it started no earlier.
    pub(super) release: Release,
    pub(super) start: Ps,
    /// When its operands have been read.
    pub(super) read_end: Ps,
    pub(super) end: Ps,
    /// Once its end is known.
    pub(super) record: Option<RecordId>,
    /// Of a write, once its source has been read.
    pub(super) read_record: Option<RecordId>,
    pub(super) transfer: Option<TransferId>,
    /// The bytes that it moves.
    pub(super) bytes: u64,
    /// The number of a message.
    pub(super) token: u64,
    /// The train of a send.
    pub(super) train: u32,
    /// Pieces of a transfer that have not arrived, and that have not been read.
    pub(super) pieces: u32,
    pub(super) unread: u32,
    /// The link that held up one of its pieces most.
    pub(super) held: (Option<LinkId>, Ps),
    /// Whether it had to wait because too many transfers were in flight.
    pub(super) limited: bool,
}

impl Op {
    /// When `later`, a command of the same agent, may go on as far as this one is concerned;
    /// nothing if they do not conflict, [`UNKNOWN`] if that is not known yet. `same_bytes` says
    /// whether both move the same bytes of HBM and one of them writes.
    pub(super) fn conflict(&self, later: &Footprint, same_bytes: impl Fn() -> bool) -> Option<Ps> {
        let mine = &self.touches;
        let raw_or_waw = later.reads.overlap(mine.write) || later.write.overlaps(mine.write);
        let both_move = mine.moves != Moves::Nothing && later.moves != Moves::Nothing;
        if raw_or_waw || (both_move && same_bytes()) {
            return Some(self.end);
        }
        mine.reads.overlap(later.write).then_some(self.read_end)
    }

    /// Whether nothing that comes after `time` can wait for it.
    pub(super) fn is_over(&self, time: Ps) -> bool {
        self.record.is_some() && self.end <= time && self.unread == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Id;

    fn release(cause: Cause, record: u32) -> Release {
        Release { at: Ps(1), record: Some(RecordId::from_index(record as usize)), cause }
    }

    #[test]
    fn ties_go_to_the_first_cause_then_the_first_record() {
        let mut ready = Ready { time: Ps(5), release: release(Cause::Engine, 3) };
        ready.also(Ps(4), release(Cause::Dispatch, 0));
        assert_eq!(ready.release, release(Cause::Engine, 3));
        ready.also(Ps(5), release(Cause::Operand, 9));
        assert_eq!(ready.release, release(Cause::Operand, 9));
        ready.also(Ps(5), release(Cause::Operand, 7));
        assert_eq!(ready.release, release(Cause::Operand, 7));
        ready.also(Ps(6), release(Cause::Barrier, 1));
        assert_eq!(ready.time, Ps(6));
    }

    #[test]
    fn ranges_overlap_by_bytes_and_by_slot() {
        let scratch = |at, bytes| Range::of(&TileRef { place: Place::Scratch(at), bytes });
        let slot = |queue, token| Range::slot(QueueId(queue), token);
        assert!(scratch(0, 8).overlaps(scratch(7, 1)));
        assert!(!scratch(0, 8).overlaps(scratch(8, 1)));
        assert!(!scratch(4, 0).overlaps(scratch(0, 8)) && !Range::NOTHING.overlaps(scratch(0, 8)));
        assert!(slot(1, 5).overlaps(slot(1, 5)));
        assert!(!slot(1, 5).overlaps(slot(1, 6)) && !slot(1, 5).overlaps(slot(2, 5)));
        assert!(!scratch(u64::MAX - 8, 8).overlaps(slot(255, 0)));
    }
}
