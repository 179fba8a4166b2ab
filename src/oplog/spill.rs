//! A log of any length: what does not fit in memory goes to a file and is read back in batches.
//!
//! The first records stay in memory, so short runs never touch a file. Later ones are packed to 52
//! bytes each and appended in batches; the critical path, which is walked backwards, reads a batch
//! and finds most of its next records there.

use std::cell::{Cell, RefCell};
use std::io;

use super::spans::Spans;
use super::{Action, Cause, Engine, LinkSpan, Log, LogSink, Record, RecordId};
use crate::command::{AgentId, SiteId};
use crate::oplog::TransferId;
use crate::topology::LinkId;
use crate::units::Ps;

/// Bytes that are appended once and read back at any place: a file, for those that may have one.
pub trait Store {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// There is no room.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Fills `bytes` with what is at `offset`.
    ///
    /// # Errors
    /// It cannot be read back.
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
}

/// Makes a store, when one is needed.
pub type OpenStore = fn() -> io::Result<Box<dyn Store>>;

/// Records that stay in memory where a store can be had: 300 MB of them.
const IN_MEMORY: usize = 1 << 22;

/// Records that are written and read at a time.
const BATCH: usize = 1 << 13;

/// Bytes of a packed record.
const PACKED: usize = 52;

/// What stands for no predecessor, no transfer, no link.
const NONE: u32 = u32::MAX;

/// A log that keeps its first records in memory and the others in a store.
///
/// Where no store can be had, or it is full, everything stays in memory.
pub struct SpillLog {
    memory: Vec<Record>,
    in_memory: usize,
    open: Option<OpenStore>,
    store: Option<RefCell<Box<dyn Store>>>,
    /// Records in the store.
    stored: usize,
    /// Whether the store takes no more.
    full: bool,
    /// Records that follow those in the store.
    tail: Vec<Record>,
    /// The batch of the store that was read last.
    batch: RefCell<(usize, Vec<Record>)>,
    /// Why a batch could not be read.
    trouble: RefCell<Option<io::Error>>,
    overflowed: Cell<bool>,
    /// What links were doing, if that is kept.
    spans: Option<Spans>,
}

impl std::fmt::Debug for SpillLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} records in memory, {} stored", self.memory.len(), self.stored)
    }
}

impl SpillLog {
    /// An empty log; without `open` all of it stays in memory.
    pub fn new(open: Option<OpenStore>) -> SpillLog {
        SpillLog::keeping(IN_MEMORY, open)
    }

    /// An empty log that keeps so many records in memory.
    pub fn keeping(in_memory: usize, open: Option<OpenStore>) -> SpillLog {
        SpillLog {
            memory: Vec::new(),
            in_memory,
            open,
            store: None,
            stored: 0,
            full: false,
            tail: Vec::new(),
            batch: RefCell::new((usize::MAX, Vec::new())),
            trouble: RefCell::new(None),
            overflowed: Cell::new(false),
            spans: None,
        }
    }

    /// The same log, which also keeps what links were doing; in a store of its own where it is long.
    pub fn with_spans(self, open: Option<OpenStore>) -> SpillLog {
        SpillLog { spans: Some(Spans::new(open)), ..self }
    }

    /// Why the log cannot be read to its end, if it cannot.
    pub fn trouble(&self) -> Option<String> {
        if self.overflowed.get() {
            return Some(String::from("it has more than 4,294,967,294 records"));
        }
        self.trouble.borrow().as_ref().map(ToString::to_string)
    }

    /// Whether records go to the store: opens it when it is first needed.
    fn spills(&mut self) -> bool {
        if self.store.is_none()
            && let Some(open) = self.open.take()
        {
            self.store = open().ok().map(RefCell::new);
        }
        self.store.is_some()
    }

    fn spill_tail(&mut self) {
        let Some(store) = &self.store else { return };
        let bytes: Vec<u8> = self.tail.iter().flat_map(pack).collect();
        // After a failure the tail goes on growing in memory.
        self.full = store.borrow_mut().append(&bytes).is_err();
        if !self.full {
            self.stored += self.tail.len();
            self.tail.clear();
        }
    }

    /// Reads a batch of the store into `into`.
    fn read(&self, number: usize, into: &mut Vec<Record>) -> io::Result<()> {
        into.clear();
        let first = number * BATCH;
        let count = BATCH.min(self.stored.saturating_sub(first));
        let Some(store) = self.store.as_ref().filter(|_| count > 0) else { return Ok(()) };
        let mut bytes = vec![0; count * PACKED];
        store.borrow_mut().read_at((first * PACKED) as u64, &mut bytes)?;
        into.extend(bytes.as_chunks::<PACKED>().0.iter().map(unpack));
        Ok(())
    }

    fn stored_record(&self, index: usize) -> Option<Record> {
        let mut batch = self.batch.borrow_mut();
        let number = index / BATCH;
        if batch.0 != number {
            batch.0 = number;
            if let Err(error) = self.read(number, &mut batch.1) {
                batch.0 = usize::MAX;
                self.trouble.borrow_mut().get_or_insert(error);
                return None;
            }
        }
        batch.1.get(index % BATCH).copied()
    }
}

impl LogSink for SpillLog {
    fn push(&mut self, record: Record) -> RecordId {
        let index = self.memory.len() + self.stored + self.tail.len();
        let Some(id) = u32::try_from(index).ok().filter(|id| *id < NONE) else {
            self.overflowed.set(true);
            return RecordId(NONE - 1);
        };
        if self.memory.len() < self.in_memory || !self.spills() {
            self.memory.push(record);
            return RecordId(id);
        }
        self.tail.push(record);
        if self.tail.len() == BATCH && !self.full {
            self.spill_tail();
        }
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
        self.memory.len() + self.stored + self.tail.len()
    }

    fn get(&self, id: RecordId) -> Option<Record> {
        let index = id.0 as usize;
        let Some(later) = index.checked_sub(self.memory.len()) else {
            return self.memory.get(index).copied();
        };
        match later.checked_sub(self.stored) {
            None => self.stored_record(later),
            Some(at) => self.tail.get(at).copied(),
        }
    }

    fn for_each_batch(&self, visit: &mut dyn FnMut(&[Record])) {
        visit(&self.memory);
        let mut batch = Vec::new();
        for number in 0..self.stored.div_ceil(BATCH) {
            if let Err(error) = self.read(number, &mut batch) {
                self.trouble.borrow_mut().get_or_insert(error);
                return;
            }
            visit(&batch);
        }
        visit(&self.tail);
    }

    fn for_each_span(&self, visit: &mut dyn FnMut(&[LinkSpan])) {
        let read = self.spans.as_ref().map_or(Ok(()), |spans| spans.for_each(visit));
        if let Err(error) = read {
            self.trouble.borrow_mut().get_or_insert(error);
        }
    }
}

fn pack(record: &Record) -> [u8; PACKED] {
    let mut bytes = [0; PACKED];
    let times = [record.start, record.end, record.handoff];
    for (to, time) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(times) {
        *to = time.0.to_le_bytes();
    }
    let words = [
        record.agent.0,
        record.seq,
        record.site.0,
        record.predecessor.map_or(NONE, |it| it.0),
        record.transfer.map_or(NONE, |it| it.0),
        record.link.map_or(NONE, |it| it.0),
    ];
    for (to, word) in bytes[24..48].as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    bytes[48] = record.action as u8;
    bytes[49] = record.engine as u8;
    bytes[50] = record.cause as u8;
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A store that has room for so many bytes.
    pub(in crate::oplog) struct Bytes(pub(in crate::oplog) Vec<u8>, pub(in crate::oplog) usize);

    impl Store for Bytes {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            if self.0.len() + bytes.len() > self.1 {
                return Err(io::Error::other("full"));
            }
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
            let from = offset as usize;
            bytes.copy_from_slice(&self.0[from..from + bytes.len()]);
            Ok(())
        }
    }

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
        let roomy: OpenStore = || Ok(Box::new(Bytes(Vec::new(), usize::MAX)));
        let small: OpenStore = || Ok(Box::new(Bytes(Vec::new(), 2 * BATCH * PACKED)));
        let none: OpenStore = || Err(io::Error::other("no room"));
        let count = 4 * BATCH as u64 + 77;
        for open in [Some(roomy), Some(small), Some(none), None] {
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
