//! Collectives on tensors that a policy has cut over the PEs of each rank.
//!
//! A rank holds such a tensor in shares, one a PE. The same share of every rank makes a **lane**: PEs that do
//! the collective among each other, on what they hold. Lanes know nothing of one another and run at the same
//! time, in one launch. Copies are shares as well, so that each copy of a rank's tensor comes out right.
//!
//! That is what PyTorch defines, element by element over the ranks, where a lane's shares hold the same
//! elements in every rank; for the collectives that put ranks' blocks one after another, where each block is
//! cut like the whole. It is checked, and anything else is refused.

use std::sync::Arc;

use super::algorithm::{Choice, Need, choose};
use super::collective::{arguments, neighbors};
use super::{Ask, Kind};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{
    LaunchRequest, Placement, Run, Runners, Scalar, Share, TensorHandle, TensorSpec, joined,
};
use crate::launch::{Copies, Shard};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::torch::tensor::DeviceTensor;
use crate::script::torch::{device, fault, machine};
use crate::shape::Shape;
use crate::source::Span;
use crate::topology::PeId;

/// What one rank gives or takes: a tensor, or those of a list, one after another.
pub(in crate::script::torch) type Bundle = Vec<DeviceTensor>;

/// A collective on tensors that are cut alike in all ranks.
pub(in crate::script::torch) struct LaneCollective {
    /// What is asked.
    pub(in crate::script::torch) ask: Ask,
    /// What each rank gives, in the order of the group.
    pub(in crate::script::torch) inputs: Vec<Bundle>,
    /// Where each rank takes the result; empty where that is where its input is.
    pub(in crate::script::torch) outputs: Vec<Bundle>,
    /// The text of the call.
    pub(in crate::script::torch) span: Span,
}

/// One side of the lanes: what their ranks give, or take.
struct Side<'c> {
    bundles: &'c [Bundle],
    /// By lane, then by rank, then by tensor of the bundle.
    shares: Vec<Vec<Vec<Share>>>,
    /// Blocks that each share is made of, one for each rank where ranks' parts lie one after another.
    blocks: u64,
}

/// A tensor with a row for each rank, of which each lane sees its own.
struct Window {
    handle: TensorHandle,
    /// Elements of a row.
    row: u64,
    /// Elements from one block of a row to the next.
    stride: u64,
    itemsize: u64,
}

impl LaneCollective {
    /// Runs it, and says which algorithm that was.
    pub(in crate::script::torch) fn run(&self, evaluator: &mut Evaluator<'_>) -> Result<Choice> {
        let (input, output) = self.sides(evaluator)?;
        let lanes = input.pes();
        let dtype = self.dtype(evaluator)?;
        let ranks = device::ranks(evaluator, self.span)?;
        // A tensor without elements has no lane; its ranks are the group's.
        let first = lanes.first().map_or(&self.ask.members, |it| it);
        let members = match lanes.is_empty() {
            true => self.ask.members.clone(),
            false => first.iter().map(|pe| ranks.of_pe(*pe)).collect(),
        };
        let ask = Ask { members, ..self.ask.clone() };
        let need =
            Need { ask: &ask, lanes: &lanes, elements: input.largest(), dtype, span: self.span };
        let choice = choose(evaluator, &need).map_err(Fault::refusal)?;
        if lanes.is_empty() {
            return Ok(choice);
        }
        if ask.members.len() == 1 {
            self.alone(evaluator, (&input, output.as_ref()))?;
            return Ok(choice);
        }
        let launched = self.launch(evaluator, &choice, (&input, output.as_ref(), dtype));
        launched.map_err(|error| {
            error.because(self.span, format!("`{}` asked here", choice.label())).refusal()
        })?;
        Ok(choice)
    }

    fn dtype(&self, evaluator: &mut Evaluator<'_>) -> Result<DType> {
        match self.inputs.iter().flatten().next() {
            Some(input) => input.value().dtype(evaluator, self.span),
            None => Ok(DType::I32),
        }
    }

    /// Both sides, after it has been made sure that lanes do what the collective is to do.
    fn sides(&self, evaluator: &mut Evaluator<'_>) -> Result<(Side<'_>, Option<Side<'_>>)> {
        let ranks = self.ask.members.len() as u64;
        let (given, taken) = match self.ask.kind {
            Kind::AllGather => (1, ranks),
            Kind::ReduceScatter => (ranks, 1),
            Kind::AllToAll => (ranks, ranks),
            Kind::AllReduce | Kind::Broadcast | Kind::Reduce | Kind::Send | Kind::Barrier => (1, 1),
        };
        let input = Side::of(evaluator, (&self.inputs, given), self.span)?;
        if !self.ask.kind.has_output() {
            return Ok((input, None));
        }
        let output = Side::of(evaluator, (&self.outputs, taken), self.span)?;
        let (own, other) =
            (input.block_runs(evaluator, self.span)?, output.block_runs(evaluator, self.span)?);
        let is_alike = own.is_some() && own == other && input.pes() == output.pes();
        if !is_alike {
            return Err(self.not_by_lanes());
        }
        Ok((input, Some(output)))
    }

    /// That a PE would need what PEs of other lanes have.
    fn not_by_lanes(&self) -> Fault {
        let name = self.ask.kind.name();
        let message = format!(
            "`{name}` of tensors that are cut like these needs elements that lie on other PEs than \
             the result"
        );
        Fault::new(hosting::HOST_SHAPE, message, self.span, "input and output are not cut alike")
            .note(
                "each PE exchanges what it holds with the PEs of the same place in the other ranks; \
                 so each rank's block must be cut as the whole is",
            )
            .help(String::from(
                "pass a list with a tensor for each rank, all cut alike, or cut by columns and let \
                 blocks follow one another in rows",
            ))
    }

    /// A rank alone in its group has the result already.
    fn alone(
        &self,
        evaluator: &mut Evaluator<'_>,
        (input, output): (&Side<'_>, Option<&Side<'_>>),
    ) -> Result<()> {
        let Some(output) = output else { return Ok(()) };
        for lane in 0..input.shares.len() {
            let Some(bytes) = input.read(evaluator, (lane, 0), self.span)? else { return Ok(()) };
            output.write(evaluator, (lane, 0), &bytes, self.span)?;
        }
        Ok(())
    }

    fn launch(
        &self,
        evaluator: &mut Evaluator<'_>,
        choice: &Choice,
        (input, output, dtype): (&Side<'_>, Option<&Side<'_>>, DType),
    ) -> Result<()> {
        let script = choice.script(evaluator)?;
        let padded = choice.padded(input.largest());
        let script = script.told([("n_elem".to_owned(), Scalar::Int(padded as i64))]);
        let stride = padded / input.blocks.max(1);
        let mut windows = vec![self.window(evaluator, (input, padded, stride), dtype)?];
        input.fill(evaluator, &windows[0], self.span)?;
        if let Some(output) = output {
            let row = stride.saturating_mul(output.blocks);
            windows.push(self.window(evaluator, (output, row, stride), dtype)?);
            output.fill(evaluator, &windows[1], self.span)?;
        }
        let ids: Vec<_> = windows.iter().map(|it| it.handle.id()).collect();
        let request = LaunchRequest {
            label: choice.label(),
            kernel: "kernel".into(),
            args: arguments(evaluator, &script, &ids, self.span)?,
            grid: None,
            module: Some(choice.module()),
            runners: Runners::Groups(input.pes()),
            neighbors: neighbors(evaluator, choice, &script)?,
            deal: None,
            queues: choice.queues(),
        };
        let launched = machine(evaluator, self.span)?.launch(request);
        launched.map_err(|error| fault(error, self.span))?;
        let (side, window) = match output {
            Some(output) => (output, &windows[1]),
            None => (input, &windows[0]),
        };
        side.take(evaluator, window, self.span)
    }

    /// One address under which each lane has a row of `row` elements on the PE of each rank.
    fn window(
        &self,
        evaluator: &mut Evaluator<'_>,
        (side, row, stride): (&Side<'_>, u64, u64),
        dtype: DType,
    ) -> Result<Window> {
        let lanes = side.pes();
        let (itemsize, ranks) = (dtype.bytes(), self.ask.members.len() as u64);
        evaluator.spend(row.saturating_mul(ranks * lanes.len() as u64) / 64, self.span)?;
        let bytes = row.saturating_mul(itemsize);
        let of_lane = |lane: &Vec<u32>| -> Vec<Shard> {
            let of = |(at, pe): (u64, &u32)| Shard { offset: at * bytes, bytes, pe: PeId(*pe) };
            (0..).zip(lane).map(of).collect()
        };
        let machine = machine(evaluator, self.span)?;
        let mut seen = vec![0; machine.world_size() as usize];
        for (lane, pes) in (0..).zip(&lanes) {
            for pe in pes {
                if let Some(seen) = seen.get_mut(*pe as usize) {
                    *seen = lane;
                }
            }
        }
        let copies = Copies::new(lanes.iter().map(of_lane).collect(), seen)
            .expect("the rows of all lanes are alike, and each lane has PEs");
        let spec = TensorSpec {
            name: self.ask.kind.name().to_owned(),
            shape: Shape::new([ranks, row]),
            dtype,
            placement: Placement::Copied(Arc::new(copies)),
        };
        let made = machine.create(spec, || Ok(None));
        let handle = made.map_err(|error| fault(error, self.span))?;
        Ok(Window { handle, row, stride, itemsize })
    }
}

impl<'c> Side<'c> {
    /// Who holds what. The ranks' tensors are known to be cut alike.
    fn of(
        evaluator: &mut Evaluator<'_>,
        (bundles, blocks): (&'c [Bundle], u64),
        span: Span,
    ) -> Result<Side<'c>> {
        let machine = machine(evaluator, span)?;
        let mut shares: Vec<Vec<Vec<Share>>> = Vec::new();
        let mut used: Vec<(u32, u32)> = Vec::new();
        for (rank, bundle) in (0..).zip(bundles) {
            let mut of_rank: Vec<Vec<Share>> = Vec::new();
            for tensor in bundle {
                let tensor = machine.tensor(tensor.id());
                let Some(held) = tensor.shares() else { return Err(not_own(&tensor.name, span)) };
                of_rank.push(held);
            }
            let lanes = of_rank.first().map_or(0, Vec::len);
            shares.resize_with(lanes.max(shares.len()), Vec::new);
            for (lane, found) in shares.iter_mut().enumerate() {
                let parts: Vec<Share> =
                    of_rank.iter().filter_map(|held| held.get(lane).copied()).collect();
                used.extend(parts.first().map(|it| (it.pe, rank)));
                found.push(parts);
            }
        }
        used.sort_unstable();
        if let Some(pair) = used.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (pe, one, two) = (pair[0].0, pair[0].1, pair[1].1);
            let message =
                format!("ranks {one} and {two} of the collective have their tensors on PE {pe}");
            return Err(Fault::new(hosting::HOST_VALUE, message, span, "not apart")
                .note("`set_device` says where a rank's tensors lie")
                .raising("RuntimeError", None));
        }
        Ok(Side { bundles, shares, blocks })
    }

    /// The PEs of each lane, by rank.
    fn pes(&self) -> Vec<Vec<u32>> {
        let of_rank = |parts: &Vec<Share>| parts.first().map(|it| it.pe);
        self.shares.iter().map(|lane| lane.iter().filter_map(of_rank).collect()).collect()
    }

    /// Elements of a rank's share in each lane.
    fn elements(&self) -> impl Iterator<Item = u64> {
        let of = |lane: &Vec<Vec<Share>>| {
            lane.first().map_or(0, |parts| parts.iter().map(|it| it.elements).sum())
        };
        self.shares.iter().map(of)
    }

    /// The elements of the largest share, which the others are padded to.
    fn largest(&self) -> u64 {
        self.elements().max().unwrap_or(0)
    }

    /// The elements of each lane's first block, if all its blocks are like it, each moved on by one block
    /// of the tensor; `None` if they are not.
    fn block_runs(
        &self,
        evaluator: &mut Evaluator<'_>,
        span: Span,
    ) -> Result<Option<Vec<Vec<Run>>>> {
        let Some(bundle) = self.bundles.first() else { return Ok(None) };
        let whole: u64 = bundle.iter().map(|it| it.shape().elements()).sum();
        let machine = machine(evaluator, span)?;
        let mut found = Vec::with_capacity(self.shares.len());
        for lane in &self.shares {
            let (mut runs, mut before) = (Vec::new(), 0);
            for (tensor, share) in bundle.iter().zip(lane.first().into_iter().flatten()) {
                let own = machine.tensor(tensor.id()).runs(share.pe);
                runs.extend(joined(own, before));
                before += tensor.shape().elements();
            }
            let Some(block) = first_block(joined(runs, 0), (whole, self.blocks)) else {
                return Ok(None);
            };
            found.push(block);
        }
        Ok(Some(found))
    }

    /// The bytes of what a rank holds in a lane; `None` in a run without data.
    fn read(
        &self,
        evaluator: &mut Evaluator<'_>,
        (lane, rank): (usize, usize),
        span: Span,
    ) -> Result<Option<Vec<u8>>> {
        let machine = machine(evaluator, span)?;
        let mut found = Vec::new();
        for (tensor, share) in self.bundles[rank].iter().zip(&self.shares[lane][rank]) {
            let bytes = machine.read_share(tensor.id(), *share).map_err(|it| fault(it, span))?;
            let Some(bytes) = bytes else { return Ok(None) };
            found.extend(bytes);
        }
        Ok(Some(found))
    }

    /// Puts bytes where a rank holds its share of a lane.
    fn write(
        &self,
        evaluator: &mut Evaluator<'_>,
        (lane, rank): (usize, usize),
        bytes: &[u8],
        span: Span,
    ) -> Result<()> {
        let machine = machine(evaluator, span)?;
        let parts = &self.shares[lane][rank];
        let elements: u64 = parts.iter().map(|it| it.elements).sum();
        let itemsize = bytes.len() as u64 / elements.max(1);
        let mut rest = bytes;
        for (tensor, share) in self.bundles[rank].iter().zip(parts) {
            let (own, after) = rest.split_at((share.elements * itemsize) as usize);
            machine.write_share(tensor.id(), *share, own).map_err(|it| fault(it, span))?;
            rest = after;
        }
        Ok(())
    }

    /// Puts what every rank holds into the rows of each lane.
    fn fill(&self, evaluator: &mut Evaluator<'_>, window: &Window, span: Span) -> Result<()> {
        for lane in 0..self.shares.len() {
            for rank in 0..self.bundles.len() {
                let Some(bytes) = self.read(evaluator, (lane, rank), span)? else { return Ok(()) };
                let row = window.padded(&bytes, self.blocks);
                let share = window.row_of(&self.shares[lane], rank);
                let written =
                    machine(evaluator, span)?.write_share(window.handle.id(), share, &row);
                written.map_err(|it| fault(it, span))?;
            }
        }
        Ok(())
    }

    /// Gives every rank what each lane's rows hold.
    fn take(&self, evaluator: &mut Evaluator<'_>, window: &Window, span: Span) -> Result<()> {
        let elements: Vec<u64> = self.elements().collect();
        for (lane, elements) in elements.into_iter().enumerate() {
            for rank in 0..self.bundles.len() {
                let share = window.row_of(&self.shares[lane], rank);
                let row = machine(evaluator, span)?.read_share(window.handle.id(), share);
                let Some(row) = row.map_err(|it| fault(it, span))? else { return Ok(()) };
                let bytes = window.packed(&row, (elements, self.blocks));
                self.write(evaluator, (lane, rank), &bytes, span)?;
            }
        }
        Ok(())
    }
}

impl Window {
    /// The row of a rank, as a lane sees it.
    fn row_of(&self, lane: &[Vec<Share>], rank: usize) -> Share {
        let pe = lane.get(rank).and_then(|parts| parts.first()).map_or(0, |it| it.pe);
        Share { pe, offset: rank as u64 * self.row, elements: self.row }
    }

    /// A row that holds `bytes`, its blocks where they belong.
    fn padded(&self, bytes: &[u8], blocks: u64) -> Vec<u8> {
        let mut row = vec![0; (self.row * self.itemsize) as usize];
        let block = bytes.len() / blocks.max(1) as usize;
        let stride = (self.stride * self.itemsize) as usize;
        if block > 0 {
            for (to, from) in row.chunks_mut(stride).zip(bytes.chunks(block)) {
                to[..block].copy_from_slice(from);
            }
        }
        row
    }

    /// What a row holds of so many elements in so many blocks.
    fn packed(&self, row: &[u8], (elements, blocks): (u64, u64)) -> Vec<u8> {
        let block = (elements / blocks.max(1) * self.itemsize) as usize;
        let stride = (self.stride * self.itemsize).max(1) as usize;
        let used = row.chunks(stride).take(blocks as usize);
        used.flat_map(|it| &it[..block]).copied().collect()
    }
}

/// The first of `blocks` parts of `runs`, in order, if each of the others is the same moved on by the
/// `blocks`-th part of `whole` elements.
fn first_block(runs: Vec<Run>, (whole, blocks): (u64, u64)) -> Option<Vec<Run>> {
    let elements: u64 = runs.iter().map(|(_, count)| count).sum();
    if !elements.is_multiple_of(blocks) || !whole.is_multiple_of(blocks) {
        return None;
    }
    let size = elements / blocks;
    let (mut parts, mut room): (Vec<Vec<Run>>, u64) = (Vec::new(), 0);
    for (mut first, mut count) in runs {
        while count > 0 {
            if room == 0 {
                parts.push(Vec::new());
                room = size;
            }
            let taken = count.min(room);
            parts.last_mut()?.push((first, taken));
            (first, count, room) = (first + taken, count - taken, room - taken);
        }
    }
    let step = whole / blocks;
    let first = parts.first().cloned().unwrap_or_default();
    let moved = |by: u64| first.iter().map(move |(start, count)| (start + by, *count));
    let is_alike = (0..).zip(&parts).all(|(at, part)| moved(at * step).eq(part.iter().copied()));
    is_alike.then_some(first)
}

/// That a tensor is not one rank's own.
pub(in crate::script::torch) fn not_own(name: &str, span: Span) -> Fault {
    let message = format!("tensor `{name}` does not lie on one rank");
    Fault::new(hosting::HOST_VALUE, message, span, "not a rank's own tensor")
        .help(String::from("make the tensor of a collective in the worker"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_alike_or_there_is_none() {
        // A matrix of 4 x 6, cut by columns in two: two blocks of rows are alike.
        let left = vec![(0, 3), (6, 3), (12, 3), (18, 3)];
        assert_eq!(first_block(left.clone(), (24, 2)), Some(vec![(0, 3), (6, 3)]));
        assert_eq!(first_block(left.clone(), (24, 1)), Some(left));
        // Cut by rows in two, the first half holds all of the first block.
        assert_eq!(first_block(vec![(0, 12)], (24, 2)), None);
        // A copy holds both blocks.
        assert_eq!(first_block(vec![(0, 24)], (24, 2)), Some(vec![(0, 12)]));
        assert_eq!(first_block(vec![(0, 24)], (24, 5)), None);
    }
}
