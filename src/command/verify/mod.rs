//! Checks a program before anything walks it. What passes here never makes a walker, the
//! simulator or the replay panic; what does not is a bug of whatever made the program.
//!
//! Of the program:
//! 1. every agent names a code that exists;
//! 2. there is an entry in the table of neighbours for each agent and direction, and each names an
//!    agent and a direction that exist.
//!
//! Of each code:
//! 3. there is a span for each instruction; the last instruction, and no other, is the end;
//! 4. loops and branches nest, and their ends name each other;
//! 5. registers, sites, descriptors, specs, buffers and live sets are inside their tables;
//! 6. the program id is not written; every register is written before it is read, on every path;
//! 7. buffers, all copies counted, lie inside scratch, and a tile fits in its buffer;
//! 8. a command that makes a tile follows the instruction that makes room for it.
//!
//! Of each command:
//! 9. it has as many operands as its spec, and its spec as many as its op;
//! 10. tile operands have a stride for each axis of the walked shape and hold every element that is
//!     read; scalars have no strides;
//! 11. its result, block or message is as long as the tile it is in;
//! 12. its direction exists, and its message fits in a slot;
//! 13. what a stream computes has the message's elements, and its outputs are no more than four.

mod flow;
mod sites;
mod structure;

use super::{Code, CodeId, Pc, Program};
use crate::arena::Id;
use crate::diag::{Diagnostic, Reported, Sink, internal};
use crate::source::Span;

/// A rule that a program breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, if it is in a code.
    pub at: Option<(CodeId, Pc)>,
    /// Where that was written.
    pub span: Span,
    /// What is wrong.
    pub what: String,
}

impl Violation {
    /// The same as a bug of kbc.
    pub fn as_bug(&self, program: &Program) -> Diagnostic {
        let place = match self.at {
            Some((code, pc)) => format!(", {code} instruction {pc}"),
            None => String::new(),
        };
        let message = format!("the program of `{}` is broken{place}: {}", program.name, self.what);
        Diagnostic::new(internal::INTERNAL, message, self.span, "made from this")
    }
}

/// Every rule that `program` breaks, at most one an instruction.
pub fn verify(program: &Program) -> Vec<Violation> {
    let mut found = Vec::new();
    agents(program, &mut found);
    for (id, code) in program.codes.iter() {
        let mut broken = |pc: Pc, what: String| {
            let span = code.spans.get(pc.index()).copied().unwrap_or_default();
            found.push(Violation { at: Some((id, pc)), span, what });
        };
        if let Err((pc, what)) = structure::check(code).and_then(|()| buffers(code)) {
            // What follows rests on these rules.
            broken(pc, what);
            continue;
        }
        flow::check(code, &program.comm, &mut broken);
    }
    found
}

/// [`verify`] as diagnostics.
///
/// # Errors
/// A rule is broken; it has been reported as a bug.
pub fn verify_reported(program: &Program, sink: &mut Sink) -> Result<(), Reported> {
    let reported = verify(program).iter().map(|it| sink.error(it.as_bug(program))).last();
    reported.map_or(Ok(()), Err)
}

/// A rule broken at an instruction.
type Broken = (Pc, String);

fn agents(program: &Program, found: &mut Vec<Violation>) {
    let mut broken = |what: String| {
        found.push(Violation { at: None, span: Span::NONE, what });
    };
    for (id, agent) in program.agents.iter() {
        if agent.code.index() >= program.codes.len() {
            broken(format!("{id} runs {}, which does not exist", agent.code));
            break;
        }
    }
    let comm = &program.comm;
    let (agents, directions) = (program.agents.len(), comm.directions.len());
    if comm.peers.len() != agents * directions {
        broken(format!(
            "{} neighbours are listed for {agents} agents and {directions} directions",
            comm.peers.len()
        ));
    }
    let exists =
        |peer: &super::Peer| peer.agent.index() < agents && usize::from(peer.queue.0) < directions;
    if let Some(peer) = comm.peers.iter().flatten().find(|peer| !exists(peer)) {
        broken(format!(
            "a neighbour is {} queue {}, which does not exist",
            peer.agent, peer.queue.0
        ));
    }
}

/// Rule 7, but for the tiles.
fn buffers(code: &Code) -> Result<(), Broken> {
    for (index, buffer) in code.buffers.iter().enumerate() {
        let end = u128::from(buffer.offset) + u128::from(buffer.bytes) * u128::from(buffer.copies);
        if end > u128::from(code.scratch_bytes) || buffer.copies == 0 {
            let what = format!(
                "buffer {index} has {} copies and ends at byte {end} of {} bytes of scratch",
                buffer.copies, code.scratch_bytes
            );
            return Err((Pc(0), what));
        }
    }
    Ok(())
}
