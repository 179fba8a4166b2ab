//! The host and what it says to the machine: messages through the fabric, with replies.
//!
//! **Who speaks.** The host speaks to the IO_CPU of each SIP, that to the M_CPU of each cube, and that
//! to each PE ([`tree`]); on a machine without such processors the host speaks to PEs. An answer goes
//! the same way up, and a processor passes it on once all that it waits for have answered. Memory
//! is read and written by the host without any processor ([`memory`]).
//!
//! **The launch barrier.** A launch carries no bytes, so nothing makes it queue, and its way takes
//! what wires and processors take. So the time by which the last PE has it is known before it is
//! sent: it is the stamp of the launch, until which every PE waits. All PEs begin at one instant.
//!
//! Between two launches the network is idle, and nothing of the host is on it while PEs run, except
//! for reports without bytes. So this is a simulation of its own, on the same network.

mod fabric;
mod memory;
mod tree;

pub use memory::{Access, HostDma};

use fabric::Fabric;
use tree::Tree;

use super::ledger::Accounts;
use crate::topology::{LinkId, Machine, PeId};
use crate::units::Ps;

/// What a message to many PEs carries, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// The same for every PE.
    pub shared: u64,
    /// For each PE its own.
    pub own: u64,
}

/// What the host does around one launch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostWork {
    /// The PEs that take part: the first ones.
    pub world: u32,
    /// MmuUnmap: entries of tensors that are no more; none is sent without.
    pub unmap: Option<Load>,
    /// MmuMap: entries of new tensors.
    pub map: Option<Load>,
    /// IpcqInit: where the slots of queues and of their neighbours are.
    pub queues: Option<Load>,
}

/// What the host's messages around one launch take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostPath {
    /// MmuUnmap and MmuMap, until they are answered.
    pub mapping: Ps,
    /// IpcqInit, until it is answered.
    pub queues: Ps,
    /// From the launch message to the barrier.
    pub launch: Ps,
    /// From the end of the kernel to the last report.
    pub completion: Ps,
}

/// A launch that has reached its PEs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// When the host sent it.
    pub sent: Ps,
    /// The stamp of the launch: when all PEs start.
    pub target_start: Ps,
    /// When it reached each PE, in order.
    pub arrivals: Vec<Ps>,
}

impl HostPath {
    /// All of it.
    pub fn total(&self) -> Ps {
        self.mapping + self.queues + self.launch + self.completion
    }

    /// What the host takes around a launch of `work` on an idle machine, whose PEs ended `ends`
    /// after the barrier and whose kernel took `time`. `None` where no host reaches all of these
    /// PEs.
    pub fn of(machine: &Machine, work: &HostWork, (ends, time): (&[Ps], Ps)) -> Option<HostPath> {
        let mut host = Host::new(machine, work.world)?;
        let mut path = HostPath::default();
        for load in [work.unmap, work.map].into_iter().flatten() {
            path.mapping += host.tell(load);
        }
        if let Some(load) = work.queues {
            path.queues = host.tell(load);
        }
        let launched = host.launch();
        path.launch = launched.target_start - launched.sent;
        let reported = host.collect(launched.target_start, ends);
        path.completion = reported.since(launched.target_start + time);
        Some(path)
    }
}

impl Launched {
    /// When each PE starts: when the launch has reached it, but not before the stamp.
    pub fn starts(&self) -> impl Iterator<Item = Ps> {
        self.arrivals.iter().map(|arrival| self.target_start.max(*arrival))
    }
}

/// A host, and a machine that does nothing else.
#[derive(Debug)]
pub struct Host<'m> {
    fabric: Fabric<'m>,
    tree: Tree,
}

impl<'m> Host<'m> {
    /// The host of `machine`, to speak to its first `world` PEs. `None` where there is no host, or
    /// no way from it to them and back.
    pub fn new(machine: &'m Machine, world: u32) -> Option<Host<'m>> {
        let mut fabric = Fabric::new(machine);
        let tree = Tree::new(&mut fabric, world.min(machine.pe_count()))?;
        Some(Host { fabric, tree })
    }

    /// Keeps accounts of all messages from now on, and of so many of the worst one by one.
    pub fn keep_accounts(&mut self, worst: usize) {
        self.fabric.keep_accounts(worst);
    }

    /// What messages have paid since then, if that was kept.
    pub fn take_accounts(&mut self) -> Option<Accounts> {
        self.fabric.take_accounts()
    }

    /// Sends every PE a message (MmuMap, MmuUnmap, IpcqInit), and waits for all answers. Gives how
    /// long that took.
    pub fn tell(&mut self, load: Load) -> Ps {
        let sent = self.fabric.now();
        self.tree.send_down(&mut self.fabric, load);
        let answered = self.tree.run(&mut self.fabric, true);
        answered.since(sent)
    }

    /// Launches a kernel on every PE.
    pub fn launch(&mut self) -> Launched {
        let sent = self.fabric.now();
        let target_start = sent + self.tree.slowest();
        self.tree.send_down(&mut self.fabric, Load::default());
        self.tree.run(&mut self.fabric, false);
        Launched { sent, target_start, arrivals: self.tree.arrivals() }
    }

    /// Waits until every PE has reported the end of its kernel, `ends` after `start`; a PE that is not
    /// in `ends` ends at once. Gives when the last report was here.
    pub fn collect(&mut self, start: Ps, ends: &[Ps]) -> Ps {
        self.tree.report(&mut self.fabric, start, ends);
        self.tree.run(&mut self.fabric, true)
    }

    /// Lets the host write or read memory, or have a PE do so, and waits for the answer. `None`
    /// where no way leads there.
    pub fn access(&mut self, access: Access) -> Option<HostDma> {
        let legs = memory::legs(self.fabric.machine, &self.tree, access)?;
        memory::run(&mut self.fabric, &legs)
    }

    /// The ways of the messages of an access, in order, up to the one that carries the bytes.
    pub fn routes(&self, access: Access) -> Vec<Vec<LinkId>> {
        let machine = self.fabric.machine;
        let legs = memory::legs(machine, &self.tree, access).unwrap_or_default();
        let mut routes = Vec::new();
        for leg in &legs {
            let (route, is_data) = leg.route(machine);
            routes.push(route);
            if is_data {
                break;
            }
        }
        routes
    }

    /// How far the stations between the host and `pe` are: when a message without bytes reaches
    /// each, by name.
    pub fn way(&self, pe: PeId) -> Vec<(String, Ps)> {
        self.tree.way(&self.fabric, pe)
    }
}
