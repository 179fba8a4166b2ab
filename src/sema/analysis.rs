//! The state of an analysis: the program, what has been said, and the function being built.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Input;
use super::builder::Builder;
use super::calls::Instances;
use super::errors;
use super::liveness::Liveness;
use super::pointers::Pointers;
use super::program::{FunctionRef, Program, UnitId};
use super::scope::{Binding, Scope, Slot};
use super::symbols::{Assumed, Symbols};
use super::value::Val;
use crate::diag::{Diagnostic, Sink};
use crate::dtype::DType;
use crate::ir;
use crate::source::Span;
use crate::syntax::ast::{self, ExprId, ExprKind};

/// The deepest nesting of statements, expressions and calls that is analysed.
const MAX_DEPTH: u32 = 300;

/// How many calls a message in a helper names, the innermost first.
const CALLS_SHOWN: usize = 4;

/// The most iterations that are written out, in all of one kernel.
pub(super) const MAX_UNROLLED: u64 = 4096;

/// How a function was written, which decides what a pointer counts and how numbers meet tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Style {
    /// Last parameter `tl`: addresses are integers that count bytes; scalars are Python numbers.
    Tl,
    /// `@triton.jit`: pointers count elements; scalars have Triton's types.
    Jit,
}

/// The analysis of one program.
pub(super) struct Analysis<'p> {
    /// The files.
    pub(super) program: &'p Program<'p>,
    /// What is known of parameters.
    pub(super) input: &'p Input<'p>,
    /// What has been said of the kernel being analysed.
    pub(super) sink: Sink,
    /// How many errors are among it.
    pub(super) errors: usize,
    /// The helpers made so far.
    pub(super) instances: Instances,
    /// The function being built.
    pub(super) frame: Frame<'p>,
    /// Iterations written out so far.
    pub(super) unrolled: u64,
    /// What is assumed of `tl.constexpr` parameters from here on.
    pub(super) assumed: Assumed,
    /// Names that loops carry as tiles of rank 0 although scalars begin them, by loop: what a turn
    /// makes of them depends on data.
    pub(super) lifted: BTreeSet<(Span, String)>,
    /// The names of top levels being evaluated.
    pub(super) evaluating: Vec<(UnitId, ExprId)>,
    /// Whether a dict may stand here: among the arguments of a composite.
    pub(super) dicts: bool,
    depth: u32,
    too_deep: bool,
}

/// A function being built.
pub(super) struct Frame<'p> {
    /// Which.
    pub(super) at: FunctionRef,
    /// The file whose names are looked up.
    pub(super) unit: UnitId,
    /// How it is analysed; a library function takes its caller's style.
    pub(super) style: Style,
    /// Its IR.
    pub(super) build: Builder,
    /// Its names.
    pub(super) scope: Scope,
    /// What of them is read where.
    pub(super) liveness: Rc<Liveness<'p>>,
    /// Every name that it binds somewhere, with the first place.
    pub(super) bound: Rc<BTreeMap<&'p str, Span>>,
    /// How many loops are around the current statement.
    pub(super) loops: Vec<Span>,
    /// Whether a launch may name it.
    pub(super) is_kernel: bool,
    /// What is known of its integers that are pointers.
    pub(super) pointers: Pointers,
    /// Which of its values are made of `tl.constexpr` parameters alone.
    pub(super) symbols: Symbols,
    /// The call that is being analysed, and the frame of its caller.
    pub(super) caller: Option<(Span, Box<Frame<'p>>)>,
}

impl<'p> Analysis<'p> {
    /// Nothing analysed yet; `frame` is the first function.
    pub(super) fn new(
        program: &'p Program<'p>,
        input: &'p Input<'p>,
        instances: Instances,
        frame: Frame<'p>,
    ) -> Analysis<'p> {
        Analysis {
            program,
            input,
            sink: Sink::new(),
            errors: 0,
            instances,
            frame,
            unrolled: 0,
            assumed: Assumed::new(),
            lifted: BTreeSet::new(),
            evaluating: Vec::new(),
            dicts: false,
            depth: 0,
            too_deep: false,
        }
    }

    /// The tree of the file that the current function is in.
    pub(super) fn ast(&self) -> &'p ast::Module {
        self.program.units[self.frame.unit].ast
    }

    /// The file whose names are looked up.
    pub(super) fn unit(&self) -> UnitId {
        self.frame.unit
    }

    /// The kind of an expression of the current function.
    pub(super) fn kind(&self, expr: ExprId) -> &'p ExprKind {
        self.ast().kind(expr)
    }

    /// The text of an expression of the current function.
    pub(super) fn span(&self, expr: ExprId) -> Span {
        self.ast().span(expr)
    }

    /// Says what is wrong; whatever uses the result is silent.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) -> Val {
        let diagnostic = self.with_calls(diagnostic);
        self.sink.error(diagnostic);
        self.errors += 1;
        Val::Error
    }

    /// Says what refuses nothing.
    pub(super) fn say(&mut self, diagnostic: Diagnostic) {
        let diagnostic = self.with_calls(diagnostic);
        self.sink.warning(diagnostic);
    }

    /// Adds the calls that led to a message in a helper.
    fn with_calls(&self, diagnostic: Diagnostic) -> Diagnostic {
        let mut diagnostic = diagnostic;
        let mut frame = &self.frame;
        for _ in 0..CALLS_SHOWN {
            let Some((call, caller)) = &frame.caller else { break };
            let name = &self.program.function(frame.at).name.name;
            diagnostic = diagnostic.because(*call, format!("in this call of `{name}`"));
            frame = caller;
        }
        diagnostic
    }

    /// Runs `step` one level deeper, unless that is too deep; `None` is an error already said.
    pub(super) fn deeper<T>(&mut self, span: Span, step: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH || self.frame.build.depth() > ir::MAX_DEPTH {
            if !self.too_deep {
                self.too_deep = true;
                self.report(errors::control::too_deep(span, ir::MAX_DEPTH));
            }
            return None;
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        Some(result)
    }

    /// Binds `name` to `val`.
    pub(super) fn bind(&mut self, name: &str, val: Val, span: Span) {
        if let Val::Value(value) = &val {
            self.frame.build.name(*value, name);
        }
        if let Val::Tuple(items) = &val {
            for (index, item) in items.iter().enumerate() {
                if let Val::Value(value) = item {
                    self.frame.build.name(*value, &format!("{name}.{index}"));
                }
            }
        }
        let binding = Binding { val, span, constexpr: false };
        self.frame.scope.set(name, Slot::Bound(binding));
    }

    /// Notes that `val` is an integer, not a pointer.
    pub(super) fn note_integer(&mut self, val: &Val) {
        if let Some(value) = val.value() {
            self.frame.pointers.integer(value);
        }
    }

    /// The type of a value of the current function.
    pub(super) fn ty(&self, value: ir::Value) -> &ir::Type {
        self.frame.build.func.ty(value)
    }

    /// The tile type of `val`, if it is a tile.
    pub(super) fn tile(&self, val: &Val) -> Option<&ir::TileType> {
        match self.ty(val.value()?) {
            ir::Type::Tile(tile) => Some(tile),
            ir::Type::Scalar(_)
            | ir::Type::Pointer(_)
            | ir::Type::Future(_)
            | ir::Type::Completion => None,
        }
    }

    /// The element type of `val`, if it is a scalar of the IR.
    pub(super) fn scalar(&self, val: &Val) -> Option<DType> {
        match self.ty(val.value()?) {
            ir::Type::Scalar(dtype) => Some(*dtype),
            ir::Type::Tile(_)
            | ir::Type::Pointer(_)
            | ir::Type::Future(_)
            | ir::Type::Completion => None,
        }
    }
}
