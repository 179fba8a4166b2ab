//! The standard library is what `docs/library.md` says: every function of `lib/` is there, in the words
//! of its own docstring, and is called by an example whose numbers hold.
//!
//! The page is made of the files and of the examples that stand in it. After a change of a docstring,
//! `INSTA_UPDATE=always cargo test --test library` writes it anew.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and reads files"
)]

mod command_line;
mod in_process;

use std::fs;

use command_line::{Fence, fences, root};
use in_process::{launch, simulate};
use kbc::diag::Sink;
use kbc::source::SourceMap;
use kbc::syntax;
use kbc::syntax::ast::{ExprKind, Module, Param, Stmt, StmtKind};

/// Every module, its text, and where its functions are found.
const MODULES: [(&str, &str, &str); 5] = [
    ("nn", include_str!("../lib/nn.kb"), "nn"),
    ("ccl", include_str!("../lib/ccl.kb"), "ccl"),
    ("tl", include_str!("../lib/tl.kb"), "tl"),
    ("random", include_str!("../lib/random.kb"), "tl"),
    ("libdevice", include_str!("../lib/libdevice.kb"), "libdevice"),
];

/// A module of the library.
struct Library {
    name: &'static str,
    doc: String,
    functions: Vec<Documented>,
}

/// A function, as the page shows it.
struct Documented {
    name: String,
    /// `nn.softmax(x, axis)`, in backquotes.
    heading: String,
    doc: String,
}

fn docstring<'t>(tree: &'t Module, body: &[Stmt]) -> &'t str {
    let Some(StmtKind::Expr(first)) = body.first().map(|it| &it.kind) else { return "" };
    let ExprKind::Str(text) = tree.kind(*first) else { return "" };
    text
}

fn library((name, text, home): (&'static str, &str, &str)) -> Library {
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let tree = syntax::parse(file, text, &mut Sink::new());
    let parameter = |it: &Param| {
        let value = it.default.map(|default| tree.span(default));
        let value = value.map(|span| format!("={}", &text[span.start as usize..span.end as usize]));
        format!("{}{}", it.name.name, value.unwrap_or_default())
    };
    let public = tree.functions().filter(|it| !it.name.name.starts_with('_'));
    let functions = public.map(|function| {
        let params = function.params.iter().filter(|it| it.name.name != "tl");
        let params = params.map(parameter).collect::<Vec<String>>().join(", ");
        let name = function.name.name.clone();
        let heading = format!("`{home}.{name}({params})`");
        Documented { name, heading, doc: rendered(docstring(&tree, &function.body)) }
    });
    Library { name, doc: rendered(docstring(&tree, &tree.body)), functions: functions.collect() }
}

/// A docstring as Markdown: paragraphs, and its lists of arguments and results.
fn rendered(docstring: &str) -> String {
    let blocks = docstring.trim().split("\n\n").map(|block| {
        let lines: Vec<&str> =
            block.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
        match lines.split_first() {
            Some((&"Args:", arguments)) => list(arguments),
            Some((&"Returns:", results)) => {
                let results: Vec<&str> = results.iter().map(|line| line.trim()).collect();
                format!("Returns {}", results.join("\n"))
            }
            _ => lines.iter().map(|line| line.trim()).collect::<Vec<&str>>().join("\n"),
        }
    });
    blocks.collect::<Vec<String>>().join("\n\n")
}

/// `name: what it is`, each with the lines that go on, as a list.
fn list(arguments: &[&str]) -> String {
    let mut text = String::new();
    for line in arguments {
        let entry = line.strip_prefix("    ").unwrap_or(line);
        match entry.split_once(": ") {
            Some((name, rest)) if !entry.starts_with(' ') => {
                text.push_str(&format!("\n- `{name}`: {rest}"));
            }
            _ => text.push_str(&format!("\n  {}", entry.trim())),
        }
    }
    text.trim_start().to_owned()
}

fn page() -> String {
    fs::read_to_string(root().join("docs/library.md")).unwrap()
}

/// The page that the library makes, with the introduction and the examples of `page`.
fn made_of(libraries: &[Library], page: &str) -> String {
    let (introduction, _) = page.split_once("\n## ").unwrap_or((page, ""));
    let mut text = introduction.trim_end().to_owned();
    let examples = fences(page);
    for library in libraries {
        text.push_str(&format!("\n\n## {}\n\n{}", library.name, library.doc));
        for function in &library.functions {
            text.push_str(&format!("\n\n### {}\n\n{}", function.heading, function.doc));
            let own = function.heading.split_inclusive('(').next().unwrap_or_default();
            for example in examples.iter().filter(|it| it.section.starts_with(own)) {
                text.push_str(&format!("\n\n```{}\n{}```", example.info, example.text));
            }
        }
    }
    text + "\n"
}

#[test]
fn the_page_says_what_the_library_says() {
    let (libraries, page) = (MODULES.map(library), page());
    let made = made_of(&libraries, &page);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|how| how == "always") {
        fs::write(root().join("docs/library.md"), &made).unwrap();
        return;
    }
    for (line, (is, should)) in page.lines().zip(made.lines()).enumerate() {
        assert_eq!(is, should, "docs/library.md:{}", line + 1);
    }
    assert_eq!(page.len(), made.len(), "docs/library.md ends elsewhere");
}

#[test]
fn every_function_says_what_it_does() {
    for library in MODULES.map(library) {
        assert!(!library.doc.is_empty(), "{}", library.name);
        for function in library.functions {
            assert!(!function.doc.is_empty(), "{}", function.heading);
        }
    }
}

/// The example that shows a function: under its heading, or the next one after it.
fn example<'f>(page: &str, examples: &'f [Fence], heading: &str) -> &'f Fence {
    let place = page.lines().position(|line| line == format!("### {heading}"));
    let place = place.unwrap_or_else(|| panic!("{heading} is not on the page"));
    let next = examples.iter().find(|it| it.line > place);
    next.unwrap_or_else(|| panic!("{heading} has no example"))
}

#[test]
fn every_function_is_called_in_its_example() {
    let page = page();
    let examples = fences(&page);
    for function in MODULES.map(library).into_iter().flat_map(|it| it.functions) {
        let shown = example(&page, &examples, &function.heading);
        let is_called = shown.text.contains(&format!("{}(", function.name));
        assert!(is_called, "{} is not in the example at line {}", function.heading, shown.line);
    }
}

#[test]
fn the_numbers_of_every_example_hold() {
    let mut wrong = Vec::new();
    for example in fences(&page()) {
        let world = example.info.strip_prefix("kb sim --ws ").and_then(|it| it.parse().ok());
        let world = world.unwrap_or_else(|| panic!("line {}: `{}`", example.line, example.info));
        let found = simulate(&example.text, &launch(world, "", ""), None);
        if found.verdict != "verified" {
            let said = found.text();
            wrong.push(format!("docs/library.md:{}: {}\n{said}", example.line, found.verdict));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
