//! What good programs mean: precedence, literals, layout, and where each thing stands.
//!
//! Expected trees are given as text with every bracket written, whose meaning is Python's table
//! of precedence; two texts mean the same if their trees are equal.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::diag::Sink;
use kbc::source::{FileId, SourceMap};
use kbc::syntax::ast::{ExprKind, Module, StmtKind};
use kbc::syntax::{ast_eq, dump, parse, printer, tokens};

fn good(text: &str) -> Module {
    let mut sink = Sink::new();
    let module = parse(FileId(0), text, &mut sink);
    assert!(!sink.has_errors(), "{text}\n{:#?}", sink.diagnostics());
    module
}

/// Each pair of texts has one tree.
fn same(pairs: &[(&str, &str)]) {
    for (left, right) in pairs {
        let (a, b) = (good(left), good(right));
        assert!(ast_eq(&a, &b), "{left}  against  {right}\n{}", printer::print(&a));
    }
}

fn differ(pairs: &[(&str, &str)]) {
    for (left, right) in pairs {
        assert!(!ast_eq(&good(left), &good(right)), "{left}  against  {right}");
    }
}

/// The kind of the only expression statement.
fn value(text: &str) -> ExprKind {
    let module = good(text);
    let StmtKind::Expr(id) = module.body[0].kind else { panic!("{text} is no expression") };
    module.kind(id).clone()
}

#[test]
fn operators_bind_as_in_python() {
    same(&[
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("a / b // c % d @ e * f", "((((a / b) // c) % d) @ e) * f"),
        ("a ** b ** c", "a ** (b ** c)"),
        ("-a ** b", "-(a ** b)"),
        ("a ** -b", "a ** (-b)"),
        ("- + ~ a", "-(+(~a))"),
        ("a << b + c", "a << (b + c)"),
        ("a | b ^ c & d << e", "a | (b ^ (c & (d << e)))"),
        ("a < b | c", "a < (b | c)"),
        ("not a == b", "not (a == b)"),
        ("not a in b", "not (a in b)"),
        ("a or b and not c", "a or (b and (not c))"),
        ("a if b else c if d else e", "a if b else (c if d else e)"),
        ("a or b if c or d else e or f", "(a or b) if (c or d) else (e or f)"),
        ("lambda x: x if y else z", "lambda x: (x if y else z)"),
        ("lambda: lambda: x", "lambda: (lambda: x)"),
        ("-a.b[c](d)", "-(((a.b)[c])(d))"),
        ("await_(x) ** y", "(await_(x)) ** y"),
        ("1if a else 2or 3", "1 if a else (2 or 3)"),
        ("x = a, b", "x = (a, b)"),
        ("f((a))", "f(a)"),
        ("a[b, c]", "a[(b, c)]"),
        ("for i in a, b: pass", "for i in (a, b): pass"),
    ]);
    differ(&[
        ("a - b - c", "a - (b - c)"),
        ("a < b < c", "(a < b) < c"),
        ("a and b and c", "(a and b) and c"),
        ("a[b, c]", "a[b][c]"),
        ("(a,)", "(a)"),
        ("a[b,]", "a[b]"),
        ("a[:]", "a[::0]"),
        ("f(a=b)", "f(a, b)"),
        ("f(*a)", "f(**a)"),
        ("x: int", "x: int = 3"),
        ("[a for b in c]", "(a for b in c)"),
        ("f'a'", "'a'"),
        ("f'{a}'", "f'{a:}'"),
        ("1", "1.0"),
    ]);
}

#[test]
fn comparisons_and_conditions_are_flat() {
    let ExprKind::Compare { rest, .. } = value("a < b <= c != d is not e not in f") else {
        panic!("no comparison")
    };
    assert_eq!(rest.len(), 5);
    let ExprKind::BoolOp { operands, .. } = value("a or b or c or d") else { panic!("no `or`") };
    assert_eq!(operands.len(), 4);
}

#[test]
fn literals_have_their_values() {
    let string = |text: &str| ExprKind::Str(text.to_owned());
    let pairs = [
        ("0xFF", ExprKind::Int(255)),
        ("1_000", ExprKind::Int(1000)),
        ("1.", ExprKind::Float(1.0)),
        (".5", ExprKind::Float(0.5)),
        ("1e-3", ExprKind::Float(0.001)),
        ("...", ExprKind::Ellipsis),
        ("None", ExprKind::None),
        ("True", ExprKind::Bool(true)),
        ("'a' \"b\" '''c'''", string("abc")),
        ("('a'\n 'b')", string("ab")),
        (r"'\x41\t\'\u00e9'", string("A\t'é")),
        (r"r'\n'", string("\\n")),
        ("'''a\nb'''", string("a\nb")),
        ("'a\\\nb'", string("ab")),
        ("u'ü'", string("ü")),
        ("größe", ExprKind::Name(String::from("größe"))),
    ];
    for (text, expected) in pairs {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn f_strings_hold_expressions() {
    same(&[
        ("f'{a}' 'b' f'{c:>4}'", "f'{a}b{c:>4}'"),
        ("rf'{a}\\d'", "f'{a}\\\\d'"),
        ("f'{ {1: 2}[1] }'", "f'{({1: 2}[1])}'"),
        ("f'{a!=b}'", "f'{(a != b)}'"),
        ("f'{a[1:2]:x}'", "f'{(a[1:2]):x}'"),
        ("f'{a, b}'", "f'{(a, b)}'"),
        ("f'''{\na\n+ b}'''", "f'{a + b}'"),
        ("f\"{x['}']}\"", "f\"{(x['}'])}\""),
        ("f'{f\"{x}\"}'", "f'{(f\"{x}\")}'"),
        ("f'{{{a}}}'", "'{' f'{a}' '}'"),
    ]);
}

#[test]
fn brackets_and_backslashes_join_lines() {
    same(&[
        ("x = (a +\n  b\n)\n", "x = a + b"),
        ("f(\na,\n# comment\n\n    b,\n)", "f(a, b)"),
        ("x = a + \\\n    b", "x = a + b"),
        ("if a: x; y;\n", "if a:\n  x\n  y"),
        ("if a:\n\n  # comment\n\n  x\n# comment\n  y\n", "if a:\n  x\n  y"),
        ("def f(): return 1", "def f():\n\treturn 1"),
        ("if a:\n\tx\nif b:\n  y", "if a:\n    x\nif b:\n    y"),
        ("if a:\r\n    x\r\n\r\nelse:\r\n    y", "if a:\n    x\nelse:\n    y"),
        ("if a:\r    x", "if a:\n    x"),
        ("\u{c}x", "x"),
        ("x = {\n'a': [\n1,\n2]}", "x = {'a': [1, 2]}"),
        ("", "# only a comment"),
        ("", "\u{feff}\n   \n"),
        ("if x:\n  pass\n  # at the end", "if x: pass"),
    ]);
}

#[test]
fn soft_keywords_are_names() {
    same(&[
        (
            "match = 3\ntype = 4\ncase = match\nmatch(x)\nmatch[1]\nprint(type)",
            "match = (3)\ntype = 4\ncase = match\nmatch(x)\nmatch[1]\nprint(type)",
        ),
        ("null = true", "null = true"),
    ]);
}

#[test]
fn statements_of_every_kind_print_as_written() {
    let text = "\
import a.b as c, d
from x.y import z as w, v
from . import u


@triton.jit
@autotune(configs=[{\"B\": 2 ** i} for i in range(3) if i], key=lambda n, *r: n)
def f(a, b: int = 3, *rest, c=4) -> tuple:
    x = y = 1
    x, (y, *z) = 1, [2]
    x: int = 3
    x: tl.constexpr
    x //= 3
    a[..., None, 1:2, ::3].b = -x
    if x:
        pass
    elif (y := 2) > 1:
        return
    else:
        return 1, *z
    for i, j in x:
        continue
    else:
        pass
    while x:
        break
    else:
        pass
    assert x, \"message\"
    def inner():
        return {k: v for k, v in x}, {k for k in x}, (k for k in x), {}, ()
    f(1, *x, k=2, **y)
    sum(k for k in x)
";
    assert_eq!(printer::print(&good(text)), text);
}

#[test]
fn spans_cover_the_text() {
    let text = "x = (a + b) * c[1:2, d](e, k=-f).g if not h else 'i' 'j'\n";
    let mut sources = SourceMap::new();
    let file = sources.add("t.kb", text);
    let module = parse(file, text, &mut Sink::new());
    let texts: Vec<&str> = module.exprs.values().map(|it| sources.text(it.span)).collect();
    for expected in [
        "a + b",
        "(a + b) * c[1:2, d](e, k=-f).g",
        "c[1:2, d]",
        "1:2",
        "1:2, d",
        "c[1:2, d](e, k=-f)",
        "-f",
        "not h",
        "'i' 'j'",
        "(a + b) * c[1:2, d](e, k=-f).g if not h else 'i' 'j'",
    ] {
        assert!(texts.contains(&expected), "{expected} is not among {texts:#?}");
    }
    assert_eq!(sources.text(module.body[0].span), text.trim_end());
    let fstring = "y = f'{ab:>{}}{cd + 1}'".replace("{}", "4");
    let file = sources.add("f.kb", fstring.as_str());
    let module = parse(file, &fstring, &mut Sink::new());
    let texts: Vec<&str> = module.exprs.values().map(|it| sources.text(it.span)).collect();
    assert!(texts.contains(&"ab") && texts.contains(&"cd + 1"), "{texts:?}");
}

#[test]
fn tokens_are_listed_with_their_places() {
    let text = "if x:\n    y = 'é' + z\n";
    let listed: Vec<String> =
        tokens(FileId(0), text, &mut Sink::new()).iter().map(ToString::to_string).collect();
    let expected = [
        "1:1     keyword  if",
        "1:4     name     x",
        "1:5     operator :",
        "1:6     newline",
        "2:5     indent",
        "2:5     name     y",
        "2:7     operator =",
        "2:9     string   'é'",
        "2:13    operator +",
        "2:15    name     z",
        "2:16    newline",
        "3:1     dedent",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn trees_are_dumped_with_roles() {
    let text = "def f(x, *r):\n    y = g(x, k=1)[2]\n    if not y: return f'a{y:>3}'\n";
    let mut sources = SourceMap::new();
    let file = sources.add("t.kb", text);
    let module = parse(file, text, &mut Sink::new());
    let expected = r#"
1:1     function f
          parameter: x
          parameter: *r
2:5       assign
            target: name y
            value: subscript
              of: call
                func: name g
                arg: name x
                k=: int 1
              index: int 2
3:5       if
            condition: unary not
              name y
            then
3:15          return
                f-string
                  text: "a"
                  value: name y
                  format: ">3"
"#;
    assert_eq!(dump::dump(&module, &sources), expected.trim_start());
}

#[test]
fn depth_is_limited_to_two_hundred() {
    let nested = |open: &str, close: &str, levels: usize| {
        format!("x = {}y{}", open.repeat(levels), close.repeat(levels))
    };
    let errors = |text: &str| {
        let mut sink = Sink::new();
        parse(FileId(0), text, &mut sink);
        sink.diagnostics().iter().map(|it| it.code.id).collect::<Vec<_>>()
    };
    for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("-", ""), ("not ", "")] {
        let fits = if open == "(" { 200 } else { 199 };
        assert_eq!(errors(&nested(open, close, fits)), [""; 0], "{open}");
        assert_eq!(errors(&nested(open, close, 201)), ["K0119"], "{open}");
        assert_eq!(errors(&nested(open, close, 100_000)), ["K0119"], "{open}");
    }
    let sum = |terms: usize| format!("x = y{}", " + y".repeat(terms));
    assert_eq!(errors(&sum(199)), [""; 0]);
    assert_eq!(errors(&sum(200)), ["K0119"]);
    let blocks = |levels: usize| {
        let headers: String = (0..levels).map(|at| format!("{}if x:\n", " ".repeat(at))).collect();
        format!("{headers}{}pass\nnext = 1\n", " ".repeat(levels))
    };
    assert_eq!(errors(&blocks(200)), [""; 0]);
    assert_eq!(errors(&blocks(201)), ["K0119"]);
    // Flat chains are no depth.
    for chain in [" and y", " or not y", " < y", ", y", "\nelse_ = y"] {
        assert_eq!(errors(&format!("x = y{}", chain.repeat(20_000))), [""; 0], "{chain}");
    }
}
