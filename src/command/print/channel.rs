//! Channel commands as text, and what they move.

use crate::command::Code;
use crate::command::channel::{
    self, ChannelCmd, ChannelOp, Form, ListId, Move, Stretch, Unit, VisitChannel,
};

/// Bytes that a channel command moves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    /// Out of memory, by threads.
    pub(super) read: u64,
    /// Into memory, by threads.
    pub(super) written: u64,
    /// By a port.
    pub(super) sent: u64,
}

/// `ppkt 0x1000[4096] -> 0x2000[4096]!`, where `!` says that it is packets.
pub(super) fn text(code: &Code, op: ChannelOp) -> String {
    op.visit(&mut Text { code })
}

/// What `it` moves, packets with their flags.
pub(super) fn moved(code: &Code, it: &ChannelCmd) -> Moved {
    let room = |stretch: &Stretch, unit: Unit| {
        let bytes = stretch.form.room(it.at.bytes(stretch, unit));
        bytes.saturating_mul(stretch.at.len() as u64)
    };
    let mut moved = Moved::default();
    if let ChannelOp::Exchange(op) = it.op {
        let spec = &code.exchanges[op.spec];
        for it in &spec.moves {
            moved.read += it.sources.iter().map(|it| room(it, spec.unit)).sum::<u64>();
            moved.written += it.targets.iter().map(|it| room(it, spec.unit)).sum::<u64>();
        }
    } else if let ChannelOp::PortPut(op) = it.op {
        let spec = &code.ports[op.spec];
        moved.sent = spec.requests.iter().map(|it| room(&it.source, spec.unit)).sum();
    }
    moved
}

struct Text<'a> {
    code: &'a Code,
}

impl Text<'_> {
    fn list(&self, name: &str, list: ListId) -> String {
        let numbers: Vec<String> = self.code.lists[list].iter().map(u32::to_string).collect();
        format!("{name} {}", numbers.join(" "))
    }
}

fn stretch(it: &Stretch) -> String {
    let first = it.at.first().copied().unwrap_or(0);
    let more = if it.at.len() > 1 { format!("×{}", it.at.len()) } else { String::new() };
    let flag = if it.form == Form::Packets { "!" } else { "" };
    format!("{first:#x}{more}[{}]{flag}", it.bytes)
}

fn one_move(it: &Move) -> String {
    let list = |stretches: &[Stretch], by: &str| {
        stretches.iter().map(stretch).collect::<Vec<_>>().join(by)
    };
    let by = format!(" {} ", it.reduce.name());
    format!("{} -> {}", list(&it.sources, &by), list(&it.targets, " "))
}

impl VisitChannel for Text<'_> {
    type Out = String;

    fn exchange(&mut self, it: &channel::Exchange) -> String {
        let spec = &self.code.exchanges[it.spec];
        let moves: Vec<String> = spec.moves.iter().map(one_move).collect();
        format!("{} {}", spec.name, moves.join(", "))
    }

    fn port_put(&mut self, it: &channel::PortPut) -> String {
        let spec = &self.code.ports[it.spec];
        let request = |it: &channel::PortRequest| {
            format!("{} -> {} on {}", stretch(&it.source), stretch(&it.target), it.channel)
        };
        let requests: Vec<String> = spec.requests.iter().map(request).collect();
        format!("{} {}", spec.name, requests.join(", "))
    }

    fn flush(&mut self, it: &channel::Flush) -> String {
        self.list("flush", it.channels)
    }

    fn signal(&mut self, it: &channel::Signal) -> String {
        self.list("signal", it.channels)
    }

    fn await_signal(&mut self, it: &channel::AwaitSignal) -> String {
        self.list("wait", it.channels)
    }

    fn sync(&mut self, _: &channel::BlockSync) -> String {
        String::from("sync")
    }

    fn barrier(&mut self, it: &channel::BlockBarrier) -> String {
        format!("barrier {} of {}", it.barrier, it.blocks)
    }

    fn acquire(&mut self, it: &channel::Acquire) -> String {
        self.list("sem_acquire", it.semaphores)
    }

    fn release(&mut self, it: &channel::Release) -> String {
        self.list("sem_release", it.semaphores)
    }

    fn kernel_end(&mut self, _: &channel::KernelEnd) -> String {
        String::from("kernel_end")
    }
}
