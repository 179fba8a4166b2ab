//! From the syntax tree to verified IR: names, compile-time values, types and shapes.
//!
//! Every kernel of a file is analysed generically: its parameters are symbols, extents may be
//! scalars that only the launch knows, and what depends on them is left in the IR for
//! specialisation to decide. A kernel in error does not hide the errors of another.
//!
//! * [`program`] reads the top levels of all files, [`kernels`] and [`calls`] make a function of
//!   the IR from each kernel and each kind of call, and [`builder`] holds the one being made.
//! * [`stmt`], [`branch`], [`loops`] and [`expr`] walk the tree; [`join`] makes one value of what
//!   two paths bound to a name, and [`liveness`] says which names matter. [`logic`] decides
//!   conditions, [`comprehension`] writes comprehensions out.
//! * [`value`] is what an expression stands for meanwhile, [`scope`] what names are bound to.
//! * [`operators`], [`operands`], [`promote`] and [`shapes`] bring operands together; [`fold`] is Python's
//!   arithmetic on what the compiler holds.
//! * [`pointers`] finds out which parameters of a `@triton.jit` kernel are pointers, [`written`]
//!   guesses it from the text; [`symbols`] keeps apart what is made of `tl.constexpr` parameters without a value.
//! * [`builtins`] is the table of `tl`'s functions.
//! * [`errors`] holds every message, [`describe`] the words for values in them; [`mod@unused`] and
//!   [`dialect`] warn of what is allowed.
//!
//! An error makes an error value, and whatever uses that is silent.

mod analysis;
mod bind_args;
mod branch;
mod builder;
mod builtins;
mod calls;
mod comprehension;
mod describe;
mod dialect;
mod errors;
mod expr;
mod fold;
mod join;
mod kernels;
mod liveness;
mod logic;
mod loops;
mod names;
mod operands;
mod operators;
mod pointers;
mod program;
mod promote;
mod scope;
mod shapes;
mod stmt;
mod symbols;
mod unused;
mod value;
mod written;

pub use builtins::reference as builtin_reference;
pub use program::imports;
pub use unused::unused;
pub use value::Constant;

use std::collections::BTreeMap;

use crate::diag::{Reported, Sink};
use crate::dtype::DType;
use crate::ir;
use crate::syntax::ast::Module;

/// What is analysed.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The file.
    pub main: &'a Module,
    /// The library modules that it and they import, by name.
    pub imports: BTreeMap<String, &'a Module>,
    /// The name of every library module there is, for suggestions.
    pub library: &'a [&'a str],
    /// What is known of the kernels' parameters already, by name: `tl.constexpr` parameters that
    /// are set, and strings, which no launch can pass as scalars.
    pub constants: BTreeMap<String, Constant>,
    /// What a launch passes to the other parameters of `@triton.jit` kernels, by name. A parameter
    /// of which nothing is said is what its uses make of it.
    pub arguments: BTreeMap<String, ArgType>,
    /// The only kernel to analyse; all of the file's where it is not given.
    pub entry: Option<String>,
    /// Which language the file is held to.
    pub dialect: Dialect,
}

/// A language that a file is held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// All that kbc compiles.
    #[default]
    Kbc,
    /// What Triton compiles, too: the extensions of kbc are refused.
    Triton,
}

/// The type of an argument of a `@triton.jit` kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgType {
    /// A tensor: the address of elements of a type.
    Pointer(DType),
    /// A number, passed as a type.
    Scalar(DType),
}

impl<'a> Input<'a> {
    /// A file that imports nothing, with nothing known of its parameters.
    pub fn of(main: &'a Module) -> Input<'a> {
        Input {
            main,
            imports: BTreeMap::new(),
            library: &[],
            constants: BTreeMap::new(),
            arguments: BTreeMap::new(),
            entry: None,
            dialect: Dialect::Kbc,
        }
    }
}

/// The kernels of a file and the helpers they call, as IR.
///
/// # Errors
/// Whatever is wrong with them, said to `sink`; also if `sink` held errors before.
pub fn analyze(input: &Input<'_>, sink: &mut Sink) -> Result<ir::Module, Reported> {
    let program = program::Program::new(input, sink);
    let kernels = match &input.entry {
        Some(name) => program.named(name),
        None => program.kernels(),
    };
    let names: Vec<&str> =
        kernels.iter().map(|at| program.function(*at).name.name.as_str()).collect();
    let mut instances = calls::Instances::beside(&names);
    let mut functions = Vec::new();
    for at in &kernels {
        let made = kernels::analyze_kernel(&program, input, *at, &mut instances, sink);
        functions.extend(made);
    }
    let helpers = if input.entry.is_none() { program.unreached(&kernels) } else { Vec::new() };
    for at in helpers {
        kernels::analyze_helper(&program, input, at, sink);
    }
    if let Some(reported) = sink.reported() {
        return Err(reported);
    }
    let functions = functions.into_iter().chain(instances.functions).collect();
    let module = ir::Module { functions };
    let broken = ir::verify::verify(&module);
    broken.first().map_or(Ok(module), |first| Err(sink.error(first.as_bug("`sema`"))))
}
