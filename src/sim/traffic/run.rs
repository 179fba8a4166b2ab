//! A run under one load: coins, the queues of the sources, and what arrives.

use std::collections::VecDeque;

use super::carrier::{Carrier, Done, Outcome};
use super::judge::{Judge, Phase};
use super::pattern::{PeGrid, Random};
use super::{LoadPoint, OpenLoop};
use crate::topology::Machine;

/// A packet, from its coin on.
#[derive(Clone, Copy, Debug)]
struct Made {
    cycle: u64,
    from: u32,
    to: u32,
    is_measured: bool,
    /// Whether its last flit has left the source.
    has_left: bool,
}

/// A run under one load.
pub(super) struct Run<'a> {
    traffic: &'a OpenLoop,
    carrier: Carrier<'a>,
    grid: PeGrid,
    coins: Vec<Random>,
    /// The chance of a packet in 2^64.
    threshold: u64,
    now: u64,
    made: Vec<Made>,
    /// Of each PE: what it has not issued yet, and whether a packet of it is on its way into the network.
    waiting: Vec<VecDeque<u32>>,
    is_issuing: Vec<bool>,
    judge: Judge,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        machine: &'a Machine,
        traffic: &'a OpenLoop,
        (grid, load): (PeGrid, f64),
    ) -> Run<'a> {
        let chance = load / f64::from(traffic.packet_flits);
        let stream = |pe| Random::new(traffic.seed, pe);
        let count = grid.count() as usize;
        Run {
            traffic,
            carrier: Carrier::new(machine, traffic.packet_flits),
            grid,
            coins: (0..u64::from(grid.count())).map(stream).collect(),
            // 2^64 is a float; the product is cut off at the largest integer.
            threshold: (chance * 18_446_744_073_709_551_616.0) as u64,
            now: 0,
            made: Vec::new(),
            waiting: vec![VecDeque::new(); count],
            is_issuing: vec![false; count],
            judge: Judge::new(traffic),
            outcome: Outcome::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.judge.phase
    }

    /// Lets a cycle pass.
    pub(super) fn cycle(&mut self) {
        for pe in 0..self.grid.count() {
            if self.coins[pe as usize].chance(self.threshold) {
                self.make(pe);
            }
            self.issue(pe);
        }
        let mut outcome = std::mem::take(&mut self.outcome);
        self.carrier.step(self.now, &mut outcome);
        for number in outcome.left.drain(..) {
            let packet = &mut self.made[number as usize];
            if !std::mem::replace(&mut packet.has_left, true) {
                self.is_issuing[packet.from as usize] = false;
            }
        }
        for (number, flits) in outcome.flits.drain(..) {
            self.judge.flits_arrived(self.made[number as usize].cycle, u64::from(flits));
        }
        for packet in outcome.done.drain(..) {
            self.arrived(&packet);
        }
        self.outcome = outcome;
        self.now += 1;
        let (waiting, made) = (&self.waiting, &self.made);
        let is_before = |number: &u32, cycle| made[*number as usize].cycle < cycle;
        let any = |cycle| waiting.iter().filter_map(VecDeque::front).any(|it| is_before(it, cycle));
        self.judge.cycle(self.now, self.grid.count(), any);
    }

    fn make(&mut self, from: u32) {
        let random = &mut self.coins[from as usize];
        let to = self.traffic.pattern.target(&self.grid, from, random);
        self.waiting[from as usize].push_back(self.made.len() as u32);
        let cycle = self.now;
        self.made.push(Made { cycle, from, to, is_measured: false, has_left: false });
    }

    /// Gives the next packet of a PE to the network, if the one before has left.
    fn issue(&mut self, pe: u32) {
        while !self.is_issuing[pe as usize] {
            let Some(number) = self.waiting[pe as usize].pop_front() else { return };
            let packet = &mut self.made[number as usize];
            packet.is_measured = self.judge.issue(packet.cycle);
            let ends = (packet.from, packet.to);
            self.is_issuing[pe as usize] = self.carrier.send(ends, number, self.now);
            packet.has_left = !self.is_issuing[pe as usize];
        }
    }

    fn arrived(&mut self, packet: &Done) {
        let Made { cycle, is_measured, .. } = self.made[packet.number as usize];
        let network = packet.end - packet.start.unwrap_or(0.0);
        let times = (packet.end - cycle as f64, network);
        self.judge.packet_arrived(is_measured, times, packet.hops);
    }

    /// What there is to tell in the end.
    pub(super) fn point(&self, load: f64) -> LoadPoint {
        let judge = &self.judge;
        let packets = judge.sums.packets.max(1) as f64;
        let is_known = !judge.saturated && judge.sums.packets > 0;
        let until = if judge.drained_from == 0 { self.now } else { judge.drained_from };
        let cycles = until.saturating_sub(judge.since).max(1);
        let network = self.carrier.has_cycles().then_some(judge.sums.network / packets);
        let offered = cycles as f64 * f64::from(self.grid.count());
        LoadPoint {
            load,
            latency: is_known.then_some(judge.sums.latency / packets),
            network_latency: network.filter(|_| is_known),
            longest: judge.sums.longest,
            accepted: judge.sums.flits as f64 / offered,
            hops: judge.sums.hops as f64 / packets,
            packets: judge.sums.packets,
            cycles: self.now,
        }
    }
}
