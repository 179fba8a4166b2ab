//! Synthetic traffic: packets that PEs send at random, open loop, and how long they take.
//!
//! Every PE tosses a coin each cycle of the router clock and sends a packet where a pattern says.
//! What the network does not take at once waits in a queue at the PE, without end, so that the
//! network never slows its own traffic down. A packet's latency is from its coin to its last flit.
//!
//! Phases and judgement are BookSim 2's (`judge`): the network warms up; then packets of some
//! periods are measured, until their mean latency stays within 5 % from period to period; then traffic
//! goes on until the last of them has arrived. A mean above a limit means that the network is
//! saturated: the queues grow without end, and no latency is given.

mod carrier;
mod judge;
mod pattern;
mod run;

pub use pattern::Pattern;

use judge::Phase;
use pattern::PeGrid;
use run::Run;

use crate::topology::Machine;

/// What is sent, and how it is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenLoop {
    /// Who sends to whom.
    pub pattern: Pattern,
    /// Flits of each packet.
    pub packet_flits: u32,
    /// The seed of all coins.
    pub seed: u64,
    /// Cycles of a period.
    pub period: u64,
    /// Periods before measuring.
    pub warmup: u32,
    /// Periods that are measured, at most.
    pub periods: u32,
    /// The mean latency, in cycles, above which the network is saturated.
    pub limit: f64,
}

impl OpenLoop {
    /// Traffic measured as BookSim 2 does it by default, with periods of 5,000 cycles.
    pub fn new(pattern: Pattern, packet_flits: u32, seed: u64) -> OpenLoop {
        let (period, warmup, periods, limit) = (5000, 3, 7, 500.0);
        OpenLoop { pattern, packet_flits, seed, period, warmup, periods, limit }
    }
}

/// What one load gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadPoint {
    /// Offered flits of each PE and cycle.
    pub load: f64,
    /// The mean latency of the measured packets in cycles; `None` in saturation.
    pub latency: Option<f64>,
    /// The part of it after the source's queue, where routers have cycles.
    pub network_latency: Option<f64>,
    /// The longest latency of any.
    pub longest: f64,
    /// Flits that arrived, of each PE and cycle, while measuring; in the last periods before it where
    /// the network was saturated by then.
    pub accepted: f64,
    /// Links that the mean packet passed.
    pub hops: f64,
    /// Packets measured.
    pub packets: u64,
    /// Cycles simulated.
    pub cycles: u64,
}

/// Why traffic cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTraffic {
    /// The pattern needs as many rows as columns.
    NotSquare {
        /// Columns of the grid of all PEs.
        w: u32,
        /// Rows of it.
        h: u32,
    },
}

/// Offers `machine` a load of so many flits of each PE and cycle, from 0 to 1.
///
/// # Errors
/// Where the pattern does not fit the machine.
pub fn offer(machine: &Machine, traffic: &OpenLoop, load: f64) -> Result<LoadPoint, NoTraffic> {
    let grid = PeGrid::of(machine);
    if traffic.pattern == Pattern::Transpose && grid.w != grid.h {
        return Err(NoTraffic::NotSquare { w: grid.w, h: grid.h });
    }
    let mut run = Run::new(machine, traffic, (grid, load));
    while run.phase() != Phase::Over {
        run.cycle();
    }
    Ok(run.point(load))
}
