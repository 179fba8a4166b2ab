//! Mistakes in host programs: each is told, with its code and where it was made, and none hangs.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod in_process;

use std::time::{Duration, Instant};

use in_process::{Found, launch, simulate, times};
use kbc::diag::{ColorChoice, Sink, to_text};
use kbc::script::{Limits, Script, Settings};
use kbc::source::SourceMap;
use kbc::syntax::parse;

fn run(body: &str) -> Found {
    simulate(
        &format!("def run(torch):\n    dist = torch.distributed\n{body}"),
        &launch(3, "", ""),
        None,
    )
}

fn spawn(body: &str) -> Found {
    let worker = format!("def worker(rank, torch):\n    dist = torch.distributed\n{body}");
    let run =
        "\n\ndef run(torch):\n    torch.multiprocessing.spawn(worker, args=(torch,), nprocs=3)\n";
    simulate(&format!("{worker}{run}"), &launch(3, "", ""), None)
}

/// Each body, the code that it is refused with, and what the message says.
fn table(of: fn(&str) -> Found, cases: &[(&str, &str, &str)]) {
    for (body, code, says) in cases {
        let found = of(body);
        let text = found.text();
        assert_eq!(found.codes().first(), Some(code), "{body}\n{text}");
        assert!(text.contains(says), "{body}: expected `{says}`\n{text}");
        let primary = found.diagnostics[0].primary.as_ref();
        assert!(primary.is_some_and(|label| !label.span.is_none()), "{body}\n{text}");
    }
}

#[test]
fn wrong_shapes() {
    table(
        run,
        &[
            ("    dist.all_reduce(torch.ones((2, 8)))\n", "K0813", "takes a tensor of 3 rows"),
            (
                "    dist.all_gather(torch.ones((3, 8)), torch.ones((3, 4)))\n",
                "K0813",
                "takes 4 elements of each and gives 8",
            ),
            (
                "    dist.reduce_scatter(torch.ones((3, 4)), torch.ones((3, 8)))\n",
                "K0813",
                "the input has an output for every rank",
            ),
            ("    torch.ones((2, 3)) @ torch.ones((2, 3))\n", "K0813", ""),
            ("    x = torch.ones((2, 3)) + torch.ones((4,))\n", "K0813", ""),
            ("    torch.ones((6,)).reshape((4, 2))\n", "K0813", ""),
            ("    x = torch.ones((4,))\n    x[1:4] = torch.ones((2,)).numpy()\n", "K0813", ""),
        ],
    );
}

#[test]
fn tensors_that_were_given_back() {
    table(
        run,
        &[
            (
                "    x = torch.ones((3, 8))\n    del x\n    dist.all_reduce(x)\n",
                "K0802",
                "`x` is used after it was deleted",
            ),
            (
                "    x = [torch.ones((3, 8))]\n    del x[0]\n    dist.all_reduce(x[0])\n",
                "K0806",
                "",
            ),
            ("    x = {'a': 1}\n    del x['b']\n", "K0806", "no key 'b'"),
            ("    del x\n    x = 1\n", "K0802", "before it has a value"),
            ("    x = (1, 2)\n    del x[0]\n", "K0803", "items of a tuple cannot be deleted"),
        ],
    );
    // A PE has 6 GiB, and each of these takes one of it.
    let program = "
def touch(x_ptr, tl):
    tl.store(x_ptr, tl.load(x_ptr, shape=(4,), dtype='f32'))


def run(torch):
    kept = []
    for turn in range(9):
        x = torch.empty((3, 1 << 28), dtype='f32')
        torch.launch(touch, x)
        KEEP
        del x
";
    assert!(times(&program.replace("KEEP", "pass"), &launch(3, "", "")).is_ok());
    let full = times(&program.replace("KEEP", "kept.append(x)"), &launch(3, "", "")).unwrap_err();
    assert!(full.contains("error[K0705]"), "{full}");
    // A second name keeps it.
    let found = run(
        "    x = torch.ones((3, 8))\n    y = x\n    del x\n    torch.testing.assert_equal(y, torch.ones((3, 8)))\n",
    );
    assert_eq!(found.verdict, "verified", "{}", found.text());
}

#[test]
fn ranks_that_do_not_agree() {
    table(
        spawn,
        &[
            (
                "    dist.all_reduce(torch.ones((8 + rank,)))\n",
                "K0818",
                "ranks 0 and 1 do not agree in `all_reduce`",
            ),
            (
                "    dist.all_reduce(torch.ones((8,), dtype='f16' if rank == 2 else 'f32'))\n",
                "K0818",
                "rank 2: a tensor of shape [8] and type f16",
            ),
            (
                "    dist.all_reduce(torch.ones((8,)), op='max' if rank == 1 else 'sum')\n",
                "K0818",
                "ranks 0 and 1 do not agree in `all_reduce`",
            ),
            (
                "    dist.broadcast(torch.ones((8,)), src=rank)\n",
                "K0818",
                "do not agree in `broadcast`",
            ),
            (
                "    x = torch.ones((8,))\n    dist.broadcast(x) if rank else dist.all_reduce(x)\n",
                "K0818",
                "rank 0 calls `all_reduce`, and rank 1 calls `broadcast`",
            ),
            (
                "    group = dist.new_group([0, 1] if rank < 2 else [0, 2])\n    dist.barrier(group=group)\n",
                "K0819",
                "",
            ),
        ],
    );
}

#[test]
fn ranks_that_wait_for_ever() {
    table(
        spawn,
        &[
            (
                "    if rank != 1:\n        dist.all_reduce(torch.ones((8,)))\n",
                "K0819",
                "ranks 0 and 2 wait for ever in `all_reduce`",
            ),
            (
                "    if rank == 0:\n        dist.send(torch.ones((8,)), 1)\n",
                "K0819",
                "rank 0 waits for ever in `send` to rank 1",
            ),
            (
                "    if rank == 2:\n        dist.recv(torch.ones((8,)), 0)\n",
                "K0819",
                "rank 2 waits for ever in `recv` from rank 0",
            ),
            // Both send first, and both wait.
            (
                "    x = torch.ones((8,))\n    if rank < 2:\n        dist.send(x, 1 - rank)\n        dist.recv(x, 1 - rank)\n",
                "K0819",
                "ranks 0 and 1 wait for ever",
            ),
            // One collective more on one rank.
            (
                "    for _ in range(3 if rank else 4):\n        dist.barrier()\n",
                "K0819",
                "rank 0 waits for ever in `barrier`",
            ),
            (
                "    work = dist.all_reduce(torch.ones((8,)), async_op=True) if rank else None\n",
                "K0819",
                "ranks 1 and 2 wait for ever in `all_reduce`",
            ),
        ],
    );
    let sizes = spawn(
        "    x = torch.ones((8 + rank,))\n    if rank == 0:\n        dist.send(x, 1)\n    if rank == 1:\n        dist.recv(x, 0)\n",
    );
    assert_eq!(sizes.codes(), ["K0818"], "{}", sizes.text());
}

#[test]
fn an_endless_loop_ends_within_seconds() {
    let begun = Instant::now();
    let found = run("    for i in range(3):\n        while i == 0:\n            pass\n");
    let text = found.text();
    assert_eq!(found.codes(), ["K0809"], "{text}");
    assert!(text.contains("this loop does not come to its end within 100,000,000 steps"), "{text}");
    assert_eq!(found.line(found.diagnostics[0].primary.as_ref().unwrap().span), "while i == 0:");
    // Seconds where tests are optimised; this leaves room for a slow machine.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

/// What `kernel_args` of `text` is refused with, within few steps.
fn limited(text: &str) -> String {
    let text = format!("{text}\n\ndef kernel(x_ptr, n, tl):\n    pass\n");
    let mut sources = SourceMap::new();
    let file = sources.add("case.kb", text.as_str());
    let mut sink = Sink::new();
    let module = parse(file, &text, &mut sink);
    let limits = Limits { steps: 20_000, ..Limits::default() };
    let script = Script::new(&module, Settings { world_size: 2, limits, ..Settings::default() });
    let kernel = module.functions().last().unwrap();
    let told = script.kernel_args(kernel).unwrap_err().into_diagnostics();
    told.iter().map(|it| to_text(it, &sources, ColorChoice::Plain)).collect()
}

#[test]
fn the_loop_that_does_not_end_is_named() {
    let cases = [
        (
            "def kernel_args():\n    while True:\n        for i in range(10):\n            pass\n",
            "while True:",
        ),
        (
            "def kernel_args():\n    for i in range(10):\n        n = i\n        while n >= 0:\n            n = n * 2\n            n = n % 5\n",
            "while n >= 0:",
        ),
        (
            "def step(n):\n    for i in range(3):\n        n += i\n    return n\n\n\ndef kernel_args():\n    n = 0\n    while n < n + 1:\n        n = step(n)\n",
            "while n < n + 1:",
        ),
    ];
    for (text, header) in cases {
        let said = limited(text);
        assert!(said.contains("error[K0809]: this loop does not come to its end"), "{said}");
        let shown = said.lines().position(|line| line.ends_with(header)).unwrap();
        assert!(said.lines().nth(shown + 1).unwrap().contains("turns so far"), "{said}");
    }
    // No loop at all: a comprehension of comprehensions.
    let said = limited(
        "def kernel_args():\n    return len([[i for i in range(1000)] for j in range(1000)])\n",
    );
    assert!(said.contains("error[K0809]"), "{said}");
}

#[test]
fn recursion_without_an_end() {
    table(run, &[("    f = lambda n: f(n + 1)\n    f(0)\n", "K0809", "nest more than 400 deep")]);
    let said = limited(
        "def even(n):\n    return odd(n + 1)\n\n\ndef odd(n):\n    return even(n + 1)\n\n\ndef kernel_args():\n    return even(0)\n",
    );
    assert!(said.contains("nest more than 400 deep"), "{said}");
    assert!(said.contains("in even") && said.contains("in odd"), "{said}");
}

/// A tensor is called as its program names it, else as the variable that a call is assigned to, else by its
/// number among those that are neither.
#[test]
fn tensors_are_called_as_their_variables() {
    for (made, name) in [
        ("    t = torch.zeros((4,))\n", "t"),
        ("    t = torch.zeros((4,), name='weights')\n", "weights"),
        ("    q, k = torch.zeros((4,)), torch.ones((4,))\n    t = k\n", "k"),
        ("    t = other = torch.zeros((4,))\n", "t"),
        ("    t: int = torch.tensor([1.0, 2.0])\n", "t"),
        ("    if True:\n        t = torch.empty_like(torch.ones((4,)))\n", "t"),
        (
            "    def make(shape):\n        inner = torch.zeros(shape)\n        return inner\n    t = make((4,))\n",
            "inner",
        ),
        ("    t = [torch.zeros((4,)) for _ in range(3)][2]\n", "tensor 3"),
        ("    t = (torch.zeros((4,)), torch.ones((4,)))[1]\n", "tensor 2"),
    ] {
        let found = run(&format!("{made}    t.free()\n    print(t[0])\n"));
        let said = found.text();
        assert_eq!(found.codes(), ["K0831"], "{made}\n{said}");
        assert!(said.contains(&format!("tensor `{name}` is used after")), "{made}\n{said}");
    }
}
