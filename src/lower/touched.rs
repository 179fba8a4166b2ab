//! Which addresses a kernel touches, so that a launch that nobody sized can be given tensors.
//!
//! Only what decides addresses is walked (see `slice`), not the streams: a ring over 100,000
//! ranks costs each of them its two transfers, not its 100,000 rounds.

use super::{bind, check_size, emit, slice};
use crate::arena::Id;
use crate::command::{
    AgentId, Comm, Command, CompositeCmd, DescId, Lanes, Program, Source, Walker, Window,
};
use crate::diag::{Reported, Sink};
use crate::ir::{DmaDesc, DmaDim, Function};
use crate::launch::Launch;
use crate::topology::Extent;

/// Instructions that cost as much of the budget as a transfer.
const INSTS_PER_TRANSFER: u64 = 16;

/// Bytes from `first` up to `end`, counted from the base of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The first byte; negative before the base.
    pub first: i128,
    /// One past the last byte.
    pub end: i128,
}

impl Reach {
    /// The smallest reach that holds both.
    fn join(self, other: Reach) -> Reach {
        Reach { first: self.first.min(other.first), end: self.end.max(other.end) }
    }
}

/// What is touched of one tensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TouchedTensor {
    /// By anyone.
    pub all: Option<Reach>,
    /// By each agent.
    pub by_agent: Vec<Option<Reach>>,
    /// Whether anyone reads it.
    pub is_read: bool,
    /// Whether anyone writes it.
    pub is_written: bool,
}

/// What a launch touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// By tensor, in the order of the bases that were given.
    pub tensors: Vec<TouchedTensor>,
    /// Whether every transfer was counted: false where they are more than the budget, or where a
    /// stream cannot go on, which the communication check explains.
    pub is_complete: bool,
}

/// What `function` touches of the tensors at `bases`, which lie far apart: an address belongs to
/// the nearest. At most `budget` transfers are walked.
///
/// # Errors
/// As [`super::lower`].
pub fn touched(
    function: &Function,
    launch: &Launch,
    extent: &Extent,
    (bases, budget): (&[u64], u64),
    sink: &mut Sink,
) -> Result<Touched, Reported> {
    let programs = check_size(launch, extent, sink)?;
    let slice = slice::Slice::of_addresses(function);
    let (num_programs, comm) = (launch.num_programs(extent), Comm::none());
    let part = emit::Part::Addresses(&slice);
    let source = emit::Source { function, launch, num_programs, comm: &comm, part };
    let code = emit::emit(&source, sink)?;
    let program = bind(code, (launch, programs), extent, comm);
    let by_agent = vec![None; program.agents.len()];
    let tensor = TouchedTensor { by_agent, ..TouchedTensor::default() };
    let tensors = vec![tensor; bases.len()];
    let mut sum = Sum { bases, touched: Touched { tensors, is_complete: true }, budget };
    for agent in program.agents.ids() {
        sum.walk(&program, agent);
    }
    Ok(sum.touched)
}

struct Sum<'a> {
    bases: &'a [u64],
    touched: Touched,
    budget: u64,
}

impl Sum<'_> {
    fn walk(&mut self, program: &Program, agent: AgentId) {
        let mut walker = Walker::new(program, agent);
        loop {
            let before = walker.instructions();
            let step = match walker.next(program) {
                Ok(Some(step)) if self.budget > 0 => step,
                Ok(None) => return,
                Ok(Some(_)) | Err(_) => {
                    self.touched.is_complete = false;
                    return;
                }
            };
            let cost = 1 + (walker.instructions() - before) / INSTS_PER_TRANSFER;
            self.budget = self.budget.saturating_sub(cost);
            if let Command::DmaRead(it) = step.command {
                self.count(program, agent, (it.base, it.desc, it.window), true);
            } else if let Command::DmaWrite(it) = step.command {
                self.count(program, agent, (it.base, it.desc, it.window), false);
            } else if let Command::DmaGather(it) = step.command {
                self.count_lanes(program, agent, &it.lanes, true);
            } else if let Command::DmaScatter(it) = step.command {
                self.count_lanes(program, agent, &it.lanes, false);
            } else if let Command::CompositeCmd(it) = step.command {
                self.count_composite(program, agent, &it);
            } else if let Command::DmaAtomic(it) = step.command {
                self.count_lanes(program, agent, &it.lanes, true);
                self.count_lanes(program, agent, &it.lanes, false);
            }
        }
    }

    /// Counts the blocks that a composite streams and writes.
    fn count_composite(&mut self, program: &Program, agent: AgentId, it: &CompositeCmd) {
        let spec = &program.code(agent).composites[it.spec];
        let [a, b] = spec.source_bytes();
        let whole = |bytes: u64| Some(Reach { first: 0, end: i128::from(bytes) });
        for (source, bytes) in [(Some(it.a), a), (it.b, b)] {
            if let Some(Source::Memory(base)) = source {
                self.add(agent, (base, whole(bytes)), true);
            }
        }
        self.add(agent, (it.out, whole(spec.out_bytes())), false);
    }

    /// Counts lanes: without an index they are a block, else only their base is known.
    fn count_lanes(&mut self, program: &Program, agent: AgentId, lanes: &Lanes, is_read: bool) {
        let spec = &program.code(agent).lanes[lanes.spec];
        let reach = match spec.index {
            None => {
                let axes = spec.shape.0.iter().zip(&spec.strides);
                let dims = axes.map(|(extent, stride)| DmaDim { extent: *extent, stride: *stride });
                reach(&DmaDesc { dims: dims.collect(), elem_bytes: spec.dtype.bytes() })
            }
            Some(_) => Some(Reach { first: 0, end: i128::from(spec.dtype.bytes()) }),
        };
        self.add(agent, (lanes.base, reach), is_read);
    }

    /// Counts a transfer at `base`.
    fn count(
        &mut self,
        program: &Program,
        agent: AgentId,
        (base, desc, window): (u64, DescId, Option<Window>),
        is_read: bool,
    ) {
        let desc = &program.code(agent).descs[desc];
        if let Some(window) = window {
            for piece in window.pieces(base, desc) {
                self.add(agent, (piece.base, reach(&piece.desc)), is_read);
            }
            return;
        }
        self.add(agent, (base, reach(desc)), is_read);
    }

    fn add(&mut self, agent: AgentId, (base, reach): (u64, Option<Reach>), is_read: bool) {
        let Some(reach) = reach else { return };
        let nearest = (0..self.bases.len()).min_by_key(|index| self.bases[*index].abs_diff(base));
        let Some(index) = nearest else { return };
        let offset = i128::from(base) - i128::from(self.bases[index]);
        let reach = Reach { first: reach.first + offset, end: reach.end + offset };
        let tensor = &mut self.touched.tensors[index];
        let join = |it: &mut Option<Reach>| *it = Some(it.map_or(reach, |old| old.join(reach)));
        join(&mut tensor.all);
        join(&mut tensor.by_agent[agent.index()]);
        tensor.is_read |= is_read;
        tensor.is_written |= !is_read;
    }
}

/// The bytes of a block, counted from its first element; `None` where it is empty.
fn reach(desc: &DmaDesc) -> Option<Reach> {
    let mut reach = Reach { first: 0, end: i128::from(desc.elem_bytes) };
    for dim in &desc.dims {
        let last = i128::from(dim.extent.checked_sub(1)?) * i128::from(dim.stride);
        reach.first += last.min(0);
        reach.end += last.max(0);
    }
    Some(reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::DmaDim;

    #[test]
    fn a_block_reaches_from_its_lowest_to_its_highest_element() {
        let dim = |extent, stride| DmaDim { extent, stride };
        let of = |dims| reach(&DmaDesc { dims, elem_bytes: 2 });
        assert_eq!(of(vec![]), Some(Reach { first: 0, end: 2 }));
        assert_eq!(of(vec![dim(3, 100), dim(4, 2)]), Some(Reach { first: 0, end: 208 }));
        assert_eq!(of(vec![dim(3, -100), dim(4, 2)]), Some(Reach { first: -200, end: 8 }));
        assert_eq!(of(vec![dim(3, 100), dim(0, 2)]), None);
    }
}
