//! What the parser's errors are called.
//!
//! LALRPOP reports the token it stumbled over and every terminal it could have taken. Here that
//! becomes a sentence in the language's words: at most three expected things, and the construct
//! they were expected in. An error is silent if it is a consequence: of something reported on the
//! same line before parsing, or of an earlier error on its line from which the parser did not
//! resume at the same bracket.

use std::convert::Infallible;

use lalrpop_util::ParseError;

use super::faults::Faults;
use super::token::{Kind, Token};
use crate::diag::syntax::{ASSIGNMENT_IN_EXPRESSION, UNEXPECTED};
use crate::diag::{Code, Diagnostic, nearest_help};

/// What a newline is called.
const LINE_END: &str = "the end of the line";

/// An error of the parser.
#[derive(Debug)]
pub(super) struct Failure {
    /// The index of the token it stumbled over.
    at: usize,
    /// The first byte of that token.
    pub(super) start: u32,
    /// The index of the token it went on with, if it dropped any.
    resumed: Option<usize>,
    /// The terminals it could have taken, in quotes.
    expected: Vec<String>,
}

impl Failure {
    /// `error`, after which the parser went on with the token at `resumed`.
    pub(super) fn new(error: ParseError<u32, Token, Infallible>, resumed: Option<u32>) -> Failure {
        let (at, start, expected) = match error {
            ParseError::InvalidToken { location } => (location, 0, Vec::new()),
            ParseError::UnrecognizedEof { location, expected } => (location, 0, expected),
            ParseError::UnrecognizedToken { token: (at, token, _), expected } => {
                (at, token.start, expected)
            }
            ParseError::ExtraToken { token: (at, token, _) } => (at, token.start, Vec::new()),
            ParseError::User { error } => match error {},
        };
        Failure { at: at as usize, start, resumed: resumed.map(|at| at as usize), expected }
    }
}

/// Says the independent ones among `failures`.
pub(super) fn explain(
    text: &str,
    tokens: &[Token],
    mut failures: Vec<Failure>,
    faults: &mut Faults,
) {
    if failures.is_empty() {
        return;
    }
    failures.sort_by_key(|failure| failure.at);
    let places = Places::new(tokens);
    // The line on which the parser has lost its way.
    let mut lost = None;
    for failure in failures {
        let line = places.line(failure.at);
        let silent = lost == Some(line.number) || faults.any_within(line.bytes.0, line.bytes.1);
        let outside = places.opener(failure.at);
        let resumed = failure.resumed.unwrap_or(failure.at);
        if places.opener(resumed) != outside || places.line(resumed).number != line.number {
            lost = Some(line.number);
        }
        if !silent {
            let diagnostic =
                Mistake { text, tokens, places: &places, failure: &failure }.say(faults);
            faults.report_quietly(diagnostic);
        }
    }
}

/// Where each token stands.
struct Places {
    /// For each token, the index of the bracket it stands in or closes, and its line.
    tokens: Vec<(Option<u32>, u32)>,
    lines: Vec<Line>,
}

/// A logical line.
#[derive(Clone, Copy)]
struct Line {
    /// Its number.
    number: u32,
    /// The index of its first token.
    first: usize,
    /// Its bytes, from the end of the line before it.
    bytes: (u32, u32),
}

impl Places {
    fn new(tokens: &[Token]) -> Places {
        let mut places = Places { tokens: Vec::with_capacity(tokens.len()), lines: Vec::new() };
        let mut open: Vec<u32> = Vec::new();
        let (mut fresh, mut end) = (true, 0);
        for (at, token) in (0u32..).zip(tokens) {
            if fresh {
                let number = places.lines.len() as u32;
                places.lines.push(Line { number, first: at as usize, bytes: (end, token.end) });
            }
            end = token.end;
            if let Some(line) = places.lines.last_mut() {
                line.bytes.1 = if token.kind == Kind::Newline { token.start } else { end };
                places.tokens.push((open.last().copied(), line.number));
            }
            if token.kind.closes() {
                open.pop();
            } else if token.kind.opens() {
                open.push(at);
            }
            fresh = matches!(token.kind, Kind::Newline | Kind::Indent | Kind::Dedent)
                || matches!(token.kind, Kind::StartModule | Kind::StartFragment);
        }
        places
    }

    /// The bracket around the token at `at`.
    fn opener(&self, at: usize) -> Option<usize> {
        self.tokens.get(at).and_then(|(opener, _)| opener.map(|it| it as usize))
    }

    /// The line of the token at `at`.
    fn line(&self, at: usize) -> Line {
        let number = self.tokens.get(at).or(self.tokens.last()).map_or(0, |(_, line)| *line);
        let none = Line { number: 0, first: 0, bytes: (0, 0) };
        self.lines.get(number as usize).copied().unwrap_or(none)
    }
}

/// One error, where it stands.
struct Mistake<'m> {
    text: &'m str,
    tokens: &'m [Token],
    places: &'m Places,
    failure: &'m Failure,
}

impl Mistake<'_> {
    fn say(&self, faults: &Faults) -> Diagnostic {
        if let Some(diagnostic) = self.assignment(faults) {
            return diagnostic;
        }
        if let Some(diagnostic) = self.keyword_as_name(faults) {
            return diagnostic;
        }
        let found = self.token(self.failure.at);
        let wanted = self.expected();
        let (construct, opener) = self.construct();
        let message = match wanted.as_slice() {
            [] => format!("{} cannot stand {construct}", self.describe(found)),
            some => format!("expected {} {construct}, found {}", join(some), self.describe(found)),
        };
        let label = if wanted.is_empty() { "not expected here" } else { "found this" };
        let mut diagnostic = self.at(UNEXPECTED, faults, message, label);
        if let Some(opener) = opener {
            diagnostic =
                diagnostic.because(faults.span(opener.start, opener.end), "it begins here");
        }
        if let Some(help) = self.help(found) {
            diagnostic = diagnostic.help(help);
        }
        diagnostic
    }

    fn at(&self, code: Code, faults: &Faults, message: String, label: &str) -> Diagnostic {
        let found = self.token(self.failure.at);
        let end = if found.kind == Kind::Newline { found.start } else { found.end };
        faults.at(code, (found.start, end), message, label)
    }

    fn token(&self, at: usize) -> Token {
        let last = self.tokens.last().copied();
        self.tokens.get(at).copied().or(last).unwrap_or(Token::made(Kind::Newline, 0))
    }

    fn before(&self, count: usize) -> Kind {
        self.failure.at.checked_sub(count).map_or(Kind::Newline, |at| self.token(at).kind)
    }

    fn expects(&self, terminal: &str) -> bool {
        let quoted = |it: &String| it.trim_matches('"') == terminal;
        self.failure.expected.iter().any(quoted)
    }

    // ---- Particular mistakes -----------------------------------------------------------

    /// `(a = b)`, `f(a.b = c)`.
    fn assignment(&self, faults: &Faults) -> Option<Diagnostic> {
        let found = self.token(self.failure.at);
        if found.kind != Kind::Equals || !self.before(1).ends_operand() {
            return None;
        }
        let opener = self.places.opener(self.failure.at)?;
        let (message, label) = if self.is_call(opener) {
            ("only a name can stand before `=` in an argument list", "names no parameter")
        } else {
            ("`=` assigns, and cannot stand inside an expression", "this assigns")
        };
        let diagnostic = self.at(ASSIGNMENT_IN_EXPRESSION, faults, message.to_owned(), label);
        Some(diagnostic.help("to compare, write `==`"))
    }

    /// `def in(x)`, `lambda = 3`, `x.from`.
    fn keyword_as_name(&self, faults: &Faults) -> Option<Diagnostic> {
        let mut at = self.failure.at;
        let assigned =
            self.token(at).kind == Kind::Equals || self.token(at).kind == Kind::AugAssign;
        if assigned && at > 0 {
            at -= 1;
        }
        let token = self.token(at);
        let named = self.expects("name") && !self.expects("(");
        let first = self.places.line(at).first == at;
        if !token.kind.is_keyword() || !(named || (assigned && first)) {
            return None;
        }
        let word = token.text(self.text);
        let message = format!("`{word}` is a keyword, and cannot be used as a name");
        let place = (token.start, token.end);
        let diagnostic = faults.at(UNEXPECTED, place, message, "expected a name");
        Some(diagnostic.help(format!("choose another name, such as `{}_`", word.to_lowercase())))
    }

    fn help(&self, found: Token) -> Option<String> {
        let first = self.token(self.places.line(self.failure.at).first);
        if found.kind == Kind::Walrus {
            return Some(String::from(
                "a statement assigns with `=`; `:=` needs brackets around it",
            ));
        }
        let compound = matches!(found.kind, Kind::If | Kind::For | Kind::While | Kind::Def);
        if compound && self.before(1) == Kind::BlockColon {
            return Some(String::from(
                "put it on a line of its own, indented deeper than the header",
            ));
        }
        if first.text(self.text) == "print" && found.kind == Kind::Str {
            return Some(String::from("`print` is a function: write `print(…)`"));
        }
        if first.kind == Kind::Name && found.kind != Kind::Newline {
            let keywords =
                ["if", "elif", "else", "for", "while", "def", "return", "import", "from"];
            return nearest_help("keyword", first.text(self.text), keywords);
        }
        None
    }

    // ---- Words -------------------------------------------------------------------------

    fn describe(&self, token: Token) -> String {
        let text = token.text(self.text);
        let named = [
            (Kind::Str, "a string"),
            (Kind::Newline, if self.in_fragment() { "the end of the braces" } else { LINE_END }),
            (Kind::Indent, "an indented block"),
            (Kind::Dedent, "the end of the block"),
            (Kind::BlockColon, "`:`"),
            (Kind::Refused, "what was refused"),
        ];
        if let Some((_, words)) = named.into_iter().find(|(kind, _)| *kind == token.kind) {
            words.to_owned()
        } else if token.kind == Kind::Name {
            format!("the name `{text}`")
        } else if token.kind == Kind::Number {
            format!("the number `{text}`")
        } else if token.kind.is_keyword() {
            format!("the keyword `{text}`")
        } else if text.is_empty() {
            // A bracket that was put in for a missing one.
            LINE_END.to_owned()
        } else {
            format!("`{text}`")
        }
    }

    /// Whether this is about the expression in the braces of an f-string.
    fn in_fragment(&self) -> bool {
        self.tokens.first().is_some_and(|first| first.kind == Kind::StartFragment)
    }

    /// At most three things that could have stood there.
    fn expected(&self) -> Vec<String> {
        let has = |terminal: &str| self.expects(terminal);
        let operand = has("number") && has("(");
        let operator = has("+") && has("and");
        let name_only = has("name") && !operand;
        let table = [
            (operand, "an expression"),
            (name_only, "a name"),
            (has(")"), "`)`"),
            (has("]"), "`]`"),
            (has("}"), "`}`"),
            (has("in") && !has("and"), "`in`"),
            (has("import") && !operand, "`import`"),
            (has("def") && !operand, "`def`"),
            (has("else") && !operand && !has("newline"), "`else`"),
            (has("block"), "`:`"),
            (has(":") && !has("newline"), "`:`"),
            (has("(") && !operand && !operator && !has("+"), "`(`"),
            (has(",") && !has("newline"), "`,`"),
            (has("newline"), LINE_END),
            (operator && has("newline"), "an operator"),
        ];
        let words = table.into_iter().filter_map(|(has, word)| has.then_some(word.to_owned()));
        words.take(3).collect()
    }

    /// Whether the bracket at `opener` begins the arguments of a call.
    fn is_call(&self, opener: usize) -> bool {
        let before = opener.checked_sub(1).map(|at| self.token(at).kind);
        self.token(opener).kind == Kind::LeftParen
            && before.is_some_and(Kind::ends_operand)
            && !self.is_parameters(opener)
    }

    /// Whether the bracket at `opener` begins the parameters of a `def`.
    fn is_parameters(&self, opener: usize) -> bool {
        opener.checked_sub(2).is_some_and(|at| self.token(at).kind == Kind::Def)
    }

    /// The construct around the error in words, and the bracket that begins it.
    fn construct(&self) -> (String, Option<Token>) {
        let Some(opener) = self.places.opener(self.failure.at) else {
            return (self.statement(), None);
        };
        let token = self.token(opener);
        let operand = opener.checked_sub(1).is_some_and(|at| self.token(at).kind.ends_operand());
        let words = if self.is_parameters(opener) {
            "in this parameter list"
        } else if self.is_call(opener) {
            "in this argument list"
        } else if token.kind == Kind::LeftBracket && operand {
            "in this subscript"
        } else if token.kind == Kind::LeftBracket {
            "in this list"
        } else if token.kind == Kind::LeftBrace {
            "in this dict"
        } else {
            "in these brackets"
        };
        (words.to_owned(), Some(token))
    }

    /// The statement around the error in words.
    fn statement(&self) -> String {
        let first = self.token(self.places.line(self.failure.at).first);
        let word = first.text(self.text);
        let is = |kinds: &[Kind]| kinds.contains(&first.kind);
        if self.in_fragment() {
            String::from("in the braces of an f-string")
        } else if is(&[Kind::If, Kind::Elif, Kind::While]) {
            format!("in the condition of `{word}`")
        } else if is(&[Kind::For, Kind::Def, Kind::Else, Kind::Try, Kind::Except, Kind::Finally]) {
            format!("in the header of `{word}`")
        } else if is(&[Kind::Import, Kind::From]) {
            String::from("in this import")
        } else if is(&[Kind::Assert, Kind::Return, Kind::Raise, Kind::Del]) {
            format!("in this `{word}`")
        } else {
            String::from("in this statement")
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
fn join(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} or {last}", some.join(", ")),
    }
}
