//! `numpy` in host functions, and what can be imported: every row was computed by NumPy 2.4.

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

/// An expression, `tolist()` of what NumPy makes of it, and its element type (`-` for a `bool`).
const MADE_BY_NUMPY: &[(&str, &str, &str)] = &[
    ("np.array([1, 2, 3])", "[1, 2, 3]", "i64"),
    ("np.array([[1.5, 2], [3, 4]])", "[[1.5, 2.0], [3.0, 4.0]]", "f64"),
    ("np.array([True, False])", "[True, False]", "i1"),
    ("np.array([1, 2], dtype=np.float16)", "[1.0, 2.0]", "f16"),
    ("np.asarray((1.0, 2.0))", "[1.0, 2.0]", "f64"),
    ("np.zeros((2, 3))", "[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]", "f64"),
    ("np.zeros(2, dtype='int32')", "[0, 0]", "i32"),
    ("np.ones((2,), dtype=np.float32)", "[1.0, 1.0]", "f32"),
    ("np.full((2, 2), 7)", "[[7, 7], [7, 7]]", "i64"),
    ("np.full(2, 0.1, dtype='float16')", "[0.0999755859375, 0.0999755859375]", "f16"),
    ("np.zeros_like(np.arange(3))", "[0, 0, 0]", "i64"),
    ("np.ones_like([1.5, 2.5])", "[1.0, 1.0]", "f64"),
    ("np.full_like(np.arange(3), 9)", "[9, 9, 9]", "i64"),
    ("np.eye(2)", "[[1.0, 0.0], [0.0, 1.0]]", "f64"),
    ("np.eye(2, 3)", "[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]", "f64"),
    ("np.arange(5)", "[0, 1, 2, 3, 4]", "i64"),
    ("np.arange(2, 11, 3)", "[2, 5, 8]", "i64"),
    ("np.arange(0, 1, 0.25)", "[0.0, 0.25, 0.5, 0.75]", "f64"),
    ("np.arange(3, dtype=np.float32)", "[0.0, 1.0, 2.0]", "f32"),
    ("np.linspace(0, 1, 5)", "[0.0, 0.25, 0.5, 0.75, 1.0]", "f64"),
    ("np.linspace(2.0, 3.0, num=3, dtype='float32')", "[2.0, 2.5, 3.0]", "f32"),
    ("np.abs([-1, 2])", "[1, 2]", "i64"),
    ("np.absolute(-2.5)", "2.5", "f64"),
    ("np.sqrt(2.0)", "1.4142135623730951", "f64"),
    ("np.sqrt([1, 4, 9])", "[1.0, 2.0, 3.0]", "f64"),
    ("np.exp(0.0)", "1.0", "f64"),
    ("np.log2([1.0, 8.0])", "[0.0, 3.0]", "f64"),
    ("np.floor([1.5, -1.5])", "[1.0, -2.0]", "f64"),
    ("np.ceil([1.5, -1.5])", "[2.0, -1.0]", "f64"),
    ("np.round([0.5, 1.5])", "[0.0, 2.0]", "f64"),
    ("np.power([1.0, 2.0], 3)", "[1.0, 8.0]", "f64"),
    ("np.cumsum([1, 2, 3], axis=0)", "[1, 3, 6]", "i64"),
    ("np.outer([1, 2], [3, 4])", "[[3, 4], [6, 8]]", "i64"),
    ("np.sum(np.ones((2, 3, 4)), axis=(0, 2))", "[8.0, 8.0, 8.0]", "f64"),
    ("np.stack([[1, 2], [3, 4]], axis=1)", "[[1, 3], [2, 4]]", "i64"),
    ("np.array([np.array([1, 2]), np.array([3, 4])])", "[[1, 2], [3, 4]]", "i64"),
    ("np.zeros(2, dtype=int)", "[0, 0]", "i64"),
    ("np.array([1, 2], dtype=float)", "[1.0, 2.0]", "f64"),
    ("np.arange(4)[np.arange(4) > 1]", "[2, 3]", "i64"),
    ("np.arange(4)[[0, 2]]", "[0, 2]", "i64"),
    ("np.maximum([1, 5], [3, 2])", "[3, 5]", "i64"),
    ("np.minimum(np.arange(4), 2)", "[0, 1, 2, 2]", "i64"),
    ("np.where(np.arange(4) > 1, np.arange(4), 0)", "[0, 0, 2, 3]", "i64"),
    ("np.clip([1, 5, 9], 2, 6)", "[2, 5, 6]", "i64"),
    ("np.clip(np.arange(4), a_min=1, a_max=2)", "[1, 1, 2, 2]", "i64"),
    ("np.sum([1, 2, 3])", "6", "i64"),
    ("np.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)", "[4.0, 6.0]", "f64"),
    ("np.sum(np.ones((2, 3)), axis=1, keepdims=True)", "[[3.0], [3.0]]", "f64"),
    ("np.prod([1, 2, 3, 4])", "24", "i64"),
    ("np.mean([1.0, 2.0, 6.0])", "3.0", "f64"),
    ("np.max([[1, 9], [3, 4]])", "9", "i64"),
    ("np.amax([[1, 9], [3, 4]], axis=1)", "[9, 4]", "i64"),
    ("np.min([4, 2, 8])", "2", "i64"),
    ("np.argmax([4, 2, 8])", "2", "i64"),
    ("np.argmin([[4, 2], [1, 8]], axis=0)", "[1, 0]", "i64"),
    ("np.all([True, False])", "False", "i1"),
    ("np.any([True, False])", "True", "i1"),
    ("np.matmul([[1, 2], [3, 4]], [[0, 1], [1, 0]])", "[[2, 1], [4, 3]]", "i64"),
    ("np.dot([[1.0, 2.0]], [[3.0], [4.0]])", "[[11.0]]", "f64"),
    ("np.reshape(np.arange(6), (2, 3))", "[[0, 1, 2], [3, 4, 5]]", "i64"),
    ("np.ravel([[1, 2], [3, 4]])", "[1, 2, 3, 4]", "i64"),
    ("np.transpose([[1, 2, 3], [4, 5, 6]])", "[[1, 4], [2, 5], [3, 6]]", "i64"),
    (
        "np.transpose(np.arange(6).reshape(1, 2, 3), (2, 0, 1))",
        "[[[0, 3]], [[1, 4]], [[2, 5]]]",
        "i64",
    ),
    ("np.expand_dims([1, 2], 0)", "[[1, 2]]", "i64"),
    ("np.squeeze([[1, 2]])", "[1, 2]", "i64"),
    ("np.tril([[1, 2], [3, 4]])", "[[1, 0], [3, 4]]", "i64"),
    ("np.triu([[1, 2], [3, 4]], k=1)", "[[0, 2], [0, 0]]", "i64"),
    ("np.concatenate([[1, 2], [3]])", "[1, 2, 3]", "i64"),
    (
        "np.concatenate([np.ones((1, 2)), np.zeros((1, 2))], axis=1)",
        "[[1.0, 1.0, 0.0, 0.0]]",
        "f64",
    ),
    ("np.stack([[1, 2], [3, 4]])", "[[1, 2], [3, 4]]", "i64"),
    ("np.allclose([1.0, 2.0], [1.0, 2.0 + 1e-9])", "True", "-"),
    ("np.array_equal([1, 2], [1, 3])", "False", "-"),
    ("np.arange(6).reshape(2, 3)[:, np.newaxis]", "[[[0, 1, 2]], [[3, 4, 5]]]", "i64"),
    ("np.float16(0.1) * np.float16(3)", "0.2998046875", "f16"),
    ("np.arange(4).astype(np.float16) / 3", "[0.0, 0.333251953125, 0.66650390625, 1.0]", "f16"),
];

fn verified(text: &str) -> Found {
    let found = simulate(text, &launch(2, "", ""), None);
    assert_eq!(found.verdict, "verified", "{}", found.text());
    found
}

#[test]
fn functions_give_what_numpy_gives() {
    let mut text = String::from("import numpy as np\n\ndef run():\n");
    for (expression, list, dtype) in MADE_BY_NUMPY {
        text += &format!("    found = {expression}\n    said = {expression:?}\n");
        text += &format!("    assert listed(found) == {list}, (said, listed(found))\n");
        if *dtype != "-" {
            text += &format!("    assert typed(found) == '{dtype}', (said, typed(found))\n");
        }
    }
    text += "    np.testing.assert_array_equal(np.ones(2), [1.0, 1.0])\n";
    // A single `float64` or `int64` is a number of the program.
    text += "
def listed(found):
    return found if isinstance(found, (int, float, bool)) else found.tolist()

def typed(found):
    if isinstance(found, bool):
        return 'i1'
    if isinstance(found, int):
        return 'i64'
    return 'f64' if isinstance(found, float) else found.dtype
";
    verified(&text);
}

#[test]
fn random_numbers_are_of_their_distribution_and_repeat() {
    verified(
        "
import numpy as np
from numpy.random import default_rng

def run():
    rng = default_rng(3)
    wide = rng.normal(5.0, 2.0, (4000,))
    assert abs(wide.mean().item() - 5.0) < 0.2, wide.mean()
    spread = np.sqrt(((wide - wide.mean()) * (wide - wide.mean())).mean())
    assert abs(spread - 2.0) < 0.1, spread
    assert wide.dtype == 'f64' and wide.shape == (4000,)
    flat = rng.uniform(-1.0, 3.0, size=(4000,))
    assert flat.min().item() >= -1.0 and flat.max().item() < 3.0
    assert abs(flat.mean().item() - 1.0) < 0.1
    dice = rng.integers(1, 7, size=600)
    assert dice.min().item() == 1 and dice.max().item() == 6 and dice.dtype == 'i64'
    assert rng.integers(1) == 0
    assert rng.standard_normal((2, 3), dtype=np.float32).dtype == 'f32'
    assert isinstance(rng.random(), float)
    np.testing.assert_array_equal(default_rng(3).normal(5.0, 2.0, (4000,)), wide)
    assert not np.array_equal(default_rng(4).random(8), default_rng(3).random(8))
    np.random.seed(1)
    one = np.random.randn(2, 2)
    np.random.seed(1)
    np.testing.assert_array_equal(np.random.randn(2, 2), one)
    assert np.random.rand(3).shape == (3,) and np.random.randint(0, 2, 5).shape == (5,)
",
    );
}

#[test]
fn packages_are_imported_as_pytorch_programs_do() {
    verified(
        "
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import nn, testing
from torch.distributed import ReduceOp, all_reduce
from kernbench.policy.placement.dp import DPPolicy
from kernbench.tp import ColumnParallelLinear
import numpy as np, math

def worker(rank, world):
    x = torch.full((4,), float(rank + 1))
    all_reduce(x, op=ReduceOp.SUM)
    dist.barrier()
    testing.assert_equal(x, np.full(4, world * (world + 1) / 2))
    assert F is not nn and math.pi == np.pi

def run():
    mp.spawn(worker, args=(2,), nprocs=2)
    whole = DPPolicy(cube='replicate', pe='replicate')
    testing.assert_equal(torch.ones((2,), dp=whole), torch.from_numpy(np.ones(2)))
    assert ColumnParallelLinear is not None
",
    );
}

#[test]
fn data_go_from_numpy_to_the_machine_and_back() {
    verified(
        "
import numpy as np

def double(x_ptr, n, tl):
    tl.store(x_ptr, tl.load(x_ptr, shape=(n,), dtype='f32') * 2.0)

def run(torch):
    a = np.arange(16, dtype=np.float32)
    x = torch.from_numpy(a)
    torch.launch(double, x, 16, target=[0])
    np.testing.assert_allclose(x.numpy(), 2 * a, rtol=0)
    y = torch.zeros((16,))
    y.copy_(torch.from_numpy(a + 1))
    np.testing.assert_array_equal(y, np.linspace(1, 16, 16))
",
    );
}

/// A mistake, the code that it is told with, and what the message must say.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("np.fft", "K0805", "module `numpy` has no attribute `fft`"),
    ("np.sqroot(2)", "K0805", "`sqrt`"),
    ("np.zeros()", "K0804", "`zeros` needs `shape`"),
    ("np.sum()", "K0804", "`sum` needs `a`"),
    ("np.sum('a')", "K0803", "a str"),
    ("np.zeros(-1)", "K0807", "-1 is not an extent"),
    ("np.zeros(2, dtype='float3')", "K0807", "no dtype `float3`"),
    ("np.linspace(0, 1, -2)", "K0807", "-2 numbers"),
    ("np.array([[1], [1, 2]])", "K0813", "lists of different lengths"),
    ("np.random.default_rng(1).integers(3, 3)", "K0807", "no 64-bit integer from 3 up to 3"),
    ("np.random.default_rng(1).beta(1)", "K0805", "beta"),
    ("np.testing.assert_allclose([1.0], [2.0])", "K0735", "1 of 1 elements"),
    ("np.float32('x')", "K0803", "a number"),
    ("np.zeros((1 << 40,))", "K0809", "8796093022208 bytes"),
];

#[test]
fn mistakes_are_told_where_they_are() {
    let mut wrong = String::new();
    for (expression, code, said) in MISTAKES {
        let text = format!("import numpy as np\n\ndef run():\n    {expression}\n");
        let found = simulate(&text, &launch(1, "", ""), None);
        let is_told = found.codes() == [*code] && found.text().contains(said);
        wrong += &if is_told { String::new() } else { format!("{expression}\n{}", found.text()) };
    }
    assert!(wrong.is_empty(), "{wrong}");
    let text = "import torch.fft as fft\n\ndef run():\n    fft\n";
    let found = simulate(text, &launch(1, "", ""), None);
    assert!(found.text().contains("`numpy`"), "{}", found.text());
}
