//! The element type of every operator on every pair of operands, against the table that Triton's
//! own front end gave: 3,105 rows.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use std::io::Write;
use std::path::PathBuf;

use kbc::dtype::DType;
use sema_common::compile;

/// A row of the table.
struct Row {
    op: String,
    lhs: String,
    rhs: String,
    /// `None` where Triton rejects it.
    result: Option<DType>,
}

/// The rows of the table, which lies beside the repository.
fn rows() -> Option<Vec<Row>> {
    let shared = std::env::var("KBC_SHARED").unwrap_or_else(|_| String::from("../shared"));
    let path = PathBuf::from(shared).join("reference/promotion_table.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        // Not `eprintln!`, which the harness keeps to itself where a test passes.
        let _ = writeln!(std::io::stderr(), "NOT RUN: no {}: set KBC_SHARED", path.display());
        return None;
    };
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [op, lhs, rhs, result] = fields.as_slice() else { panic!("not a row: {line}") };
        let result = (*result != "error").then(|| dtype(result));
        Row { op: (*op).to_owned(), lhs: (*lhs).to_owned(), rhs: (*rhs).to_owned(), result }
    };
    Some(text.lines().skip(1).map(row).collect())
}

fn dtype(name: &str) -> DType {
    match name {
        "e4m3" => DType::F8E4M3,
        "e5m2" => DType::F8E5M2,
        other => DType::from_name(other).unwrap(),
    }
}

/// `tensor f16` and `scalar 2.5` as expressions.
fn operand(text: &str) -> String {
    match text.split_once(' ').unwrap() {
        ("tensor", name) => format!("tl.zeros((16,), tl.{})", dtype(name).tl_name()),
        (_, number) => format!("({number})"),
    }
}

impl Row {
    fn expression(&self) -> String {
        let (x, y) = (operand(&self.lhs), operand(&self.rhs));
        match self.op.as_str() {
            "where" => format!("tl.where(tl.zeros((16,), tl.int1), {x}, {y})"),
            "min" => format!("tl.minimum({x}, {y})"),
            op => format!("{x} {op} {y}"),
        }
    }

    fn text(&self) -> String {
        format!("`{}` of {} and {}", self.op, self.lhs, self.rhs)
    }
}

fn kernel(body: &str) -> String {
    format!("import triton\nimport triton.language as tl\n\n@triton.jit\ndef k():\n{body}")
}

#[test]
fn operands_meet_as_in_triton() {
    let Some(rows) = rows() else { return };
    assert_eq!(rows.len(), 3105);
    let mut wrong = Vec::new();
    for row in &rows {
        let expression = row.expression();
        let check = match row.result {
            Some(dtype) => {
                format!("    tl.static_assert(({expression}).dtype == tl.{})\n", dtype.tl_name())
            }
            None => format!("    x = {expression}\n"),
        };
        let found = compile(&kernel(&check));
        if found.module.is_some() != row.result.is_some() {
            wrong.push(format!("{}: {:?}\n{}", row.text(), row.result, found.text()));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}
