//! What kernels ask of channels, thread blocks and their buffers, with the words of MSCCL++.
//!
//! One op, [`Channel`], stands for all of it; a [`Verb`] says which. Everything that an op names is
//! a number: channels, scratch buffers and semaphores by the order in which the program made them,
//! chunks likewise, buffers 0 (input), 1 (output) and from 2 on (scratch), ranks and thread blocks by
//! themselves. A program that asks for any of this is the recipe of a plan: it moves no data
//! itself, and what it asks for is what its rank will do.

use super::{Uses, Value};

/// The buffer number of a rank's input.
pub const INPUT: i64 = 0;
/// The buffer number of a rank's output.
pub const OUTPUT: i64 = 1;
/// The buffer number of the first scratch buffer that a program makes.
pub const FIRST_SCRATCH: i64 = 2;
/// The end of a chunk that reaches to the end of its buffer.
pub const TO_THE_END: i64 = i64::MAX;

/// Something that a program asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// What.
    pub verb: Verb,
    /// How, in the words of the verb.
    pub words: Vec<String>,
    /// On what: `i64` scalars, grouped as the verb says.
    pub numbers: Vec<Vec<Value>>,
}

/// What a group of numbers is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// One number.
    One,
    /// Two: an offset and a count.
    Range,
    /// Four: a buffer, its rank, the first chunk and the one past the last.
    Chunk,
    /// Any count.
    List,
}

impl Group {
    /// Whether a group of `count` numbers is such a one.
    pub const fn takes(self, count: usize) -> bool {
        match self {
            Group::One => count == 1,
            Group::Range => count == 2,
            Group::Chunk => count == 4,
            Group::List => true,
        }
    }
}

/// Makes [`Verb`] from rows `Variant = "name", [groups], whether it gives a number;`.
macro_rules! verbs {
    ($($(#[doc = $doc:literal])+ $Variant:ident = $name:literal, [$($Group:ident),*], $gives:literal;)*) => {
        /// What a program can ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Verb { $($(#[doc = $doc])+ $Variant,)* }

        impl Verb {
            /// Every verb.
            pub const ALL: &[Verb] = &[$(Verb::$Variant,)*];

            /// Its name in text IR.
            pub const fn name(self) -> &'static str {
                match self { $(Verb::$Variant => $name,)* }
            }

            /// What it is asked of.
            pub const fn groups(self) -> &'static [Group] {
                match self { $(Verb::$Variant => &[$(Group::$Group),*],)* }
            }

            /// Whether it makes something and gives its number.
            pub const fn gives(self) -> bool {
                match self { $(Verb::$Variant => $gives,)* }
            }

            /// What it does, in a line.
            pub const fn doc(self) -> &'static str {
                match self { $(Verb::$Variant => concat!($($doc),+),)* }
            }
        }
    };
}

verbs! {
    /// Says what all ranks compute together: its name, its options, its counts of chunks.
    Collective = "collective", [List], false;
    /// A memory channel to a peer.
    MemoryChannel = "memory_channel", [One], true;
    /// A port channel to a peer.
    PortChannel = "port_channel", [One], true;
    /// A switch channel of ranks, over a buffer.
    SwitchChannel = "switch_channel", [List, One], true;
    /// A scratch buffer of so many chunks.
    Buffer = "buffer", [One], true;
    /// A semaphore with its value.
    Semaphore = "semaphore", [One], true;
    /// Chunks of a buffer.
    Chunk = "chunk", [Chunk], true;
    /// One more at the peer's counter: channel, thread block.
    Signal = "signal", [One, One], false;
    /// Until the peer signalled once more: channel, thread block.
    Wait = "wait", [One, One], false;
    /// Until a port has done all that it was asked: channel, thread block.
    Flush = "flush", [One, One], false;
    /// To the peer: channel, target, source, thread blocks.
    Put = "put", [One, One, One, List], false;
    /// From the peer: channel, target, source, thread blocks.
    Get = "get", [One, One, One, List], false;
    /// To the peer as packets: channel, target, source, thread blocks.
    PutPackets = "put_packets", [One, One, One, List], false;
    /// Packets on to the peer: channel, target, source, thread blocks.
    ReadPutPackets = "read_put_packets", [One, One, One, List], false;
    /// To the peer through a port, then a signal: channel, target, source, thread blocks.
    PutWithSignal = "put_with_signal", [One, One, One, List], false;
    /// The same, until both are done: channel, target, source, thread blocks.
    PutWithSignalAndFlush = "put_with_signal_and_flush", [One, One, One, List], false;
    /// Combines with what peers have: channel, target, own source, thread blocks, other sources.
    ReadReduce = "read_reduce", [One, One, One, List, List], false;
    /// Combines over all ranks of a switch: channel, rank, range, target, thread block.
    SwitchReduce = "switch_reduce", [One, One, Range, One, One], false;
    /// To all ranks of a switch: channel, rank, range, source, thread block.
    Broadcast = "broadcast", [One, One, Range, One, One], false;
    /// Packets to all ranks of a switch: channel, rank, range, source, thread block.
    BroadcastPackets = "broadcast_packets", [One, One, Range, One, One], false;
    /// Within a rank: the rank, target, source, thread blocks.
    Copy = "copy", [One, One, One, List], false;
    /// Into packets: the rank, target, source, thread blocks.
    CopyPackets = "copy_packets", [One, One, One, List], false;
    /// Out of packets: the rank, target, source, thread blocks.
    UnpackPackets = "unpack_packets", [One, One, One, List], false;
    /// Combines within a rank: the rank, target, source, thread blocks, other sources.
    Reduce = "reduce", [One, One, One, List, List], false;
    /// Thread blocks of a rank meet: the rank, thread blocks.
    Barrier = "barrier", [One, List], false;
    /// Takes one from a semaphore: it, thread block.
    Acquire = "acquire", [One, One], false;
    /// Gives one to a semaphore: it, thread block.
    Release = "release", [One, One], false;
    /// Begins to go over chunks by pieces of so many bytes: the bytes, the chunks.
    BeginPipeline = "begin_pipeline", [One, One], false;
    /// Ends that.
    EndPipeline = "end_pipeline", [], false;
}

impl Verb {
    /// The verb of this name.
    pub fn from_name(name: &str) -> Option<Verb> {
        Verb::ALL.iter().copied().find(|verb| verb.name() == name)
    }

    /// What is wrong with groups of so many numbers for this verb.
    pub fn check(self, counts: &[usize]) -> Result<(), String> {
        let groups = self.groups();
        if counts.len() != groups.len() {
            let (name, wanted, found) = (self.name(), groups.len(), counts.len());
            return Err(format!("`{name}` takes {wanted} groups of numbers, not {found}"));
        }
        for (place, (count, group)) in counts.iter().zip(groups).enumerate() {
            if !group.takes(*count) {
                let name = self.name();
                return Err(format!("group {place} of `{name}` has {count} numbers"));
            }
        }
        Ok(())
    }
}

impl Channel {
    /// Whether `word` is said.
    pub fn says(&self, word: &str) -> bool {
        self.words.iter().any(|it| it == word)
    }

    /// All its numbers, in order.
    pub fn all_numbers(&self) -> impl Iterator<Item = Value> + '_ {
        self.numbers.iter().flatten().copied()
    }

    /// Calls `visit` with each number.
    pub fn for_each_number(&self, visit: &mut dyn FnMut(Value)) {
        self.numbers.for_each_use(visit);
    }
}

/// What a program asked for when it ran: a [`Channel`] with its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The op, of the function that was run.
    pub op: super::OpId,
    /// What.
    pub verb: Verb,
    /// How.
    pub words: Vec<String>,
    /// On what.
    pub numbers: Vec<Vec<i64>>,
}

impl Asked {
    /// Whether `word` is said.
    pub fn says(&self, word: &str) -> bool {
        self.words.iter().any(|it| it == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again_and_groups_are_counted() {
        for verb in Verb::ALL {
            assert_eq!(Verb::from_name(verb.name()), Some(*verb));
            assert!(verb.doc().ends_with('.'), "{}", verb.name());
        }
        assert!(Verb::Chunk.check(&[4]).is_ok());
        assert!(Verb::Chunk.check(&[3]).is_err());
        assert!(Verb::Put.check(&[1, 1, 1, 2]).is_ok());
        assert!(Verb::Reduce.check(&[1, 1, 1, 1]).is_err());
        assert!(Verb::EndPipeline.check(&[]).is_ok());
    }
}
