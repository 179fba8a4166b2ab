"""The library `math`, and integers at the edge of 64 bits."""

import math
from math import sqrt, pi as PI


def check():
    assert math.ceil(7 / 2) == 4 and math.floor(-0.5) == -1
    assert math.sqrt(16) == 4.0 and sqrt(2.25) == 1.5
    assert math.log2(8) == 3.0 and math.log(1) == 0.0
    assert math.log(8, 2) == 3.0
    assert math.gcd(12, 18) == 6 and math.isqrt(17) == 4
    assert math.prod([1, 2, 3, 4]) == 24
    assert PI == math.pi and 3.14 < PI < 3.15
    assert math.isnan(math.nan) and math.isinf(-math.inf) and math.isfinite(0)
    assert math.exp(0) == 1.0 and math.fabs(-2) == 2.0
    assert 2**63 - 1 == 9223372036854775807
    assert 2**64 > 2**63 > -(2**63)
    assert (2**100) % 1000 == 376
    assert 10**30 // 10**28 == 100
