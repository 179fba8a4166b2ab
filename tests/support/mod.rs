//! What the integration tests of the IR and of the passes share.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]

pub mod interpreter;
pub mod loop_kernels;
pub mod on_machine;
pub mod random_ir;
pub mod random_kernels;
pub mod random_lanes;

use kbc::diag::{ColorChoice, Sink, to_text};
use kbc::ir::parse::{parse, parse_unverified};
use kbc::ir::print::{print, print_function};
use kbc::ir::verify::verify_function;
use kbc::ir::{Bindings, Function, Limits, Literal, Module, TilePipeline};
use kbc::passes::{Context, pipeline, run_observed};
use kbc::source::SourceMap;

/// Reads text IR that is right.
pub fn read(text: &str) -> Module {
    let mut sources = SourceMap::new();
    let file = sources.add("test.kir", text);
    let mut sink = Sink::new();
    parse(file, text, &mut sink).unwrap_or_else(|_| panic!("{}", rendered(sink, &sources)))
}

/// Reads text IR that may break the verifier's rules, but not the grammar.
pub fn read_unverified(text: &str) -> Module {
    let mut sources = SourceMap::new();
    let file = sources.add("test.kir", text);
    let mut sink = Sink::new();
    parse_unverified(file, text, &mut sink)
        .unwrap_or_else(|_| panic!("{}", rendered(sink, &sources)))
}

/// The diagnostics that reading `text` gives, rendered.
pub fn errors_of(text: &str) -> String {
    let mut sources = SourceMap::new();
    let file = sources.add("test.kir", text);
    let mut sink = Sink::new();
    let result = parse(file, text, &mut sink);
    assert!(result.is_err(), "this is not refused:\n{text}");
    rendered(sink, &sources)
}

/// The codes of the diagnostics that reading `text` gives, in order.
pub fn codes_of(text: &str) -> Vec<&'static str> {
    let mut sources = SourceMap::new();
    let file = sources.add("test.kir", text);
    let mut sink = Sink::new();
    let _ = parse(file, text, &mut sink);
    sink.into_sorted().iter().map(|diagnostic| diagnostic.code.id).collect()
}

pub fn rendered(sink: Sink, sources: &SourceMap) -> String {
    let texts = sink.into_sorted();
    texts.iter().map(|it| to_text(it, sources, ColorChoice::Plain)).collect()
}

/// Arguments and a grid of 8 × 2 × 1 programs.
pub fn bindings(params: &[(&str, i64)]) -> Bindings {
    let params =
        params.iter().map(|(name, value)| (String::from(*name), Literal::Int(*value))).collect();
    Bindings { params, num_programs: [8, 2, 1] }
}

/// A TCM of 64 KiB, 4 KiB of them reserved and 4 KiB receive slots.
pub fn limits() -> Limits {
    Limits {
        tcm_bytes: 57344,
        tcm_total: 65536,
        tcm_reserved: 4096,
        pipeline: TilePipeline { tile: [8, 8, 16], buffers: 2 },
        unrolled_ops: 10_000,
    }
}

/// What a run of the pipeline gives: the function, or the rendered errors.
pub struct Ran {
    /// The function after each pass, by the pass's name, as text.
    pub stages: Vec<(&'static str, String)>,
    /// The end.
    pub result: Result<Function, String>,
}

impl Ran {
    /// The text after the first run of a pass.
    pub fn after(&self, pass: &str) -> &str {
        let found = self.stages.iter().find(|(name, _)| *name == pass);
        &found.unwrap_or_else(|| panic!("`{pass}` has not run: {:?}", self.result)).1
    }

    /// The function at the end.
    pub fn function(&self) -> &Function {
        self.result.as_ref().unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The text at the end.
    pub fn text(&self) -> String {
        print_function(self.function())
    }

    /// The errors.
    pub fn errors(&self) -> &str {
        match &self.result {
            Ok(function) => panic!("this is not refused:\n{}", print_function(function)),
            Err(errors) => errors,
        }
    }
}

/// Runs the pipeline on the first kernel of `text`.
pub fn ran(text: &str, params: &[(&str, i64)]) -> Ran {
    ran_within(text, &bindings(params), &limits())
}

/// Runs the pipeline on the first kernel of `text`.
pub fn ran_within(text: &str, bindings: &Bindings, limits: &Limits) -> Ran {
    let mut sources = SourceMap::new();
    let file = sources.add("test.kir", text);
    let mut sink = Sink::new();
    let module = parse(file, text, &mut sink)
        .unwrap_or_else(|_| panic!("{}", rendered(sink.clone(), &sources)));
    let kernel = module.kernels().next().expect("the text has a kernel");
    let mut stages = Vec::new();
    let mut context = Context { module: &module, bindings, limits, sink: &mut sink };
    let result = run_observed(&mut context, kernel, &mut |pass, function| {
        stages.push((pass.name(), print_function(function)));
    });
    let result = result.map_err(|_| rendered(sink, &sources));
    Ran { stages, result }
}

/// The first kernel of `text` after one pass alone, as text; or the rendered errors.
pub fn after_pass(name: &str, text: &str, params: &[(&str, i64)]) -> Result<String, String> {
    after_pass_within(&limits(), name, text, params)
}

/// [`after_pass`] within other limits.
pub fn after_pass_within(
    limits: &Limits,
    name: &str,
    text: &str,
    params: &[(&str, i64)],
) -> Result<String, String> {
    let mut sources = SourceMap::new();
    let file = sources.add("test.kir", text);
    let mut sink = Sink::new();
    let module = parse(file, text, &mut sink)
        .unwrap_or_else(|_| panic!("{}", rendered(sink.clone(), &sources)));
    let kernel = module.kernels().next().expect("the text has a kernel");
    let mut function = module.functions[kernel].clone();
    let bindings = bindings(params);
    let mut context = Context { module: &module, bindings: &bindings, limits, sink: &mut sink };
    let pass = pipeline().iter().find(|pass| pass.name() == name).expect("the pass exists");
    let result = pass.run(&mut function, &mut context);
    let violations = verify_function(&function, Some(&module));
    assert!(result.is_err() || violations.is_empty(), "{violations:#?}");
    result.map(|()| print_function(&function)).map_err(|_| rendered(sink, &sources))
}

/// Checks that one pass alone makes `after` of `before`.
pub fn check_pass(name: &str, before: &str, after: &str) {
    let found = after_pass(name, before, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(found, dedent(after));
}

/// Checks that one pass alone leaves `text` as it is.
pub fn check_unchanged(name: &str, text: &str) {
    check_pass(name, text, text);
}

/// `text` with the margin of its first line taken off every line, and one line break at the end.
pub fn dedent(text: &str) -> String {
    let lines: Vec<&str> = text.trim_matches('\n').trim_end().lines().collect();
    let margin = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    let cut = |line: &&str| line.get(margin..).unwrap_or("").to_string() + "\n";
    lines.iter().map(cut).collect()
}

/// The text of a module.
pub fn text_of(module: &Module) -> String {
    print(module)
}
