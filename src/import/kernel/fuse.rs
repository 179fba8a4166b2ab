//! Fuses neighbouring ops of a thread block that the device does as one, as MSCCL++ does.
//!
//! Greedy, from the first op on. It never looks over an op between, so what the kernel writes side
//! by side is what may become one. Two rules are ours: a reduction absorbs the next only if both
//! add to their own target (MSCCL++ also joins `d = a + b; d = a + c` into `d = a + b + c`), and a
//! stored multicast sum keeps the place that it is stored at.

use super::{Draft, Spot};
use crate::import::schema::{ChannelType, OpName};

/// Fuses the ops of a block, and those in its pipelines.
pub(super) fn fuse(block: &mut Vec<Draft>) {
    let mut fused: Vec<Draft> = Vec::with_capacity(block.len());
    for mut op in block.drain(..) {
        if let Some((_, body)) = &mut op.pipeline {
            fuse(body);
        }
        let is_part = fused.last_mut().is_some_and(|last| absorbs(last, &op));
        if !is_part {
            fused.push(op);
        }
    }
    *block = fused;
}

/// Makes `next` a part of `last`, if it can be.
fn absorbs(last: &mut Draft, next: &Draft) -> bool {
    let alike = last.name == next.name && last.kind == next.kind && last.slice == next.slice;
    if alike {
        return match next.name {
            OpName::Signal | OpName::RelaxedSignal | OpName::Wait | OpName::RelaxedWait => {
                let disjoint = next.channels.iter().all(|it| !last.channels.contains(it));
                disjoint && together(last, next)
            }
            OpName::Flush | OpName::SemAcquire | OpName::SemRelease => together(last, next),
            OpName::Put
            | OpName::PutPackets
            | OpName::PutWithSignal
            | OpName::PutWithSignalAndFlush
            | OpName::Get => {
                let size = |it: &Draft| it.sources.first().map(|spot| spot.size);
                size(last) == size(next) && together(last, next)
            }
            OpName::ReadPutPackets => last.sources == next.sources && more_targets(last, next),
            OpName::Reduce | OpName::ReadReduce | OpName::ReducePackets => more_sources(last, next),
            OpName::Nop
            | OpName::Barrier
            | OpName::Copy
            | OpName::ReduceSend
            | OpName::ReadReduceSend
            | OpName::GroupLoadReduceStore
            | OpName::GroupStore
            | OpName::GroupLoadReduce
            | OpName::CopyPackets
            | OpName::UnpackPackets
            | OpName::ReduceSendPackets
            | OpName::ReduceCopyPackets
            | OpName::ReduceCopySendPackets
            | OpName::GroupStorePackets
            | OpName::Pipeline => false,
        };
    }
    last.slice == next.slice && (forwards(last, next) || copies(last, next) || stores(last, next))
}

/// Both at once: operands and channels side by side.
fn together(last: &mut Draft, next: &Draft) -> bool {
    last.channels.extend(&next.channels);
    last.semaphores.extend(&next.semaphores);
    last.sources.extend(&next.sources);
    last.targets.extend(&next.targets);
    last.before |= next.before;
    last.after |= next.after;
    true
}

fn more_targets(last: &mut Draft, next: &Draft) -> bool {
    last.channels.extend(&next.channels);
    last.targets.extend(&next.targets);
    true
}

/// `d += a; d += b`.
fn more_sources(last: &mut Draft, next: &Draft) -> bool {
    let adds = |it: &Draft| it.sources.first() == it.targets.first();
    let alike = last.targets == next.targets && last.reduce == next.reduce;
    if !alike || !adds(last) || !adds(next) {
        return false;
    }
    last.sources.extend(next.sources.iter().skip(1));
    true
}

/// A reduction whose result is sent on.
fn forwards(last: &mut Draft, next: &Draft) -> bool {
    let is_memory = next.kind == Some(ChannelType::Memory);
    let from_plain = is_target(last, 0, next);
    let name = match (last.name, next.name) {
        (OpName::Reduce | OpName::ReduceSend, OpName::Put) if from_plain => OpName::ReduceSend,
        (OpName::ReadReduce | OpName::ReadReduceSend, OpName::Put) if from_plain => {
            OpName::ReadReduceSend
        }
        (OpName::ReducePackets | OpName::ReduceSendPackets, OpName::PutPackets) if from_plain => {
            OpName::ReduceSendPackets
        }
        (OpName::ReduceCopyPackets | OpName::ReduceCopySendPackets, OpName::PutPackets)
            if from_plain =>
        {
            OpName::ReduceCopySendPackets
        }
        (OpName::ReduceCopyPackets | OpName::ReduceCopySendPackets, OpName::ReadPutPackets)
            if is_target(last, 1, next) =>
        {
            OpName::ReduceCopySendPackets
        }
        _ => return false,
    };
    if !is_memory {
        return false;
    }
    last.name = name;
    last.kind = next.kind;
    last.targets.extend(&next.targets);
    true
}

/// A reduction of packets whose result is kept as packets, too.
fn copies(last: &mut Draft, next: &Draft) -> bool {
    let pair = (last.name, next.name) == (OpName::ReducePackets, OpName::CopyPackets);
    if !pair || !is_target(last, 0, next) {
        return false;
    }
    last.name = OpName::ReduceCopyPackets;
    last.targets.extend(&next.targets);
    true
}

/// A sum through a switch that is stored through it: the place between is not written.
fn stores(last: &mut Draft, next: &Draft) -> bool {
    let pair = (last.name, next.name) == (OpName::GroupLoadReduce, OpName::GroupStore);
    if !pair || last.channels != next.channels || !is_target(last, 0, next) {
        return false;
    }
    last.name = OpName::GroupLoadReduceStore;
    last.targets = next.targets.clone();
    true
}

/// Whether `next` reads target number `place` of `last`, and nothing else.
fn is_target(last: &Draft, place: usize, next: &Draft) -> bool {
    let [source]: [Spot; 1] = match next.sources.as_slice() {
        [only] => [*only],
        _ => return false,
    };
    last.targets.get(place) == Some(&source)
}
