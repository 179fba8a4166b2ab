//! `tl.name` and `libdevice.name` reach the functions of `lib/tl.kb` and `lib/libdevice.kb`.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use kbc::diag::Sink;
use kbc::source::SourceMap;
use kbc::syntax;
use kbc::syntax::ast::{ExprKind, Function, Module, StmtKind};
use sema_common::compile;

const LANGUAGE: &str = include_str!("../docs/language.md");

/// A program whose kernel holds `body`; `f` is an f32 tile of 16, `n` a scalar.
fn program(imports: &str, body: &str) -> String {
    let mut text = format!(
        "import triton\nimport triton.language as tl\n{imports}\n\n@triton.jit\n\
         def k(X, n):\n    f = tl.arange(0, 16).to(tl.float32)\n"
    );
    for line in body.lines() {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[test]
fn every_way_to_import_libdevice_reaches_it() {
    let ways = [
        ("from triton.language.extra import libdevice", "libdevice.isnan"),
        ("from triton.language.extra.cuda import libdevice", "libdevice.isnan"),
        ("import triton.language.extra.cuda.libdevice as lib", "lib.isnan"),
        ("from triton.language.extra.libdevice import isnan", "isnan"),
        ("", "tl.extra.cuda.libdevice.isnan"),
        ("", "tl.extra.libdevice.isnan"),
    ];
    for (import, name) in ways {
        let body = format!("tl.store(X, tl.where({name}(f), 0.0, f))");
        let found = compile(&program(import, &body));
        assert!(found.codes().is_empty(), "{import}\n{}", found.text());
    }
}

#[test]
fn what_libdevice_has_not_is_looked_up_in_tl() {
    for name in ["exp", "tanh", "floor", "sqrt_rn", "erf", "rsqrt", "sin"] {
        let import = "from triton.language.extra import libdevice";
        let found = compile(&program(import, &format!("tl.store(X, libdevice.{name}(f))")));
        assert!(found.codes().is_empty(), "{name}\n{}", found.text());
    }
}

#[test]
fn numbers_stay_numbers_through_a_function_of_the_library() {
    // 3 * 4 + 1 = 13 goes to group 1 of 2 rows, 5 places in: row 2 + 5 % 2, column 5 // 2.
    let body = "i, j = tl.swizzle2d(3, 1, 4, 4, 2)\ntl.static_assert(i == 3 and j == 2)";
    let found = compile(&program("", body));
    assert!(found.codes().is_empty(), "{}", found.text());
}

#[test]
fn a_name_that_is_nowhere_is_said_with_those_like_it() {
    let found = compile(&program("", "tl.store(X, tl.fdivv(f, 2.0))"));
    assert!(found.text().contains("fdiv"), "{}", found.text());
}

fn docstring<'t>(tree: &'t Module, function: &Function) -> Option<&'t str> {
    let StmtKind::Expr(first) = function.body.first()?.kind else { return None };
    let ExprKind::Str(text) = tree.kind(first) else { return None };
    Some(text)
}

/// The signature of each function of a module of the library, and what it says of itself.
fn documented(module: &str, text: &str) -> Vec<String> {
    let mut sources = SourceMap::new();
    let file = sources.add(module, text);
    let tree = syntax::parse(file, text, &mut Sink::new());
    let public = tree.functions().filter(|it| !it.name.name.starts_with('_'));
    public
        .map(|function| {
            let names: Vec<&str> = function.params.iter().map(|it| it.name.name.as_str()).collect();
            let names = names.join(", ");
            let doc = docstring(&tree, function).unwrap_or_default();
            let first = doc.split("\n\n").next().unwrap_or_default();
            let doc = first.split_whitespace().collect::<Vec<&str>>().join(" ");
            format!("- `{module}.{}({names})`: {doc}", function.name.name)
        })
        .collect()
}

#[test]
fn the_list_of_library_functions_is_complete() {
    let mut expected = documented("tl", include_str!("../lib/tl.kb"));
    let random = documented("random", include_str!("../lib/random.kb"));
    expected.extend(random.iter().map(|it| it.replacen("random.", "tl.", 1)));
    expected.extend(documented("libdevice", include_str!("../lib/libdevice.kb")));
    let (_, section) = LANGUAGE.split_once("## Functions written in the language").unwrap();
    let listed: Vec<&str> = section.lines().filter(|line| line.starts_with("- `")).collect();
    assert_eq!(listed, expected);
}
