//! One router: buffers at its inputs, and in every cycle one round of allocation of virtual
//! channels to packets and one of the switch to flits.

use std::collections::VecDeque;

use super::allocate::{Pointers, turns};
use super::channel::{Channel, End};
use super::journal::Journal;
use super::packet::{Flit, Hop, NONE, Packet};
use super::wheel::{Arrival, Wheel};
use super::{RouterParams, TICKS};

/// A virtual channel at an input: what has arrived and where it goes.
#[derive(Debug)]
struct InputVc {
    buffer: VecDeque<Flit>,
    /// The output port and virtual channel that the packet at the front holds; [`NONE`] before it
    /// holds one.
    output: u32,
    output_vc: u16,
    /// The first cycle in which the front may ask for what it needs next.
    ready: u64,
    /// Whether the front is a head that has not left.
    front_is_head: bool,
    /// Whether what arrives next belongs to a packet that has begun to arrive.
    is_inside: bool,
}

/// A head that asks for one of the virtual channels from `low` to before `high`.
#[derive(Clone, Copy, Debug)]
struct VcAsk {
    asker: u32,
    low: u32,
    high: u32,
}

/// A flit that asks for the switch: over which of the switch's inputs, and where it is.
#[derive(Clone, Copy, Debug)]
struct SwitchAsk {
    input: u32,
    place: u32,
}

/// What a router acts on.
pub(super) struct Surroundings<'a> {
    pub(super) params: &'a RouterParams,
    pub(super) channels: &'a mut [Channel],
    pub(super) packets: &'a mut [Packet],
    pub(super) hops: &'a [Hop],
    pub(super) wheel: &'a mut Wheel,
    /// What goes over channels, where somebody asks.
    pub(super) moved: &'a mut Option<Vec<Moved>>,
    /// What is noted of packets, where somebody keeps accounts.
    pub(super) journal: Option<&'a mut Journal>,
    pub(super) cycle: u64,
}

/// A flit that enters a channel. Times are in ticks.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Moved {
    pub(in crate::sim) channel: u32,
    /// What the sender knows its packet by.
    pub(in crate::sim) tag: u32,
    /// Since when it could have gone, if it is a head.
    pub(in crate::sim) since: u64,
    pub(in crate::sim) start: u64,
    pub(in crate::sim) end: u64,
    pub(in crate::sim) bytes: u64,
}

impl Surroundings<'_> {
    /// A flit of `bytes` has entered a channel until `end`; `waited` cycles were lost to others.
    pub(super) fn note(&mut self, channel: u32, tag: u32, (end, waited, bytes): (u64, u64, u64)) {
        let Some(moved) = self.moved else { return };
        let flit = self.channels[channel as usize].spec.flit;
        let start = end - (flit * bytes).div_ceil(self.params.flit_bytes);
        let since = start.saturating_sub(waited * TICKS);
        moved.push(Moved { channel, tag, since, start, end, bytes });
    }
}

/// A router. A *place* is the number of a virtual channel among those of all its inputs.
#[derive(Debug)]
pub(super) struct Router {
    inputs: Vec<u32>,
    outputs: Vec<u32>,
    places: Vec<InputVc>,
    /// Places that hold flits, in no order.
    occupied: Vec<u32>,
    vc_turns: Pointers,
    switch_turns: Pointers,
    /// The virtual channel after which round robin among those of a switch input begins.
    input_turns: Vec<u32>,
    /// What is asked for in this cycle, by output.
    vc_asks: Vec<Vec<VcAsk>>,
    switch_asks: Vec<Vec<SwitchAsk>>,
    /// Grants of this cycle: asker and resource; switch input, output and place.
    vc_grants: Vec<(u32, u32)>,
    switch_grants: Vec<(u32, u32, u32)>,
    switch_matches: Vec<(u32, u32, u32)>,
}

impl Router {
    pub(super) fn new(inputs: Vec<u32>, outputs: Vec<u32>, params: &RouterParams) -> Router {
        let vcs = params.all_vcs();
        let (places, resources) = (inputs.len() * vcs, outputs.len() * vcs);
        let speedup = params.input_speedup;
        let switch_inputs = inputs.len() * speedup as usize;
        let empty = || InputVc {
            buffer: VecDeque::new(),
            output: NONE,
            output_vc: 0,
            ready: 0,
            front_is_head: false,
            is_inside: false,
        };
        Router {
            places: std::iter::repeat_with(empty).take(places).collect(),
            occupied: Vec::new(),
            vc_turns: Pointers::new(places, resources),
            switch_turns: Pointers::new(switch_inputs, outputs.len()),
            input_turns: (0..switch_inputs as u32).map(|input| input % speedup).collect(),
            vc_asks: vec![Vec::new(); outputs.len()],
            switch_asks: vec![Vec::new(); outputs.len()],
            vc_grants: Vec::new(),
            switch_grants: Vec::new(),
            switch_matches: Vec::new(),
            inputs,
            outputs,
        }
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.occupied.is_empty()
    }

    /// Takes a flit that has arrived at an input.
    pub(super) fn accept(&mut self, (port, vc): (u32, u16), flit: Flit, it: &mut Surroundings<'_>) {
        let number = port * it.params.all_vcs() as u32 + u32::from(vc);
        let place = &mut self.places[number as usize];
        if !place.is_inside {
            it.packets[flit.packet as usize].since = it.cycle;
        }
        place.is_inside = !flit.is_last;
        place.buffer.push_back(flit);
        if place.buffer.len() == 1 {
            self.occupied.push(number);
            if place.output == NONE {
                place.ready = it.cycle + it.params.head_cycles() - 1;
            }
        }
    }

    /// One cycle: asks first, from what was there before it, then allocation.
    pub(super) fn step(&mut self, it: &mut Surroundings<'_>) {
        self.ask(it);
        self.allocate_vcs(it);
        self.allocate_switch(it);
    }

    fn ask(&mut self, it: &mut Surroundings<'_>) {
        for number in &self.occupied {
            let place = &self.places[*number as usize];
            if place.ready > it.cycle {
                continue;
            }
            if place.output == NONE {
                let Some(flit) = place.buffer.front() else { continue };
                let packet = &it.packets[flit.packet as usize];
                let hop = it.hops[(packet.parcel.way.0 + u32::from(packet.at)) as usize];
                let port = it.channels[hop.channel as usize].from_port;
                let first = u32::from(packet.parcel.class) * it.params.vcs;
                let (low, high) = (first + u32::from(hop.low), first + u32::from(hop.high));
                self.vc_asks[port as usize].push(VcAsk { asker: *number, low, high });
                continue;
            }
            let output = self.outputs[place.output as usize];
            let channel = &it.channels[output as usize];
            let has_room = channel.credits[usize::from(place.output_vc)] > 0;
            if let Some(journal) = it.journal.as_mut().filter(|_| !has_room)
                && let Some(flit) = place.buffer.front()
            {
                journal.starve(flit.packet, output);
            }
            if has_room && channel.is_free_in(it.cycle + it.params.switch_cycles()) {
                let asks = &mut self.switch_asks[place.output as usize];
                add_switch_ask(asks, *number, &self.input_turns, it.params);
            }
        }
    }

    /// Gives free virtual channels of outputs to heads.
    fn allocate_vcs(&mut self, it: &mut Surroundings<'_>) {
        let vcs = it.params.all_vcs() as u32;
        for port in 0..self.outputs.len() as u32 {
            let asks = &self.vc_asks[port as usize];
            let (Some(low), Some(high)) =
                (asks.iter().map(|ask| ask.low).min(), asks.iter().map(|ask| ask.high).max())
            else {
                continue;
            };
            let channel = &mut it.channels[self.outputs[port as usize] as usize];
            for vc in (low..high).filter(|vc| channel.holder[*vc as usize] == NONE) {
                let able = asks.iter().filter(|ask| (ask.low..ask.high).contains(&vc));
                let resource = port * vcs + vc;
                let first = self.vc_turns.first_asker(resource, able.map(|ask| ask.asker));
                self.vc_grants.extend(first.map(|asker| (asker, resource)));
            }
            for ask in asks {
                let own = self.vc_grants.iter().filter(|grant| grant.0 == ask.asker);
                let Some(resource) =
                    self.vc_turns.first_resource(ask.asker, own.map(|grant| grant.1))
                else {
                    continue;
                };
                self.vc_turns.matched(ask.asker, resource);
                let place = &mut self.places[ask.asker as usize];
                (place.output, place.output_vc) = (port, (resource % vcs) as u16);
                (place.ready, place.front_is_head) = (it.cycle + 1, true);
                channel.holder[(resource % vcs) as usize] = ask.asker;
            }
            self.vc_grants.clear();
            self.vc_asks[port as usize].clear();
        }
    }

    /// Gives the switch to flits, one at each of its inputs and outputs.
    fn allocate_switch(&mut self, it: &mut Surroundings<'_>) {
        for port in 0..self.outputs.len() as u32 {
            let asks = &self.switch_asks[port as usize];
            let inputs = asks.iter().map(|ask| ask.input);
            let Some(input) = self.switch_turns.first_asker(port, inputs) else { continue };
            let ask = asks.iter().find(|ask| ask.input == input);
            self.switch_grants.extend(ask.map(|ask| (input, port, ask.place)));
            self.switch_asks[port as usize].clear();
        }
        let grants = std::mem::take(&mut self.switch_grants);
        let mut matches = std::mem::take(&mut self.switch_matches);
        let is_first = |it: &&(u32, u32, u32)| {
            let own = grants.iter().filter(|grant| grant.0 == it.0).map(|grant| grant.1);
            self.switch_turns.first_resource(it.0, own) == Some(it.1)
        };
        matches.extend(grants.iter().filter(is_first));
        for (input, port, number) in matches.drain(..) {
            self.switch_turns.matched(input, port);
            let vcs = it.params.all_vcs() as u32;
            self.input_turns[input as usize] = (number % vcs + it.params.input_speedup) % vcs;
            self.forward(number, port, it);
        }
        (self.switch_grants, self.switch_matches) = (grants, matches);
        self.switch_grants.clear();
    }

    /// Sends the flit at the front of place `number` to an output.
    fn forward(&mut self, number: u32, port: u32, it: &mut Surroundings<'_>) {
        let vcs = it.params.all_vcs() as u32;
        let place = &mut self.places[number as usize];
        let Some(flit) = place.buffer.pop_front() else { return };
        let output = self.outputs[port as usize];
        let channel = &mut it.channels[output as usize];
        let packet = &mut it.packets[flit.packet as usize];
        let mut waited = 0;
        if std::mem::take(&mut place.front_is_head) {
            waited = packet.end_wait(it.cycle, it.params.head_cycles());
            channel.held += waited;
            packet.at += 1;
        }
        let tag = packet.parcel.tag;
        let bytes = packet.size_of(flit, it.params.flit_bytes);
        channel.credits[usize::from(place.output_vc)] -= 1;
        let start = it.cycle + it.params.switch_cycles();
        let (end, arrival) = channel.send(start, (bytes, it.params.flit_bytes));
        it.wheel.push(arrival, Arrival::Flit { channel: output, vc: place.output_vc, flit });
        if flit.is_last {
            if let Some(journal) = &mut it.journal {
                journal.tail(flit.packet, end);
            }
            channel.release(place.output_vc);
            place.output = NONE;
            place.ready = it.cycle + it.params.head_cycles();
        }
        if place.buffer.is_empty() {
            self.occupied.retain(|other| *other != number);
        }
        it.note(output, tag, (end, waited, bytes));
        let input = self.inputs[(number / vcs) as usize];
        give_credit(input, (number % vcs) as u16, it);
    }
}

/// Lets the near end of `channel` know that there is room for one more flit at the far one.
pub(super) fn give_credit(channel: u32, vc: u16, it: &mut Surroundings<'_>) {
    let state = &it.channels[channel as usize];
    let noticed = match state.spec.from {
        End::Router(_) => it.params.credit_delay,
        End::Terminal => 0,
    };
    let cycle = it.cycle + state.credit_flight() + noticed;
    it.wheel.push(cycle, Arrival::Credit { channel, vc });
}

/// Adds the flit at place `number` to those that ask for an output. Of one switch input only one
/// asks: the one whose turn it is.
fn add_switch_ask(
    asks: &mut Vec<SwitchAsk>,
    number: u32,
    input_turns: &[u32],
    params: &RouterParams,
) {
    let vcs = params.all_vcs() as u32;
    let (port, vc) = (number / vcs, number % vcs);
    let input = port * params.input_speedup + vc % params.input_speedup;
    let from = input_turns[input as usize];
    match asks.iter_mut().find(|ask| ask.input == input) {
        Some(other) if turns(from, vc, vcs) < turns(from, other.place % vcs, vcs) => {
            other.place = number;
        }
        Some(_) => {}
        None => asks.push(SwitchAsk { input, place: number }),
    }
}
