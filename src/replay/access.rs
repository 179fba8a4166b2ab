//! Which agents touch which bytes of HBM, and whether two of them conflict: touch the same byte,
//! one of them to write it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::block::Block;
use super::memory::Memory;
use crate::command::{AgentId, Command, Piece, Program, Step};
use crate::launch::Placement;
use crate::topology::PeId;

/// One image of one tensor: its place in the address map, and the PE where each has a copy.
pub(super) type ImageKey = (usize, Option<PeId>);

/// A command's access to one image.
#[derive(Clone, Debug)]
pub(super) struct Access<'p> {
    pub(super) image: ImageKey,
    pub(super) writes: bool,
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

/// What `step` of `agent` touches in HBM; `None` if nothing, or where no tensor is.
pub(super) fn access<'p>(
    program: &'p Program,
    memory: &Memory,
    agent: AgentId,
    step: &Step,
) -> Option<Access<'p>> {
    let (base, desc, writes) = match step.command {
        Command::DmaRead(it) => (it.base, Some((it.desc, it.window)), false),
        Command::DmaWrite(it) => (it.base, Some((it.desc, it.window)), true),
        Command::DmaGather(it) => (it.lanes.base, None, false),
        Command::DmaScatter(it) => (it.lanes.base, None, true),
        Command::MathCmd(_)
        | Command::GemmCmd(_)
        | Command::IpcqSend(_)
        | Command::IpcqRecv(_)
        | Command::IpcqRecvAsync(_)
        | Command::Wait(_)
        | Command::IpcqRelease(_) => return None,
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
    let replicated = memory.map().regions()[region].placement == Placement::Replicated;
    let image = (region, replicated.then(|| program.agents[agent].pe));
    Some(Access { image, writes, bounds, touches })
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
    pub(super) writes: bool,
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

/// Whether two stretches of different agents overlap, one of them written. Sorts them.
pub(super) fn any_conflict(stretches: &mut [Stretch]) -> bool {
    stretches.sort_unstable();
    let (mut all, mut written) = (Farthest::default(), Farthest::default());
    for it in stretches {
        let before = if it.writes { &all } else { &written };
        if before.reaches(it.start, it.agent) {
            return true;
        }
        all.take_in(it.end, it.agent);
        if it.writes {
            written.take_in(it.end, it.agent);
        }
    }
    false
}

/// The outermost bounds of what each agent reads and writes in each image.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    images: BTreeMap<ImageKey, BTreeMap<(AgentId, bool), Range<u64>>>,
}

impl Summary {
    /// Takes in an access of `agent`.
    pub(super) fn add(&mut self, agent: AgentId, access: &Access<'_>) {
        let agents = self.images.entry(access.image).or_default();
        let bounds = agents.entry((agent, access.writes)).or_insert_with(|| access.bounds.clone());
        bounds.start = bounds.start.min(access.bounds.start);
        bounds.end = bounds.end.max(access.bounds.end);
    }

    /// The images in which two agents may conflict, by these bounds.
    pub(super) fn suspects(&self) -> Vec<ImageKey> {
        let suspect = |(image, agents): (&ImageKey, &BTreeMap<(AgentId, bool), Range<u64>>)| {
            let mut stretches: Vec<Stretch> = agents
                .iter()
                .map(|((agent, writes), bounds)| Stretch {
                    start: bounds.start,
                    end: bounds.end,
                    agent: *agent,
                    writes: *writes,
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
    let writes = access.writes;
    match &access.touches {
        Touches::Block(base, block) => {
            if stretches.len() as u64 + block.count() > most as u64 {
                return false;
            }
            let run = block.run as u64;
            block.for_each(*base, |start| {
                stretches.push(Stretch { start, end: start + run, agent, writes, seq });
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
                    stretches.push(Stretch { start, end: start + run, agent, writes, seq });
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
                writes,
                seq,
            }));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch((start, end): (u64, u64), agent: u32, writes: bool) -> Stretch {
        Stretch { start, end, agent: AgentId(agent), writes, seq: 0 }
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
                    stretch((start, start + 1 + next(6)), next(3) as u32, next(3) == 0)
                })
                .collect();
            let conflict = |x: &Stretch, y: &Stretch| {
                x.agent != y.agent && (x.writes || y.writes) && x.start < y.end && y.start < x.end
            };
            let expected = all.iter().any(|x| all.iter().any(|y| conflict(x, y)));
            assert_eq!(any_conflict(&mut all), expected, "{all:?}");
        }
    }
}
