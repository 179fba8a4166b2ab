//! Reading keys: each value from the user's file, or else from `topology/default.yaml`. Whatever
//! is wrong is reported and replaced by the default, so that one run finds many mistakes.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::yaml::{Entry, Node, Value};
use crate::diag::{Code, Diagnostic, Reported, Sink, machine as codes, nearest};
use crate::source::Span;
use crate::units::{Bandwidth, Ps};

/// Where mistakes go, and whether there were any.
pub(crate) struct Errors<'s> {
    sink: &'s mut Sink,
    first: Option<Reported>,
}

impl<'s> Errors<'s> {
    pub(crate) fn new(sink: &'s mut Sink) -> Errors<'s> {
        Errors { sink, first: None }
    }

    /// Reports an error.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        let reported = self.sink.error(diagnostic);
        self.first.get_or_insert(reported);
    }

    /// Whether there was none so far.
    pub(crate) fn check(&self) -> Result<(), Reported> {
        self.first.map_or(Ok(()), Err)
    }
}

/// A checked value and where the user gave it; [`Span::NONE`] where it is the default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// Why a value will not do.
pub(crate) struct Problem(Box<Fault>);

struct Fault {
    code: Code,
    expected: String,
    /// The item of a list that is at fault, in words and where, if it is not the whole value.
    item: Option<(String, Span)>,
    /// What was probably meant.
    similar: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(code: Code, expected: impl Into<String>) -> Problem {
        Problem(Box::new(Fault { code, expected: expected.into(), item: None, similar: None }))
    }

    /// The same mistake, where something else is expected; a wrong type stays one.
    pub(crate) fn expecting(mut self, code: Code, expected: impl Into<String>) -> Problem {
        if self.0.code != codes::WRONG_TYPE {
            self.0.code = code;
        }
        self.0.expected = expected.into();
        self
    }

    /// The same mistake, made by an item of a list.
    pub(crate) fn in_item(mut self, item: &Node) -> Problem {
        self.0.item = Some((item.describe(), item.span));
        self
    }

    fn of_type(expected: &str) -> Problem {
        Problem::new(codes::WRONG_TYPE, expected)
    }

    /// The message about the value `node` of the key `path`.
    fn report(self, path: &str, node: &Node) -> Diagnostic {
        let Fault { code, expected, item, similar } = &*self.0;
        let (message, span) = match item {
            Some((found, span)) => (format!("`{path}` holds {found}, expected {expected}"), *span),
            None => (format!("`{path}` is {}, expected {expected}", node.describe()), node.span),
        };
        let diagnostic = Diagnostic::new(*code, message, span, format!("expected {expected}"));
        match *similar {
            Some(name) => {
                let text = format!("a value with a similar name exists: `{name}`");
                diagnostic.suggest(span, name, text)
            }
            None => diagnostic,
        }
    }
}

/// The keys under one key.
pub(crate) struct Section<'t> {
    /// What the file describes, for messages.
    file: &'static str,
    path: String,
    span: Span,
    given: &'t [Entry],
    fallback: &'t [Entry],
    asked: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The whole file `given`, over `fallback`.
    pub(crate) fn root(given: &'t Node, fallback: &'t Node, errors: &mut Errors<'_>) -> Self {
        let mut root = Section::file("a machine", given, errors);
        root.fallback = keys_of(fallback);
        root
    }

    /// The whole file `given`, which describes `file` and has no defaults.
    pub(crate) fn file(file: &'static str, given: &'t Node, errors: &mut Errors<'_>) -> Self {
        let mut root = Section::at(String::new(), given.span, &[], &[]);
        root.file = file;
        match &given.value {
            Value::Keys(entries) => root.given = entries,
            Value::Null => {}
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => {
                errors.report(root.not_keys("the file", given))
            }
        }
        root
    }

    /// The keys that the user gave under `key`, whatever they are called.
    pub(crate) fn named(&mut self, key: &'static str, errors: &mut Errors<'_>) -> &'t [Entry] {
        self.section(key, errors).given
    }

    fn at(path: String, span: Span, given: &'t [Entry], fallback: &'t [Entry]) -> Self {
        Section { file: "a machine", path, span, given, fallback, asked: Vec::new() }
    }

    /// The keys of an item of a list, called `path`, with no defaults.
    pub(crate) fn item(path: String, node: &'t Node, errors: &mut Errors<'_>) -> Option<Self> {
        let mut item = Section::at(path, node.span, &[], &[]);
        let Value::Keys(entries) = &node.value else {
            errors.report(item.not_keys(&format!("`{}`", item.path), node));
            return None;
        };
        item.given = entries;
        Some(item)
    }

    fn not_keys(&self, what: &str, node: &Node) -> Diagnostic {
        let message = format!("{what} is {}, expected keys with values", node.describe());
        Diagnostic::new(codes::WRONG_TYPE, message, node.span, "expected `key: value` here")
    }

    /// The place of this section's key; [`Span::NONE`] where the user did not give it.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Whether the user gave `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        find(self.given, key).is_some()
    }

    /// The place of `key` itself; [`Span::NONE`] where the user did not give it.
    pub(crate) fn key_span(&self, key: &str) -> Span {
        find(self.given, key).map_or(Span::NONE, |entry| entry.span)
    }

    /// Says nothing about `key`, whatever it holds.
    pub(crate) fn ignore(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// The path of `key`, as messages name it.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The section under `key`.
    pub(crate) fn section(&mut self, key: &'static str, errors: &mut Errors<'_>) -> Section<'t> {
        let fallback = find(self.fallback, key).map_or(&[][..], |entry| keys_of(&entry.node));
        let path = self.path_of(key);
        let mut child = Section::at(path, Span::NONE, &[], fallback);
        let Some(entry) = self.ask(key) else { return child };
        child.span = entry.span;
        match &entry.node.value {
            Value::Keys(entries) => child.given = entries,
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::List(_) => {
                errors.report(child.not_keys(&format!("`{}`", child.path), &entry.node));
            }
        }
        child
    }

    /// The section under `key`, with the defaults of the one under `like`.
    pub(crate) fn section_like(
        &mut self,
        key: &'static str,
        like: &str,
        errors: &mut Errors<'_>,
    ) -> Section<'t> {
        let mut child = self.section(key, errors);
        child.fallback = find(self.fallback, like).map_or(&[], |entry| keys_of(&entry.node));
        child
    }

    /// Whether the user gave keys under `key`.
    pub(crate) fn holds_keys(&self, key: &str) -> bool {
        find(self.given, key).is_some_and(|entry| matches!(entry.node.value, Value::Keys(_)))
    }

    /// The items of the list under `key`; none if it is not given.
    pub(crate) fn list(&mut self, key: &'static str, errors: &mut Errors<'_>) -> &'t [Node] {
        let path = self.path_of(key);
        let Some(entry) = self.ask(key) else { return &[] };
        let Value::List(items) = &entry.node.value else {
            errors.report(Problem::of_type("a list").report(&path, &entry.node));
            return &[];
        };
        items
    }

    /// The value of `key`, as `convert` understands it.
    pub(crate) fn read<T>(
        &mut self,
        key: &'static str,
        errors: &mut Errors<'_>,
        convert: impl Fn(&Node) -> Result<T, Problem>,
    ) -> Given<T> {
        if let Some(given) = self.read_given(key, errors, &convert) {
            return given;
        }
        let fallback = find(self.fallback, key);
        let value = fallback.and_then(|entry| convert(&entry.node).ok());
        let value = value.expect("default.yaml holds a good value for every key with a default");
        Given { value, span: Span::NONE }
    }

    /// The value of `key` if the user gave a good one; a bad one is reported.
    pub(crate) fn read_given<T>(
        &mut self,
        key: &'static str,
        errors: &mut Errors<'_>,
        convert: impl Fn(&Node) -> Result<T, Problem>,
    ) -> Option<Given<T>> {
        let path = self.path_of(key);
        let entry = self.ask(key)?;
        match convert(&entry.node) {
            Ok(value) => Some(Given { value, span: entry.node.span }),
            Err(problem) => {
                errors.report(problem.report(&path, &entry.node));
                None
            }
        }
    }

    /// The value of `key`, which has no default: its absence is reported.
    pub(crate) fn require<T>(
        &mut self,
        key: &'static str,
        errors: &mut Errors<'_>,
        convert: impl Fn(&Node) -> Result<T, Problem>,
    ) -> Option<Given<T>> {
        // A misspelt key is reported as such; that it is missing too goes without saying.
        if !self.has(key) && !self.given.iter().any(|entry| means(&entry.key, key)) {
            errors.report(self.missing(key));
        }
        self.read_given(key, errors, convert)
    }

    fn missing(&self, key: &str) -> Diagnostic {
        let message = format!("`{}` is missing", self.path_of(key));
        Diagnostic::new(codes::MISSING_KEY, message, self.span, format!("no `{key}` here"))
    }

    fn ask(&mut self, key: &'static str) -> Option<&'t Entry> {
        self.asked.push(key);
        find(self.given, key)
    }

    /// Reports the keys that nobody asked for. Call it after the last read.
    pub(crate) fn finish(self, errors: &mut Errors<'_>) {
        for entry in self.given {
            if !self.asked.contains(&entry.key.as_str()) {
                errors.report(self.unknown(entry));
            }
        }
    }

    fn unknown(&self, entry: &Entry) -> Diagnostic {
        let key = &entry.key;
        let place =
            if self.path.is_empty() { String::from(self.file) } else { format!("`{}`", self.path) };
        let message = format!("{place} has no key `{key}`");
        let diagnostic = Diagnostic::new(codes::UNKNOWN_KEY, message, entry.span, "unknown key");
        let habit = self.asked.iter().find(|name| habit_of(key) == Some(**name));
        if let Some(name) = habit {
            return diagnostic.suggest(entry.span, *name, format!("the key for this is `{name}`"));
        }
        match nearest(key, self.asked.iter().copied()).first() {
            Some(name) => {
                let text = format!("a key with a similar name exists: `{name}`");
                diagnostic.suggest(entry.span, *name, text)
            }
            None => diagnostic.note(format!("its keys are {}", quoted(&self.asked))),
        }
    }
}

/// Whether `key` is a misspelling of `name`.
fn means(key: &str, name: &'static str) -> bool {
    habit_of(key) == Some(name) || (key.len() > 2 && !nearest(key, [name]).is_empty())
}

/// What other tools call some of our keys.
fn habit_of(key: &str) -> Option<&'static str> {
    match key {
        "bw" | "bandwidth" | "bandwidth_gbs" | "bw_gbps" | "bw_gb_s" => Some("bw_gbs"),
        "latency" | "delay" | "delay_ns" | "wire_ns" => Some("latency_ns"),
        "overhead" => Some("overhead_ns"),
        "clock" | "clock_ghz" | "freq_ghz" | "frequency" => Some("clock_freq_ghz"),
        "lanes" => Some("vector_width"),
        "n_slots" => Some("slots"),
        "buffer_kind" => Some("kind"),
        "length" | "length_mm" | "distance_mm" => Some("mm"),
        "src" | "source" => Some("from"),
        "dst" | "dest" | "destination" => Some("to"),
        _ => None,
    }
}

fn quoted(names: &[&str]) -> String {
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn keys_of(node: &Node) -> &[Entry] {
    if let Value::Keys(entries) = &node.value { entries } else { &[] }
}

fn find<'t>(entries: &'t [Entry], key: &str) -> Option<&'t Entry> {
    entries.iter().find(|entry| entry.key == key)
}

/// The number a node holds, if it is one; `inf` counts.
fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Text(text) if text == "inf" => Some(f64::INFINITY),
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Keys(_) => None,
    }
}

/// Whether a node is the text `word`.
fn is_word(node: &Node, word: &str) -> bool {
    matches!(&node.value, Value::Text(text) if text == word)
}

/// A whole number in `range`.
pub(crate) fn count(range: RangeInclusive<u32>) -> impl Fn(&Node) -> Result<u32, Problem> {
    move |node| {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let Value::Int(value) = node.value else { return Err(Problem::of_type(&wanted)) };
        let value = u32::try_from(value).ok().filter(|value| range.contains(value));
        value.ok_or(Problem::new(codes::IMPOSSIBLE_COUNT, wanted))
    }
}

/// A whole number in `range`, or `auto`, which is `None`.
pub(crate) fn count_or_auto(
    range: RangeInclusive<u32>,
) -> impl Fn(&Node) -> Result<Option<u32>, Problem> {
    move |node| {
        if is_word(node, "auto") {
            return Ok(None);
        }
        let or_auto = |mut problem: Problem| {
            problem.0.expected.push_str(", or auto");
            problem
        };
        count(range.clone())(node).map(Some).map_err(or_auto)
    }
}

/// A time in nanoseconds, from 0 to a second.
pub(crate) fn ns(node: &Node) -> Result<Ps, Problem> {
    in_range(node, 0.0..=1e9, "a time in ns from 0 to 1000000000").map(Ps::from_ns)
}

/// A length in millimetres, from 0 to a kilometre.
pub(crate) fn mm(node: &Node) -> Result<f64, Problem> {
    in_range(node, 0.0..=1e6, "a length in mm from 0 to 1000000")
}

/// A time for each millimetre.
pub(crate) fn ns_per_mm(node: &Node) -> Result<f64, Problem> {
    in_range(node, 0.0..=1e3, "a number of ns per mm from 0 to 1000")
}

/// A share of something, above 0 and at most 1.
pub(crate) fn share(node: &Node) -> Result<f64, Problem> {
    let wanted = "a number above 0 and at most 1";
    let value = number(node).ok_or(Problem::of_type(wanted))?;
    let good = value > 0.0 && value <= 1.0;
    if good { Ok(value) } else { Err(Problem::new(codes::BAD_QUANTITY, wanted)) }
}

/// Two numbers from 0 to 1.
pub(crate) fn place(node: &Node) -> Result<(f64, f64), Problem> {
    let wanted = "two numbers from 0 to 1, as in [0.2, 0.5]";
    let Value::List(items) = &node.value else { return Err(Problem::of_type(wanted)) };
    let [x, y] = items.as_slice() else { return Err(Problem::of_type(wanted)) };
    Ok((in_range(x, 0.0..=1.0, wanted)?, in_range(y, 0.0..=1.0, wanted)?))
}

fn in_range(node: &Node, range: RangeInclusive<f64>, wanted: &str) -> Result<f64, Problem> {
    let value = number(node).ok_or(Problem::of_type(wanted))?;
    if range.contains(&value) { Ok(value) } else { Err(Problem::new(codes::BAD_QUANTITY, wanted)) }
}

/// A bandwidth in GB/s, above zero; `inf` is one.
pub(crate) fn bandwidth(node: &Node) -> Result<Bandwidth, Problem> {
    let wanted = "a bandwidth in GB/s above 0, or inf";
    let value = number(node).ok_or(Problem::of_type(wanted))?;
    Bandwidth::from_gb_per_s(value).ok_or(Problem::new(codes::BAD_BANDWIDTH, wanted))
}

/// A size in units of `unit` bytes, taken to the nearest byte, from 1 byte to 2^50.
pub(crate) fn size(unit: u64, name: &'static str) -> impl Fn(&Node) -> Result<u64, Problem> {
    move |node| {
        let wanted = format!("a size in {name} above 0");
        let value = number(node).ok_or(Problem::of_type(&wanted))? * unit as f64;
        let good = (1.0..=(1u64 << 50) as f64).contains(&value);
        if good { Ok(value.round() as u64) } else { Err(Problem::new(codes::BAD_QUANTITY, wanted)) }
    }
}

/// Like [`size`], zero included.
pub(crate) fn size_or_none(
    unit: u64,
    name: &'static str,
) -> impl Fn(&Node) -> Result<u64, Problem> {
    move |node| if number(node) == Some(0.0) { Ok(0) } else { size(unit, name)(node) }
}

/// `true` or `false`.
pub(crate) fn flag(node: &Node) -> Result<bool, Problem> {
    let Value::Bool(value) = node.value else { return Err(Problem::of_type("true or false")) };
    Ok(value)
}

/// Any text.
pub(crate) fn text(node: &Node) -> Result<String, Problem> {
    let Value::Text(value) = &node.value else { return Err(Problem::of_type("text")) };
    Ok(value.clone())
}

/// One of `names`, which stand for values.
pub(crate) fn choice<T: Copy>(
    names: &'static [(&'static str, T)],
) -> impl Fn(&Node) -> Result<T, Problem> {
    move |node| {
        let all: Vec<&'static str> = names.iter().map(|(name, _)| *name).collect();
        let wanted = either(&all);
        let Value::Text(text) = &node.value else { return Err(Problem::of_type(&wanted)) };
        let found = names.iter().find(|(name, _)| name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let mut problem = Problem::new(codes::UNKNOWN_CHOICE, wanted.as_str());
            problem.0.similar = similar_choice(text, &all);
            problem
        })
    }
}

/// The choice that `text` begins, or the nearest one.
fn similar_choice(text: &str, all: &[&'static str]) -> Option<&'static str> {
    let mut begun = all.iter().filter(|name| !text.is_empty() && name.starts_with(text));
    let only = begun.next().filter(|_| begun.next().is_none()).copied();
    only.or_else(|| nearest(text, all.iter().copied()).first().copied())
}

/// `a`, `b` or `c`.
fn either(names: &[impl Display]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::from("nothing"),
        [one] => one.clone(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}
