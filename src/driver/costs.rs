//! What the machine says of the cost of exchanges, for the choice of an algorithm.

use std::collections::BTreeMap;

use crate::host::{Exchange, Linear, PeCosts};
use crate::launch::IpcqOptions;
use crate::topology::{LinkId, Machine, PeId};
use crate::units::Bandwidth;

/// Nanoseconds that a byte takes.
fn each(bandwidth: Bandwidth) -> f64 {
    let rate = bandwidth.gb_per_s();
    if rate.is_finite() && rate > 0.0 { 1.0 / rate } else { 0.0 }
}

/// What a PE's part of an exchange costs, with these queues.
pub(super) fn of_pe(machine: &Machine, queues: IpcqOptions) -> PeCosts {
    let params = machine.params();
    let tier = params.ipcq.tier(queues.kind.unwrap_or(params.ipcq.kind));
    let slot = each(tier.bandwidth) + each(tier.hop);
    let dma = params.dma.overhead.as_ns();
    let lanes = f64::from(params.math.lanes) * params.math.clock.ghz();
    PeCosts {
        dispatch_ns: params.dispatch.as_ns(),
        slots: f64::from(queues.slots.unwrap_or(params.ipcq.slots)),
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
