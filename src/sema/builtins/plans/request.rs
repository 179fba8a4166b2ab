//! One call as an op in the making: its arguments are read, each in its kind, and become the words
//! and numbers of the op.

use crate::ir::{self, Type, Value, Verb};
use crate::sema::analysis::Analysis;
use crate::sema::builtins::Call;
use crate::sema::errors::plans as errors;
use crate::sema::value::{Handle, HandleKind, Spanned, Val};
use crate::source::Span;

/// When the threads of a block meet around an op.
const SYNCS: [&str; 4] = ["none", "before", "after", "both"];

/// An op in the making.
pub(super) struct Request<'a, 'p, 'c> {
    pub(super) it: &'a mut Analysis<'p>,
    pub(super) call: &'c Call,
    pub(super) words: Vec<String>,
    pub(super) numbers: Vec<Vec<Value>>,
}

impl<'a, 'p, 'c> Request<'a, 'p, 'c> {
    pub(super) fn new(it: &'a mut Analysis<'p>, call: &'c Call) -> Request<'a, 'p, 'c> {
        Request { it, call, words: Vec::new(), numbers: Vec::new() }
    }

    pub(super) fn wrong(&mut self, name: &str, arg: &Spanned, expected: &str) -> Option<()> {
        let found = self.it.describe(&arg.val);
        let method = self.call.name();
        self.it.report(errors::argument((&method, name), [&found, expected], arg.span));
        None
    }

    pub(super) fn integer(&mut self, name: &str, arg: &Spanned) -> Option<Value> {
        let found = self.it.integer_scalar(arg);
        if found.is_none() {
            self.wrong(name, arg, "an integer");
        }
        found
    }

    pub(super) fn number(&mut self, value: i64) -> Value {
        self.it.frame.build.int(value, self.call.span)
    }

    /// A group of one integer.
    pub(super) fn one(&mut self, name: &str) -> Option<()> {
        let value = self.integer(name, &self.call.arg(name).clone())?;
        self.numbers.push(vec![value]);
        Some(())
    }

    /// The numbers of a handle of one of some kinds.
    pub(super) fn handle(&mut self, name: &str, kinds: &[HandleKind]) -> Option<HandleKind> {
        let arg = self.call.arg(name);
        let Some(handle) = handle_of(&arg.val, kinds) else {
            let expected = kinds.first().map_or("a handle", |kind| kind.text());
            self.wrong(name, &arg.clone(), expected);
            return None;
        };
        let numbers = self.numbers_of(&handle.parts, arg.span)?;
        self.numbers.push(numbers);
        Some(handle.kind)
    }

    pub(super) fn numbers_of(&mut self, parts: &[Val], span: Span) -> Option<Vec<Value>> {
        let part = |it: &mut Analysis<'_>, val: &Val| {
            it.integer_scalar(&Spanned { val: val.clone(), span })
        };
        parts.iter().map(|val| part(self.it, val)).collect()
    }

    pub(super) fn chunk(&mut self, name: &str) -> Option<()> {
        self.handle(name, &[HandleKind::Chunk]).map(drop)
    }

    /// The items of an argument that is a tuple, a list or a known range.
    pub(super) fn items(&mut self, name: &str, expected: &str) -> Option<Vec<Val>> {
        let arg = self.call.arg(name);
        if let Val::Range(range) = &arg.val
            && let Some(turns) = self.it.known_turns(range, arg.span)
        {
            return Some(turns.map(Val::int).collect());
        }
        if let Some(items) = arg.val.items() {
            return Some(items.to_vec());
        }
        self.wrong(name, &arg.clone(), expected)?;
        None
    }

    /// A group of integers.
    pub(super) fn integers(&mut self, name: &str) -> Option<()> {
        let span = self.call.arg(name).span;
        let mut numbers = Vec::new();
        for val in self.items(name, "a list of integers")? {
            numbers.push(self.integer(name, &Spanned { val, span })?);
        }
        self.numbers.push(numbers);
        Some(())
    }

    /// A group of chunks.
    pub(super) fn chunks(&mut self, name: &str) -> Option<()> {
        let span = self.call.arg(name).span;
        let mut chunks = Vec::new();
        for val in self.items(name, "a list of chunks")? {
            let Some(chunk) = handle_of(&val, &[HandleKind::Chunk]) else {
                return self.wrong(name, &Spanned { val, span }, "a list of chunks");
            };
            chunks.extend(self.numbers_of(&chunk.parts, span)?);
        }
        self.numbers.push(chunks);
        Some(())
    }

    /// A word that is one of `known`.
    pub(super) fn word(&mut self, (name, what): (&str, &str), known: &[&str]) -> Option<String> {
        let arg = self.call.get(name);
        let Some(arg) = arg else { return known.first().map(|it| String::from(*it)) };
        let text = arg.val.text();
        if let Some(word) = text.filter(|it| known.contains(it)) {
            return Some(word.to_owned());
        }
        let said = self.it.describe(&arg.val);
        self.it.report(errors::word((what, &said), known, (text, arg.span)));
        None
    }

    pub(super) fn sync(&mut self) -> Option<()> {
        let word = match self.call.get("data_sync") {
            None => String::from("both"),
            Some(_) => self.word(("data_sync", "`data_sync`"), &SYNCS)?,
        };
        self.words.push(word);
        Some(())
    }

    /// The thread blocks that do it: `tb` or `tb_group`.
    pub(super) fn blocks(&mut self) -> Option<()> {
        match (self.call.some("tb"), self.call.some("tb_group")) {
            (Some(tb), None) => {
                let value = self.integer("tb", &tb.clone())?;
                self.numbers.push(vec![value]);
            }
            (None, Some(_)) => {
                self.words.push(String::from("group"));
                self.handle("tb_group", &[HandleKind::Group])?;
            }
            (tb, _) => {
                let method = self.call.name();
                self.it.report(errors::no_block(&method, tb.is_some(), self.call.span));
                return None;
            }
        }
        Some(())
    }

    pub(super) fn emit(self, verb: Verb) -> Val {
        let op = ir::Channel { verb, words: self.words, numbers: self.numbers };
        self.it.frame.build.emit(op, Vec::new(), self.call.span);
        Val::NONE
    }

    /// Makes something, and gives its number.
    pub(super) fn make(self, verb: Verb) -> Value {
        let op = ir::Channel { verb, words: self.words, numbers: self.numbers };
        self.it.frame.build.emit_value(op, Type::I64, self.call.span)
    }
}

/// The handle that `val` is, if it is one of these kinds.
pub(super) fn handle_of<'v>(val: &'v Val, kinds: &[HandleKind]) -> Option<&'v Handle> {
    if let Val::Handle(handle) = val { Some(&**handle) } else { None }
        .filter(|handle| kinds.contains(&handle.kind))
}

/// What a request came to: an error was said where it is `None`.
pub(super) fn done(made: Option<Val>) -> Val {
    made.unwrap_or(Val::Error)
}
