//! Matrix products of batches, of mixed 8-bit floats, into f16, of views: compared with sums of
//! products computed here, of numbers so small that no sum is rounded.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod in_process;

use in_process::{check, launch, simulate};

/// Small whole numbers, different from place to place; every float type holds them.
fn whole(place: u64, salt: u64) -> i64 {
    ((place * 7 + salt * 5 + place / 11) % 9) as i64 - 4
}

/// `a[batch, m, k] · b[batch, k, n]` of [`whole`] numbers.
fn products([batch, m, n, k]: [u64; 4]) -> Vec<i64> {
    let element = |place: u64| {
        let (of, row, column) = (place / (m * n), place / n % m, place % n);
        let term =
            |at: u64| whole((of * m + row) * k + at, 1) * whole((of * k + at) * n + column, 2);
        (0..k).map(term).sum()
    };
    (0..batch * m * n).map(element).collect()
}

/// A tensor of one axis, as a host function writes it.
fn tensor(values: impl IntoIterator<Item = i64>, dtype: &str) -> String {
    let values: Vec<String> = values.into_iter().map(|it| it.to_string()).collect();
    format!("torch.tensor([{}], dtype=\"{dtype}\")", values.join(", "))
}

struct Case {
    sizes: [u64; 4],
    /// The element types of both factors and of the result.
    types: [&'static str; 3],
    /// What makes the product of `a` and `b`.
    product: &'static str,
}

impl Case {
    fn text(&self) -> String {
        let ([batch, m, n, k], [of_a, of_b, to]) = (self.sizes, self.types);
        let shape = |rows: u64, columns: u64| match batch {
            1 => format!("({rows}, {columns})"),
            _ => format!("({batch}, {rows}, {columns})"),
        };
        let a = tensor((0..batch * m * k).map(|it| whole(it, 1)), of_a);
        let b = tensor((0..batch * k * n).map(|it| whole(it, 2)), of_b);
        let expected = tensor(products(self.sizes), to);
        format!(
            "def kernel(a_ptr, b_ptr, c_ptr, tl):\n    \
             a = tl.load(a_ptr, shape={}, dtype=\"{of_a}\")\n    \
             b = tl.load(b_ptr, shape={}, dtype=\"{of_b}\")\n    \
             tl.store(c_ptr, {})\n\n\n\
             def run(torch):\n    a = {a}\n    b = {b}\n    \
             c = torch.zeros(({},), dtype=\"{to}\")\n    torch.launch(kernel, a, b, c)\n    \
             torch.testing.assert_close(c, {expected}, rtol=0, atol=0)\n",
            shape(m, k),
            shape(k, n),
            self.product,
            batch * m * n,
        )
    }
}

fn assert_multiplies(sizes: [u64; 4], types: [&'static str; 3], product: &'static str) {
    let text = Case { sizes, types, product }.text();
    let found = simulate(&text, &launch(1, "", ""), None);
    assert_eq!(found.verdict, "verified", "{sizes:?} {types:?} {product}\n{}", found.text());
}

#[test]
fn every_type_that_is_multiplied() {
    let types = [
        ["f32", "f32", "f32"],
        ["f16", "f16", "f32"],
        ["bf16", "bf16", "f32"],
        ["f64", "f64", "f64"],
        ["i8", "i8", "i32"],
        ["f8e4m3", "f8e4m3", "f32"],
        ["f8e5m2", "f8e5m2", "f32"],
        ["f8e4m3", "f8e5m2", "f32"],
        ["f8e5b16", "f8e4b8", "f32"],
    ];
    for types in types {
        for sizes in [[1, 3, 4, 5], [1, 16, 20, 9], [2, 5, 6, 7], [3, 1, 2, 1]] {
            assert_multiplies(sizes, types, "tl.dot(a, b)");
        }
    }
}

#[test]
fn halves_may_be_the_result() {
    for of in ["f16", "f8e4m3"] {
        assert_multiplies([1, 8, 8, 8], [of, of, "f16"], "tl.dot(a, b, out_dtype=tl.float16)");
        let into = "tl.dot(a, b, acc=tl.zeros((2, 8, 8), \"f16\"), out_dtype=\"f16\")";
        assert_multiplies([2, 8, 8, 8], [of, of, "f16"], into);
    }
}

/// `(b^T a^T)^T` is `a b`; no element moves before the product reads it.
#[test]
fn factors_may_be_views() {
    let twice = "tl.trans(tl.dot(tl.trans(b), tl.trans(a)))";
    assert_multiplies([1, 6, 7, 5], ["f16", "f16", "f32"], twice);
    let twice = "tl.permute(tl.dot(tl.permute(b, 0, 2, 1), tl.permute(a, 0, 2, 1)), 0, 2, 1)";
    assert_multiplies([3, 6, 7, 5], ["f16", "f16", "f32"], twice);
    let many = "tl.dot(tl.broadcast_to(tl.expand_dims(tl.reshape(a, 4, 3), 0), 2, 4, 3), \
                tl.broadcast_to(tl.expand_dims(b, 0), 2, 3, 5)).sum(0) * 0.5";
    assert_multiplies([1, 4, 5, 3], ["f32", "f32", "f32"], many);
}

#[test]
fn precisions_are_allowances() {
    for said in ["input_precision=\"tf32\"", "input_precision=\"IEEE\"", "allow_tf32=False"] {
        let product: String = format!("tl.dot(a, b, {said})");
        assert_multiplies([1, 4, 4, 4], ["f32", "f32", "f32"], product.leak());
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let cases = [
        ("(2, 4, 4)", "f16", "(3, 4, 4)", "f16", "", "the batches differ"),
        ("(2, 4, 4)", "f16", "(4, 4)", "f16", "", "the batches differ"),
        ("(2, 4, 5)", "f16", "(2, 4, 4)", "f16", "", "the inner extents differ"),
        ("(4,)", "f16", "(4, 4)", "f16", "", "two axes, or three of a batch"),
        ("(4, 4)", "f16", "(4, 4)", "bf16", "", "the element types differ"),
        ("(4, 4)", "f16", "(4, 4)", "f8e4m3", "", "the element types differ"),
        ("(4, 4)", "i16", "(4, 4)", "i16", "", "not multiplied by the matrix engine"),
        ("(4, 4)", "bf16", "(4, 4)", "bf16", ", out_dtype=tl.bfloat16", "sums in f32"),
        ("(4, 4)", "f32", "(4, 4)", "f32", ", input_precision=\"fp8\"", "not a precision"),
        (
            "(4, 4)",
            "f32",
            "(4, 4)",
            "f32",
            ", input_precision=\"ieee\", allow_tf32=True",
            "says the precision again",
        ),
    ];
    for (a, of_a, b, of_b, more, said) in cases {
        let text = format!(
            "def kernel(p, tl):\n    a = tl.load(p, shape={a}, dtype=\"{of_a}\")\n    \
             b = tl.load(p, shape={b}, dtype=\"{of_b}\")\n    tl.store(p, tl.dot(a, b{more}))\n"
        );
        let found = check(&text, &launch(1, "", ""));
        assert_eq!(found.codes().len(), 1, "{text}\n{}", found.text());
        assert!(found.text().contains(said), "{text}\n{}", found.text());
    }
}
