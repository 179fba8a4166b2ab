//! `composites`: cuts each composite into the tiles of the machine, and sees that what the
//! scheduler holds of them fits into its part of TCM.
//!
//! A tile that the IR asks for already stays. The places of two composites in flight are the same,
//! since a stage takes their tiles one after another, so each must fit by itself.

use super::{Context, Pass};
use crate::diag::{Diagnostic, Reported, lowering, types};
use crate::dtype::DType;
use crate::ir::{Composite, Dim, Function, Head, Limits, Op, OpId, Scope};
use crate::units::grouped;

/// See the module.
#[derive(Debug)]
pub(super) struct Composites;

impl Pass for Composites {
    fn name(&self) -> &'static str {
        "composites"
    }

    fn summary(&self) -> &'static str {
        "cut composites into the tiles of the machine"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        let mut result = Ok(());
        for op in function.reachable_ops() {
            let Op::Composite(it) = &function.ops[op].op else { continue };
            let it = it.clone();
            if let Err(error) = cut(function, op, it, context.limits) {
                result = Err(context.sink.error(*error));
            }
        }
        result
    }
}

/// Gives `op` its tile and constant sizes.
fn cut(
    function: &mut Function,
    op: OpId,
    mut it: Composite,
    limits: &Limits,
) -> Result<(), Box<Diagnostic>> {
    let mut sizes = [0; 3];
    for (at, size) in sizes.iter_mut().enumerate() {
        *size = extent(function, op, (&it, at))?;
        it.sizes[at] = Dim::Const(*size as i64);
    }
    let tile = it.tile.unwrap_or(limits.pipeline.tile);
    it.tile = Some(tile);
    let parts = staging(function, &it, (sizes, tile), limits.pipeline.buffers);
    let needed = parts.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    if needed > limits.tcm_reserved {
        return Err(Box::new(over_capacity(function, op, (&parts, needed), limits)));
    }
    function.ops[op].op = it.into();
    Ok(())
}

/// An extent of a composite, which is a positive constant by now.
fn extent(
    function: &Function,
    op: OpId,
    (it, axis): (&Composite, usize),
) -> Result<u64, Box<Diagnostic>> {
    let (span, name) = (function.spans[op], ["m", "n", "k"][axis]);
    let Some(extent) = function.extent(it.sizes[axis]) else {
        let message =
            format!("the extent {name} of this composite is not a constant of the launch");
        let label = format!("{name} is not known before the kernel runs");
        return Err(Box::new(Diagnostic::new(types::LAUNCH_EXTENT_UNKNOWN, message, span, label)));
    };
    match u64::try_from(extent) {
        Ok(extent) if extent > 0 => Ok(extent),
        Ok(_) | Err(_) => {
            let message = format!("the extent {name} of this composite is {extent} at this launch");
            let label = format!("{name} is {extent}");
            let code = types::LAUNCH_EXTENT_NOT_POSITIVE;
            Err(Box::new(Diagnostic::new(code, message, span, label)))
        }
    }
}

/// Bytes of TCM that the scheduler keeps: tiles of what is streamed and of the result, and all of
/// the result where a step takes it whole.
fn staging(
    function: &Function,
    it: &Composite,
    ([m, n, k], [tile_m, tile_n, tile_k]): ([u64; 3], [u64; 3]),
    buffers: u64,
) -> Vec<(String, u64)> {
    let is_gemm = it.head == Head::Gemm;
    // A single row of elements is cut into pieces of as many elements as a tile has.
    let wide = if m == 1 && !is_gemm { tile_m.saturating_mul(tile_n) } else { tile_n };
    let (rows, columns, depth) = (tile_m.min(m), wide.min(n), tile_k.min(k));
    let shapes = if is_gemm {
        [[rows, depth], [depth, columns]]
    } else {
        [[rows, columns], [rows, columns]]
    };
    let mut parts = Vec::new();
    let mut part = |what: &str, [rows, columns]: [u64; 2], dtype: DType, copies: u64| {
        let bytes = rows.saturating_mul(columns).saturating_mul(dtype.bytes());
        let (text, bytes) = match copies {
            1 => (format!("{what} {}", grouped(bytes)), bytes),
            _ => (
                format!("{copies} tiles of {what} {copies} × {}", grouped(bytes)),
                bytes.saturating_mul(copies),
            ),
        };
        parts.push((text, bytes));
    };
    let ends = [("a", Some(&it.a)), ("b", it.b.as_ref())];
    for ((name, end), shape) in ends.into_iter().zip(shapes) {
        if let Some(end) = end.filter(|end| !function.is_tile(end.value)) {
            part(&format!("`{name}`"), shape, end.dtype, buffers);
        }
    }
    if it.epilogue.iter().any(|step| step.scope == Scope::Kernel) {
        part("the whole result", [m, n], it.works_in(), 1);
    } else {
        part("the result", [rows, columns], it.out.dtype, buffers);
    }
    parts
}

fn over_capacity(
    function: &Function,
    op: OpId,
    (parts, needed): (&[(String, u64)], u64),
    limits: &Limits,
) -> Diagnostic {
    let reserved = limits.tcm_reserved;
    let message = format!(
        "this composite takes {} bytes of TCM, of which the scheduler keeps {}",
        grouped(needed),
        grouped(reserved)
    );
    let label = format!("{} bytes more than there are", grouped(needed - reserved));
    let code = lowering::COMPOSITE_CAPACITY;
    let mut it = Diagnostic::new(code, message, function.spans[op], label);
    let terms: Vec<&str> = parts.iter().map(|(text, _)| text.as_str()).collect();
    it = it.note(format!(
        "scheduler: {} = {} B > {} B",
        terms.join(" + "),
        grouped(needed),
        grouped(reserved)
    ));
    if parts.iter().any(|(text, _)| text.starts_with("the whole result")) {
        return it.help("a step of scope `kernel` holds the whole result: use `output_tile`");
    }
    it.help("the machine's `pe_scheduler` has tiles or `buffers` that are too large for `pe_tcm.reserved_mb`")
}
