//! Checks that IR keeps its rules. IR that does never makes a later stage panic.
//!
//! Structure
//! - Every id names an entry of its table.
//! - Every block is owned by one op, or is the entry; every op stands in one block; blocks nest at
//!   most [`MAX_DEPTH`] deep.
//! - A result says which op defines it, an argument which block; a parameter is an argument of the
//!   entry, and the entry has no others.
//! - A block ends in one terminator and has no other: `return` ends the entry, `condition` the test
//!   of a `while`, `yield` every other block.
//!
//! Definition before use
//! - An op uses values that are defined before it in its block, or before the op that owns its
//!   block. So do the extents in the types of what it defines, which may also be its earlier
//!   results; the extents in an argument's type may be earlier arguments of the same block.
//!
//! Types
//! - Each op takes and gives what its documentation says: kinds of values, element types, ranks,
//!   axes, and extents as far as they are known. Two extents of which one is not known are taken
//!   for equal; the `extents` pass looks again.
//! - An extent is an `i64` scalar. Conditions are `i1` scalars; bounds of a loop are integers of
//!   the type of its variable.
//!
//! Agreement
//! - What a loop begins with, its arguments, what its body hands on and its results are alike in
//!   number and type; so are what the sides of a branch give and its results, and what a function
//!   returns and what it says it returns.
//!
//! Functions
//! - Names are unique. No function calls itself, directly or through others. Kernels take scalars
//!   and pointers and return nothing. Arguments and results of a call are those of
//!   the function. An extent in a returned type is a parameter or is returned before it.
//!
//! Storage
//! - Only tiles (and futures) have storage; a buffer exists, has at least one copy and is large
//!   enough; only results of ops are in buffers and slots.

mod composite;
mod control;
mod functions;
mod memory;
mod structure;
mod tile_ops;
mod types;

use super::{FuncId, Function, Module, OpId};
use crate::diag::{Code, Diagnostic, internal, syntax};
use crate::source::Span;

#[expect(unused_imports, reason = "the module's doc names it")]
use super::MAX_DEPTH;

/// Which group of rules is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Ids, blocks, terminators.
    Structure,
    /// Definition before use.
    Definition,
    /// What an op takes and gives.
    Types,
    /// What blocks, loops and branches hand on.
    Agreement,
    /// Names, calls, kernels.
    Functions,
    /// Where bytes are.
    Storage,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The group of the rule.
    pub rule: Rule,
    /// Where the function or op was written.
    pub span: Span,
    /// What is wrong, in words that users of `.kir` files know.
    pub message: String,
}

impl Violation {
    /// As an error in a `.kir` file.
    pub fn as_diagnostic(&self) -> Diagnostic {
        let code: Code = match self.rule {
            Rule::Structure => syntax::KIR_STRUCTURE,
            Rule::Definition => syntax::KIR_DEFINITION,
            Rule::Types => syntax::KIR_TYPES,
            Rule::Agreement => syntax::KIR_AGREEMENT,
            Rule::Functions => syntax::KIR_FUNCTIONS,
            Rule::Storage => syntax::KIR_STORAGE,
        };
        Diagnostic::new(code, self.message.clone(), self.span, "this breaks a rule of the IR")
    }

    /// As a bug of kbc, found after `stage`.
    pub fn as_bug(&self, stage: &str) -> Diagnostic {
        Diagnostic::new(
            internal::INTERNAL,
            format!("the IR is broken after {stage}: {}", self.message),
            self.span,
            "kbc made this of it",
        )
        .note("this is a bug in kbc, not in the program; please report it")
    }
}

/// Every broken rule of `module`, in the order of its functions. Where the structure of a function
/// is broken, nothing else of it is checked.
pub fn verify(module: &Module) -> Vec<Violation> {
    let mut violations = functions::names_and_recursion(module);
    let sound = violations.is_empty();
    for (_, function) in module.functions.iter() {
        // Calls are checked against their callee only where every callee exists.
        violations.extend(verify_function(function, sound.then_some(module)));
    }
    violations
}

/// Every broken rule of one function. Calls are checked where its module is given.
pub fn verify_function(function: &Function, module: Option<&Module>) -> Vec<Violation> {
    let mut violations = structure::check(function, module);
    if violations.is_empty() {
        violations.extend(control::check(function));
        violations.extend(types::check(function, module));
    }
    violations
}

/// Makes violations that point at ops of one function.
struct At<'a> {
    function: &'a Function,
    found: Vec<Violation>,
}

impl<'a> At<'a> {
    fn new(function: &'a Function) -> At<'a> {
        At { function, found: Vec::new() }
    }

    fn op(&mut self, rule: Rule, op: OpId, message: impl Into<String>) {
        let span = self.function.spans[op];
        self.found.push(Violation { rule, span, message: message.into() });
    }

    fn function(&mut self, rule: Rule, message: impl Into<String>) {
        let span = self.function.span;
        self.found.push(Violation { rule, span, message: message.into() });
    }
}

/// Whether `callee` is a function of `module`, as far as it is known.
fn exists(module: Option<&Module>, callee: FuncId) -> bool {
    module.is_none_or(|module| module.functions.get(callee).is_some())
}
