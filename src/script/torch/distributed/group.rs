//! Groups of ranks.

use std::any::Any;

use crate::diag::{hosting, nearest_help};
use crate::host::RankUnit;
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Object;
use crate::script::torch::device;
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
        None => Ok(device::ranks(evaluator, span)?.count()),
    }
}

/// `count` ranks in words.
fn in_words(evaluator: &Evaluator<'_>, count: u32) -> String {
    match evaluator.unit {
        RankUnit::Pe => format!("{count} ranks"),
        unit @ (RankUnit::Cube | RankUnit::Sip) => unit.counted(count),
    }
}

/// Says what a rank is from now on: `"pe"`, `"cube"` or `"sip"`. A spawn's ranks are what they were when it
/// began.
pub(super) fn set_unit(evaluator: &mut Evaluator<'_>, given: &Given) -> Result<()> {
    let name = given.text("`ranks`")?;
    let Some(unit) = RankUnit::from_name(name) else {
        let names: Vec<&str> = RankUnit::NAMED.iter().map(|(name, _)| *name).collect();
        let message = format!("`ranks` is \"{name}\", and a rank is a PE, a cube or a SIP");
        return Err(Fault::new(hosting::HOST_VALUE, message, given.span, "not a rank")
            .help(nearest_help("unit", name, names.iter().copied()))
            .note(format!("it is one of {}", names.join(", "))));
    };
    if evaluator.seat.is_some() && evaluator.unit != unit {
        let (own, other) = (evaluator.unit.word(), unit.word());
        let message = format!("the ranks of this spawn are {own}s, and `ranks` says {other}s");
        return Err(Fault::new(hosting::HOST_VALUE, message, given.span, "too late")
            .help(String::from("say it before `spawn`, with `--ranks`, or in `ccl.yaml`")));
    }
    evaluator.unit = unit;
    device::ranks(evaluator, given.span).map(|_| ())
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
            None => {
                let world = in_words(evaluator, world);
                return wrong(format!("rank {rank} of a group, in a world of {world}"));
            }
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
