//! What links were doing when: the stretches for which each carried one message, kept beside the log
//! for those who draw a run. Like the log, what does not fit in memory goes to a store.

use std::cell::RefCell;
use std::io;

use super::{OpenStore, Store};
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

/// Spans that are written and read at a time.
const BATCH: usize = 1 << 13;

/// Bytes of a packed span.
const PACKED: usize = 48;

/// Spans of any number, to be read in the order in which they were added.
#[derive(Default)]
pub(super) struct Spans {
    /// Those that are not in the store: the last ones.
    tail: Vec<LinkSpan>,
    open: Option<OpenStore>,
    store: Option<RefCell<Box<dyn Store>>>,
    stored: usize,
    /// How many stay in memory before the store takes some.
    in_memory: usize,
}

impl Spans {
    /// None so far; without `open` all stay in memory.
    pub(super) fn new(open: Option<OpenStore>) -> Spans {
        Spans { open, in_memory: IN_MEMORY, ..Spans::default() }
    }

    pub(super) fn push(&mut self, span: LinkSpan) {
        self.tail.push(span);
        if self.tail.len() >= self.in_memory {
            self.spill();
        }
    }

    /// Moves what is in memory to the store; if that cannot be, it goes on growing.
    fn spill(&mut self) {
        if let Some(open) = self.open.take() {
            self.store = open().ok().map(RefCell::new);
        }
        let Some(store) = &self.store else { return };
        let bytes: Vec<u8> = self.tail.iter().flat_map(pack).collect();
        if store.borrow_mut().append(&bytes).is_ok() {
            self.stored += self.tail.len();
            self.tail.clear();
        } else {
            self.in_memory = usize::MAX;
        }
    }

    /// Calls `visit` with all of them, many at a time.
    pub(super) fn for_each(&self, visit: &mut dyn FnMut(&[LinkSpan])) -> io::Result<()> {
        for first in (0..self.stored).step_by(BATCH) {
            let count = BATCH.min(self.stored - first);
            let Some(store) = &self.store else { break };
            let mut bytes = vec![0; count * PACKED];
            store.borrow_mut().read_at((first * PACKED) as u64, &mut bytes)?;
            let batch: Vec<LinkSpan> = bytes.as_chunks::<PACKED>().0.iter().map(unpack).collect();
            visit(&batch);
        }
        visit(&self.tail);
        Ok(())
    }
}

fn pack(span: &LinkSpan) -> [u8; PACKED] {
    let mut bytes = [0; PACKED];
    let longs = [span.since.0, span.start.0, span.end.0, span.bytes];
    for (to, long) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(longs) {
        *to = long.to_le_bytes();
    }
    let words = [span.link.0, span.agent.0, span.seq, span.site.0];
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

#[cfg(test)]
mod tests {
    use super::super::spill::tests::Bytes;
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
    fn what_is_read_is_what_was_added_wherever_it_is() {
        let roomy: OpenStore = || Ok(Box::new(Bytes(Vec::new(), usize::MAX)));
        let small: OpenStore = || Ok(Box::new(Bytes(Vec::new(), 20_000 * PACKED)));
        let none: OpenStore = || Err(io::Error::other("no room"));
        for open in [Some(roomy), Some(small), Some(none), None] {
            let mut spans = Spans { in_memory: 10_000, ..Spans::new(open) };
            (0..33_333).for_each(|number| spans.push(span(number)));
            let mut next = 0;
            let read = spans.for_each(&mut |batch| {
                for found in batch {
                    assert_eq!(*found, span(next));
                    next += 1;
                }
            });
            assert!(read.is_ok());
            assert_eq!(next, 33_333);
        }
    }
}
