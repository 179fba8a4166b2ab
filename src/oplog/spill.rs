//! The log of a run of any length: short ones stay in memory, long ones go to a file.

use std::cell::{Cell, RefCell};
use std::io;

use super::spans::{self, Spans};
use super::spilled::{OpenStore, Packed, Spilled};
use super::{Action, Cause, Engine, LinkSpan, Log, LogSink, Record, RecordId};
use crate::command::{AgentId, SiteId};
use crate::oplog::TransferId;
use crate::topology::LinkId;
use crate::units::Ps;

/// Records that stay in memory where a store can be had: 300 MB of them.
const IN_MEMORY: usize = 1 << 22;

/// Bytes of a packed record.
const PACKED: usize = 52;

/// What stands for no predecessor, no transfer, no link.
const NONE: u32 = u32::MAX;

/// A log that keeps its first records in memory and the others in a store.
///
/// Where no store can be had, or it is full, everything stays in memory.
#[derive(Debug)]
pub struct SpillLog {
    records: Spilled<Record, PACKED>,
    /// Why a batch could not be read.
    trouble: RefCell<Option<io::Error>>,
    overflowed: Cell<bool>,
    /// What links were doing, if that is kept.
    spans: Option<Spans>,
}

impl SpillLog {
    /// An empty log; without `open` all of it stays in memory.
    pub fn new(open: Option<OpenStore>) -> SpillLog {
        SpillLog::keeping(IN_MEMORY, open)
    }

    /// An empty log that keeps so many records in memory.
    pub fn keeping(in_memory: usize, open: Option<OpenStore>) -> SpillLog {
        SpillLog {
            records: Spilled::keeping(in_memory, open),
            trouble: RefCell::new(None),
            overflowed: Cell::new(false),
            spans: None,
        }
    }

    /// The same log, which also keeps what links were doing; in a store of its own where it is long.
    pub fn with_spans(self, open: Option<OpenStore>) -> SpillLog {
        SpillLog { spans: Some(spans::none(open)), ..self }
    }

    /// Why the log cannot be read to its end, if it cannot.
    pub fn trouble(&self) -> Option<String> {
        if self.overflowed.get() {
            return Some(String::from("it has more than 4,294,967,294 records"));
        }
        self.trouble.borrow().as_ref().map(ToString::to_string)
    }

    /// What was read; if it could not be, that is remembered.
    fn noted<T>(&self, read: io::Result<T>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) => {
                self.trouble.borrow_mut().get_or_insert(error);
                None
            }
        }
    }
}

impl LogSink for SpillLog {
    fn push(&mut self, record: Record) -> RecordId {
        let index = self.records.len();
        let Some(id) = u32::try_from(index).ok().filter(|id| *id < NONE) else {
            self.overflowed.set(true);
            return RecordId(NONE - 1);
        };
        self.records.push(record);
        RecordId(id)
    }

    fn push_span(&mut self, span: LinkSpan) {
        if let Some(spans) = &mut self.spans {
            spans.push(span);
        }
    }
}

impl Log for SpillLog {
    fn len(&self) -> usize {
        self.records.len()
    }

    fn get(&self, id: RecordId) -> Option<Record> {
        self.noted(self.records.get(id.0 as usize)).flatten()
    }

    fn for_each_batch(&self, visit: &mut dyn FnMut(&[Record])) {
        self.noted(self.records.for_each_batch(visit));
    }

    fn for_each_span(&self, visit: &mut dyn FnMut(&[LinkSpan])) {
        if let Some(spans) = &self.spans {
            self.noted(spans.for_each_batch(visit));
        }
    }
}

impl Packed<PACKED> for Record {
    fn pack(&self) -> [u8; PACKED] {
        let mut bytes = [0; PACKED];
        let times = [self.start, self.end, self.handoff];
        for (to, time) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(times) {
            *to = time.0.to_le_bytes();
        }
        let words = [
            self.agent.0,
            self.seq,
            self.site.0,
            self.predecessor.map_or(NONE, |it| it.0),
            self.transfer.map_or(NONE, |it| it.0),
            self.link.map_or(NONE, |it| it.0),
        ];
        for (to, word) in bytes[24..48].as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes[48] = self.action as u8;
        bytes[49] = self.engine as u8;
        bytes[50] = self.cause as u8;
        bytes
    }

    fn unpack(bytes: &[u8; PACKED]) -> Record {
        let time = |at: usize| {
            let (times, _) = bytes.as_chunks::<8>();
            Ps(u64::from_le_bytes(times[at]))
        };
        let word = |at: usize| {
            let (words, _) = bytes[24..48].as_chunks::<4>();
            u32::from_le_bytes(words[at])
        };
        let some = |at: usize| Some(word(at)).filter(|it| *it != NONE);
        Record {
            start: time(0),
            end: time(1),
            handoff: time(2),
            agent: AgentId(word(0)),
            seq: word(1),
            site: SiteId(word(2)),
            predecessor: some(3).map(RecordId),
            transfer: some(4).map(TransferId),
            link: some(5).map(LinkId),
            action: Action::ALL[usize::from(bytes[48]) % Action::ALL.len()],
            engine: Engine::ALL[usize::from(bytes[49]) % Engine::ALL.len()],
            cause: Cause::ALL[usize::from(bytes[50]) % Cause::ALL.len()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spilled::BATCH;
    use super::super::spilled::tests::stores;
    use super::*;

    fn record(number: u64) -> Record {
        let word = number as u32;
        let some = number.is_multiple_of(3);
        Record {
            start: Ps(number * 7),
            end: Ps(number * 7 + (1 << 40)),
            handoff: Ps(number),
            agent: AgentId(word % 11),
            seq: word,
            site: SiteId(word % 5),
            predecessor: some.then_some(RecordId(word / 2)),
            transfer: (!some).then_some(TransferId(word)),
            link: some.then_some(LinkId(word % 17)),
            action: Action::ALL[number as usize % Action::ALL.len()],
            engine: Engine::ALL[number as usize % Engine::ALL.len()],
            cause: Cause::ALL[number as usize % Cause::ALL.len()],
        }
    }

    #[test]
    fn what_is_read_back_is_what_was_pushed_wherever_it_is() {
        let count = 4 * BATCH as u64 + 77;
        for open in stores() {
            let mut log = SpillLog::keeping(1000, open);
            for number in 0..count {
                assert_eq!(log.push(record(number)), RecordId(number as u32));
            }
            assert_eq!(log.len() as u64, count);
            for number in (0..count).rev().step_by(97) {
                assert_eq!(log.get(RecordId(number as u32)), Some(record(number)));
            }
            assert_eq!(log.get(RecordId(count as u32)), None);
            let mut next = 0;
            log.for_each_batch(&mut |batch| {
                for found in batch {
                    assert_eq!(*found, record(next));
                    next += 1;
                }
            });
            assert_eq!(next, count);
            assert_eq!(log.trouble(), None);
        }
    }
}
