//! Synthetic traffic: packets that PEs send at random, open loop, and how long they take.
//!
//! Every PE tosses a coin each cycle of the router clock and sends a packet where a pattern says.
//! What the network does not take at once waits in a queue at the PE, without end, so that the
//! network never slows its own traffic down. A packet's latency is from its coin to its last flit.
//!
//! Phases and judgement are BookSim 2's: the network warms up; then the packets of some periods are
//! measured, until their mean latency stays within 5 % from period to period; then traffic goes on
//! until the last of them has arrived. A mean above a limit means that the network is saturated: the
//! queues grow without end, and no latency is given.

mod carrier;
mod pattern;

pub use pattern::Pattern;

use carrier::{Carrier, Done};
use pattern::{PeGrid, Random};

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
    /// Flits that arrived, of each PE and cycle, while measuring; in the last period before it where
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
    while run.phase != Phase::Over {
        run.cycle();
    }
    Ok(run.point(load))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measuring,
    Draining,
    Over,
}

/// Sums of latencies.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    packets: u64,
    latency: f64,
    network: f64,
    longest: f64,
    hops: u64,
}

/// A run under one load.
struct Run<'a> {
    traffic: &'a OpenLoop,
    carrier: Carrier<'a>,
    grid: PeGrid,
    coins: Vec<Random>,
    /// The chance of a packet in 2^64.
    threshold: u64,
    phase: Phase,
    now: u64,
    /// When measuring began and ended.
    measured: (u64, u64),
    periods: u32,
    /// Periods in a row that changed little.
    steady: u32,
    last_mean: f64,
    /// The cycle in which each packet was made.
    made: Vec<u64>,
    /// Packets under way, and the sum of their cycles; those of them that are measured.
    open: u64,
    open_made: u64,
    open_measured: u64,
    sums: Sums,
    /// Flits that have arrived since a cycle.
    arrived_flits: u64,
    counted_from: u64,
    saturated: bool,
    done: Vec<Done>,
}

impl<'a> Run<'a> {
    fn new(machine: &'a Machine, traffic: &'a OpenLoop, (grid, load): (PeGrid, f64)) -> Run<'a> {
        let chance = load / f64::from(traffic.packet_flits);
        let stream = |pe| Random::new(traffic.seed, pe);
        Run {
            traffic,
            carrier: Carrier::new(machine, traffic.packet_flits),
            grid,
            coins: (0..u64::from(grid.count())).map(stream).collect(),
            // 2^64 is a float; the product is cut off at the largest integer.
            threshold: (chance * 18_446_744_073_709_551_616.0) as u64,
            phase: Phase::WarmUp,
            now: 0,
            measured: (u64::from(traffic.warmup) * traffic.period, 0),
            periods: 0,
            steady: 0,
            last_mean: 0.0,
            made: Vec::new(),
            open: 0,
            open_made: 0,
            open_measured: 0,
            sums: Sums::default(),
            arrived_flits: 0,
            counted_from: 0,
            saturated: false,
            done: Vec::new(),
        }
    }

    fn cycle(&mut self) {
        for pe in 0..self.grid.count() {
            if self.coins[pe as usize].chance(self.threshold) {
                self.make(pe);
            }
        }
        let mut done = std::mem::take(&mut self.done);
        self.carrier.step(self.now, &mut done);
        for packet in done.drain(..) {
            self.arrived(&packet);
        }
        self.done = done;
        self.now += 1;
        match self.phase {
            Phase::WarmUp | Phase::Measuring if self.now.is_multiple_of(self.traffic.period) => {
                self.end_period();
            }
            Phase::Draining => self.look_at_drain(),
            Phase::WarmUp | Phase::Measuring | Phase::Over => {}
        }
    }

    fn make(&mut self, pe: u32) {
        let random = &mut self.coins[pe as usize];
        let target = self.traffic.pattern.target(&self.grid, pe, random);
        let number = self.made.len() as u32;
        self.made.push(self.now);
        self.open += 1;
        self.open_made += self.now;
        self.open_measured += u64::from(self.phase == Phase::Measuring);
        self.carrier.send((pe, target), number, self.now);
    }

    fn arrived(&mut self, packet: &Done) {
        let made = self.made[packet.number as usize];
        self.open -= 1;
        self.open_made -= made;
        if self.phase != Phase::Draining {
            self.arrived_flits += u64::from(self.traffic.packet_flits);
        }
        let (from, to) = self.measured;
        if made < from || (self.phase == Phase::Draining && made >= to) {
            return;
        }
        self.open_measured -= 1;
        let sums = &mut self.sums;
        let latency = packet.end - made as f64;
        sums.packets += 1;
        sums.latency += latency;
        sums.network += packet.end - packet.start.unwrap_or(0.0);
        sums.longest = sums.longest.max(latency);
        sums.hops += u64::from(packet.hops);
    }

    /// The mean latency so far, where what has not arrived counts with its age.
    fn mean_with_open(&self, (open, made): (u64, u64)) -> f64 {
        let ages = (open * self.now - made) as f64;
        (self.sums.latency + ages) / ((self.sums.packets + open).max(1) as f64)
    }

    fn end_period(&mut self) {
        if self.mean_with_open((self.open, self.open_made)) > self.traffic.limit {
            self.saturated = true;
            self.phase = Phase::Over;
            return;
        }
        if self.phase == Phase::WarmUp {
            (self.arrived_flits, self.counted_from) = (0, self.now);
            if self.now >= self.measured.0 {
                self.phase = Phase::Measuring;
            }
            return;
        }
        self.periods += 1;
        let mean = self.sums.latency / self.sums.packets.max(1) as f64;
        let is_steady = (mean - self.last_mean).abs() <= 0.05 * mean;
        self.steady = if is_steady { self.steady + 1 } else { 0 };
        self.last_mean = mean;
        if self.steady >= 3 || self.periods >= self.traffic.periods {
            self.measured.1 = self.now;
            self.phase = Phase::Draining;
        }
    }

    fn look_at_drain(&mut self) {
        let drained = self.now - self.measured.1;
        if self.open_measured == 0 {
            self.phase = Phase::Over;
            let mean = self.sums.latency / self.sums.packets.max(1) as f64;
            self.saturated = mean > self.traffic.limit;
        } else if drained.is_multiple_of(1000) {
            // All that is left was made before the drain began.
            let made = self.open_measured * self.measured.1;
            if self.mean_with_open((self.open_measured, made)) > self.traffic.limit {
                self.saturated = true;
                self.phase = Phase::Over;
            }
        }
    }

    fn point(&self, load: f64) -> LoadPoint {
        let packets = self.sums.packets.max(1) as f64;
        let is_known = !self.saturated && self.sums.packets > 0;
        let until = if self.measured.1 == 0 { self.now } else { self.measured.1 };
        let cycles = until.saturating_sub(self.counted_from).max(1);
        let network = self.carrier.has_cycles().then_some(self.sums.network / packets);
        LoadPoint {
            load,
            latency: is_known.then_some(self.sums.latency / packets),
            network_latency: network.filter(|_| is_known),
            longest: self.sums.longest,
            accepted: self.arrived_flits as f64 / (cycles as f64 * f64::from(self.grid.count())),
            hops: self.sums.hops as f64 / packets,
            packets: self.sums.packets,
            cycles: self.now,
        }
    }
}
