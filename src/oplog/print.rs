//! A log as text, one record a line, in order of time.

use std::fmt::Write;

use super::{Action, Record};

/// The text of a log: records by start, then agent, then command, each with its number in the log.
///
/// ```text
/// #0 0..16000 a0 command 0 s1 dma_comm x0 after barrier at 0
/// #1 0..116000 a0 delivery 0 s1 network x0 l2 after link of #0 at 0
/// ```
pub fn to_text(records: &[Record]) -> String {
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|at| {
        let it = &records[*at];
        (it.start, it.agent, it.seq, it.action, *at)
    });
    let mut out = String::new();
    for at in order {
        // Writing to a string does not fail.
        let _ = line(at, &records[at], &mut out);
    }
    out
}

fn line(at: usize, it: &Record, out: &mut String) -> std::fmt::Result {
    let action = match it.action {
        Action::Command => "command",
        Action::Delivery => "delivery",
        Action::Stage => "stage",
    };
    write!(out, "#{at} {}..{} {} {action} {} {}", it.start.0, it.end.0, it.agent, it.seq, it.site)?;
    write!(out, " {}", it.engine.name())?;
    if let Some(transfer) = it.transfer {
        write!(out, " {transfer}")?;
    }
    if let Some(link) = it.link {
        write!(out, " {link}")?;
    }
    write!(out, " after {}", it.cause.name())?;
    if let Some(before) = it.predecessor {
        write!(out, " of {before}")?;
    }
    writeln!(out, " at {}", it.handoff.0)
}
