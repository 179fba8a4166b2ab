//! Any collective, on random data, among a random group, on a random machine, equals its definition.
//!
//! The data are small whole numbers, whose sums and products every type holds exactly, so that the order
//! in which an algorithm adds does not matter: each rank compares what it has got with what it works out
//! from the seeds of all, to the bit.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod in_process;

use in_process::{launch, simulate};
use kbc::driver::LaunchOptions;
use proptest::prelude::*;

/// A worker that knows the definition of every collective. `case` is what was drawn.
const PROGRAM: &str = r#"
def data(torch, rank, n, dtype, salt):
    torch.manual_seed(1000 * salt + rank)
    return torch.randint(-2, 3, (n,), dtype=dtype).numpy()


def combined(torch, parts, op):
    total = parts[0]
    for part in parts[1:]:
        if op == "sum":
            total = total + part
        elif op == "prod":
            total = total * part
        elif op == "max":
            total = torch.maximum(total, part)
        else:
            total = torch.minimum(total, part)
    return total


def worker(rank, torch, members, what, n, dtype, op, root, algorithm, salt):
    dist, check = torch.distributed, torch.testing.assert_equal
    group = dist.new_group(members)
    if rank not in members:
        return
    place, k = members.index(rank), len(members)
    size = n * k if what in ("reduce_scatter", "all_to_all") else n
    all = [data(torch, other, size, dtype, salt) for other in members]
    mine = torch.tensor(all[place], dtype=dtype)
    at = members[root % k]
    if what == "all_reduce":
        dist.all_reduce(mine, op=op, group=group, algorithm=algorithm)
        check(mine, combined(torch, all, op))
    elif what == "reduce":
        dist.reduce(mine, dst=at, op=op, group=group)
        check(mine, combined(torch, all, op) if rank == at else all[place])
    elif what == "broadcast":
        dist.broadcast(mine, src=at, group=group)
        check(mine, all[root % k])
    elif what == "all_gather":
        found = [torch.zeros((n,), dtype=dtype) for _ in members]
        dist.all_gather(found, mine, group=group)
        for got, wanted in zip(found, all):
            check(got, wanted)
    elif what == "reduce_scatter":
        part = torch.zeros((n,), dtype=dtype)
        dist.reduce_scatter_tensor(part, mine, op=op, group=group)
        check(part, combined(torch, all, op)[place * n : (place + 1) * n])
    else:
        taken = torch.zeros((size,), dtype=dtype)
        dist.all_to_all_single(taken, mine, group=group)
        for j in range(k):
            check(taken[j * n : (j + 1) * n], all[j][place * n : (place + 1) * n])


def run(torch, members, what, n, dtype, op, root, algorithm, salt):
    members = [int(rank) for rank in members.split("_")[1:]]
    algorithm = None if algorithm == "auto" else algorithm
    args = (torch, members, what, n, dtype, op, root, algorithm, salt)
    torch.multiprocessing.spawn(worker, args=args, nprocs=torch.distributed.get_world_size())
"#;

/// A machine of the default's parts, and how many PEs it has.
fn machine() -> impl Strategy<Value = (String, u32)> {
    let fabrics = prop_oneof![Just("ring_1d"), Just("torus_2d"), Just("mesh_2d_no_wrap")];
    let hierarchical = (fabrics, 1u32..=3, 1u32..=2, 1u32..=3, 1u32..=2);
    let hierarchical = hierarchical.prop_map(|(fabric, w, h, columns, rows)| {
        let sips = w * h;
        let yaml = format!(
            "system: {{sips: {{count: {sips}, topology: {fabric}, w: {w}, h: {h}}}}}\n\
             sip: {{cube_mesh: {{w: {columns}, h: {rows}}}}}\n"
        );
        (yaml, sips * columns * rows * 8)
    });
    let ring = (2u32..=12, 1u32..=500).prop_map(|(count, latency)| {
        let link = |offset: i32| format!("{{offset: {offset}, bw_gbs: 64, latency_ns: {latency}}}");
        let (one, back) = (link(1), link(-1));
        (format!("machine: {{replicate: {{count: {count}, links: [{one}, {back}]}}}}\n"), count)
    });
    prop_oneof![hierarchical, ring]
}

#[derive(Clone, Debug)]
struct Case {
    yaml: String,
    world: u32,
    members: Vec<u32>,
    settings: String,
}

fn case() -> impl Strategy<Value = Case> {
    let ops = prop_oneof![Just("sum"), Just("max"), Just("min"), Just("prod")];
    let types =
        prop_oneof![Just("f16"), Just("bf16"), Just("f32"), Just("i32"), Just("f64"), Just("i16")];
    let whats = prop_oneof![
        3 => Just("all_reduce"),
        1 => Just("reduce"),
        1 => Just("broadcast"),
        1 => Just("all_gather"),
        1 => Just("reduce_scatter"),
        1 => Just("all_to_all"),
    ];
    let algorithms = prop_oneof![
        Just("auto"),
        Just("ring"),
        Just("ring_bidirectional"),
        Just("ring_chunked"),
        Just("torus"),
        Just("mesh"),
        Just("tree"),
        Just("double_tree"),
        Just("halving_doubling"),
    ];
    let group = machine().prop_flat_map(|(yaml, pes)| {
        let world = 1..=pes.min(9);
        world.prop_flat_map(move |world| {
            let all: Vec<u32> = (0..world).collect();
            let some = proptest::sample::subsequence(all, 1..=world as usize).prop_shuffle();
            (Just(yaml.clone()), Just(world), some)
        })
    });
    let drawn = (group, whats, 1u32..40, types, ops, 0u32..9, algorithms, 0u32..1000);
    drawn.prop_map(|((yaml, world, members), what, n, dtype, op, root, algorithm, salt)| {
        let ranks: String = members.iter().map(|rank| format!("_{rank}")).collect();
        let settings = format!(
            "members={ranks} what={what} n={n} dtype={dtype} op={op} root={root} algorithm={algorithm} \
             salt={salt}"
        );
        Case { yaml, world, members, settings }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_collective_is_its_definition(case in case()) {
        let topology = Some(("machine.yaml".to_owned(), case.yaml.clone()));
        let options = LaunchOptions { topology, ..launch(case.world, "", &case.settings) };
        let found = simulate(PROGRAM, &options, None);
        prop_assert_eq!(found.verdict, "verified", "{:?}\n{}", case, found.text());
        // A rank alone has the result already.
        let launches = usize::from(case.members.len() > 1);
        prop_assert_eq!(found.launches, launches, "{:?}", case);
    }
}
