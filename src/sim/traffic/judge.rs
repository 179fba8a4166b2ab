//! When a network has warmed up, what is measured, and whether it is saturated: as BookSim 2 judges
//! (`TrafficManager::_SingleSim` of its `src/trafficmanager.cpp`).
//!
//! - A source *issues* its packets one after the other: the next one when the last flit of the one
//!   before has left for the network. What is not issued yet is in nobody's sums, however old.
//! - A packet is *measured* if it is issued while measuring, or made before the end of it and issued
//!   later. While the network warms up, all that arrive count; the sums begin anew every other period,
//!   and with the first that is measured.
//! - Periods end when the mean latency and the accepted flits have three times in a row changed by no
//!   more than 5 % against the period before (for the first, the last of warming up), or when there are
//!   enough of them.
//! - The network is *saturated* where, at the end of a period or after each 1,000 cycles of draining, the
//!   latencies of the sums and the ages of all flits under way have a mean above the limit: each packet
//!   that has arrived counts once, and each flit that has not.

use super::OpenLoop;

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing that is issued now is measured.
    WarmUp,
    /// What is issued now is measured.
    Measuring,
    /// Traffic goes on until all that is measured has arrived.
    Draining,
    /// It is known what there was to know.
    Over,
}

/// Change from period to period up to which they count as equal.
const STEADY: f64 = 0.05;

/// Periods in a row that must be equal.
const STEADY_PERIODS: u32 = 3;

/// Cycles of draining between looks at the mean.
const DRAIN_LOOK: u64 = 1000;

/// Sums over packets that have arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) packets: u64,
    pub(super) latency: f64,
    pub(super) network: f64,
    pub(super) longest: f64,
    pub(super) hops: u64,
    /// Flits that have arrived, of whatever packet, up to the end of measuring.
    pub(super) flits: u64,
}

impl Sums {
    fn mean(&self) -> f64 {
        self.latency / self.packets as f64
    }
}

/// The judge of a run.
#[derive(Debug)]
pub(super) struct Judge {
    traffic: OpenLoop,
    pub(super) phase: Phase,
    pub(super) saturated: bool,
    pub(super) sums: Sums,
    /// When the sums began, and when measuring ended.
    pub(super) since: u64,
    pub(super) drained_from: u64,
    periods: u32,
    steady: u32,
    last_mean: f64,
    last_accepted: f64,
    /// Flits issued that have not arrived, and the sum of the cycles in which they were made.
    flits_open: u64,
    flits_made: u64,
    /// Measured packets that have not arrived.
    pub(super) measured_open: u64,
}

impl Judge {
    pub(super) fn new(traffic: &OpenLoop) -> Judge {
        Judge {
            traffic: *traffic,
            phase: if traffic.warmup == 0 { Phase::Measuring } else { Phase::WarmUp },
            saturated: false,
            sums: Sums::default(),
            since: 0,
            drained_from: 0,
            periods: 0,
            steady: 0,
            last_mean: 0.0,
            last_accepted: 0.0,
            flits_open: 0,
            flits_made: 0,
            measured_open: 0,
        }
    }

    /// A packet of a cycle is issued. Tells whether it is measured.
    pub(super) fn issue(&mut self, made: u64) -> bool {
        let flits = u64::from(self.traffic.packet_flits);
        self.flits_open += flits;
        self.flits_made += flits * made;
        let late = self.phase == Phase::Draining && made < self.drained_from;
        let is_measured = self.phase == Phase::Measuring || late;
        self.measured_open += u64::from(is_measured);
        is_measured
    }

    /// Some flits of a packet of a cycle have arrived.
    pub(super) fn flits_arrived(&mut self, made: u64, flits: u64) {
        self.flits_open -= flits;
        self.flits_made -= flits * made;
        if self.phase != Phase::Draining {
            self.sums.flits += flits;
        }
    }

    /// A packet has arrived whole: its latency, the part of it in the network, its links.
    pub(super) fn packet_arrived(
        &mut self,
        is_measured: bool,
        (latency, network): (f64, f64),
        hops: u32,
    ) {
        self.measured_open -= u64::from(is_measured);
        if !is_measured && self.phase != Phase::WarmUp {
            return;
        }
        let sums = &mut self.sums;
        sums.packets += 1;
        sums.latency += latency;
        sums.network += network;
        sums.longest = sums.longest.max(latency);
        sums.hops += u64::from(hops);
    }

    /// A cycle is over, and it is `now`. `waiting` tells whether a source has not issued yet what is
    /// made before a cycle.
    pub(super) fn cycle(&mut self, now: u64, pes: u32, waiting: impl Fn(u64) -> bool) {
        match self.phase {
            Phase::WarmUp | Phase::Measuring if now.is_multiple_of(self.traffic.period) => {
                self.end_period(now, pes);
            }
            Phase::Draining => self.look_at_drain(now, waiting),
            Phase::WarmUp | Phase::Measuring | Phase::Over => {}
        }
    }

    fn is_above_limit(&self, now: u64) -> bool {
        let ages = (self.flits_open * now - self.flits_made) as f64;
        let count = (self.sums.packets + self.flits_open).max(1) as f64;
        (self.sums.latency + ages) / count > self.traffic.limit
    }

    fn end_period(&mut self, now: u64, pes: u32) {
        let cycles = (now - self.since) as f64;
        let (mean, accepted) = (self.sums.mean(), self.sums.flits as f64 / cycles / f64::from(pes));
        let changes = [(mean, self.last_mean), (accepted, self.last_accepted)];
        // Where nothing has arrived, nothing has changed.
        let is_steady = !changes.iter().any(|(now, last)| ((now - last) / now).abs() > STEADY);
        (self.last_mean, self.last_accepted) = (mean, accepted);
        if self.is_above_limit(now) {
            (self.saturated, self.phase) = (true, Phase::Over);
            return;
        }
        self.periods += 1;
        if self.phase == Phase::WarmUp {
            let is_warm = self.periods >= self.traffic.warmup;
            if is_warm || self.periods.is_multiple_of(2) {
                (self.sums, self.since) = (Sums::default(), now);
            }
            if is_warm {
                self.phase = Phase::Measuring;
            }
            return;
        }
        self.steady = if is_steady { self.steady + 1 } else { 0 };
        let most = self.traffic.warmup.saturating_add(self.traffic.periods);
        if self.steady >= STEADY_PERIODS || self.periods >= most {
            (self.drained_from, self.phase) = (now, Phase::Draining);
        }
    }

    fn look_at_drain(&mut self, now: u64, waiting: impl Fn(u64) -> bool) {
        if self.measured_open == 0 && !waiting(self.drained_from) {
            self.phase = Phase::Over;
        } else if (now - self.drained_from).is_multiple_of(DRAIN_LOOK) && self.is_above_limit(now) {
            (self.saturated, self.phase) = (true, Phase::Over);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;

    fn judge(limit: f64) -> Judge {
        let traffic = OpenLoop::new(Pattern::Uniform, 4, 1);
        Judge::new(&OpenLoop { limit, ..traffic })
    }

    /// A cycle in which a packet of four flits is issued that arrives at once, with a latency.
    fn pass(it: &mut Judge, cycle: u64, latency: f64) {
        let is_measured = it.issue(cycle);
        it.flits_arrived(cycle, 4);
        it.packet_arrived(is_measured, (latency, latency), 1);
        it.cycle(cycle + 1, 1, |_| false);
    }

    #[test]
    fn three_equal_periods_are_enough_and_the_first_is_compared_with_the_warm_up() {
        // BookSim needs 30,000 cycles and a drain where nothing changes: three periods of 5,000 of each kind.
        let mut it = judge(500.0);
        let mut cycle = 0;
        while it.phase != Phase::Over {
            pass(&mut it, cycle, 20.0);
            cycle += 1;
        }
        assert_eq!((it.drained_from, cycle), (30_000, 30_001));
        assert_eq!((it.sums.packets, it.sums.flits), (15_000, 60_000));
        // Where warming up took longer, the first measured period is a change; then three are not.
        let mut it = judge(500.0);
        for cycle in 0..40_000 {
            pass(&mut it, cycle, if cycle < 15_000 { 40.0 } else { 20.0 });
        }
        assert_eq!(it.drained_from, 35_000);
    }

    #[test]
    fn what_is_under_way_counts_by_flits_and_what_is_not_issued_does_not() {
        // 4,999 packets of 20 cycles, and four flits that are 5,000 cycles old: a mean of 23.98.
        for (limit, saturated) in [(23.9, true), (24.0, false)] {
            let mut it = judge(limit);
            it.issue(0);
            for cycle in 1..5000 {
                pass(&mut it, cycle, 20.0);
            }
            assert_eq!(it.saturated, saturated, "{limit}");
        }
        // While draining, what was made before it is measured when it is issued, however late.
        let mut it = judge(500.0);
        for cycle in 0..30_000 {
            pass(&mut it, cycle, 20.0);
        }
        assert_eq!(it.phase, Phase::Draining);
        it.cycle(30_001, 1, |end| 29_999 < end);
        assert_eq!(it.phase, Phase::Draining);
        assert!(it.issue(29_999) && !it.issue(30_000));
    }
}
