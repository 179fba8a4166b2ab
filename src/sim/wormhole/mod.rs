//! A network of routers with virtual channels and finite buffers, cycle by cycle.
//!
//! **The router** is the textbook's input-queued one (Dally and Towles, "Principles and Practices
//! of Interconnection Networks", chapters 16 and 17), as BookSim 2 has it: a packet's head waits
//! for a virtual channel of the output that its route names, holds it until its tail has left, and
//! each flit waits for the switch and for room at the far end. Both are handed out by one round of
//! iSLIP a cycle (`allocate`). A flit that leaves a buffer sends a credit back.
//!
//! **Time** is in cycles of one clock for all routers, and for what is no whole number of them in
//! ticks, [`TICKS`] a cycle. The cycles of a head without others around, `t` being when it arrives:
//!
//! ```text
//! t + routing                    allocation of a virtual channel, `vc_alloc` cycles
//! t + routing + vc_alloc         allocation of the switch, `switch_alloc` cycles
//!     … + switch_alloc           through the switch, `crossbar` cycles
//!     … + crossbar               onto the wire: flit / bandwidth + wire, up to a whole cycle
//! ```
//!
//! Flits behind it skip the first two lines. A credit is known one cycle, the wire and
//! `credit_delay` after its flit has won the switch.
//!
//! Parts that only send and receive are *terminals*: a source queue of each class in front of each
//! channel (`source`), and at the other end room that is free again at once.
//!
//! None of this knows of machines (`layout` does) or of what is sent (`messages`, which lets kernels
//! run on it, and the traffic generator).

mod account;
mod allocate;
mod channel;
mod idle;
mod journal;
mod layout;
mod messages;
mod packet;
mod router;
mod source;
mod wheel;

pub(super) use layout::{Layout, Timebase, lay_out};
pub(super) use messages::Messages;
pub(super) use packet::{Delivery, Parcel};

use channel::{Channel, ChannelSpec, End};
use journal::{Journal, Notes};
use packet::{Flit, Hop, NONE, Packet};
use router::{Moved, Router, Surroundings, give_credit};
use source::Source;
use wheel::{Arrival, Wheel};

/// Ticks of a cycle.
pub(super) const TICKS: u64 = 1024;

/// Classes of traffic, which share channels but no virtual channels.
pub(super) const CLASSES: usize = 3;

/// What all routers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RouterParams {
    /// Virtual channels of each class.
    pub(super) vcs: u32,
    /// Flits that each virtual channel holds; 0 for any number.
    pub(super) buffer_flits: u32,
    pub(super) flit_bytes: u64,
    /// Cycles of the stages of a router.
    pub(super) routing: u64,
    pub(super) vc_alloc: u64,
    pub(super) switch_alloc: u64,
    pub(super) crossbar: u64,
    pub(super) credit_delay: u64,
    /// Whether a virtual channel is held until all credits of its packet are back.
    pub(super) wait_for_tail_credit: bool,
    /// Inputs of the switch for each input of the router.
    pub(super) input_speedup: u32,
}

impl RouterParams {
    fn all_vcs(&self) -> usize {
        self.vcs as usize * CLASSES
    }

    /// From the arrival of a head to when it may ask for the switch.
    fn head_cycles(&self) -> u64 {
        self.routing + self.vc_alloc
    }

    /// From when a flit wins the switch to when it is on the wire.
    fn switch_cycles(&self) -> u64 {
        self.switch_alloc + self.crossbar
    }
}

/// What a cycle brought about.
#[derive(Debug, Default)]
pub(super) struct Happened {
    /// Packets whose last flit has left the source: what the sender knows them by, and when its
    /// last bit has, in ticks.
    pub(super) left: Vec<(u32, u64)>,
    /// Packets that have arrived.
    pub(super) delivered: Vec<Delivery>,
    /// What was noted of each of these, if notes are kept.
    pub(super) notes: Vec<Notes>,
    /// Flits that entered channels, if somebody wants to know.
    pub(super) moved: Option<Vec<Moved>>,
    /// For each flit that came to its target, what the sender knows its packet by; if somebody wants to
    /// know.
    pub(super) received: Option<Vec<u32>>,
}

/// All routers and channels, and what is on them.
#[derive(Debug)]
pub(super) struct RouterNetwork {
    params: RouterParams,
    channels: Vec<Channel>,
    routers: Vec<Router>,
    hops: Vec<Hop>,
    packets: Vec<Packet>,
    spare: Vec<u32>,
    wheel: Wheel,
    /// Routers and sources that have something to do, and whether each is among them.
    busy: Vec<u32>,
    is_busy: Vec<bool>,
    sources: Vec<Source>,
    /// The source of each channel, and those that have something to send.
    source_of: Vec<u32>,
    sending: Vec<u32>,
    scratch: Vec<Arrival>,
    /// Notes of packets, where somebody keeps accounts.
    journal: Option<Box<Journal>>,
}

impl RouterNetwork {
    /// An idle network of so many routers.
    pub(super) fn new(params: RouterParams, routers: usize, specs: &[ChannelSpec]) -> Self {
        let room = if params.buffer_flits == 0 { u32::MAX / 2 } else { params.buffer_flits };
        let make = |spec: &ChannelSpec| {
            Channel::new(*spec, params.all_vcs(), room).waiting(params.wait_for_tail_credit)
        };
        let mut channels: Vec<Channel> = specs.iter().map(make).collect();
        let mut ports: Vec<(Vec<u32>, Vec<u32>)> = vec![Default::default(); routers];
        for (number, channel) in channels.iter_mut().enumerate() {
            if let End::Router(router) = channel.spec.to {
                channel.to_port = ports[router as usize].0.len() as u32;
                ports[router as usize].0.push(number as u32);
            }
            if let End::Router(router) = channel.spec.from {
                channel.from_port = ports[router as usize].1.len() as u32;
                ports[router as usize].1.push(number as u32);
            }
        }
        let longest = channels.iter().map(Channel::longest).max().unwrap_or(0);
        let longest = longest + params.credit_delay + params.switch_cycles();
        RouterNetwork {
            params,
            routers: ports.into_iter().map(|it| Router::new(it.0, it.1, &params)).collect(),
            source_of: vec![NONE; channels.len()],
            channels,
            hops: Vec::new(),
            packets: Vec::new(),
            spare: Vec::new(),
            wheel: Wheel::new(longest),
            busy: Vec::new(),
            is_busy: vec![false; routers],
            sources: Vec::new(),
            sending: Vec::new(),
            scratch: Vec::new(),
            journal: None,
        }
    }

    /// Notes from now on where packets are when.
    pub(super) fn keep_notes(&mut self) {
        self.journal = Some(Box::default());
    }

    /// Adds a way that packets may take; gives where it begins.
    pub(super) fn add_way(&mut self, hops: &[Hop]) -> (u32, u16) {
        let start = self.hops.len() as u32;
        self.hops.extend_from_slice(hops);
        (start, hops.len() as u16)
    }

    /// The channel at a place among all hops.
    pub(super) fn channel_at(&self, place: u32) -> u32 {
        self.hops[place as usize].channel
    }

    /// Cycles for which heads waited to be sent over a channel.
    pub(super) fn held(&self, channel: u32) -> u64 {
        self.channels[channel as usize].held
    }

    /// Puts a packet into the queue in front of the first channel of its way.
    pub(super) fn send(&mut self, parcel: Parcel) {
        let packet = Packet::new(parcel, self.params.flit_bytes);
        let number = match self.spare.pop() {
            Some(number) => {
                self.packets[number as usize] = packet;
                number
            }
            None => {
                self.packets.push(packet);
                self.packets.len() as u32 - 1
            }
        };
        let channel = self.channel_at(parcel.way.0);
        let source = &mut self.source_of[channel as usize];
        if *source == NONE {
            *source = self.sources.len() as u32;
            self.sources.push(Source::new(channel));
        }
        let queue = &mut self.sources[*source as usize];
        if queue.is_empty() {
            self.sending.push(*source);
        }
        queue.push(number, parcel.class);
    }

    /// The next cycle after `cycle` in which anything can happen.
    pub(super) fn next_after(&self, cycle: u64) -> Option<u64> {
        if self.busy.is_empty() && self.sending.is_empty() {
            self.wheel.next_after(cycle)
        } else {
            Some(cycle + 1)
        }
    }

    /// Lets one cycle pass. Cycles that are left out must have been empty. Adds what happens.
    pub(super) fn step(&mut self, cycle: u64, happened: &mut Happened) {
        let mut arrivals = std::mem::take(&mut self.scratch);
        self.wheel.take(cycle, &mut arrivals);
        for arrival in arrivals.drain(..) {
            match arrival {
                Arrival::Flit { channel, vc, flit } => {
                    self.arrive((channel, vc), flit, cycle, happened);
                }
                Arrival::Credit { channel, vc } => {
                    self.channels[channel as usize].take_credit(vc);
                }
            }
        }
        self.scratch = arrivals;
        let mut it = Surroundings {
            params: &self.params,
            channels: &mut self.channels,
            packets: &mut self.packets,
            hops: &self.hops,
            wheel: &mut self.wheel,
            moved: &mut happened.moved,
            journal: self.journal.as_deref_mut(),
            cycle,
        };
        for source in &self.sending {
            happened.left.extend(self.sources[*source as usize].step(&mut it));
        }
        for router in &self.busy {
            self.routers[*router as usize].step(&mut it);
        }
        self.sending.retain(|source| !self.sources[*source as usize].is_empty());
        let (routers, is_busy) = (&self.routers, &mut self.is_busy);
        self.busy.retain(|router| {
            let keep = !routers[*router as usize].is_empty();
            is_busy[*router as usize] = keep;
            keep
        });
    }

    fn arrive(
        &mut self,
        (channel, vc): (u32, u16),
        flit: Flit,
        cycle: u64,
        happened: &mut Happened,
    ) {
        let mut it = Surroundings {
            params: &self.params,
            channels: &mut self.channels,
            packets: &mut self.packets,
            hops: &self.hops,
            wheel: &mut self.wheel,
            moved: &mut happened.moved,
            journal: self.journal.as_deref_mut(),
            cycle,
        };
        let state = &it.channels[channel as usize];
        match state.spec.to {
            End::Router(router) => {
                let port = state.to_port;
                self.routers[router as usize].accept((port, vc), flit, &mut it);
                if !std::mem::replace(&mut self.is_busy[router as usize], true) {
                    self.busy.push(router);
                }
            }
            End::Terminal => {
                give_credit(channel, vc, &mut it);
                self.receive(flit, cycle, happened);
            }
        }
    }

    /// A flit has reached its target.
    fn receive(&mut self, flit: Flit, cycle: u64, happened: &mut Happened) {
        let packet = &mut self.packets[flit.packet as usize];
        let bytes = packet.size_of(flit, self.params.flit_bytes);
        let write = (packet.parcel.write * bytes).div_ceil(self.params.flit_bytes);
        if let Some(received) = &mut happened.received {
            received.push(packet.parcel.tag);
        }
        if packet.written == 0 {
            packet.came = cycle;
        }
        packet.written = packet.written.max(cycle * TICKS) + write;
        if flit.is_last {
            happened.delivered.push(packet.delivery());
            happened.notes.extend(self.journal.as_mut().map(|notes| notes.take(flit.packet)));
            self.spare.push(flit.packet);
        }
    }
}
