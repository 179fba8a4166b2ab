//! The α–β model: how long an algorithm would take, from what it sends and what the machine is.
//!
//! An algorithm's module says in `rounds` what is sent at one time: how often, in which directions,
//! how many elements, what is done with them, and by which ranks if not by all. The machine says what
//! that takes: α, the latency of the longest of the ways; β, the time of a byte on the link that
//! carries the most of these messages. To each round comes what a PE does itself (docs/host.md).

use std::collections::{BTreeMap, BTreeSet};

use super::algorithm::{Candidate, Need, told};
use crate::diag::hosting;
use crate::host::{Exchange, Linear, PeCosts, Scalar};
use crate::launch::{NeighborMap, NeighborTable};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::torch::machine;
use crate::script::value::Value;

/// How long an algorithm takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// In nanoseconds, whatever the size.
    pub(super) alpha_ns: f64,
    /// In nanoseconds, for this size.
    pub(super) beta_ns: f64,
}

/// What a round does with what it receives.
#[derive(Clone, Copy, PartialEq)]
struct Use {
    /// It is combined before anything is sent on.
    is_combined: bool,
    /// It lies in the rank's memory before and after.
    is_in_memory: bool,
    /// It goes on while another message of the same step is on its way.
    is_beside: bool,
}

/// One entry of `rounds`.
struct Round {
    times: f64,
    directions: Vec<String>,
    elements: u64,
    is: Use,
    senders: Option<Vec<u32>>,
}

/// What an algorithm would take, of so many chunks and, if that is given, wired like this; `None` where it cannot do this, or where there is no model.
pub(super) fn estimate(
    evaluator: &mut Evaluator<'_>,
    need: &Need<'_>,
    (algorithm, chunks, wiring): (&Candidate, u64, Option<NeighborTable>),
) -> Result<Option<Estimate>> {
    let module = algorithm.module.as_str();
    let elements = need.elements.next_multiple_of(chunks.max(1));
    let script = told(evaluator, module, need.ask, need.dtype)?;
    let script = script.told([("n_elem".to_owned(), Scalar::Int(elements as i64))]);
    let Some(function) = script.function("rounds") else { return Ok(None) };
    // One that cannot do this world size says so in an assertion.
    let Ok(value) = script.call(&mut script.evaluator(), function, &[]) else { return Ok(None) };
    let rounds = value.as_sequence().unwrap_or_default();
    let rounds: Option<Vec<Round>> = rounds.iter().map(read_round).collect();
    let Some(rounds) = rounds else {
        let message = format!("`rounds` of `{module}` is no list of rounds");
        return Err(Fault::new(hosting::HOST_VALUE, message, function.name.span, "this function"));
    };
    let table = match wiring {
        Some(table) => Some(table),
        None => script.neighbors(&script.settings.set)?,
    };
    let machine = machine(evaluator, need.span)?;
    let Some(costs) = machine.costs(algorithm.queues) else { return Ok(None) };
    let itemsize = need.dtype.bytes() as f64;
    if !fits(&rounds, table.as_ref(), &costs, itemsize) {
        return Ok(None);
    }
    let mut known = BTreeMap::new();
    let mut total = Estimate { alpha_ns: 0.0, beta_ns: 0.0 };
    for round in rounds.iter().filter(|round| round.times > 0.0) {
        let key = (round.directions.clone(), round.senders.clone());
        if !known.contains_key(&key) {
            // Lanes share links.
            let of = |lane: &Vec<u32>| pairs(round, table.as_ref(), lane);
            let pairs: Vec<(u32, u32)> = need.lanes.iter().flat_map(of).collect();
            known.insert(key.clone(), machine.exchange(&pairs));
        }
        let Some(cost) = known.get(&key).copied().flatten() else { return Ok(None) };
        total = total.plus(round, one_round(round, cost, &costs), itemsize);
    }
    Ok(Some(total.plus_ends(&rounds, &costs, itemsize)))
}

/// Whether the slots of every direction in use, and the two tiles that a round has at hand, have room.
fn fits(rounds: &[Round], table: Option<&NeighborTable>, costs: &PeCosts, itemsize: f64) -> bool {
    let mut directions: BTreeSet<&str> = BTreeSet::new();
    let sent = rounds.iter().filter(|round| round.times > 0.0);
    for direction in sent.clone().flat_map(|round| &round.directions) {
        directions.insert(direction);
        let Some(table) = table else {
            directions.insert(if direction == "E" { "W" } else { "E" });
            continue;
        };
        let theirs = |rank| Some(table.receiver(rank, direction).ok()??.1);
        directions.extend((0..table.world()).find_map(theirs));
    }
    let largest = sent.map(|round| round.elements).max().unwrap_or(0) as f64 * itemsize;
    (directions.len() as f64 * costs.slots + 2.0) * largest <= costs.room
}

/// One round, by its bytes, and what combining adds by its elements.
fn one_round(round: &Round, cost: Exchange, costs: &PeCosts) -> (Linear, Linear) {
    let ways = round.directions.len() as f64;
    let dispatch = 2.0 * ways * costs.dispatch_ns;
    if round.is.is_beside {
        return (Linear { fixed_ns: dispatch, each_ns: cost.worst.each_ns }, Linear::default());
    }
    // What goes around for long meets each of the ways in turn.
    let latency = (cost.worst.fixed_ns + (round.times - 1.0) * cost.mean_ns) / round.times.max(1.0);
    // And no way carries more messages in a round trip than there are slots at its end.
    let is_long = round.times > costs.slots;
    let round_trip = if is_long { 2.0 * cost.worst.fixed_ns / costs.slots.max(1.0) } else { 0.0 };
    let mut bytes = Linear {
        fixed_ns: (latency + costs.slot.fixed_ns + dispatch).max(round_trip),
        each_ns: cost.worst.each_ns + costs.slot.each_ns,
    };
    if round.is.is_in_memory {
        bytes.fixed_ns += 2.0 * (costs.memory.fixed_ns + costs.dispatch_ns);
        bytes.each_ns += 2.0 * costs.memory.each_ns;
    }
    let combine = if round.is.is_combined { costs.combine } else { Linear::default() };
    (bytes, combine)
}

impl Estimate {
    /// In nanoseconds.
    pub(super) fn ns(self) -> f64 {
        self.alpha_ns + self.beta_ns
    }

    fn plus(self, round: &Round, (bytes, combine): (Linear, Linear), itemsize: f64) -> Estimate {
        let elements = round.elements as f64;
        let fixed = bytes.fixed_ns + combine.fixed_ns;
        let each = bytes.each_ns * itemsize + combine.each_ns;
        Estimate {
            alpha_ns: self.alpha_ns + round.times * fixed,
            beta_ns: self.beta_ns + round.times * each * elements,
        }
    }

    /// The first load and the last store, of what the first and the last round move.
    fn plus_ends(self, rounds: &[Round], costs: &PeCosts, itemsize: f64) -> Estimate {
        let ends = rounds.first().into_iter().chain(rounds.last());
        let sizes = ends.filter(|round| !round.is.is_in_memory).map(|round| round.elements as f64);
        let moved: f64 = sizes.sum();
        Estimate {
            alpha_ns: self.alpha_ns + 2.0 * (costs.memory.fixed_ns + costs.dispatch_ns),
            beta_ns: self.beta_ns + moved * itemsize * costs.memory.each_ns,
        }
    }
}

/// `(times, directions, elements, use)`, and the ranks that send if not all do.
fn read_round(value: &Value) -> Option<Round> {
    let items = value.as_sequence()?;
    let [times, directions, elements, what, rest @ ..] = &items[..] else { return None };
    let names = directions.as_sequence()?;
    let names: Option<Vec<String>> =
        names.iter().map(|it| it.as_str().map(str::to_owned)).collect();
    let what = what.as_str()?;
    let is = Use {
        is_combined: what.starts_with("reduce"),
        is_in_memory: what.ends_with("_memory"),
        is_beside: what == "beside",
    };
    let senders = match rest.first() {
        Some(ranks) => Some(ranks_of(ranks)?),
        None => None,
    };
    Some(Round {
        times: times.as_int()? as f64,
        directions: names?,
        elements: u64::try_from(elements.as_int()?).ok()?,
        is,
        senders,
    })
}

fn ranks_of(value: &Value) -> Option<Vec<u32>> {
    if let Value::Range(range) = value {
        let all = (0..range.len()).map(|index| u32::try_from(range.at(index)).ok());
        return all.collect();
    }
    value.as_sequence()?.iter().map(|it| u32::try_from(it.as_int()?).ok()).collect()
}

/// Who sends to whom in a round, as PEs. Without a table the ring over all ranks is meant.
fn pairs(round: &Round, table: Option<&NeighborTable>, members: &[u32]) -> Vec<(u32, u32)> {
    let world = members.len() as u32;
    let to = |rank: u32, direction: &str| match (table, direction) {
        (Some(table), _) => table.neighbor(rank, direction),
        (None, "W") => Some((rank + world - 1) % world),
        (None, _) => Some((rank + 1) % world),
    };
    let is_sender = |rank: u32| round.senders.as_ref().is_none_or(|it| it.contains(&rank));
    let mut found = Vec::new();
    for rank in (0..world).filter(|rank| is_sender(*rank)) {
        for direction in &round.directions {
            let Some(peer) = to(rank, direction) else { continue };
            let at = |rank: u32| members.get(rank as usize).copied().unwrap_or(rank);
            found.push((at(rank), at(peer)));
        }
    }
    found
}
