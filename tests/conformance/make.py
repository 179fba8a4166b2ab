"""Makes the vectors of this folder: what each op gives, by NumPy, ml_dtypes, mpmath and Python's
own integers, none of which kbc uses.

    pip install numpy ml_dtypes mpmath
    python3 tests/conformance/make.py

Every array is the hexadecimal text of its little-endian bytes. `ulps` says how far a result may
be off: 0 where the op is exactly defined, 1 or 2 where a maths library rounds.
"""

import json
import pathlib
from fractions import Fraction

import ml_dtypes
import mpmath
import numpy as np

HERE = pathlib.Path(__file__).parent
RANDOM = np.random.default_rng(20260)
mpmath.mp.prec = 200

FLOATS = {
    "f16": np.dtype("f2"),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype("f4"),
    "f64": np.dtype("f8"),
}
NARROW = {
    "f8e4m3": np.dtype(ml_dtypes.float8_e4m3fn),
    "f8e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "f8e4b8": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "f8e5b16": np.dtype(ml_dtypes.float8_e5m2fnuz),
}
INTS = {
    "i8": np.dtype("i1"),
    "i16": np.dtype("i2"),
    "i32": np.dtype("i4"),
    "i64": np.dtype("i8"),
    "u8": np.dtype("u1"),
    "u16": np.dtype("u2"),
    "u32": np.dtype("u4"),
    "u64": np.dtype("u8"),
}
BOOL = {"i1": np.dtype("?")}
ALL = BOOL | INTS | NARROW | FLOATS

np.seterr(all="ignore")


def text(array):
    return np.ascontiguousarray(array).tobytes().hex()


def floats(name, count, largest=None):
    """Special values, then ones of every magnitude, then ordinary ones."""
    dtype = ALL[name]
    info = ml_dtypes.finfo(dtype)
    tiny = float(info.smallest_subnormal)
    special = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3.0, 1 / 3, float(info.max), -float(info.max)]
    special += [float(info.tiny), tiny, -tiny, 3 * tiny, 1 + float(info.eps), 1 - float(info.eps) / 2]
    special += [float("nan")]
    if name not in ("f8e4m3", "f8e4b8", "f8e5b16"):
        special += [float("inf"), -float("inf")]
    wide = RANDOM.standard_normal(count) * np.exp2(RANDOM.uniform(-12, 12, count))
    plain = RANDOM.uniform(-4, 4, count)
    both = np.concatenate([special, np.where(RANDOM.random(count) < 0.5, wide, plain)])[:count]
    if largest is not None:
        both = np.clip(both, -largest, largest)
    return both.astype(dtype)


def ints(name, count):
    dtype = ALL[name]
    if name == "i1":
        return RANDOM.integers(0, 2, count).astype(dtype)
    info = np.iinfo(dtype)
    special = [0, 1, 2, 3, 7, info.max, info.max - 1, info.min, info.min + 1]
    special += [-1, -2, -7] if info.min < 0 else []
    small = RANDOM.integers(max(info.min, -20), 20, count)
    large = RANDOM.integers(info.min, info.max, count, dtype=dtype, endpoint=True)
    tail = [int(s) if flag else int(l) for s, l, flag in zip(small, large, RANDOM.random(count) < 0.5)]
    return np.array((special + tail)[:count], dtype=dtype)


def any_values(name, count):
    return ints(name, count) if name in INTS or name in BOOL else floats(name, count)


def lane(name):
    """What floats compute in."""
    return np.dtype("f8") if name == "f64" else np.dtype("f4")


def rounded(values, name):
    """f32 or f64 values rounded to a type."""
    return np.asarray(values).astype(ALL[name])


def exact(value, dtype):
    """An mpmath number, rounded once to f32 or f64."""
    if mpmath.isnan(value):
        return dtype.type(np.nan)
    if mpmath.isinf(value):
        return dtype.type(np.inf if value > 0 else -np.inf)
    if value == 0:
        return dtype.type(0)
    digits, least = (24, -149) if dtype.itemsize == 4 else (53, -1074)
    _, exponent = mpmath.frexp(value)
    unit = mpmath.ldexp(1, int(max(exponent - digits, least)))
    # `nint` takes ties to even.
    number = mpmath.nint(value / unit) * unit
    largest = np.finfo(dtype).max
    if abs(number) > mpmath.mpf(float(largest)):
        return dtype.type(np.inf if number > 0 else -np.inf)
    return dtype.type(float(number))


# ---------------------------------------------------------------- elementwise, floats


BINARY_FLOAT = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "rem": np.fmod,
    "minimum": np.fmin,
    "maximum": np.fmax,
}

UNARY_EXACT = {"neg": np.negative, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "sqrt": np.sqrt}


def guarded(function, domain=lambda x: True):
    def call(x):
        x = float(x)
        if np.isnan(x) or not domain(x):
            return mpmath.nan
        return function(mpmath.mpf(x))
    return call


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def finite(function):
    """Of infinities there is no sine."""
    return guarded(function, np.isfinite)


def logarithm(function):
    def call(x):
        return -mpmath.inf if x == 0 else function(x)
    return guarded(call, lambda x: x >= 0)


def reciprocal_root(x):
    # IEEE 754: of a zero, the infinity of its sign.
    if x == 0:
        return mpmath.mpf(float(np.copysign(np.inf, x)))
    return 1 / mpmath.sqrt(mpmath.mpf(float(x))) if x > 0 else mpmath.nan


UNARY_ROUNDED = {
    "exp": (guarded(mpmath.exp), 1),
    "exp2": (guarded(lambda x: mpmath.power(2, x)), 1),
    "log": (logarithm(mpmath.log), 1),
    "log2": (logarithm(lambda x: mpmath.log(x, 2)), 1),
    "sin": (finite(mpmath.sin), 1),
    "cos": (finite(mpmath.cos), 1),
    "tanh": (guarded(mpmath.tanh), 2),
    "erf": (guarded(mpmath.erf), 1),
    "rsqrt": (reciprocal_root, 1),
    "sigmoid": (guarded(sigmoid), 2),
}


def binary_floats():
    cases = []
    for name in FLOATS:
        x, y = floats(name, 160), floats(name, 160)
        RANDOM.shuffle(y)
        wide = lane(name)
        results = {
            op: text(rounded(function(x.astype(wide), y.astype(wide)), name))
            for op, function in BINARY_FLOAT.items()
        }
        cases.append({"dtype": name, "args": [text(x), text(y)], "ulps": 0, "results": results})
    return cases


def unary_floats():
    cases = []
    for name in FLOATS:
        x = floats(name, 160)
        wide = lane(name)
        results = {op: text(rounded(f(x.astype(wide)), name)) for op, f in UNARY_EXACT.items()}
        cases.append({"dtype": name, "args": [text(x)], "ulps": 0, "results": results})
        moderate = floats(name, 120, largest=60.0)
        for op, (function, ulps) in UNARY_ROUNDED.items():
            values = np.array([exact(function(v), wide) for v in moderate.astype(wide)], wide)
            result = {op: text(rounded(values, name))}
            cases.append({"dtype": name, "args": [text(moderate)], "ulps": ulps, "results": result})
    return cases


def fused(x, y, z, name):
    """x * y + z, exactly, rounded once to the lane and once to the type."""
    wide = lane(name)
    if not all(np.isfinite(v) for v in (x, y, z)):
        return rounded(np.float64(x) * np.float64(y) + np.float64(z), name)
    number = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    if number == 0:
        return rounded(np.float64(x) * np.float64(y) + np.float64(z), name)
    value = mpmath.mpf(number.numerator) / number.denominator
    return rounded(exact(value, wide), name)


def ternary_floats():
    cases = []
    mpmath.mp.prec = 5000
    for name in FLOATS:
        args = [floats(name, 120) for _ in range(3)]
        RANDOM.shuffle(args[1])
        RANDOM.shuffle(args[2])
        wide = lane(name)
        products = np.array([fused(*v, name) for v in zip(*[a.astype(wide) for a in args])], ALL[name])
        low, high = np.fmin(args[1], args[2]), np.fmax(args[1], args[2])
        x = args[0].astype(wide)
        clamped = rounded(np.fmin(np.fmax(x, low.astype(wide)), high.astype(wide)), name)
        cases.append({"dtype": name, "args": list(map(text, args)), "ulps": 0, "results": {"fma": text(products)}})
        bounds = [text(args[0]), text(low), text(high)]
        cases.append({"dtype": name, "args": bounds, "ulps": 0, "results": {"clamp": text(clamped)}})
    mpmath.mp.prec = 200
    return cases


# ---------------------------------------------------------------- elementwise, integers

def truncated(x, y):
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def shifted_right(x, y, bits):
    return x >> min(y, 2 * bits)


BINARY_INT = {
    "add": lambda x, y, _: x + y,
    "sub": lambda x, y, _: x - y,
    "mul": lambda x, y, _: x * y,
    "int_div": lambda x, y, _: truncated(x, y),
    "rem": lambda x, y, _: x - y * truncated(x, y),
    "floor_div": lambda x, y, _: x // y,
    "floor_mod": lambda x, y, _: x % y,
    "minimum": lambda x, y, _: min(x, y),
    "maximum": lambda x, y, _: max(x, y),
    "bit_and": lambda x, y, _: x & y,
    "bit_or": lambda x, y, _: x | y,
    "bit_xor": lambda x, y, _: x ^ y,
}
SHIFTS = {
    "shl": lambda x, y, bits: x << y if y < bits else 0,
    "shr": lambda x, y, bits: x >> min(y, bits),
}


def wrapped(value, dtype):
    bits = dtype.itemsize * 8
    value &= (1 << bits) - 1
    if dtype.kind == "i" and value >> (bits - 1):
        value -= 1 << bits
    return value


def int_results(ops, x, y, dtype):
    bits = dtype.itemsize * 8
    def result(function):
        values = [wrapped(function(int(a), int(b), bits), dtype) for a, b in zip(x, y)]
        return text(np.array(values, dtype))
    return {op: result(function) for op, function in ops.items()}


def binary_ints():
    cases = []
    for name, dtype in INTS.items():
        x, y = ints(name, 96), ints(name, 96)
        RANDOM.shuffle(y)
        y[y == 0] = 3
        case = {"dtype": name, "ulps": 0}
        cases.append(case | {"args": [text(x), text(y)], "results": int_results(BINARY_INT, x, y, dtype)})
        counts = RANDOM.integers(0, dtype.itemsize * 8 + 3, 96).astype(dtype)
        shifts = int_results(SHIFTS, x, counts, dtype)
        cases.append(case | {"args": [text(x), text(counts)], "results": shifts})
    return cases


def unary_ints():
    cases = []
    for name, dtype in INTS.items():
        x = ints(name, 96)
        ops = {"neg": lambda v, *_: -v, "abs": lambda v, *_: abs(v), "bit_not": lambda v, *_: ~v}
        results = int_results(ops, x, x, dtype)
        cases.append({"dtype": name, "args": [text(x)], "ulps": 0, "results": results})
    return cases


COMPARE = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
COMPARE |= {"eq": np.equal, "ne": np.not_equal}


def compares():
    cases = []
    for name in ["f16", "bf16", "f32", "f64", "i8", "i32", "i64", "u8", "u32", "u64"]:
        x, y = any_values(name, 96), any_values(name, 96)
        RANDOM.shuffle(y)
        y[:24] = x[:24]
        results = {op: text(function(x, y)) for op, function in COMPARE.items()}
        cases.append({"dtype": name, "args": [text(x), text(y)], "ulps": 0, "results": results})
    return cases


# ---------------------------------------------------------------- casts

def once(values, name):
    """f64 values rounded once to a type."""
    values = np.asarray(values, "f8")
    if name in ("f64", "f32"):
        return values.astype(ALL[name])
    if name == "f16":
        return values.astype("f2")
    # By way of an f32 rounded to odd: ml_dtypes would round twice.
    near = values.astype("f4")
    bits = near.view("u4").copy()
    inexact = (near.astype("f8") != values) & np.isfinite(values)
    away = np.abs(near.astype("f8")) > np.abs(values)
    bits = np.where(inexact, (bits - away.astype("u4")) | 1, bits).astype("u4")
    result = bits.view("f4").astype(ALL[name])
    # A NaN is the canonical one, of positive sign where there is a choice.
    if name == "f8e4m3":
        result[np.isnan(result)] = np.uint8(0x7F).view(ALL[name])
    return result


def cast(x, source, target):
    dtype = ALL[target]
    if target == "i1":
        return x != 0
    if source in INTS or source in BOOL:
        if target in INTS:
            return np.array([wrapped(int(v), dtype) for v in x], dtype)
        return once(np.array([float(int(v)) for v in x]), target)
    if target in INTS:
        # Truncated, held in 64 bits (unsigned for u64 alone), and wrapped to the width.
        low, high = (0, 2**64 - 1) if target == "u64" else (-(2**63), 2**63 - 1)
        def whole(v):
            v = float(v)
            if v != v:
                return 0
            if np.isinf(v):
                return high if v > 0 else low
            return min(max(int(v), low), high)
        return np.array([wrapped(whole(v), dtype) for v in x], dtype)
    return once(x.astype("f8"), target)


def casts():
    cases = []
    for source in ALL:
        x = any_values(source, 48)
        results = {target: text(cast(x, source, target)) for target in ALL}
        cases.append({"dtype": source, "args": [text(x)], "ulps": 0, "results": results})
    return cases


# ---------------------------------------------------------------- reductions and products

def in_order(x, wide):
    total = x[0].astype(wide)
    for row in x[1:]:
        total = (total + row.astype(wide)).astype(wide)
    return total


def reductions():
    cases = []
    shape = [7, 40]
    for name in ["f16", "bf16", "f32", "f64", "i8", "i32", "i64", "u8", "u64"]:
        count = shape[0] * shape[1]
        if name in FLOATS:
            x = RANDOM.uniform(-1, 1, count).astype(ALL[name])
        else:
            x = ints(name, count)
            RANDOM.shuffle(x)
        # Ties, to see which place wins.
        x[RANDOM.integers(0, count, 60)] = x[3]
        x = x.reshape(shape)
        for axis in [0, 1, None]:
            flat = x.reshape(-1) if axis is None else np.moveaxis(x, axis, 0)
            wide = lane(name) if name in FLOATS else ALL[name]
            results = {
                "sum": text(in_order(flat, wide).astype(ALL[name])),
                "max": text(flat.max(axis=0)),
                "min": text(flat.min(axis=0)),
                "argmax": text(flat.argmax(axis=0).astype("i4")),
                "argmin": text(flat.argmin(axis=0).astype("i4")),
            }
            case = {"dtype": name, "shape": shape, "axis": axis, "ulps": 0}
            cases.append(case | {"args": [text(x)], "results": results})
    return cases


def product(a, b, acc, wide):
    """Each element starts from its addend and adds its products one by one, rounded each time."""
    total = acc.astype(wide)
    for k in range(a.shape[1]):
        terms = a[:, k : k + 1].astype(wide) * b[k : k + 1, :].astype(wide)
        total = (total + terms.astype(wide)).astype(wide)
    return total


GEMMS = [("f32", "f32"), ("f16", "f32"), ("f16", "f16"), ("bf16", "f32"), ("bf16", "bf16"), ("f64", "f64")]
GEMMS += [("i8", "i32"), ("u8", "i32"), ("i32", "i32"), ("i16", "i64"), ("f8e4m3", "f32"), ("f8e5m2", "f16")]


def gemms():
    cases = []
    for source, target in GEMMS:
        m, n, k = [int(v) for v in RANDOM.integers(3, 20, 3)]
        if target in FLOATS:
            a, b = (RANDOM.uniform(-2, 2, s).astype(ALL[source]) for s in ((m, k), (k, n)))
            acc = RANDOM.uniform(-2, 2, (m, n)).astype(ALL[target])
            wide = lane(target)
        else:
            a, b = ints(source, m * k).reshape(m, k), ints(source, k * n).reshape(k, n)
            acc = ints(target, m * n).reshape(m, n)
            wide = ALL[target]
        zero = np.zeros((m, n), ALL[target])
        for addend in (zero, acc):
            out = product(a, b, addend, wide).astype(ALL[target])
            case = {"input": source, "out": target, "m": m, "n": n, "k": k}
            case |= {"a": text(a), "b": text(b), "acc": text(addend) if addend is acc else None}
            cases.append(case | {"result": text(out)})
    return cases


def save(name, about, cases):
    versions = f"numpy {np.__version__}, ml_dtypes {ml_dtypes.__version__}, mpmath {mpmath.__version__}"
    lines = ",\n".join(json.dumps(case) for case in cases)
    body = f'{{"about": {json.dumps(about)},\n"made_by": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n'
    (HERE / f"{name}.json").write_text(body)


save("unary", "elementwise ops of one operand", unary_floats() + unary_ints())
save("binary", "elementwise ops of two operands", binary_floats() + binary_ints())
save("ternary", "elementwise ops of three operands", ternary_floats())
save("compare", "comparisons", compares())
save("cast", "conversions; results by target type", casts())
save("reduce", "reductions of a 7 x 40 tile, in order", reductions())
save("gemm", "matrix products, row-major", gemms())
