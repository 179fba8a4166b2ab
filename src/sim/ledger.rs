//! What messages paid on their way: the latency of each, divided into parts that add up to it exactly,
//! by link and in all.
//!
//! The clock of a message is that of its last byte. It waits at its source until it has been read, at
//! each link until it has entered it, goes over the wire and through the node behind, and is written at
//! its target. Its stay in front of a link is *queueing* as far as it came later there than on an idle
//! route, and *serialisation* otherwise: its own bytes. With finite buffers the part of that delay for which
//! there was no room behind the link is *credit*. So a message that meets nobody pays exactly its
//! closed form, and nothing is counted twice although a message is on several links at once.

use crate::arena::Id;
use crate::command::{AgentId, SiteId};
use crate::sim::network::Cargo;
use crate::sim::routes::LinkCosts;
use crate::topology::{LinkId, Machine};
use crate::units::Ps;

/// The parts of a time on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// In the nodes entered, routers' pipelines and memory controllers among them.
    pub overhead: Ps,
    /// On wires.
    pub wire: Ps,
    /// Behind its own bytes.
    pub serialisation: Ps,
    /// Behind others.
    pub queueing: Ps,
    /// For room in a buffer, where buffers are finite.
    pub credit: Ps,
    /// For the memories at its ends: channels of HBM that are busy, a stream that has not begun.
    pub memory: Ps,
}

impl Breakdown {
    /// What others cost: behind them, and for room that they left none of.
    pub fn lost(&self) -> Ps {
        self.queueing + self.credit
    }

    /// All of it.
    pub fn total(&self) -> Ps {
        self.overhead + self.wire + self.serialisation + self.lost() + self.memory
    }
}

impl std::ops::AddAssign for Breakdown {
    fn add_assign(&mut self, other: Breakdown) {
        self.overhead += other.overhead;
        self.wire += other.wire;
        self.serialisation += other.serialisation;
        self.queueing += other.queueing;
        self.credit += other.credit;
        self.memory += other.memory;
    }
}

/// What one message paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAccount {
    /// What it was for, in words.
    pub kind: &'static str,
    /// Whose it was.
    pub agent: AgentId,
    /// The command that sent it, and where that comes from.
    pub seq: u32,
    /// Where that comes from.
    pub site: SiteId,
    /// What it carried.
    pub bytes: u64,
    /// When it was sent, on the clock of the run.
    pub sent: Ps,
    /// When all of it was where it belongs: later by exactly what it paid.
    pub arrived: Ps,
    /// What it paid at its source and at its target.
    pub ends: Breakdown,
    /// What it paid on each link, in order. Links that take no time are left out.
    pub hops: Vec<(LinkId, Breakdown)>,
}

impl MessageAccount {
    /// From its sending to its arrival.
    pub fn latency(&self) -> Ps {
        self.arrived.since(self.sent)
    }

    /// All that it paid.
    pub fn costs(&self) -> Breakdown {
        let mut sum = self.ends;
        self.hops.iter().for_each(|hop| sum += hop.1);
        sum
    }

    /// Those that lost most to others first, then those that took longest, then the earliest.
    fn rank(&self, lost: Ps) -> impl Ord + use<> {
        let long = std::cmp::Reverse((lost, self.latency()));
        (long, self.sent, self.agent, self.seq)
    }
}

/// What all messages and transfers of a run paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// How many arrived.
    pub messages: u64,
    /// Their latencies, added up.
    pub latency: Ps,
    /// What they paid at sources and targets.
    pub ends: Breakdown,
    /// What they paid on each link, in the order of link ids. With [`Accounts::ends`] that is all of
    /// [`Accounts::latency`].
    pub links: Vec<Breakdown>,
    /// Those that lost most to others, and of those that lost as much, that took longest.
    pub worst: Vec<MessageAccount>,
}

impl Accounts {
    /// All that was paid; adds up to [`Accounts::latency`].
    pub fn costs(&self) -> Breakdown {
        let mut sum = self.ends;
        self.links.iter().for_each(|link| sum += *link);
        sum
    }
}

/// A message's stay in front of a link.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stay {
    pub(super) link: u32,
    pub(super) serialisation: Ps,
    pub(super) queueing: Ps,
    pub(super) credit: Ps,
    /// In the node that it leaves, beyond what the link has.
    pub(super) overhead: Ps,
}

/// When a message was sent and when it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    pub(super) cargo: Cargo,
    pub(super) bytes: u64,
    pub(super) sent: Ps,
    pub(super) arrived: Ps,
    pub(super) ends: Breakdown,
}

/// Accounts that are being kept.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    accounts: Accounts,
    /// What each link costs every message: its wire, and the node behind it.
    fixed: Vec<(Ps, Ps)>,
    /// How many of the worst messages are kept.
    keep: usize,
    /// Scratch for the stays of one message.
    pub(super) stays: Vec<Stay>,
}

impl Ledger {
    /// Empty accounts for the links of `machine`, which keep so many of the worst messages.
    pub(super) fn new(machine: &Machine, keep: usize) -> Ledger {
        let fixed = |index| {
            let link = LinkId::from_index(index);
            let wire = machine.link(link).wire;
            (wire, LinkCosts::of(machine, link).delay.since(wire))
        };
        let links = vec![Breakdown::default(); machine.link_count()];
        Ledger {
            accounts: Accounts { links, ..Accounts::default() },
            fixed: (0..machine.link_count()).map(fixed).collect(),
            keep,
            stays: Vec::new(),
        }
    }

    /// Enters a message that has arrived, whose stays are in [`Ledger::stays`].
    pub(super) fn enter(&mut self, passage: &Passage) {
        let mut lost = passage.ends.lost();
        self.accounts.messages += 1;
        self.accounts.latency += passage.arrived.since(passage.sent);
        self.accounts.ends += passage.ends;
        for stay in &self.stays {
            lost += stay.queueing + stay.credit;
            self.accounts.links[stay.link as usize] += paid(&self.fixed, stay);
        }
        debug_assert_eq!(
            self.stays.iter().map(|stay| paid(&self.fixed, stay).total()).sum::<Ps>()
                + passage.ends.total(),
            passage.arrived.since(passage.sent),
            "the parts of a latency add up to it"
        );
        self.rank(passage, lost);
    }

    /// Keeps the message if it is one of the worst.
    fn rank(&mut self, passage: &Passage, lost: Ps) {
        let mut message = MessageAccount {
            kind: passage.cargo.kind.name(),
            agent: AgentId(passage.cargo.agent),
            seq: passage.cargo.seq,
            site: passage.cargo.site,
            bytes: passage.bytes,
            sent: passage.sent,
            arrived: passage.arrived,
            ends: passage.ends,
            hops: Vec::new(),
        };
        let worst = &mut self.accounts.worst;
        let rank = message.rank(lost);
        if worst.len() == self.keep
            && worst.last().is_none_or(|last| last.rank(last.costs().lost()) <= rank)
        {
            return;
        }
        let hop = |stay: &Stay| (LinkId(stay.link), paid(&self.fixed, stay));
        message.hops = self.stays.iter().map(hop).collect();
        let place = worst.partition_point(|it| it.rank(it.costs().lost()) <= rank);
        worst.insert(place, message);
        worst.truncate(self.keep);
    }

    /// What a link costs every message.
    pub(super) fn fixed(&self, link: LinkId) -> Ps {
        let (wire, overhead) = self.fixed[link.index()];
        wire + overhead
    }

    /// What has been entered.
    pub(super) fn into_accounts(self) -> Accounts {
        self.accounts
    }
}

/// What a stay, and the link behind it, cost.
fn paid(fixed: &[(Ps, Ps)], stay: &Stay) -> Breakdown {
    let (wire, overhead) = fixed[stay.link as usize];
    Breakdown {
        overhead: overhead + stay.overhead,
        wire,
        serialisation: stay.serialisation,
        queueing: stay.queueing,
        credit: stay.credit,
        memory: Ps::ZERO,
    }
}
