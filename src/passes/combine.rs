//! `combine`: writes out reductions and scans whose combination is a computation of its own.
//!
//! A combination that is one op of the tables becomes the reduction or scan of that op. Any other
//! is repeated on whole tiles: a reduction combines neighbours in ⌈log₂ n⌉ rounds, a scan what is
//! 1, 2, 4, … elements apart. The order is fixed by the extent alone, and combinations need only be
//! associative.

use super::{Context, Pass};
use crate::diag::{Diagnostic, Reported, lowering};
use crate::ir::{
    BlockId, Broadcast, Concat, Dim, Function, Op, OpId, Reduce, ReduceBy, Reshape, Scan, ScanBy,
    Slice, Substitution, TileType, Type, Uses, Value,
};
use crate::ops::{BinaryOp, ReduceOp};
use crate::source::Span;

/// See the module.
#[derive(Debug)]
pub(super) struct Combine;

impl Pass for Combine {
    fn name(&self) -> &'static str {
        "combine"
    }

    fn summary(&self) -> &'static str {
        "write out reductions and scans by functions of their own"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        let mut replaced = Substitution::new();
        for block in function.reachable_blocks() {
            for op in std::mem::take(&mut function.blocks[block].ops) {
                let results = if let Op::ReduceBy(it) = function.ops[op].op.clone() {
                    reduce(function, (block, op), &it)
                } else if let Op::ScanBy(it) = function.ops[op].op.clone() {
                    scan(function, (block, op), &it)
                } else {
                    function.blocks[block].ops.push(op);
                    continue;
                };
                let values = results
                    .map_err(|inner| context.sink.error(not_elementwise(function, op, inner)))?;
                for (result, value) in function.ops[op].results.clone().into_iter().zip(values) {
                    replaced.replace(result, value);
                }
            }
        }
        replaced.apply(function);
        Ok(())
    }
}

fn not_elementwise(function: &Function, op: OpId, inner: OpId) -> Diagnostic {
    let name = function.ops[inner].op.name();
    Diagnostic::new(
        lowering::COMBINATION_NOT_ELEMENTWISE,
        format!("what combines two elements computes more than elements: `{name}`"),
        function.spans[inner],
        "this does not work element by element",
    )
    .because(function.spans[op], "whole tiles are combined here, each element on its own")
}

/// The extent of `value` along `axis`.
fn extent(function: &Function, value: Value, axis: u32) -> u64 {
    let tile = function.ty(value).tile();
    match tile.and_then(|tile| tile.dims.get(axis as usize)) {
        Some(Dim::Const(extent)) => u64::try_from(*extent).unwrap_or(1),
        Some(Dim::Value(_)) | None => 1,
    }
}

/// The op of a block that does nothing but combine its two arguments by it.
fn single_op(function: &Function, combine: BlockId) -> Option<BinaryOp> {
    let block = &function.blocks[combine];
    let ([left, right], [op, _]) = (block.args.as_slice(), block.ops.as_slice()) else {
        return None;
    };
    let Op::Binary(it) = &function.ops[*op].op else { return None };
    let straight = (it.x, it.y) == (*left, *right);
    let swapped = (it.x, it.y) == (*right, *left) && it.op.is_commutative();
    let given = function.handed_on(combine) == [function.result(*op)];
    ((straight || swapped) && given).then_some(it.op)
}

/// The ops that make a tile out of others, at the end of a block.
struct Maker<'a> {
    function: &'a mut Function,
    block: BlockId,
    axis: u32,
    span: Span,
}

/// What an op is replaced by, or the op that cannot be repeated on tiles.
type Made = Result<Vec<Value>, OpId>;

fn reduce(function: &mut Function, (block, op): (BlockId, OpId), it: &ReduceBy) -> Made {
    let results = function.ops[op].results.clone();
    let span = function.spans[op];
    let known = single_op(function, it.combine)
        .and_then(|op| ReduceOp::ALL.iter().find(|it| !it.gives_index() && it.combine() == op));
    if let (Some(op), [x], [result]) = (known, it.xs.as_slice(), results.as_slice()) {
        let ty = function.ty(*result).clone();
        let op = Reduce { op: *op, x: *x, axis: Some(it.axis), keep_dims: false };
        return Ok(vec![function.append_value(block, op, ty, span)]);
    }
    let mut maker = Maker { function, block, axis: it.axis, span };
    let reduced = maker.reduce(&it.xs, it.combine)?;
    let reshaped = results.into_iter().zip(reduced).map(|(result, x)| {
        let ty = maker.function.ty(result).clone();
        maker.function.append_value(block, Reshape { x }, ty, span)
    });
    Ok(reshaped.collect())
}

fn scan(function: &mut Function, (block, op): (BlockId, OpId), it: &ScanBy) -> Made {
    let span = function.spans[op];
    if let (Some(op), [x]) = (single_op(function, it.combine), it.xs.as_slice()) {
        let ty = function.ty(*x).clone();
        let op = Scan { op, x: *x, axis: it.axis, reverse: it.reverse };
        return Ok(vec![function.append_value(block, op, ty, span)]);
    }
    Maker { function, block, axis: it.axis, span }.scan(&it.xs, it.combine, it.reverse)
}

impl Maker<'_> {
    /// Rounds of combining neighbours; what is left over at the end of a round joins at the end.
    fn reduce(&mut self, xs: &[Value], combine: BlockId) -> Made {
        let mut tiles = xs.to_vec();
        let mut over: Vec<Vec<Value>> = Vec::new();
        let mut left = tiles.first().map_or(1, |x| extent(self.function, *x, self.axis));
        while left > 1 {
            let half = left / 2;
            if left % 2 == 1 {
                over.push(self.slices(&tiles, (left - 1, 1), 1));
            }
            let first = self.slices(&tiles, (0, 2), half);
            let second = self.slices(&tiles, (1, 2), half);
            tiles = self.combined(combine, &first, &second)?;
            left = half;
        }
        for last in over.iter().rev() {
            tiles = self.combined(combine, &tiles, last)?;
        }
        Ok(tiles)
    }

    /// Rounds of combining each element with the one a distance before it, which doubles.
    fn scan(&mut self, xs: &[Value], combine: BlockId, reverse: bool) -> Made {
        let mut tiles = xs.to_vec();
        let whole = tiles.first().map_or(1, |x| extent(self.function, *x, self.axis));
        let mut distance = 1;
        while distance < whole {
            let rest = whole - distance;
            let low = self.slices(&tiles, (0, 1), rest);
            let high = self.slices(&tiles, (distance, 1), rest);
            tiles = if reverse {
                let made = self.combined(combine, &high, &low)?;
                let kept = self.slices(&tiles, (rest, 1), distance);
                self.joined(&made, &kept)
            } else {
                let made = self.combined(combine, &low, &high)?;
                let kept = self.slices(&tiles, (0, 1), distance);
                self.joined(&kept, &made)
            };
            distance *= 2;
        }
        Ok(tiles)
    }

    /// The type of `like` with `extent` elements along the axis.
    fn resized(&self, like: Value, extent: u64) -> Type {
        let mut ty = self.function.ty(like).clone();
        let tile = ty.tile_mut().and_then(|tile| tile.dims.get_mut(self.axis as usize));
        if let Some(dim) = tile {
            *dim = Dim::Const(i64::try_from(extent).unwrap_or(i64::MAX));
        }
        ty
    }

    /// `count` elements of each tile from `start` on, `step` apart.
    fn slices(&mut self, tiles: &[Value], (start, step): (u64, u64), count: u64) -> Vec<Value> {
        let axis = self.axis;
        let slice = |x: &Value| {
            let ty = self.resized(*x, count);
            let op = Slice { x: *x, axis, start, step };
            self.function.append_value(self.block, op, ty, self.span)
        };
        tiles.iter().map(slice).collect()
    }

    fn joined(&mut self, first: &[Value], second: &[Value]) -> Vec<Value> {
        let axis = self.axis;
        let join = |(x, y): (&Value, &Value)| {
            let whole = extent(self.function, *x, axis) + extent(self.function, *y, axis);
            let ty = self.resized(*x, whole);
            let op = Concat { x: *x, y: *y, axis };
            self.function.append_value(self.block, op, ty, self.span)
        };
        first.iter().zip(second).map(join).collect()
    }

    /// The ops of `combine` on whole tiles.
    fn combined(&mut self, combine: BlockId, left: &[Value], right: &[Value]) -> Made {
        let dims =
            left.first().and_then(|x| self.function.ty(*x).tile()).map(|tile| tile.dims.clone());
        let dims = dims.unwrap_or_default();
        let mut inner = Substitution::new();
        let args = self.function.blocks[combine].args.clone();
        for (arg, tile) in args.into_iter().zip(left.iter().chain(right)) {
            inner.replace(arg, *tile);
        }
        for op in self.function.blocks[combine].ops.clone() {
            if !self.function.ops[op].op.is_terminator() {
                self.repeat(op, &dims, &mut inner)?;
            }
        }
        let values: Vec<Value> = self.function.handed_on(combine).to_vec();
        Ok(values.into_iter().map(|value| self.spread(inner.resolve(value), &dims)).collect())
    }

    /// The op `op` of a combination, on tiles of shape `dims`.
    fn repeat(&mut self, op: OpId, dims: &[Dim], inner: &mut Substitution) -> Result<(), OpId> {
        let mut copy = self.function.ops[op].op.clone();
        if !is_elementwise(&copy) {
            return Err(op);
        }
        copy.replace_uses(&mut |value| inner.resolve(value));
        let result = self.function.result(op);
        let mut ty = self.function.ty(result).clone();
        if let Some(tile) = ty.tile_mut() {
            *tile = TileType::new(dims.to_vec(), tile.dtype);
        }
        let span = self.function.spans[op];
        let made = self.function.append_value(self.block, copy, ty, span);
        inner.replace(result, made);
        Ok(())
    }

    /// `value`, which may be a rank-0 tile that depends on no element, in the shape `dims`.
    fn spread(&mut self, value: Value, dims: &[Dim]) -> Value {
        let Some(tile) = self.function.ty(value).tile() else { return value };
        if tile.dims == dims {
            return value;
        }
        let ty = Type::Tile(TileType::new(dims.to_vec(), tile.dtype));
        let op = Broadcast { x: value };
        self.function.append_value(self.block, op, ty, self.span)
    }
}

/// Whether an op computes each element on its own, or a scalar.
fn is_elementwise(op: &Op) -> bool {
    matches!(
        op,
        Op::Const(_)
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Ternary(_)
            | Op::Compare(_)
            | Op::Select(_)
            | Op::Cast(_)
            | Op::Bitcast(_)
            | Op::Full(_)
    )
}
