//! `allocate`: gives every tile its place in TCM.
//!
//! Each op that makes a tile gets a buffer. A loop that carries a tile out of one iteration while the next
//! makes its successor needs the buffer several times: one copy for the result, and one for each
//! live value that may be in a copy; the tiles of loops with stages (see `stages`) have more, so
//! that iterations overlap. Walking the program takes the copies in turn, and passes over those
//! that one of these values is in.
//!
//! Where every buffer fits beside all others, each gets bytes of its own: an engine then waits only
//! for those who use the same tile, and the loads of one iteration need not wait for the stores of
//! the one before. Otherwise buffers that never hold something live at the same time may lie over
//! one another. They are placed in the order in which they begin, each at the lowest offset that is
//! free for as long as it lives; and where even that does not fit, the largest are placed first.

use super::liveness::{Liveness, Range};
use super::origins::{Origins, Place, place_of};
use super::stages::{Overlap, overlaps};
use super::{Context, Pass};
use crate::arena::{Arena, SideTable};
use crate::diag::{Diagnostic, Reported, lowering};
use crate::ir::{Buffer, BufferId, Function, Limits, Op, OpId, Storage, Value};
use crate::source::Span;
use crate::units::grouped;

/// Where every copy of every buffer begins: at a multiple of this many bytes.
const ALIGNMENT: u64 = 64;
/// Functions with more buffers are placed once, in the order in which buffers begin.
const MAX_TRIED_BY_SIZE: usize = 4096;
/// How many tiles a capacity error points at.
const MAX_SHOWN: usize = 6;

/// See the module.
#[derive(Debug)]
pub(super) struct Allocate;

impl Pass for Allocate {
    fn name(&self) -> &'static str {
        "allocate"
    }

    fn summary(&self) -> &'static str {
        "give every tile its place in TCM"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        let origins = Origins::of(function);
        let liveness = Liveness::of(function, &origins);
        let overlaps = overlaps(function, &origins, &liveness);
        let mut tenants = tenants(function, &liveness, &overlaps);
        let limit = context.limits.tcm_bytes;
        if place(&mut tenants, limit) > limit {
            let error = over_capacity(function, &liveness, &tenants, context.limits);
            return Err(context.sink.error(error));
        }
        assign(function, &tenants);
        Ok(())
    }
}

/// A tile that needs bytes of its own.
#[derive(Clone, Debug)]
struct Tenant {
    /// The result of the op that makes it.
    value: Value,
    /// Bytes of one copy, rounded up.
    bytes: u64,
    copies: u32,
    /// From the first op at which it is live to the last.
    range: Range,
    offset: u64,
}

impl Tenant {
    /// Takes the copies of iterations that overlap, and the whole of their loop.
    fn overlap(&mut self, overlap: &Overlap) {
        self.copies = self.copies.saturating_add(overlap.copies);
        self.range.first = self.range.first.min(overlap.range.first);
        self.range.last = self.range.last.max(overlap.range.last);
    }

    fn total(&self) -> u64 {
        self.bytes.saturating_mul(u64::from(self.copies))
    }

    fn end(&self) -> u64 {
        self.offset.saturating_add(self.total())
    }
}

/// Where the last tile ends if tiles are placed within `limit` bytes, or beyond them.
pub(super) fn scratch_end(
    function: &Function,
    liveness: &Liveness,
    overlaps: &SideTable<Value, Option<Overlap>>,
    limit: u64,
) -> u64 {
    place(&mut tenants(function, liveness, overlaps), limit)
}

/// Everything that needs a buffer, in the order of the text.
fn tenants(
    function: &Function,
    liveness: &Liveness,
    overlaps: &SideTable<Value, Option<Overlap>>,
) -> Vec<Tenant> {
    let mut tenants = Vec::new();
    for op in liveness.order() {
        for value in &function.ops[*op].results {
            if place_of(function, *value) == Some(Place::Buffer) {
                let mut tenant = tenant(function, liveness, *op, *value);
                if let Some(overlap) = &overlaps[*value] {
                    tenant.overlap(overlap);
                }
                tenants.push(tenant);
            }
        }
    }
    tenants
}

fn tenant(function: &Function, liveness: &Liveness, op: OpId, value: Value) -> Tenant {
    // A tile that no memory can hold saturates, and is refused by its size.
    let bytes = function.ty(value).tile().and_then(|tile| tile.bytes()).unwrap_or(u64::MAX);
    let ranges = liveness.ranges(value);
    let at = liveness.position(op);
    let first = ranges.first().map_or(at, |range| range.first);
    let last = ranges.last().map_or(at, |range| range.last);
    Tenant {
        value,
        bytes: bytes.checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX),
        copies: 1 + liveness.rivals(op).len() as u32,
        range: Range { first, last },
        offset: 0,
    }
}

/// Gives each tenant an offset and returns where the last one ends: apart where all fit, else over
/// one another.
fn place(tenants: &mut [Tenant], limit: u64) -> u64 {
    let end = place_apart(tenants);
    if end <= limit {
        return end;
    }
    let by_start: Vec<usize> =
        order_by(tenants, |tenant| (tenant.range.first, u64::MAX - tenant.total()));
    let end = first_fit(tenants, &by_start, true);
    if end <= limit || tenants.len() > MAX_TRIED_BY_SIZE {
        return end;
    }
    let by_size: Vec<usize> =
        order_by(tenants, |tenant| (u64::MAX - tenant.total(), tenant.range.first));
    first_fit(tenants, &by_size, false)
}

/// Places each tenant where the one before it ends.
fn place_apart(tenants: &mut [Tenant]) -> u64 {
    let mut end: u64 = 0;
    for tenant in tenants {
        tenant.offset = end;
        end = tenant.end();
    }
    end
}

fn order_by<K: Ord>(tenants: &[Tenant], key: impl Fn(&Tenant) -> K) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tenants.len()).collect();
    order.sort_by_key(|index| key(&tenants[*index]));
    order
}

/// Places tenants in `order`, each at the lowest offset that no placed tenant takes while it lives.
/// `in_time` says that the order is that of the tenants' beginnings, so that those that have ended
/// need not be looked at again.
fn first_fit(tenants: &mut [Tenant], order: &[usize], in_time: bool) -> u64 {
    // Placed tenants by offset.
    let mut placed: Vec<usize> = Vec::new();
    let mut end = 0;
    for index in order {
        let range = tenants[*index].range;
        if in_time {
            placed.retain(|other| tenants[*other].range.last >= range.first);
        }
        let neighbours = placed.iter().filter(|other| tenants[**other].range.meets(range));
        let mut offset: u64 = 0;
        for other in neighbours.map(|other| &tenants[*other]) {
            if other.offset.saturating_sub(offset) >= tenants[*index].total() {
                break;
            }
            offset = offset.max(other.end());
        }
        tenants[*index].offset = offset;
        end = end.max(tenants[*index].end());
        let at = placed.partition_point(|other| tenants[*other].offset <= offset);
        placed.insert(at, *index);
    }
    end
}

/// Writes down the buffers, and where each value's bytes are.
fn assign(function: &mut Function, tenants: &[Tenant]) {
    function.buffers = Arena::new();
    let mut buffer_of: SideTable<Value, Option<BufferId>> = SideTable::new();
    for tenant in tenants {
        let Tenant { offset, bytes, copies, .. } = *tenant;
        let id = function.buffers.push(Buffer { offset, bytes, copies });
        buffer_of.set(tenant.value, Some(id));
    }
    let mut values: Vec<Value> = Vec::new();
    for block in function.reachable_blocks() {
        values.extend(&function.blocks[block].args);
        let ops = &function.blocks[block].ops;
        values.extend(ops.iter().flat_map(|op| &function.ops[*op].results));
    }
    for value in values {
        function.values[value].storage = storage(function, value, buffer_of[value]);
    }
}

fn storage(function: &Function, value: Value, buffer: Option<BufferId>) -> Option<Storage> {
    if !function.is_tile(value) {
        return None;
    }
    let waits =
        function.defining_op(value).is_some_and(|op| matches!(function.ops[op].op, Op::Wait(_)));
    match (buffer, place_of(function, value)) {
        (Some(buffer), _) => Some(Storage::Buffer(buffer)),
        (None, Some(Place::Slot)) => Some(Storage::Slot),
        (None, _) if waits => Some(Storage::Slot),
        (None, _) => Some(Storage::Alias),
    }
}

/// The error for tiles that do not fit, with the arithmetic and the tiles that are live where most
/// is.
fn over_capacity(
    function: &Function,
    liveness: &Liveness,
    tenants: &[Tenant],
    limits: &Limits,
) -> Diagnostic {
    let peak = peak_position(tenants);
    let mut live: Vec<&Tenant> =
        tenants.iter().filter(|it| it.range.first <= peak && peak <= it.range.last).collect();
    live.sort_by_key(|it| (u64::MAX - it.total(), it.range.first));
    let needed = live.iter().fold(0u64, |sum, it| sum.saturating_add(it.total()));
    let place = liveness.order().get(peak as usize).map_or(Span::NONE, |op| function.spans[*op]);
    let end = tenants.iter().map(Tenant::end).max().unwrap_or(0);
    let taken = if needed > limits.tcm_bytes {
        format!("{} bytes are live at once", grouped(needed))
    } else {
        format!(
            "with the gaps that tiles of different lives leave, they take {} bytes",
            grouped(end)
        )
    };
    let name = &function.name;
    let left = grouped(limits.tcm_bytes);
    let mut error = Diagnostic::new(
        lowering::TCM_CAPACITY,
        format!(
            "the tiles of kernel `{name}` do not fit into TCM: {taken}, and {left} are left for tiles"
        ),
        place,
        format!("{} bytes of tiles are live here", grouped(needed)),
    );
    for tenant in live.iter().take(MAX_SHOWN) {
        let span = function.value_span(tenant.value);
        error = error.because(span, live_range(function, liveness, tenant));
    }
    error.note(arithmetic(function, &live, limits))
}

/// The first position at which most bytes are live.
fn peak_position(tenants: &[Tenant]) -> u32 {
    let mut changes: Vec<(u32, bool, u64)> = Vec::new();
    for tenant in tenants {
        changes.push((tenant.range.first, false, tenant.total()));
        changes.push((tenant.range.last, true, tenant.total()));
    }
    // Beginnings before ends: both ends of a range are in it.
    changes.sort_unstable();
    let (mut bytes, mut most, mut peak) = (0u128, 0u128, 0);
    for (position, ends, size) in changes {
        if ends {
            bytes = bytes.saturating_sub(u128::from(size));
        } else {
            bytes += u128::from(size);
        }
        if bytes > most {
            (most, peak) = (bytes, position);
        }
    }
    peak
}

/// `tile acc takes 2 × 131,072 B, live until store`.
fn live_range(function: &Function, liveness: &Liveness, tenant: &Tenant) -> String {
    let last = liveness.order().get(tenant.range.last as usize).copied();
    let until = last.filter(|_| tenant.range.last > tenant.range.first).map(|op| {
        // The language's words for what became a transfer, and for the end of a block.
        match function.ops[op].op.name() {
            "dma_write" => String::from(", live until `store`"),
            "yield" | "condition" => String::from(", live to the end of this loop or branch"),
            name => format!(", live until `{name}`"),
        }
    });
    let name = tile_name(function, tenant.value);
    format!("{name} takes {}{}", size_of(tenant), until.unwrap_or_default())
}

fn tile_name(function: &Function, value: Value) -> String {
    match &function.values[value].name {
        Some(name) => format!("tile `{name}`"),
        None => String::from("a tile"),
    }
}

fn size_of(tenant: &Tenant) -> String {
    match tenant.copies {
        1 => format!("{} B", grouped(tenant.bytes)),
        copies => format!("{copies} × {} B", grouped(tenant.bytes)),
    }
}

/// `TCM: tile acc 2,097,152 B + … = … > 12,582,912 B`.
fn arithmetic(function: &Function, live: &[&Tenant], limits: &Limits) -> String {
    let mut terms: Vec<String> = live
        .iter()
        .take(MAX_SHOWN)
        .map(|it| format!("{} {}", tile_name(function, it.value), size_of(it)))
        .collect();
    let rest = live.iter().skip(MAX_SHOWN).fold(0u64, |sum, it| sum.saturating_add(it.total()));
    if rest > 0 {
        terms.push(format!("{} more tiles {} B", live.len() - MAX_SHOWN, grouped(rest)));
    }
    let slots =
        limits.tcm_total.saturating_sub(limits.tcm_reserved).saturating_sub(limits.tcm_bytes);
    if slots > 0 {
        terms.push(format!("receive slots {} B", grouped(slots)));
    }
    if limits.tcm_reserved > 0 {
        terms.push(format!("the scheduler's share {} B", grouped(limits.tcm_reserved)));
    }
    let needed = live.iter().fold(0u64, |sum, it| sum.saturating_add(it.total()));
    let sum = needed.saturating_add(slots).saturating_add(limits.tcm_reserved);
    let relation = if sum > limits.tcm_total { ">" } else { "of" };
    format!(
        "TCM: {} = {} B {relation} {} B",
        terms.join(" + "),
        grouped(sum),
        grouped(limits.tcm_total)
    )
}
