//! `tl.rand` and its kin give the bits of Philox 4x32-10, and numbers of the right distribution.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod in_process;

use in_process::{launch, simulate};

/// Philox by its paper: one round multiplies two words of the counter, swaps halves and mixes in
/// the key, which a constant is added to.
fn philox(mut c: [u32; 4], mut k: [u32; 2], rounds: u32) -> [u32; 4] {
    for _ in 0..rounds {
        let a = u64::from(c[0]) * 0xD251_1F53;
        let b = u64::from(c[2]) * 0xCD9E_8D57;
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

/// The known answers that Random123 publishes (kat_vectors, philox4x32 10).
#[test]
fn the_reference_of_this_test_is_right() {
    assert_eq!(philox([0; 4], [0; 2], 10), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    let ones = [u32::MAX; 4];
    let answer = [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd];
    assert_eq!(philox(ones, [u32::MAX; 2], 10), answer);
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    let answer = [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1];
    assert_eq!(philox(pi, [0xa409_3822, 0x299f_31d0], 10), answer);
}

/// Runs `body`, the lines of a kernel that stores to `out`, and asserts that the result is
/// `expected`, elements of `dtype`.
fn assert_gives(body: &str, dtype: &str, expected: &[String]) {
    let (n, list) = (expected.len(), expected.join(", "));
    let body = body.replace('\n', "\n    ");
    let text = format!(
        "def kernel(out, seed, tl):\n    {body}\n\n\n\
         def run(torch):\n    out = torch.zeros(({n},), dtype=\"{dtype}\")\n    \
         torch.launch(kernel, out, 0)\n    \
         expected = torch.tensor([{list}], dtype=\"{dtype}\")\n    \
         torch.testing.assert_close(out, expected, rtol=0, atol=0)\n"
    );
    let found = simulate(&text, &launch(1, "", ""), None);
    assert_eq!(found.verdict, "verified", "{}\n{text}", found.text());
}

fn words(values: impl IntoIterator<Item = u32>) -> Vec<String> {
    values.into_iter().map(|it| it.to_string()).collect()
}

const STORE_FOUR: &str = "tl.store(out, a)\ntl.store(out + 64, b)\ntl.store(out + 128, c)\n\
                          tl.store(out + 192, d)";

#[test]
fn published_answers_of_philox() {
    for (counter, key) in [
        ([0_u32; 4], [0_u32; 2]),
        ([u32::MAX; 4], [u32::MAX; 2]),
        ([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
    ] {
        let seed = u64::from(key[1]) << 32 | u64::from(key[0]);
        let tile = |word| format!("tl.full((1,), {word}, \"u32\")");
        let [c0, c1, c2, c3] = counter.map(tile);
        let body = format!(
            "key = tl.full((1,), {seed}, \"u64\")\n\
             a, b, c, d = tl.philox(key, {c0}, {c1}, {c2}, {c3})\n\
             tl.store(out, a)\ntl.store(out + 4, b)\ntl.store(out + 8, c)\ntl.store(out + 12, d)"
        );
        assert_gives(&body, "u32", &words(philox(counter, key, 10)));
    }
}

/// Random123's answer for philox4x64 10 of zeros.
#[test]
fn sixty_four_bit_counters() {
    let body = "z = tl.zeros((1,), \"u64\")\na, b, c, d = tl.philox(0, z, z, z, z)\n\
                tl.store(out, a.to(\"i64\"))\ntl.store(out + 8, b.to(\"i64\"))\ntl.store(out + 16, c.to(\"i64\"))\n\
                tl.store(out + 24, d.to(\"i64\"))";
    let expected: [u64; 4] = [
        0x1655_4d9e_ca36_314c,
        0xdb20_fe9d_672d_0fdc,
        0xd7e7_72ce_e186_176b,
        0x7e68_b68a_ec7b_a23b,
    ];
    assert_gives(body, "i64", &expected.map(|it| (it as i64).to_string()));
}

#[test]
fn randint4x_counts_by_the_offset() {
    for (seed, rounds) in [(0_u64, 10), (42, 10), (0x1234_5678_9abc_def0, 10), (7, 6)] {
        let key = [seed as u32, (seed >> 32) as u32];
        let all: Vec<[u32; 4]> = (0..16).map(|i| philox([i, 0, 0, 0], key, rounds)).collect();
        let body = format!(
            "a, b, c, d = tl.randint4x({seed}, tl.arange(0, 16), n_rounds={rounds})\n{STORE_FOUR}"
        );
        let expected = words((0..4).flat_map(|word| all.iter().map(move |it| it[word])));
        assert_gives(&body, "u32", &expected);
        let body = format!("tl.store(out, tl.randint({seed}, tl.arange(0, 16), {rounds}))");
        assert_gives(&body, "u32", &words(all.iter().map(|it| it[0])));
    }
}

/// Of 64-bit offsets the high word counts, too.
#[test]
fn wide_offsets_take_two_words() {
    let body = "i = tl.arange(0, 4).to(\"i64\") + (5 << 32)\ntl.store(out, tl.randint(3, i))";
    assert_gives(body, "u32", &words((0..4).map(|i| philox([i, 5, 0, 0], [3, 0], 10)[0])));
}

fn uniform(word: u32) -> f32 {
    let signed = word as i32;
    let distance = if signed < 0 { -1 - signed } else { signed };
    distance as f32 * 4.656_612_734_2e-10_f64 as f32
}

fn floats(values: impl IntoIterator<Item = f32>) -> Vec<String> {
    values.into_iter().map(|it| format!("{:e}", f64::from(it))).collect()
}

#[test]
fn rand_scales_the_words() {
    let words: Vec<[u32; 4]> = (0..64).map(|i| philox([i, 0, 0, 0], [99, 0], 10)).collect();
    let expected: Vec<f32> = words.iter().map(|it| uniform(it[0])).collect();
    assert!(expected.iter().all(|it| (0.0..1.0).contains(it)));
    assert_gives("tl.store(out, tl.rand(99, tl.arange(0, 64)))", "f32", &floats(expected));
    let body = format!("a, b, c, d = tl.rand4x(99, tl.arange(0, 16))\n{STORE_FOUR}");
    let four = (0..4).flat_map(|word| words[..16].iter().map(move |it| uniform(it[word])));
    assert_gives(&body, "f32", &floats(four));
}

/// The largest word gives a number below 1, in 32 and 64 bits.
#[test]
fn the_ends_of_the_interval() {
    let body = "tl.store(out, tl.uint_to_uniform_float(tl.full((1,), {}, \"u32\")))";
    for (word, expected) in [(0_u32, 0.0), (u32::MAX, 0.0), (1 << 31, uniform(1 << 31))] {
        assert!(expected < 1.0);
        assert_gives(&body.replace("{}", &word.to_string()), "f32", &floats([expected]));
    }
    let body = "tl.store(out, tl.uint_to_uniform_float(tl.full((1,), 1 << 63, \"u64\")))";
    let largest = (i64::MAX as f32) * 1.084_202_043_238_533_7e-19_f64 as f32;
    assert!(largest < 1.0);
    assert_gives(body, "f32", &floats([largest]));
}

/// Box and Muller by their formula in `f64`: within the roundings of its few steps.
#[test]
fn randn_is_box_and_muller() {
    let pairs = (0..64).map(|i| philox([i, 0, 0, 0], [5, 0], 10).map(uniform));
    let normal = |it: [f32; 4]| {
        let (u1, u2) = (f64::from(it[0].max(1e-7)), f64::from(it[1]));
        (-2.0 * u1.ln()).sqrt() * (std::f64::consts::TAU * u2).cos()
    };
    let expected: Vec<String> = pairs.map(|it| format!("{:e}", normal(it))).collect();
    let text = format!(
        "def kernel(out, tl):\n    tl.store(out, tl.randn(5, tl.arange(0, 64)))\n    \
         n, _, _, _ = tl.randn4x(5, tl.arange(0, 64))\n    tl.store(out + 256, n)\n\n\n\
         def run(torch):\n    out = torch.zeros((2, 64), dtype=\"f32\")\n    \
         torch.launch(kernel, out)\n    expected = torch.tensor([{}], dtype=\"f64\")\n    \
         torch.testing.assert_close(out[0], expected, rtol=1e-5, atol=2e-6)\n    \
         torch.testing.assert_close(out[1], out[0], rtol=0, atol=0)\n",
        expected.join(", ")
    );
    let found = simulate(&text, &launch(1, "", ""), None);
    assert_eq!(found.verdict, "verified", "{}\n{text}", found.text());
}

/// Means and variances of many numbers, by the laws of large numbers: within six standard errors.
#[test]
fn moments_are_those_of_the_distributions() {
    let text = "def kernel(u, n, tl):\n    i = tl.program_id(0) * 4096 + tl.arange(0, 4096)\n    \
                tl.store(u + tl.program_id(0) * 16384, tl.rand(1, i))\n    \
                tl.store(n + tl.program_id(0) * 16384, tl.randn(1, i))\n\n\n\
                def run(torch):\n    u = torch.zeros((8, 4096), dtype=\"f32\")\n    \
                n = torch.zeros((8, 4096), dtype=\"f32\")\n    torch.launch(kernel, u, n)\n    \
                x = u.double()\n    y = n.double()\n    \
                assert abs(x.mean().item() - 0.5) < 6 * 0.2887 / 181\n    \
                assert abs((x * x).mean().item() - 1 / 3) < 6 * 0.2981 / 181\n    \
                assert abs(y.mean().item()) < 6 / 181\n    \
                assert abs((y * y).mean().item() - 1) < 6 * 1.4142 / 181\n    \
                torch.testing.assert_close(u, u, rtol=0, atol=0)\n";
    let found = simulate(text, &launch(8, "", ""), None);
    assert_eq!(found.verdict, "verified", "{}\n{text}", found.text());
}

#[test]
fn the_high_half_of_a_product() {
    let body = "x = tl.full((1,), 0xFFFFFFFF, \"u32\")\ntl.store(out, tl.umulhi(x, x))";
    assert_gives(body, "u32", &words([0xffff_fffe]));
    let body = "x = tl.full((1,), -1, \"i32\")\ntl.store(out, tl.umulhi(x, 3))";
    assert_gives(body, "i32", &words([2]));
    let body = "x = tl.full((1,), (1 << 63) + 5, \"u64\")\ntl.store(out, tl.umulhi(x, 6))";
    assert_gives(body, "u64", &words([3]));
}
