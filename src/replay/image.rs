//! One tensor's bytes in HBM, in chunks that are made when they are first written, each behind a
//! lock of its own, with the origin of every byte.
//!
//! Agents on different threads never touch the same bytes at once where one of them writes: the
//! schedule sees to that. The locks are there because they may touch the same chunk.

use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::bytes::Bytes;
use super::ranges::RangeMap;
use crate::command::{AgentId, SiteId};

/// The smallest chunk, in bytes.
const MIN_CHUNK_BYTES: u64 = 1 << 18;
/// The most chunks of one image; a larger image has larger chunks.
const MAX_CHUNKS: u64 = 4096;

/// The command that wrote some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// Whose command it was.
    pub agent: AgentId,
    /// Where it stands in that agent's code.
    pub site: SiteId,
    /// Its number in that agent's stream.
    pub seq: u32,
}

/// Where the bytes at an address come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The host put them there.
    Host,
    /// A command wrote them.
    Command(Writer),
}

/// A piece of an image.
#[derive(Clone, Debug, Default)]
struct Chunk {
    /// Its bytes; none before the first write.
    data: Bytes,
    /// Who wrote which of them, counted from the chunk's first byte.
    origin: RangeMap<Origin>,
}

/// A stretch of HBM.
#[derive(Debug)]
pub(super) struct Image {
    bytes: u64,
    chunk_bytes: u64,
    chunks: Vec<RwLock<Chunk>>,
}

fn read(chunk: &RwLock<Chunk>) -> RwLockReadGuard<'_, Chunk> {
    chunk.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(chunk: &RwLock<Chunk>) -> RwLockWriteGuard<'_, Chunk> {
    chunk.write().unwrap_or_else(PoisonError::into_inner)
}

impl Image {
    /// `bytes` bytes that nobody has written.
    pub(super) fn new(bytes: u64) -> Image {
        let chunk_bytes = bytes.div_ceil(MAX_CHUNKS).next_power_of_two().max(MIN_CHUNK_BYTES);
        let count = bytes.div_ceil(chunk_bytes) as usize;
        Image { bytes, chunk_bytes, chunks: (0..count).map(|_| RwLock::default()).collect() }
    }

    /// The chunk of byte `offset`, and the byte's place in it.
    fn locate(&self, offset: u64) -> (usize, u64) {
        ((offset / self.chunk_bytes) as usize, offset % self.chunk_bytes)
    }

    /// The length of a chunk; the last may be short.
    fn chunk_len(&self, index: usize) -> usize {
        (self.bytes - index as u64 * self.chunk_bytes).min(self.chunk_bytes) as usize
    }

    /// Whether the chunk at `index` has been written.
    fn has(&self, index: usize) -> bool {
        read(&self.chunks[index]).data.len() > 0
    }

    /// What wrote byte `offset`, and the range around it that the same wrote.
    fn origin(&self, offset: u64) -> Option<Origin> {
        let (index, at) = self.locate(offset);
        read(self.chunks.get(index)?).origin.at(at).map(|(_, origin)| origin)
    }
}

/// An image as one PE sees it: its own chunks over those that all PEs share.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'m> {
    /// What all PEs share.
    pub(super) common: &'m Image,
    /// What this PE has written itself, where each PE has its own copy.
    pub(super) own: Option<&'m Image>,
}

impl<'m> View<'m> {
    /// The image whose chunk `index` this PE reads.
    fn source(&self, index: usize) -> &'m Image {
        self.own.filter(|own| own.has(index)).unwrap_or(self.common)
    }

    /// What wrote byte `offset`; `None` where nothing did.
    pub(super) fn origin(&self, offset: u64) -> Option<Origin> {
        self.source(self.common.locate(offset).0).origin(offset)
    }

    /// A cursor for reads. Offsets lie in the image.
    pub(super) fn reader(self) -> Reader<'m> {
        Reader { view: self, held: None, known: 0..0 }
    }

    /// A cursor for writes by `origin`. Offsets lie in the image.
    pub(super) fn writer(self, origin: Origin) -> ChunkWriter<'m> {
        ChunkWriter { view: self, origin, held: None }
    }
}

/// Reads runs of a view; keeps hold of a chunk while runs stay in it.
pub(super) struct Reader<'m> {
    view: View<'m>,
    held: Option<(usize, RwLockReadGuard<'m, Chunk>)>,
    /// A range of the held chunk that is known to be written.
    known: Range<u64>,
}

impl Reader<'_> {
    /// Copies the bytes from `offset` on to `out`; zeros where nothing was written. Returns the
    /// first byte that was not.
    pub(super) fn read(&mut self, offset: u64, out: &mut [u8]) -> Option<u64> {
        let mut unwritten = None;
        let mut done = 0;
        while done < out.len() {
            let (index, at) = self.view.common.locate(offset + done as u64);
            let len = self.view.common.chunk_len(index) - at as usize;
            let part = &mut out[done..];
            let len = len.min(part.len());
            let gap = self.read_chunk(index, at, &mut part[..len]);
            unwritten = unwritten.or(gap.map(|gap| offset + done as u64 + (gap - at)));
            done += len;
        }
        unwritten
    }

    fn read_chunk(&mut self, index: usize, at: u64, out: &mut [u8]) -> Option<u64> {
        if self.held.as_ref().is_none_or(|(held, _)| *held != index) {
            self.held = None;
            self.known = 0..0;
            self.held = Some((index, read(&self.view.source(index).chunks[index])));
        }
        let (_, chunk) = self.held.as_ref()?;
        let range = at..at + out.len() as u64;
        match chunk.data.as_slice().get(at as usize..at as usize + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => out.fill(0),
        }
        if self.known.start <= range.start && range.end <= self.known.end {
            return None;
        }
        let gap = chunk.origin.first_gap(range);
        if gap.is_none() {
            self.known = chunk.origin.at(at).map_or(0..0, |(known, _)| known);
        }
        gap
    }
}

/// Writes runs of a view; keeps hold of a chunk while runs stay in it.
pub(super) struct ChunkWriter<'m> {
    view: View<'m>,
    origin: Origin,
    held: Option<(usize, RwLockWriteGuard<'m, Chunk>)>,
}

impl ChunkWriter<'_> {
    /// Puts `bytes` at `offset` and on.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let (index, at) = self.view.common.locate(offset + done as u64);
            let room = self.view.common.chunk_len(index) - at as usize;
            let part = &bytes[done..];
            let part = &part[..room.min(part.len())];
            self.write_chunk(index, at, part);
            done += part.len();
        }
    }

    fn write_chunk(&mut self, index: usize, at: u64, bytes: &[u8]) {
        if self.held.as_ref().is_none_or(|(held, _)| *held != index) {
            self.held = None;
            self.held = Some((index, self.open(index)));
        }
        let Some((_, chunk)) = &mut self.held else { return };
        let range = at as usize..at as usize + bytes.len();
        chunk.data.as_mut_slice()[range].copy_from_slice(bytes);
        chunk.origin.insert(at..at + bytes.len() as u64, self.origin);
    }
}

impl<'m> ChunkWriter<'m> {
    /// The chunk at `index`, made if this is its first write: as a copy of the shared one where
    /// the PE has its own.
    fn open(&self, index: usize) -> RwLockWriteGuard<'m, Chunk> {
        let image = self.view.own.unwrap_or(self.view.common);
        let mut chunk = write(&image.chunks[index]);
        if chunk.data.len() > 0 {
            return chunk;
        }
        if self.view.own.is_some() && self.view.common.has(index) {
            chunk.clone_from(&read(&self.view.common.chunks[index]));
        } else {
            chunk.data = Bytes::zeroed(image.chunk_len(index));
        }
        chunk
    }
}
