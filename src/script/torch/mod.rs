//! The `torch` object: how host functions use the machine.
//!
//! Its members are tables of native functions, one file a subject; its values implement
//! [`Object`], so the evaluator knows none of them. Tensors lie on the machine; what is computed
//! from them lies on the host, and both are one kind of value here.

mod along;
mod bind;
mod check;
mod create;
mod device;
mod distributed;
mod einsum;
mod elements;
mod functions;
mod launch;
mod launched;
mod methods;
mod naming;
mod nn;
mod numpy;
mod policy;
mod random;
mod shaping;
mod shards;
mod spawn;
mod tensor;
mod tp;
mod verify;

use std::any::Any;

use super::args::Args;
use super::dtypes::dtype_value;
use super::evaluator::Evaluator;
use super::fault::{Fault, Result};
use super::object::{Module, Native, Object, WithoutData};
use super::value::Value;
use crate::diag::{Diagnostic, hosting, internal};
use crate::dtype::DType;
use crate::host::{Context, HostError, with_ledger};
use crate::source::Span;

pub(super) use distributed::{Kind, algorithms};
pub(super) use launch::on_grid;
pub(super) use naming::Names;
pub(super) use numpy::Numpy;
pub(super) use random::Seeds;
pub(super) use spawn::Seat;
pub(super) use tensor::scalar;

/// `torch` itself.
pub(super) struct Torch;

/// The functions of `torch`, table by table.
const TABLES: [&[Native]; 8] = [
    create::TABLE,
    functions::TABLE,
    elements::TABLE,
    along::TABLE,
    shaping::TABLE,
    &[einsum::EINSUM],
    launch::TABLE,
    policy::TABLE,
];

/// The modules that `torch` has.
const MODULES: [&str; 8] =
    ["nn", "distributed", "multiprocessing", "tp", "ahbm", "accelerator", "testing", "verify"];

/// `torch.testing`.
const TESTING: Module = Module { name: "torch.testing", functions: check::TABLE, constants: &[] };

/// `torch.verify`.
const VERIFY: Module = Module { name: "torch.verify", functions: verify::TABLE, constants: &[] };

/// A native function that sees unknown arguments.
const fn always(name: &'static str, run: fn(&mut Evaluator<'_>, Args) -> Result<Value>) -> Native {
    Native { name, run, without_data: WithoutData::Call }
}

/// A native function that is skipped, and counted, where an argument is unknown.
const fn check(name: &'static str, run: fn(&mut Evaluator<'_>, Args) -> Result<Value>) -> Native {
    Native { name, run, without_data: WithoutData::Skip }
}

impl Object for Torch {
    fn type_name(&self) -> String {
        "torch".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        let functions = TABLES.into_iter().flatten().map(|native| native.name);
        let dtypes = DType::ALL.iter().map(|dtype| dtype.tl_name());
        functions.chain(dtypes).chain(MODULES).collect()
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        let module = match name {
            "nn" => return Ok(Some(Value::object(nn::Nn))),
            "distributed" => return Ok(Some(Value::object(distributed::Distributed))),
            "multiprocessing" => return Ok(Some(Value::object(spawn::Multiprocessing))),
            "tp" => Some(tp::TP),
            "ahbm" => Some(device::AHBM),
            "accelerator" => Some(device::ACCELERATOR),
            "testing" => Some(TESTING),
            "verify" => Some(VERIFY),
            _ => None,
        };
        if let Some(module) = module {
            return Ok(Some(Value::object(module)));
        }
        let function = TABLES.into_iter().flatten().find(|native| native.name == name);
        let dtype = match name {
            "long" => Some(DType::I64),
            "int" => Some(DType::I32),
            _ => DType::from_name(name),
        };
        Ok(function.map(Value::Native).or(dtype.map(dtype_value)))
    }
}

/// The machine that the host program runs with.
fn machine<'e, 'a>(evaluator: &'e mut Evaluator<'a>, span: Span) -> Result<&'e mut Context<'a>> {
    evaluator.machine.as_mut().ok_or_else(|| {
        let message = "there is no machine to run on";
        Fault::new(hosting::HOST_UNSUPPORTED, message, span, "used here")
    })
}

/// What the host layer refused, at the text that asked for it.
fn fault(error: HostError, span: Span) -> Fault {
    let at = |code, text: String, label: &str| Fault::new(code, text, span, label);
    match error {
        HostError::Shape(text) => at(hosting::HOST_SHAPE, text, "these shapes"),
        HostError::Type(text) => at(hosting::HOST_TYPE, text, "of this type"),
        HostError::Value(text) => at(hosting::HOST_VALUE, text, "this value"),
        HostError::Index(text) => at(hosting::HOST_INDEX, text, "out of range"),
        HostError::Memory(text) => at(hosting::HOST_BUDGET, text, "too large"),
        HostError::NoRoom { text, holders } => {
            let it = Diagnostic::new(hosting::HOST_BUDGET, text, span, "this tensor");
            Fault::from_diagnostic(with_ledger(it, holders))
        }
        HostError::Freed { name, at: freed } => {
            let text = format!("tensor `{name}` is used after it was freed");
            at(hosting::FREED_TENSOR, text, "used here").because(freed, "freed here")
        }
        HostError::Refused(diagnostics) if diagnostics.is_empty() => {
            let text = "the device refused and did not say why";
            Fault::from_diagnostic(Diagnostic::new(internal::INTERNAL, text, span, "asked here"))
        }
        HostError::Refused(diagnostics) => {
            let is_here = |it: &Diagnostic| it.primary.as_ref().is_some_and(|it| it.span == span);
            let is_said = diagnostics.first().is_some_and(is_here);
            let fault = Fault::from_diagnostics(diagnostics);
            let fault = if is_said { fault } else { fault.because(span, "asked for here") };
            fault.asked(span)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../../docs/host.md");

    /// The names in the first column of the table whose head begins with `head`.
    fn listed(head: &str) -> BTreeSet<&'static str> {
        let table = PAGE.split(head).nth(1).expect("the page has the table");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let first = rows.filter_map(|row| row.split('|').nth(1));
        first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
    }

    #[test]
    fn the_tables_of_the_page_are_those_of_the_code() {
        let types: BTreeSet<&str> = DType::ALL.iter().map(|dtype| dtype.tl_name()).collect();
        let own: BTreeSet<&str> = Torch.names().into_iter().collect();
        let functions: BTreeSet<&str> = own.difference(&types).copied().collect();
        assert_eq!(listed("| `torch.` here |"), functions);
        // Signs of operators need no name.
        let operators = BTreeSet::from(["neg", "not", "bit_not"]);
        let own: BTreeSet<&str> = methods::names().into_iter().collect();
        let methods: BTreeSet<&str> = own.difference(&operators).copied().collect();
        assert_eq!(listed("| of a tensor |"), methods);
        let own: BTreeSet<&str> = Numpy.names().into_iter().collect();
        assert_eq!(listed("| `np.` here |"), own.difference(&types).copied().collect());
    }
}
