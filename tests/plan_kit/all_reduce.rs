//! All-reduce as MSCCL++'s own test kernels do it, written as execution plans: the algorithms behind
//! the times that its repository publishes (`test/mscclpp-test/allreduce_test.cu`,
//! `test/deploy/perf_ndmv*.jsonl`), with their numbers of thread blocks.

use serde_json::{Value, json};

/// GPUs of a node.
pub const RANKS: u64 = 8;

/// An algorithm: `allreduce<n>` of the tests, or the DSL's with a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// 1: a ring of halves of chunks on ports, which 24 blocks add.
    RingOnPorts,
    /// 2: everything to everybody as packets, 7 blocks.
    PacketsOnce,
    /// 4: 45 blocks read all peers at once, add, and get the sums.
    ReadAll,
    /// 5: 24 blocks read one peer after the other, add, and get the sums likewise.
    ReadInTurn,
    /// 6: parts to their owner as packets, the sums back as packets, 21 blocks.
    PacketsTwice,
    /// The DSL's `allreduce_nvls_zero_copy`: the switch adds, 8 blocks.
    Switch,
}

/// Every algorithm.
pub const ALL: [Algorithm; 6] = [
    Algorithm::RingOnPorts,
    Algorithm::PacketsOnce,
    Algorithm::ReadAll,
    Algorithm::ReadInTurn,
    Algorithm::PacketsTwice,
    Algorithm::Switch,
];

/// A plan as it grows: the ops of every block of every rank.
struct Plan {
    scratch: u64,
    chunks: u64,
    /// What of its peers a rank reaches.
    reaches: &'static str,
    ranks: Vec<Vec<Vec<Value>>>,
}

fn chunk(buffer: &str, index: u64) -> Value {
    json!({"type": buffer, "index": index, "size": 1})
}

/// A chunk of the peer at a place.
fn remote(place: u64, index: u64) -> Value {
    json!({"buffer_id": place, "index": index, "size": 1})
}

/// An op of which this block does the slice `part` of `of`.
fn slice(mut op: Value, (part, of): (u64, u64)) -> Value {
    op["tbg_info"] = json!({"tb_id": part, "tbg_size": of});
    op
}

fn op(name: &str, from: &[Value], to: &[Value]) -> Value {
    json!({"name": name, "src_buff": from, "dst_buff": to, "channel_type": "memory"})
}

fn reduce(name: &str, from: &[Value], to: &[Value]) -> Value {
    let mut it = op(name, from, to);
    it["reduce_op"] = json!("sum");
    it
}

fn sync(name: &str, places: impl IntoIterator<Item = u64>) -> Value {
    let places: Vec<u64> = places.into_iter().collect();
    json!({"name": name, "channel_ids": places, "channel_type": "memory"})
}

fn barrier(id: u64, blocks: u64) -> Value {
    json!({"name": "barrier", "barrier_id": id, "num_threadblocks": blocks})
}

fn nop() -> Value {
    json!({"name": "nop"})
}

/// The peers of a rank, in the order of its channels.
fn peers(rank: u64) -> impl Iterator<Item = u64> + Clone {
    (0..RANKS).filter(move |it| *it != rank)
}

/// The place of a peer among those of a rank.
fn place(rank: u64, peer: u64) -> u64 {
    if peer < rank { peer } else { peer - 1 }
}

/// Part `index` of `of` for each block of a rank.
fn blocks(count: u64, ops: impl Fn(u64) -> Vec<Value>) -> Vec<Vec<Value>> {
    (0..count).map(ops).collect()
}

fn packets_once(rank: u64) -> Vec<Vec<Value>> {
    blocks(7, |block| {
        let peer = if block < rank { block } else { block + 1 };
        let mut all = vec![chunk("i", 0)];
        all.extend((0..RANKS - 1).map(|it| chunk("s", it)));
        vec![
            op("ppkt", &[chunk("i", 0)], &[remote(block, place(peer, rank))]),
            slice(reduce("repkt", &all, &[chunk("o", 0)]), (block, 7)),
        ]
    })
}

fn packets_twice(rank: u64) -> Vec<Vec<Value>> {
    blocks(21, |block| {
        let (to, part) = (block / 3, block % 3);
        let peer = if to < rank { to } else { to + 1 };
        let mut all = vec![chunk("i", rank)];
        all.extend(peers(rank).map(|it| chunk("s", it)));
        let mut sums = vec![chunk("o", rank)];
        sums.extend((0..RANKS - 1).map(|it| remote(it, RANKS + rank)));
        let own = chunk("s", RANKS + peer);
        vec![
            slice(op("ppkt", &[chunk("i", peer)], &[remote(to, rank)]), (part, 3)),
            slice(reduce("respkt", &all, &sums), (block, 21)),
            slice(op("upkt", &[own], &[chunk("o", peer)]), (part, 3)),
        ]
    })
}

/// All ranks meet: `first` signals, `last` waits, and all blocks of the rank go on.
fn meet((block, first, last): (u64, u64, u64), (id, count): (u64, u64)) -> Vec<Value> {
    let mut ops = Vec::new();
    if block == first {
        ops.push(sync("signal", 0..RANKS - 1));
    }
    if block == last {
        ops.push(sync("wait", 0..RANKS - 1));
    }
    ops.push(barrier(id, count));
    ops
}

fn read_all(rank: u64) -> Vec<Vec<Value>> {
    blocks(45, |block| {
        let mut ops = meet((block, 0, 0), (0, 45));
        let mut all = vec![chunk("i", rank)];
        all.extend((0..RANKS - 1).map(|it| remote(it, rank)));
        ops.push(slice(reduce("rre", &all, &[chunk("o", rank)]), (block, 45)));
        ops.push(barrier(1, 45));
        let at = block % 7;
        let peer = if at < rank { at } else { at + 1 };
        if block < 7 {
            ops.extend([sync("signal", [at]), sync("wait", [at])]);
        }
        ops.push(barrier(2, 45));
        let share = (block / 7, if at < 3 { 7 } else { 6 });
        ops.push(slice(op("get", &[remote(at + RANKS - 1, peer)], &[chunk("o", peer)]), share));
        ops
    })
}

fn read_in_turn(rank: u64) -> Vec<Vec<Value>> {
    let turns = move |turn: u64| (turn + rank) % (RANKS - 1);
    blocks(24, |block| {
        let mut ops = meet((block, 0, 23), (0, 24));
        for turn in 0..RANKS - 1 {
            let own = chunk(if turn == 0 { "i" } else { "o" }, rank);
            let from = [own, remote(turns(turn), rank)];
            ops.push(slice(reduce("rre", &from, &[chunk("o", rank)]), (block, 24)));
        }
        ops.push(barrier(1, 24));
        ops.extend(meet((block, 0, 23), (2, 24)));
        for turn in 0..RANKS - 1 {
            let at = turns(turn);
            let peer = if at < rank { at } else { at + 1 };
            ops.push(slice(
                op("get", &[remote(at + RANKS - 1, peer)], &[chunk("o", peer)]),
                (block, 24),
            ));
        }
        ops
    })
}

/// What block 0 asks its port: half `half` to the next rank, to its scratch or in place.
fn hand_on(rank: u64, half: u64, in_place: bool) -> Value {
    let to = place(rank, (rank + 1) % RANKS);
    let target = if in_place { to + RANKS - 1 } else { to };
    json!({"name": "pws", "src_buff": [chunk("i", half)], "dst_buff": [remote(target, half)],
           "channel_ids": [to], "channel_type": "port"})
}

fn on_ports(name: &str, place: u64) -> Value {
    json!({"name": name, "channel_ids": [place], "channel_type": "port"})
}

/// 24 blocks; block 0 asks the port. Every step passes on the half that was added last, and adds the
/// one that has come.
fn ring_on_ports(rank: u64) -> Vec<Vec<Value>> {
    let from = place(rank, (rank + RANKS - 1) % RANKS);
    let back = |steps: u64| (rank + 2 * RANKS - steps) % RANKS;
    blocks(24, |block| {
        let (mut ops, mut meetings) = (Vec::new(), 0);
        let mut step = |ops: &mut Vec<Value>, sends: Option<Value>, adds: Option<u64>| {
            if block == 0 {
                ops.push(on_ports("wait", from));
                ops.extend(sends);
            }
            ops.push(barrier(meetings % 4, 24));
            meetings += 1;
            if let Some(half) = adds {
                let from = [chunk("i", half), chunk("s", half)];
                ops.push(slice(reduce("re", &from, &[chunk("i", half)]), (block, 24)));
                ops.push(barrier(meetings % 4, 24));
                meetings += 1;
            }
        };
        let first = 2 * back(1);
        if block == 0 {
            ops.extend([hand_on(rank, first, false), hand_on(rank, first + 1, false)]);
        }
        for turn in 2..RANKS {
            for half in 0..2 {
                let sent = (turn > 2 || half > 0)
                    .then(|| if half == 0 { 2 * back(turn - 1) + 1 } else { 2 * back(turn) });
                let sends = sent.map(|it| hand_on(rank, it, false));
                step(&mut ops, sends, Some(2 * back(turn) + half));
            }
        }
        let last = 2 * back(RANKS - 1);
        step(&mut ops, Some(hand_on(rank, last + 1, false)), Some(2 * rank));
        step(&mut ops, Some(hand_on(rank, 2 * rank, true)), Some(2 * rank + 1));
        step(&mut ops, Some(hand_on(rank, 2 * rank + 1, true)), None);
        for turn in 1..RANKS - 1 {
            let whole = 2 * back(turn);
            if block == 0 {
                if turn > 1 {
                    ops.push(on_ports("wait", from));
                }
                ops.push(on_ports("wait", from));
                ops.extend([hand_on(rank, whole, true), hand_on(rank, whole + 1, true)]);
            }
        }
        if block == 0 {
            ops.extend([on_ports("wait", from), on_ports("wait", from)]);
        }
        ops
    })
}

fn by_switch(rank: u64) -> Vec<Vec<Value>> {
    blocks(8, |block| {
        let everywhere = json!({"switch_channel_id": 0, "index": rank * 8 + block, "size": 1});
        let mut add =
            reduce("glres", std::slice::from_ref(&everywhere), std::slice::from_ref(&everywhere));
        add["channel_type"] = json!("switch");
        let peers = (block * 7)..(block * 7 + 7);
        let meet = || vec![sync("rlxsignal", peers.clone()), nop(), sync("rlxwait", peers.clone())];
        let mut ops = vec![nop()];
        ops.extend(meet());
        ops.extend([nop(), add, nop()]);
        ops.extend(meet());
        ops.push(nop());
        ops
    })
}

fn main_of(rank: u64, plan: &Plan) -> Value {
    let blocks = &plan.ranks[rank as usize];
    let is_switch = blocks.len() == 8;
    let copies = if is_switch { 8 } else { 1 };
    let once: Vec<u64> = peers(rank).collect();
    let connected: Vec<u64> = (0..copies).flat_map(|_| once.clone()).collect();
    let mut channels = vec![json!({"channel_type": "memory", "connected_to": connected})];
    let (mut buffers, mut kinds) = (Vec::new(), vec![("memory", 0..once.len() * copies)]);
    if plan.reaches == "si" {
        channels = vec![json!({"channel_type": "port", "connected_to": once})];
        kinds = vec![("port", 0..once.len())];
    }
    for buffer in plan.reaches.chars() {
        let kind = kinds[0].0;
        let of = |peer: &u64| json!({"rank": peer, "type": buffer.to_string(), "access_channel_types": [kind]});
        buffers.extend(once.iter().map(of));
    }
    if is_switch {
        let group = json!({"size": RANKS, "ranks": (0..RANKS).collect::<Vec<u64>>()});
        channels
            .push(json!({"channel_type": "switch", "buffer_type": "i", "rank_groups": [group]}));
    }
    let all: Vec<usize> = (0..buffers.len()).collect();
    let kind = kinds[0].0;
    let table = |(id, ops): (usize, &Vec<Value>)| {
        let mut channels = vec![
            json!({"channel_type": kind, "channel_ids": kinds[0].1.clone().collect::<Vec<usize>>()}),
        ];
        if is_switch {
            channels.push(json!({"channel_type": "switch", "channel_ids": [0]}));
        }
        json!({"id": id, "ops": ops, "channels": channels,
               "remote_buffer_refs": [{"access_channel_type": kind, "remote_buffer_ids": all}]})
    };
    json!({"id": rank, "input_chunks": plan.chunks, "output_chunks": plan.chunks, "scratch_chunks": plan.scratch,
           "channels": channels, "remote_buffers": buffers, "semaphores": [],
           "threadblocks": blocks.iter().enumerate().map(table).collect::<Vec<Value>>()})
}

impl Algorithm {
    /// What MSCCL++ calls it.
    pub fn title(self) -> &'static str {
        match self {
            Algorithm::RingOnPorts => "allreduce1",
            Algorithm::PacketsOnce => "allreduce2",
            Algorithm::ReadAll => "allreduce4",
            Algorithm::ReadInTurn => "allreduce5",
            Algorithm::PacketsTwice => "allreduce6",
            Algorithm::Switch => "nvls_zero_copy",
        }
    }

    /// The plan, as JSON.
    pub fn plan(self) -> String {
        let of = |make: fn(u64) -> Vec<Vec<Value>>| (0..RANKS).map(make).collect();
        let (chunks, scratch, reaches, ranks) = match self {
            Algorithm::RingOnPorts => (16, 16, "si", of(ring_on_ports)),
            Algorithm::PacketsOnce => (1, 7, "s", of(packets_once)),
            Algorithm::ReadAll => (8, 0, "io", of(read_all)),
            Algorithm::ReadInTurn => (8, 0, "io", of(read_in_turn)),
            Algorithm::PacketsTwice => (8, 16, "s", of(packets_twice)),
            Algorithm::Switch => (64, 0, "i", of(by_switch)),
        };
        let packets = matches!(self, Algorithm::PacketsOnce | Algorithm::PacketsTwice);
        let in_place = matches!(self, Algorithm::RingOnPorts | Algorithm::Switch);
        let plan = Plan { scratch, chunks, reaches, ranks };
        let gpus: Vec<Value> = (0..RANKS).map(|rank| main_of(rank, &plan)).collect();
        let halved = matches!(self, Algorithm::ReadAll | Algorithm::PacketsTwice);
        json!({"name": format!("{self:?}"), "num_threads_per_block": if halved { 512 } else { 1024 }, "collective": "allreduce", "inplace": in_place,
               "protocol": if packets { "LL" } else { "Simple" }, "use_double_scratch_buffer": packets,
               "gpus": gpus})
        .to_string()
    }
}
