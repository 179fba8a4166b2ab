//! What ranks of `torch.multiprocessing.spawn` catch of what goes wrong among them, and what is said of it
//! where nothing does.

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
fn spawn(world: u32, functions: &str) -> Found {
    let run = format!(
        "\n\ndef run(torch):\n    \
         torch.multiprocessing.spawn(worker, args=(torch,), nprocs={world})\n"
    );
    simulate(&format!("{functions}{run}"), &launch(world, "", ""), None)
}

const CAUGHT: &str = r#"
def refused(kind, call):
    try:
        call()
    except kind as e:
        return str(e)
    assert False, "nothing was raised"


def worker(rank, torch):
    dist, check = torch.distributed, torch.testing.assert_equal
    # Sizes that differ: in every rank, and nothing has changed.
    x = torch.ones((8 + rank,))
    said = refused(RuntimeError, lambda: dist.all_reduce(x))
    assert said == "ranks 0 and 1 do not agree in `all_reduce`", said
    check(x, torch.ones((8 + rank,)))
    # An algorithm that does not take so many ranks.
    y = torch.ones((8,))
    said = refused(RuntimeError, lambda: dist.all_reduce(y, algorithm="hierarchical"))
    assert "9 ranks do not fill whole cubes" in said, said
    # One that is not there.
    said = refused(ValueError, lambda: dist.all_reduce(y, algorithm="rings"))
    assert said == "`all_reduce` has no algorithm `rings`", said
    # Two ranks' tensors on one PE.
    torch.ahbm.set_device(rank // 2)
    z = torch.ones((8,))
    said = refused(RuntimeError, lambda: dist.all_reduce(z))
    assert "two ranks of the collective have their tensors on PE 0" in said, said
    torch.ahbm.set_device(rank)
    # What was begun fails where it is waited for, not before.
    work = dist.all_reduce(torch.ones((8 + rank,)), async_op=True)
    dist.barrier()
    refused(RuntimeError, lambda: work.wait())
    # A message between two ranks: both hear of it, and no other.
    if rank == 3:
        refused(RuntimeError, lambda: dist.send(x, 5))
    if rank == 5:
        refused(RuntimeError, lambda: dist.recv(x, 3))
    # One group fails, and the other does not.
    groups = [dist.new_group([r for r in range(9) if r % 2 == part]) for part in range(2)]
    if rank % 2 == 0:
        refused(RuntimeError, lambda: dist.all_reduce(x, group=groups[0]))
    else:
        dist.all_reduce(y, group=groups[1])
    check(y, torch.full((8,), 4.0 if rank % 2 else 1.0))
    # And all go on.
    y = torch.ones((8,))
    dist.all_reduce(y)
    check(y, torch.full((8,), 9.0))
"#;

#[test]
fn a_rank_catches_a_collective_that_fails() {
    let found = spawn(9, CAUGHT);
    assert_eq!(found.verdict, "verified", "{}", found.text());
}

const LAUNCHES: &str = r#"
def stray(x_ptr, far, tl):
    tl.store(x_ptr, tl.load(x_ptr + far * (1 << 34), shape=(8,), dtype="f32"))


def worker(rank, torch):
    x, y = torch.ones((8,)), torch.ones((8,))
    torch.launch(stray, x, 1 if rank == 1 else 0)
    try:
        torch.distributed.all_reduce(y)
        assert rank != 1
    except RuntimeError as e:
        assert rank == 1 and "where no tensor is" in str(e), e
        torch.distributed.all_reduce(y)
    torch.testing.assert_equal(y, torch.full((8,), 3.0))
"#;

/// The host does not wait for a launch: the rank hears of it where it waits next, and its part in the
/// collective is not begun.
#[test]
fn a_rank_catches_its_launch_where_it_waits_next() {
    let found = spawn(3, LAUNCHES);
    assert_eq!(found.verdict, "verified", "{}", found.text());
    let uncaught = LAUNCHES.replace("RuntimeError as e", "ValueError as e");
    let found = spawn(3, &uncaught);
    let said = found.text();
    assert_eq!(found.codes(), ["K0732"], "{said}");
    assert!(said.contains("error[K0732]: rank 1: PE 1 reads address"), "{said}");
    assert!(said.contains("ranks 0 and 2 stopped with it"), "{said}");
    for line in ["line 8, in worker", "line 3, in stray"] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn groups_that_overlap_wait_for_each_other() {
    let found = spawn(
        3,
        "
def worker(rank, torch):
    dist = torch.distributed
    one, two = dist.new_group([0, 1]), dist.new_group([1, 2])
    x = torch.full((4,), float(rank))
    if rank > 0:
        dist.all_reduce(x, group=two)
    if rank < 2:
        dist.all_reduce(x, group=one)
    torch.testing.assert_equal(x, torch.full((4,), 3.0))
",
    );
    assert_eq!(found.verdict, "verified", "{}", found.text());
}

#[test]
fn what_no_rank_catches_is_told_once() {
    let mismatch = "
def step(rank, torch):
    torch.distributed.all_reduce(torch.ones((8 + (rank == 2),)))


def worker(rank, torch):
    step(rank, torch)
";
    let assertion = mismatch.replace(
        "torch.distributed.all_reduce(torch.ones((8 + (rank == 2),)))",
        "assert torch is None, 'no rank has torch'",
    );
    let alone = mismatch.replace(
        "    step(rank, torch)\n",
        "    try:\n        step(rank, torch)\n    except RuntimeError:\n        if rank == 1:\n            raise\n",
    );
    let late = "
def worker(rank, torch):
    torch.distributed.all_reduce(torch.ones((8 + rank,)), async_op=True)
";
    for (text, code, message, who, lines) in [
        (
            mismatch,
            "K0818",
            "error[K0818]: ranks 0 and 2 do not agree",
            "ranks 0 to 2 of 3",
            vec!["line 11, in run", "line 7, in worker", "line 3, in step"],
        ),
        (
            assertion.as_str(),
            "K0810",
            "error[K0810]: ranks 0 to 2: assertion failed: no rank has torch",
            "ranks 0 to 2 of 3",
            vec!["line 11, in run", "line 7, in worker", "line 3, in step"],
        ),
        (
            alone.as_str(),
            "K0818",
            "error[K0818]: rank 1: ranks 0 and 2 do not agree",
            "rank 1 of 3",
            vec!["line 15, in run", "line 8, in worker", "line 3, in step"],
        ),
        (
            late,
            "K0818",
            "error[K0818]: ranks 0 and 1 do not agree",
            "ranks 0 to 2 of 3",
            vec!["line 7, in run", "line 3, in worker"],
        ),
    ] {
        let found = spawn(3, text);
        let said = found.text();
        assert_eq!(found.codes(), [code], "{said}");
        assert!(said.contains(message), "{message}\n{said}");
        assert!(said.contains(&format!("{who} raised this (SpawnException)")), "{who}\n{said}");
        assert_eq!(said.matches("traceback (most recent call last)").count(), 1, "{said}");
        for line in lines {
            assert!(said.contains(line), "{line}\n{said}");
        }
    }
}

/// As an exception around the spawn it names all its ranks.
#[test]
fn a_spawn_says_who_raised_the_same() {
    let text = "
def worker(rank, torch):
    torch.distributed.all_reduce(torch.ones((8 + rank,)))


def run(torch):
    try:
        torch.multiprocessing.spawn(worker, args=(torch,), nprocs=3)
        assert False
    except torch.multiprocessing.ProcessRaisedException as e:
        assert str(e) == 'ranks 0 to 2: RuntimeError: ranks 0 and 1 do not agree in `all_reduce`', e
        assert [rank for rank, _ in e.causes] == [0, 1, 2]
        assert all([type(it).__name__ == 'RuntimeError' for _, it in e.causes])
    torch.testing.assert_equal(torch.ones((2,)), torch.ones((2,)))
";
    let found = simulate(text, &launch(3, "", ""), None);
    assert_eq!(found.verdict, "verified", "{}", found.text());
}

#[test]
fn errors_of_one_launch_have_one_traceback() {
    let kernel = "
import nn


def kernel(x_ptr, n, m, tl):
    b = tl.load(x_ptr, shape=(n, m), dtype='f32')
    c = tl.load(x_ptr, shape=(m, m), dtype='f32')
    tl.store(x_ptr, b + c)
    tl.store(x_ptr, tl.dot(c, b))
    row = tl.load(x_ptr, shape=(m,), dtype='f32')
    weights, scale, most, total = nn.online_softmax(b, row, row, tl)
    tl.store(x_ptr, weights)


def run(torch):
    torch.launch(kernel, torch.zeros((8, 8)), 4, 5)
";
    let found = simulate(kernel, &launch(2, "", ""), None);
    let said = found.text();
    assert_eq!(found.codes(), ["K0380"; 3], "{said}");
    assert_eq!(said.matches("traceback (most recent call last)").count(), 1, "{said}");
    assert!(said.contains("line 8, in kernel"), "{said}");
    // In a function of the library, which is named.
    let lines = kernel.lines().filter(|it| !it.contains("b + c") && !it.contains("tl.dot"));
    let text: String = lines.map(|it| format!("{it}\n")).collect();
    let found = simulate(&text, &launch(2, "", ""), None);
    let said = found.text();
    assert_eq!(found.codes(), ["K0380"], "{said}");
    assert!(said.contains("File \"lib/nn.kb\", line 75, in online_softmax"), "{said}");
}
