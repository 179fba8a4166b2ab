//! The queues of a program: which directions its code uses, where each leads, and how much memory
//! their slots take.

use crate::command::{AgentId, Comm, Message, Peer, QueueId};
use crate::diag::{Diagnostic, Reported, Sink, internal, lowering, nearest_help};
use crate::ir::{Function, Limits, Op, TilePipeline, Value};
use crate::launch::{Launch, NeighborMap};
use crate::source::Span;
use crate::topology::neighbors::Unpaired;
use crate::topology::{Extent, PeParams, SlotKind};
use crate::units::grouped;

/// Slots are a multiple of this many bytes unless the launch says how large they are.
const SLOT_ALIGNMENT: u64 = 64;

/// The most directions that one program may use: a queue's number is a byte.
const MAX_DIRECTIONS: usize = 255;

/// The most ops that unrolling may make of one kernel.
const UNROLLED_OPS: u64 = 1 << 17;

/// What a kernel sends and receives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Every `send`, in the order of the code.
    pub sends: Vec<Exchange>,
    /// Every `recv` and `recv_async`, in the order of the code.
    pub recvs: Vec<Exchange>,
}

/// A place that sends or receives.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The direction's name.
    pub direction: String,
    /// What is sent, or expected.
    pub message: Message,
    /// Where it was written.
    pub span: Span,
}

/// What the sends and receives of `function` are; its shapes must be constant.
pub fn traffic(function: &Function) -> Traffic {
    let mut traffic = Traffic::default();
    for op in function.reachable_ops() {
        let data = &function.ops[op];
        let exchange = |direction: &str, tile: Option<&Value>| {
            let tile = tile.and_then(|tile| function.ty(*tile).tile());
            let elements = tile.and_then(|tile| tile.shape()).map_or(0, |shape| shape.elements());
            let dtype = tile.map_or(crate::dtype::DType::I8, |tile| tile.dtype);
            let message = Message { elements, dtype };
            Exchange { direction: direction.into(), message, span: function.spans[op] }
        };
        if let Op::Send(it) = &data.op {
            traffic.sends.push(exchange(&it.dir, Some(&it.src)));
        } else if let Op::Stream(it) = &data.op {
            let tile = data.results.first();
            traffic.sends.extend(it.to.iter().map(|dir| exchange(dir, tile)));
            traffic.recvs.push(exchange(&it.from, tile));
        } else if let Op::Recv(crate::ir::Recv { dir, .. })
        | Op::RecvAsync(crate::ir::RecvAsync { dir }) = &data.op
        {
            traffic.recvs.push(exchange(dir, data.results.first()));
        }
    }
    traffic
}

impl Traffic {
    /// The largest message that is sent or expected; of equal ones the first, sends before
    /// receives. Where both sides agree, it is the largest that is sent.
    pub fn largest(&self) -> Option<&Exchange> {
        let all = self.sends.iter().chain(&self.recvs);
        all.rev().max_by_key(|exchange| exchange.message.bytes())
    }

    /// The names of the directions used, in the order of their first use.
    pub fn directions(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for exchange in self.sends.iter().chain(&self.recvs) {
            if !names.contains(&exchange.direction.as_str()) {
                names.push(&exchange.direction);
            }
        }
        names
    }

    /// Where a direction is used first.
    fn first_use(&self, direction: &str) -> Span {
        let mut uses = self.sends.iter().chain(&self.recvs);
        uses.find(|it| it.direction == direction).map_or(Span::NONE, |it| it.span)
    }

    fn is_sent_in(&self, direction: &str) -> bool {
        self.sends.iter().any(|it| it.direction == direction)
    }
}

/// What the queues of a launch depend on.
#[derive(Clone, Copy)]
pub struct Wiring<'a> {
    /// The launch: its world and its options for queues.
    pub launch: &'a Launch,
    /// The machine.
    pub extent: &'a Extent,
    /// What each PE has room for, and the defaults for queues.
    pub params: &'a PeParams,
    /// Who is next to whom.
    pub neighbors: &'a dyn NeighborMap,
}

/// What passes may give to the tiles of a kernel: all of TCM but the reserved part and, once the
/// queues are known, the slots that lie in it.
pub fn limits(params: &PeParams, comm: Option<&Comm>) -> Limits {
    let (tcm_total, tcm_reserved) = (params.tcm.bytes, params.tcm.reserved);
    let slots = comm.filter(|comm| comm.kind == SlotKind::Tcm).map_or(0, Comm::bytes_per_agent);
    let tcm_bytes = tcm_total.saturating_sub(tcm_reserved).saturating_sub(slots);
    let scheduler = &params.scheduler;
    let tile = [scheduler.tile_m, scheduler.tile_n, scheduler.tile_k].map(u64::from);
    let pipeline = TilePipeline { tile, buffers: scheduler.buffers.into() };
    Limits { tcm_bytes, tcm_total, tcm_reserved, pipeline, unrolled_ops: UNROLLED_OPS }
}

/// The queues for this traffic.
///
/// # Errors
/// A direction that nobody has, that leads nowhere back, or in which
/// two ranks would send to one queue; slots that are too small, or that do not fit.
pub fn connect(traffic: &Traffic, wiring: &Wiring<'_>, sink: &mut Sink) -> Result<Comm, Reported> {
    let Some(largest) = traffic.largest() else { return Ok(Comm::none()) };
    let mut directions: Vec<String> = traffic.directions().into_iter().map(String::from).collect();
    check_names(&directions, traffic, wiring, sink)?;
    let landings = landings(traffic, wiring, sink)?;
    for name in landings.into_iter().chain(missing_senders(traffic, wiring)) {
        if !directions.contains(&name) {
            directions.push(name);
        }
    }
    if directions.len() > MAX_DIRECTIONS {
        let count = directions.len();
        let message =
            format!("the kernel uses {count} directions; a program has at most {MAX_DIRECTIONS}");
        let span = traffic.first_use(&directions[MAX_DIRECTIONS]);
        return Err(sink.error(Diagnostic::new(
            lowering::TOO_MANY_DIRECTIONS,
            message,
            span,
            "one too many",
        )));
    }
    let peers = peers(&directions, wiring);
    let options = &wiring.launch.ipcq;
    let comm = Comm {
        directions,
        peers,
        slots: options.slots.unwrap_or(wiring.params.ipcq.slots),
        slot_bytes: options.slot_bytes.unwrap_or_else(|| aligned(largest.message.bytes())),
        kind: options.kind.unwrap_or(wiring.params.ipcq.kind),
    };
    check_senders(&comm, traffic, sink)?;
    check_slots(&comm, largest, sink)?;
    check_memory(&comm, wiring, largest, sink)?;
    Ok(comm)
}

/// A slot for a message of this many bytes; what no memory holds saturates.
fn aligned(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(SLOT_ALIGNMENT).unwrap_or(u64::MAX)
}

/// Every direction must be one that some rank has. A rank alone in its world has no neighbours,
/// whatever they are called.
fn check_names(
    directions: &[String],
    traffic: &Traffic,
    wiring: &Wiring<'_>,
    sink: &mut Sink,
) -> Result<(), Reported> {
    let known = wiring.neighbors.directions();
    let mut result = Ok(());
    for name in directions {
        if known.contains(&name.as_str()) || wiring.launch.world <= 1 {
            continue;
        }
        let mut diagnostic = Diagnostic::new(
            lowering::NO_SUCH_DIRECTION,
            format!("no rank has a neighbour in the direction `{name}`"),
            traffic.first_use(name),
            "used here",
        )
        .note(format!("the directions that exist are {}", known.join(", ")));
        if let Some(help) = nearest_help("direction", name, known.iter().copied()) {
            diagnostic = diagnostic.help(help);
        }
        result = Err(sink.error(diagnostic));
    }
    result
}

/// The directions from which what is sent arrives.
fn landings(
    traffic: &Traffic,
    wiring: &Wiring<'_>,
    sink: &mut Sink,
) -> Result<Vec<String>, Reported> {
    let mut landings: Vec<String> = Vec::new();
    let mut result = Ok(());
    for direction in traffic.directions().into_iter().filter(|name| traffic.is_sent_in(name)) {
        for rank in 0..wiring.launch.world {
            match land(rank, direction, traffic, wiring) {
                Ok(Some(name)) if !landings.iter().any(|it| it == name) => {
                    landings.push(name.into());
                }
                Ok(_) => {}
                Err(diagnostic) => {
                    result = Err(sink.error(*diagnostic));
                    break;
                }
            }
        }
    }
    result.map(|()| landings)
}

/// The directions in which neighbours would have to send what is only received: nobody does, and
/// the communication check says so of the queues.
fn missing_senders(traffic: &Traffic, wiring: &Wiring<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for direction in traffic.directions().into_iter().filter(|name| !traffic.is_sent_in(name)) {
        for rank in 0..wiring.launch.world {
            if let Ok(Some((_, name))) = wiring.neighbors.receiver(rank, direction)
                && !names.iter().any(|it| it == name)
            {
                names.push(name.into());
            }
        }
    }
    names
}

/// The direction from which what `rank` sends in `direction` arrives.
fn land<'a>(
    rank: u32,
    direction: &str,
    traffic: &Traffic,
    wiring: &Wiring<'a>,
) -> Result<Option<&'a str>, Box<Diagnostic>> {
    let (world, span) = (wiring.launch.world, traffic.first_use(direction));
    let Some(peer) = wiring.neighbors.neighbor(rank, direction) else { return Ok(None) };
    if peer >= world {
        return Err(Box::new(outside([rank, peer], direction, world, span)));
    }
    match wiring.neighbors.receiver(rank, direction) {
        Ok(receiver) => Ok(receiver.map(|(_, name)| name)),
        Err(why) => {
            let back = leading_back(peer, rank, wiring);
            Err(Box::new(no_way_back([rank, peer], direction, &(why, back), span)))
        }
    }
}

/// The directions of `peer` that lead to `rank`.
fn leading_back(peer: u32, rank: u32, wiring: &Wiring<'_>) -> Vec<String> {
    let names = wiring.neighbors.directions().into_iter();
    let leads = |name: &&str| wiring.neighbors.neighbor(peer, name) == Some(rank);
    names.filter(leads).map(|name| format!("`{name}`")).collect()
}

/// Whoever made the map has checked it, where it was written.
fn outside([rank, peer]: [u32; 2], direction: &str, world: u32, span: Span) -> Diagnostic {
    let message =
        format!("rank {peer} lies to the `{direction}` of rank {rank} in a world of {world} ranks");
    Diagnostic::new(internal::INTERNAL, message, span, "sent there")
}

fn no_way_back(
    [rank, peer]: [u32; 2],
    direction: &str,
    (why, back): &(Unpaired, Vec<String>),
    span: Span,
) -> Diagnostic {
    let problem = match why {
        Unpaired::NoWayBack => {
            format!("no direction of rank {peer} leads back to rank {rank}")
        }
        Unpaired::Ambiguous => {
            format!("{} of rank {peer} all lead back to rank {rank}", back.join(", "))
        }
    };
    let message = format!("what rank {rank} sends to the `{direction}` cannot arrive: {problem}");
    Diagnostic::new(lowering::NO_WAY_BACK, message, span, "sent here").help(format!(
        "`neighbors` may name the receiving direction: \
         {{\"{direction}\": ({peer}, \"<direction of rank {peer}>\")}} for rank {rank}"
    ))
}

fn peers(directions: &[String], wiring: &Wiring<'_>) -> Vec<Option<Peer>> {
    let mut peers = Vec::with_capacity(directions.len() * wiring.launch.world as usize);
    for rank in 0..wiring.launch.world {
        for direction in directions {
            let receiver = wiring.neighbors.receiver(rank, direction).ok().flatten();
            peers.push(receiver.and_then(|(peer, theirs)| {
                let queue = directions.iter().position(|name| name == theirs)?;
                Some(Peer { agent: AgentId(peer), queue: QueueId(queue as u8) })
            }));
        }
    }
    peers
}

/// A queue counts the messages of one sender.
fn check_senders(comm: &Comm, traffic: &Traffic, sink: &mut Sink) -> Result<(), Reported> {
    let count = comm.directions.len();
    let mut senders: Vec<Option<u32>> = vec![None; comm.peers.len()];
    for (index, peer) in comm.peers.iter().enumerate() {
        let (rank, direction) = ((index / count) as u32, &comm.directions[index % count]);
        let Some(peer) = peer.filter(|_| traffic.is_sent_in(direction)) else { continue };
        let queue = peer.agent.0 as usize * count + usize::from(peer.queue.0);
        let Some(other) = senders.get_mut(queue).and_then(|it| it.replace(rank)) else { continue };
        let theirs = comm.direction(peer.queue);
        let message = format!(
            "rank {other} and rank {rank} would both send to the queue `{theirs}` of rank {}",
            peer.agent.0
        );
        let span = traffic.first_use(direction);
        return Err(sink.error(
            Diagnostic::new(lowering::TWO_SENDERS, message, span, "one of them sends here")
                .note("messages of two senders in one queue would have no order")
                .help("give each sender a direction of its own at the receiver"),
        ));
    }
    Ok(())
}

fn check_slots(comm: &Comm, largest: &Exchange, sink: &mut Sink) -> Result<(), Reported> {
    if comm.slots == 0 {
        let message = "queues of 0 slots hold no message: every send would wait for ever";
        let diagnostic = Diagnostic::new(lowering::NO_SLOTS, message, largest.span, "sent here");
        return Err(sink.error(diagnostic));
    }
    let Message { elements, dtype } = largest.message;
    let (needed, slot) = (largest.message.bytes(), comm.slot_bytes);
    if needed <= slot {
        return Ok(());
    }
    let message =
        format!("a tile of {} B does not fit in a slot of {} B", grouped(needed), grouped(slot));
    let arithmetic = format!(
        "{} elements x {} B ({dtype}) = {} B > {} B",
        grouped(elements),
        dtype.bytes(),
        grouped(needed),
        grouped(slot)
    );
    Err(sink.error(
        Diagnostic::new(lowering::SLOT_TOO_SMALL, message, largest.span, arithmetic)
            .help("`slot_size=auto` makes slots as large as the largest tile sent"),
    ))
}

/// The slots must fit in the memory they are in.
fn check_memory(
    comm: &Comm,
    wiring: &Wiring<'_>,
    largest: &Exchange,
    sink: &mut Sink,
) -> Result<(), Reported> {
    let (params, pes) = (wiring.params, u64::from(wiring.extent.pes.count()));
    let (memory, room, sharing) = match comm.kind {
        SlotKind::Tcm => ("TCM", params.tcm.bytes.saturating_sub(params.tcm.reserved), 1),
        SlotKind::Sram => ("the SRAM of a cube", params.sram_bytes, pes),
        SlotKind::Hbm => ("the HBM of a PE", params.hbm.bytes, 1),
    };
    let needed = comm.bytes_per_agent().saturating_mul(sharing);
    if needed <= room {
        return Ok(());
    }
    let shared = if sharing > 1 { format!("{sharing} PEs x ") } else { String::new() };
    let message = format!(
        "{memory} has {} B for receive slots, but they take {} B",
        grouped(room),
        grouped(needed)
    );
    let arithmetic = format!(
        "{shared}{} directions x {} slots x {} B = {} B > {} B",
        comm.directions.len(),
        grouped(u64::from(comm.slots)),
        grouped(comm.slot_bytes),
        grouped(needed),
        grouped(room)
    );
    let label = format!("the largest tile, {} B", grouped(largest.message.bytes()));
    let diagnostic = Diagnostic::new(lowering::QUEUES_TOO_LARGE, message, largest.span, label);
    Err(sink.error(diagnostic.note(arithmetic)))
}
