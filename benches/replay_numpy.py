"""The rates of `benches/replay.rs` in NumPy, on one thread, to compare on one machine.

    OPENBLAS_NUM_THREADS=1 python3 benches/replay_numpy.py
"""

import time

import numpy as np

ELEMENTS = 1 << 20


def best(function, times=15):
    def once():
        start = time.perf_counter()
        function()
        return time.perf_counter() - start
    return min(once() for _ in range(times))


def rate(name, bytes_moved, function):
    print(f"{name:16} {bytes_moved / best(function) / 1e9:7.2f} GB/s")


for dtype in ["f4", "f8", "f2", "i4", "i1"]:
    x, y = (np.random.uniform(1, 90, ELEMENTS).astype(dtype) for _ in range(2))
    out = np.empty_like(x)
    rate(f"add {dtype}", 3 * x.nbytes, lambda: np.add(x, y, out=out))
x = np.random.uniform(0.5, 1.5, ELEMENTS).astype("f4")
out = np.empty_like(x)
for name in ["exp", "exp2", "log", "sqrt", "tanh", "sin"]:
    function = getattr(np, name)
    rate(name, 2 * x.nbytes, lambda: function(x, out=out))
half = x.astype("f2")
rate("cast f2 to f4", 6 * ELEMENTS, lambda: out.__setitem__(slice(None), half))
rate("cast f4 to f2", 6 * ELEMENTS, lambda: half.__setitem__(slice(None), x))
square = x.reshape(1024, -1)
rate("sum axis 0", x.nbytes, lambda: square.sum(axis=0))
rate("sum axis 1", x.nbytes, lambda: square.sum(axis=1))
rate("copy", 2 * x.nbytes, lambda: np.copyto(out, x))
for side in [64, 256, 512, 1024]:
    a, b = (np.random.uniform(-1, 1, (side, side)).astype("f4") for _ in range(2))
    c = np.empty_like(a)
    seconds = best(lambda: np.matmul(a, b, out=c))
    print(f"matmul {side:<9} {2 * side**3 / seconds / 1e9:7.1f} GFLOP/s")
