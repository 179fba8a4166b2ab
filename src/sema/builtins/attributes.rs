//! What follows the dot of a value: `x.shape`, `x.to(…)`.

use super::Builtin;
use super::reflection::{TypeOf, dtype_attribute, dtype_names};
use crate::ir::{Dim, TileType};
use crate::ops::{ReduceOp, UnaryOp};
use crate::sema::analysis::Analysis;
use crate::sema::errors::{habits, names};
use crate::sema::value::{
    BlockView, Callee, Constant, Handle, HandleKind, Pointer, Spanned, Val, ViewKind,
};
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
        if let Val::Pointer(pointer) = of.val
            && let Some(val) = self.pointer_attribute(&of, &pointer, attr)
        {
            return val;
        }
        if let (Val::PointerType(dtype), "element_ty") = (&of.val, attr.name.as_str()) {
            return Val::Const(Constant::DType(*dtype));
        }
        if let Val::View(view) = &of.val {
            let view = view.clone();
            return self.view_attribute(of, &view, attr);
        }
        if let Val::Handle(handle) = &of.val {
            let handle = handle.clone();
            return self.handle_attribute(of, &handle, attr);
        }
        if let Some(dtype) = self.scalar(&of.val) {
            return match attr.name.as_str() {
                "dtype" | "type" => Val::Const(Constant::DType(dtype)),
                "shape" => Val::Tuple(Vec::new()),
                "value" if self.is_symbol(&of.val) => of.val,
                "to" => {
                    let cast = self.method("to");
                    self.as_method(of, cast)
                }
                _ => self.no_attribute(&of, attr),
            };
        }
        if let Val::Const(Constant::DType(dtype)) = &of.val {
            let dtype = *dtype;
            return match dtype_attribute((dtype, TypeOf::Element), &attr.name) {
                Some(val) => val,
                None => self.no_attribute_of_type(&of, attr),
            };
        }
        // What the compiler holds is its own value.
        let held = matches!(of.val, Val::Const(_) | Val::Tuple(_));
        if attr.name == "value" && held {
            return of.val;
        }
        self.no_attribute(&of, attr)
    }

    /// What a pointer has, or a tile of them.
    fn pointer_attribute(&self, of: &Spanned, pointer: &Pointer, attr: &Ident) -> Option<Val> {
        match attr.name.as_str() {
            "dtype" | "type" => Some(Val::PointerType(pointer.dtype)),
            "shape" => {
                Some(Val::Tuple(self.pointer_dims(pointer).into_iter().map(dim_val).collect()))
            }
            "to" => Some(self.as_method(of.clone(), self.method("to"))),
            _ => None,
        }
    }

    /// What a descriptor or block pointer has.
    fn view_attribute(&mut self, of: Spanned, view: &BlockView, attr: &Ident) -> Val {
        let descriptor = view.kind == ViewKind::Descriptor;
        match attr.name.as_str() {
            "dtype" => Val::Const(Constant::DType(view.base.dtype)),
            "shape" if view.kind == ViewKind::Reference => Val::Tuple(view.block.clone()),
            "shape" if descriptor => Val::Tuple(view.shape.clone()),
            "strides" if descriptor => Val::Tuple(view.strides.clone()),
            "block_shape" if descriptor => Val::Tuple(view.block.clone()),
            name => match Builtin::of_descriptor(name).filter(|_| descriptor) {
                Some(method) => self.as_method(of, Some(Callee::Builtin(method))),
                None => self.no_attribute(&of, attr),
            },
        }
    }

    /// What a rank, a channel, a buffer, … has.
    fn handle_attribute(&mut self, of: Spanned, handle: &Handle, attr: &Ident) -> Val {
        if handle.kind == HandleKind::Rank && attr.name == "id" {
            return handle.parts.first().cloned().unwrap_or(Val::Error);
        }
        match Builtin::of_handle(handle.kind, &attr.name) {
            Some(method) => self.as_method(of, Some(Callee::Builtin(method))),
            None => {
                let known = Builtin::handle_methods(handle.kind).collect();
                let found = self.describe(&of.val);
                self.report(names::unknown_attribute(&attr.name, &found, attr.span, known))
            }
        }
    }

    /// `x.type.attr`, `pointer.dtype.attr`: of the type of a tile, a scalar or a pointer.
    pub(in crate::sema) fn attribute_of_type(&mut self, of: &Spanned, attr: &Ident) -> Option<Val> {
        let tile = self.tile(&of.val).cloned();
        let pointer = if let Val::Pointer(pointer) = &of.val { Some(pointer.dtype) } else { None };
        let (dtype, kind) = match (&tile, pointer) {
            (_, Some(dtype)) => (dtype, TypeOf::Pointer),
            (Some(tile), None) if tile.dims.is_empty() => (tile.dtype, TypeOf::Element),
            (Some(tile), None) => (tile.dtype, TypeOf::Tile),
            (None, None) => (self.scalar(&of.val)?, TypeOf::Element),
        };
        let extents = |tile: TileType| Val::Tuple(tile.dims.into_iter().map(dim_val).collect());
        let element = || Some(Val::Const(Constant::DType(dtype)));
        match (attr.name.as_str(), tile, kind) {
            ("shape", Some(tile), _) => Some(extents(tile)),
            ("numel", Some(tile), _) => Some(dim_val(self.product(&tile.dims, of.span))),
            ("element_ty", _, TypeOf::Pointer | TypeOf::Tile) => element(),
            ("scalar", _, TypeOf::Tile | TypeOf::Element) => element(),
            (name, _, kind) => dtype_attribute((dtype, kind), name),
        }
    }

    fn no_attribute_of_type(&mut self, of: &Spanned, attr: &Ident) -> Val {
        let found = self.describe(&of.val);
        let known = dtype_names().collect();
        self.report(names::unknown_attribute(&attr.name, &found, attr.span, known))
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
                ViewKind::Reference => vec!["dtype", "shape"],
            }
        } else if tile {
            PROPERTIES.into_iter().chain(METHODS.iter().copied()).chain(["to"]).collect()
        } else {
            vec!["dtype", "to"]
        };
        self.report(names::unknown_attribute(&attr.name, &found, attr.span, known))
    }
}

pub(super) fn dim_val(dim: Dim) -> Val {
    match dim {
        Dim::Const(extent) => Val::int(extent),
        Dim::Value(value) => Val::Value(value),
    }
}
