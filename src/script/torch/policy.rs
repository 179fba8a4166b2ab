//! `DPPolicy`: how a tensor is divided over the cubes of a SIP and over the PEs of each cube.

use std::any::Any;
use std::sync::Arc;

use super::{device, machine};
use crate::diag::{hosting, nearest_help};
use crate::host::{DpPolicy, Field, Form, Layout, Placement, PolicyFault, SipChoice};
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Comparison, Native, Object};
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;

pub(super) const TABLE: &[Native] = &[DP_POLICY];

/// `DPPolicy(cube="replicate", pe="replicate", num_pes=None, num_cubes=None)`.
pub(in crate::script) const DP_POLICY: Native = pure("DPPolicy", dp_policy);

/// A policy, and where each part of it was written.
pub(super) struct PolicyValue {
    policy: DpPolicy,
    /// The whole call.
    span: Span,
    /// Of `cube`, `pe`, `num_pes` and `num_cubes`, where they are given.
    of: [Option<Span>; 4],
}

fn dp_policy(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    for (name, _) in &args.named {
        if matches!(name.name.as_str(), "sip" | "num_sips") {
            let message = format!("`DPPolicy` has no parameter `{}`", name.name);
            let label = "a policy divides a tensor within a SIP";
            return Err(Fault::new(hosting::BAD_PLACEMENT, message, name.span, label).help(
                String::from(
                    "`torch.ahbm.set_device(…)` says on which SIP tensors lie, or `device=`",
                ),
            ));
        }
    }
    let params = ["cube?", "pe?", "num_pes?", "num_cubes?"];
    let given = args.bind(Signature { name: "DPPolicy", params })?;
    let of = [0, 1, 2, 3].map(|place: usize| given[place].as_ref().map(|it| it.span));
    let [cube, pe, num_pes, num_cubes] = given;
    let policy = DpPolicy {
        cube: form(cube.as_ref(), "cube")?,
        pe: form(pe.as_ref(), "pe")?,
        num_pes: count(num_pes.as_ref(), "num_pes")?,
        num_cubes: count(num_cubes.as_ref(), "num_cubes")?,
    };
    Ok(Value::object(PolicyValue { policy, span: args.span, of }))
}

fn form(given: Option<&Given>, name: &str) -> Result<Form> {
    let Some(given) = given else { return Ok(Form::default()) };
    let text = given.text(&format!("`{name}`"))?;
    Form::from_name(text).ok_or_else(|| {
        let message = format!("`{name}` is \"{text}\", which is no way to divide a tensor");
        let names: Vec<&str> = Form::NAMED.iter().map(|(name, _)| *name).collect();
        Fault::new(hosting::BAD_PLACEMENT, message, given.span, "not a form")
            .help(nearest_help("form", text, names.iter().copied()))
            .note(format!("the forms are {}", names.join(", ")))
    })
}

fn count(given: Option<&Given>, name: &str) -> Result<Option<u32>> {
    let Some(given) = given.filter(|given| !matches!(given.value, Value::None)) else {
        return Ok(None);
    };
    let number = given.int(&format!("`{name}`"))?;
    u32::try_from(number).map(Some).map_err(|_| {
        let message = format!("`{name}` is {number}, and it is a number of things from 1 on");
        Fault::new(hosting::BAD_PLACEMENT, message, given.span, "no such number")
    })
}

/// Where a tensor of `shape` lies that `given`, a policy, places: on the SIPs that `device` names, or on
/// the current one.
pub(super) fn place(
    evaluator: &mut Evaluator<'_>,
    (given, device): (&Given, Option<&Given>),
    shape: &Shape,
    span: Span,
) -> Result<Placement> {
    let Some(value) = given.value.downcast::<PolicyValue>() else {
        return Err(given.wrong("`dp`", "a DPPolicy"));
    };
    let sips = match device {
        Some(given) => device::sips_of(evaluator, given)?,
        None => device::current_sips(evaluator, span)?,
    };
    let at_sip = device.map_or(span, |given| given.span);
    let resolved = resolve(evaluator, (&value.policy, sips), shape, span)?;
    resolved.map(|layout| Placement::Policy(Arc::new(layout))).map_err(|fault| {
        let PolicyFault { field, message } = fault;
        let (at, label) = match field {
            Field::Cube => (value.of[0], "this form"),
            Field::Pe => (value.of[1], "this form"),
            Field::NumPes => (value.of[2], "not this many"),
            Field::NumCubes => (value.of[3], "not this many"),
            Field::Sip => (Some(at_sip), "on this SIP"),
        };
        let fault = Fault::new(hosting::BAD_PLACEMENT, message, at.unwrap_or(value.span), label);
        let fault =
            if field == Field::Sip { fault } else { fault.because(span, "for this tensor") };
        match field {
            Field::Cube | Field::Pe if shape.rank() == 1 => fault.help(format!(
                "`\"column_wise\"` cuts it; so does `\"row_wise\"` a tensor of shape ({}, 1)",
                shape.elements()
            )),
            Field::Cube | Field::Pe | Field::NumPes | Field::NumCubes | Field::Sip => fault,
        }
    })
}

fn resolve(
    evaluator: &mut Evaluator<'_>,
    (policy, sips): (&DpPolicy, SipChoice),
    shape: &Shape,
    span: Span,
) -> Result<std::result::Result<Layout, PolicyFault>> {
    let machine = machine(evaluator, span)?;
    let (extent, world) = (machine.extent(), machine.world_size());
    let part = policy.part(sips, (&extent, world));
    Ok(part.and_then(|part| Layout::new(*policy, shape, (part, extent))))
}

impl Object for PolicyValue {
    fn type_name(&self) -> String {
        "DPPolicy".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["cube", "pe", "num_pes", "num_cubes"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        let count = |it: Option<u32>| it.map_or(Value::None, |it| Value::Int(i128::from(it)));
        Ok(Some(match name {
            "cube" => Value::str(self.policy.cube.name()),
            "pe" => Value::str(self.policy.pe.name()),
            "num_pes" => count(self.policy.num_pes),
            "num_cubes" => count(self.policy.num_cubes),
            _ => return Ok(None),
        }))
    }

    fn compare(&self, _: &mut Evaluator<'_>, it: Comparison<'_>) -> Result<Option<Value>> {
        let same = it.other.downcast::<PolicyValue>().is_some_and(|it| it.policy == self.policy);
        Ok(it.equality(same))
    }

    fn show(&self, _: &mut Evaluator<'_>) -> Result<String> {
        Ok(self.policy.to_string())
    }
}
