//! No host program makes kbc panic, hang or take memory without bound: thousands of programs made
//! by mutating good ones, and the shapes of program that run away.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::diag::Sink;
use kbc::host::{Completion, Device, LaunchRequest, Refusal, Tensor, Ticket};
use kbc::script::{Limits, Script, Settings};
use kbc::source::SourceMap;
use kbc::syntax;

/// A device without data.
struct Nothing;

impl Device for Nothing {
    fn world_size(&self) -> u32 {
        4
    }
    fn has_data(&self) -> bool {
        false
    }
    fn write(&mut self, _: &Tensor, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }
    fn submit(&mut self, _: LaunchRequest) -> Result<Ticket, Refusal> {
        Ok(Ticket(0))
    }
    fn wait(&mut self, _: Ticket) -> Result<Completion, Refusal> {
        Ok(Completion::default())
    }
    fn read(&mut self, _: &Tensor, _: u32) -> Result<Vec<u8>, Refusal> {
        Ok(Vec::new())
    }
}

/// A device with data, all of it zeros once a launch has been.
struct Zeros;

impl Device for Zeros {
    fn world_size(&self) -> u32 {
        4
    }
    fn has_data(&self) -> bool {
        true
    }
    fn write(&mut self, _: &Tensor, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }
    fn submit(&mut self, _: LaunchRequest) -> Result<Ticket, Refusal> {
        Ok(Ticket(0))
    }
    fn wait(&mut self, _: Ticket) -> Result<Completion, Refusal> {
        Ok(Completion::default())
    }
    fn read(&mut self, tensor: &Tensor, _: u32) -> Result<Vec<u8>, Refusal> {
        Ok(vec![0; tensor.bytes() as usize])
    }
}

/// Runs everything a file has; returns the codes it was refused with.
fn run(text: &str, limits: Limits) -> Vec<&'static str> {
    let mut sources = SourceMap::new();
    let file = sources.add("test.kb", text);
    let mut sink = Sink::new();
    let module = syntax::parse(file, text, &mut sink);
    let settings = Settings { world_size: 4, limits, ..Settings::default() };
    let script = Script::new(&module, settings);
    let mut found = Vec::new();
    for kernel in module.functions() {
        if let Err(fault) = script.kernel_args(kernel) {
            found.extend(fault.into_diagnostics());
        }
    }
    if let Err(fault) = script.neighbors(&[]) {
        found.extend(fault.into_diagnostics());
    }
    let devices: [&mut (dyn Device + Send); 2] = [&mut Nothing, &mut Zeros];
    for device in devices {
        found.extend(script.run(device).map(|it| it.diagnostics).unwrap_or_default());
    }
    assert!(found.iter().all(|it| it.code.id != "K0001"), "{text}\n{found:#?}");
    let text_len = text.len() as u32;
    let labels = found.iter().flat_map(|it| it.primary.iter().chain(&it.secondary));
    assert!(labels.into_iter().all(|label| label.span.end <= text_len), "{text}");
    found.iter().map(|it| it.code.id).collect()
}

const SMALL: Limits = Limits { steps: 200_000, depth: 400, array_bytes: 1 << 24 };

fn run_body(body: &str) -> Vec<&'static str> {
    run(&format!("def run(torch):\n{body}\n"), SMALL)
}

#[test]
fn runaways_are_stopped() {
    let budget = |body: &str| {
        let found = run_body(body);
        assert_eq!(found, ["K0809"; 2], "{body}");
    };
    budget("    while True:\n        pass");
    budget("    x = []\n    for i in range(10**30):\n        x.append(i)");
    budget("    x = list(range(10**12))");
    budget("    x = [0] * 10**15");
    budget("    x = 'ab' * 10**15");
    budget("    x = 'a'\n    while True:\n        x = x + x");
    budget("    x = [1]\n    while True:\n        x += x");
    budget("    x = [[i for i in range(1000)] for j in range(10**9)]");
    budget("    f = lambda: f()\n    f()");
    budget("    x = []\n    x.append(x)\n    print(x)");
    budget("    x = []\n    x.append(x)\n    y = []\n    y.append(y)\n    print(x == y)");
    budget("    x = torch.zeros(2)\n    for i in range(1000):\n        x = x[:]");
    budget("    torch.zeros(2**20)[0]\n    x = [torch.randn(2**40)]");
    budget("    x = max(range(10**12))");
    budget("    sum(range(10**12))");
    budget("    for i in zip(range(10**12), range(10**12)):\n        pass");
}

#[test]
fn large_numbers_are_refused_not_computed() {
    let refused = |body: &str, code: &str| {
        let found = run_body(body);
        assert_eq!(found, [code; 2], "{body}");
    };
    refused("    print(2 ** 1000)", "K0807");
    refused("    print(10**30 * 10**30)", "K0807");
    refused("    print(1 << 10**30)", "K0807");
    refused("    print(f'{1:99999}')", "K0807");
    refused("    print(int(1e300))", "K0807");
    refused("    print(-(-2**127 - 1 + 1 - 1))", "K0807");
    refused("    torch.zeros(-1)", "K0807");
    refused("    torch.zeros((1,) * 40)", "K0813");
    refused("    torch.full((2, 2), 'x')", "K0803");
}

/// The deepest nesting that is allowed fits the stack of a test's thread, in a debug build, too.
#[test]
fn the_deepest_nesting_fits_the_stack() {
    let wrap = |open: &str, close: &str| {
        let depth = 150;
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    };
    for (open, close) in [
        ("(1 + ", ")"),
        ("abs(", ")"),
        ("[", "][0]"),
        ("(lambda: ", ")()"),
        ("[x for x in [", "]][0]"),
        ("{0: ", "}[0]"),
        ("(not ", ")"),
        ("(1 if 1 else ", ")"),
        ("(0 or ", ")"),
        ("(0 < ", ")"),
        ("f(", ")"),
        ("max([1], key=lambda x: ", ")"),
        ("sorted([1], key=lambda x: ", ")"),
        ("torch.tensor(", ").item()"),
    ] {
        let nested = wrap(open, close);
        let text = format!(
            "def f(x):\n    return {nested}\n\ndef run(torch):\n    def f(x, n=40):\n        if n == 0:\n            return 1\n        for i in range(1):\n            if True:\n                return f({nested}, n - 1)\n    print(f({nested}))\n"
        );
        run(&text, SMALL);
    }
}

/// A generator of numbers (SplitMix64), the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below.max(1) as u64) as usize
    }
}

/// Words of a text: names, numbers, single letters, blanks.
fn words(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for letter in text.chars() {
        let is_word = letter.is_alphanumeric() || letter == '_';
        match found.last_mut() {
            Some(last) if is_word && last.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                last.push(letter);
            }
            _ => found.push(letter.to_string()),
        }
    }
    found
}

fn mutated(words: &[String], random: &mut Random) -> String {
    let mut changed = words.to_vec();
    for _ in 0..1 + random.next(3) {
        let at = random.next(changed.len());
        let from = random.next(words.len());
        match random.next(4) {
            0 => changed[at] = words[from].clone(),
            1 => changed[at].clear(),
            2 => changed.insert(at, words[from].clone()),
            _ => changed.swap(at, from.min(words.len() - 1)),
        }
    }
    changed.concat()
}

#[test]
fn mutated_host_programs_end_with_a_diagnostic_or_none() {
    let seeds = [
        include_str!("../kernels/mesh_allreduce.kb"),
        include_str!("../kernels/gemm.kb"),
        include_str!("../kernels/hierarchical_allreduce.kb"),
        include_str!("../kernels/softmax.kb"),
        include_str!("script/programs/scopes.py"),
        include_str!("script/programs/flow.py"),
    ];
    let mut random = Random(2024);
    let mut refused = 0;
    for seed in seeds {
        let whole = match seed.contains("def run") {
            true => seed.to_owned(),
            false => format!("{seed}\n\ndef run(torch):\n    check()\n"),
        };
        let words = words(&whole);
        for _ in 0..400 {
            let text = mutated(&words, &mut random);
            refused += usize::from(!run(&text, SMALL).is_empty());
        }
    }
    assert!(refused > 500, "{refused}");
}
