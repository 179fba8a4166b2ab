"""Names, closures, defaults, unpacking."""

SCALE = 3
TABLE = {"a": 1, "b": 2}


def scaled(x, by=SCALE, *rest):
    total = x * by
    for value in rest:
        total += value
    return total


def counter():
    seen = []

    def add(x):
        seen.append(x)
        return len(seen)

    return add


def makers():
    return [lambda x, n=n: x + n for n in range(3)]


def late():
    made = [lambda: i for i in range(3)]
    return [f() for f in made]


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def outer(x):
    def inner(y):
        return x + y + after()

    def after():
        return SCALE * 100

    return inner(1)


def check():
    assert scaled(2) == 6
    assert scaled(2, 10) == 20
    assert scaled(2, 10, 1, 1) == 22
    assert scaled(x=1, by=5) == 5
    assert scaled(*[1, 2, 3]) == 5
    assert scaled(**{"x": 2, "by": 2}) == 4
    add = counter()
    assert [add("x"), add("y")] == [1, 2]
    assert [f(10) for f in makers()] == [10, 11, 12]
    assert late() == [2, 2, 2]
    assert fib(12) == 144
    assert outer(2) == 303
    a, (b, *c), d = 1, (2, 3, 4), 5
    assert (a, b, c, d) == (1, 2, [3, 4], 5)
    *head, last = range(4)
    assert head == [0, 1, 2] and last == 3
    x = y = [1]
    x += [2]
    assert y == [1, 2]
    x = x + [3]
    assert y == [1, 2] and x == [1, 2, 3]
    grid = [[0] * 2 for _ in range(2)]
    grid[0][1] += 5
    grid[1][0] = 7
    assert grid == [[0, 5], [7, 0]]
    TABLE["c"] = TABLE["a"] + TABLE["b"]
    assert TABLE == {"a": 1, "b": 2, "c": 3}
    i = 99
    squares = [i * i for i in range(3)]
    assert i == 99 and squares == [0, 1, 4]
    n: int = 4
    n **= 2
    n //= 3
    n <<= 1
    assert n == 10
    s = "ab"
    s *= 2
    assert s == "abab"
