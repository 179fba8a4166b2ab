"""Loops, branches, and methods that change their receiver."""


def primes(limit):
    found = []
    for n in range(2, limit):
        for p in found:
            if p * p > n:
                found.append(n)
                break
            if n % p == 0:
                break
        if not found or (found[-1] != n and all(n % p for p in found)):
            found.append(n)
    return found


def collatz(n):
    steps = 0
    while True:
        if n == 1:
            return steps
        steps += 1
        if n % 2:
            n = 3 * n + 1
            continue
        n //= 2


def nothing():
    pass


def classify(x):
    if x < 0:
        return "negative"
    elif x == 0:
        return "zero"
    elif x < 10:
        kind = "small"
    else:
        kind = "large"
    return kind


def merge(left, right):
    merged = []
    while left and right:
        merged.append(left.pop(0) if left[0] <= right[0] else right.pop(0))
    merged.extend(left or right)
    return merged


def check():
    assert primes(30) == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    assert collatz(27) == 111
    assert nothing() is None
    assert [classify(x) for x in (-1, 0, 5, 50)] == ["negative", "zero", "small", "large"]
    assert merge([1, 4, 9], [2, 3]) == [1, 2, 3, 4, 9]
    walked = [1, 2, 3]
    for item in walked:
        if len(walked) < 6:
            walked.append(item * 10)
    assert walked == [1, 2, 3, 10, 20, 30]
    letters = list("hello")
    letters.sort()
    assert letters == ["e", "h", "l", "l", "o"]
    letters.sort(key=lambda c: -ord(c), reverse=False)
    assert "".join(letters) == "ollhe"
    letters.reverse()
    letters.insert(1, "X")
    letters.insert(-1, "Y")
    letters.remove("l")
    assert letters == ["e", "X", "h", "l", "Y", "o"]
    assert letters.index("l") == 3 and letters.pop() == "o" and letters.pop(0) == "e"
    copy = letters.copy()
    copy.clear()
    assert copy == [] and len(letters) == 4
    d = {}
    for word in "to be or not to be".split():
        d[word] = d.get(word, 0) + 1
    assert d == {"to": 2, "be": 2, "or": 1, "not": 1}
    assert list(d) == ["to", "be", "or", "not"]
    assert d.pop("or") == 1 and d.pop("or", None) is None
    d.update({"x": 1})
    assert d.setdefault("x", 5) == 1 and d.setdefault("y", 5) == 5
    for key, value in d.items():
        assert d[key] == value
    total = 0
    for i, (a, b) in enumerate(zip(range(3), [5, 6, 7])):
        total += i * (a + b)
    assert total == 7 + 2 * 9
    assert d is d and d.copy() is not d and d.copy() == d
