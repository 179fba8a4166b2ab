//! Reductions and scans, by known ops and by functions of the program.

use super::{Builtin, Call};
use crate::dtype::DType;
use crate::ir::{self, BlockId, Dim, TileType, Type, Value};
use crate::ops::{BinaryOp, Domain};
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::{operands, tiles as errors};
use crate::sema::program::FunctionRef;
use crate::sema::value::{Spanned, Val};
use crate::source::Span;

/// What combines two elements.
#[derive(Clone, Copy)]
enum Combiner {
    /// A function of the program or of the library.
    Function(FunctionRef),
    /// An op of the tables.
    Op(BinaryOp),
}

/// Tiles of one shape that are combined together.
struct Combined {
    values: Vec<Value>,
    tiles: Vec<TileType>,
    axis: u32,
    /// Whether they were written as a tuple, and so are the results.
    is_tuple: bool,
}

/// `tl.reduce(input, axis, combine_fn)`.
pub(super) fn reduce(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some(combiner) = combiner(it, call) else { return Val::Error };
    let Some((combined, rank)) = operands_of(it, call) else { return Val::Error };
    let mut dims = combined.tiles.first().map(|tile| tile.dims.clone()).unwrap_or_default();
    dims.remove(combined.axis as usize);
    let Some(combine) = it.combination(combiner, &combined, call) else { return Val::Error };
    let tile = |tile: &TileType| Type::Tile(TileType::new(dims.clone(), tile.dtype));
    let types: Vec<Type> = combined.tiles.iter().map(tile).collect();
    let op = ir::ReduceBy { xs: combined.values.clone(), axis: combined.axis, combine };
    let op = it.frame.build.emit(op, types, call.span);
    let mut results = it.frame.build.func.ops[op].results.clone();
    if call.flag("keep_dims") {
        results = results.into_iter().map(|x| kept(it, x, &combined, rank, call.span)).collect();
    }
    given(results, combined.is_tuple)
}

/// `x`, reduced, with the axes that went: that of the reduction, or `rank` of one element each.
fn kept(
    it: &mut Analysis<'_>,
    x: Value,
    combined: &Combined,
    rank: Option<usize>,
    span: Span,
) -> Value {
    let Some(rank) = rank else { return it.with_axis(x, combined.axis, span) };
    (0..rank).fold(x, |x, _| it.with_axis(x, 0, span))
}

fn given(results: Vec<Value>, is_tuple: bool) -> Val {
    let mut results = results.into_iter().map(Val::Value);
    if is_tuple { Val::Tuple(results.collect()) } else { results.next().unwrap_or(Val::Error) }
}

/// `tl.associative_scan(input, axis, combine_fn, reverse)`.
pub(super) fn associative_scan(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some(combiner) = combiner(it, call) else { return Val::Error };
    let Some((combined, _)) = operands_of(it, call) else { return Val::Error };
    let Some(combine) = it.combination(combiner, &combined, call) else { return Val::Error };
    let types = combined.tiles.iter().map(|tile| Type::Tile(tile.clone())).collect();
    let (xs, axis) = (combined.values.clone(), combined.axis);
    let op = ir::ScanBy { xs, axis, reverse: call.flag("reverse"), combine };
    let op = it.frame.build.emit(op, types, call.span);
    let results = it.frame.build.func.ops[op].results.clone();
    given(results, combined.is_tuple)
}

/// `tl.cumsum(x, axis)`.
pub(super) fn cumsum(it: &mut Analysis<'_>, call: &Call) -> Val {
    running(it, call, BinaryOp::Add)
}

/// `tl.cumprod(x, axis)`.
pub(super) fn cumprod(it: &mut Analysis<'_>, call: &Call) -> Val {
    running(it, call, BinaryOp::Mul)
}

fn running(it: &mut Analysis<'_>, call: &Call, op: BinaryOp) -> Val {
    let Some((x, tile)) = super::tiles::own_tile(it, call) else { return Val::Error };
    let axis = match call.some("axis") {
        Some(axis) => it.axis_argument(axis, tile.dims.len()),
        None => Some(0),
    };
    let Some(axis) = axis.filter(|axis| (*axis as usize) < tile.dims.len()) else {
        return if tile.dims.is_empty() { Val::Value(x) } else { Val::Error };
    };
    let dtype = match call.some("dtype") {
        Some(dtype) => it.dtype_argument(dtype),
        None => Some(running_dtype(op, tile.dtype, it.frame.style)),
    };
    let Some(dtype) = dtype else { return Val::Error };
    let x = it.cast(x, dtype, call.span);
    let ty = it.ty(x).clone();
    let op = ir::Scan { op, x, axis, reverse: call.flag("reverse") };
    Val::Value(it.frame.build.emit_value(op, ty, call.span))
}

/// The element type in which elements of type `dtype` are summed up or multiplied on the way.
fn running_dtype(op: BinaryOp, dtype: DType, style: Style) -> DType {
    if dtype == DType::BF16 && style == Style::Jit {
        return DType::F32;
    }
    if op == BinaryOp::Add && dtype.is_int() && dtype.bits() < 32 {
        return if dtype.is_unsigned() { DType::U32 } else { DType::I32 };
    }
    dtype
}

/// `tl.map_elementwise(scalar_fn, *args)`: the function of whole tiles, which is the same.
pub(super) fn map_elementwise(it: &mut Analysis<'_>, call: &Call) -> Val {
    let function = call.arg("scalar_fn");
    let Val::Function(callee) = function.val else {
        let found = it.describe(&function.val);
        return it.report(errors::expected_function(&call.name(), &found, function.span));
    };
    let items = call.get("args").and_then(|args| args.val.items()).unwrap_or_default().to_vec();
    let args: Vec<Spanned> =
        items.into_iter().map(|val| Spanned { val, span: call.span }).collect();
    let borrowed: Vec<&Spanned> = args.iter().collect();
    let what = "the operands of `tl.map_elementwise`";
    let Some(dims) = it.common_shape(what, &borrowed, call.span) else { return Val::Error };
    let mut spread = Vec::new();
    for arg in &args {
        let tile = it.tile(&arg.val).map(|tile| tile.dtype).zip(dims.clone());
        let val = match (tile, arg.val.value()) {
            (Some((dtype, dims)), Some(value)) => {
                Val::Value(it.stretched(value, &TileType::new(dims, dtype), call.span))
            }
            (_, _) => arg.val.clone(),
        };
        spread.push((None, Spanned { val, span: arg.span }));
    }
    it.call_with(callee, spread, call.span)
}

/// What `combine_fn` names.
fn combiner(it: &mut Analysis<'_>, call: &Call) -> Option<Combiner> {
    let function = call.arg("combine_fn");
    if let Val::Function(callee) = &function.val {
        return Some(Combiner::Function(*callee));
    }
    if let Val::Builtin(Builtin::Binary(op)) = &function.val {
        return Some(Combiner::Op(*op));
    }
    let found = it.describe(&function.val);
    it.report(errors::expected_function(&call.name(), &found, function.span));
    None
}

/// The tiles of `input`, alike in shape, and the axis. Without an axis they are flattened, and how
/// many axes they had comes second.
fn operands_of(it: &mut Analysis<'_>, call: &Call) -> Option<(Combined, Option<usize>)> {
    let input = call.arg("input");
    let (items, is_tuple) = match input.val.items() {
        Some(items) => (items.to_vec(), true),
        None => (vec![input.val.clone()], false),
    };
    let mut combined = Combined { values: Vec::new(), tiles: Vec::new(), axis: 0, is_tuple };
    for val in items {
        let arg = Spanned { val, span: input.span };
        let Some((value, tile)) = arg.val.value().zip(it.tile(&arg.val).cloned()) else {
            it.expected_tile(call, &arg);
            return None;
        };
        combined.values.push(value);
        combined.tiles.push(tile);
    }
    let Some(first) = combined.tiles.first().cloned() else {
        let found = it.describe(&input.val);
        it.report(operands::expected_tile(&call.name(), &found, input.span));
        return None;
    };
    let what = format!("the operands of `{}`", call.name());
    for tile in &combined.tiles[1..] {
        if !it.same_but_along(&what, [(input, &first), (input, tile)], None, call.span) {
            return None;
        }
    }
    let rank = first.dims.len();
    if let Some(axis) = call.some("axis") {
        combined.axis = it.axis_argument(axis, rank)?;
        return Some((combined, None));
    }
    flatten(it, &mut combined, call.span);
    Some((combined, Some(rank)))
}

/// Makes one axis of all.
fn flatten(it: &mut Analysis<'_>, combined: &mut Combined, span: Span) {
    for (value, tile) in combined.values.iter_mut().zip(&mut combined.tiles) {
        let flat: Dim = it.product(&tile.dims, span);
        *tile = TileType::new(vec![flat], tile.dtype);
        let ty = Type::Tile(tile.clone());
        *value = it.frame.build.emit_value(ir::Reshape { x: *value }, ty, span);
    }
}

impl Analysis<'_> {
    /// The block that combines two elements of each tile of `combined`.
    fn combination(
        &mut self,
        combiner: Combiner,
        combined: &Combined,
        call: &Call,
    ) -> Option<BlockId> {
        let span = call.span;
        let block = self.frame.build.open();
        let mut args = Vec::new();
        for side in ["x", "y"] {
            for tile in &combined.tiles {
                let ty = Type::Tile(TileType::new(Vec::new(), tile.dtype));
                args.push(self.frame.build.argument(ty, side, span));
            }
        }
        let values = match combiner {
            Combiner::Function(callee) => self.combined_by(callee, &args, (combined, call)),
            Combiner::Op(op) => self.combined_by_op(op, &args, call),
        };
        if let Some(values) = &values {
            self.frame.build.emit(ir::Yield { values: values.clone() }, Vec::new(), span);
        }
        self.frame.build.close();
        values.map(|_| block)
    }

    fn combined_by_op(&mut self, op: BinaryOp, args: &[Value], call: &Call) -> Option<Vec<Value>> {
        let function = call.arg("combine_fn");
        let [x, y] = args else {
            let found = self.describe(&function.val);
            self.report(errors::expected_function(&call.name(), &found, function.span));
            return None;
        };
        let ty = self.ty(*x).clone();
        let fits = match op.domain() {
            Domain::Any => true,
            Domain::Float => ty.dtype().is_float(),
            Domain::Int => ty.dtype().is_int(),
        };
        if !fits {
            let found = self.describe(&Val::Value(*x));
            let what = format!("the operands of `{}`", call.name());
            self.report(operands::needs_int(&what, &found, function.span));
            return None;
        }
        Some(vec![self.frame.build.emit_value(ir::Binary { op, x: *x, y: *y }, ty, call.span)])
    }

    /// What the function `callee` makes of two elements: as many values as there are tiles, of
    /// their element types.
    fn combined_by(
        &mut self,
        callee: FunctionRef,
        args: &[Value],
        (combined, call): (&Combined, &Call),
    ) -> Option<Vec<Value>> {
        let given = |value: &Value| (None, Spanned { val: Val::Value(*value), span: call.span });
        let result = self.call_with(callee, args.iter().map(given).collect(), call.span);
        if result.is_error() {
            return None;
        }
        let items = match result.items() {
            Some(items) => items.to_vec(),
            None => vec![result.clone()],
        };
        let mut values = Vec::new();
        for (item, tile) in items.iter().zip(&combined.tiles) {
            values.extend(self.combined_element(item, tile.dtype, call.span));
        }
        if items.len() == combined.tiles.len() && values.len() == items.len() {
            return Some(values);
        }
        let function = self.program.function(callee);
        let (name, defined) = (function.name.name.as_str(), function.header);
        let found = items.iter().map(|item| self.describe(item)).collect::<Vec<_>>().join(" and ");
        let wanted = combined.tiles.iter().map(|tile| tile.dtype.to_string());
        let wanted = wanted.collect::<Vec<_>>().join(" and ");
        let span = call.arg("combine_fn").span;
        self.report(errors::combination_result((name, &found), &wanted, (span, defined)));
        None
    }

    /// One value of a combination as a rank-0 tile of `dtype`; none where it is another type.
    fn combined_element(&mut self, item: &Val, dtype: DType, span: Span) -> Option<Value> {
        let is_number = item.constant().is_some_and(|it| it.is_number());
        let own = self.operand_dtype(item);
        let fits = is_number || own == Some(dtype);
        let has_axes = self.tile(item).is_some_and(|tile| !tile.dims.is_empty());
        if !fits || has_axes {
            return None;
        }
        let value = self.as_dtype(&Spanned { val: item.clone(), span }, dtype)?;
        Some(self.stretched(value, &TileType::new(Vec::new(), dtype), span))
    }
}
