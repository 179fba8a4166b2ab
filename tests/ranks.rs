//! Ranks that are PEs, cubes or SIPs: what they count, where their tensors lie, what collectives on tensors
//! that a policy cuts compute, and that lanes and parts run at the same time.
//!
//! The data are small whole numbers, whose sums every type holds exactly: each rank compares what it has got,
//! to the bit, with what it works out on the host from the seeds of all.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod in_process;

use in_process::{Found, launch, simulate, simulate_with, times};
use kbc::driver::LaunchOptions;
use kbc::host::RankUnit;
use proptest::prelude::*;

/// The default machine's first `sips` SIPs of `w` x `h` cubes each.
fn machine(sips: u32, [w, h]: [u32; 2]) -> LaunchOptions {
    let yaml = format!(
        "system: {{sips: {{count: {sips}, topology: ring_1d, w: {sips}, h: 1}}}}\n\
         sip: {{cube_mesh: {{w: {w}, h: {h}}}}}\n"
    );
    let topology = Some((String::from("machine.yaml"), yaml));
    LaunchOptions { topology, world: None, ..launch(1, "", "") }
}

fn set(mut options: LaunchOptions, settings: &[(&str, &str)]) -> LaunchOptions {
    let owned = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    options.settings.extend(owned);
    options
}

const COUNTS: &str = r#"
from kernbench.policy.placement.dp import DPPolicy


def worker(rank, ws, torch, per_sip):
    dist = torch.distributed
    assert dist.get_rank() == rank and dist.get_world_size() == ws
    assert torch.ahbm.device_count() == ws and torch.ahbm.current_device() == rank
    unit = torch.ahbm.current_device
    x = torch.full((4,), float(rank))
    pes = [(it.sip, it.cube, it.pe) for it in x.shards()]
    assert pes == [(rank // per_sip, rank % per_sip, 0)], pes
    y = torch.zeros((64, 8), dp=DPPolicy(cube="row_wise", pe="column_wise"))
    for shard in y.shards():
        assert shard.sip == rank // per_sip, shard
        assert per_sip == 1 or shard.cube == rank % per_sip, shard
    torch.ahbm.set_device(ws - 1 - rank)
    assert torch.accelerator.current_device_index() == ws - 1 - rank
    z = torch.ones((2,))
    assert z.shards()[0].sip == (ws - 1 - rank) // per_sip
    dist.broadcast(x, src=ws - 1)
    torch.testing.assert_equal(x, torch.full((4,), float(ws - 1)))
    last = dist.new_group([ws - 1, 0])
    if rank in (0, ws - 1):
        dist.all_reduce(z, group=last)
        torch.testing.assert_equal(z, torch.full((2,), 2.0))


def add_rank(x_ptr, n, tl):
    rank = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    x = tl.load(x_ptr + rank * n * 4, shape=(n,), dtype="f32")
    tl.store(x_ptr + rank * n * 4, x + rank)


def run(torch, unit="", ws=0, per_sip=1):
    dist = torch.distributed
    if unit:
        dist.init_process_group(backend="ahbm", ranks=unit)
    assert dist.get_world_size() == ws, dist.get_world_size()
    torch.multiprocessing.spawn(worker, args=(ws, torch, per_sip), nprocs=ws)
    # Outside of workers a row is a rank's, on its first PE, and a launch runs once on every rank.
    x = torch.zeros((ws, 16))
    assert [it.pe for it in x.shards()] == [0] * ws
    torch.launch(add_rank, x, 16)
    torch.testing.assert_equal(x, torch.arange(ws, dtype="f32").reshape(ws, 1).expand(ws, 16))
    for name in ("lrab", "hierarchical", "ring", "tree"):
        y = torch.randint(-3, 4, (ws, 48), dtype="f32")
        inputs = y.numpy()
        work = dist.all_reduce(y, algorithm=name)
        torch.verify.all_reduce(y, inputs, algorithm=work)
"#;

#[test]
fn everything_counts_in_the_unit_of_the_group() {
    for (unit, ws, per_sip) in [("sip", "3", "1"), ("cube", "6", "2")] {
        let options = machine(3, [2, 1]);
        let found = simulate(
            COUNTS,
            &set(options, &[("unit", unit), ("ws", ws), ("per_sip", per_sip)]),
            None,
        );
        assert_eq!(found.verdict, "verified", "{unit}\n{}", found.text());
    }
}

#[test]
fn the_call_wins_over_the_command_line_and_that_over_the_file() {
    let asked = |unit: &str, ws: &str, per_sip: &str| {
        set(machine(2, [2, 1]), &[("unit", unit), ("ws", ws), ("per_sip", per_sip)])
    };
    let verdict = |found: Found| {
        assert_eq!(found.verdict, "verified", "{}", found.text());
    };
    let flag = |options: LaunchOptions, unit| LaunchOptions { ranks: Some(unit), ..options };
    verdict(simulate(COUNTS, &flag(asked("", "2", "1"), RankUnit::Sip), None));
    verdict(simulate(COUNTS, &flag(asked("cube", "4", "2"), RankUnit::Sip), None));
    let file = "defaults: {ranks: cube}\n";
    verdict(simulate_with(COUNTS, file, asked("", "4", "2")));
    verdict(simulate_with(COUNTS, file, flag(asked("", "2", "1"), RankUnit::Sip)));
    verdict(simulate_with(COUNTS, file, asked("sip", "2", "1")));
    let unknown = simulate_with(COUNTS, "defaults: {ranks: node}\n", asked("", "2", "1"));
    assert!(unknown.codes()[0].starts_with("K06"), "{}", unknown.text());
}

/// Every collective among ranks whose tensors a policy cuts.
const CUT: &str = r#"
from kernbench.policy.placement.dp import DPPolicy


def data(torch, rank, shape, dtype, salt):
    torch.manual_seed(1000 * salt + rank)
    return torch.randint(-2, 3, shape, dtype=dtype).numpy()


def total_of(torch, parts, op):
    total = parts[0]
    for part in parts[1:]:
        if op == "sum":
            total = total + part
        elif op == "max":
            total = torch.maximum(total, part)
        else:
            total = torch.minimum(total, part)
    return total


def check(torch, tensor, expected):
    """The tensor holds this, and so does every PE's share, copies included."""
    torch.testing.assert_equal(tensor, expected)
    pes, cubes = torch.ahbm.get_device_properties().pes_per_cube, torch.ahbm.get_device_properties().cubes_per_sip
    if len(tensor.shape) < 2:
        return
    for it in tensor.shards():
        pe = (it.sip * cubes + it.cube) * pes + it.pe
        local = tensor.local(pe)
        assert it.nbytes == 0 or local.shape == it.shape, (local.shape, it.shape)
        if it.shape == tensor.shape:
            torch.testing.assert_equal(local, expected)


def worker(rank, ws, torch, cube, pe, num_pes, num_cubes, rows, columns, dtype, op, salt, what):
    dist = torch.distributed
    torch.ahbm.set_device(rank)
    dp = DPPolicy(cube=cube, pe=pe, num_pes=num_pes or None, num_cubes=num_cubes or None)
    shape = (rows, columns)
    all = [data(torch, other, shape, dtype, salt) for other in range(ws)]
    root = salt % ws

    def mine():
        return torch.tensor(all[rank], dtype=dtype, dp=dp)

    if "all_reduce" in what:
        x = mine()
        dist.all_reduce(x, op=op)
        check(torch, x, total_of(torch, all, op))
    if "broadcast" in what:
        x = mine()
        dist.broadcast(x, src=root)
        check(torch, x, all[root])
    if "reduce_to" in what:
        x = mine()
        dist.reduce(x, dst=root, op=op)
        check(torch, x, total_of(torch, all, op) if rank == root else all[rank])
    if "all_gather" in what:
        found = [torch.zeros(shape, dtype=dtype, dp=dp) for _ in range(ws)]
        dist.all_gather(found, mine())
        for got, wanted in zip(found, all):
            check(torch, got, wanted)
    if "reduce_scatter" in what:
        blocks = [[data(torch, other, shape, dtype, 50 + salt + to) for to in range(ws)] for other in range(ws)]
        part = torch.zeros(shape, dtype=dtype, dp=dp)
        dist.reduce_scatter(part, [torch.tensor(it, dtype=dtype, dp=dp) for it in blocks[rank]], op=op)
        check(torch, part, total_of(torch, [it[rank] for it in blocks], op))
    if "all_to_all" in what:
        blocks = [[data(torch, other, shape, dtype, 90 + salt + to) for to in range(ws)] for other in range(ws)]
        taken = [torch.zeros(shape, dtype=dtype, dp=dp) for _ in range(ws)]
        dist.all_to_all(taken, [torch.tensor(it, dtype=dtype, dp=dp) for it in blocks[rank]])
        for other in range(ws):
            check(torch, taken[other], blocks[other][rank])
    if "send" in what and ws > 1:
        x = mine()
        if rank == 0:
            dist.send(x, ws - 1)
        elif rank == ws - 1:
            dist.recv(x, 0)
        check(torch, x, all[0] if rank == ws - 1 else all[rank])
    if "whole" in what and columns % 2 == 0:
        # One tensor whose rows are all ranks' rows: cut by columns, each PE has all it needs.
        out = torch.zeros((ws * rows, columns), dtype=dtype, dp=dp)
        dist.all_gather_into_tensor(out, mine())
        check(torch, out, torch.cat(all))
        big = [data(torch, other, (ws * rows, columns), dtype, 70 + salt) for other in range(ws)]
        part = torch.zeros(shape, dtype=dtype, dp=dp)
        dist.reduce_scatter_tensor(part, torch.tensor(big[rank], dtype=dtype, dp=dp), op=op)
        check(torch, part, total_of(torch, big, op)[rank * rows : (rank + 1) * rows, :])
        swapped = torch.zeros((ws * rows, columns), dtype=dtype, dp=dp)
        dist.all_to_all_single(swapped, torch.tensor(big[rank], dtype=dtype, dp=dp))
        for other in range(ws):
            wanted = big[other][rank * rows : (rank + 1) * rows, :]
            torch.testing.assert_equal(swapped[other * rows : (other + 1) * rows, :], wanted)
    dist.barrier()


def run(torch, unit, cube, pe, what, num_pes=0, num_cubes=0, rows=6, columns=8, dtype="f32", op="sum", salt=1):
    dist = torch.distributed
    dist.init_process_group(backend="ahbm", ranks=unit)
    ws = dist.get_world_size()
    args = (ws, torch, cube, pe, num_pes, num_cubes, rows, columns, dtype, op, salt, what)
    torch.multiprocessing.spawn(worker, args=args, nprocs=ws)
"#;

const EVERY: &str = "all_reduce broadcast reduce_to all_gather reduce_scatter all_to_all send";

#[test]
fn every_collective_is_its_definition_under_every_policy() {
    let forms = ["replicate", "row_wise", "column_wise"];
    for (sips, cubes) in [(2, [2, 1]), (6, [1, 1])] {
        for cube in forms {
            for pe in forms {
                let settings = [
                    ("unit", "sip"),
                    ("cube", cube),
                    ("pe", pe),
                    ("what", EVERY),
                    ("num_pes", "2"),
                ];
                let found = simulate(CUT, &set(machine(sips, cubes), &settings), None);
                assert_eq!(found.verdict, "verified", "{sips} {cube} {pe}\n{}", found.text());
            }
        }
    }
}

#[test]
fn cubes_are_ranks_as_well() {
    for (sips, cubes) in [(1, [2, 1]), (1, [3, 1]), (2, [2, 2]), (2, [4, 2])] {
        for pe in ["replicate", "column_wise"] {
            let settings = [
                ("unit", "cube"),
                ("cube", "row_wise"),
                ("pe", pe),
                ("what", "all_reduce all_gather whole"),
                ("num_pes", "4"),
            ];
            let settings = match pe {
                "replicate" => {
                    [settings[0], settings[1], settings[2], ("what", EVERY), settings[4]]
                }
                _ => settings,
            };
            let found = simulate(CUT, &set(machine(sips, cubes), &settings), None);
            assert_eq!(found.verdict, "verified", "{sips} {cubes:?} {pe}\n{}", found.text());
        }
    }
}

const PARTS: &str = r#"
from kernbench.policy.placement.dp import DPPolicy


def double(x_ptr, w_ptr, n, tl):
    place = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    x = tl.load(x_ptr + place * n * 4, shape=(n,), dtype="f32")
    w = tl.load(w_ptr, shape=(n,), dtype="f32")
    tl.store(x_ptr + place * n * 4, x * 2.0 + w)


def worker(rank, ws, torch, rows, n, apart):
    cut = DPPolicy(cube="row_wise", pe="row_wise")
    if apart:
        # On one SIP they run one after another.
        torch.ahbm.set_device("sip:0")
    torch.manual_seed(rank)
    x = torch.randint(-5, 6, (rows, n), dtype="f32", dp=cut)
    before = x.numpy()
    w = torch.full((n,), float(rank), dp=DPPolicy())
    torch.launch(double, x, w, n)
    torch.testing.assert_equal(x, before * 2 + rank)
    torch.testing.assert_equal(w, torch.full((n,), float(rank)))
    for it in x.shards():
        assert it.sip == (0 if apart else rank), it


def run(torch, rows=16, n=64, apart=False):
    torch.distributed.init_process_group(ranks="sip")
    ws = torch.distributed.get_world_size()
    torch.multiprocessing.spawn(worker, args=(ws, torch, rows, n, apart), nprocs=ws)
"#;

#[test]
fn launches_of_ranks_on_different_sips_run_at_the_same_time() {
    let one = times(PARTS, &machine(1, [2, 1])).unwrap();
    let two = times(PARTS, &machine(2, [2, 1])).unwrap();
    let three = times(PARTS, &machine(3, [2, 1])).unwrap();
    // A SIP has all it uses for itself: one launch, which takes as long as that of one rank.
    assert_eq!((one.len(), &two, &three), (1, &one, &one));
    let same = times(PARTS, &set(machine(2, [2, 1]), &[("apart", "True")])).unwrap();
    assert_eq!(same, [one[0].clone(), one[0].clone()]);
    for apart in ["False", "True"] {
        let found = simulate(PARTS, &set(machine(3, [2, 1]), &[("apart", apart)]), None);
        let launches = if apart == "True" { 3 } else { 1 };
        assert_eq!(found.launches, launches, "apart={apart}");
        assert_eq!(found.verdict, "verified", "apart={apart}\n{}", found.text());
    }
}

/// A machine of two cubes side by side, on which messages take no more than their latency.
const WIDE: &str = "system: {sips: {count: 1}}\nsip: {cube_mesh: {w: 2, h: 1}, ucie: {bw_gbs: inf}}\n\
                    cube: {noc: {bw_gbs: inf}}\n";

const LANES: &str = r#"
from kernbench.policy.placement.dp import DPPolicy


def by_lanes(rank, torch, n):
    x = torch.ones((8, n), dtype="f16", dp=DPPolicy(pe="row_wise"))
    torch.distributed.all_reduce(x, algorithm="ring")


def alone(rank, torch, n, place):
    group = torch.distributed.new_group([place, 8 + place])
    if rank in (place, 8 + place):
        x = torch.ones((1, n), dtype="f16")
        torch.distributed.all_reduce(x, group=group, algorithm="ring")


def run(torch, n=64):
    dist = torch.distributed
    for place in range(8):
        torch.multiprocessing.spawn(alone, args=(torch, n, place), nprocs=16)
    dist.init_process_group(ranks="cube")
    torch.multiprocessing.spawn(by_lanes, args=(torch, n), nprocs=2)
"#;

#[test]
fn lanes_that_share_no_link_take_as_long_as_the_longest_alone() {
    let topology = Some((String::from("wide.yaml"), String::from(WIDE)));
    let options = LaunchOptions { topology, world: None, ..launch(1, "", "") };
    for n in ["1", "64", "4096"] {
        let found = times(LANES, &set(options.clone(), &[("n", n)])).unwrap();
        let (alone, lanes) = found.split_at(8);
        assert_eq!(lanes.len(), 1, "all lanes are one launch");
        assert_eq!(alone.iter().map(|it| it.1).max(), Some(lanes[0].1), "{n} elements\n{found:?}");
    }
    // Where they share links they take longer, and never as long as one after the other.
    let narrow = times(LANES, &set(machine(1, [2, 1]), &[("n", "16384")])).unwrap();
    let longest = narrow[..8].iter().map(|it| it.1).max().unwrap();
    let all: u64 = narrow[..8].iter().map(|it| it.1).sum();
    assert!(longest < narrow[8].1 && narrow[8].1 < all, "{narrow:?}");
}

#[test]
fn kernbench_s_own_algorithm_takes_as_long_among_cubes_as_by_itself() {
    const BENCH: &str = include_str!("../kernels/ccl_sips.kb");
    const KERNEL: &str = include_str!("../kernels/lrab_allreduce.kb");
    for (file, pes) in [("kernbench6.yaml", 768), ("sips6.yaml", 768), ("default.yaml", 256)] {
        let path = format!("{}/topology/{file}", env!("CARGO_MANIFEST_DIR"));
        let yaml = std::fs::read_to_string(path).unwrap();
        for n in ["128", "1024"] {
            let topology = Some((String::from(file), yaml.clone()));
            let options = LaunchOptions { topology, ..launch(pes, "", "") };
            let alone = times(KERNEL, &set(options.clone(), &[("n_elem", n)])).unwrap();
            let settings = [("n_elem", n), ("unit", "cube"), ("algorithm", "lrab")];
            let bench = times(BENCH, &set(options, &settings)).unwrap();
            assert_eq!(bench.len(), 1);
            assert_eq!(alone[0].1, bench[0].1, "{file}, {n} elements");
        }
    }
}

fn refused(worker: &str, unit: &str) -> (String, String) {
    let text = format!(
        "from kernbench.policy.placement.dp import DPPolicy\n\n\n\
         def worker(rank, torch):\n    dist = torch.distributed\n{worker}\n\n\
         def run(torch):\n    torch.distributed.init_process_group(ranks=\"{unit}\")\n    \
         torch.multiprocessing.spawn(worker, args=(torch,), nprocs=2)\n"
    );
    let found = simulate(&text, &machine(2, [1, 1]), None);
    let mut codes = found.codes();
    codes.dedup();
    (codes.join(" "), found.text())
}

#[test]
fn mistakes_are_told_with_both_places() {
    let says = |(codes, text): &(String, String), code: &str, words: &[&str]| {
        assert_eq!(codes, code, "{text}");
        for word in words {
            assert!(text.contains(word), "`{word}` is missing\n{text}");
        }
    };
    let layouts = refused(
        "    if rank == 0:\n        x = torch.ones((8, 8), dp=DPPolicy(pe=\"row_wise\"))\n        \
         dist.all_reduce(x)\n    else:\n        \
         x = torch.ones((8, 8), dp=DPPolicy(pe=\"column_wise\"))\n        dist.all_reduce(x)\n",
        "sip",
    );
    let words = ["ranks 0 and 1 do not agree", "pe=\"column_wise\"", "rank 0 calls it here"];
    says(&layouts, "K0818", &words);
    let mixed = refused(
        "    dp = DPPolicy(pe=\"row_wise\") if rank == 0 else None\n    \
         dist.all_reduce(torch.ones((8, 8), dp=dp))\n",
        "sip",
    );
    says(&mixed, "K0818", &["on one PE", "on 8 PEs"]);
    let number = refused("    torch.ahbm.set_device(2)\n", "sip");
    says(&number, "K0807", &["there is no device 2: the world has 2 SIPs", "spawned here"]);
    let cube = refused("    torch.ahbm.set_device(\"cube:2\")\n", "cube");
    says(&cube, "K0807", &["there is no device 2", "2 cubes"]);
    let freed = refused(
        "    x = torch.ones((8, 8), dp=DPPolicy(pe=\"row_wise\"))\n    x.free()\n    \
         dist.all_reduce(x)\n",
        "sip",
    );
    says(&freed, "K0831", &["freed here", "used here"]);
    let group = refused("    dist.new_group([0, 3])\n", "sip");
    says(&group, "K0807", &["rank 3 of a group, in a world of 2 SIPs"]);
    let late = refused("    dist.init_process_group(ranks=\"cube\")\n", "sip");
    says(&late, "K0807", &["the ranks of this spawn are SIPs, and `ranks` says cubes"]);
    let whole = refused(
        "    x = torch.ones((8, 8), dp=DPPolicy(pe=\"row_wise\"))\n    \
         out = torch.zeros((16, 8), dp=DPPolicy(pe=\"row_wise\"))\n    \
         dist.all_gather_into_tensor(out, x)\n",
        "sip",
    );
    says(&whole, "K0813", &["lie on other PEs", "pass a list with a tensor for each rank"]);
    let part = refused(
        "    x = torch.ones((8, 8), dp=DPPolicy(pe=\"row_wise\"))\n    dist.all_reduce(x[0:4])\n",
        "sip",
    );
    says(&part, "K0807", &["a part of tensor"]);
    let one_pe = refused(
        "    torch.ahbm.set_device(0)\n    \
         dist.all_reduce(torch.ones((8, 8), dp=DPPolicy(pe=\"row_wise\")))\n",
        "sip",
    );
    says(&one_pe, "K0807", &["have their tensors on PE 0"]);
    let cubes = refused("    torch.ones((8, 8), dp=DPPolicy(num_cubes=2))\n", "cube");
    says(&cubes, "K0830", &["`num_cubes` is 2"]);
}

#[test]
fn a_world_that_ends_within_a_rank_is_refused() {
    let text = "def run(torch):\n    torch.distributed.init_process_group(ranks=\"cube\")\n";
    let found = simulate(text, &launch(12, "", ""), None);
    assert_eq!(found.codes(), ["K0807"], "{}", found.text());
    assert!(found.text().contains("a world of 12 PEs ends within one"), "{}", found.text());
    let unknown = text.replace("cube", "cubes");
    let found = simulate(&unknown, &launch(16, "", ""), None);
    assert!(found.text().contains("a rank is a PE, a cube or a SIP"), "{}", found.text());
}

/// What is drawn: a machine, its ranks, a policy, a shape, a type, a reduction.
fn case() -> impl Strategy<Value = (LaunchOptions, String)> {
    let form = || prop::sample::select(vec!["replicate", "row_wise", "column_wise", "tiled"]);
    let place = (1u32..=3, 1u32..=2, 1u32..=2, prop::sample::select(vec!["sip", "cube"]));
    let policy = (form(), form(), 0u32..=8, 0u32..=1);
    let tensor = (1u32..=9, 1u32..=9, prop::sample::select(vec!["f32", "f16", "i32"]));
    let rest = (prop::sample::select(vec!["sum", "max", "min"]), 1u32..50);
    (place, policy, tensor, rest).prop_map(|(place, policy, tensor, (op, salt))| {
        let ((sips, w, h, unit), (cube, pe, num_pes, num_cubes)) = (place, policy);
        let (rows, columns, dtype) = tensor;
        let settings = format!(
            "unit={unit} cube={cube} pe={pe} num_pes={num_pes} num_cubes={num_cubes} rows={rows} \
             columns={columns} dtype={dtype} op={op} salt={salt}"
        );
        let words: Vec<(&str, &str)> =
            settings.split_whitespace().filter_map(|it| it.split_once('=')).collect();
        let options = set(machine(sips, [w, h]), &words);
        (set(options, &[("what", EVERY)]), settings.clone())
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(11),
        ..ProptestConfig::default()
    })]

    /// Any collective among any ranks, on tensors of any shape under any policy, equals its definition, and
    /// every copy is right.
    #[test]
    fn any_collective_on_any_cut_equals_its_definition((options, shown) in case()) {
        let found = simulate(CUT, &options, None);
        prop_assert_eq!(found.verdict, "verified", "{}\n{}", shown, found.text());
    }
}

#[test]
fn a_perceptron_over_the_pes_of_a_rank_is_the_whole_one() {
    const BENCH: &str = include_str!("../kernels/tp_mlp.kb");
    let cases = [
        (2, [2, 1], "sip", &[][..]),
        (2, [2, 1], "sip", &[("cubes", "1"), ("pes", "8"), ("rows", "5"), ("dtype", "bf16")]),
        (4, [1, 1], "sip", &[("cubes", "1"), ("pes", "2"), ("hidden", "64")]),
        (1, [2, 1], "sip", &[]),
        (2, [2, 1], "cube", &[]),
        (1, [2, 1], "pe", &[]),
    ];
    for (sips, cubes, ranks, settings) in cases {
        let options = set(machine(sips, cubes), &[("ranks", ranks)]);
        let found = simulate(BENCH, &set(options, settings), None);
        assert_eq!(found.verdict, "verified", "{sips} {ranks} {settings:?}\n{}", found.text());
        // Two products, relu, and two all-reduces unless a rank is alone: ranks run at the same time.
        let expected = if sips == 1 && ranks == "sip" { 3 } else { 5 };
        assert_eq!(found.launches, expected, "{sips} {ranks}");
    }
    let uneven = set(machine(2, [2, 1]), &[("ranks", "sip"), ("pes", "5"), ("hidden", "100")]);
    let uneven = simulate(BENCH, &uneven, None);
    assert!(uneven.text().contains("do not divide among 10 PEs"), "{}", uneven.text());
    let layer = |policy: &str, input: &str| {
        refused(
            &format!(
                "    layer = torch.tp.ColumnParallelLinear(8, 32, dp={policy})\n    \
                 layer(torch.ones((4, 8), dtype=\"f16\", dp={input}))\n"
            ),
            "sip",
        )
    };
    let rows = layer("DPPolicy(pe=\"row_wise\")", "None");
    assert_eq!(rows.0, "K0830", "{}", rows.1);
    let input = layer("DPPolicy(pe=\"column_wise\")", "DPPolicy(pe=\"row_wise\")");
    assert_eq!(input.0, "K0813", "{}", input.1);
    let plain = layer("None", "DPPolicy(pe=\"column_wise\")");
    assert_eq!(plain.0, "K0813", "{}", plain.1);
}

#[test]
fn the_bench_that_ports_kernbench_s_holds_on_its_machines() {
    const BENCH: &str = include_str!("../kernels/ccl_sips.kb");
    for (sips, cubes, settings) in [
        (2, [4, 1], &[("cubes_per_sip", "4")][..]),
        (6, [2, 1], &[("cubes_per_sip", "2"), ("algorithm", "lrab"), ("dtype", "f32")]),
        (3, [2, 1], &[("cubes_per_sip", "2"), ("pe", "column_wise"), ("algorithm", "tree")]),
        (2, [2, 2], &[("unit", "cube"), ("algorithm", "hierarchical")]),
    ] {
        let found = simulate(BENCH, &set(machine(sips, cubes), settings), None);
        assert_eq!(found.verdict, "verified", "{sips} {settings:?}\n{}", found.text());
        assert_eq!(found.launches, 1, "all lanes are one launch");
    }
}
