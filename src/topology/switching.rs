//! How messages share the network: what routers do with flits, and which of several parallel
//! connections a message takes. Every number comes from the machine's YAML.

use super::Clock;

/// What becomes of flits of several messages that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switching {
    /// Flits of all messages mix in the order of their arrival, and buffers hold any number.
    Interleaved,
    /// A message holds a virtual channel from its head to its tail; buffers are finite.
    Wormhole,
}

impl Switching {
    /// Every mode.
    pub const ALL: [Switching; 2] = [Switching::Interleaved, Switching::Wormhole];

    /// Its name in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Switching::Interleaved => "interleaved",
            Switching::Wormhole => "wormhole",
        }
    }
}

/// Which of the parallel connections between two dies a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneChoice {
    /// Always the one that the numbers of its ends give.
    Fixed,
    /// The one with the fewest bytes on their way, the first of them where several have.
    LeastQueued,
}

impl LaneChoice {
    /// Every choice.
    pub const ALL: [LaneChoice; 2] = [LaneChoice::Fixed, LaneChoice::LeastQueued];

    /// Its name in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            LaneChoice::Fixed => "fixed",
            LaneChoice::LeastQueued => "least_queued",
        }
    }
}

/// The network's switching, and its routers where it is [`Switching::Wormhole`].
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkParams {
    /// What becomes of flits that meet.
    pub switching: Switching,
    /// Which connection a message takes where there are several.
    pub lane: LaneChoice,
    /// What routers and virtual channels are like.
    pub router: RouterParams,
}

impl NetworkParams {
    /// Interleaved flits on fixed lanes: what a machine has that says nothing. Its routers are the
    /// textbook's, and of no account.
    pub(super) fn interleaved() -> NetworkParams {
        let clock = Clock::from_ghz(1.0).expect("1 GHz is a clock");
        let router = RouterParams {
            clock,
            vcs: 1,
            buffer_flits: 0,
            routing_delay: 0,
            vc_alloc_delay: 1,
            switch_alloc_delay: 1,
            crossbar_delay: 1,
            credit_delay: 1,
            wait_for_tail_credit: false,
            input_speedup: 1,
            datelines: true,
        };
        NetworkParams { switching: Switching::Interleaved, lane: LaneChoice::Fixed, router }
    }
}

/// A router with virtual channels. Delays are in cycles of its clock.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterParams {
    /// The clock of all routers.
    pub clock: Clock,
    /// Virtual channels of each class of traffic.
    pub vcs: u32,
    /// Flits that each of them holds; 0 for any number.
    pub buffer_flits: u32,
    /// From the arrival of a head to its first try for a virtual channel.
    pub routing_delay: u32,
    /// What getting a virtual channel takes.
    pub vc_alloc_delay: u32,
    /// What getting the switch takes.
    pub switch_alloc_delay: u32,
    /// What going through the switch takes.
    pub crossbar_delay: u32,
    /// From the arrival of a credit to its use.
    pub credit_delay: u32,
    /// Whether a virtual channel is given away again only when all credits of its last packet are back,
    /// and not as soon as its tail has left.
    pub wait_for_tail_credit: bool,
    /// Inputs of the switch for each input of the router.
    pub input_speedup: u32,
    /// Whether virtual channels are divided where messages could wait for each other in a cycle.
    pub datelines: bool,
}
