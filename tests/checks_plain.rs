//! `kbc check` of a file alone: it fails none that runs, whatever its tensors hold, it checks what
//! no kernel reaches, and it warns of what is proved and of nothing that ships.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use std::io::Write;
use std::path::{Path, PathBuf};

use kbc::driver::{LaunchOptions, Lints, Session};

/// What is said of a text: `LINE: CODE`, in the order of the text.
fn said(text: &str) -> Vec<String> {
    said_of("kernel.py", text, Lints::default())
}

fn said_of(name: &str, text: &str, lints: Lints) -> Vec<String> {
    said_with(name, text, lints, &LaunchOptions::default())
}

fn said_with(name: &str, text: &str, lints: Lints, options: &LaunchOptions) -> Vec<String> {
    let mut session = Session::with_lints(lints);
    let unit = session.load(name, text.as_bytes());
    let _ = unit.and_then(|unit| session.check(&unit, options));
    let found = session.take_diagnostics();
    let place = |it: &kbc::diag::Diagnostic| {
        let Some(span) = it.primary.as_ref().map(|label| label.span) else {
            return format!("{}: {}", it.code.id, it.message);
        };
        let line = session.sources().get(span.file).unwrap().line_column(span.start).0;
        format!("{line}: {}", it.code.id)
    };
    found.iter().map(place).collect()
}

/// A program whose kernel holds `body`; the first line of `body` is line 5.
fn program(params: &str, body: &str) -> String {
    let mut text =
        format!("import triton\nimport triton.language as tl\n@triton.jit\ndef k({params}):\n");
    body.lines().for_each(|line| text += &format!("    {line}\n"));
    text
}

fn files_below(root: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|it| it.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files_below(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

/// The kernels of the layers, which have no `kernel_args`: a launch names one.
const LAYERS: [&str; 2] = ["linear", "linear_in_columns"];

/// The launches of a module: of the kernel that each is of, and of what `kernel_args`, or that kernel, asks for
/// without a default.
fn launches(text: &str) -> Vec<LaunchOptions> {
    let is_here = |name: &&str| text.contains(&format!("def {name}("));
    let named: Vec<&str> = LAYERS.into_iter().filter(is_here).collect();
    let asked = |name: &str| settings(text, name);
    match &named[..] {
        [] => vec![LaunchOptions { settings: asked("kernel_args"), ..LaunchOptions::default() }],
        names => names
            .iter()
            .map(|name| LaunchOptions {
                entry: Some((*name).into()),
                settings: asked(name),
                ..LaunchOptions::default()
            })
            .collect(),
    }
}

/// What the function `name` asks for, as those who launch the module say it.
fn settings(text: &str, name: &str) -> Vec<(String, String)> {
    let asks = format!("def {name}(");
    let signature = text.split(&asks).nth(1).and_then(|it| it.split(')').next());
    let known = [
        ("n_elem", "64"),
        ("itemsize", "2"),
        ("dtype", "f16"),
        ("op", "sum"),
        ("src", "0"),
        ("dst", "1"),
    ];
    let asked = |name: &str| {
        signature.is_some_and(|it| it.split(',').any(|parameter| parameter.trim() == name))
    };
    let settings = known.iter().filter(|(name, _)| asked(name));
    settings.map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn nothing_is_said_of_what_ships() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for (folder, ending) in [("kernels", ".kb"), ("kernels", ".py"), ("lib", ".kb")] {
        files_below(&root.join(folder), ending, &mut files);
    }
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for launch in launches(&text) {
            let found = said_with(&path.to_string_lossy(), &text, Lints::default(), &launch);
            assert!(found.is_empty(), "{}: {found:?}", path.display());
        }
    }
}

/// Vectors that the launch refuses as well: data decides what runs, or atomics.
const REFUSED: [&str; 2] = ["K0550", "K0209"];

#[test]
fn kernels_that_triton_runs_are_let_pass() {
    let shared = std::env::var("KBC_SHARED").unwrap_or_else(|_| String::from("../shared"));
    let vectors = PathBuf::from(shared).join("triton-vectors");
    if !vectors.is_dir() {
        let _ = writeln!(std::io::stderr(), "NOT RUN: no {}: set KBC_SHARED", vectors.display());
        return;
    }
    let mut files = Vec::new();
    files_below(&vectors, "kernel.py", &mut files);
    assert_eq!(files.len(), 41);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let found = said(&text);
        let is_known = |it: &String| {
            it.ends_with("K0512") || REFUSED.iter().any(|refused| it.ends_with(refused))
        };
        assert!(found.iter().all(is_known), "{}: {found:?}", path.display());
    }
}

#[test]
fn tensors_are_of_integers_where_floats_make_errors() {
    let i = "i = tl.arange(0, 16)\n";
    let bodies = [
        "tl.store(X + i, tl.load(X + i) << 2)",
        "tl.store(X + i, tl.load(Y + tl.load(X + i)))",
        "tl.store(X + i, tl.load(X + i) // 3)",
        "x = tl.gather(tl.load(Y + i), tl.load(X + i), 0)\ntl.store(Y + i, x)",
        "a = tl.zeros((16, 16), tl.int32)\nfor _j in range(4):\n    x = tl.load(X + i[:, None] * 16 + i)\n    \
         y = tl.load(Y + i[:, None] * 16 + i)\n    a = tl.dot(x, y, a)\ntl.store(Y + i[:, None] * 16 + i, a)",
        "tl.store(X + i, tl.load(X + i).to(tl.int64, bitcast=True))",
        "tl.store(Y + i, tl.exp(tl.load(Y + i)) * (tl.load(X + i) & 1))",
    ];
    for body in bodies {
        let found = said(&program("X, Y=None", &format!("{i}{body}")).replace(", Y=None", ", Y"));
        let found: Vec<&String> = found.iter().filter(|it| !it.ends_with("K0224")).collect();
        let looked_up = found.iter().all(|it| it.ends_with("K0512"));
        assert!(looked_up, "{body}: {found:?}");
    }
}

#[test]
fn what_has_an_element_type_is_a_pointer() {
    for dtype in ["X.dtype.element_ty", "X.type.element_ty", "y.type.element_ty", "y.dtype.scalar"]
    {
        let body = format!(
            "y = tl.load(Y + tl.arange(0, 16))\ntl.store(X + tl.arange(0, 16), y.to({dtype}))"
        );
        assert!(said(&program("X, Y", &body)).is_empty(), "{dtype}");
    }
}

#[test]
fn no_element_type_mends_what_is_wrong_with_all() {
    let both = "i = tl.arange(0, 16)\nx = tl.load(X + i)\ntl.store(X + i, tl.exp(x << 2))";
    assert_eq!(said(&program("X", both)), ["7: K0311"]);
    // Nor is what an annotation says taken for anything else.
    let said_so = "i = tl.arange(0, 16)\ntl.store(X + i, tl.load(X + i) << 2)";
    assert_eq!(said(&program("X: \"*fp32\"", said_so)), ["6: K0311"]);
    assert!(said(&program("X", said_so)).is_empty());
}

#[test]
fn helpers_that_no_kernel_calls_are_checked_for_what_needs_no_types() {
    let body = "z = tl.exp(x) + nowhere\nw = tl.maximun(z, y)\nfor i in range(4):\n    \
                z += tl.load(x + i, masc=y)\nreturn z + w";
    assert_eq!(said(&program("x, y", body)), ["5: K0201", "6: K0202", "8: K0215"]);
    let fine = "if y > 0:\n    z = tl.dot(x, y).to(x.dtype)\nelse:\n    z = x\nreturn z";
    assert!(said(&program("x, y", fine)).is_empty());
    let annotated = "def helper(x: \"tl.tensor\", tl):\n    tl.send(dir=\"E\", src=y)\n";
    assert_eq!(said(annotated), ["2: K0201"]);
    // A kernel that gives a value back is still one.
    let kernel = "def kernel(ptr, n, tl):\n    return tl.load(ptr, shape=(n,), dtype=\"f16\")\n";
    assert_eq!(said(kernel), ["2: K0325"]);
}

#[test]
fn names_that_nothing_reads_are_said_once() {
    let body = "i = tl.arange(0, 4)\na = i\nb, c = i, i\n_d = i\nfor e in range(3):\n    tl.store(X + i, b)\n    \
                f = e\n    f = e + 1";
    let text = program("X, n, _m, s", body);
    assert_eq!(said(&text), ["4: K0224", "4: K0224", "6: K0223", "11: K0223"]);
    let named =
        text.replace("@triton.jit", "@triton.autotune([], key=[\"n\", \"s\"])\n@triton.jit");
    assert_eq!(said(&named), ["7: K0223", "12: K0223"]);
    let imports = "import math\nimport numpy as np\nfrom typing import Optional\nimport torch\n\n\
                   def run(torch):\n    return np.zeros(1)\n\ndef k(x: \"Optional\", tl):\n    tl.store(x, tl.zeros((4,), 'f32'))\n";
    assert!(said(imports).contains(&String::from("1: K0222")));
    assert!(!said(imports).iter().any(|it| it.starts_with('2') || it.starts_with("3: ")));
}

#[test]
fn masks_are_said_to_hold_only_where_they_do() {
    let given = "i = tl.arange(0, N)\nj = tl.program_id(0) * 64 + tl.arange(0, 64)\n";
    let cases = [
        ("i < N", true),
        ("N > i", true),
        ("i <= N", true),
        ("i >= 0", true),
        ("(i < N) & (i >= 0)", true),
        ("j >= 0", true),
        ("tl.arange(0, 64) < 64", true),
        ("tl.arange(0, 64) + 10 < 74", true),
        ("tl.arange(0, 64) * 2 <= 126", true),
        ("i < n", false),
        ("j < 64", false),
        ("i < N - 1", false),
        ("i + 1 < N", false),
        ("(i < N) & (i < n)", false),
        ("tl.arange(0, 64) < 63", false),
        ("tl.arange(0, 64) - 1 >= 0", false),
        ("tl.arange(0, 64) * n >= 0", false),
    ];
    for (mask, always) in cases {
        let offsets = if mask.contains('j') || mask.contains("64)") { "j" } else { "i" };
        let body = format!(
            "{given}tl.store(X + {offsets}, n + N + i[:, None].shape[1] + j.shape[0], mask={mask})"
        );
        let found = said(&program("X, n, N: tl.constexpr", &body));
        assert_eq!(found.contains(&String::from("7: K0510")), always, "{mask}: {found:?}");
    }
}

#[test]
fn stores_in_vain_are_those_that_nothing_can_see() {
    let given = "i = tl.arange(0, 16)\nm = i < n\nx = tl.load(X + i)\n";
    let cases = [
        ("tl.store(Y + i, x)\ntl.store(Y + i, x + 1)", true),
        ("tl.store(Y + i, x, mask=m)\ntl.store(Y + i, x + 1)", true),
        ("tl.store(Y + i, x, mask=i < n)\ntl.store(Y + i, x + 1, mask=m)", true),
        ("tl.store(Y + i, x)\ntl.store(X + i, x)\ntl.store(Y + i, x + 1)", true),
        ("tl.store(Y + i, x)\ntl.store(Y + i, x + 1, mask=m)", false),
        ("tl.store(Y + i, x)\ny = tl.load(Y + i)\ntl.store(Y + i, y + 1)", false),
        ("tl.store(Y + i, x)\ntl.store(Y + i + 16, x)", false),
        ("tl.store(Y + i, x)\nif n > 4:\n    tl.store(Y + i, x + 1)", false),
        ("tl.store(Y, n)\ntl.store(Y, n + 1)", true),
        ("tl.store(Y, n)\ntl.store(Y + 1, n)", false),
    ];
    for (stores, vain) in cases {
        let found = said(&program("X, Y, n", &format!("{given}{stores}\ntl.store(X, m + x)")));
        let found = found.iter().any(|it| it.ends_with("K0511"));
        assert_eq!(found, vain, "{stores}");
    }
}

#[test]
fn lanes_are_apart_where_the_last_axis_says_so() {
    let given = "i = tl.arange(0, 16)\nrow = i[:, None]\ncolumn = i[None, :]\n";
    let cases = [
        ("row * 16 + column", false),
        ("row + column * 16", true),
        ("column * 2", true),
        ("row * s + column", false),
        ("row + column * s", false),
        ("tl.trans(row * 16 + column)", true),
        ("tl.load(X + i)[:, None] * 16 + column", false),
        ("row * 16 + tl.load(X + i)[None, :]", true),
        ("(row * 16 + column) % s", false),
        ("15 - column", false),
        ("row * 16 + 0 * column", false),
        ("(row * 16 + column).to(tl.int64) * 4", true),
    ];
    for (offsets, apart) in cases {
        let body = format!("{given}tl.store(Y + row * 16 + column, tl.load(Y + ({offsets})) + s)");
        let found = said(&program("X, Y, s", &body));
        assert_eq!(found.iter().any(|it| it.ends_with("K0512")), apart, "{offsets}: {found:?}");
    }
}

#[test]
fn warnings_are_turned_off_and_into_errors() {
    let text = program("X, n", "tl.store(X, 1.0)");
    assert_eq!(said(&text), ["4: K0224"]);
    assert!(said(&text.replace("(X, n):", "(X, n):  # kbc: allow(K0224)")).is_empty());
    let mut lints = Lints::default();
    lints.allow("K0224").unwrap();
    assert!(said_of("kernel.py", &text, lints).is_empty());
}
