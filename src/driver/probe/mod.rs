//! `kbc probe`: how long a machine takes to move bytes, case by case, and why.
//!
//! Nothing here has a formula for a time: every total is a run of the simulator on a program of one
//! command a PE. What wires and parts cost is read off the route; what remains of an idle run is
//! serialisation, and what a run takes beyond the idle one is queueing.

mod cases;
mod json;
mod measure;
mod peaks;
mod text;

pub use cases::{Case, Group, Work};
pub use measure::{Measured, Transfer, measure};
pub use peaks::max_min;

use super::UsageError;
use crate::arena::Id;
use crate::diag::Diagnostic;
use crate::report::MessageTable;
use crate::sim::{self, Access, Host, MessageAccount};
use crate::topology::{LinkId, Machine, PeId};
use crate::units::{Bandwidth, Ps};

/// The sizes of the sweep, in bytes.
pub const SWEEP: [u64; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// What is asked of the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOptions {
    /// The cases, by their names or by those of their groups; all of them where none is named.
    pub cases: Vec<String>,
    /// Bytes that each PE moves.
    pub bytes: u64,
    /// Whether PEs write instead of reading.
    pub writes: bool,
}

/// Why the probe says nothing.
#[derive(Clone, Debug)]
pub enum ProbeError {
    /// There is no such case.
    Usage(UsageError),
    /// The simulator stopped.
    Stopped(Box<Diagnostic>),
}

impl From<Box<Diagnostic>> for ProbeError {
    fn from(diagnostic: Box<Diagnostic>) -> ProbeError {
        ProbeError::Stopped(diagnostic)
    }
}

/// Where the time of one case goes. The parts add up to the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// What parts take on the way, once each.
    pub overhead: Ps,
    /// What wires take.
    pub wire: Ps,
    /// What the bytes take at the bandwidths on the way, with nobody else about.
    pub serialisation: Ps,
    /// What others take.
    pub queueing: Ps,
}

/// A case that has been run.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Bytes that each PE moved.
    pub bytes: u64,
    /// Until the last PE had moved them.
    pub total: Ps,
    /// Until the first one had.
    pub first: Ps,
    /// Where the total went, of the PE that took it.
    pub split: Split,
    /// Bytes a nanosecond, all PEs together.
    pub gb_per_s: f64,
    /// The slowest link on the way of one PE, in GB/s.
    pub peak: f64,
    /// What all PEs together could have at best: the sum of their max-min fair shares.
    pub aggregate: f64,
}

impl Sample {
    /// What was reached of what all could have at best, in percent.
    pub fn utilisation(&self) -> f64 {
        self.gb_per_s / self.aggregate * 100.0
    }
}

/// One link of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// The link.
    pub link: LinkId,
    /// The node that it leads to.
    pub enters: String,
    /// When the first byte is there, with that node's overhead.
    pub first: Ps,
    /// When the last byte is, on an idle route.
    pub last: Ps,
}

/// All that is known of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Probed {
    /// The case.
    pub case: Case,
    /// At the size asked for.
    pub sample: Sample,
    /// At the sizes of [`SWEEP`]; of single transfers.
    pub sweep: Vec<Sample>,
    /// The way of the bytes, of single transfers.
    pub hops: Vec<Hop>,
    /// What messages paid on their way, at the size asked for.
    pub accounts: MessageTable,
}

/// What the probe found out.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeReport {
    machine: String,
    pes: u32,
    bytes: u64,
    writes: bool,
    /// Every case, in order.
    pub cases: Vec<Probed>,
}

/// Runs cases on a machine.
///
/// # Errors
/// A case that is not there; a machine on which one cannot be run.
pub fn probe(machine: &Machine, options: &ProbeOptions) -> Result<ProbeReport, ProbeError> {
    let all = cases::all(machine, options.writes);
    let chosen = choose(all, &options.cases).map_err(ProbeError::Usage)?;
    let cases = chosen.into_iter().map(|case| run(machine, case, options.bytes));
    Ok(ProbeReport {
        machine: machine.name().to_owned(),
        pes: machine.pe_count(),
        bytes: options.bytes,
        writes: options.writes,
        cases: cases.collect::<Result<_, _>>()?,
    })
}

/// The cases of these names or groups.
fn choose(all: Vec<Case>, names: &[String]) -> Result<Vec<Case>, UsageError> {
    let is_of = |case: &Case, name: &str| case.name == name || case.group.name() == name;
    for name in names {
        if !all.iter().any(|case| is_of(case, name)) {
            let groups = Group::ALL.iter().map(|group| group.name());
            let there: Vec<&str> =
                groups.chain(all.iter().map(|case| case.name.as_str())).collect();
            let there = there.join(", ");
            return Err(UsageError(format!("--case: there is no `{name}`; there are {there}")));
        }
    }
    let wanted = |case: &Case| names.is_empty() || names.iter().any(|name| is_of(case, name));
    Ok(all.into_iter().filter(wanted).collect())
}

fn run(machine: &Machine, case: Case, bytes: u64) -> Result<Probed, ProbeError> {
    let sample = sample(machine, &case, bytes)?;
    let (mut sweep, mut hops) = (Vec::new(), Vec::new());
    if case.group != Group::Contention {
        for size in SWEEP {
            sweep.push(self::sample(machine, &case, size)?);
        }
        hops = way(machine, &case.work, bytes);
    }
    let accounts = accounts(machine, &case, bytes)?;
    Ok(Probed { case, sample, sweep, hops, accounts })
}

/// What the messages of a case pay on their way.
fn accounts(machine: &Machine, case: &Case, bytes: u64) -> Result<MessageTable, Box<Diagnostic>> {
    match &case.work {
        Work::Pes(transfers) => {
            let accounts = measure(machine, transfers, bytes)?.accounts;
            let origin = |message: &MessageAccount| {
                let transfer = transfers.get(message.agent.index());
                let issuer = transfer.map_or(PeId(0), |transfer| transfer.issuer);
                let name = &machine.node(machine.pe(issuer).dma).name;
                name.strip_suffix(".dma").unwrap_or(name).to_owned()
            };
            Ok(MessageTable::new(machine, &accounts, &origin))
        }
        Work::Host(access) => {
            let accounts = Host::new(machine, machine.pe_count()).and_then(|mut host| {
                host.keep_accounts(measure::WORST);
                host.access(access.of_bytes(bytes))?;
                host.take_accounts()
            });
            let origin = |_: &MessageAccount| String::from("the host or for it");
            Ok(MessageTable::new(machine, &accounts.unwrap_or_default(), &origin))
        }
    }
}

/// Runs one case at one size.
///
/// # Errors
/// As [`fn@measure`].
pub fn sample(machine: &Machine, case: &Case, bytes: u64) -> Result<Sample, Box<Diagnostic>> {
    match &case.work {
        Work::Pes(transfers) => of_pes(machine, transfers, bytes),
        Work::Host(access) => Ok(of_host(machine, access.of_bytes(bytes), bytes)),
    }
}

/// PEs that move bytes, all at once.
fn of_pes(
    machine: &Machine,
    transfers: &[Transfer],
    bytes: u64,
) -> Result<Sample, Box<Diagnostic>> {
    let ran = measure(machine, transfers, bytes)?;
    let slowest = ran.each.iter().zip(transfers).max_by_key(|(end, _)| **end);
    let alone = match (transfers, slowest) {
        ([_], _) | (_, None) => ran.makespan,
        (_, Some((_, transfer))) => measure(machine, &[*transfer], bytes)?.makespan,
    };
    let (overhead, wire) =
        slowest.map_or((Ps::ZERO, Ps::ZERO), |(_, transfer)| fixed(machine, *transfer));
    let split = Split {
        overhead,
        wire,
        serialisation: alone.since(overhead + wire),
        queueing: ran.makespan.since(alone),
    };
    let routes: Vec<Vec<LinkId>> =
        transfers.iter().map(|transfer| data_route(machine, *transfer)).collect();
    let limit = memory_limit(machine);
    let rates = max_min(machine, &routes);
    let peaks = routes.iter().map(|route| machine.bottleneck(route).gb_per_s().min(limit));
    Ok(Sample {
        bytes,
        total: ran.makespan,
        first: ran.each.iter().copied().min().unwrap_or_default(),
        split,
        gb_per_s: rate(bytes.saturating_mul(transfers.len() as u64), ran.makespan),
        peak: peaks.fold(f64::INFINITY, f64::min),
        aggregate: rates.iter().map(|rate| rate.min(limit)).sum(),
    })
}

/// The host, which moves bytes or has them moved: until they are where they belong.
fn of_host(machine: &Machine, access: Access, bytes: u64) -> Sample {
    let moved = |access: Access| {
        let ran = Host::new(machine, machine.pe_count()).and_then(|mut it| it.access(access));
        ran.map_or(Ps::ZERO, |ran| ran.moved)
    };
    let (total, empty) = (moved(access), moved(access.of_bytes(0)));
    let routes = host_routes(machine, access);
    let links = || routes.iter().flatten().map(|link| machine.link(*link));
    let wire: Ps = links().map(|link| link.wire).sum();
    let data = routes.last().map_or(&[][..], Vec::as_slice);
    let peak = machine.bottleneck(data).gb_per_s();
    let split = Split {
        overhead: empty.since(wire),
        wire,
        serialisation: total.since(empty),
        queueing: Ps::ZERO,
    };
    let gb_per_s = rate(bytes, total);
    Sample { bytes, total, first: total, split, gb_per_s, peak, aggregate: peak }
}

/// The ways of the host's messages, that of the bytes last.
fn host_routes(machine: &Machine, access: Access) -> Vec<Vec<LinkId>> {
    let host = Host::new(machine, machine.pe_count());
    host.map(|host| host.routes(access)).unwrap_or_default()
}

/// Bytes a nanosecond; none in no time.
fn rate(bytes: u64, time: Ps) -> f64 {
    if time == Ps::ZERO { 0.0 } else { bytes as f64 / time.as_ns() }
}

/// What TCM lets through.
fn memory_limit(machine: &Machine) -> f64 {
    let tcm = &machine.params().tcm;
    let slower = if tcm.read.is_slower_than(tcm.write) { tcm.read } else { tcm.write };
    slower.gb_per_s()
}

/// The links that the bytes take.
fn data_route(machine: &Machine, transfer: Transfer) -> Vec<LinkId> {
    let (dma, hbm) = (machine.pe(transfer.issuer).dma, machine.pe(transfer.owner).hbm);
    let (from, to) = if transfer.writes { (dma, hbm) } else { (hbm, dma) };
    machine.route(from, to).unwrap_or_default()
}

/// The overheads and the wires of a transfer: of its command, of a read's request, of its bytes.
fn fixed(machine: &Machine, transfer: Transfer) -> (Ps, Ps) {
    let params = machine.params();
    let mut links = data_route(machine, transfer);
    let mut overhead = params.dispatch + params.dma.overhead;
    if !transfer.writes {
        let (dma, hbm) = (machine.pe(transfer.issuer).dma, machine.pe(transfer.owner).hbm);
        links.extend(machine.route(dma, hbm).unwrap_or_default());
    }
    let (mut wire, mut at_memory) = (Ps::ZERO, params.hbm.overhead);
    for link in links {
        let into = machine.ends(link).1;
        wire += machine.link(link).wire;
        if into == machine.pe(transfer.owner).hbm {
            at_memory = machine.node(into).overhead;
        } else {
            overhead += machine.node(into).overhead;
        }
    }
    (overhead + at_memory, wire)
}

/// The way of the bytes of a case, link by link.
fn way(machine: &Machine, work: &Work, bytes: u64) -> Vec<Hop> {
    let (route, read) = match work {
        Work::Host(access) => {
            (host_routes(machine, *access).pop().unwrap_or_default(), Bandwidth::INFINITE)
        }
        Work::Pes(transfers) => {
            let Some(transfer) = transfers.first() else { return Vec::new() };
            let tcm = machine.params().tcm.read;
            let read = if transfer.writes { tcm } else { Bandwidth::INFINITE };
            (data_route(machine, *transfer), read)
        }
    };
    let hop = |(at, link): (usize, &LinkId)| {
        let so_far = route.get(..=at).unwrap_or(&route);
        Hop {
            link: *link,
            enters: machine.node(machine.ends(*link).1).name.clone(),
            first: machine.latency(so_far),
            last: sim::idle_time(machine, so_far, bytes, read),
        }
    };
    route.iter().enumerate().map(hop).collect()
}
