//! One address for a tensor of each rank, while their launches are one.
//!
//! Every team of the launch sees its own rank's tensor there, cut as that is, each of its copies. What the
//! tensors hold is put there before and taken from there after. An MMU would map the pages; no time is
//! counted.

use std::sync::Arc;

use crate::host::{
    Argument, Context, LaunchRequest, Placement, Share, Tensor, TensorHandle, TensorId, TensorSpec,
};
use crate::launch::{Copies, Placement as Stretches, Shard};
use crate::script::evaluator::Evaluator;
use crate::script::fault::Result;
use crate::script::torch::{fault, machine};
use crate::source::Span;
use crate::topology::PeId;

/// A rank's launch at the head of its queue.
pub(super) struct Ready {
    pub(super) rank: usize,
    pub(super) span: Span,
    pub(super) request: LaunchRequest,
}

impl Ready {
    /// The tensor that is argument number `place`, if it is one.
    pub(super) fn tensor(&self, place: usize) -> Option<&Tensor> {
        let (_, Argument::Tensor(tensor)) = self.request.args.get(place)? else { return None };
        Some(tensor)
    }
}

/// One address for a tensor of each rank.
pub(super) struct Window {
    handle: TensorHandle,
    /// The tensor of each rank, and a PE that sees each of its copies.
    of: Vec<(TensorId, Vec<u32>)>,
    /// Their elements.
    elements: u64,
}

impl Window {
    /// One that all of `group` see in place of argument number `place`; it holds what theirs hold.
    pub(super) fn open(
        evaluator: &mut Evaluator<'_>,
        (group, place): (&[Ready], usize),
        like: &Tensor,
        span: Span,
    ) -> Result<Window> {
        let machine = machine(evaluator, span)?;
        let refuse = |error| fault(error, span);
        let (copies, of) = copies(machine, (group, place));
        let spec = TensorSpec {
            name: like.name.clone(),
            shape: like.shape.clone(),
            dtype: like.dtype,
            placement: Placement::Copied(Arc::new(copies)),
        };
        let handle = machine.create(spec, || Ok(None)).map_err(refuse)?;
        let window = Window { handle, of, elements: like.shape.elements() };
        for (id, readers) in &window.of {
            // What nothing has written stays so, and a kernel that reads it is told.
            if machine.is_written(*id) {
                window.copy(machine, (*id, window.id()), readers).map_err(refuse)?;
            }
        }
        Ok(window)
    }

    /// The tensor that the kernel is given.
    pub(super) fn id(&self) -> TensorId {
        self.handle.id()
    }

    /// Gives every rank's tensor what the launch has left.
    pub(super) fn close(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<()> {
        let machine = machine(evaluator, span)?;
        for (id, readers) in &self.of {
            let copied = self.copy(machine, (self.id(), *id), readers);
            copied.map_err(|error| fault(error, span))?;
        }
        Ok(())
    }

    /// Makes a tensor hold what another does, in each of the copies that `readers` see.
    fn copy(
        &self,
        machine: &mut Context<'_>,
        (from, to): (TensorId, TensorId),
        readers: &[u32],
    ) -> std::result::Result<(), crate::host::HostError> {
        for pe in readers {
            let share = Share { pe: *pe, offset: 0, elements: self.elements };
            if let Some(bytes) = machine.read_share(from, share)? {
                machine.write_share(to, share, &bytes)?;
            }
        }
        Ok(())
    }
}

/// Every rank's copies of its tensor side by side, each seen by those of its team that see it now; and the
/// tensors, with a PE that sees each copy.
fn copies(
    machine: &Context<'_>,
    (group, place): (&[Ready], usize),
) -> (Copies, Vec<(TensorId, Vec<u32>)>) {
    let extent = machine.extent();
    let mut seen = vec![0; machine.world_size() as usize];
    let (mut all, mut of) = (Vec::<Vec<Shard>>::new(), Vec::new());
    for ready in group {
        let Some(tensor) = ready.tensor(place) else { continue };
        let first = all.len();
        let placed = tensor.region().placement;
        match &placed {
            Stretches::Sharded(shards) => all.push(shards.clone()),
            Stretches::Copied(copies) => all.extend(copies.all().iter().cloned()),
            Stretches::Replicated => all.push(Vec::new()),
        }
        let team = ready.request.runners.teams(&extent).unwrap_or_default();
        let mut readers: Vec<Option<u32>> = vec![None; all.len() - first];
        for PeId(pe) in team.into_iter().flatten() {
            let copy = match &placed {
                Stretches::Copied(copies) => copies.seen_by(PeId(pe)),
                Stretches::Sharded(_) | Stretches::Replicated => 0,
            };
            if let (Some(seen), Some(reader)) = (seen.get_mut(pe as usize), readers.get_mut(copy)) {
                *seen = (first + copy) as u32;
                reader.get_or_insert(pe);
            }
        }
        of.push((tensor.id, readers.into_iter().flatten().collect()));
    }
    let copies =
        Copies::new(all, seen).expect("a team has all PEs that hold its tensors, cut alike");
    (copies, of)
}
