//! Joins the two paths of a branch: what both bound to a name becomes one value.

use std::collections::BTreeSet;

use super::analysis::{Analysis, Style};
use super::errors::control as errors;
use super::promote;
use super::scope::{Binding, Changes, Gone, Loss, Slot};
use super::value::{BlockView, Constant, Handle, HandleKind, Pointer, Spanned, Val};
use crate::dtype::DType;
use crate::ir::{self, BlockId, Dim, TileType, Type, Value};
use crate::source::Span;

/// One path, analysed.
pub(super) struct Path {
    /// Its ops.
    pub(super) block: BlockId,
    /// The names it changed.
    pub(super) changes: Changes,
    /// The value it gives: of an arm of `a if c else b`, or returned.
    pub(super) val: Val,
    /// The text it is, for messages.
    pub(super) span: Span,
}

/// A value after the join, made of the branch's results.
enum Joined {
    Keep(Val),
    Result(usize),
    Pointer(usize, Option<usize>, Pointer),
    /// The parts of a view.
    View(Box<Joined>, Box<BlockView>),
    /// The numbers of a handle.
    Handle(HandleKind, Vec<Joined>),
    Tuple(Vec<Joined>),
}

/// Why two values do not join.
enum Apart {
    /// Both are known to the compiler and differ.
    Constants,
    /// Their types differ.
    Types,
    /// An extent is computed on a path, and nothing outside equals it.
    LocalExtent,
    /// Already said.
    Said,
}

/// What the two paths yield.
#[derive(Default)]
struct Yields {
    then: Vec<Value>,
    otherwise: Vec<Value>,
    types: Vec<Type>,
}

impl Analysis<'_> {
    /// Analyses one path of a branch in a block of its own.
    pub(super) fn path(&mut self, span: Span, run: impl FnOnce(&mut Self) -> Val) -> Path {
        let block = self.frame.build.open();
        self.frame.scope.enter();
        let val = run(self);
        let changes = self.frame.scope.leave();
        self.frame.build.close();
        Path { block, changes, val, span }
    }

    /// Makes the branch on `condition` and binds what its paths changed. Returns the joined value
    /// of the paths. `keep` says which names are read afterwards.
    pub(super) fn join(
        &mut self,
        condition: Value,
        span: Span,
        paths: &[Path; 2],
        keep: &dyn Fn(&Self, &str) -> bool,
    ) -> Val {
        let [then, otherwise] = paths;
        let mut yields = Yields::default();
        let names: BTreeSet<String> =
            then.changes.keys().chain(otherwise.changes.keys()).cloned().collect();
        let mut joined = Vec::new();
        for name in names {
            if keep(self, &name) {
                let slot = self.join_name(&name, span, paths, &mut yields);
                joined.push((name, slot));
            }
        }
        let val = match self.join_val(&then.val, &otherwise.val, paths, &mut yields) {
            Ok(joined) => joined,
            Err(apart) => {
                let ends = [(&then.val, then.span), (&otherwise.val, otherwise.span)];
                Joined::Keep(self.values_apart(apart, "the value", ends, span))
            }
        };
        let results = self.make_branch(condition, span, paths, yields);
        for (name, slot) in joined {
            let slot = match slot {
                Err(gone) => Slot::Gone(gone),
                Ok((joined, span)) => {
                    let val = self.assemble(&joined, &results, &name);
                    Slot::Bound(Binding { val, span, constexpr: false })
                }
            };
            self.frame.scope.set(&name, slot);
        }
        self.assemble(&val, &results, "")
    }

    fn make_branch(
        &mut self,
        condition: Value,
        span: Span,
        [then, otherwise]: &[Path; 2],
        yields: Yields,
    ) -> Vec<Value> {
        let ends: Vec<[Value; 2]> =
            yields.then.iter().zip(&yields.otherwise).map(|(x, y)| [*x, *y]).collect();
        for (path, values) in [(then, yields.then), (otherwise, yields.otherwise)] {
            self.frame.build.resume(path.block);
            self.frame.build.emit(ir::Yield { values }, Vec::new(), span);
            self.frame.build.close();
        }
        let op = ir::If { condition, then: then.block, otherwise: otherwise.block };
        let id = self.frame.build.emit(op, yields.types, span);
        let results = self.frame.build.func.ops[id].results.clone();
        for (result, ends) in results.iter().zip(ends) {
            self.frame.pointers.derive(*result, &ends);
        }
        results
    }

    fn assemble(&mut self, joined: &Joined, results: &[Value], name: &str) -> Val {
        let result = |index: &usize| *results.get(*index).expect("a branch gives what it yields");
        match joined {
            Joined::Keep(val) => val.clone(),
            Joined::Result(index) => {
                let value = result(index);
                if !name.is_empty() {
                    self.frame.build.name(value, name);
                }
                Val::Value(value)
            }
            Joined::Pointer(index, offsets, pointer) => {
                let offsets = offsets.as_ref().map(result).or(pointer.offsets);
                Val::Pointer(Pointer { address: result(index), offsets, ..*pointer })
            }
            Joined::View(parts, view) => {
                let parts = self.assemble(parts, results, "");
                Val::View(Box::new(view.with_parts(&parts)))
            }
            Joined::Handle(kind, parts) => {
                let parts = parts.iter().map(|it| self.assemble(it, results, "")).collect();
                Handle::val(*kind, parts)
            }
            Joined::Tuple(items) => {
                Val::Tuple(items.iter().map(|it| self.assemble(it, results, "")).collect())
            }
        }
    }

    fn join_name(
        &mut self,
        name: &str,
        span: Span,
        paths: &[Path; 2],
        yields: &mut Yields,
    ) -> Result<(Joined, Span), Gone> {
        let [then, otherwise] = paths;
        let before = self.frame.scope.get(name).cloned();
        let slot = |path: &Path| path.changes.get(name).cloned().or_else(|| before.clone());
        let (x, y) = match (slot(then), slot(otherwise)) {
            (Some(Slot::Bound(x)), Some(Slot::Bound(y))) => (x, y),
            (Some(Slot::Gone(gone)), _) | (_, Some(Slot::Gone(gone))) => return Err(gone),
            (Some(Slot::Bound(it)), None) | (None, Some(Slot::Bound(it))) => {
                if it.val.is_error() {
                    return Ok((Joined::Keep(Val::Error), it.span));
                }
                return Err(Gone { why: Loss::OnePath, bound: it.span, by: span });
            }
            (None, None) => return Err(Gone { why: Loss::OnePath, bound: span, by: span }),
        };
        match self.join_val(&x.val, &y.val, paths, yields) {
            Ok(joined) => Ok((joined, x.span)),
            Err(Apart::Constants) => Err(Gone { why: Loss::Differs, bound: x.span, by: span }),
            Err(apart) => {
                let what = format!("`{name}`");
                let ends = [(&x.val, x.span), (&y.val, y.span)];
                Ok((Joined::Keep(self.values_apart(apart, &what, ends, span)), x.span))
            }
        }
    }

    fn values_apart(
        &mut self,
        apart: Apart,
        what: &str,
        ends: [(&Val, Span); 2],
        span: Span,
    ) -> Val {
        let found = ends.map(|(val, at)| (at, self.describe(val)));
        match apart {
            Apart::Said => Val::Error,
            Apart::LocalExtent => self.report(errors::local_extent(what, span, &found)),
            Apart::Types | Apart::Constants => {
                self.report(errors::paths_differ(what, span, &found))
            }
        }
    }

    fn join_val(
        &mut self,
        x: &Val,
        y: &Val,
        paths: &[Path; 2],
        yields: &mut Yields,
    ) -> Result<Joined, Apart> {
        if x.is_error() || y.is_error() {
            return Ok(Joined::Keep(Val::Error));
        }
        if x.is_same(y) {
            return Ok(Joined::Keep(x.clone()));
        }
        match (x, y) {
            (Val::Tuple(xs), Val::Tuple(ys)) if xs.len() == ys.len() => xs
                .iter()
                .zip(ys)
                .map(|(x, y)| self.join_val(x, y, paths, yields))
                .collect::<Result<Vec<Joined>, Apart>>()
                .map(Joined::Tuple),
            (Val::Pointer(x), Val::Pointer(y)) if x.dtype == y.dtype => {
                self.join_pointers((x, y), paths, yields)
            }
            (Val::View(x), Val::View(y)) if x.is_like(y) => {
                let parts = self.join_val(&x.parts(), &y.parts(), paths, yields)?;
                Ok(Joined::View(Box::new(parts), x.clone()))
            }
            (Val::Handle(x), Val::Handle(y))
                if x.kind == y.kind && x.parts.len() == y.parts.len() =>
            {
                let both = x.parts.iter().zip(&y.parts);
                both.map(|(x, y)| self.join_val(x, y, paths, yields))
                    .collect::<Result<Vec<Joined>, Apart>>()
                    .map(|parts| Joined::Handle(x.kind, parts))
            }
            (Val::Value(a), Val::Value(b)) => {
                match (self.single_element(*a), self.single_element(*b)) {
                    (Some((a, first)), Some((b, second))) if a == b && first != second => {
                        self.join_elements((x, y), a, paths, yields)
                    }
                    _ => self.join_values((*a, *b), paths, yields),
                }
            }
            (Val::Const(a), Val::Const(b)) if a.is_number() && b.is_number() => {
                let dtype = self.dtype_of_both(a, b).ok_or(Apart::Types)?;
                self.join_scalars((x, y), dtype, paths, yields)
            }
            (Val::Const(number), Val::Value(value)) | (Val::Value(value), Val::Const(number)) => {
                let (dtype, element) = self.single_element(*value).ok_or(Apart::Types)?;
                if !self.adopts(number, dtype) {
                    return Err(Apart::Types);
                }
                match element {
                    true => self.join_elements((x, y), dtype, paths, yields),
                    false => self.join_scalars((x, y), dtype, paths, yields),
                }
            }
            (Val::Const(_), Val::Const(_)) => Err(Apart::Constants),
            _ if x.leaves().is_empty() && y.leaves().is_empty() => Err(Apart::Constants),
            _ => Err(Apart::Types),
        }
    }

    /// Pointers to one type join address by address, and offset by offset.
    fn join_pointers(
        &mut self,
        (x, y): (&Pointer, &Pointer),
        paths: &[Path; 2],
        yields: &mut Yields,
    ) -> Result<Joined, Apart> {
        let offsets = match (x.offsets, y.offsets) {
            (None, None) => None,
            (Some(a), Some(b)) if a == b => None,
            (Some(a), Some(b)) => match self.join_values((a, b), paths, yields)? {
                Joined::Result(index) => Some(index),
                Joined::Keep(_)
                | Joined::Pointer(..)
                | Joined::View(..)
                | Joined::Handle(..)
                | Joined::Tuple(_) => None,
            },
            (Some(_), None) | (None, Some(_)) => return Err(Apart::Types),
        };
        let index = self.add_yield(yields, (x.address, y.address), Type::Pointer(x.dtype));
        Ok(Joined::Pointer(index, offsets, *x))
    }

    /// The type in which two numbers that differ become one scalar.
    pub(super) fn dtype_of_both(&self, a: &Constant, b: &Constant) -> Option<DType> {
        let kind = |it: &Constant| match it {
            Constant::Bool(_) => 0,
            Constant::Float(_) => 2,
            Constant::Int(_) | Constant::None | Constant::Str(_) | Constant::DType(_) => 1,
        };
        if self.frame.style == Style::Jit && kind(a) != kind(b) {
            return None;
        }
        Some(match (kind(a).max(kind(b)), self.frame.style) {
            (0, _) => DType::I1,
            (1, Style::Tl) => DType::I64,
            (1, Style::Jit) => self.int_dtype_of_both(a, b),
            (_, Style::Tl) => DType::F64,
            (_, Style::Jit) => DType::F32,
        })
    }

    /// The type that holds two integers, each typed by its value.
    fn int_dtype_of_both(&self, a: &Constant, b: &Constant) -> DType {
        let dtype = |it: &Constant| it.as_int().and_then(promote::int_dtype).unwrap_or(DType::I64);
        promote::promote(dtype(a), dtype(b), promote::Rule::Arithmetic).unwrap_or(DType::I64)
    }

    /// Whether the number `constant` may stand where a scalar of type `dtype` is.
    pub(super) fn adopts(&self, constant: &Constant, dtype: DType) -> bool {
        match (constant, self.frame.style) {
            (Constant::Float(_), _) => dtype.is_float(),
            (Constant::Int(_), Style::Tl) => dtype != DType::I1,
            (Constant::Int(_), Style::Jit) => dtype.is_int() && dtype != DType::I1,
            (Constant::Bool(_), Style::Tl) => true,
            (Constant::Bool(_), Style::Jit) => dtype == DType::I1,
            (Constant::None | Constant::Str(_) | Constant::DType(_), _) => false,
        }
    }

    fn add_yield(&mut self, yields: &mut Yields, (x, y): (Value, Value), ty: Type) -> usize {
        yields.then.push(x);
        yields.otherwise.push(y);
        yields.types.push(ty);
        yields.types.len() - 1
    }

    fn join_scalars(
        &mut self,
        (x, y): (&Val, &Val),
        dtype: DType,
        [then, otherwise]: &[Path; 2],
        yields: &mut Yields,
    ) -> Result<Joined, Apart> {
        let x = self.within(then, |it, span| it.as_dtype(&Spanned { val: x.clone(), span }, dtype));
        let y = self
            .within(otherwise, |it, span| it.as_dtype(&Spanned { val: y.clone(), span }, dtype));
        let both = x.zip(y).ok_or(Apart::Said)?;
        Ok(Joined::Result(self.add_yield(yields, both, Type::Scalar(dtype))))
    }

    /// A scalar or number, and a tile of rank 0, as tiles of rank 0.
    fn join_elements(
        &mut self,
        (x, y): (&Val, &Val),
        dtype: DType,
        [then, otherwise]: &[Path; 2],
        yields: &mut Yields,
    ) -> Result<Joined, Apart> {
        let element = |it: &mut Self, val: &Val, span| {
            let value = it.as_dtype(&Spanned { val: val.clone(), span }, dtype)?;
            Some(if it.tile(val).is_some() { value } else { it.lift(value, span) })
        };
        let x = self.within(then, |it, span| element(it, x, span));
        let y = self.within(otherwise, |it, span| element(it, y, span));
        let both = x.zip(y).ok_or(Apart::Said)?;
        let ty = Type::Tile(TileType::new(Vec::new(), dtype));
        Ok(Joined::Result(self.add_yield(yields, both, ty)))
    }

    /// Adds ops to the end of a path.
    fn within<T>(&mut self, path: &Path, run: impl FnOnce(&mut Self, Span) -> T) -> T {
        self.frame.build.resume(path.block);
        let result = run(self, path.span);
        self.frame.build.close();
        result
    }

    fn join_values(
        &mut self,
        (a, b): (Value, Value),
        paths: &[Path; 2],
        yields: &mut Yields,
    ) -> Result<Joined, Apart> {
        let (ty_a, ty_b) = (self.ty(a).clone(), self.ty(b).clone());
        let (both, ty) = match (&ty_a, &ty_b) {
            (Type::Scalar(x), Type::Scalar(y)) if x == y => ((a, b), ty_a),
            (Type::Tile(x), Type::Tile(y)) if x.dtype == y.dtype => {
                let dims = self.join_dims(x, y)?;
                let [then, otherwise] = paths;
                let what = "the tiles that two paths give";
                let a = self.within(then, |it, span| it.retype(what, a, &dims, span));
                let b = self.within(otherwise, |it, span| it.retype(what, b, &dims, span));
                (a.zip(b).ok_or(Apart::Types)?, Type::Tile(TileType::new(dims, x.dtype)))
            }
            (Type::Completion, Type::Completion) => ((a, b), ty_a),
            (Type::Future(x), Type::Future(y)) if x == y && self.dims_visible(&x.dims) => {
                ((a, b), ty_a)
            }
            _ => return Err(Apart::Types),
        };
        Ok(Joined::Result(self.add_yield(yields, both, ty)))
    }

    fn dims_visible(&self, dims: &[Dim]) -> bool {
        dims.iter().all(|dim| match dim {
            Dim::Const(_) => true,
            Dim::Value(value) => self.frame.build.is_visible(*value),
        })
    }

    /// The shape of the joined tile, in extents that are known outside of the paths.
    fn join_dims(&self, x: &TileType, y: &TileType) -> Result<Vec<Dim>, Apart> {
        if x.dims.len() != y.dims.len() {
            return Err(Apart::Types);
        }
        let join = |(x, y): (&Dim, &Dim)| {
            if let (Dim::Const(a), Dim::Const(b)) = (x, y)
                && a != b
            {
                return Err(Apart::Types);
            }
            let known = [x, y].into_iter().find(|it| matches!(it, Dim::Const(_)));
            let visible = [x, y].into_iter().find(|it| self.dims_visible(&[**it]));
            known.or(visible).copied().ok_or(Apart::LocalExtent)
        };
        x.dims.iter().zip(&y.dims).map(join).collect()
    }
}
