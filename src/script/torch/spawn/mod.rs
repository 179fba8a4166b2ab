//! `torch.multiprocessing.spawn`: a worker run once for each rank.
//!
//! A rank is an evaluator of its own on a thread of its own, as a process is in PyTorch: it shares
//! no list or dict with the others, and what it is given is copied. But only one thread runs at a
//! time. The one that runs holds the [`Token`]: the machine, and what was printed. A rank that has
//! to wait hands the token back and says for what; the schedule passes it on in the order of ranks.
//! So a program does the same every time, whatever the number of cores.
//!
//! ```text
//! rank      posts launches and collectives, goes on; waits where it needs a result
//! schedule  carries out what every rank that it takes has posted; says who waits for whom
//! ```

mod parcel;
mod plan;
mod rank;
mod schedule;
mod window;

use std::any::Any;

use super::device;
use super::distributed::{Ask, Bundle, Choice};
use super::tensor::DeviceTensor;
use crate::diag::hosting;
use crate::host::{Context, LaunchRequest, RankUnit, Ranks};
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::{Evaluator, Journal};
use crate::script::exceptions;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Native, Object};
use crate::script::value::Value;
use crate::source::Span;
use parcel::Parcel;

pub(in crate::script) use rank::Seat;
pub(super) use rank::{drain, post_collective, post_launch, post_message, wait_for};

/// `torch.multiprocessing`.
pub(super) struct Multiprocessing;

const SPAWN: Native = super::always("spawn", spawn);

/// What a spawn raises whose ranks fail: kernbench's name of it, and PyTorch's.
const RAISED: [&str; 2] = ["SpawnException", "ProcessRaisedException"];

impl Object for Multiprocessing {
    fn type_name(&self) -> String {
        "module `torch.multiprocessing`".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        std::iter::once(SPAWN.name).chain(RAISED).collect()
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        if name == SPAWN.name {
            return Ok(Some(Value::Native(&SPAWN)));
        }
        let class = RAISED.into_iter().find(|known| *known == name);
        Ok(class.and_then(exceptions::class_value))
    }
}

/// The number of something that a rank has posted, counted by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OpId(u32);

/// What only the rank that runs has.
struct Token<'a> {
    context: Context<'a>,
    journal: Journal,
}

/// Something that a rank wants done; its ranks' things are done in order.
struct Posted {
    id: OpId,
    span: Span,
    what: What,
}

/// What a rank can want.
enum What {
    /// A part in a collective: what it gives, and where it takes the result.
    Collective(Ask, [Option<Bundle>; 2]),
    /// A message to a rank.
    Send(u32, DeviceTensor),
    /// A message from a rank.
    Recv(u32, DeviceTensor),
    /// A kernel on its own device.
    Launch {
        request: LaunchRequest,
        /// The tensors stay until it is done.
        _alive: Vec<DeviceTensor>,
    },
}

/// Why a rank hands the token back.
enum Pause {
    /// Until this is done.
    For(OpId, Span),
    /// Until all is done that it has posted.
    ForAll(Span),
    /// It has come to its end.
    Ended(Result<()>),
}

/// What came of a thing that was posted: the algorithm, where it ran with one. What fails is raised in
/// each of its ranks.
type Done = Result<Option<Choice>>;

/// What a rank says when it hands the token back.
struct Turn<'a> {
    token: Token<'a>,
    posted: Vec<Posted>,
    pause: Pause,
}

/// What a rank is told when it may go on.
struct Go<'a> {
    token: Token<'a>,
    /// What was done meanwhile.
    done: Vec<(OpId, Done)>,
    /// What became of a launch of its that failed.
    failed: Option<Fault>,
}

/// `spawn(fn, args=(), nprocs=1, join=True)`: calls `fn(rank, *args)` for every rank.
fn spawn(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["fn", "args?", "nprocs?", "join?", "daemon?", "start_method?"];
    let [function, given, count, _, _, _] = args.bind(Signature { name: "spawn", params })?;
    let Some(function) = function else { return Ok(Value::None) };
    if evaluator.seat.is_some() {
        let message = "a rank spawns ranks of its own";
        return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, args.span, "spawned here"));
    }
    let name = worker_name(evaluator, &function)?;
    let items = match &given {
        Some(given) => evaluator.items(&given.value, given.span)?,
        None => Vec::new(),
    };
    let span = given.map_or(args.span, |given| given.span);
    let mut parcels = Vec::with_capacity(items.len());
    for item in items {
        parcels.push(Parcel::pack(evaluator, &Given { value: item, span }, 0)?);
    }
    let ranks = ranks(count.as_ref(), &device::ranks(evaluator, args.span)?)?;
    schedule::run(evaluator, &schedule::Crew { name, args: parcels, ranks, span: args.span })?;
    Ok(Value::None)
}

fn ranks(given: Option<&Given>, there: &Ranks) -> Result<u32> {
    let (world, unit) = (there.count(), there.unit());
    let Some(given) = given else { return Ok(1) };
    let count = given.int("`nprocs`")?;
    let known = u32::try_from(count).ok().filter(|ranks| (1..=world).contains(ranks));
    known.ok_or_else(|| {
        let message = match unit {
            RankUnit::Pe => {
                format!("{count} ranks are spawned, and the machine runs 1 to {world}")
            }
            RankUnit::Cube | RankUnit::Sip => {
                let world = unit.counted(world);
                format!("{count} ranks are spawned in a world of {world}")
            }
        };
        let word = unit.word();
        Fault::new(hosting::HOST_VALUE, message, given.span, "not a number of ranks").help(format!(
            "each rank runs on a {word} of its own; `--ws` says how many PEs there are"
        ))
    })
}

/// The name of the function of the file that a rank calls.
fn worker_name(evaluator: &Evaluator<'_>, given: &Given) -> Result<String> {
    let found = evaluator.global_name(&given.value);
    found.ok_or_else(|| {
        given
            .wrong("what is spawned", "a host function of the file")
            .note("a rank is a process of its own: it finds the function by its name")
    })
}
