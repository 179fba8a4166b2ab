//! What each op takes and gives.

use super::control::agree;
use super::{At, Rule, Violation};
use crate::dtype::DType;
use crate::ir::{
    Arange, Assert, Atomic, Binary, Bitcast, Broadcast, Call, Cast, Channel, Compare, Composite,
    Concat, Condition, Const, Copy, Dim, DmaRead, DmaWrite, Dot, ExpandDims, Extent, Flip, For,
    Full, Function, Gather, GatherLoad, Histogram, If, Inspect, Literal, Load, MAX_STREAM_OUTPUTS,
    Module, NumPrograms, OpId, PointerCast, ProgramId, Recv, RecvAsync, Reduce, ReduceBy, Release,
    Reshape, Return, Scan, ScanBy, ScatterStore, Select, Send, Slice, Sort, Store, Stream, Ternary,
    TileType, Transpose, Type, Unary, Uses, Value, Visit, Wait, While, Yield,
};
use crate::ops::{BinaryOp, Domain};

/// What is wrong with an op, if anything is.
pub(super) type Checked = Result<(), String>;

/// Checks every op that `function` reaches, and that extents are `i64`.
pub(super) fn check(function: &Function, module: Option<&Module>) -> Vec<Violation> {
    let mut at = At::new(function);
    for op in function.reachable_ops() {
        let data = &function.ops[op];
        let mut checker = Checker { function, module, op };
        if let Err(message) = data.op.visit(&mut checker) {
            at.op(Rule::Types, op, message);
        }
        let args = data.op.blocks().into_iter().flat_map(|block| &function.blocks[block].args);
        for value in data.results.iter().chain(args) {
            if !extents_are_i64(function, *value) {
                at.op(Rule::Types, op, "an extent is not an i64");
            }
        }
    }
    if function.params.iter().any(|param| !extents_are_i64(function, param.value)) {
        at.function(Rule::Types, "an extent is not an i64");
    }
    at.found
}

fn extents_are_i64(function: &Function, value: Value) -> bool {
    let mut fit = true;
    function.ty(value).for_each_use(&mut |extent| fit &= *function.ty(extent) == Type::I64);
    fit
}

pub(super) struct Checker<'a> {
    pub(super) function: &'a Function,
    module: Option<&'a Module>,
    pub(super) op: OpId,
}

pub(super) fn require(holds: bool, message: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(message()) }
}

impl<'a> Checker<'a> {
    pub(super) fn ty(&self, value: Value) -> &'a Type {
        self.function.ty(value)
    }

    pub(super) fn show(&self, value: Value) -> String {
        self.function.display_type(self.ty(value))
    }

    /// The type of the op's one result.
    pub(super) fn result(&self) -> Result<&'a Type, String> {
        match self.function.ops[self.op].results.as_slice() {
            [result] => Ok(self.ty(*result)),
            results => Err(format!("this gives one value, not {}", results.len())),
        }
    }

    pub(super) fn result_tile(&self) -> Result<&'a TileType, String> {
        let ty = self.result()?;
        let Type::Tile(tile) = ty else {
            return Err(format!("this gives a tile, not {}", self.function.display_type(ty)));
        };
        Ok(tile)
    }

    pub(super) fn no_result(&self) -> Checked {
        let count = self.function.ops[self.op].results.len();
        require(count == 0, || format!("this gives nothing, not {count} values"))
    }

    pub(super) fn tile(&self, value: Value) -> Result<&'a TileType, String> {
        match self.ty(value) {
            Type::Tile(tile) => Ok(tile),
            Type::Scalar(_) | Type::Pointer(_) | Type::Future(_) | Type::Completion => {
                Err(format!("this takes a tile, not {}", self.show(value)))
            }
        }
    }

    pub(super) fn is(&self, value: Value, ty: &Type) -> Checked {
        require(self.ty(value) == ty, || {
            format!("this takes {}, not {}", self.function.display_type(ty), self.show(value))
        })
    }

    pub(super) fn gives(&self, ty: &Type) -> Checked {
        let result = self.result()?;
        require(agree(self.function, result, ty), || {
            let shown = |ty: &Type| self.function.display_type(ty);
            format!("this gives {}, not {}", shown(ty), shown(result))
        })
    }

    /// Checks that `operands` are scalars or tiles of `dtype` that broadcast to the result.
    fn elementwise(&self, operands: &[Value], dtype: DType) -> Checked {
        let result = self.result()?;
        for operand in operands {
            let ty = self.ty(*operand);
            let fits = match (ty, result) {
                (Type::Scalar(_), Type::Scalar(_) | Type::Tile(_)) => true,
                (Type::Tile(from), Type::Tile(to)) => self.broadcasts(&from.dims, &to.dims),
                (
                    Type::Scalar(_)
                    | Type::Pointer(_)
                    | Type::Tile(_)
                    | Type::Future(_)
                    | Type::Completion,
                    _,
                ) => false,
            };
            require(fits, || {
                let result = self.function.display_type(result);
                format!("an operand of type {} does not broadcast to {result}", self.show(*operand))
            })?;
            require(ty.dtype() == dtype, || {
                format!("an operand is of type {} where {dtype} is expected", self.show(*operand))
            })?;
        }
        Ok(())
    }

    /// Whether a tile of shape `from` broadcasts to shape `to`, as far as both are known.
    pub(super) fn broadcasts(&self, from: &[Dim], to: &[Dim]) -> bool {
        let extent = |dim: &Dim| self.function.extent(*dim);
        let fits = |from: &Dim, to: &Dim| match (extent(from), extent(to)) {
            (Some(1), _) | (None, _) | (_, None) => true,
            (Some(from), Some(to)) => from == to,
        };
        from.len() <= to.len() && from.iter().rev().zip(to.iter().rev()).all(|(f, t)| fits(f, t))
    }

    pub(super) fn in_domain(&self, name: &str, domain: Domain, dtype: DType) -> Checked {
        let fits = match domain {
            Domain::Any => true,
            Domain::Float => dtype.is_float(),
            Domain::Int => dtype.is_int(),
        };
        require(fits, || format!("`{name}` is not defined on {dtype}"))
    }

    pub(super) fn axis(&self, axis: u32, rank: usize) -> Checked {
        require((axis as usize) < rank, || format!("axis {axis} of {rank} axes"))
    }

    /// Checks that the op gives a tile of `dtype` and of these extents.
    pub(super) fn gives_tile(&self, dims: &[Dim], dtype: DType) -> Checked {
        self.gives(&Type::Tile(TileType::new(dims.to_vec(), dtype)))
    }

    fn program_axis(&self, axis: u32) -> Checked {
        require(axis < 3, || format!("there is no program axis {axis}"))?;
        if matches!(self.result()?, Type::Scalar(DType::I32)) {
            return Ok(());
        }
        self.gives(&Type::I64)
    }
}

impl Visit for Checker<'_> {
    type Out = Checked;

    fn constant(&mut self, it: &Const) -> Checked {
        let result = self.result()?;
        let fits = match result {
            Type::Scalar(dtype) => dtype.is_float() || matches!(it.value, Literal::Int(_)),
            Type::Pointer(_) => matches!(it.value, Literal::Int(_)),
            Type::Tile(_) | Type::Future(_) | Type::Completion => false,
        };
        require(fits, || format!("this constant is no {}", self.function.display_type(result)))
    }

    fn unary(&mut self, it: &Unary) -> Checked {
        let dtype = self.result()?.dtype();
        self.in_domain(it.op.name(), it.op.domain(), dtype)?;
        self.elementwise(&[it.x], dtype)
    }

    fn binary(&mut self, it: &Binary) -> Checked {
        if let Type::Pointer(_) = self.ty(it.x) {
            let moves = matches!(it.op, BinaryOp::Add | BinaryOp::Sub);
            require(moves, || format!("`{}` is not defined on pointers", it.op.name()))?;
            let offset = matches!(self.ty(it.y), Type::Scalar(dtype) if dtype.is_int());
            require(offset, || {
                format!("an integer is added to a pointer, not {}", self.show(it.y))
            })?;
            return self.gives(self.ty(it.x));
        }
        let dtype = self.result()?.dtype();
        self.in_domain(it.op.name(), it.op.domain(), dtype)?;
        self.elementwise(&[it.x, it.y], dtype)
    }

    fn ternary(&mut self, it: &Ternary) -> Checked {
        let dtype = self.result()?.dtype();
        self.in_domain(it.op.name(), it.op.domain(), dtype)?;
        self.elementwise(&[it.x, it.y, it.z], dtype)
    }

    fn compare(&mut self, it: &Compare) -> Checked {
        require(self.result()?.dtype() == DType::I1, || String::from("a comparison gives i1"))?;
        if let Type::Pointer(_) = self.ty(it.x) {
            self.is(it.y, self.ty(it.x))?;
            return self.gives(&Type::BOOL);
        }
        self.elementwise(&[it.x, it.y], self.ty(it.x).dtype())
    }

    fn select(&mut self, it: &Select) -> Checked {
        let result = self.result()?;
        if let Type::Pointer(_) = result {
            self.is(it.condition, &Type::BOOL)?;
            self.is(it.x, result)?;
            return self.is(it.y, result);
        }
        self.elementwise(&[it.condition], DType::I1)?;
        self.elementwise(&[it.x, it.y], result.dtype())
    }

    fn cast(&mut self, it: &Cast) -> Checked {
        require(self.result()?.dtype() == it.to, || format!("a cast to {} gives it", it.to))?;
        self.elementwise(&[it.x], self.ty(it.x).dtype())
    }

    fn pointer_cast(&mut self, it: &PointerCast) -> Checked {
        let address = |ty: &Type| matches!(ty, Type::Pointer(_)) || *ty == Type::I64;
        require(address(self.ty(it.x)) && address(self.result()?), || {
            format!("an address is an i64 or a pointer, not {}", self.show(it.x))
        })
    }

    fn extent(&mut self, it: &Extent) -> Checked {
        self.is(it.x, &Type::I64)?;
        self.is(it.y, &Type::I64)?;
        self.gives(&Type::I64)
    }

    fn program_id(&mut self, it: &ProgramId) -> Checked {
        self.program_axis(it.axis)
    }

    fn num_programs(&mut self, it: &NumPrograms) -> Checked {
        self.program_axis(it.axis)
    }

    fn full(&mut self, it: &Full) -> Checked {
        let tile = self.result_tile()?;
        self.is(it.value, &Type::Scalar(tile.dtype))
    }

    fn arange(&mut self, _it: &Arange) -> Checked {
        let tile = self.result_tile()?;
        let fits = tile.dims.len() == 1 && tile.dtype.is_int();
        require(fits, || String::from("`arange` gives integers along one axis"))
    }

    fn reshape(&mut self, it: &Reshape) -> Checked {
        let (from, to) = (self.tile(it.x)?, self.result_tile()?);
        require(from.dtype == to.dtype, || String::from("a reshape keeps the element type"))?;
        let elements = |dims: &[Dim]| {
            let product =
                |product: i64, dim: &Dim| Some(product.saturating_mul(self.function.extent(*dim)?));
            dims.iter().try_fold(1, product)
        };
        match (elements(&from.dims), elements(&to.dims)) {
            (Some(have), Some(want)) => require(have == want, || {
                let shape = |tile: &TileType| self.function.display_shape(&tile.dims);
                format!(
                    "{have} elements of shape {} are reshaped to {}, which has {want}",
                    shape(from),
                    shape(to)
                )
            }),
            (None, _) | (_, None) => Ok(()),
        }
    }

    fn transpose(&mut self, it: &Transpose) -> Checked {
        let from = self.tile(it.x)?;
        let mut axes = it.axes.clone();
        axes.sort_unstable();
        let permutes = axes.len() == from.dims.len()
            && axes.iter().enumerate().all(|(at, axis)| at == *axis as usize);
        require(permutes, || format!("{:?} is no order of {} axes", it.axes, from.dims.len()))?;
        let dims: Vec<Dim> = it.axes.iter().map(|axis| from.dims[*axis as usize]).collect();
        self.gives_tile(&dims, from.dtype)
    }

    fn expand_dims(&mut self, it: &ExpandDims) -> Checked {
        let from = self.tile(it.x)?;
        self.axis(it.axis, from.dims.len() + 1)?;
        let mut dims = from.dims.clone();
        dims.insert(it.axis as usize, Dim::Const(1));
        self.gives_tile(&dims, from.dtype)
    }

    fn broadcast(&mut self, it: &Broadcast) -> Checked {
        let (from, to) = (self.tile(it.x)?, self.result_tile()?);
        let fits = from.dtype == to.dtype && self.broadcasts(&from.dims, &to.dims);
        require(fits, || {
            let shape = |tile: &TileType| self.function.display_shape(&tile.dims);
            format!("shape {} does not broadcast to {}", shape(from), shape(to))
        })
    }

    fn copy(&mut self, it: &Copy) -> Checked {
        self.tile(it.x)?;
        self.gives(self.ty(it.x))
    }

    fn reduce(&mut self, it: &Reduce) -> Checked {
        let from = self.tile(it.x)?;
        let mut dims = from.dims.clone();
        match it.axis {
            Some(axis) => {
                self.axis(axis, dims.len())?;
                if it.keep_dims {
                    dims[axis as usize] = Dim::Const(1);
                } else {
                    dims.remove(axis as usize);
                }
            }
            None if it.keep_dims => dims.fill(Dim::Const(1)),
            None => dims.clear(),
        }
        self.gives_tile(&dims, if it.op.gives_index() { DType::I32 } else { from.dtype })
    }

    fn slice(&mut self, it: &Slice) -> Checked {
        self.slice_of(it)
    }

    fn flip(&mut self, it: &Flip) -> Checked {
        self.axis(it.axis, self.tile(it.x)?.dims.len())?;
        self.gives(self.ty(it.x))
    }

    fn bitcast(&mut self, it: &Bitcast) -> Checked {
        self.bitcast_of(it)
    }

    fn concat(&mut self, it: &Concat) -> Checked {
        self.concat_of(it)
    }

    fn scan(&mut self, it: &Scan) -> Checked {
        let tile = self.tile(it.x)?;
        self.axis(it.axis, tile.dims.len())?;
        self.in_domain(it.op.name(), it.op.domain(), tile.dtype)?;
        self.gives(self.ty(it.x))
    }

    fn sort(&mut self, it: &Sort) -> Checked {
        self.sort_of(it)
    }

    fn gather(&mut self, it: &Gather) -> Checked {
        self.gather_of(it)
    }

    fn inspect(&mut self, it: &Inspect) -> Checked {
        self.inspect_of(it)
    }

    fn histogram(&mut self, it: &Histogram) -> Checked {
        self.histogram_of(it)
    }

    fn reduce_by(&mut self, it: &ReduceBy) -> Checked {
        self.combined((&it.xs, it.axis), it.combine, true)
    }

    fn scan_by(&mut self, it: &ScanBy) -> Checked {
        self.combined((&it.xs, it.axis), it.combine, false)
    }

    fn dot(&mut self, it: &Dot) -> Checked {
        self.dot_of(it)
    }

    fn load(&mut self, it: &Load) -> Checked {
        self.address(it.ptr, self.result_tile()?.dtype)
    }

    fn store(&mut self, it: &Store) -> Checked {
        self.no_result()?;
        self.address(it.ptr, self.tile(it.value)?.dtype)
    }

    fn gather_load(&mut self, it: &GatherLoad) -> Checked {
        self.gather_load_of(it)
    }

    fn scatter_store(&mut self, it: &ScatterStore) -> Checked {
        self.scatter_store_of(it)
    }

    fn atomic(&mut self, it: &Atomic) -> Checked {
        self.atomic_of(it)
    }

    fn dma_read(&mut self, it: &DmaRead) -> Checked {
        self.dma_read_of(it)
    }

    fn dma_write(&mut self, it: &DmaWrite) -> Checked {
        self.dma_write_of(it)
    }

    fn composite(&mut self, it: &Composite) -> Checked {
        self.composite_of(it)
    }

    fn send(&mut self, it: &Send) -> Checked {
        self.no_result()?;
        self.tile(it.src).map(drop)
    }

    fn recv(&mut self, it: &Recv) -> Checked {
        self.result_tile()?;
        match it.dst {
            Some(dst) => {
                self.tile(dst)?;
                self.gives(self.ty(dst))
            }
            None => Ok(()),
        }
    }

    fn stream(&mut self, it: &Stream) -> Checked {
        self.result_tile()?;
        let outputs = it.to.len();
        require(outputs <= MAX_STREAM_OUTPUTS, || {
            format!("a stream goes on in {outputs} directions; at most {MAX_STREAM_OUTPUTS}")
        })?;
        require(it.reduce.is_some() == it.acc.is_some(), || {
            String::from("a stream is combined with a tile by an op")
        })?;
        match it.acc {
            Some(acc) => {
                self.tile(acc)?;
                self.gives(self.ty(acc))
            }
            None => Ok(()),
        }
    }

    fn channel(&mut self, it: &Channel) -> Checked {
        let counts: Vec<usize> = it.numbers.iter().map(Vec::len).collect();
        it.verb.check(&counts)?;
        it.all_numbers().try_for_each(|number| self.is(number, &Type::I64))?;
        if it.verb.gives() { self.gives(&Type::I64) } else { self.no_result() }
    }

    fn recv_async(&mut self, _it: &RecvAsync) -> Checked {
        let is_future = matches!(self.result()?, Type::Future(_));
        require(is_future, || String::from("`recv_async` gives a future"))
    }

    fn wait(&mut self, it: &Wait) -> Checked {
        match self.ty(it.future) {
            Type::Future(tile) => self.gives(&Type::Tile(tile.clone())),
            Type::Completion => self.no_result(),
            Type::Scalar(_) | Type::Pointer(_) | Type::Tile(_) => {
                Err(format!("`wait` takes a future, not {}", self.show(it.future)))
            }
        }
    }

    fn release(&mut self, it: &Release) -> Checked {
        self.no_result()?;
        require(self.function.is_tile(it.tile), || {
            format!("`release` takes a tile, not {}", self.show(it.tile))
        })
    }

    fn assert(&mut self, it: &Assert) -> Checked {
        self.no_result()?;
        self.is(it.condition, &Type::BOOL)
    }

    fn call(&mut self, it: &Call) -> Checked {
        let Some(module) = self.module else { return Ok(()) };
        let callee = &module.functions[it.callee];
        let results = &self.function.ops[self.op].results;
        let params: Vec<&Type> = callee.params.iter().map(|param| callee.ty(param.value)).collect();
        self.call_list((&callee.name, "takes"), &it.args, &params)?;
        self.call_list((&callee.name, "gives"), results, &callee.results.iter().collect::<Vec<_>>())
    }

    fn for_loop(&mut self, _it: &For) -> Checked {
        Ok(())
    }

    fn while_loop(&mut self, _it: &While) -> Checked {
        Ok(())
    }

    fn branch(&mut self, it: &If) -> Checked {
        self.is(it.condition, &Type::BOOL)
    }

    fn yields(&mut self, _it: &Yield) -> Checked {
        self.no_result()
    }

    fn condition(&mut self, it: &Condition) -> Checked {
        self.no_result()?;
        self.is(it.condition, &Type::BOOL)
    }

    fn returns(&mut self, _it: &Return) -> Checked {
        self.no_result()
    }
}

impl Checker<'_> {
    /// Checks what goes into or comes out of a call. Extents that are values of the called
    /// function are known only once the call is inlined.
    fn call_list(&self, (name, verb): (&str, &str), values: &[Value], types: &[&Type]) -> Checked {
        require(values.len() == types.len(), || {
            format!("`{name}` {verb} {} values, not {}", types.len(), values.len())
        })?;
        for (value, ty) in values.iter().zip(types) {
            let mut open = (*ty).clone();
            let mut own = self.ty(*value).clone();
            if let (Some(open), Some(own)) = (open.tile_mut(), own.tile_mut()) {
                for (open, own) in open.dims.iter_mut().zip(&mut own.dims) {
                    if matches!(open, Dim::Value(_)) {
                        *open = *own;
                    }
                }
            }
            require(agree(self.function, &open, &own), || {
                format!("`{name}` {verb} {ty}, not {}", self.show(*value))
            })?;
        }
        Ok(())
    }
}
