//! Traffic at the controller of one channel, cycle by cycle: what it takes, and how fast.

use super::queue::{Controller, Request};
use crate::topology::BankParams;

/// The order of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One access after the other.
    Sequential,
    /// So many bytes apart.
    Stride(u64),
    /// Anywhere in the channel.
    Random,
}

/// What is asked of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The order of addresses.
    pub pattern: Pattern,
    /// Reads among a hundred accesses; the others write.
    pub reads: u32,
    /// Accesses offered in a burst; one that finds no room waits, and those behind it.
    pub offered: u32,
    /// Cycles from the end of one such burst to the next: 1 for as much as there is room for.
    pub every: u64,
    /// How long it goes on, in cycles.
    pub cycles: u64,
    /// Decides what is random.
    pub seed: u64,
}

/// What a channel did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Accesses done.
    pub accesses: u64,
    /// Bytes a nanosecond.
    pub bandwidth: f64,
    /// The most that the data bus could have moved.
    pub peak: f64,
    /// The mean time of a read from when it was taken to its last data, in cycles.
    pub read_latency: Option<f64>,
}

impl Traffic {
    /// Lets an idle channel do it.
    pub fn measure(&self, params: &BankParams) -> Measured {
        let mut addresses = Addresses { state: self.seed, next: 0, traffic: *self, params };
        let mut controller = Controller::new(params);
        let (mut accesses, mut reads, mut waited) = (0u64, 0u64, 0u64);
        let mut pending: Option<Request> = None;
        let mut left = 0;
        for cycle in 0..self.cycles {
            if cycle % self.every.max(1) == 0 {
                left = self.offered;
            }
            while left > 0 {
                let mut request = pending.take().unwrap_or_else(|| addresses.draw());
                if !controller.has_room(request.writes) {
                    pending = Some(request);
                    break;
                }
                request.number = cycle;
                controller.take(request);
                left -= 1;
            }
            if let Some((request, end)) = controller.tick()
                && end <= self.cycles
            {
                accesses += 1;
                if !request.writes {
                    (reads, waited) = (reads + 1, waited + (end - request.number));
                }
            }
        }
        let ns = params.t_ck.as_ns();
        let per_cycle = |bytes: f64| bytes / ns;
        Measured {
            accesses,
            bandwidth: per_cycle(
                (accesses * params.access_bytes) as f64 / self.cycles.max(1) as f64,
            ),
            peak: per_cycle(params.access_bytes as f64 / f64::from(params.burst_cycles.max(1))),
            read_latency: (reads > 0).then(|| waited as f64 / reads as f64),
        }
    }
}

/// The addresses of traffic, one after the other.
struct Addresses<'a> {
    state: u64,
    next: u64,
    traffic: Traffic,
    params: &'a BankParams,
}

impl Addresses<'_> {
    fn draw(&mut self) -> Request {
        let unit = self.params.access_bytes;
        let all = self.params.bytes();
        let address = match self.traffic.pattern {
            Pattern::Sequential => self.step(unit, all),
            Pattern::Stride(bytes) => self.step(bytes, all),
            Pattern::Random => self.random() % (all / unit).max(1) * unit,
        };
        let writes =
            self.traffic.reads < 100 && self.random() % 100 >= u64::from(self.traffic.reads);
        Request { number: 0, address, writes }
    }

    fn step(&mut self, bytes: u64, all: u64) -> u64 {
        let address = self.next % all.max(1);
        self.next = self.next.wrapping_add(bytes);
        address
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
