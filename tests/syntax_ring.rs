//! The ring all-reduce in the seeds' style parses as written: docstrings, annotations, comments
//! with letters of every kind, brackets over lines, both kinds of call arguments.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::diag::Sink;
use kbc::source::SourceMap;
use kbc::syntax::ast::{ExprKind, Function, FunctionStyle, Module, StmtKind};
use kbc::syntax::{ast_eq, parse, printer};

const RING: &str = r#""""All-reduce over a ring of PEs (one tile each).

Every PE holds one tile. In each of ``world_size - 1`` rounds it hands the tile
that came last to its eastern neighbour, takes one from the west, and adds it up.

Why it ends right
-----------------
After ``r`` rounds a PE has seen its own tile and those of the ``r`` PEs west of
it, each once; after ``world_size - 1`` rounds it has seen all of them.
"""
from __future__ import annotations


def kernel_args(world_size: int, n_elem: int) -> tuple:
    """What follows the tensor's address in a launch."""
    return (n_elem, world_size)


def kernel(t_ptr, n_elem, world_size, tl):
    """Adds the tiles of all PEs; every PE ends with the sum.

    Args:
        t_ptr: where the tensor begins; the slice of a rank lies at
            ``t_ptr + rank * n_elem * 2``.
        n_elem: f16 elements of a tile.
    """
    local_pe = tl.program_id(axis=0)
    cube_id = tl.program_id(axis=1)
    pes_per_cube = tl.num_programs(axis=0)
    rank = cube_id * pes_per_cube + local_pe
    nbytes = n_elem * 2  # f16

    # A rank's slice → its address.
    pe_addr = t_ptr + rank * nbytes

    acc = tl.load(pe_addr, shape=(n_elem,), dtype="f16")
    # The tile that goes on is the one that came — not the sum.
    current = acc

    for _step in range(world_size - 1):
        tl.send(dir="E", src=current)
        recv = tl.recv(dir="W", shape=(n_elem,), dtype="f16")
        acc = acc + recv
        current = recv  # next round

    tl.store(pe_addr, acc)
"#;

fn ring() -> (SourceMap, Module) {
    let mut sources = SourceMap::new();
    let file = sources.add("ring.kb", RING);
    let mut sink = Sink::new();
    let module = parse(file, RING, &mut sink);
    assert!(!sink.has_errors(), "{:#?}", sink.diagnostics());
    (sources, module)
}

#[test]
fn its_functions_are_a_host_function_and_a_kernel() {
    let (sources, module) = ring();
    let of = |function: &Function| {
        let params: Vec<&str> = function.params.iter().map(|it| it.name.name.as_str()).collect();
        (function.name.name.clone(), params.join(" "), function.style(&module))
    };
    let functions: Vec<_> = module.functions().map(of).collect();
    let expected = [
        (String::from("kernel_args"), String::from("world_size n_elem"), FunctionStyle::Host),
        (
            String::from("kernel"),
            String::from("t_ptr n_elem world_size tl"),
            FunctionStyle::TlKernel,
        ),
    ];
    assert_eq!(functions, expected);
    let headers: Vec<&str> = module.functions().map(|it| sources.text(it.header)).collect();
    assert_eq!(
        headers,
        [
            "def kernel_args(world_size: int, n_elem: int) -> tuple:",
            "def kernel(t_ptr, n_elem, world_size, tl):"
        ]
    );
}

#[test]
fn its_statements_stand_where_they_were_written() {
    let (sources, module) = ring();
    let kernel = module.functions().nth(1).unwrap();
    let lines: Vec<String> = kernel.body.iter().map(|it| sources.location(it.span)).collect();
    // The docstring, six assignments, the load, `current`, the loop, the store.
    let expected = [20, 27, 28, 29, 30, 31, 34, 36, 38, 40, 46];
    let expected: Vec<String> = expected.iter().map(|line| format!("ring.kb:{line}")).collect();
    assert_eq!(lines, expected);
    let StmtKind::For { body, .. } = &kernel.body[9].kind else { panic!("no loop") };
    let texts: Vec<&str> = body.iter().map(|it| sources.text(it.span)).collect();
    assert_eq!(
        texts,
        [
            "tl.send(dir=\"E\", src=current)",
            "recv = tl.recv(dir=\"W\", shape=(n_elem,), dtype=\"f16\")",
            "acc = acc + recv",
            "current = recv",
        ]
    );
}

#[test]
fn its_docstring_keeps_its_lines() {
    let (_, module) = ring();
    let StmtKind::Expr(doc) = module.body[0].kind else { panic!("no docstring") };
    let ExprKind::Str(text) = module.kind(doc) else { panic!("no string") };
    assert!(text.starts_with("All-reduce over a ring of PEs (one tile each).\n\nEvery PE"));
    assert!(text.ends_with("has seen all of them.\n"));
}

#[test]
fn it_prints_to_an_equal_program_with_any_line_ends() {
    let (_, module) = ring();
    let crlf = RING.replace('\n', "\r\n");
    for text in [printer::print(&module), crlf, format!("\u{feff}{RING}")] {
        let mut sources = SourceMap::new();
        let file = sources.add("again.kb", text.as_str());
        let mut sink = Sink::new();
        let again = parse(file, &text, &mut sink);
        assert!(!sink.has_errors(), "{:#?}", sink.diagnostics());
        assert!(ast_eq(&module, &again), "{text}");
    }
}
