//! Launching a kernel that no host program launches: which parameters are tensors, how long they
//! are, and who holds what.
//!
//! Parameters that neither `kernel_args` nor `--set` gives a value are tensors. Their bases are
//! set far apart, the kernel's transfers are walked, and each tensor becomes what was touched
//! around its base: where the ranks touch disjoint parts each holds its own, else the tensor is
//! cut evenly.

use crate::diag::{Diagnostic, Reported, Sink, lowering as codes};
use crate::dtype::DType;
use crate::ir::{Function, Literal, Op, Uses, Value};
use crate::launch::{Launch, PAGE_BYTES, Placement, Region, Shard, VA_BASE, VA_BYTES};
use crate::lower::{self, Reach, TouchedTensor};
use crate::source::Span;
use crate::topology::{Extent, PeId};

/// Transfers walked to find what a launch touches.
const TOUCH_BUDGET: u64 = 20_000_000;

/// A tensor that was made up for a launch.
#[derive(Clone, Debug)]
pub(super) struct MadeTensor {
    /// Its element type.
    pub(super) dtype: DType,
    /// Where it lies.
    pub(super) region: Region,
    /// The bytes of the region that each rank touches, if any.
    pub(super) blocks: Vec<Option<(u64, u64)>>,
    /// Whether any rank reads it.
    pub(super) is_read: bool,
    /// Whether any rank writes it.
    pub(super) is_written: bool,
}

/// The bases of `count` tensors, as far apart as the address space allows.
pub(super) fn bases(count: usize) -> Vec<u64> {
    let room = VA_BYTES / (count as u64 + 1);
    let spacing = room - room % PAGE_BYTES;
    (0..count as u64).map(|index| VA_BASE + spacing / 2 + index * spacing).collect()
}

/// The tensors named `names`, whose bases `function` was specialised for.
///
/// # Errors
/// A tensor that nothing touches (it may be a scalar without a value), or that no memory holds.
pub(super) fn tensors(
    function: &Function,
    launch: &Launch,
    extent: &Extent,
    names: &[(String, Span)],
    sink: &mut Sink,
) -> Result<Vec<MadeTensor>, Reported> {
    let bases = bases(names.len());
    let touched = lower::touched(function, launch, extent, (&bases, TOUCH_BUDGET), sink)?;
    let dtypes = dtypes(function, &bases);
    let mut made = Vec::new();
    let mut missing = Ok(());
    for (index, (name, span)) in names.iter().enumerate() {
        let tensor = &touched.tensors[index];
        match (tensor.all, dtypes[index]) {
            (Some(all), Some(dtype)) => {
                made.push(make(name, bases[index], all, (tensor, dtype)));
            }
            // A stream that stops before it touches anything is the communication check's to tell.
            (None, _) | (_, None) if !touched.is_complete => {}
            (None, _) | (_, None) => missing = Err(sink.error(no_value(name, *span))),
        }
    }
    missing.map(|()| made)
}

fn make(name: &str, base: u64, all: Reach, (tensor, dtype): (&TouchedTensor, DType)) -> MadeTensor {
    let clamp = |at: i128| u64::try_from(at).unwrap_or(0);
    let start = clamp(i128::from(base) + all.first);
    let bytes = clamp(all.end - all.first);
    let blocks: Vec<Option<(u64, u64)>> = tensor
        .by_agent
        .iter()
        .map(|reach| reach.map(|it| (clamp(it.first - all.first), clamp(it.end - all.first))))
        .collect();
    let placement = Placement::Sharded(shards(&blocks, bytes, dtype));
    let region = Region { name: name.into(), base: start, bytes, placement };
    let (is_read, is_written) = (tensor.is_read, tensor.is_written);
    MadeTensor { dtype, region, blocks, is_read, is_written }
}

/// Each rank's own block, where blocks do not overlap; else even pieces in rank order.
fn shards(blocks: &[Option<(u64, u64)>], bytes: u64, dtype: DType) -> Vec<Shard> {
    let mut owned: Vec<(u64, u64, u32)> = blocks
        .iter()
        .zip(0..)
        .filter_map(|(block, rank)| block.map(|(first, end)| (first, end, rank)))
        .collect();
    owned.sort_unstable();
    let is_disjoint = owned.windows(2).all(|pair| pair[0].1 <= pair[1].0);
    if !is_disjoint {
        return even(blocks.len() as u64, bytes, dtype);
    }
    let ends = owned.iter().skip(1).map(|(first, _, _)| *first).chain([bytes]);
    let mut offset = 0;
    let shard = |((_, _, rank), end): (&(u64, u64, u32), u64)| {
        let shard = Shard { offset, bytes: end - offset, pe: PeId(*rank) };
        offset = end;
        shard
    };
    owned.iter().zip(ends).map(shard).collect()
}

fn even(world: u64, bytes: u64, dtype: DType) -> Vec<Shard> {
    let elements = bytes / dtype.bytes();
    let each = elements.div_ceil(world.max(1)).max(1) * dtype.bytes();
    let count = bytes.div_ceil(each);
    (0..count)
        .map(|rank| {
            let offset = rank * each;
            Shard { offset, bytes: each.min(bytes - offset), pe: PeId(rank as u32) }
        })
        .collect()
}

/// The element type that the kernel moves to or from each base.
fn dtypes(function: &Function, bases: &[u64]) -> Vec<Option<DType>> {
    let mut found = vec![None; bases.len()];
    for (_, data) in function.ops.iter() {
        if let Op::Composite(it) = &data.op {
            for end in [Some(&it.a), it.b.as_ref(), Some(&it.out)].into_iter().flatten() {
                let is_memory = !function.is_tile(end.value);
                let index = is_memory.then(|| tensor_of(function, end.value, bases)).flatten();
                if let Some(index) = index {
                    found[index].get_or_insert(end.dtype);
                }
            }
            continue;
        }
        let moved = if let Op::DmaRead(read) = &data.op {
            data.results.first().map(|tile| (read.base, *tile))
        } else if let Op::GatherLoad(read) = &data.op {
            data.results.first().map(|tile| (read.ptr, *tile))
        } else if let Op::ScatterStore(write) = &data.op {
            Some((write.ptr, write.value))
        } else if let Op::Atomic(change) = &data.op {
            Some((change.ptr, change.value))
        } else if let Op::DmaWrite(write) = &data.op {
            Some((write.base, write.value))
        } else {
            None
        };
        let Some((base, tile)) = moved else { continue };
        if let Some(index) = tensor_of(function, base, bases) {
            found[index].get_or_insert(function.ty(tile).dtype());
        }
    }
    found
}

/// The tensor whose base is the one large constant in the computation of an address.
fn tensor_of(function: &Function, address: Value, bases: &[u64]) -> Option<usize> {
    let (mut pending, mut seen) = (vec![address], std::collections::BTreeSet::new());
    while let Some(value) = pending.pop() {
        if !seen.insert(value) {
            continue;
        }
        if let Some(Literal::Int(at)) = function.literal(value)
            && at as u64 >= VA_BASE
        {
            return (0..bases.len()).min_by_key(|index| bases[*index].abs_diff(at as u64));
        }
        match function.defining_op(value) {
            Some(op) => function.ops[op].op.for_each_use(&mut |used| pending.push(used)),
            None => pending.extend(carried_from(function, value)),
        }
    }
    None
}

/// What a loop hands to the block argument `value` before its first iteration.
fn carried_from(function: &Function, value: Value) -> Vec<Value> {
    let crate::ir::Def::Argument(block, index) = function.values[value].def else { return vec![] };
    let owner = function.ops.values().find(|data| data.op.blocks().contains(&block));
    let init = if let Some(Op::For(it)) = owner.map(|data| &data.op) {
        // The first argument of a counted loop is its variable.
        (index as usize).checked_sub(1).and_then(|at| it.inits.get(at))
    } else if let Some(Op::While(it)) = owner.map(|data| &data.op) {
        it.inits.get(index as usize)
    } else {
        None
    };
    init.into_iter().copied().collect()
}

fn no_value(name: &str, span: Span) -> Diagnostic {
    let message = format!("the parameter `{name}` has no value");
    Diagnostic::new(codes::NO_VALUE, message, span, "no load or store uses it as an address")
        .note("a parameter without a value is taken for a tensor, and a tensor is loaded or stored")
        .help(format!("give it with `--set {name}=…`, or return it from `kernel_args`"))
}
