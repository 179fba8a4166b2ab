//! Whether the threads of a block meet where they must.
//!
//! One thread waits, acquires, signals or releases for its block; the others run on. So between a wait
//! and the data that it is for, and between data and the signal that they are there, the threads have to
//! meet: in a `nop` or a barrier. Packets order themselves, relaxed waits and signals order no data, and
//! what a port does is asked of it by one thread: none of these is looked at. A loop is followed once.

use super::schema::{Block, ChannelType, Op, OpName};
use super::shapes::shape_of;

/// What the threads of a block have done since they last met.
#[derive(Debug, Default)]
struct Since {
    /// What one of them has waited in.
    waited: Option<OpName>,
    /// What all of them have moved data in.
    moved: Option<OpName>,
}

impl Since {
    /// Goes on past `op`; gives what its threads should have met after.
    fn pass(&mut self, op: &Op) -> Option<OpName> {
        if matches!(op.name, OpName::Nop | OpName::Barrier) {
            *self = Since::default();
        } else if matches!(op.name, OpName::Signal | OpName::SemRelease) {
            return self.moved;
        } else if matches!(op.name, OpName::Wait | OpName::SemAcquire) {
            self.waited = Some(op.name);
        } else if moves_plain_data(op) {
            self.moved = Some(op.name);
            return self.waited;
        }
        None
    }
}

/// Whether all threads of a block move data in `op`, and none of it in packets.
fn moves_plain_data(op: &Op) -> bool {
    let shape = shape_of(op.name, op.channel_type);
    op.channel_type != Some(ChannelType::Port)
        && shape.is_some_and(|shape| shape.sources.are_plain() && shape.targets.are_plain())
}

/// The first op of a block that has no `nop` before it and needs one: where it is in the block, and
/// what is wrong.
pub(super) fn missing(block: &Block) -> Option<(String, String)> {
    let mut since = Since::default();
    for (index, op) in block.ops.iter().enumerate() {
        let inner = op.ops.iter().enumerate();
        let inner = inner.map(|(place, it)| (format!("ops[{index}].ops[{place}]"), it));
        for (path, op) in std::iter::once((format!("ops[{index}]"), op)).chain(inner) {
            if let Some(first) = since.pass(op) {
                return Some((path, told(first, op.name)));
            }
        }
    }
    None
}

fn told(first: OpName, then: OpName) -> String {
    let why = if matches!(then, OpName::Signal | OpName::SemRelease) {
        "one thread tells of data that the others may still be moving"
    } else {
        "only one thread has waited for the data"
    };
    format!("`{}` follows `{}` without a `nop` between: {why}", then.name(), first.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is missing in a block of these ops of memory channels: which op, and what it follows.
    fn found(ops: &[&str]) -> Option<(String, String)> {
        let op = |text: &&str| {
            let (name, rest) = text.split_once(' ').unwrap_or((*text, ""));
            format!("{{\"name\": \"{name}\" {rest}}}")
        };
        let ops: Vec<String> = ops.iter().map(op).collect();
        let text = format!(
            "{{\"id\": 0, \"channels\": [], \"remote_buffer_refs\": [], \"ops\": [{}]}}",
            ops.join(", ")
        );
        let block: Block = serde_json::from_str(&text).unwrap();
        missing(&block).map(|(path, message)| {
            let words: Vec<&str> = message.split('`').collect();
            (path, format!("{} after {}", words[1], words[3]))
        })
    }

    fn is(path: &str, words: &str) -> Option<(String, String)> {
        Some((path.to_owned(), words.to_owned()))
    }

    /// By the rule of MSCCL++'s executor: thread *j* does the *j*-th wait or signal, all do the data.
    #[test]
    fn one_thread_waits_and_signals_and_all_move_data() {
        assert_eq!(found(&["wait", "copy"]), is("ops[1]", "copy after wait"));
        assert_eq!(found(&["sem_acquire", "re"]), is("ops[1]", "re after sem_acquire"));
        assert_eq!(found(&["copy", "signal"]), is("ops[1]", "signal after copy"));
        assert_eq!(found(&["nop", "rre", "sem_release"]), is("ops[2]", "sem_release after rre"));
        assert_eq!(found(&["wait", "nop", "copy", "nop", "signal"]), None);
        assert_eq!(found(&["wait", "barrier", "copy", "barrier", "signal"]), None);
        assert_eq!(found(&["wait", "signal", "wait", "nop", "copy", "wait"]), None);
    }

    #[test]
    fn packets_ports_and_relaxed_ops_need_no_meeting() {
        assert_eq!(found(&["wait", "upkt", "repkt", "signal"]), None);
        let put = r#"put , "channel_type": "port""#;
        assert_eq!(found(&["wait", put, "signal"]), None);
        assert_eq!(found(&["rlxwait", "copy", "rlxsignal"]), None);
    }

    #[test]
    fn what_a_loop_does_comes_after_what_is_before_it() {
        let of = |body: &str| format!("pipeline , \"ops\": [{body}]");
        let copy = of(r#"{"name": "copy"}"#);
        assert_eq!(found(&["wait", &copy]), is("ops[1].ops[0]", "copy after wait"));
        assert_eq!(found(&["wait", "nop", &copy, "signal"]), is("ops[3]", "signal after copy"));
    }
}
