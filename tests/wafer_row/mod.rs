//! A row of a wafer, cycle by cycle, and the reductions on it: an independent check of what kbc says
//! their kernels take. It has nothing of kbc in it.
//!
//! The machine is the paper's: in each cycle a link, and a ramp each way, takes one element; from one end of
//! it to the other an element takes 1 cycle on a link and T_R = 2 on a ramp; a PE takes one element a
//! cycle, adds it, and has the sum a cycle later; what it sends from memory it reads at one element a cycle.
//! A link or ramp that has begun with a message passes no other until it has ended, and serves messages in the
//! order in which their first elements come.

#![allow(dead_code, unreachable_pub, reason = "each binary uses its own part of this")]

use std::collections::VecDeque;

/// Cycles of a ramp.
const RAMP: u64 = 2;

/// What passes elements on: the ramps of a PE, and the links to its neighbours.
#[derive(Clone, Copy)]
enum Part {
    Up,
    Down,
    West,
    East,
}

/// A message at one part of its way: when each of its elements is there, how many have gone on, and where to.
struct Stop {
    part: usize,
    waiting: VecDeque<u64>,
    passed: u32,
    next: Vec<usize>,
    /// The PE that it ends at.
    end: Option<usize>,
}

struct Message {
    elements: u32,
    first: usize,
    /// What has come to each PE that gets it, by cycle.
    inbox: Vec<(usize, VecDeque<u64>)>,
}

/// What a PE does, one after the other.
#[derive(Clone, Copy)]
enum Op {
    /// Sends a message from memory. It goes on at once with what follows.
    Send(usize),
    /// Takes a message, and passes what it makes of each element on.
    Take(usize, Option<usize>),
}

/// A row of PEs, 0 in the west.
#[derive(Default)]
pub struct Row {
    pes: usize,
    stops: Vec<Stop>,
    messages: Vec<Message>,
    programs: Vec<Vec<Op>>,
}

impl Row {
    pub fn new(pes: u32) -> Row {
        let pes = pes as usize;
        Row { pes, programs: vec![Vec::new(); pes], ..Row::default() }
    }

    fn stop(&mut self, part: Part, pe: usize) -> usize {
        let part = pe * 4 + part as usize;
        self.stops.push(Stop {
            part,
            waiting: VecDeque::new(),
            passed: 0,
            next: vec![],
            end: None,
        });
        self.stops.len() - 1
    }

    /// A message from a PE to another one; with `copied`, to all on the way, too.
    fn message(&mut self, from: u32, to: u32, elements: u32, copied: bool) -> usize {
        let (from, to) = (from as usize, to as usize);
        let first = self.stop(Part::Up, from);
        let (mut last, mut at, mut inbox) = (first, from, Vec::new());
        while at != to {
            let link = self.stop(if to < at { Part::West } else { Part::East }, at);
            self.stops[last].next.push(link);
            (last, at) = (link, if to < at { at - 1 } else { at + 1 });
            if copied || at == to {
                let down = self.stop(Part::Down, at);
                self.stops[down].end = Some(inbox.len());
                self.stops[last].next.push(down);
                inbox.push((at, VecDeque::new()));
            }
        }
        self.messages.push(Message { elements, first, inbox });
        self.messages.len() - 1
    }

    fn send(&mut self, from: u32, to: u32, elements: u32) -> usize {
        let message = self.message(from, to, elements, false);
        self.programs[from as usize].push(Op::Send(message));
        message
    }

    fn take(&mut self, pe: u32, message: usize) {
        self.programs[pe as usize].push(Op::Take(message, None));
    }

    /// Takes a message and passes sums on as they come.
    fn pass(&mut self, pe: u32, message: usize, to: u32) -> usize {
        let elements = self.messages[message].elements;
        let sent = self.message(pe, to, elements, false);
        self.programs[pe as usize].push(Op::Take(message, Some(sent)));
        sent
    }

    /// Lets it run. Gives the cycle in which the last element that any PE takes is added.
    pub fn run(mut self) -> u64 {
        let mut owners: Vec<Option<usize>> = vec![None; self.pes * 4];
        let mut message_of = vec![0; self.stops.len()];
        for (number, message) in self.messages.iter().enumerate() {
            let mut stack = vec![message.first];
            while let Some(stop) = stack.pop() {
                message_of[stop] = number;
                stack.extend(&self.stops[stop].next);
            }
        }
        // Stops that elements may come to, by part.
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); self.pes * 4];
        for (number, stop) in self.stops.iter().enumerate() {
            places[stop.part].push(number);
        }
        let mut states = vec![(0, 0, 0); self.pes];
        let (mut cycle, mut end) = (0, 0);
        while (0..self.pes).any(|pe| states[pe].0 < self.programs[pe].len())
            || self.stops.iter().any(|stop| !stop.waiting.is_empty())
        {
            for (pe, state) in states.iter_mut().enumerate() {
                end = end.max(self.step_pe(pe, cycle, state));
            }
            for part in 0..self.pes * 4 {
                self.step_part(&places[part], (&mut owners[part], &message_of), cycle);
            }
            cycle += 1;
        }
        end
    }

    /// One cycle of a PE, whose state is the operation it is at, the elements that are taken of its message, and
    /// the cycle from which on its memory can be read. Gives when what it has taken is added.
    fn step_pe(&mut self, pe: usize, cycle: u64, (at, taken, free): &mut (usize, u32, u64)) -> u64 {
        while let Some(Op::Send(message)) = self.programs[pe].get(*at) {
            let Message { elements, first, .. } = self.messages[*message];
            let start = (*free).max(cycle);
            self.stops[first].waiting.extend((1..=u64::from(elements)).map(|it| start + it));
            (*free, *at) = (start + u64::from(elements), *at + 1);
        }
        let Some(Op::Take(message, sent)) = self.programs[pe].get(*at).copied() else { return 0 };
        let Message { elements, inbox, .. } = &mut self.messages[message];
        let inbox = &mut inbox.iter_mut().find(|it| it.0 == pe).unwrap().1;
        if inbox.front().is_none_or(|there| *there > cycle) {
            return 0;
        }
        inbox.pop_front();
        *taken += 1;
        if *taken == *elements {
            (*at, *taken) = (*at + 1, 0);
        }
        if let Some(sent) = sent {
            let first = self.messages[sent].first;
            self.stops[first].waiting.push_back(cycle + 1);
        }
        cycle + 1
    }

    /// One cycle of a link or ramp.
    fn step_part(
        &mut self,
        places: &[usize],
        (owner, message_of): (&mut Option<usize>, &[usize]),
        cycle: u64,
    ) {
        if owner.is_none() {
            let there =
                |stop: &&usize| self.stops[**stop].waiting.front().is_some_and(|it| *it <= cycle);
            *owner =
                places.iter().filter(there).min_by_key(|it| self.stops[**it].waiting[0]).copied();
        }
        let Some(number) = *owner else { return };
        let stop = &mut self.stops[number];
        if stop.waiting.front().is_none_or(|there| *there > cycle) {
            return;
        }
        stop.waiting.pop_front();
        stop.passed += 1;
        let message = &mut self.messages[message_of[number]];
        if stop.passed == message.elements {
            *owner = None;
        }
        let latency = if stop.part % 4 < 2 { RAMP } else { 1 };
        if let Some(place) = stop.end {
            message.inbox[place].1.push_back(cycle + latency);
        }
        for next in std::mem::take(&mut self.stops[number].next) {
            self.stops[next].waiting.push_back(cycle + latency);
            self.stops[number].next.push(next);
        }
    }
}

/// Every PE sends to PE 0.
pub fn star(pes: u32, elements: u32) -> u64 {
    let mut row = Row::new(pes);
    let sent: Vec<usize> = (1..pes).map(|pe| row.send(pe, 0, elements)).collect();
    sent.into_iter().for_each(|message| row.take(0, message));
    row.run()
}

/// Adds a chain of the PEs from `first` to before `end`, whose sum of all but the first's own comes to it.
fn add_chain(row: &mut Row, first: u32, end: u32, elements: u32) -> Option<usize> {
    let mut message = None;
    for pe in (first + 1..end).rev() {
        message = Some(match message {
            None => row.send(pe, pe - 1, elements),
            Some(sum) => row.pass(pe, sum, pe - 1),
        });
    }
    message
}

/// A chain to PE 0.
pub fn chain(pes: u32, elements: u32) -> u64 {
    let mut row = Row::new(pes);
    if let Some(sum) = add_chain(&mut row, 0, pes, elements) {
        row.take(0, sum);
    }
    row.run()
}

/// A binomial tree to PE 0: in round k, those with k trailing zeros in their number send. With `whole`, sums are sent
/// when they are whole, without it as they come.
pub fn tree(pes: u32, elements: u32, whole: bool) -> u64 {
    let mut row = Row::new(pes);
    let mut sums = vec![0; pes as usize];
    for pe in (0..pes).rev() {
        let levels = if pe == 0 { pes.ilog2() } else { pe.trailing_zeros() };
        let to = |level: u32| sums[(pe + (1 << level)) as usize];
        for level in 0..levels.saturating_sub(1) {
            row.take(pe, to(level));
        }
        let parent = pe & pe.wrapping_sub(1);
        sums[pe as usize] = match levels.checked_sub(1) {
            None => row.send(pe, parent, elements),
            Some(last) if pe > 0 && whole => {
                row.take(pe, to(last));
                row.send(pe, parent, elements)
            }
            Some(last) if pe > 0 => row.pass(pe, to(last), parent),
            Some(last) => {
                row.take(pe, to(last));
                0
            }
        };
    }
    row.run()
}

/// Chains within groups of so many PEs, from PE 0 on, and a chain of the first ones.
pub fn two_phase(groups: &[u32], elements: u32) -> u64 {
    let mut row = Row::new(groups.iter().sum());
    let mut sum: Option<usize> = None;
    let mut end: u32 = groups.iter().sum();
    for (number, size) in groups.iter().enumerate().rev() {
        let first = end - size;
        let before = number.checked_sub(1).map(|it| first - groups[it]);
        let own = add_chain(&mut row, first, end, elements);
        let mut takes: Vec<usize> = own.into_iter().chain(sum).collect();
        let last = takes.pop();
        takes.into_iter().for_each(|message| row.take(first, message));
        match (last, before) {
            (Some(last), Some(before)) => sum = Some(row.pass(first, last, before)),
            (Some(last), None) => row.take(first, last),
            (None, Some(before)) => sum = Some(row.send(first, before, elements)),
            (None, None) => {}
        }
        end = first;
    }
    row.run()
}

/// PE 0 sends, and every router copies what passes.
pub fn broadcast(pes: u32, elements: u32) -> u64 {
    let mut row = Row::new(pes);
    let message = row.message(0, pes - 1, elements, true);
    row.programs[0].push(Op::Send(message));
    (1..pes).for_each(|pe| row.take(pe, message));
    row.run()
}

/// A ring folded into the row: east over the even PEs, back over the odd ones. Each sum is sent when it is
/// whole, then each result.
pub fn ring(pes: u32, elements: u32) -> u64 {
    let mut row = Row::new(pes);
    let evens = pes.div_ceil(2);
    let at = |place: u32| if place < evens { 2 * place } else { 2 * (pes - place) - 1 };
    let chunk = elements / pes;
    let mut under_way: Vec<usize> =
        (0..pes).map(|place| row.send(at(place), at((place + 1) % pes), chunk)).collect();
    for _ in 1..2 * (pes - 1) {
        let come = |place: u32| under_way[((place + pes - 1) % pes) as usize];
        let next: Vec<usize> = (0..pes)
            .map(|place| {
                row.take(at(place), come(place));
                row.send(at(place), at((place + 1) % pes), chunk)
            })
            .collect();
        under_way = next;
    }
    for place in 0..pes {
        row.take(at(place), under_way[((place + pes - 1) % pes) as usize]);
    }
    row.run()
}

#[test]
fn the_row_takes_what_can_be_counted_by_hand() {
    // Two PEs: read 1, ramp 2, hop 1, ramp 2, added 1: the last of B elements after B + 6.
    assert_eq!([chain(2, 1), chain(2, 10), star(2, 10), tree(2, 10, false)], [7, 16, 16, 16]);
    // Each PE of a chain adds a hop, two ramps and an addition.
    assert_eq!(chain(5, 10), 10 + 4 * 6);
    // Elements of a star come one after the other.
    assert_eq!(star(4, 3), 3 * 3 + 6);
    // A router copies: 1 + 2 + three hops + 2 + 1 to the last PE.
    assert_eq!(broadcast(4, 1), 9);
    // Two groups of two: PE 2 has its sum from cycle 7 on, and two hops to go: 7 + 2 + 2 + 2 + 1.
    assert_eq!(two_phase(&[2, 2], 1), 14);
}
