//! Groups of ranks.

use std::any::Any;

use super::machine;
use crate::diag::hosting;
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Object;
use crate::script::value::Value;
use crate::source::Span;

/// Some of the ranks, in an order of their own.
pub(in crate::script::torch) struct Group {
    /// The ranks.
    pub(in crate::script::torch) members: Vec<u32>,
}

impl Object for Group {
    fn type_name(&self) -> String {
        "group of ranks".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["rank", "size"]
    }

    fn call_method(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        _: &Args,
    ) -> Result<Option<Value>> {
        let own = evaluator.seat.as_ref().map_or(0, |seat| seat.rank);
        Ok(match name {
            "size" => Some(Value::Int(self.members.len() as i128)),
            "rank" => {
                let place = self.members.iter().position(|rank| *rank == own);
                Some(Value::Int(place.map_or(-1, |place| place as i128)))
            }
            _ => None,
        })
    }
}

/// How many ranks there are: those of the spawn around, else all.
fn world(evaluator: &mut Evaluator<'_>, span: Span) -> Result<u32> {
    match &evaluator.seat {
        Some(seat) => Ok(seat.world),
        None => Ok(machine(evaluator, span)?.world_size()),
    }
}

/// The ranks of a group; all of them where none is given.
pub(super) fn members_of(
    evaluator: &mut Evaluator<'_>,
    given: Option<&Given>,
    span: Span,
) -> Result<Vec<u32>> {
    let given = given.filter(|given| !matches!(given.value, Value::None));
    let Some(given) = given else { return Ok((0..world(evaluator, span)?).collect()) };
    match given.value.downcast::<Group>() {
        Some(group) => Ok(group.members.clone()),
        None => Err(given.wrong("`group`", "what `new_group` gives, or None,")),
    }
}

/// `new_group(ranks=None)`: these ranks, in this order; all of them where none are named.
pub(super) fn new_group(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [ranks] = args.bind(Signature { name: "new_group", params: ["ranks?"] })?;
    let world = world(evaluator, args.span)?;
    let given = ranks.filter(|given| !matches!(given.value, Value::None));
    let Some(given) = given else {
        return Ok(Value::object(Group { members: (0..world).collect() }));
    };
    let items = evaluator.items(&given.value, given.span)?;
    let mut members: Vec<u32> = Vec::with_capacity(items.len());
    for item in items {
        let rank = Given { value: item, span: given.span }.int("a rank of a group")?;
        let known = u32::try_from(rank).ok().filter(|rank| *rank < world);
        let wrong = |message: String| {
            Err(Fault::new(hosting::HOST_VALUE, message, given.span, "not a group"))
        };
        match known {
            None => return wrong(format!("rank {rank} of a group, in a world of {world} ranks")),
            Some(rank) if members.contains(&rank) => {
                return wrong(format!("rank {rank} is in the group twice"));
            }
            Some(rank) => members.push(rank),
        }
    }
    if members.is_empty() {
        let message = "a group without ranks";
        return Err(Fault::new(hosting::HOST_VALUE, message, given.span, "empty"));
    }
    Ok(Value::object(Group { members }))
}
