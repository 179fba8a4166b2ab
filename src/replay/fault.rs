//! What a replay finds wrong with a program's data, and how it says so.

use rustc_hash::FxHashSet;

use super::local::{Arrival, Unreadable};
use super::stream::StreamError;
use crate::command::{AgentId, CodeId, Place, Program, QueueId, SiteId, TileRef};
use crate::diag::{Code, Diagnostic, Sink, internal, runtime};
use crate::launch;
use crate::source::Span;

/// A command whose data is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// Whose command.
    pub(super) agent: AgentId,
    /// Where it stands in that agent's code.
    pub(super) site: SiteId,
    /// Its number in the agent's stream.
    pub(super) seq: u32,
    /// What is wrong.
    pub(super) kind: FaultKind,
}

/// What is wrong with a command's data.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FaultKind {
    /// It reads bytes of a tensor that nothing wrote.
    UnwrittenTensor {
        /// The tensor, by its place in the address map.
        region: usize,
        /// The first such byte, from the tensor's start.
        offset: u64,
        /// Bytes of an element.
        elem_bytes: u64,
    },
    /// It reads a tile that cannot be read.
    Tile(TileRef, Unreadable),
    /// It reads or writes where no tensor is.
    OutOfBounds {
        /// The address.
        fault: launch::Fault,
        /// The lowest address of the block and the one past its highest.
        bounds: std::ops::Range<u64>,
        /// Whether it writes.
        writes: bool,
    },
    /// It divides an integer by zero.
    DivisionByZero {
        /// The place of the first, counted row by row.
        place: usize,
        /// The shape that is counted.
        shape: crate::shape::Shape,
    },
    /// It gathers an element of a tile that is not there.
    NoSuchElement {
        /// The place of the first, counted row by row.
        place: usize,
        /// The shape that is counted.
        shape: crate::shape::Shape,
        /// What the index names.
        index: i64,
        /// How many elements there are along the axis.
        extent: u64,
    },
    /// What it asserts of a tile does not hold.
    AssertionFails {
        /// The place of the first element that is not true, counted row by row.
        place: usize,
        /// How many are not.
        count: usize,
        /// The shape that is counted.
        shape: crate::shape::Shape,
        /// What the kernel says.
        said: String,
    },
    /// The program or the log breaks one of kbc's own rules.
    Broken(String),
}

impl FaultKind {
    fn code(&self) -> Code {
        match self {
            FaultKind::UnwrittenTensor { .. }
            | FaultKind::Tile(_, Unreadable::Unwritten(_) | Unreadable::Absent) => {
                runtime::UNWRITTEN_READ
            }
            FaultKind::Tile(_, Unreadable::Overwritten(_)) => runtime::MESSAGE_OVERWRITTEN,
            FaultKind::OutOfBounds { .. } => runtime::OUT_OF_BOUNDS,
            FaultKind::DivisionByZero { .. } => runtime::TILE_DIVISION_BY_ZERO,
            FaultKind::NoSuchElement { .. } => runtime::NO_SUCH_ELEMENT,
            FaultKind::AssertionFails { .. } => runtime::TILE_ASSERTION_FAILS,
            FaultKind::Tile(_, Unreadable::Outside) | FaultKind::Broken(_) => internal::INTERNAL,
        }
    }
}

/// A line of code and what is wrong with it; each is reported once.
type Complaint = (CodeId, SiteId, &'static str);

/// Reports faults, those of one line of code together.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    said: FxHashSet<Complaint>,
    /// Whether anything was reported.
    pub(super) any: bool,
}

impl Reporter {
    /// Reports `faults`, which are in the order of the log.
    pub(super) fn report(&mut self, program: &Program, faults: Vec<Fault>, sink: &mut Sink) {
        let mut groups: Vec<(Complaint, Fault, FxHashSet<AgentId>)> = Vec::new();
        for fault in faults {
            let complaint = (program.agents[fault.agent].code, fault.site, fault.kind.code().id);
            if self.said.contains(&complaint) {
                continue;
            }
            match groups.iter_mut().find(|(known, ..)| *known == complaint) {
                Some((_, first, agents)) => {
                    if first.agent != fault.agent {
                        agents.insert(fault.agent);
                    }
                }
                None => groups.push((complaint, fault, FxHashSet::default())),
            }
        }
        for (complaint, fault, others) in groups {
            self.said.insert(complaint);
            self.any = true;
            sink.error(diagnostic(program, &fault, others.len()));
        }
    }
}

/// `1 byte`, `2 bytes`.
fn bytes(count: u64) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// Where a fault's command was written.
fn span(program: &Program, fault: &Fault) -> Span {
    let site = program.code(fault.agent).sites.get(fault.site);
    site.map_or(Span::NONE, |site| site.span)
}

fn diagnostic(program: &Program, fault: &Fault, others: usize) -> Diagnostic {
    let pe = program.agents[fault.agent].pe;
    let mut it = match &fault.kind {
        FaultKind::UnwrittenTensor { region, offset, elem_bytes } => {
            unwritten_tensor(program, fault, (*region, *offset, *elem_bytes))
        }
        FaultKind::Tile(tile, why) => unreadable(program, fault, *tile, *why),
        FaultKind::OutOfBounds { fault: outside, bounds, writes } => {
            out_of_bounds(program, fault, outside, (bounds, *writes))
        }
        FaultKind::DivisionByZero { place, shape } => {
            let message = format!("{pe} divides an integer by zero");
            let label = format!("the divisor is 0 at {}", index_of(*place as u64, shape));
            Diagnostic::new(fault.kind.code(), message, span(program, fault), label)
        }
        FaultKind::NoSuchElement { place, shape, index, extent } => {
            let message =
                format!("{pe} gathers element {index} of a tile with {extent} along the axis");
            let label = format!("the index is {index} at {}", index_of(*place as u64, shape));
            Diagnostic::new(fault.kind.code(), message, span(program, fault), label)
        }
        FaultKind::AssertionFails { place, count, shape, said } => {
            let separator = if said.is_empty() { "" } else { ": " };
            let message = format!("an assertion fails on {pe}{separator}{said}");
            let label = match shape.rank() {
                0 => String::from("this is false"),
                _ => format!(
                    "false for {count} of {} elements, first at {}",
                    shape.elements(),
                    index_of(*place as u64, shape)
                ),
            };
            Diagnostic::new(fault.kind.code(), message, span(program, fault), label)
        }
        FaultKind::Broken(what) => Diagnostic::new(
            fault.kind.code(),
            format!("replay stopped at command {} of {}: {what}", fault.seq, fault.agent),
            span(program, fault),
            "this command",
        ),
    };
    if others > 0 {
        let plural = if others == 1 { "" } else { "s" };
        it = it.note(format!("the same happens on {others} more PE{plural}"));
    }
    it
}

/// The index `[i, j]` of element `place` of a shape.
pub(super) fn index_of(place: u64, shape: &crate::shape::Shape) -> String {
    let mut rest = place;
    let mut index: Vec<String> = Vec::with_capacity(shape.rank());
    for extent in shape.0.iter().rev() {
        index.push((rest % (*extent).max(1)).to_string());
        rest /= (*extent).max(1);
    }
    index.reverse();
    format!("[{}]", index.join(", "))
}

fn unwritten_tensor(
    program: &Program,
    fault: &Fault,
    (region, offset, elem_bytes): (usize, u64, u64),
) -> Diagnostic {
    let pe = program.agents[fault.agent].pe;
    let name = &program.memory.regions()[region].name;
    let element = offset / elem_bytes.max(1);
    let message = format!("{pe} reads element {element} of `{name}`, which nothing has written");
    let label = format!("reads `{name}` from byte {offset} on");
    Diagnostic::new(fault.kind.code(), message, span(program, fault), label)
}

fn direction(program: &Program, queue: QueueId) -> &str {
    program.comm.direction(queue)
}

fn unreadable(program: &Program, fault: &Fault, tile: TileRef, why: Unreadable) -> Diagnostic {
    let pe = program.agents[fault.agent].pe;
    let code = fault.kind.code();
    let at = span(program, fault);
    match (why, tile.place) {
        (Unreadable::Unwritten(byte), Place::Scratch(start)) => Diagnostic::new(
            code,
            format!(
                "{pe} reads a tile of {}, of which byte {byte} was never written",
                bytes(tile.bytes)
            ),
            at,
            format!("reads the tile at TCM byte {start}"),
        ),
        (Unreadable::Unwritten(_) | Unreadable::Absent, Place::Slot { queue, token }) => {
            let from = direction(program, queue);
            Diagnostic::new(
                code,
                format!("{pe} reads message {token} from `{from}`, which is not in its slot"),
                at,
                "reads the message here",
            )
        }
        (Unreadable::Overwritten(by), Place::Slot { queue, token }) => {
            overwritten(program, fault, (queue, token), by)
        }
        (Unreadable::Absent | Unreadable::Overwritten(_), Place::Scratch(_))
        | (Unreadable::Outside, _) => Diagnostic::new(
            code,
            format!(
                "command {} of {} uses a tile outside of {pe}'s memory",
                fault.seq, fault.agent
            ),
            at,
            "this command",
        ),
    }
}

fn overwritten(
    program: &Program,
    fault: &Fault,
    (queue, token): (QueueId, u64),
    by: Arrival,
) -> Diagnostic {
    let pe = program.agents[fault.agent].pe;
    let (sender, from) = (program.agents[by.from].pe, direction(program, queue));
    let message = format!(
        "{pe} reads message {token} from `{from}` after message {} has taken its slot",
        by.token
    );
    Diagnostic::new(fault.kind.code(), message, span(program, fault), "reads the message here")
        .because(
            program.span(by.from, by.site),
            format!("{sender} sends message {} here", by.token),
        )
        .note(format!(
            "the queue has {} slots; a slot was given back while still in use",
            program.comm.slots
        ))
}

fn out_of_bounds(
    program: &Program,
    fault: &Fault,
    outside: &launch::Fault,
    (bounds, writes): (&std::ops::Range<u64>, bool),
) -> Diagnostic {
    let pe = program.agents[fault.agent].pe;
    let verb = if writes { "writes" } else { "reads" };
    let message = format!("{pe} {verb} address {:#x}, where no tensor is", outside.address);
    let label = format!("{verb} {:#x} to {:#x}", bounds.start, bounds.end);
    let it = Diagnostic::new(fault.kind.code(), message, span(program, fault), label);
    let Some(near) = &outside.nearest else { return it };
    let end = near.base.saturating_add(near.bytes);
    it.note(format!(
        "`{}` is nearest: {:#x} to {end:#x}, {}",
        near.name,
        near.base,
        bytes(near.bytes)
    ))
}

/// What a log does that names no command of the program.
pub(super) fn stream_fault(error: &StreamError) -> String {
    match error {
        StreamError::Ended => String::from("the log runs a command beyond the stream's end"),
        StreamError::Taken => String::from("the log runs a command twice"),
        StreamError::Walk(error) => format!("the stream cannot be walked: {error:?}"),
    }
}
