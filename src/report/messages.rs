//! What messages paid on their way, with names: in all, by link, and the worst of them one by one. The
//! parts of each line add up to its latency exactly, and the lines of links and ends to that of all.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::sim::{Accounts, Breakdown, MessageAccount};
use crate::topology::{LinkId, Machine};
use crate::units::{Ps, grouped};

/// A link, and what messages paid there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCost {
    /// Which.
    pub link: LinkId,
    /// The node it leaves.
    pub from: String,
    /// The node it enters.
    pub to: String,
    /// What was paid.
    pub costs: Breakdown,
}

/// One message, and what it paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// The message.
    pub account: MessageAccount,
    /// Whose it was, and where that was written.
    pub origin: String,
    /// What it paid link by link.
    pub hops: Vec<LinkCost>,
}

/// What all messages of a run paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageTable {
    /// How many arrived.
    pub messages: u64,
    /// Their latencies, added up.
    pub latency: Ps,
    /// The parts of that.
    pub costs: Breakdown,
    /// What was paid at sources and targets.
    pub ends: Breakdown,
    /// What was paid on links, the most first. Those that cost nothing are left out.
    pub links: Vec<LinkCost>,
    /// The messages that lost most to others, then those that took longest.
    pub worst: Vec<MessageRow>,
}

impl MessageTable {
    /// Gives the links of `accounts` their names; `origin` says whose a message was.
    pub fn new(
        machine: &Machine,
        accounts: &Accounts,
        origin: &dyn Fn(&MessageAccount) -> String,
    ) -> MessageTable {
        let named = |(link, costs): (LinkId, Breakdown)| {
            let (from, to) = machine.ends(link);
            let name = |node| machine.node(node).name.clone();
            LinkCost { link, from: name(from), to: name(to), costs }
        };
        let numbered = (0u32..).zip(&accounts.links).map(|(link, costs)| (LinkId(link), *costs));
        let used = numbered.filter(|(_, costs)| costs.total() > Ps::ZERO);
        let mut links: Vec<LinkCost> = used.map(named).collect();
        links.sort_by_key(|it| (std::cmp::Reverse((it.costs.lost(), it.costs.total())), it.link));
        let row = |account: &MessageAccount| MessageRow {
            origin: origin(account),
            hops: account.hops.iter().copied().map(named).collect(),
            account: account.clone(),
        };
        MessageTable {
            messages: accounts.messages,
            latency: accounts.latency,
            costs: accounts.costs(),
            ends: accounts.ends,
            links,
            worst: accounts.worst.iter().map(row).collect(),
        }
    }

    /// The table as text: all, the ends, the `count` links and messages that cost most. Times are in ns.
    pub fn text(&self, count: usize) -> String {
        let mut out = String::new();
        let number = match self.messages {
            1 => String::from("one message or transfer"),
            many => format!("{} messages and transfers", grouped(many)),
        };
        // Links with room for any number of flits have no credits.
        let shown = |name: &str| name != "credit" || self.costs.credit > Ps::ZERO;
        let names = ["latency", "overhead", "wire", "serial", "queueing", "credit", "memory"];
        let heading = names.iter().filter(|name| shown(name)).map(|name| format!("{name:>12}"));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "\nlatencies of {number}, in ns");
        let _ = writeln!(out, "{}", heading.collect::<String>());
        let mut line = |costs: &Breakdown, what: &str| {
            let Breakdown { overhead, wire, serialisation, queueing, credit, memory } = *costs;
            let times = [costs.total(), overhead, wire, serialisation, queueing, credit, memory];
            for (_, time) in names.iter().zip(times).filter(|(name, _)| shown(name)) {
                let _ = write!(out, "{:>12}", ns(time));
            }
            let _ = writeln!(out, "  {what}");
        };
        line(&self.costs, "all");
        line(&self.ends, "at sources and targets");
        for it in self.links.iter().take(count) {
            line(&it.costs, &format!("{} -> {}", it.from, it.to));
        }
        let mut rest = Breakdown::default();
        self.links.iter().skip(count).for_each(|it| rest += it.costs);
        if let Some(more) = self.links.len().checked_sub(count).filter(|more| *more > 0) {
            line(&rest, &format!("{} other links", grouped(more as u64)));
        }
        for row in self.worst.iter().take(count) {
            line(&row.account.costs(), &row.describe());
        }
        out
    }

    /// The table as JSON; times are in picoseconds.
    pub fn json(&self) -> Value {
        json!({
            "count": self.messages,
            "latency_ps": self.latency.0,
            "parts": parts(&self.costs),
            "ends": parts(&self.ends),
            "links": self.links.iter().map(link).collect::<Vec<_>>(),
            "worst": self.worst.iter().map(MessageRow::json).collect::<Vec<_>>(),
        })
    }
}

impl MessageRow {
    fn describe(&self) -> String {
        let MessageAccount { kind, bytes, sent, .. } = &self.account;
        let bytes = grouped(*bytes);
        let queued = self.hops.iter().max_by_key(|hop| hop.costs.lost());
        let queued = queued.filter(|hop| hop.costs.lost() > Ps::ZERO);
        let at = queued.map_or_else(String::new, |hop| format!(", behind others at {}", hop.from));
        format!("{kind} of {bytes} B by {}, sent at {}{at}", self.origin, ns(*sent))
    }

    fn json(&self) -> Value {
        let it = &self.account;
        json!({
            "kind": it.kind,
            "origin": self.origin,
            "agent": it.agent.0,
            "seq": it.seq,
            "bytes": it.bytes,
            "sent_ps": it.sent.0,
            "arrived_ps": it.arrived.0,
            "latency_ps": it.latency().0,
            "parts": parts(&it.costs()),
            "ends": parts(&it.ends),
            "links": self.hops.iter().map(link).collect::<Vec<_>>(),
        })
    }
}

fn link(it: &LinkCost) -> Value {
    json!({ "link": it.link.0, "from": it.from, "to": it.to, "parts": parts(&it.costs) })
}

fn parts(costs: &Breakdown) -> Value {
    json!({
        "overhead_ps": costs.overhead.0,
        "wire_ps": costs.wire.0,
        "serialisation_ps": costs.serialisation.0,
        "queueing_ps": costs.queueing.0,
        "credit_ps": costs.credit.0,
        "memory_ps": costs.memory.0,
    })
}

/// Nanoseconds with their picoseconds.
fn ns(time: Ps) -> String {
    format!("{}.{:03}", grouped(time.0 / 1000), time.0 % 1000)
}
