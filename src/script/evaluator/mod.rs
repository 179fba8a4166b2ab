//! The evaluator of host functions: it walks the syntax tree.
//!
//! Names are resolved as Python resolves them: a name that a function assigns is the function's
//! own, everywhere in it; other names belong to the functions around it, to the file, or are
//! built in. Each name expression always means the same place, so the search is done once.
//!
//! Everything is bounded: steps, nesting, and the bytes of arrays that are alive.

mod attempt;
mod call;
mod code;
mod delete;
mod expression;
mod format_spec;
mod iterate;
mod operator;
mod order;
mod scope;
mod show;
mod statement;
mod subscript;

pub(super) use scope::Closure;

pub(super) use expression::hashable;
pub(super) use format_spec::format_value;
pub(super) use iterate::undecided;
pub(super) use operator::too_large;
pub(super) use order::{compare, equal, sort};
pub(super) use show::float as float_text;

use std::cell::Cell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use code::{Code, CodeId, CodeKey};
use scope::{Place, Scope};

use super::Limits;
use super::builtins;
use super::entry::Script;
use super::fault::{Fault, Result};
use super::torch::{Names, Seat, Seeds};
use super::value::Value;
use crate::arena::{Arena, Id};
use crate::diag::hosting;
use crate::host::{Context, RankUnit, SipChoice};
use crate::source::Span;
use crate::syntax::ast::{ExprId, Module};
use crate::units::grouped;

/// What one run of host functions has seen and done besides its result.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// What `print` printed.
    pub(super) printed: String,
    /// Checks on data that held.
    pub(super) checks: u32,
    /// Checks that were skipped because there is no data.
    pub(super) skipped: u32,
    /// How often a tensor's contents were looked at, and how often those of one of the machine.
    pub(super) looks: (u64, u64),
}

/// Evaluates the host functions of one file.
pub(super) struct Evaluator<'a> {
    module: &'a Module,
    /// What the file is told, and the library.
    script: Script<'a>,
    limits: Limits,
    codes: Arena<CodeId, Rc<Code<'a>>>,
    code_of: FxHashMap<CodeKey, CodeId>,
    /// Where each name expression is found, once that is known.
    places: Vec<Option<Place>>,
    globals: Rc<Scope>,
    /// Where a variable was deleted last.
    deleted: FxHashMap<(CodeId, u32), Span>,
    /// What went wrong where a name of the file was to be bound.
    failed: FxHashMap<u32, Fault>,
    steps: u64,
    depth: u32,
    /// Bytes of arrays that are alive.
    array_bytes: Rc<Cell<u64>>,
    /// What was seen and done.
    pub(super) journal: Journal,
    /// What the next random tensor starts from.
    pub(super) seeds: Seeds,
    /// The machine, where there is one.
    pub(super) machine: Option<Context<'a>>,
    /// What a rank is.
    pub(super) unit: RankUnit,
    /// On which SIPs, or cube, policies place tensors; on the first without.
    pub(super) sips: Option<SipChoice>,
    /// Which rank this is, in a worker of `torch.multiprocessing.spawn`.
    pub(super) seat: Option<Seat<'a>>,
    /// What was raised and is handled.
    exceptions: attempt::Exceptions,
    /// What tensors without a name are called.
    pub(super) names: Names,
    /// The loops that run, innermost last.
    loops: Vec<Loop>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator of a file, whose top level has been run.
    pub(super) fn new(script: &Script<'a>) -> Evaluator<'a> {
        let (module, limits) = (script.module, script.settings.limits);
        let mut codes = Arena::new();
        let file = Code::of_file(module);
        let slots = file.slots();
        let id = codes.push(Rc::new(file));
        let mut it = Evaluator {
            module,
            script: script.clone(),
            limits,
            codes,
            code_of: FxHashMap::default(),
            places: vec![None; module.exprs.len()],
            globals: Rc::new(Scope::new(id, slots, None)),
            deleted: FxHashMap::default(),
            failed: FxHashMap::default(),
            steps: 0,
            depth: 0,
            array_bytes: Rc::default(),
            journal: Journal::default(),
            seeds: Seeds::default(),
            machine: None,
            unit: script.settings.ranks,
            sips: script.settings.device,
            seat: None,
            exceptions: attempt::Exceptions::default(),
            names: Names::default(),
            loops: Vec::new(),
        };
        it.run_file();
        it
    }

    /// What the file is told, and the library.
    pub(super) fn script(&self) -> &Script<'a> {
        &self.script
    }

    /// The file.
    pub(super) fn module(&self) -> &'a Module {
        self.module
    }

    /// The value of a name of the file.
    ///
    /// # Errors
    /// What went wrong where it was to be bound.
    pub(super) fn global(&self, name: &str) -> Result<Option<Value>> {
        let Some(slot) = self.codes[self.globals.code].slot(name) else { return Ok(None) };
        match (self.globals.get(slot), self.failed.get(&slot)) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some(fault)) => Err(fault.clone()),
            (None, None) => Ok(None),
        }
    }

    /// The name under which the file has the function `value`.
    pub(super) fn global_name(&self, value: &Value) -> Option<String> {
        let Value::Function(closure) = value else { return None };
        let name = self.codes[closure.code].name;
        let Ok(Some(Value::Function(own))) = self.global(name) else { return None };
        Rc::ptr_eq(&own, closure).then(|| name.to_owned())
    }

    /// Whether a host function has a parameter of this name.
    pub(super) fn takes(&self, value: &Value, name: &str) -> bool {
        let Value::Function(closure) = value else { return true };
        self.codes[closure.code].params.iter().any(|param| param.name.name == name)
    }

    /// The value of an expression at the top level of the file.
    pub(super) fn evaluate_global(&mut self, id: ExprId) -> Result<Value> {
        let globals = self.globals.clone();
        self.evaluate(&globals, id)
    }

    /// Runs the statements of the file. One that fails only matters to those who use the names
    /// it was to bind: a file may hold constants that only kernels need.
    fn run_file(&mut self) {
        let globals = self.globals.clone();
        let module = self.module;
        for stmt in &module.body {
            if let Err(fault) = self.execute(&globals, stmt) {
                for slot in self.codes[globals.code].clone().bound_by(module, stmt) {
                    self.failed.insert(slot, fault.clone());
                }
            }
        }
    }

    /// Counts `steps` steps of work at `span`.
    pub(super) fn spend(&mut self, steps: u64, span: Span) -> Result<()> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps <= self.limits.steps {
            return Ok(());
        }
        let limit = grouped(self.limits.steps);
        // A loop of few turns around one of many is not the one that does not end.
        let longest = self.loops.iter().max_by_key(|it| it.turns).copied();
        let Some(Loop { span: header, turns }) = longest.filter(|it| it.turns > 1) else {
            let message = format!("the host program takes more than {limit} steps");
            return Err(Fault::new(hosting::HOST_BUDGET, message, span, "still running here"));
        };
        let turns = grouped(turns);
        let message = format!("this loop does not come to its end within {limit} steps");
        let label = format!("{turns} turns so far");
        Err(Fault::new(hosting::HOST_BUDGET, message, header, label)
            .because(span, "still running here")
            .note("every statement and expression of a host program is a step"))
    }

    /// Counts what making `elements` values costs.
    pub(super) fn spend_elements(&mut self, elements: usize, span: Span) -> Result<()> {
        self.spend((elements as u64).saturating_mul(8), span)
    }

    /// Takes `bytes` of array memory until the result is dropped.
    pub(super) fn take_memory(&self, bytes: u64, span: Span) -> Result<Memory> {
        let limit = self.limits.array_bytes;
        let alive = self.array_bytes.get().saturating_add(bytes);
        if alive > limit {
            let message = format!(
                "the arrays of the host program need {alive} bytes, and {limit} are allowed"
            );
            let label = format!("this array has {bytes} bytes");
            return Err(
                Fault::new(hosting::HOST_BUDGET, message, span, label).raising("MemoryError", None)
            );
        }
        self.array_bytes.set(alive);
        Ok(Memory { bytes, alive: self.array_bytes.clone() })
    }

    /// Runs `work` one level deeper.
    fn deeper<T>(
        &mut self,
        span: Span,
        work: impl FnOnce(&mut Evaluator<'a>) -> Result<T>,
    ) -> Result<T> {
        if self.depth >= self.limits.depth {
            let limit = self.limits.depth;
            let message = format!("calls and expressions nest more than {limit} deep");
            return Err(Fault::new(hosting::HOST_BUDGET, message, span, "too deep here")
                .raising("RecursionError", None)
                .note("a function that calls itself without an end nests without an end"));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    /// The code of `key`, which is made at its first use.
    fn code(&mut self, key: CodeKey, make: impl FnOnce() -> Code<'a>) -> CodeId {
        if let Some(id) = self.code_of.get(&key) {
            return *id;
        }
        let id = self.codes.push(Rc::new(make()));
        self.code_of.insert(key, id);
        id
    }

    /// Where the name expression `id` is found from `scope`.
    fn place(&mut self, scope: &Rc<Scope>, id: ExprId, name: &str) -> Option<Place> {
        if let Some(place) = self.places.get(id.index()).copied().flatten() {
            return Some(place);
        }
        let place = self.search(scope, name)?;
        if let Some(known) = self.places.get_mut(id.index()) {
            *known = Some(place);
        }
        Some(place)
    }

    fn search(&self, scope: &Rc<Scope>, name: &str) -> Option<Place> {
        for (up, scope) in scope.outward().enumerate() {
            if let Some(slot) = self.codes[scope.code].slot(name) {
                return Some(Place::Slot { up: up as u32, slot });
            }
        }
        builtins::index(name).map(Place::Builtin)
    }

    /// Every name that can be used from `scope`.
    fn names_from(&self, scope: &Rc<Scope>) -> Vec<String> {
        let own = scope.outward().flat_map(|scope| self.codes[scope.code].names());
        own.map(str::to_owned).chain(builtins::names().map(str::to_owned)).collect()
    }
}

/// A loop that runs.
#[derive(Clone, Copy)]
struct Loop {
    /// Its header.
    span: Span,
    /// How often its body has begun.
    turns: u64,
}

/// A share of the array memory, given back when dropped.
pub(super) struct Memory {
    bytes: u64,
    alive: Rc<Cell<u64>>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.alive.set(self.alive.get().saturating_sub(self.bytes));
    }
}
