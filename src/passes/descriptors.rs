//! `descriptors`: loads and stores become DMA transfers with byte addresses.
//!
//! Pointers count elements; from here on an address is an `i64` that counts bytes, so offsets are
//! multiplied by the size of what the pointer points at.

use super::{Context, Pass};
use crate::diag::Reported;
use crate::dtype::{DType, Rounding};
use crate::ir::{
    Binary, BlockId, Cast, Const, DmaDesc, DmaDim, DmaRead, DmaWrite, Function, Literal, Op, OpId,
    Substitution, TileType, Type, Value, Window,
};
use crate::ops::BinaryOp;

/// See the module.
#[derive(Debug)]
pub(super) struct Descriptors;

impl Pass for Descriptors {
    fn name(&self) -> &'static str {
        "descriptors"
    }

    fn summary(&self) -> &'static str {
        "make loads and stores DMA transfers with byte addresses"
    }

    fn run(&self, function: &mut Function, _context: &mut Context<'_>) -> Result<(), Reported> {
        for block in function.reachable_blocks() {
            scale_offsets(function, block);
        }
        for op in function.reachable_ops() {
            describe(function, op);
        }
        for (_, data) in function.values.iter_mut() {
            if matches!(data.ty, Type::Pointer(_)) {
                data.ty = Type::I64;
            }
        }
        drop_casts(function);
        Ok(())
    }
}

/// A pointer is its byte address now, whatever it was cast to.
fn drop_casts(function: &mut Function) {
    let mut same = Substitution::new();
    for block in function.reachable_blocks() {
        let mut ops = std::mem::take(&mut function.blocks[block].ops);
        ops.retain(|op| {
            let Op::PointerCast(it) = &function.ops[*op].op else { return true };
            same.replace(function.result(*op), it.x);
            false
        });
        function.blocks[block].ops = ops;
    }
    same.apply(function);
}

/// Makes the offsets that `block` adds to pointers count bytes.
fn scale_offsets(function: &mut Function, block: BlockId) {
    let ops = std::mem::take(&mut function.blocks[block].ops);
    let mut scaled = Vec::with_capacity(ops.len());
    for op in ops {
        if let Op::Binary(it) = function.ops[op].op.clone()
            && let Type::Pointer(element) = *function.ty(it.x)
        {
            let y = bytes_of(function, &mut scaled, op, (it.y, element));
            function.ops[op].op = Binary { y, ..it }.into();
        }
        scaled.push(op);
    }
    function.blocks[block].ops = scaled;
}

/// Computes, at the end of `ops`, how many bytes `count` elements of a type take.
fn bytes_of(
    function: &mut Function,
    ops: &mut Vec<OpId>,
    like: OpId,
    (count, element): (Value, DType),
) -> Value {
    let span = function.spans[like];
    let mut push = |function: &mut Function, op: Op| {
        let id = function.make_op(op, vec![Type::I64], span);
        ops.push(id);
        function.result(id)
    };
    let mut offset = count;
    if *function.ty(count) != Type::I64 {
        offset = push(
            function,
            Cast { x: count, to: DType::I64, rounding: Rounding::NearestEven }.into(),
        );
    }
    if element.bytes() == 1 {
        return offset;
    }
    let size = Const { value: Literal::Int(element.bytes() as i64) };
    let size = push(function, size.into());
    push(function, Binary { op: BinaryOp::Mul, x: offset, y: size }.into())
}

/// Turns a load or store into its transfer.
fn describe(function: &mut Function, op: OpId) {
    if let Op::Load(it) = function.ops[op].op.clone()
        && let Some(desc) = function.ty(function.result(op)).tile().and_then(contiguous)
    {
        function.ops[op].op =
            DmaRead { base: it.ptr, desc, window: Window::default(), fill: None }.into();
    } else if let Op::Store(it) = function.ops[op].op.clone()
        && let Some(desc) = function.ty(it.value).tile().and_then(contiguous)
    {
        function.ops[op].op =
            DmaWrite { base: it.ptr, desc, window: Window::default(), value: it.value }.into();
    }
}

/// The descriptor of a block of memory without gaps: its axes merge into one.
fn contiguous(tile: &TileType) -> Option<DmaDesc> {
    let shape = tile.shape()?;
    let elem_bytes = tile.dtype.bytes();
    let run = DmaDim { extent: shape.elements(), stride: elem_bytes as i64 };
    let dims = if shape.rank() == 0 { Vec::new() } else { vec![run] };
    Some(DmaDesc { dims, elem_bytes })
}
