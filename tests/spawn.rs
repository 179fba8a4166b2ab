//! Ranks of `torch.multiprocessing.spawn`: collectives by their definitions, and what is said of
//! ranks that fail, disagree or wait.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod in_process;

use in_process::{Found, launch, simulate};

/// Runs `worker(rank, torch)` on so many ranks.
fn spawn(world: u32, worker: &str) -> Found {
    let run = format!(
        "\n\ndef run(torch):\n    \
         torch.multiprocessing.spawn(worker, args=(torch,), nprocs={world})\n"
    );
    simulate(&format!("{worker}{run}"), &launch(world, "", ""), None)
}

const EVERY_COLLECTIVE: &str = r#"
def double(x_ptr, n, tl):
    x = tl.load(x_ptr, shape=(8,), dtype="f32")
    tl.store(x_ptr, x * 2.0 + tl.program_id(0))


def worker(rank, torch):
    dist, check = torch.distributed, torch.testing.assert_equal
    ws = dist.get_world_size()
    assert dist.get_rank() == rank
    x = torch.full((8,), float(rank))
    torch.launch(double, x, 8)
    check(x, torch.full((8,), 2.0 * rank))
    if rank == 0:
        dist.send(x, 1)
    if rank == 1:
        dist.recv(x, 0)
        check(x, torch.full((8,), 0.0))
    work = dist.all_reduce(x, op=dist.ReduceOp.MAX, async_op=True)
    dist.barrier()
    work.wait()
    check(x, torch.full((8,), 2.0 * (ws - 1)))
    everyone, mine = torch.zeros((ws, 2)), torch.full((2,), float(rank))
    dist.all_gather(everyone, mine)
    for other in range(ws):
        check(everyone[other], torch.full((2,), float(other)))
    pair = dist.new_group([0, 2])
    if rank in (0, 2):
        dist.all_reduce(mine, group=pair, op="avg")
        check(mine, torch.full((2,), 1.0))
    dist.broadcast(mine, src=1)
    check(mine, torch.full((2,), 1.0))
    total = ws * (ws - 1) / 2
    part = torch.zeros((4,))
    dist.reduce_scatter(part, torch.full((4 * ws,), float(rank)))
    check(part, torch.full((4,), total))
    swapped = torch.zeros((ws,))
    dist.all_to_all_single(swapped, torch.arange(ws, dtype="f32"))
    check(swapped, torch.full((ws,), float(rank)))
    dist.reduce(swapped, dst=2)
    if rank == 2:
        check(swapped, torch.full((ws,), total))
"#;

#[test]
fn every_collective_is_its_definition() {
    for world in [3, 4, 7, 8] {
        let found = spawn(world, EVERY_COLLECTIVE);
        assert_eq!(found.verdict, "verified", "{world} ranks\n{}", found.text());
        // A launch, a message, and eight collectives: alike launches of ranks are one.
        assert_eq!(found.launches, 10, "{world} ranks");
    }
}

const LISTS: &str = r#"
def worker(rank, torch):
    dist, check = torch.distributed, torch.testing.assert_equal
    ws = dist.get_world_size()
    mine = torch.full((2, 3), float(rank))
    found = [torch.zeros((2, 3)) for _ in range(ws)]
    dist.all_gather(found, mine)
    for other in range(ws):
        check(found[other], torch.full((2, 3), float(other)))
    whole = torch.zeros((ws * 2, 3))
    dist.all_gather_into_tensor(whole, mine)
    check(whole[2 * rank : 2 * rank + 2], mine)
    part = torch.zeros((4,))
    dist.reduce_scatter(part, [torch.full((4,), float(10 * rank + to)) for to in range(ws)])
    check(part, torch.full((4,), 10.0 * ws * (ws - 1) / 2 + ws * rank))
    dist.reduce_scatter_tensor(part, torch.full((4 * ws,), 1.0), op=dist.ReduceOp.MAX)
    check(part, torch.full((4,), 1.0))
    sent = [torch.full((3,), 10.0 * rank + to) for to in range(ws)]
    taken = [torch.zeros((3,)) for _ in range(ws)]
    work = dist.all_to_all(taken, sent, async_op=True)
    work.wait()
    for other in range(ws):
        check(taken[other], torch.full((3,), 10.0 * other + rank))
"#;

#[test]
fn lists_of_tensors_are_taken_as_pytorch_takes_them() {
    for world in [2, 3, 5] {
        let found = spawn(world, LISTS);
        assert_eq!(found.verdict, "verified", "{world} ranks\n{}", found.text());
    }
    let with = |body: &str| {
        let found =
            spawn(3, &format!("def worker(rank, torch):\n    dist = torch.distributed\n{body}"));
        (found.codes().first().copied().unwrap_or(""), found.text())
    };
    let few = with("    dist.all_gather([torch.zeros((2,))] * 2, torch.ones((2,)))\n");
    assert_eq!(few.0, "K0813", "{}", few.1);
    assert!(few.1.contains("a list of 2 tensors, and 3 tensors are needed"), "{}", few.1);
    let unlike =
        with("    dist.all_gather([torch.zeros((2 + i,)) for i in range(3)], torch.ones((2,)))\n");
    assert_eq!(unlike.0, "K0813", "{}", unlike.1);
    let other = with("    dist.all_gather([1, 2, 3], torch.ones((2,)))\n");
    assert_eq!(other.0, "K0803", "{}", other.1);
    let text = "def run(torch):\n    torch.distributed.all_gather([torch.ones((3, 2))] * 3, torch.ones((3, 2)))\n";
    let outside = simulate(text, &launch(3, "", ""), None);
    assert_eq!(outside.codes(), ["K0808"], "{}", outside.text());
}

#[test]
fn ranks_share_no_list_and_run_in_order() {
    let worker = "def worker(rank, torch):\n    torch.distributed.barrier()\n    \
                  assert rank < 2, f'rank {rank} says no'\n";
    let found = spawn(4, worker);
    let text = found.text();
    // Both that fail are told, with the call and what became of the others.
    assert_eq!(found.codes(), ["K0810", "K0810"], "{text}");
    assert!(text.contains("rank 2: assertion failed: rank 2 says no"), "{text}");
    assert!(text.contains("rank 3 of 4 raised this (SpawnException)"), "{text}");
    assert!(text.contains("ranks 0 and 1 stopped with it"), "{text}");
}

#[test]
fn ranks_that_disagree_or_wait_are_told() {
    let with = |body: &str| {
        let found =
            spawn(3, &format!("def worker(rank, torch):\n    dist = torch.distributed\n{body}"));
        (found.codes().join(" "), found.text())
    };
    let sizes = with("    dist.all_reduce(torch.ones((8 + rank,)))\n");
    assert_eq!(sizes.0, "K0818", "{}", sizes.1);
    let types = with("    dist.all_reduce(torch.ones((8,), dtype='f16' if rank else 'f32'))\n");
    assert_eq!(types.0, "K0818", "{}", types.1);
    let kinds =
        with("    x = torch.ones((8,))\n    dist.broadcast(x) if rank else dist.all_reduce(x)\n");
    assert_eq!(kinds.0, "K0818", "{}", kinds.1);
    let never = with("    if rank != 1:\n        dist.barrier()\n");
    assert_eq!(never.0, "K0819", "{}", never.1);
    assert!(never.1.contains("rank 1 is at the end without calling it"), "{}", never.1);
    let cycle = with(
        "    x = torch.ones((8,))\n    dist.recv(x, (rank + 1) % 3)\n    dist.send(x, (rank + 2) % 3)\n",
    );
    assert_eq!(cycle.0, "K0819", "{}", cycle.1);
    let outside = with("    dist.broadcast(torch.ones((8,)), src=3)\n");
    assert_eq!(outside.0, "K0807", "{}", outside.1);
}

#[test]
fn a_perceptron_in_parts_is_the_whole_one() {
    let bench = include_str!("../kernels/tp_mlp.kb");
    for (world, settings) in
        [(1, ""), (2, "dtype=bf16"), (4, ""), (8, "rows=5"), (256, ""), (4, "hidden=16 dtype=f32")]
    {
        let found = simulate(bench, &launch(world, "", settings), None);
        assert_eq!(found.verdict, "verified", "{world} {settings}\n{}", found.text());
    }
    let uneven = simulate(bench, &launch(3, "", ""), None);
    assert!(
        uneven.text().contains("256 features do not divide among 3 ranks"),
        "{}",
        uneven.text()
    );
}
