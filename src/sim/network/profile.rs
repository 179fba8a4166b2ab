//! When the flits of one train are at one place, as a formula.
//!
//! A train is a message cut into flits. A profile says when each of its flits arrives at a queue.
//! Serving a profile with a link that is the train's alone gives the profile at the next queue:
//!
//! - The link serves flit after flit. As long as the next flit is there when one ends, the run is
//!   unbroken, and flit `k` of the run ends at `start of the run + ceil(bytes so far / bandwidth)`,
//!   worked out from the total, so that rounding never adds up.
//! - A link that is not faster than what feeds it is always in one unbroken run: with `p` and `q`
//!   picoseconds a byte, `p <= q`, flit `k + 1` arrives by
//!   `base + ceil(c(k+1) p) <= base + ceil(F p) + ceil(c(k) q) <= start + ceil(c(k) q)`, the end of
//!   flit `k`, where `c(k)` are the bytes up to and with flit `k`, and `F` a whole flit.
//! - A link that is faster, and idle when the head arrives, serves each flit by itself: the whole
//!   profile is later by the time of one flit. Only the last flit, which may be short, may follow
//!   the one before it without a break.
//!
//! Both give a profile of the same form: even up to the last flit. All else is listed flit by flit.

use crate::units::{Bandwidth, Ps};

/// How a message is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// All of it.
    pub(super) bytes: u64,
    /// Every flit but the last.
    flit: u64,
    /// How many; at least one, which is empty for a message without bytes.
    pub(super) flits: u32,
}

impl Cut {
    /// Cuts `bytes` into flits of `flit_bytes`; into larger ones only where they would be more
    /// than 2^32.
    pub(super) fn new(bytes: u64, flit_bytes: u64) -> Cut {
        let flit = flit_bytes.max(1);
        if bytes <= flit {
            return Cut { bytes, flit, flits: 1 };
        }
        let flit = flit.max(bytes.div_ceil(u64::from(u32::MAX)));
        Cut { bytes, flit, flits: bytes.div_ceil(flit) as u32 }
    }

    /// The bytes of flit `k`.
    pub(super) fn size(&self, k: u32) -> u64 {
        if k + 1 == self.flits { self.tail() } else { self.flit }
    }

    /// The bytes of the last flit.
    fn tail(&self) -> u64 {
        self.bytes - self.flit * u64::from(self.flits - 1)
    }

    /// The bytes up to and with flit `k`.
    pub(super) fn until(&self, k: u32) -> u64 {
        if k + 1 == self.flits { self.bytes } else { self.flit * u64::from(k + 1) }
    }
}

/// How long parts of a message take at one rate. A link keeps that of the last message, because most
/// that go over one are as long, and divisions are dear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// All of it.
    all: Ps,
    /// The first flit.
    flit: Ps,
    /// All but the last flit, and that.
    body: Ps,
    tail: Ps,
}

impl Pace {
    /// The times that parts of `cut` take.
    pub(super) fn new(cut: Cut, rate: Bandwidth) -> Pace {
        let all = rate.time(cut.bytes);
        if cut.flits == 1 {
            return Pace { all, flit: all, body: Ps::ZERO, tail: all };
        }
        let (flit, tail) = (rate.time(cut.flit), rate.time(cut.tail()));
        let body = if cut.flits == 2 { flit } else { rate.time(cut.until(cut.flits - 2)) };
        Pace { all, flit, body, tail }
    }
}

/// Flit `k` arrives at `base + ceil(bytes up to and with k / rate)`; the last one at `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Even {
    pub(super) base: Ps,
    pub(super) rate: Bandwidth,
    /// The first one, which may be the last.
    first: Ps,
    pub(super) last: Ps,
}

impl Even {
    /// All flits at once.
    pub(super) fn whole(at: Ps) -> Even {
        Even { base: at, rate: Bandwidth::INFINITE, first: at, last: at }
    }

    /// Read from a memory of this rate from `at` on.
    pub(super) fn read(at: Ps, rate: Bandwidth, cut: Cut) -> Even {
        let last = at + rate.time(cut.bytes);
        let first = if cut.flits == 1 { last } else { at + rate.time(cut.flit) };
        Even { base: at, rate, first, last }
    }

    /// The same, but the last flit is there at `until` at the earliest.
    pub(super) fn until(self, until: Ps, cut: Cut) -> Even {
        let last = self.last.max(until);
        let first = if cut.flits == 1 { last } else { self.first };
        Even { first, last, ..self }
    }

    fn at(&self, k: u32, cut: Cut) -> Ps {
        if k + 1 == cut.flits { self.last } else { self.base + self.rate.time(cut.until(k)) }
    }
}

/// When each flit arrives.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// The formula; `None` where `list` has them one by one.
    even: Option<Even>,
    list: Vec<Ps>,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile { even: Some(Even::whole(Ps::ZERO)), list: Vec::new() }
    }
}

/// A stretch of flits that a link serves without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: Ps,
    /// Bytes served so far.
    pub(super) bytes: u64,
}

impl Run {
    /// A run of one flit.
    pub(super) fn begin(start: Ps, bytes: u64) -> Run {
        Run { start, bytes }
    }

    /// When its last flit so far ends.
    pub(super) fn end(&self, rate: Bandwidth) -> Ps {
        self.start + rate.time(self.bytes)
    }

    /// Serves a flit that arrives at `avail`, in this run or in a new one.
    pub(super) fn extend(&mut self, avail: Ps, bytes: u64, rate: Bandwidth) {
        if avail <= self.end(rate) {
            self.bytes += bytes;
        } else {
            *self = Run::begin(avail, bytes);
        }
    }
}

impl Profile {
    pub(super) fn set(&mut self, even: Even) {
        self.even = Some(even);
    }

    /// Becomes as another.
    pub(super) fn copy(&mut self, other: &Profile) {
        self.even = other.even;
        if other.even.is_none() {
            self.list.clone_from(&other.list);
        }
    }

    /// When flit `k` arrives.
    pub(super) fn at(&self, k: u32, cut: Cut) -> Ps {
        match &self.even {
            Some(even) => even.at(k, cut),
            None => self.list[k as usize],
        }
    }

    /// When the first flit arrives.
    pub(super) fn first(&self) -> Ps {
        self.even.map_or_else(|| self.list[0], |even| even.first)
    }

    /// When the last flit arrives.
    pub(super) fn last(&self, cut: Cut) -> Ps {
        self.even.map_or_else(|| self.list[cut.flits as usize - 1], |even| even.last)
    }

    /// The formula, if there is one.
    pub(super) fn even(&self) -> Option<Even> {
        self.even
    }

    /// Makes everything later.
    pub(super) fn shift(&mut self, delay: Ps) {
        match &mut self.even {
            Some(even) => {
                even.base += delay;
                even.first += delay;
                even.last += delay;
            }
            None => self.list.iter_mut().for_each(|at| *at += delay),
        }
    }

    /// Puts into `out` when a link of this rate, free from `free` on and used by nobody else, has
    /// served each flit. Gives when it starts with the first.
    pub(super) fn serve(&self, cut: Cut, rate: Bandwidth, free: Ps, out: &mut Profile) -> Ps {
        let start = self.first().max(free);
        let pace = Pace::new(cut, rate);
        out.even = self.even.and_then(|even| serve_even(even, cut, (rate, &pace), start));
        if out.even.is_none() {
            self.serve_each(cut, rate, start, out);
        }
        start
    }

    /// Becomes what [`Profile::serve`] makes of it, where the `pace` at this rate is known.
    pub(super) fn pass(
        &mut self,
        cut: Cut,
        (rate, pace): (Bandwidth, &Pace),
        free: Ps,
        scratch: &mut Profile,
    ) -> Ps {
        let start = self.first().max(free);
        let served = self.even.and_then(|even| serve_even(even, cut, (rate, pace), start));
        if served.is_some() {
            self.even = served;
        } else {
            scratch.even = None;
            self.serve_each(cut, rate, start, scratch);
            std::mem::swap(self, scratch);
        }
        start
    }

    fn serve_each(&self, cut: Cut, rate: Bandwidth, start: Ps, out: &mut Profile) {
        out.list.clear();
        let mut run = Run::begin(start, cut.size(0));
        out.list.push(run.end(rate));
        for k in 1..cut.flits {
            run.extend(self.at(k, cut), cut.size(k), rate);
            out.list.push(run.end(rate));
        }
        if run.start == start && run.bytes == cut.bytes {
            out.even = Some(Even { base: start, rate, first: out.list[0], last: run.end(rate) });
        }
    }

    /// The run that flit `k` of a serving belongs to, up to and with `k`, where `served` is what
    /// [`Profile::serve`] made of this profile.
    pub(super) fn run_of(&self, k: u32, cut: Cut, rate: Bandwidth, served: &Profile) -> Run {
        let start = served.start_of_run(cut, rate);
        let unbroken = |k: u32| self.at(k, cut) <= served.at(k - 1, cut);
        if let Some(start) = start
            && (k + 1 < cut.flits || k == 0 || unbroken(k))
        {
            return Run::begin(start, cut.until(k));
        }
        let mut first = k;
        while first > 0 && unbroken(first) {
            first -= 1;
        }
        let before = if first == 0 { 0 } else { cut.until(first - 1) };
        let bytes = cut.until(k) - before;
        // The end is exact, so the start of the run follows from its first flit's end.
        let start = served.at(first, cut) - rate.time(cut.size(first));
        Run::begin(start, bytes)
    }

    /// Where all flits but perhaps the last were served in one run: its start.
    fn start_of_run(&self, cut: Cut, rate: Bandwidth) -> Option<Ps> {
        let even = self.even.filter(|even| even.rate == rate && cut.flits > 1)?;
        Some(even.base)
    }
}

/// [`Profile::serve`] where the result is even: its formula.
fn serve_even(input: Even, cut: Cut, (rate, pace): (Bandwidth, &Pace), start: Ps) -> Option<Even> {
    if cut.flits == 1 {
        let end = start + pace.all;
        return Some(Even { base: start, rate, first: end, last: end });
    }
    if cut.flits == 2 || !input.rate.is_slower_than(rate) {
        let unbroken = input.last <= start + pace.body;
        let last = if unbroken { start + pace.all } else { input.last + pace.tail };
        return Some(Even { base: start, rate, first: start + pace.flit, last });
    }
    // Flits are at least this far apart; if that is more than one takes, each goes alone.
    let apart = input.rate.time(cut.flit).since(Ps(1));
    if start > input.first || apart <= pace.flit {
        return None;
    }
    let mut last = Run::begin(input.at(cut.flits - 2, cut), cut.flit);
    last.extend(input.last, cut.tail(), rate);
    let (base, first) = (input.base + pace.flit, input.first + pace.flit);
    Some(Even { base, rate: input.rate, first, last: last.end(rate) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition: serves flit after flit.
    fn by_definition(arrivals: &[Ps], cut: Cut, rate: Bandwidth, free: Ps) -> Vec<Ps> {
        let (mut run_start, mut run_bytes, mut ends) = (Ps::ZERO, 0, Vec::<Ps>::new());
        for (k, avail) in arrivals.iter().enumerate() {
            let size = cut.size(k as u32);
            if ends.last().is_some_and(|end| avail <= end) {
                run_bytes += size;
            } else {
                run_start = if k == 0 { (*avail).max(free) } else { *avail };
                run_bytes = size;
            }
            ends.push(run_start + rate.time(run_bytes));
        }
        ends
    }

    fn rate() -> impl Strategy<Value = Bandwidth> {
        let gb = |gb: f64| Bandwidth::from_gb_per_s(gb).unwrap();
        prop_oneof![
            Just(Bandwidth::INFINITE),
            (1..600u32).prop_map(move |it| gb(f64::from(it))),
            Just(gb(256.0)),
            Just(gb(255.9)),
            Just(gb(0.333)),
        ]
    }

    proptest! {
        #[test]
        fn formulas_are_what_serving_flit_by_flit_gives(
            bytes in 0..5000u64,
            flit in 1..300u64,
            source in rate(),
            links in prop::collection::vec((rate(), 0..3000u64, 0..50u64), 1..6),
        ) {
            let cut = Cut::new(bytes, flit);
            let mut profile = Profile::default();
            profile.set(Even::read(Ps(100), source, cut));
            let mut listed: Vec<Ps> = (0..cut.flits).map(|k| profile.at(k, cut)).collect();
            for (rate, wait, delay) in links {
                let free = profile.first().since(Ps(1000)) + Ps(wait);
                let mut out = Profile::default();
                let start = profile.serve(cut, rate, free, &mut out);
                let ends = by_definition(&listed, cut, rate, free);
                prop_assert_eq!(start, listed[0].max(free));
                let got: Vec<Ps> = (0..cut.flits).map(|k| out.at(k, cut)).collect();
                prop_assert_eq!(&got, &ends);
                for k in 0..cut.flits {
                    prop_assert_eq!(profile.run_of(k, cut, rate, &out).end(rate), ends[k as usize]);
                }
                out.shift(Ps(delay));
                listed = ends.iter().map(|end| *end + Ps(delay)).collect();
                profile = out;
            }
        }
    }
}
