//! Values in the words of the language, for messages.

use super::analysis::Analysis;
use super::value::{BlockView, Callee, Constant, Pointer, Val, ViewKind};
use crate::dtype::DType;
use crate::ir::{Dim, TileType, Type};
use crate::source::Span;

/// `a` or `an`, for a word that follows.
fn article(word: &str) -> &'static str {
    let vowel = matches!(word.chars().next(), Some('a' | 'e' | 'i' | 'o' | 'f'));
    if vowel { "an" } else { "a" }
}

/// An element type with its article: `an f16`, `a bf16`.
pub(super) fn a_dtype(dtype: DType) -> String {
    format!("{} {dtype}", article(dtype.name()))
}

/// A constant as it is written.
pub(super) fn constant(constant: &Constant) -> String {
    match constant {
        Constant::None => String::from("None"),
        Constant::Bool(true) => String::from("True"),
        Constant::Bool(false) => String::from("False"),
        Constant::Int(value) => value.to_string(),
        Constant::Float(value) => format!("{value:?}"),
        Constant::Str(text) => format!("{text:?}"),
        Constant::DType(dtype) => dtype.to_string(),
    }
}

impl Analysis<'_> {
    /// What `val` is: "an f16 tile of shape [64, n]".
    pub(super) fn describe(&self, val: &Val) -> String {
        match val {
            Val::Error => String::from("a value in error"),
            Val::Const(it) => describe_constant(it),
            Val::Tuple(items) if items.len() == 1 => String::from("a tuple of 1 item"),
            Val::Tuple(items) => format!("a tuple of {} items", items.len()),
            Val::Value(value) => self.describe_type(self.ty(*value)),
            Val::Pointer(pointer) => self.describe_pointer(pointer),
            Val::View(view) => self.describe_view(view),
            Val::Handle(handle) => handle.kind.text().to_owned(),
            Val::PointerType(dtype) => format!("the type of pointers to {dtype}"),
            Val::Function(at) => format!("the function `{}`", self.program.function(*at).name.name),
            Val::Builtin(it) => format!("the built-in `{}`", it.display_name()),
            Val::Method(_, Callee::Builtin(it)) => format!("the method `{}`", it.name()),
            Val::Method(_, Callee::Function(at)) => {
                format!("the method `{}`", self.program.function(*at).name.name)
            }
            Val::Namespace(it) => format!("the module {}", super::program::namespace_name(*it)),
            Val::Range(_) => String::from("a range"),
        }
    }

    fn describe_pointer(&self, pointer: &Pointer) -> String {
        match pointer.offsets.and_then(|it| self.ty(it).tile()) {
            Some(tile) if !tile.dims.is_empty() => {
                let shape = self.shape_text(&tile.dims);
                format!("a tile of pointers to {} of shape {shape}", pointer.dtype)
            }
            Some(_) | None => format!("a pointer to {}", pointer.dtype),
        }
    }

    fn describe_view(&self, view: &BlockView) -> String {
        let block: Vec<String> = view.block.iter().map(|extent| self.extent_text(extent)).collect();
        let what = match view.kind {
            ViewKind::Descriptor => "a tensor descriptor",
            ViewKind::BlockPointer => "a block pointer",
            ViewKind::Reference => {
                return format!("a reference to {} [{}]", view.base.dtype, block.join(", "));
            }
        };
        format!("{what} of {} blocks [{}]", view.base.dtype, block.join(", "))
    }

    /// An extent as messages show it.
    fn extent_text(&self, extent: &Val) -> String {
        match (extent.constant(), extent.value()) {
            (Some(known), _) => constant(known),
            (None, Some(value)) => self.dim_text(Dim::Value(value)),
            (None, None) => String::from("?"),
        }
    }

    /// A type in words.
    pub(super) fn describe_type(&self, ty: &Type) -> String {
        match ty {
            Type::Scalar(dtype) => format!("{} scalar", a_dtype(*dtype)),
            Type::Pointer(dtype) => format!("a pointer to {dtype}"),
            Type::Tile(tile) => {
                format!("{} tile of shape {}", a_dtype(tile.dtype), self.shape_text(&tile.dims))
            }
            Type::Future(tile) => format!("a future of {}", self.describe_tile(tile)),
            Type::Completion => String::from("the future of a composite"),
        }
    }

    /// A tile type in words.
    pub(super) fn describe_tile(&self, tile: &TileType) -> String {
        format!("{} tile of shape {}", a_dtype(tile.dtype), self.shape_text(&tile.dims))
    }

    /// `[64, n_elem]`.
    pub(super) fn shape_text(&self, dims: &[Dim]) -> String {
        let dims: Vec<String> = dims.iter().map(|dim| self.dim_text(*dim)).collect();
        format!("[{}]", dims.join(", "))
    }

    /// `64`, `n_elem`, or `?` for what has no name.
    pub(super) fn dim_text(&self, dim: Dim) -> String {
        match dim {
            Dim::Const(extent) => extent.to_string(),
            Dim::Value(value) => {
                let name = self.frame.build.func.values[value].name.clone();
                name.unwrap_or_else(|| String::from("?"))
            }
        }
    }

    /// The element type of a scalar or tile: `f16`; other values in words.
    pub(super) fn element_text(&self, val: &Val) -> String {
        match val.value() {
            Some(value) => self.ty(value).dtype().to_string(),
            None => self.describe(val),
        }
    }

    /// The text that made a scalar or tile, and a label that gives its element type.
    pub(super) fn dtype_label(&self, val: &Val) -> (Span, String) {
        let Some(value) = val.value() else { return (Span::NONE, String::new()) };
        let dtype = self.ty(value).dtype();
        let text = match &self.frame.build.func.values[value].name {
            Some(name) => format!("`{name}` is {dtype}"),
            None => format!("this is {dtype}"),
        };
        (self.frame.build.span_of(value), text)
    }

    /// The text that made a tile, and a label that gives its shape: "`a` is [64, 32]".
    pub(super) fn shape_label(&self, val: &Val) -> (Span, String) {
        let Some((value, tile)) = val.value().zip(self.tile(val)) else {
            return (Span::NONE, String::new());
        };
        let shape = self.shape_text(&tile.dims);
        let name = &self.frame.build.func.values[value].name;
        let text = match name {
            Some(name) => format!("`{name}` has shape {shape}"),
            None => format!("this has shape {shape}"),
        };
        (self.frame.build.span_of(value), text)
    }
}

fn describe_constant(it: &Constant) -> String {
    match it {
        Constant::None | Constant::Bool(_) => format!("`{}`", constant(it)),
        Constant::Int(_) => format!("the integer {}", constant(it)),
        Constant::Float(_) => format!("the float {}", constant(it)),
        Constant::Str(_) => format!("the string {}", constant(it)),
        Constant::DType(_) => format!("the element type {}", constant(it)),
    }
}
