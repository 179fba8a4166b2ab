//! What is said of bad programs: the code and the place of every error, and that one error says
//! nothing twice. Each program is checked for all that is reported, not for what is among it.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::diag::{Diagnostic, Sink};
use kbc::source::{FileId, SourceMap};
use kbc::syntax::ast::{ExprKind, StmtKind};
use kbc::syntax::{parse, printer};

fn report(text: &str) -> (SourceMap, Vec<Diagnostic>) {
    let mut sources = SourceMap::new();
    let file = sources.add("t.kb", text);
    let mut sink = Sink::new();
    parse(file, text, &mut sink);
    (sources, sink.into_sorted())
}

/// `code line:column` of every error, by place.
fn errors(text: &str) -> Vec<String> {
    let (sources, diagnostics) = report(text);
    let place = |it: &Diagnostic| {
        let span = it.primary.as_ref().map(|label| label.span).unwrap();
        let (line, column) = sources.get(span.file).unwrap().line_column(span.start);
        format!("{} {line}:{column}", it.code.id)
    };
    diagnostics.iter().map(place).collect()
}

/// Each program has exactly these errors.
fn table(rows: &[(&str, &[&str])]) {
    for (text, expected) in rows {
        assert_eq!(errors(text), *expected, "{text}\n{:#?}", messages(text));
    }
}

fn messages(text: &str) -> Vec<String> {
    report(text).1.into_iter().map(|it| it.message).collect()
}

#[test]
fn characters_and_strings() {
    table(&[
        ("x = 1 $ 2", &["K0101 1:7"]),
        ("x = $$$", &["K0101 1:5"]),
        ("x = 2 × 3\ny = a – b", &["K0101 1:7", "K0101 2:7"]),
        ("x =\u{a0}3", &["K0101 1:4"]),
        ("x = 1 + \\ \n    2", &["K0101 1:10"]),
        ("x = 1 \\ + 2", &["K0101 1:7"]),
        ("x = 'abc\ny = 2\nz = = 3", &["K0102 1:5", "K0114 3:5"]),
        ("f('abc)\ny = 2", &["K0102 1:3"]),
        ("x = '''abc\ny = 2", &["K0102 1:5"]),
        ("if x == 'a:\n    y = 1\nz = 2", &["K0102 1:9"]),
        ("x = 'a\\x4' + '\\ud800'", &["K0105 1:7", "K0105 1:15"]),
        (
            "x = f'{a' + f'b}' + f'{}' + f'{a!r}'",
            &["K0105 1:7", "K0105 1:16", "K0105 1:23", "K0105 1:33"],
        ),
        ("x = f'{a b}' + f'{1 +}'", &["K0114 1:10", "K0114 1:22"]),
        ("x = bf'a'", &["K0105 1:5"]),
        ("x = 0777 + 1_ + 0b2", &["K0103 1:5", "K0103 1:12", "K0103 1:17"]),
        ("x = 170141183460469231731687303715884105728", &["K0104 1:5"]),
    ]);
}

#[test]
fn indentation() {
    table(&[
        ("x = 1\n    y = 2\nz = 3", &["K0108 2:1"]),
        ("  x = 1\n  y = 2", &["K0108 1:1"]),
        ("if a:\n    b\n  c\nd", &["K0107 3:1"]),
        // One stray line; those around it are the block.
        ("def f():\n        a\n    b\n        c\n    d\ne", &["K0107 3:1"]),
        // All that follows stands where the stray line does.
        ("def f():\n        a\n    if b:\n        c\n    d\ne", &["K0107 3:1"]),
        ("if a:\nb = 1\nc = 2", &["K0109 2:1"]),
        ("def f():\n    if a:\n    b = 1\nc = 2", &["K0109 3:5"]),
        ("def f():", &["K0109 1:9"]),
        ("if a:\n    b\n\tc\n\td\n    e", &["K0106 3:1"]),
        // What continues a line without a bracket is not read as statements.
        ("x = g 1,\n    a=2,\n    b=,\ny = 2", &["K0114 1:7", "K0108 2:1"]),
    ]);
}

#[test]
fn brackets() {
    table(&[
        ("x = (1, 2\ny = 3\nz = 4 5", &["K0110 1:5", "K0114 3:7"]),
        ("def f(a, b:\n    return a\ndef g(): pass", &["K0110 1:6"]),
        ("def f(a, b\n    x = 1\n    return a", &["K0110 1:6"]),
        ("x = [1,\n  2,\nreturn x", &["K0110 1:5"]),
        ("x = f(a[1)\ny = 2", &["K0110 1:8"]),
        ("x = (1]\ny = 2", &["K0111 1:7"]),
        ("x = 1)\ny = [2]]", &["K0111 1:6", "K0111 2:8"]),
        ("x = {\n  'a': [1]],\n  'b': 2,\n}\ny = 3", &["K0111 2:11"]),
        ("x = (\n1,\n]\ny = 3", &["K0111 3:1"]),
        ("x = f(a, (b\n@jit\ndef g(): pass", &["K0110 1:10"]),
        // Odd but whole: nothing ends early.
        ("x = f(\na = 1,\nb = 2)\ny = [\nz for z in x\nif z]", &[]),
    ]);
}

#[test]
fn headers() {
    table(&[
        ("if a\n    b\nelif c\n    d\nelse\n    e", &["K0112 1:5", "K0112 3:7", "K0112 5:5"]),
        (
            "for i in range(3)\n    a\nwhile b\n    c\ndef f()\n    d",
            &["K0112 1:18", "K0112 3:8", "K0112 5:8"],
        ),
        ("if a return b", &["K0112 1:5"]),
        ("else:\n    a\nelse:\n    b\nc", &["K0114 1:1", "K0114 3:1"]),
        ("if a b:\n    c = = d\nelse:\n    e", &["K0114 1:6", "K0114 2:9"]),
        ("for a b in c:\n    d d\nelse:\n    e", &["K0114 1:7", "K0114 2:7"]),
        ("def 3x():\n    a a\nb b", &["K0114 1:5", "K0114 2:7", "K0114 3:3"]),
        ("def f;():\n    a", &["K0114 1:6"]),
        ("if a: if b:\n    c\nd", &["K0114 1:7"]),
        ("@jit\nx = 1\n@jit\ndef f(): pass", &["K0114 1:1"]),
        ("@a b\ndef f():\n    c c", &["K0114 1:4", "K0114 3:7"]),
        ("forr i in x:\n    a a\nb", &["K0114 1:6", "K0114 2:7"]),
        ("if a = b:\n    c", &["K0116 1:6"]),
        ("while (a = b):\n    c", &["K0116 1:10"]),
    ]);
}

#[test]
fn independent_errors_of_one_line() {
    table(&[
        ("f(a b, c, d e)", &["K0114 1:5", "K0114 1:13"]),
        ("def f(a b, c d): pass", &["K0114 1:9", "K0114 1:14"]),
        ("x = [1 2, 3 4]", &["K0114 1:8", "K0114 1:13"]),
        ("x = {1: 2 3, 4 5, 6: 7}", &["K0114 1:11", "K0114 1:16"]),
        ("a b; c; d e", &["K0114 1:3", "K0114 1:11"]),
        // After an error before a bracket, nothing on the line is trusted.
        ("f(a b(c, d), e f)", &["K0114 1:5"]),
        // An error in a block stays out of the header's brackets.
        ("def f(a, b):\n    x = a b, (c)\n    g(1 2, 3)\n    y = 4", &["K0114 2:11", "K0114 3:9"]),
    ]);
}

#[test]
fn what_python_has_and_the_language_has_not() {
    table(&[
        ("class A(B):\n    x x\n    def f(self): pass\ny = 1 2", &["K0113 1:1", "K0114 4:7"]),
        ("@a\n@b\nclass C: pass\nx = 1", &["K0113 3:1"]),
        ("with a as b, c:\n    d d\ne", &["K0113 1:1"]),
        ("if a: global b; d d", &["K0113 1:7", "K0114 1:19"]),
        ("def f():\n    global a, b\n    nonlocal c", &["K0113 2:5", "K0113 3:5"]),
        ("x = yield y\nf((yield), await g(x))", &["K0113 1:5", "K0113 2:4", "K0113 2:12"]),
        ("async def f():\n    await x\ny", &["K0113 1:1"]),
        ("x = [a async for a in b]", &["K0113 1:8"]),
        ("match x:\n    case 1:\n        a a\ny", &["K0113 1:1"]),
        ("type X = int", &["K0113 1:1"]),
        ("x = {1, 2}\ny = {**a, 'b': 1}", &["K0113 1:5", "K0113 2:6"]),
        ("def f(a, /, b, *, c, **d): pass", &["K0113 1:10", "K0113 1:16", "K0113 1:22"]),
        ("from a import *", &["K0113 1:15"]),
        ("x = b'a' + 1j", &["K0113 1:5", "K0113 1:12"]),
    ]);
    for name in ["class", "with", "yield", "match", "sets", "complex", "import *", "bytes"] {
        let text = "class A: pass\nwith c: d\nx = yield\nmatch x:\n  case 1: a\n\
                    y = {1}\nz = 1j\nfrom a import *\nw = b''";
        let said = format!("{:?}", report(text).1);
        assert!(said.contains(name), "{name} is not named");
    }
}

#[test]
fn habits_of_other_languages() {
    table(&[
        ("x = a && b || !c", &["K0115 1:7", "K0115 1:12", "K0115 1:15"]),
        ("x = a === b\ny = a !== b\nz = a <> b", &["K0115 1:7", "K0115 2:7", "K0115 3:7"]),
        ("x++\ny--;", &["K0115 1:2", "K0115 2:2"]),
        ("x = a ? b : c", &["K0115 1:7"]),
        (
            "if a:\n    b\nelse if c:\n    d\nelseif e:\n    f\nelse:\n    g",
            &["K0115 3:1", "K0115 5:1"],
        ),
        ("if a {\n    b\n} else {\n    c\n}\nd", &["K0115 1:6", "K0115 3:8"]),
        ("// note\nx = 1\n/* note */", &["K0115 1:1", "K0115 3:1"]),
        ("let x = 1\nfn f(a):\n    b", &["K0115 1:1", "K0115 2:1"]),
        // The same letters where they are the language's.
        ("x = - -a\ny = +(+b)\nlet = 3\nfunction(a)\nz = a // b\nw = not a != b", &[]),
    ]);
}

#[test]
fn targets_arguments_and_parameters() {
    table(&[
        (
            "f(x) = 1\n1 = x\na + b = c\nNone = 1\n'a' = b",
            &["K0117 1:1", "K0117 2:1", "K0117 3:1", "K0117 4:1", "K0117 5:1"],
        ),
        (
            "a, (b, c()) = d\nfor f() in x: pass\n[y for 1 in z]",
            &["K0117 1:8", "K0117 2:5", "K0117 3:8"],
        ),
        ("a, b += 1\n(a, b): int = c\na() += 1", &["K0117 1:1", "K0117 2:1", "K0117 3:1"]),
        ("*a, *b = c", &["K0117 1:5"]),
        ("x = *a\n*b = c", &["K0121 1:5", "K0121 2:1"]),
        ("f(a=1, b)\nf(**a, b)\nf(x for x in y, 1)", &["K0118 1:8", "K0118 2:8", "K0118 3:3"]),
        (
            "f(a=1, a=2)\ndef g(b, b): pass\nh = lambda c, c: c",
            &["K0120 1:8", "K0120 2:10", "K0120 3:15"],
        ),
        ("def f(a=1, b): pass\ndef g(*a, *b): pass", &["K0118 1:12", "K0118 2:12"]),
        ("f(a.b = 1)\nf((a = 1))", &["K0116 1:7", "K0116 2:6"]),
        (
            "f(*a, b, c=1, *d, **e)\ndef g(a, b=1, *c, d, e=2): pass\na, *b, c = [*d, *e], (*f,)",
            &[],
        ),
    ]);
}

#[test]
fn messages_name_what_was_expected_and_where() {
    let rows = [
        ("f(a b)", "expected `)` or `,` in this argument list, found the name `b`"),
        ("x = [1 2]", "expected `]` or `,` in this list, found the number `2`"),
        ("def f(a b): pass", "expected `)`, `:` or `,` in this parameter list, found the name `b`"),
        ("x = a[1 2]", "expected `]`, `:` or `,` in this subscript, found the number `2`"),
        ("for a b in c: pass", "expected `in` or `,` in the header of `for`, found the name `b`"),
        ("x = 1 +", "expected an expression in this statement, found the end of the line"),
        ("import a as", "expected a name in this import, found the end of the line"),
        ("def in(a): pass", "`in` is a keyword, and cannot be used as a name"),
        ("lambda = 3", "`lambda` is a keyword, and cannot be used as a name"),
        ("x = a if b", "expected `else` in this statement, found the end of the line"),
        (
            "return f'{1 +}'",
            "expected an expression in the braces of an f-string, found the end of the braces",
        ),
    ];
    for (text, message) in rows {
        assert_eq!(messages(text), [message], "{text}");
    }
}

#[test]
fn openers_and_causes_are_shown() {
    let labels = |text: &str| {
        let (sources, diagnostics) = report(text);
        let of = |it: &Diagnostic| {
            it.secondary.iter().map(|label| sources.text(label.span).to_owned()).collect::<Vec<_>>()
        };
        diagnostics.iter().flat_map(of).collect::<Vec<String>>()
    };
    assert_eq!(labels("f(a b)"), ["("]);
    assert_eq!(labels("x = (1]"), ["("]);
    assert_eq!(labels("x = (1\ny = 2"), ["y"]);
    assert_eq!(labels("if a\n    b"), ["if"]);
    assert_eq!(labels("if a:\nb"), ["if"]);
    assert_eq!(labels("f(abc=1, abc=2)"), ["abc"]);
}

#[test]
fn a_keyword_with_a_similar_name_is_proposed() {
    let help = |text: &str| report(text).1.into_iter().flat_map(|it| it.help).collect::<Vec<_>>();
    assert_eq!(help("whlie x:\n    y"), ["a keyword with a similar name exists: `while`"]);
    assert_eq!(help("retrun x"), ["a keyword with a similar name exists: `return`"]);
}

/// Every edit that is proposed as safe mends what it was proposed for.
#[test]
fn suggestions_mend() {
    for text in [
        "x = 2 × 3 − 1",
        "x = “a”",
        "x = 1 + \\  \n    2",
        "if a\n    b\nelse\n    c",
        "while a b = c\n".replace("b ", "").as_str(),
        "if a = b:\n    c",
        "x = a&&b || !c",
        "x = a === b",
        "x++\ny--",
        "if a:\n    b\nelse if c:\n    d",
        "let x = 1",
        "fn f(a):\n    b",
        "// note",
        "x = 1)",
        "x = (1\ny = 2",
        "x = f(a, b\ny = 2",
    ] {
        let mut mended = text.to_owned();
        for _ in 0..8 {
            let edits = report(&mended).1.into_iter().flat_map(|it| it.suggestions);
            let Some(last) = edits.max_by_key(|edit| edit.span.start) else { break };
            let range = last.span.start as usize..last.span.end as usize;
            mended.replace_range(range, &last.replacement);
        }
        let left = errors(&mended);
        let missing_block = left.iter().all(|it| it.starts_with("K0109"));
        assert!(missing_block, "{text}\nbecame\n{mended}\n{left:?}");
    }
}

#[test]
fn what_is_left_to_later_stages_is_in_the_tree() {
    let text = "if (a := 1): pass\nf(**b)\nx = {c for c in d}\nfor e in g: pass\nelse: h\n";
    let mut sink = Sink::new();
    let module = parse(FileId(0), text, &mut sink);
    assert!(!sink.has_errors());
    let any = |wanted: fn(&ExprKind) -> bool| module.exprs.values().any(|it| wanted(&it.kind));
    assert!(any(|it| matches!(it, ExprKind::Walrus { .. })));
    assert!(any(|it| matches!(it, ExprKind::Comprehension { .. })));
    assert!(
        matches!(&module.body[3].kind, StmtKind::For { otherwise, .. } if otherwise.len() == 1)
    );
    assert!(printer::print(&module).contains("f(**b)"));
}

#[test]
fn good_parts_around_errors_are_kept() {
    let text = "def f(a, b c, d=1):\n    x = g(a, b c, d)\n    if a b:\n        y = 1\n    else:\n        z = 2\n    return x\n";
    let mut sink = Sink::new();
    let module = parse(FileId(0), text, &mut sink);
    let printed = printer::print(&module);
    let expected = "def f(a, d=1):\n    x = g(a, <error>, d)\n    if <error>:\n        y = 1\n    else:\n        z = 2\n    return x\n";
    assert_eq!(printed, expected);
}
