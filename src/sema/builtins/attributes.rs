//! What follows the dot of a value: `x.shape`, `x.to(…)`.

use super::Builtin;
use crate::dtype::DType;
use crate::ir::{Dim, TileType};
use crate::ops::{ReduceOp, UnaryOp};
use crate::sema::analysis::Analysis;
use crate::sema::errors::{habits, names};
use crate::sema::value::{BlockView, Callee, Constant, Spanned, Val, ViewKind};
use crate::syntax::ast::Ident;

/// Functions of `tl` that are methods of tiles, too.
const METHODS: &[&str] = &[
    "cast",
    "reshape",
    "view",
    "ravel",
    "trans",
    "permute",
    "broadcast_to",
    "expand_dims",
    "unsqueeze",
    "squeeze",
    "split",
    "flip",
    "gather",
    "item",
    "softmax",
    "dot",
    "abs",
    "sort",
    "topk",
    "histogram",
    "reduce",
    "associative_scan",
    "cumsum",
    "cumprod",
];

/// Functions of `lib/tl.kb` that are methods of tiles, too.
const WRITTEN_METHODS: [&str; 1] = ["sqrt_rn"];

/// What tiles have beside methods.
const PROPERTIES: [&str; 4] = ["shape", "dtype", "numel", "T"];

/// What tensor descriptors have beside methods.
const VIEW_PROPERTIES: [&str; 4] = ["shape", "strides", "block_shape", "dtype"];

/// The built-in that is the method `name` of tiles.
fn built_in_method(name: &str) -> Option<Builtin> {
    if name == "to" {
        return Builtin::of_tl("cast");
    }
    let listed = METHODS.contains(&name).then(|| Builtin::of_tl(name)).flatten();
    listed
        .or_else(|| UnaryOp::from_name(name).map(Builtin::Unary))
        .or_else(|| ReduceOp::from_name(name).map(Builtin::Reduce))
}

impl Analysis<'_> {
    /// `of.attr`.
    pub(in crate::sema) fn attribute_of(&mut self, of: Spanned, attr: &Ident) -> Val {
        if let Some(tile) = self.tile(&of.val).cloned() {
            return self.tile_attribute(of, &tile, attr);
        }
        if let Val::View(view) = &of.val {
            let view = view.clone();
            return self.view_attribute(of, &view, attr);
        }
        if let Some(dtype) = self.scalar(&of.val) {
            return match attr.name.as_str() {
                "dtype" => Val::Const(Constant::DType(dtype)),
                "shape" => Val::Tuple(Vec::new()),
                "to" => {
                    let cast = self.method("to");
                    self.as_method(of, cast)
                }
                _ => self.no_attribute(&of, attr),
            };
        }
        if let Val::Const(Constant::DType(dtype)) = &of.val
            && let Some(val) = dtype_attribute(*dtype, &attr.name)
        {
            return val;
        }
        self.no_attribute(&of, attr)
    }

    /// What a descriptor or block pointer has.
    fn view_attribute(&mut self, of: Spanned, view: &BlockView, attr: &Ident) -> Val {
        let descriptor = view.kind == ViewKind::Descriptor;
        match attr.name.as_str() {
            "dtype" => Val::Const(Constant::DType(view.base.dtype)),
            "shape" if descriptor => Val::Tuple(view.shape.clone()),
            "strides" if descriptor => Val::Tuple(view.strides.clone()),
            "block_shape" if descriptor => Val::Tuple(view.block.clone()),
            name => match Builtin::of_descriptor(name).filter(|_| descriptor) {
                Some(method) => self.as_method(of, Some(Callee::Builtin(method))),
                None => self.no_attribute(&of, attr),
            },
        }
    }

    fn as_method(&self, of: Spanned, callee: Option<Callee>) -> Val {
        callee.map_or(Val::Error, |callee| Val::Method(Box::new(of.val), callee))
    }

    /// The method `name` of tiles.
    fn method(&self, name: &str) -> Option<Callee> {
        let written = || {
            let listed = WRITTEN_METHODS.contains(&name).then(|| self.program.written("tl", name));
            if let Some(Val::Function(at)) = listed.flatten() {
                Some(Callee::Function(at))
            } else {
                None
            }
        };
        built_in_method(name).map(Callee::Builtin).or_else(written)
    }

    fn tile_attribute(&mut self, of: Spanned, tile: &TileType, attr: &Ident) -> Val {
        match attr.name.as_str() {
            "shape" => Val::Tuple(tile.dims.iter().map(|dim| dim_val(*dim)).collect()),
            "dtype" => Val::Const(Constant::DType(tile.dtype)),
            "numel" => dim_val(self.product(&tile.dims, of.span)),
            "T" => self.transpose_attribute(&of),
            name => match (self.method(name), habits::tile_method(name, attr.span)) {
                (Some(callee), _) => self.as_method(of, Some(callee)),
                (None, Some(error)) => self.report(error),
                (None, None) => self.no_attribute(&of, attr),
            },
        }
    }

    fn no_attribute(&mut self, of: &Spanned, attr: &Ident) -> Val {
        let found = self.describe(&of.val);
        let tile = self.tile(&of.val).is_some();
        let known: Vec<&str> = if let Val::View(view) = &of.val {
            let methods = Builtin::descriptor_methods();
            match view.kind {
                ViewKind::Descriptor => VIEW_PROPERTIES.into_iter().chain(methods).collect(),
                ViewKind::BlockPointer => vec!["dtype"],
            }
        } else if tile {
            PROPERTIES.into_iter().chain(METHODS.iter().copied()).chain(["to"]).collect()
        } else {
            vec!["dtype", "to"]
        };
        self.report(names::unknown_attribute(&attr.name, &found, attr.span, known))
    }
}

fn dim_val(dim: Dim) -> Val {
    match dim {
        Dim::Const(extent) => Val::int(extent),
        Dim::Value(value) => Val::Value(value),
    }
}

fn dtype_attribute(dtype: DType, name: &str) -> Option<Val> {
    let flag = |value: bool| Some(Val::Const(Constant::Bool(value)));
    match name {
        "primitive_bitwidth" => Some(Val::int(dtype.bits())),
        "itemsize" => Some(Val::int(i128::from(dtype.bytes()))),
        "name" => Some(Val::Const(Constant::Str(dtype.tl_name().to_owned()))),
        "is_float" => flag(dtype.is_float()),
        _ => None,
    }
}
