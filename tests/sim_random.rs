//! Random programs: both modes of the network give one log; a program simulated twice gives the
//! same bytes; every log is causal and its critical path adds up.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sim_kit;

use kbc::command::{Program, TileReg};
use kbc::diag::Sink;
use kbc::oplog::to_text;
use kbc::sim::Mode;
use kbc::source::SourceMap;
use kbc::topology::{
    BankParams, ChannelParams, CreditMode, Machine, PeId, PeParams, ReleaseMode, load,
};
use kbc::units::Ps;
use proptest::prelude::*;
use sim_kit::*;

/// One step of a kernel that every PE runs.
#[derive(Clone, Copy, Debug)]
enum Step {
    Load {
        tile: usize,
        at: u64,
    },
    Store {
        tile: usize,
        at: u64,
    },
    Add {
        out: usize,
        a: usize,
        b: usize,
    },
    Gemm {
        out: usize,
        a: usize,
        b: usize,
    },
    /// Sends a tile to one side and receives from the other, then works on what came.
    Exchange {
        east: bool,
        tile: usize,
        copies: bool,
        forwards: bool,
        uses: bool,
    },
    /// Asks first, works, and waits later.
    Claim {
        east: bool,
        tile: usize,
    },
}

const TILES: usize = 4;
const ELEMENTS: u64 = 300;

fn step() -> impl Strategy<Value = Step> {
    let tile = || 0..TILES;
    let at = (0..5u64).prop_map(|it| it * 700);
    prop_oneof![
        (tile(), at.clone()).prop_map(|(tile, at)| Step::Load { tile, at }),
        (tile(), at).prop_map(|(tile, at)| Step::Store { tile, at }),
        (tile(), tile(), tile()).prop_map(|(out, a, b)| Step::Add { out, a, b }),
        (tile(), tile(), tile()).prop_map(|(out, a, b)| Step::Gemm { out, a, b }),
        (any::<bool>(), tile(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(east, tile, copies, forwards, uses)| Step::Exchange {
                east,
                tile,
                copies,
                forwards,
                uses
            }
        ),
        (any::<bool>(), tile()).prop_map(|(east, tile)| Step::Claim { east, tile }),
    ]
}

fn write(it: &mut Writer, tiles: &[TileReg], step: Step) {
    let queues = |east| if east { (0, 1) } else { (1, 0) };
    match step {
        Step::Load { tile, at } => it.load(tiles[tile], at, ELEMENTS),
        Step::Store { tile, at } => it.store(tiles[tile], at, ELEMENTS),
        Step::Add { out, a, b } => it.add(tiles[out], tiles[a], tiles[b], ELEMENTS),
        Step::Gemm { out, a, b } => it.gemm(tiles[out], tiles[a], tiles[b], [10, 30, 10]),
        Step::Exchange { east, tile, copies, forwards, uses } => {
            let (to, from) = queues(east);
            it.send(to, tiles[tile], ELEMENTS);
            let came = it.tile();
            it.recv_to(from, ELEMENTS, came, copies.then_some(tiles[tile]));
            if forwards {
                it.send(to, came, ELEMENTS);
                let back = it.recv(from, ELEMENTS);
                it.release(back);
            }
            if uses {
                it.add(tiles[(tile + 1) % TILES], came, tiles[tile], ELEMENTS);
            }
            it.release(came);
        }
        Step::Claim { east, tile } => {
            let (to, from) = queues(east);
            let came = it.recv_async(from, ELEMENTS);
            it.send(to, tiles[tile], ELEMENTS);
            it.gemm(tiles[tile], tiles[tile], tiles[tile], [10, 30, 10]);
            it.wait(came);
            it.add(tiles[tile], came, came, ELEMENTS);
            it.release(came);
        }
    }
}

fn kernel(pes: u32, steps: &[Step], rounds: i64, slots: u32) -> Program {
    let mut it = Writer::new();
    let tiles: Vec<TileReg> = (0..TILES).map(|_| it.fresh(ELEMENTS * 4)).collect();
    it.loop_begin(rounds);
    steps.iter().for_each(|step| write(&mut it, &tiles, *step));
    it.loop_end();
    own_memory(in_a_ring(uniform(pes, it.done()), slots), 0, 4096)
}

fn banks() -> BankParams {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let text = include_str!("../topology/hbm_banks.yaml");
    let file = sources.add("hbm_banks.yaml", text);
    load(&sources, file, &mut sink).unwrap().params().hbm.banks.clone().unwrap()
}

fn pe() -> impl Strategy<Value = PeParams> {
    let credit = prop_oneof![
        Just(CreditMode::Asynchronous),
        Just(CreditMode::Blocking),
        Just(CreditMode::Ideal)
    ];
    let banks = banks();
    let release = prop_oneof![Just(ReleaseMode::LastUse), Just(ReleaseMode::AtRecv)];
    (any::<bool>(), credit, release, 1..4u32, 1..4u32, 0..2000u64).prop_map(
        move |(free, credit, release, outstanding, queue_depth, dispatch)| {
            let mut pe = if free { free_pe() } else { costly_pe() };
            (pe.ipcq.credit, pe.ipcq.release) = (credit, release);
            (pe.dma.outstanding, pe.queue_depth) = (outstanding, queue_depth);
            pe.dispatch = Ps(dispatch);
            // Channels that are slower than the links, and whose bursts are smaller than flits.
            pe.hbm.burst = if dispatch % 3 == 0 { 256 } else { 64 };
            pe.hbm.channels = (dispatch % 2 == 0).then(|| ChannelParams {
                count: 1 << (dispatch % 4),
                bandwidth: gb(20.0),
                commit: Ps(dispatch % 5 * 1000),
                turnaround: Ps(dispatch % 7 * 1000),
            });
            pe.hbm.banks = (dispatch % 6 == 0).then(|| banks.clone());
            pe
        },
    )
}

fn machine(pes: u32, pe: PeParams, kind: (bool, u64)) -> Machine {
    let cable = link(64.0, kind.1);
    if kind.0 { ring_machine(pes, pe, &cable) } else { row_machine(pes, pe, &cable, 300) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn both_modes_give_one_log(
        pes in 1..6u32,
        steps in prop::collection::vec(step(), 1..8),
        rounds in 1..4i64,
        slots in 2..4u32,
        lanes in 1..3u32,
        pe in pe(),
        kind in (any::<bool>(), prop_oneof![Just(0u64), Just(500), 0..9000u64]),
    ) {
        let mut program = kernel(pes * lanes, &steps, rounds, slots);
        for (id, agent) in program.agents.iter_mut() {
            (agent.pe, agent.lane) = (PeId(id.0 / lanes), (id.0 % lanes) as u16);
        }
        let machine = machine(pes, pe, kind);
        let ran = run(&program, &machine);
        let again = run_in(&program, &machine, Mode::Trains);
        prop_assert_eq!(to_text(&ran.records), to_text(&again.records));
    }
}
