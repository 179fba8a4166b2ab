//! Gathers, scatters and atomic commands: each lane an address of its own.
//!
//! The lanes of a command belong to the tensor that its base lies in; one that lies elsewhere is a
//! fault. What was touched is remembered, since only the data says it, and the check for races
//! asks for it.

use std::ops::Range;

use super::bytes::Bytes;
use super::execute::Executor;
use super::fault::FaultKind;
use super::image::{Origin, Writer};
use super::numeric::{self, Input, NumericError, Operands};
use crate::command::{DmaAtomic, DmaGather, DmaScatter, LaneSpec, Lanes, MathArg};
use crate::launch::Fault;

/// Lanes that lie one after another, in memory as in the tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where they begin in the tile, in bytes.
    pub(super) at: usize,
    /// Their addresses.
    pub(super) addresses: Range<u64>,
}

/// The runs of lanes of `size` bytes at `addresses`.
pub(super) fn runs(addresses: &[Option<u64>], size: u64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (lane, address) in addresses.iter().enumerate() {
        let Some(address) = *address else { continue };
        let (at, end) = (lane * size as usize, address.saturating_add(size));
        match runs.last_mut() {
            Some(last)
                if last.addresses.end == address
                    && last.at as u64 + (address - last.addresses.start) == at as u64 =>
            {
                last.addresses.end = end;
            }
            Some(_) | None => runs.push(Run { at, addresses: address..end }),
        }
    }
    runs
}

/// Ranges in order, those that touch joined.
fn joined(runs: &[Run]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = runs.iter().map(|run| run.addresses.clone()).collect();
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            Some(_) | None => joined.push(range),
        }
    }
    joined
}

impl Executor<'_> {
    pub(super) fn gather(&mut self, it: &DmaGather) {
        let program = self.program;
        let spec = &program.code(self.agent).lanes[it.lanes.spec];
        let Some(out) = self.writable(it.dst) else { return };
        if spec.bytes() != it.dst.bytes {
            return self.broken("a gather reads other than the bytes of its tile");
        }
        let (Some(runs), Some(filled)) =
            (self.lane_runs(&it.lanes, false), self.lane_values(spec, it.other))
        else {
            return;
        };
        self.local.mark(out.clone());
        let view = runs.0.map(|(region, base)| (self.memory.view(region, self.pe()), region, base));
        let target = self.local.bytes_mut(out);
        target.copy_from_slice(filled.as_slice());
        let Some((view, region, base)) = view else { return };
        let mut reader = view.reader();
        let mut unwritten = None;
        for run in &runs.1 {
            let bytes = (run.addresses.end - run.addresses.start) as usize;
            let gap = reader.read(run.addresses.start - base, &mut target[run.at..run.at + bytes]);
            unwritten = unwritten.or(gap);
        }
        if let Some(offset) = unwritten {
            let elem_bytes = spec.dtype.bytes();
            self.fault(FaultKind::UnwrittenTensor { region, offset, elem_bytes });
        }
    }

    pub(super) fn scatter(&mut self, it: &DmaScatter) {
        let program = self.program;
        let spec = &program.code(self.agent).lanes[it.lanes.spec];
        let (Some(runs), Some(values)) =
            (self.lane_runs(&it.lanes, true), self.lane_values(spec, Some(MathArg::Tile(it.src))))
        else {
            return;
        };
        let Some((region, base)) = runs.0 else { return };
        let writer = Writer { agent: self.agent, site: self.step.site, seq: self.step.seq };
        let mut writer = self.memory.view(region, self.pe()).writer(Origin::Command(writer));
        for run in &runs.1 {
            let bytes = (run.addresses.end - run.addresses.start) as usize;
            let values = &values.as_slice()[run.at..run.at + bytes];
            writer.write(run.addresses.start - base, values);
        }
    }

    /// Changes elements in the order of their lanes. Those of a run are told apart by their
    /// addresses, so a run is read, changed and written as a whole.
    pub(super) fn atomic(&mut self, it: &DmaAtomic) {
        let program = self.program;
        let spec = &program.code(self.agent).lanes[it.lanes.spec];
        let expected =
            match it.expected.map(|tile| self.lane_values(spec, Some(MathArg::Tile(tile)))) {
                Some(None) => return,
                Some(Some(expected)) => Some(expected),
                None => None,
            };
        let (Some(runs), Some(values)) =
            (self.lane_runs(&it.lanes, true), self.lane_values(spec, Some(MathArg::Tile(it.src))))
        else {
            return;
        };
        let mut found = Bytes::zeroed(spec.bytes() as usize);
        if let Some(region) = runs.0 {
            let expected = expected.as_ref().map(Bytes::as_slice);
            let operands =
                Operands { op: it.op, dtype: spec.dtype, values: values.as_slice(), expected };
            self.change(region, &runs.1, &operands, found.as_mut_slice());
        }
        let Some(out) = it.dst.and_then(|dst| self.writable(dst)) else { return };
        if out.len() != found.len() {
            return self.broken("an atomic command gives other than the bytes of its tile");
        }
        self.local.mark(out.clone());
        self.local.bytes_mut(out).copy_from_slice(found.as_slice());
    }

    /// Changes runs of a tensor, and puts what was there into `found`.
    fn change(
        &mut self,
        (region, base): (usize, u64),
        runs: &[Run],
        operands: &Operands<'_>,
        found: &mut [u8],
    ) {
        let writer = Writer { agent: self.agent, site: self.step.site, seq: self.step.seq };
        let view = self.memory.view(region, self.pe());
        let mut unwritten = None;
        for run in runs {
            let lanes = run.at..run.at + (run.addresses.end - run.addresses.start) as usize;
            let found = &mut found[lanes.clone()];
            let offset = run.addresses.start - base;
            let gap = view.reader().read(offset, found);
            unwritten = unwritten.or(gap);
            let mut changed = found.to_vec();
            operands.of(lanes).change(&mut changed);
            view.writer(Origin::Command(writer)).write(offset, &changed);
        }
        if let Some(offset) = unwritten {
            let elem_bytes = operands.dtype.bytes();
            self.fault(FaultKind::UnwrittenTensor { region, offset, elem_bytes });
        }
    }

    /// The runs of the lanes that take part, and the tensor they lie in with its base. Lanes that
    /// lie elsewhere are left out.
    #[expect(clippy::type_complexity, reason = "a tensor and its runs are used at once")]
    fn lane_runs(
        &mut self,
        lanes: &Lanes,
        writes: bool,
    ) -> Option<(Option<(usize, u64)>, Vec<Run>)> {
        let addresses = self.lane_addresses(lanes)?;
        let Some(region) = self.memory.map().nearest(lanes.base) else {
            return Some((None, Vec::new()));
        };
        let size = self.program.code(self.agent).lanes[lanes.spec].dtype.bytes();
        let mut runs = runs(&addresses, size);
        self.drop_outside(region, &mut runs, writes);
        self.local.touched.insert(self.step.seq, joined(&runs));
        Some((Some((region, self.memory.map().regions()[region].base)), runs))
    }

    /// The address of each lane; `None` where it is masked off.
    fn lane_addresses(&mut self, lanes: &Lanes) -> Option<Vec<Option<u64>>> {
        let program = self.program;
        let spec = &program.code(self.agent).lanes[lanes.spec];
        let index = lanes.index.map(MathArg::Tile);
        let ranges = [index, lanes.mask].map(|arg| match arg {
            Some(MathArg::Tile(tile)) => self.readable(tile),
            Some(MathArg::Scalar(_)) | None => None,
        });
        let input = |arg: Option<MathArg>, range: &Option<Range<usize>>| match arg {
            Some(MathArg::Scalar(value)) => Some(Input::Scalar(value)),
            Some(MathArg::Tile(_)) => {
                range.clone().map(|range| Input::Tile(&self.local.bytes()[range]))
            }
            None => None,
        };
        let inputs = [input(index, &ranges[0]), input(lanes.mask, &ranges[1])];
        let found = numeric::addresses(spec, lanes.base, inputs);
        self.understood(found)
    }

    /// Takes off the runs that are not in `region`, and says so.
    fn drop_outside(&mut self, region: usize, runs: &mut Vec<Run>, writes: bool) {
        let place = &self.memory.map().regions()[region];
        let tensor = place.base..place.base.saturating_add(place.bytes);
        let inside =
            |run: &Run| tensor.start <= run.addresses.start && run.addresses.end <= tensor.end;
        if let Some(outside) = runs.iter().find(|run| !inside(run)) {
            let bounds = outside.addresses.clone();
            let first = if bounds.start < tensor.start {
                bounds.start
            } else {
                bounds.start.max(tensor.end)
            };
            let fault = Fault { address: first, nearest: Some(place.clone()) };
            self.fault(FaultKind::OutOfBounds { fault, bounds, writes });
        }
        runs.retain(inside);
    }

    /// What each lane writes, or holds where it is masked off.
    fn lane_values(&mut self, spec: &LaneSpec, value: Option<MathArg>) -> Option<Bytes> {
        let range = match value {
            Some(MathArg::Tile(tile)) => self.readable(tile),
            Some(MathArg::Scalar(_)) | None => None,
        };
        let input = match (value, range) {
            (Some(MathArg::Scalar(value)), _) => Some(Input::Scalar(value)),
            (Some(MathArg::Tile(_)), Some(range)) => Some(Input::Tile(&self.local.bytes()[range])),
            (Some(MathArg::Tile(_)) | None, _) => None,
        };
        let found = numeric::values(spec, input);
        self.understood(found)
    }

    fn understood<T>(&mut self, found: Result<T, NumericError>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(NumericError::Malformed(what)) => {
                self.broken(what);
                None
            }
            Err(NumericError::DivisionByZero { .. } | NumericError::NoSuchElement { .. }) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_that_lie_one_after_another_are_one_run() {
        let addresses = [Some(100), Some(104), None, Some(108), Some(112), Some(50)];
        let found = runs(&addresses, 4);
        let run = |at, addresses| Run { at, addresses };
        // Lane 3 follows lane 1 in memory but not in the tile.
        assert_eq!(found, [run(0, 100..108), run(12, 108..116), run(20, 50..54)]);
        assert_eq!(joined(&found), [50..54, 100..116]);
    }
}
