//! Which agents touch which bytes of HBM, and whether two of them conflict: touch the same byte,
//! one of them to write it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::block::Block;
use super::memory::Memory;
use crate::command::{AgentId, Command, CompositeCmd, Piece, Program, Source, Step};
use crate::topology::PeId;

/// One image of one tensor: its place in the address map, and the PE by which a copy is known.
pub(super) type ImageKey = (usize, Option<PeId>);

/// What a command does to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// Reads them.
    Reads,
    /// Changes them as one: two that do may come in either order.
    Changes,
    /// Writes them.
    Writes,
}

impl Use {
    pub(super) const ALL: [Use; 3] = [Use::Reads, Use::Changes, Use::Writes];

    /// Whether the order of the two is of no consequence to the bytes being whole.
    pub(super) fn agrees_with(self, other: Use) -> bool {
        self == other && self != Use::Writes
    }

    /// The same where the order decides the bytes: changes are then writes.
    pub(super) fn in_order(self) -> Use {
        if self == Use::Changes { Use::Writes } else { self }
    }
}

/// A command's access to one image.
#[derive(Clone, Debug)]
pub(super) struct Access<'p> {
    pub(super) image: ImageKey,
    pub(super) how: Use,
    /// The lowest address and the one past the highest.
    pub(super) bounds: Range<u64>,
    pub(super) touches: Touches<'p>,
}

/// What of its bounds a command touches.
#[derive(Clone, Debug)]
pub(super) enum Touches<'p> {
    /// The runs of a block from a base on.
    Block(u64, Block<'p>),
    /// The pieces of a window.
    Pieces(Vec<Piece>),
    /// What the data says, once it has run.
    Lanes,
}

/// Calls `visit` with what `step` of `agent` touches in HBM, where there is a tensor.
pub(super) fn for_each_access<'p>(
    program: &'p Program,
    memory: &Memory,
    (agent, step): (AgentId, &Step),
    visit: &mut dyn FnMut(&Access<'p>),
) {
    if let Command::CompositeCmd(it) = &step.command {
        return of_composite(program, memory, (agent, it), visit);
    }
    if let Some(access) = access(program, memory, agent, step) {
        visit(&access);
    }
}

/// The blocks that a composite streams and the one that it writes.
fn of_composite<'p>(
    program: &'p Program,
    memory: &Memory,
    (agent, it): (AgentId, &CompositeCmd),
    visit: &mut dyn FnMut(&Access<'p>),
) {
    let spec = &program.code(agent).composites[it.spec];
    let [a, b] = spec.source_bytes();
    let streamed = |source: Option<Source>| match source {
        Some(Source::Memory(base)) => Some(base),
        Some(Source::Tile(_)) | None => None,
    };
    let blocks = [
        (streamed(Some(it.a)), a, Use::Reads),
        (streamed(it.b), b, Use::Reads),
        (Some(it.out), spec.out_bytes(), Use::Writes),
    ];
    for (base, bytes, how) in blocks {
        let Some(base) = base else { continue };
        let bounds = base..base.saturating_add(bytes);
        let Ok(region) = memory.map().find(bounds.start, bytes) else { continue };
        let image = image(program, memory, (region, agent));
        visit(&Access { image, how, bounds, touches: Touches::Block(base, Block::whole(bytes)) });
    }
}

/// The image of a tensor that an agent sees.
fn image(program: &Program, memory: &Memory, (region, agent): (usize, AgentId)) -> ImageKey {
    (region, memory.map().regions()[region].placement.copy(program.agents[agent].pe))
}

/// What `step` of `agent`, unless it is a composite, touches in HBM; `None` if nothing, or where
/// no tensor is.
fn access<'p>(
    program: &'p Program,
    memory: &Memory,
    agent: AgentId,
    step: &Step,
) -> Option<Access<'p>> {
    let (base, desc, how) = match step.command {
        Command::DmaRead(it) => (it.base, Some((it.desc, it.window)), Use::Reads),
        Command::DmaWrite(it) => (it.base, Some((it.desc, it.window)), Use::Writes),
        Command::DmaGather(it) => (it.lanes.base, None, Use::Reads),
        Command::DmaScatter(it) => (it.lanes.base, None, Use::Writes),
        Command::DmaAtomic(it) => (it.lanes.base, None, Use::Changes),
        Command::MathCmd(_)
        | Command::GemmCmd(_)
        | Command::CompositeCmd(_)
        | Command::CompositeWait(_)
        | Command::IpcqSend(_)
        | Command::IpcqRecv(_)
        | Command::IpcqStream(_)
        | Command::IpcqRecvAsync(_)
        | Command::Wait(_)
        | Command::IpcqRelease(_)
        | Command::ChannelCmd(_) => return None,
    };
    let (region, bounds, touches) = match desc {
        Some((desc, Some(window))) => {
            let pieces = window.pieces(base, &program.code(agent).descs[desc]);
            let bounds = pieces_bounds(&pieces)?;
            let region = memory.map().find(bounds.start, bounds.end - bounds.start).ok()?;
            (region, bounds, Touches::Pieces(pieces))
        }
        Some((desc, None)) => {
            let block = Block::new(&program.code(agent).descs[desc]);
            let bounds = block.bounds(base)?;
            let region = memory.map().find(bounds.start, bounds.end - bounds.start).ok()?;
            (region, bounds, Touches::Block(base, block))
        }
        None => {
            let region = memory.map().nearest(base)?;
            let place = &memory.map().regions()[region];
            let bounds = place.base..place.base.saturating_add(place.bytes);
            (region, bounds, Touches::Lanes)
        }
    };
    let image = image(program, memory, (region, agent));
    Some(Access { image, how, bounds, touches })
}

/// The lowest address of some pieces and the one past the highest; `None` where there are none.
pub(super) fn pieces_bounds(pieces: &[Piece]) -> Option<Range<u64>> {
    let bounds = pieces.iter().filter_map(|piece| Block::new(&piece.desc).bounds(piece.base));
    bounds.reduce(|all, it| all.start.min(it.start)..all.end.max(it.end))
}

/// A stretch that an agent touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stretch {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) agent: AgentId,
    pub(super) how: Use,
    /// The number of the command.
    pub(super) seq: u32,
}

/// The farthest ends of two different agents' stretches so far.
#[derive(Clone, Copy, Default)]
struct Farthest {
    first: Option<(u64, AgentId)>,
    second: Option<(u64, AgentId)>,
}

impl Farthest {
    fn take_in(&mut self, end: u64, agent: AgentId) {
        match &mut self.first {
            Some((most, owner)) if *owner == agent => *most = (*most).max(end),
            Some((most, owner)) if *most < end => {
                self.second = Some((*most, *owner));
                self.first = Some((end, agent));
            }
            Some(_) if self.second.is_none_or(|(most, _)| most < end) => {
                self.second = Some((end, agent));
            }
            Some(_) => {}
            None => self.first = Some((end, agent)),
        }
    }

    /// Whether a stretch of another agent than `agent` reaches beyond `start`.
    fn reaches(&self, start: u64, agent: AgentId) -> bool {
        [self.first, self.second]
            .iter()
            .flatten()
            .any(|(end, owner)| *owner != agent && *end > start)
    }
}

/// Whether two stretches of different agents overlap and do not agree. Sorts them.
pub(super) fn any_conflict(stretches: &mut [Stretch]) -> bool {
    stretches.sort_unstable();
    let mut farthest = [Farthest::default(); Use::ALL.len()];
    for it in stretches {
        for (how, before) in Use::ALL.into_iter().zip(&farthest) {
            if !how.agrees_with(it.how) && before.reaches(it.start, it.agent) {
                return true;
            }
        }
        farthest[it.how as usize].take_in(it.end, it.agent);
    }
    false
}

/// The outermost bounds of what each agent reads and writes in each image.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    images: BTreeMap<ImageKey, BTreeMap<(AgentId, Use), Range<u64>>>,
}

impl Summary {
    /// Takes in an access of `agent`, as one that does `how`.
    pub(super) fn add(&mut self, agent: AgentId, access: &Access<'_>, how: Use) {
        let agents = self.images.entry(access.image).or_default();
        let bounds = agents.entry((agent, how)).or_insert_with(|| access.bounds.clone());
        bounds.start = bounds.start.min(access.bounds.start);
        bounds.end = bounds.end.max(access.bounds.end);
    }

    /// The images in which two agents may conflict, by these bounds.
    pub(super) fn suspects(&self) -> Vec<ImageKey> {
        let suspect = |(image, agents): (&ImageKey, &BTreeMap<(AgentId, Use), Range<u64>>)| {
            let mut stretches: Vec<Stretch> = agents
                .iter()
                .map(|((agent, how), bounds)| Stretch {
                    start: bounds.start,
                    end: bounds.end,
                    agent: *agent,
                    how: *how,
                    seq: 0,
                })
                .collect();
            any_conflict(&mut stretches).then_some(*image)
        };
        self.images.iter().filter_map(suspect).collect()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.images.clear();
    }
}

/// Adds the stretches of an access; `lanes` are those that its data said. False, and nothing
/// added, if there would be more than `most`.
pub(super) fn add_stretches(
    stretches: &mut Vec<Stretch>,
    (agent, seq): (AgentId, u32),
    (access, lanes): (&Access<'_>, &[Range<u64>]),
    most: usize,
) -> bool {
    let how = access.how;
    match &access.touches {
        Touches::Block(base, block) => {
            if stretches.len() as u64 + block.count() > most as u64 {
                return false;
            }
            let run = block.run as u64;
            block.for_each(*base, |start| {
                stretches.push(Stretch { start, end: start + run, agent, how, seq });
            });
        }
        Touches::Pieces(pieces) => {
            let blocks = || pieces.iter().map(|piece| (piece.base, Block::new(&piece.desc)));
            let count = blocks().fold(0, |sum: u64, (_, it)| sum.saturating_add(it.count()));
            if stretches.len() as u64 + count > most as u64 {
                return false;
            }
            for (base, block) in blocks() {
                let run = block.run as u64;
                block.for_each(base, |start| {
                    stretches.push(Stretch { start, end: start + run, agent, how, seq });
                });
            }
        }
        Touches::Lanes => {
            if stretches.len() + lanes.len() > most {
                return false;
            }
            stretches.extend(lanes.iter().map(|range| Stretch {
                start: range.start,
                end: range.end,
                agent,
                how,
                seq,
            }));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch((start, end): (u64, u64), agent: u32, how: Use) -> Stretch {
        Stretch { start, end, agent: AgentId(agent), how, seq: 0 }
    }

    /// Against the definition, on every pair.
    #[test]
    fn conflicts_are_those_of_the_definition() {
        let mut state = 5_u64;
        for _ in 0..3000 {
            let mut next = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 35) % below
            };
            let count = next(7);
            let mut all: Vec<Stretch> = (0..count)
                .map(|_| {
                    let start = next(20);
                    let how = Use::ALL[next(4).min(2) as usize];
                    stretch((start, start + 1 + next(6)), next(3) as u32, how)
                })
                .collect();
            let conflict = |x: &Stretch, y: &Stretch| {
                let both = (x.how, y.how);
                let agree =
                    both == (Use::Reads, Use::Reads) || both == (Use::Changes, Use::Changes);
                x.agent != y.agent && !agree && x.start < y.end && y.start < x.end
            };
            let expected = all.iter().any(|x| all.iter().any(|y| conflict(x, y)));
            assert_eq!(any_conflict(&mut all), expected, "{all:?}");
        }
    }
}
