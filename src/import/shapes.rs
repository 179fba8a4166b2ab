//! What operands each data op takes.

use super::schema::{ChannelType, OpName};
use crate::command::channel::Form;

/// Whose memory an operand may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The own rank's.
    Own,
    /// A peer's.
    Peer,
    /// That of all ranks of a switch channel.
    Group,
}

impl Whose {
    /// In words.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Whose::Own => "a buffer of the own rank (`type`)",
            Whose::Peer => "a buffer of a peer (`buffer_id`)",
            Whose::Group => "a switch channel (`switch_channel_id`)",
        }
    }
}

type Slot = (Whose, Form);

const OWN: Slot = (Whose::Own, Form::Plain);
const OWN_PACKETS: Slot = (Whose::Own, Form::Packets);
const PEER: Slot = (Whose::Peer, Form::Plain);
const PEER_PACKETS: Slot = (Whose::Peer, Form::Packets);
const GROUP: Slot = (Whose::Group, Form::Plain);
const GROUP_PACKETS: Slot = (Whose::Group, Form::Packets);

/// Operands in order: so many at least, and the last of them again as often as is said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    pub(super) first: &'static [Slot],
    /// What further operands are; there are none without.
    pub(super) more: Option<Slot>,
    /// How many of the further ones there must be.
    pub(super) least: usize,
}

const fn exactly(first: &'static [Slot]) -> Operands {
    Operands { first, more: None, least: 0 }
}

const fn and_more(first: &'static [Slot], more: Slot, least: usize) -> Operands {
    Operands { first, more: Some(more), least }
}

/// How operands make up moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Source *i* goes to target *i*.
    Pairs,
    /// All sources are combined, and go to all targets.
    Combine,
    /// The same; the first source is combined last.
    FirstLast,
}

/// The operands of an op.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) sources: Operands,
    pub(super) targets: Operands,
    pub(super) pattern: Pattern,
    /// Which channel types the op may have; none where it uses no channel.
    pub(super) channel: Option<&'static [ChannelType]>,
}

const MEMORY: Option<&[ChannelType]> = Some(&[ChannelType::Memory]);
const PORT: Option<&[ChannelType]> = Some(&[ChannelType::Port]);
const SWITCH: Option<&[ChannelType]> = Some(&[ChannelType::Switch]);

const fn shape(
    pattern: Pattern,
    sources: Operands,
    targets: Operands,
    channel: Option<&'static [ChannelType]>,
) -> Option<Shape> {
    Some(Shape { sources, targets, pattern, channel })
}

const fn pairs(
    source: Slot,
    target: Slot,
    channel: Option<&'static [ChannelType]>,
) -> Option<Shape> {
    shape(Pattern::Pairs, and_more(&[], source, 1), and_more(&[], target, 1), channel)
}

const FROM_PEERS: Operands = and_more(&[OWN], PEER, 1);
const TO_PEERS: Operands = and_more(&[OWN], PEER, 1);
const OWNS: Operands = and_more(&[OWN], OWN, 0);
const PACKETS: Operands = and_more(&[OWN], OWN_PACKETS, 1);
const PACKETS_TO_PEERS: Operands = and_more(&[OWN], PEER_PACKETS, 1);
const COPY_AND_PACKETS_TO_PEERS: Operands = and_more(&[OWN, OWN_PACKETS], PEER_PACKETS, 1);

/// The operands of op `name` on channels of type `channel`; `None` for what moves no data.
pub(super) const fn shape_of(name: OpName, channel: Option<ChannelType>) -> Option<Shape> {
    use Pattern::{Combine, FirstLast};
    let is_port = matches!(channel, Some(ChannelType::Port));
    match name {
        OpName::Copy => shape(Combine, exactly(&[OWN]), exactly(&[OWN]), None),
        OpName::Put if is_port => pairs(OWN, PEER, PORT),
        OpName::Put => pairs(OWN, PEER, MEMORY),
        OpName::PutWithSignal | OpName::PutWithSignalAndFlush => pairs(OWN, PEER, PORT),
        OpName::Get => pairs(PEER, OWN, MEMORY),
        OpName::Reduce => shape(Combine, OWNS, exactly(&[OWN]), None),
        OpName::ReduceSend => shape(Combine, OWNS, TO_PEERS, MEMORY),
        OpName::ReadReduce => shape(Combine, FROM_PEERS, exactly(&[OWN]), MEMORY),
        OpName::ReadReduceSend => shape(Combine, FROM_PEERS, TO_PEERS, MEMORY),
        OpName::GroupLoadReduceStore => {
            shape(Combine, exactly(&[GROUP]), exactly(&[GROUP]), SWITCH)
        }
        OpName::GroupStore => shape(Combine, exactly(&[OWN]), exactly(&[GROUP]), SWITCH),
        OpName::CopyPackets => shape(Combine, exactly(&[OWN]), exactly(&[OWN_PACKETS]), None),
        OpName::UnpackPackets => shape(Combine, exactly(&[OWN_PACKETS]), exactly(&[OWN]), None),
        OpName::PutPackets if is_port => pairs(OWN_PACKETS, PEER_PACKETS, PORT),
        OpName::PutPackets => pairs(OWN, PEER_PACKETS, MEMORY),
        OpName::ReadPutPackets => {
            let channel = if is_port { PORT } else { MEMORY };
            let targets = and_more(&[], PEER_PACKETS, 1);
            shape(Combine, exactly(&[OWN_PACKETS]), targets, channel)
        }
        OpName::ReducePackets => shape(FirstLast, PACKETS, exactly(&[OWN]), None),
        OpName::ReduceSendPackets => shape(FirstLast, PACKETS, PACKETS_TO_PEERS, MEMORY),
        OpName::ReduceCopyPackets => shape(FirstLast, PACKETS, exactly(&[OWN, OWN_PACKETS]), None),
        OpName::ReduceCopySendPackets => {
            shape(FirstLast, PACKETS, COPY_AND_PACKETS_TO_PEERS, MEMORY)
        }
        OpName::GroupStorePackets => {
            shape(Combine, exactly(&[OWN_PACKETS]), exactly(&[GROUP_PACKETS]), SWITCH)
        }
        OpName::Nop
        | OpName::Barrier
        | OpName::Signal
        | OpName::RelaxedSignal
        | OpName::Wait
        | OpName::RelaxedWait
        | OpName::Flush
        | OpName::SemAcquire
        | OpName::SemRelease
        | OpName::GroupLoadReduce
        | OpName::Pipeline => None,
    }
}

impl Operands {
    /// What operand `place` must be; `None` where there must be none.
    pub(super) fn slot(&self, place: usize) -> Option<Slot> {
        self.first.get(place).copied().or(self.more)
    }

    /// Whether none of them is in packets.
    pub(super) fn are_plain(&self) -> bool {
        self.first.iter().chain(&self.more).all(|(_, form)| *form == Form::Plain)
    }

    /// The fewest operands.
    pub(super) const fn fewest(&self) -> usize {
        self.first.len() + self.least
    }

    /// Whether there may be `count`.
    pub(super) fn takes(&self, count: usize) -> bool {
        count >= self.fewest() && (self.more.is_some() || count == self.first.len())
    }
}
