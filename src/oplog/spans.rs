//! What links were doing when: the stretches for which each carried one message, kept beside the log
//! for those who draw a run. Like the log, what does not fit in memory goes to a store.

use super::spilled::{OpenStore, Packed, Spilled};
use crate::command::{AgentId, SiteId};
use crate::topology::LinkId;
use crate::units::Ps;

/// A stretch for which a link carried flits of one message and of no other. No two of one link
/// overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSpan {
    /// The link.
    pub link: LinkId,
    /// Since when its first flit could have gone, had others not been before it.
    pub since: Ps,
    /// When the first flit began to enter the link.
    pub start: Ps,
    /// When the last one had.
    pub end: Ps,
    /// Bytes of the message that entered it between. Where the flits come slower than the link is, it
    /// stands idle between them.
    pub bytes: u64,
    /// Whose message it is.
    pub agent: AgentId,
    /// The command that sent it, and where that comes from.
    pub seq: u32,
    /// Where that comes from.
    pub site: SiteId,
}

/// Spans that stay in memory where a store can be had: 60 MB of them.
const IN_MEMORY: usize = 1 << 20;

/// Bytes of a packed span.
const PACKED: usize = 48;

/// Spans of any number, to be read in the order in which they were added.
pub(super) type Spans = Spilled<LinkSpan, PACKED>;

/// No spans so far; without `open` all stay in memory.
pub(super) fn none(open: Option<OpenStore>) -> Spans {
    Spilled::keeping(IN_MEMORY, open)
}

impl Packed<PACKED> for LinkSpan {
    fn pack(&self) -> [u8; PACKED] {
        let mut bytes = [0; PACKED];
        let longs = [self.since.0, self.start.0, self.end.0, self.bytes];
        for (to, long) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(longs) {
            *to = long.to_le_bytes();
        }
        let words = [self.link.0, self.agent.0, self.seq, self.site.0];
        for (to, word) in bytes[32..].as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    fn unpack(bytes: &[u8; PACKED]) -> LinkSpan {
        let long = |at: usize| u64::from_le_bytes(bytes.as_chunks::<8>().0[at]);
        let word = |at: usize| u32::from_le_bytes(bytes.as_chunks::<4>().0[8 + at]);
        LinkSpan {
            since: Ps(long(0)),
            start: Ps(long(1)),
            end: Ps(long(2)),
            bytes: long(3),
            link: LinkId(word(0)),
            agent: AgentId(word(1)),
            seq: word(2),
            site: SiteId(word(3)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: u64) -> LinkSpan {
        let word = number as u32;
        LinkSpan {
            link: LinkId(word % 7),
            since: Ps(number),
            start: Ps(number * 3),
            end: Ps(number << 33),
            bytes: number + 5,
            agent: AgentId(word % 11),
            seq: word,
            site: SiteId(word % 5),
        }
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        for number in (0..1 << 31).step_by(1_000_003) {
            assert_eq!(LinkSpan::unpack(&span(number).pack()), span(number));
        }
    }
}
