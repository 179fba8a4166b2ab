//! Ops that pick, order and combine elements, run from the language to the data, against their
//! definitions written out as loops in the host program.

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

/// A program whose kernel makes `y` of the i32 tile `x` of `n` elements by `body`, and whose host
/// expects `expected` (an expression of the list `x`).
fn program(n: usize, out: usize, helpers: &str, body: &str, expected: &str) -> String {
    // Small numbers, some of them twice, in no order.
    let x: Vec<String> = (0..n).map(|at| ((at * 37 + 11) % 23).to_string()).collect();
    let data = x.join(", ");
    let mut text = format!("{helpers}\n\ndef kernel(x_ptr, y_ptr, n, tl):\n");
    text += "    x = tl.load(x_ptr, shape=(n,), dtype=\"i32\")\n";
    for line in body.lines() {
        text += &format!("    {line}\n");
    }
    text += "    tl.store(y_ptr, y)\n\n\ndef run(torch):\n";
    text += &format!("    x = [{data}]\n    a = torch.zeros(({n},), dtype=\"i32\")\n");
    text += &format!("    for i in range({n}):\n        a[i] = x[i]\n");
    text += &format!("    b = torch.zeros(({out},), dtype=\"i32\")\n");
    text += &format!("    torch.launch(\"case\", kernel, a, b, {n})\n");
    text += &format!("    e = {expected}\n    for i in range({out}):\n");
    text += "        assert int(b[i]) == e[i], f\"{i}: {int(b[i])} is not {e[i]}\"\n";
    text
}

fn holds(text: &str) {
    let found = simulate(text, &launch(1, "", ""), None);
    assert!(found.codes().is_empty() && found.verdict != "refused", "{text}\n{}", found.text());
}

/// Keeps the left operand: associative and not commutative, so any change of order shows.
const FIRST: &str = "def first(a, b, tl):\n    return tl.where(a >= 0, a, b)";
/// Affine maps composed: `(m, c)` then `(k, d)`.
const AFFINE: &str = "def affine(m, c, k, d, tl):\n    return m * k, c * k + d";

#[test]
fn reductions_by_a_function_keep_the_order_of_any_number_of_elements() {
    for n in [1, 2, 3, 5, 7, 8, 13, 31] {
        let body = "m, y = tl.reduce((x % 3 - 1, x), 0, affine)\ny = y.reshape(1)";
        let expected = format!("[horner(x, {n})[-1]]");
        let host = "def horner(x, n):\n    c = x[0]\n    out = [c]\n    for i in range(1, n):\n        \
                    c = c * (x[i] % 3 - 1) + x[i]\n        out = out + [c]\n    return out";
        holds(&program(n, 1, &format!("{AFFINE}\n\n{host}"), body, &expected));
        let body = "m, y = tl.associative_scan((x % 3 - 1, x), 0, affine)";
        let expected = format!("horner(x, {n})");
        holds(&program(n, n, &format!("{AFFINE}\n\n{host}"), body, &expected));
        let body = "m, y = tl.associative_scan((x % 3 - 1, x), 0, affine, reverse=True)";
        let expected = format!("horner(x[::-1], {n})[::-1]");
        holds(&program(n, n, &format!("{AFFINE}\n\n{host}"), body, &expected));
        let body = "y = tl.associative_scan(x, 0, first)";
        holds(&program(n, n, FIRST, body, &format!("[x[0]] * {n}")));
    }
}

#[test]
fn elements_are_picked_and_ordered() {
    for n in [1, 2, 6, 8, 15] {
        let last = format!("[x[{n} - 1 - i] for i in range({n})]");
        holds(&program(n, n, "", "y = tl.flip(x, 0)", &last));
        holds(&program(n, n, "", "y = tl.flip(tl.flip(x, 0), 0)", "x"));
        let twice = 2 * n;
        holds(&program(n, twice, "", "y = tl.cat(x, x + 1)", "x + [it + 1 for it in x]"));
        let turns = format!("[x[i // 2] + i % 2 for i in range({twice})]");
        holds(&program(n, twice, "", "y = tl.interleave(x, x + 1)", &turns));
        let halves = "a, b = tl.split(tl.join(x, x * 2))\ny = b - a";
        holds(&program(n, n, "", halves, "x"));
        holds(&program(n, n, "", "y = tl.sort(x)", "sorted(x)"));
        holds(&program(n, n, "", "y = tl.sort(x, descending=True)", "sorted(x)[::-1]"));
        let index = format!("y = tl.gather(x, {n} - 1 - tl.arange(0, n), 0)");
        holds(&program(n, n, "", &index, &last));
        let counts = "[sum([1 for it in x if it == i]) for i in range(12)]";
        holds(&program(n, 12, "", "y = tl.histogram(x, 12)", counts));
        let sums = format!("[sum(x[:i + 1]) for i in range({n})]");
        holds(&program(n, n, "", "y = tl.cumsum(x, 0)", &sums));
    }
    // Three of the largest, and the halves of a row that rises and falls.
    holds(&program(9, 3, "", "y = tl.topk(x, 3)", "sorted(x)[::-1][:3]"));
    let bitonic = "low = tl.sort(x)\ny = tl.bitonic_merge(tl.cat(low, tl.flip(low, 0)))";
    holds(&program(8, 16, "", bitonic, "sorted(x + x)"));
}

#[test]
fn views_of_views_reach_the_elements_that_they_name() {
    // A transposed, reversed matrix, one column of it, reduced and reshaped.
    let body = "m = tl.flip(x.reshape(4, 3), 0).T\na, b = tl.split(m.reshape(3, 2, 2))\ny = (a + b).reshape(6)";
    let at = "lambda r, c: x[(3 - c) * 3 + r]";
    let expected =
        format!("[({at})(i // 2, i % 2 * 2) + ({at})(i // 2, i % 2 * 2 + 1) for i in range(6)]");
    holds(&program(12, 6, "", body, &expected));
    let body = "m = tl.flip(x.reshape(4, 3), 1)\ny = tl.sum(m, axis=0)";
    let expected = "[sum([x[r * 3 + 2 - c] for r in range(4)]) for c in range(3)]";
    holds(&program(12, 3, "", body, expected));
}

#[test]
fn places_of_equal_elements_are_those_at_the_end_that_is_asked_for() {
    // The places of the largest and the smallest, first and last.
    let best = "max(x) if MAX else min(x)";
    for n in [1, 3, 8, 24, 30] {
        for (name, largest) in [("max", true), ("min", false)] {
            let best = best.replace("MAX", if largest { "True" } else { "False" });
            let first = format!("[[i for i in range({n}) if x[i] == ({best})][0]]");
            let last = format!("[[i for i in range({n}) if x[i] == ({best})][-1]]");
            let place = format!("y = tl.arg{name}(x, 0).reshape(1)");
            holds(&program(n, 1, "", &place, &first));
            let place = format!("y = tl.arg{name}(x, 0, tie_break_left=False).reshape(1)");
            holds(&program(n, 1, "", &place, &last));
            let both = format!(
                "v, i = tl.{name}(x, 0, return_indices=True)\ny = (v * 100 + i).reshape(1)"
            );
            holds(&program(n, 1, "", &both, &format!("[({best}) * 100 + ({first})[0]]")));
            let both = format!(
                "v, i = tl.{name}(x, axis=0, return_indices=True, \
                 return_indices_tie_break_left=False, keep_dims=True)\ny = v * 100 + i"
            );
            holds(&program(n, 1, "", &both, &format!("[({best}) * 100 + ({last})[0]]")));
        }
    }
}

#[test]
fn places_from_the_right_are_along_one_axis_or_over_all_elements() {
    let two = "z = x.reshape(3, 4)";
    let rows = format!("{two}\ny = tl.argmax(z % 5, 1, tie_break_left=False)");
    let expected = "[[i for i in range(4) if x[4 * r + i] % 5 == max([it % 5 for it in \
                    x[4 * r:4 * r + 4]])][-1] for r in range(3)]";
    holds(&program(12, 3, "", &rows, expected));
    let all = format!(
        "{two}\nv, i = tl.min(z % 5, return_indices=True, return_indices_tie_break_left=False)\n\
         y = (v * 100 + i).reshape(1)"
    );
    let expected = "[[i for i in range(12) if x[i] % 5 == min([it % 5 for it in x])][-1] \
                    + 100 * min([it % 5 for it in x])]";
    holds(&program(12, 1, "", &all, expected));
}

#[test]
fn bits_are_combined() {
    let host = "def folded(x, both):\n    a, b = 0, 0\n    for it in x:\n        a = a ^ it\n        \
                b = b | it\n    return [a, b] if both else [a]";
    for n in [1, 5, 16] {
        holds(&program(n, 1, host, "y = tl.xor_sum(x, 0).reshape(1)", "folded(x, False)"));
        let both = "y = tl.cat(tl.xor_sum(x, 0, keep_dims=True), tl.reduce_or(x).reshape(1))";
        holds(&program(n, 2, host, both, "folded(x, True)"));
    }
}

/// 1 where the result of `body`, of f32, is not a number.
fn nans(body: &str, expected: [i32; 4]) {
    // Elements 0 and 2 of `f` are NaNs, `g` has one at 3; the others are 0 to 3.
    let given = "f = tl.where(tl.arange(0, 4) % 2 == 0, float(\"nan\"), x.to(\"f32\"))\n\
                 g = tl.where(tl.arange(0, 4) == 3, float(\"nan\"), 2.5)";
    let body = format!("{given}\nr = {body}\ny = tl.where(r != r, -1, (r * 2).to(\"i32\"))");
    let host = "def loaded(x):\n    return EXPECTED".replace("EXPECTED", &format!("{expected:?}"));
    let data = program(4, 4, &host, &body, "loaded(x)");
    // The kernel makes its own numbers, so that they are easy to follow.
    holds(&data.replace("x = tl.load(x_ptr, shape=(n,), dtype=\"i32\")", "x = tl.arange(0, 4)"));
}

#[test]
fn a_nan_wins_where_it_is_asked_to() {
    nans("tl.maximum(f, g)", [5, 5, 5, 6]);
    nans("tl.minimum(f, g)", [5, 2, 5, 6]);
    for all in ["tl.PropagateNan.ALL", "\"ALL\""] {
        nans(&format!("tl.maximum(f, g, propagate_nan={all})"), [-1, 5, -1, -1]);
        nans(&format!("tl.minimum(f, g, {all})"), [-1, 2, -1, -1]);
        nans(&format!("tl.clamp(f, 1.5, 2.0, {all})"), [-1, 3, -1, 4]);
        let max = format!("tl.max(f, 0, keep_dims=True, propagate_nan={all}) + g * 0.0");
        nans(&max, [-1, -1, -1, -1]);
    }
    nans("tl.maximum(f, g, propagate_nan=tl.PropagateNan.NONE)", [5, 5, 5, 6]);
    nans("tl.clamp(f, 1.5, 2.0)", [3, 3, 3, 4]);
    nans("tl.min(f, 0, keep_dims=True) + x", [2, 4, 6, 8]);
}
