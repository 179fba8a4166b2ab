//! Programs as text: the compact form with its loops, the unrolled streams of chosen agents, and
//! a summary.

mod channel;
mod expr;
mod names;
mod program;
mod sites;
mod stream;
mod summary;

pub use program::program;
pub use stream::stream;
pub use summary::{Group, Summary, Work, summarise};

use super::{AgentId, Message, Program};
use crate::arena::Id;
use crate::ir::DmaDesc;
use crate::units::grouped;

/// Names of PEs, neighbours in one piece: `pe0..pe7, pe9`. At most `limit` pieces.
fn pe_ranges(program: &Program, agents: &[AgentId], limit: usize) -> String {
    let mut pieces: Vec<(u32, u32)> = Vec::new();
    for agent in agents {
        let pe = program.agents[*agent].pe.0;
        match pieces.last_mut() {
            Some((_, last)) if *last == pe || last.checked_add(1) == Some(pe) => *last = pe,
            _ => pieces.push((pe, pe)),
        }
    }
    let piece = |(first, last): &(u32, u32)| {
        if first == last { format!("pe{first}") } else { format!("pe{first}..pe{last}") }
    };
    let mut shown: Vec<String> = pieces.iter().take(limit).map(piece).collect();
    if pieces.len() > limit {
        let hidden: u64 =
            pieces[limit..].iter().map(|(first, last)| u64::from(last - first) + 1).sum();
        shown.push(format!("and {} more", grouped(hidden)));
    }
    shown.join(", ")
}

/// `64 x f16`.
fn message(message: Message) -> String {
    format!("{} x {}", message.elements, message.dtype)
}

/// `128 B`, or where it has gaps `[4:256, 64:2] x 2 B`: extents with their strides in bytes.
fn desc(desc: &DmaDesc) -> String {
    if desc.is_contiguous() {
        return format!("{} B", desc.bytes());
    }
    let dims: Vec<String> =
        desc.dims.iter().map(|dim| format!("{}:{}", dim.extent, dim.stride)).collect();
    format!("[{}] x {} B", dims.join(", "), desc.elem_bytes)
}

/// Every agent, in order.
fn all_agents(program: &Program) -> Vec<AgentId> {
    (0..program.agents.len()).map(AgentId::from_index).collect()
}
