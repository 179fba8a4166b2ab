//! The pseudo-channels of HBM controllers: each serves one burst at a time, in the order in which
//! bursts arrive, and which one serves a burst follows from its address.
//!
//! A channel is held by a burst for `burst / bandwidth`, and says that it has it `commit` after it
//! began. All bursts of a read arrive with its request, so when each can be served is known then.
//! The bursts of a write arrive one by one over the network. What that comes to is worked out when
//! the last of them is there, from when the first and the last came, as if the others had come
//! evenly in between; so a write costs a fixed number of steps however long it is, and two that
//! arrive interleaved wait for each other.

use rustc_hash::FxHashMap;

use super::BurstRun;
use super::in_order::InOrder;
use crate::topology::{BankParams, ChannelParams, HbmParams, PeId};
use crate::units::{Bandwidth, Ps};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

/// A transfer at a controller.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Access<'a> {
    /// Whose memory it is.
    pub(in crate::sim) place: PeId,
    pub(in crate::sim) runs: &'a [BurstRun],
    /// The bytes that travel.
    pub(in crate::sim) bytes: u64,
    /// When its first and its last burst arrive; both at once for a read.
    pub(in crate::sim) first: Ps,
    pub(in crate::sim) last: Ps,
}

/// The controllers of all PEs, as far as they have been used.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Controllers {
    params: ChannelParams,
    burst: u64,
    flit: u64,
    /// What a burst holds its channel for.
    each: Ps,
    /// Where the channels of a PE begin.
    found: FxHashMap<PeId, u32>,
    channels: Vec<Channel>,
    /// The banks of each channel, where they are modelled; then they decide instead.
    banks: Vec<InOrder>,
    bank_params: Option<BankParams>,
    scratch: Vec<Share>,
}

/// One channel.
#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    /// When it has served all that has come.
    free: Ps,
    /// Since when it has had something to do, when the last of that came, and how much it is.
    from: Ps,
    last: Ps,
    work: Ps,
    direction: Option<Direction>,
}

/// The part of a transfer that one channel serves.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    bursts: u64,
    /// The places of its first and its last burst among all.
    first: u64,
    last: u64,
    start: Ps,
}

impl Controllers {
    /// Idle controllers, for flits of `flit` bytes; `None` where channels are not modelled.
    pub(in crate::sim) fn new(hbm: &HbmParams, flit: u64) -> Option<Controllers> {
        let params = hbm.channels.clone()?;
        let burst = hbm.burst.max(1);
        Some(Controllers {
            each: params.bandwidth.time(burst),
            params,
            burst,
            flit: flit.max(1),
            found: FxHashMap::default(),
            channels: Vec::new(),
            banks: Vec::new(),
            bank_params: hbm.banks.clone(),
            scratch: Vec::new(),
        })
    }

    /// The bytes of a burst.
    pub(in crate::sim) fn burst(&self) -> u64 {
        self.burst
    }

    /// Serves a read, all of whose bursts arrive now. Gives when the first of them is there, and
    /// when the last flit is, for which it leaves a link of `rate` when it does.
    pub(in crate::sim) fn read(&mut self, access: &Access<'_>, rate: Bandwidth) -> (Ps, Ps) {
        let base = self.base(access.place);
        if self.bank_params.is_some() {
            let (first, end, _) = self.serve_banks(base, access, (false, rate));
            return self.paced((first, end), access.bytes, rate);
        }
        self.share_out(access.runs);
        let now = access.first;
        for (number, share) in self.scratch.iter_mut().enumerate() {
            if share.bursts > 0 {
                let channel = &mut self.channels[base + number];
                let turn = channel.turn(Direction::Read, self.params.turnaround);
                share.start = now.max(channel.free + turn);
                channel.hold(share.start, (now, now), times(self.each, share.bursts));
            }
        }
        let (first, end) = self.follow(access, rate);
        let commit = self.params.commit;
        self.paced((first + commit, end + commit), access.bytes, rate)
    }

    /// When the first flit of `bytes` is there, and when the last one is for all to have left a link
    /// of `rate` at `end`.
    fn paced(&self, (first, end): (Ps, Ps), bytes: u64, rate: Bandwidth) -> (Ps, Ps) {
        let tail = bytes - bytes.saturating_sub(1) / self.flit * self.flit;
        let unhindered = first + rate.time(bytes);
        let last = if end <= unhindered { first } else { end.since(rate.time(tail)) };
        (first, last.max(first))
    }

    /// Lets banks serve a transfer burst by burst, those of a write as if all came with the first.
    /// Gives when the first burst is there, when the last one has left a link of `rate`, and when
    /// the last one was taken.
    fn serve_banks(
        &mut self,
        base: usize,
        access: &Access<'_>,
        (writes, rate): (bool, Bandwidth),
    ) -> (Ps, Ps, Ps) {
        let count = u64::from(self.params.count);
        let (mut first, mut end, mut taken) = (None, Ps::ZERO, Ps::ZERO);
        let bursts = access.runs.iter().flat_map(|run| run.first..run.first + run.count);
        for (burst, before) in bursts.zip((0u64..).step_by(self.burst as usize)) {
            let banks = &mut self.banks[base + (burst % count) as usize];
            let at = burst / count * self.burst;
            let (begun, done) = banks.serve(at, self.burst, (access.first, writes));
            first.get_or_insert(done);
            taken = taken.max(begun);
            end = end.max(done + rate.time(access.bytes.saturating_sub(before)));
        }
        (first.unwrap_or(access.first), end, taken)
    }

    /// Takes a write, whose last burst has just arrived. Gives when it has all of it.
    pub(in crate::sim) fn write(&mut self, access: &Access<'_>) -> Ps {
        let base = self.base(access.place);
        if self.bank_params.is_some() {
            let (.., taken) = self.serve_banks(base, access, (true, Bandwidth::INFINITE));
            return taken.max(access.last);
        }
        self.share_out(access.runs);
        let count: u64 = access.runs.iter().map(|run| run.count).sum();
        let span = access.last.since(access.first).0;
        let arrival = |index: u64| match count.saturating_sub(1) {
            0 => access.last,
            steps => access.first + Ps(scale(span, index, steps)),
        };
        let mut done = access.last;
        for (number, share) in self.scratch.iter().enumerate() {
            if share.bursts > 0 {
                let channel = &mut self.channels[base + number];
                let turn = channel.turn(Direction::Write, self.params.turnaround);
                let came = (arrival(share.first), arrival(share.last));
                let end = channel.serve(came, (self.each, share.bursts), turn);
                done = done.max(end.since(self.each));
            }
        }
        done + self.params.commit
    }

    /// Where the channels of a PE begin; they are made when first asked for.
    fn base(&mut self, place: PeId) -> usize {
        let count = self.params.count as usize;
        let next = (self.channels.len() / count) as u32;
        let at = *self.found.entry(place).or_insert(next);
        if at == next {
            self.channels.resize(self.channels.len() + count, Channel::default());
            if let Some(params) = &self.bank_params {
                self.banks.resize(self.channels.len(), InOrder::new(params));
            }
        }
        at as usize * count
    }

    /// Finds which channel serves how much of a transfer.
    fn share_out(&mut self, runs: &[BurstRun]) {
        let count = u64::from(self.params.count);
        self.scratch.clear();
        self.scratch.resize(count as usize, Share::default());
        let mut index = 0;
        for run in runs {
            for step in 0..count.min(run.count) {
                let share = &mut self.scratch[((run.first + step) % count) as usize];
                let more = (run.count - step).div_ceil(count);
                if share.bursts == 0 {
                    share.first = index + step;
                }
                share.bursts += more;
                share.last = index + step + (more - 1) * count;
            }
            index += run.count;
        }
    }

    /// When the first burst of a read is served, and when the last one has left a link of `rate`
    /// that takes them in order, each as soon as it is served.
    fn follow(&self, access: &Access<'_>, rate: Bandwidth) -> (Ps, Ps) {
        let count = u64::from(self.params.count);
        let mut served = vec![0u64; self.scratch.len()];
        let (mut first, mut end, mut index) = (None, Ps::ZERO, 0);
        for run in access.runs {
            for step in 0..count.min(run.count) {
                let number = ((run.first + step) % count) as usize;
                let more = (run.count - step).div_ceil(count);
                let start = self.scratch[number].start;
                // Of the bursts of this channel in the run, the first and the last decide: those
                // between lie on a line with them.
                for burst in [0, more - 1] {
                    let at = start + times(self.each, served[number] + burst);
                    first.get_or_insert(at);
                    let before = (index + step + burst * count).saturating_mul(self.burst);
                    end = end.max(at + rate.time(access.bytes.saturating_sub(before)));
                }
                served[number] += more;
            }
            index += run.count;
        }
        (first.unwrap_or(access.first), end)
    }
}

impl Channel {
    /// What it loses before bytes go this way.
    fn turn(&mut self, direction: Direction, turnaround: Ps) -> Ps {
        let before = self.direction.replace(direction);
        if before.is_some_and(|it| it != direction) { turnaround } else { Ps::ZERO }
    }

    /// Is held for `work` from `start` on by what came at those times.
    fn hold(&mut self, start: Ps, (first, last): (Ps, Ps), work: Ps) {
        if first >= self.free {
            (self.from, self.work) = (first, Ps::ZERO);
        }
        self.from = self.from.min(first);
        self.last = self.last.max(last);
        self.work += work;
        self.free = start + work;
    }

    /// Serves bursts that came evenly from `first` to `last`, `each` of which takes some time,
    /// among what has come in the meantime. Gives when the last of them is served.
    ///
    /// Nothing ends before its own arrivals allow, nor before all that came since the channel was
    /// last idle could have been served one after the other; and what came last waits for all
    /// that came before it.
    fn serve(&mut self, (first, last): (Ps, Ps), (each, bursts): (Ps, u64), turn: Ps) -> Ps {
        let work = times(each, bursts);
        let free = self.free + turn;
        let alone = (first + work).max(last + each);
        if first >= free {
            self.hold(alone.since(work), (first, last), work);
            return self.free;
        }
        let behind = if self.last <= last { free.max(last) + each } else { last + each };
        let in_turn = first + self.left_at(first, each) + work;
        let since_idle = self.from.min(first) + self.work + work;
        let end = alone.max(behind).max(in_turn).max(since_idle);
        self.hold(end.since(work), (first, last), work);
        self.free
    }

    /// The work of whole bursts that is left at `time` or comes after it.
    fn left_at(&self, time: Ps, each: Ps) -> Ps {
        if time >= self.last {
            return self.free.since(time);
        }
        if time <= self.from {
            return self.work;
        }
        let part = scale(self.work.0, self.last.since(time).0, self.last.since(self.from).0);
        Ps(part - part % each.0.max(1))
    }
}

fn times(each: Ps, count: u64) -> Ps {
    Ps(each.0.saturating_mul(count))
}

/// `value × part / whole`, rounded down.
fn scale(value: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight channels of 32 B/ns: 8 ns a burst of 256 bytes.
    fn controllers(commit: u64, turnaround: u64) -> Controllers {
        let params = ChannelParams {
            count: 8,
            bandwidth: Bandwidth::from_gb_per_s(32.0).unwrap(),
            commit: Ps(commit),
            turnaround: Ps(turnaround),
        };
        let hbm = HbmParams {
            bytes: 1 << 30,
            overhead: Ps::ZERO,
            atomic: Ps::ZERO,
            burst: 256,
            channels: Some(params),
            banks: None,
        };
        Controllers::new(&hbm, 256).unwrap()
    }

    fn access(runs: &[BurstRun], first: u64, last: u64) -> Access<'_> {
        let bytes = runs.iter().map(|run| run.count).sum::<u64>() * 256;
        Access { place: PeId(3), runs, bytes, first: Ps(first), last: Ps(last) }
    }

    fn row(first: u64, count: u64) -> [BurstRun; 1] {
        [BurstRun { first, count }]
    }

    fn fast() -> Bandwidth {
        Bandwidth::from_gb_per_s(256.0).unwrap()
    }

    #[test]
    fn a_row_is_as_fast_as_a_link_of_all_channels() {
        for count in [1, 4, 8, 12, 64, 1000] {
            let mut it = controllers(0, 0);
            assert_eq!(it.read(&access(&row(5, count), 100, 100), fast()), (Ps(100), Ps(100)));
            // The next one finds its channels busy for as long as the link is, or less.
            let mut it = controllers(8000, 0);
            let (first, last) = it.read(&access(&row(0, count), 0, 0), fast());
            assert_eq!((first, last), (Ps(8000), Ps(8000)));
        }
    }

    #[test]
    fn bursts_of_one_channel_wait_for_each_other() {
        // Every eighth burst: one channel, 8 ns each. The last of 16 begins at 15 x 8 ns.
        let runs: Vec<BurstRun> = (0..16).map(|at| BurstRun { first: at * 8, count: 1 }).collect();
        let mut it = controllers(0, 0);
        let (first, last) = it.read(&access(&runs, 0, 0), fast());
        assert_eq!((first, last), (Ps(0), Ps(15 * 8000)));
        // Every fourth: two channels. The last two begin together and leave one after the other.
        let runs: Vec<BurstRun> = (0..16).map(|at| BurstRun { first: at * 4, count: 1 }).collect();
        let mut it = controllers(0, 0);
        let (first, last) = it.read(&access(&runs, 0, 0), fast());
        assert_eq!((first, last), (Ps(0), Ps(7 * 8000 + 1000)));
    }

    #[test]
    fn a_change_of_direction_costs_the_channels_their_turnaround() {
        let mut it = controllers(0, 5000);
        // 64 bursts at 1 ns: each channel is free 8 ns after its last one, at 64 ns and later.
        assert_eq!(it.write(&access(&row(0, 64), 0, 63_000)), Ps(63_000));
        let (first, _) = it.read(&access(&row(0, 8), 63_000, 63_000), fast());
        assert_eq!(first, Ps(56_000 + 8_000 + 5_000));
        let (again, _) = it.read(&access(&row(0, 8), 200_000, 200_000), fast());
        assert_eq!(again, Ps(200_000));
    }

    #[test]
    fn writes_that_arrive_interleaved_serve_the_work_of_both() {
        // By definition, burst by burst: flow k of n sends burst i at (i n + k) ns.
        for flows in 1..=5u64 {
            let mut it = controllers(8000, 0);
            let mut free = [0u64; 8];
            let mut expected = 0;
            for burst in 0..64 {
                for flow in 0..flows {
                    let channel = &mut free[burst % 8];
                    let start = (*channel).max((burst as u64 * flows + flow) * 1000);
                    *channel = start + 8000;
                    expected = expected.max(start + 8000);
                }
            }
            let mut found = Ps::ZERO;
            for flow in 0..flows {
                let (first, last) = (flow * 1000, (63 * flows + flow) * 1000);
                found = found.max(it.write(&access(&row(0, 64), first, last)));
            }
            assert_eq!(found, Ps(expected), "{flows} flows");
        }
    }
}
