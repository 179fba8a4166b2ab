//! What ranks have: channels, scratch buffers, semaphores, and what they compute together.

use super::{Checked, Problems, Recipe, problem};
use crate::diag::{Diagnostic, plans as codes};
use crate::import::schema::{BufferType, Protocol};
use crate::ir::channel::{FIRST_SCRATCH, INPUT, OUTPUT, TO_THE_END};
use crate::ir::{Asked, Verb};
use crate::source::Span;

/// Chunks that a buffer may have.
const MAX_CHUNKS: i64 = 1 << 20;

/// What all ranks compute, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spec {
    pub(super) collective: String,
    pub(super) protocol: Protocol,
    pub(super) inplace: bool,
    pub(super) reuses: bool,
    pub(super) doubles: bool,
    /// Whether neighbouring ops are fused.
    pub(super) fuses: bool,
    /// Whether ops that touch the same chunks are kept apart.
    pub(super) syncs: bool,
    pub(super) threads: u32,
    pub(super) alignment: u64,
    pub(super) sizes: [Option<u64>; 2],
    /// Chunks of input and output.
    pub(super) chunks: [u32; 2],
}

/// A switch channel of a rank.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    pub(super) ranks: Vec<u32>,
    pub(super) buffer: BufferType,
}

/// What one rank has.
#[derive(Clone, Debug, Default)]
pub(super) struct Rank {
    /// The peers of its memory channels and of its port channels, and where these are made.
    pub(super) peers: [Vec<(u32, Span)>; 2],
    pub(super) switches: Vec<Switch>,
    /// The first chunk and the chunks of each scratch buffer.
    pub(super) buffers: Vec<(u32, u32)>,
    pub(super) semaphores: Vec<u32>,
}

/// What the ranks have.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) spec: Spec,
    pub(super) ranks: Vec<Rank>,
}

/// Chunks of a buffer of a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) rank: u32,
    pub(super) buffer: BufferType,
    pub(super) index: u32,
    pub(super) size: u32,
    /// Where it is named.
    pub(super) span: Span,
}

impl Rank {
    /// Chunks of its scratch.
    pub(super) fn scratch(&self) -> u32 {
        self.buffers.last().map_or(0, |(first, size)| first.saturating_add(*size))
    }
}

/// What the ranks have and compute; `None` if that was not said, which is a problem.
pub(super) fn declare(
    recipe: &Recipe<'_>,
    asked: &[Vec<Asked>],
    problems: &mut Problems,
) -> Option<Declared> {
    let mut all = Vec::new();
    let mut specs: Vec<(u32, Spec, Span)> = Vec::new();
    for (rank, asked) in (0u32..).zip(asked) {
        let mut own = Rank::default();
        for it in asked {
            let span = recipe.function.spans[it.op];
            let place = Place { world: recipe.world, rank, span };
            let before = specs.last().filter(|(other, _, _)| *other == rank).map(|it| it.2);
            let done = match before.filter(|_| it.verb == Verb::Collective) {
                Some(first) => Err(said_twice(span, first)),
                None if it.verb == Verb::Collective => {
                    place.spec(it).map(|spec| specs.push((rank, spec, span)))
                }
                None => place.declare(&mut own, it),
            };
            if let Err(it) = done {
                problems.add(*it);
            }
        }
        all.push(own);
    }
    let spec = agreed(recipe, specs).map_err(|it| problems.add(*it)).ok()?;
    Some(Declared { spec, ranks: all })
}

fn said_twice(span: Span, first: Span) -> Box<Diagnostic> {
    let message = "the collective is said twice";
    let it = problem(codes::COLLECTIVE_SAID, message, (span, "said again"));
    Box::new(it.because(first, "said here before"))
}

/// What all ranks say.
fn agreed(recipe: &Recipe<'_>, specs: Vec<(u32, Spec, Span)>) -> Checked<Spec> {
    let help = "`tl.collective(\"allreduce\")` says what the ranks compute together";
    let Some((first, spec, span)) = specs.first().cloned() else {
        let message = "the kernel uses channels and does not say what it computes";
        let place = (recipe.function.span, "says no `tl.collective`");
        return Err(Box::new(problem(codes::COLLECTIVE_SAID, message, place).help(help)));
    };
    if let Some((rank, _, other)) = specs.iter().find(|(_, it, _)| *it != spec) {
        let message = format!("rank {rank} says another collective than rank {first}");
        let it = problem(codes::COLLECTIVE_SAID, message, (*other, "said by the one"));
        return Err(Box::new(it.because(span, "said by the other")));
    }
    if specs.len() < recipe.world as usize {
        let silent = (0..recipe.world).find(|rank| specs.iter().all(|(it, _, _)| it != rank));
        let message =
            format!("rank {} does not say what it computes, as others do", silent.unwrap_or(0));
        return Err(problem(codes::COLLECTIVE_SAID, message, (span, "said by others")));
    }
    Ok(spec)
}

/// Where something is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) world: u32,
    /// The rank that asks.
    pub(super) rank: u32,
    pub(super) span: Span,
}

/// "1 chunk", "2 chunks".
pub(super) fn counted(count: u32, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn number(it: &Asked, group: usize, place: usize) -> i64 {
    it.numbers.get(group).and_then(|group| group.get(place)).copied().unwrap_or(0)
}

impl Place {
    /// A rank of the world.
    pub(super) fn rank(&self, number: i64, what: &str) -> Checked<u32> {
        let rank = u32::try_from(number).ok().filter(|rank| *rank < self.world);
        rank.ok_or_else(|| {
            let (own, world) = (self.rank, self.world);
            let message = format!(
                "rank {own} names rank {number} as {what}, and the ranks are 0 to {}",
                world.saturating_sub(1)
            );
            problem(codes::NO_SUCH_RANK, message, (self.span, "no such rank"))
        })
    }

    fn declare(&self, own: &mut Rank, it: &Asked) -> Checked<()> {
        if matches!(it.verb, Verb::MemoryChannel | Verb::PortChannel) {
            let peer = self.rank(number(it, 0, 0), "the peer of a channel")?;
            if peer == self.rank {
                let message = format!("rank {peer} makes a channel to itself");
                let place = (self.span, "a channel joins two ranks");
                return Err(problem(codes::NO_SUCH_RANK, message, place));
            }
            let kind = usize::from(it.verb == Verb::PortChannel);
            own.peers[kind].push((peer, self.span));
        } else if it.verb == Verb::SwitchChannel {
            own.switches.push(self.switch(it)?);
        } else if it.verb == Verb::Buffer {
            own.buffers.push((own.scratch(), self.buffer(number(it, 0, 0), own.scratch())?));
        } else if it.verb == Verb::Semaphore {
            own.semaphores.push(self.semaphore(number(it, 0, 0))?);
        }
        Ok(())
    }

    /// The chunks of a new scratch buffer, beside so many that there are.
    fn buffer(&self, size: i64, others: u32) -> Checked<u32> {
        let most = MAX_CHUNKS - i64::from(others);
        if (1..=most).contains(&size) {
            return Ok(size as u32);
        }
        let message = format!("a scratch buffer of {size} chunks, expected 1 to {most}");
        Err(problem(codes::CHUNK_BOUNDS, message, (self.span, "made here")))
    }

    fn semaphore(&self, value: i64) -> Checked<u32> {
        u32::try_from(value).map_err(|_| {
            let message = format!("a semaphore begins at {value}, expected 0 or more");
            problem(codes::BLOCK_LIST, message, (self.span, "made here"))
        })
    }

    fn switch(&self, it: &Asked) -> Checked<Switch> {
        let mut ranks = Vec::new();
        for number in it.numbers.first().into_iter().flatten() {
            ranks.push(self.rank(*number, "one of a switch channel")?);
        }
        let twice = ranks.iter().enumerate().any(|(at, rank)| ranks[..at].contains(rank));
        if twice || !ranks.contains(&self.rank) {
            let (own, what) =
                (self.rank, if twice { "names a rank twice" } else { "does not have it" });
            let message = format!("the switch channel that rank {own} makes {what}");
            let place = (self.span, "these ranks");
            return Err(problem(codes::SWITCH_GROUP, message, place));
        }
        let buffer = match number(it, 1, 0) {
            INPUT => BufferType::Input,
            OUTPUT => BufferType::Output,
            _ => BufferType::Scratch,
        };
        Ok(Switch { ranks, buffer })
    }

    /// What `tl.collective` says.
    fn spec(&self, it: &Asked) -> Checked<Spec> {
        let word = |place: usize| it.words.get(place).map_or("", String::as_str);
        let given = |place: usize| u64::try_from(number(it, 0, place)).ok();
        let bad = |name: &str, place: usize| {
            let message = format!("`{name}` is {}", number(it, 0, place));
            problem(codes::COLLECTIVE_SAID, message, (self.span, "said here"))
        };
        let factor = u32::try_from(number(it, 0, 0)).ok().filter(|it| (1..=1 << 16).contains(it));
        let factor = factor.ok_or_else(|| bad("chunk_factor", 0))?;
        let chunks = self.chunks(word(0), factor);
        let count = |place: usize, name: &str, otherwise: u32| match given(place) {
            None => Ok(otherwise),
            Some(count) if count <= MAX_CHUNKS as u64 => Ok(count as u32),
            Some(_) => Err(bad(name, place)),
        };
        let threads = u32::try_from(number(it, 0, 3)).ok().filter(|it| (1..=1024).contains(it));
        Ok(Spec {
            collective: word(0).to_owned(),
            protocol: if word(1) == "LL" { Protocol::LL } else { Protocol::Simple },
            inplace: it.says("inplace"),
            reuses: it.says("reuse_resources"),
            doubles: it.says("use_double_scratch_buffer"),
            fuses: !it.says("no_instr_fusion"),
            syncs: !it.says("no_auto_sync"),
            threads: threads.ok_or_else(|| bad("num_threads_per_block", 3))?,
            alignment: given(4).filter(|it| *it > 0).ok_or_else(|| bad("buffer_alignment", 4))?,
            sizes: [given(5), given(6)],
            chunks: [count(1, "input_chunks", chunks[0])?, count(2, "output_chunks", chunks[1])?],
        })
    }

    /// Chunks of input and output of a collective.
    fn chunks(&self, collective: &str, factor: u32) -> [u32; 2] {
        let all = factor.saturating_mul(self.world);
        match collective {
            "allreduce" | "alltoall" => [all, all],
            "allgather" => [factor, all],
            "reducescatter" => [all, factor],
            _ => [factor, factor],
        }
    }
}

impl Declared {
    /// The chunks that four numbers name.
    pub(super) fn chunk(&self, numbers: &[i64], place: Place) -> Checked<Chunk> {
        let [buffer, rank, first, end] = *numbers else {
            let message = "a chunk is four numbers";
            return Err(problem(codes::CHUNK_BOUNDS, message, (place.span, "asked for here")));
        };
        let rank = place.rank(rank, "the owner of a buffer")?;
        let (kind, base, chunks) = self.buffer(rank, buffer, place)?;
        let end = if end == TO_THE_END { i64::from(chunks) } else { end };
        if first < 0 || end <= first || end > i64::from(chunks) {
            let name = match kind {
                BufferType::Input => "the input",
                BufferType::Output => "the output",
                BufferType::Scratch => "a scratch buffer",
            };
            let has = counted(chunks, "chunk");
            let message =
                format!("chunks {first}..{end} of {name} of rank {rank}, which has {has}");
            let place = (place.span, "outside of the buffer");
            let it = problem(codes::CHUNK_BOUNDS, message, place);
            return Err(if end <= first {
                Box::new(it.note("a slice has at least one"))
            } else {
                it
            });
        }
        let size = (end - first) as u32;
        Ok(Chunk { rank, buffer: kind, index: base + first as u32, size, span: place.span })
    }

    /// The buffer of a number: its type, its first chunk, its chunks.
    fn buffer(&self, rank: u32, number: i64, place: Place) -> Checked<(BufferType, u32, u32)> {
        match number {
            INPUT => return Ok((BufferType::Input, 0, self.spec.chunks[0])),
            OUTPUT => return Ok((BufferType::Output, 0, self.spec.chunks[1])),
            _ => {}
        }
        let buffers = &self.ranks[rank as usize].buffers;
        let which = number.saturating_sub(FIRST_SCRATCH);
        let found = usize::try_from(which).ok().and_then(|at| buffers.get(at));
        found.map(|(first, chunks)| (BufferType::Scratch, *first, *chunks)).ok_or_else(|| {
            let has = counted(buffers.len() as u32, "scratch buffer");
            let message = format!("rank {rank} makes {has}, so it has none that is number {which}");
            problem(codes::CHUNK_BOUNDS, message, (place.span, "no such buffer"))
        })
    }
}
