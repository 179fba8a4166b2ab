//! What host programs are told of the machine: what exchanges cost, for the choice of an algorithm;
//! what it can do at most; what a launch did.

use std::collections::BTreeMap;

use crate::host::{Exchange, Linear, PeCosts, Properties, Work};
use crate::launch::IpcqOptions;
use crate::oplog::Engine;
use crate::sim::Outcome;
use crate::topology::{LinkId, Machine, PeId, SlotKind};
use crate::units::Bandwidth;

/// Nanoseconds that a byte takes.
fn each(bandwidth: Bandwidth) -> f64 {
    let rate = bandwidth.gb_per_s();
    if rate.is_finite() && rate > 0.0 { 1.0 / rate } else { 0.0 }
}

/// What a PE's part of an exchange costs, with these queues.
pub(super) fn of_pe(machine: &Machine, queues: IpcqOptions) -> PeCosts {
    let params = machine.params();
    let kind = queues.kind.unwrap_or(params.ipcq.kind);
    let tier = params.ipcq.tier(kind);
    let room = params.tcm.bytes.saturating_sub(params.tcm.reserved);
    let slot = each(tier.bandwidth) + each(tier.hop);
    let dma = params.dma.overhead.as_ns();
    let lanes = f64::from(params.math.lanes) * params.math.clock.ghz();
    PeCosts {
        dispatch_ns: params.dispatch.as_ns(),
        slots: f64::from(queues.slots.unwrap_or(params.ipcq.slots)),
        room: if kind == SlotKind::Tcm { room as f64 } else { f64::INFINITY },
        slot: Linear { fixed_ns: dma + 2.0 * tier.overhead.as_ns(), each_ns: 2.0 * slot },
        memory: Linear {
            fixed_ns: dma + params.hbm.overhead.as_ns(),
            each_ns: own_memory(machine).max(each(params.tcm.write)),
        },
        combine: Linear {
            fixed_ns: params.math.overhead.as_ns(),
            each_ns: if lanes > 0.0 { 1.0 / lanes } else { 0.0 },
        },
    }
}

/// Nanoseconds for each byte between a PE and its own slice of HBM.
fn own_memory(machine: &Machine) -> f64 {
    if machine.pe_count() == 0 {
        return 0.0;
    }
    let pe = machine.pe(PeId(0));
    let route = machine.route(pe.hbm, pe.dma).unwrap_or_default();
    if route.is_empty() { 0.0 } else { each(machine.bottleneck(&route)) }
}

/// What a PE can do at most, and how many there are.
pub(super) fn properties(machine: &Machine, name: &str) -> Properties {
    let (params, extent) = (machine.params(), machine.extent());
    let memory = own_memory(machine);
    Properties {
        name: name.to_owned(),
        grid: [extent.pes.count(), extent.cubes.count(), extent.sips.count()],
        macs_per_ns: params.gemm.macs_per_ns(),
        elements_per_ns: params.math.elements_per_ns(),
        hbm_bytes_per_ns: if memory > 0.0 { 1.0 / memory } else { f64::INFINITY },
        tcm_bytes: params.tcm.bytes.saturating_sub(params.tcm.reserved),
    }
}

/// What a launch did, of all that was counted.
pub(super) fn work(outcome: &Outcome) -> Work {
    let counters = &outcome.counters;
    let commands = |engine: Engine| counters.engines[engine as usize].commands;
    Work {
        gemms: commands(Engine::Gemm),
        composites: commands(Engine::Scheduler),
        macs: counters.macs,
        elements: counters.elements,
        reads: commands(Engine::DmaRead),
        writes: commands(Engine::DmaWrite),
        messages: outcome.messages,
        message_bytes: counters.message_bytes,
        bytes_read: counters.bytes_read,
        bytes_written: counters.bytes_written,
    }
}

/// What messages take when each of these pairs of PEs sends one at the same time.
pub(super) fn of_exchange(machine: &Machine, pairs: &[(u32, u32)]) -> Option<Exchange> {
    let mut carried: BTreeMap<LinkId, u32> = BTreeMap::new();
    let (mut worst, mut sum) = (Linear::default(), 0.0);
    for (from, to) in pairs {
        let (from, to) = (machine.pe(PeId(*from)).dma, machine.pe(PeId(*to)).dma);
        let route = machine.route(from, to)?;
        let latency = machine.latency(&route).as_ns();
        worst.fixed_ns = worst.fixed_ns.max(latency);
        sum += latency;
        for link in route {
            *carried.entry(link).or_default() += 1;
        }
    }
    for (link, messages) in carried {
        let time = f64::from(messages) * each(machine.link(link).bandwidth);
        worst.each_ns = worst.each_ns.max(time);
    }
    Some(Exchange { worst, mean_ns: sum / (pairs.len().max(1)) as f64 })
}
