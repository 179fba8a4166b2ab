//! What the lexer and the layout pass hand to the grammar: a kind and a range of bytes.
//!
//! Tokens are `Copy` and hold no text, so passes over them are cheap; numbers and strings are
//! decoded by the tree builder, which has the text and can report. The attributes on [`Kind`]
//! are the lexer's rules; what they do is told in `lexer`.

use logos::Logos;

use super::lexer;

/// A token: what it is and where its text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: u32,
    /// One past its last byte; equal to `start` for tokens that the layout pass made.
    pub end: u32,
}

impl Token {
    /// A token without text at byte `at`.
    pub(super) fn made(kind: Kind, at: u32) -> Token {
        Token { kind, start: at, end: at }
    }

    /// The text it covers.
    pub(super) fn text(self, source: &str) -> &str {
        source.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Logos)]
#[logos(skip r"[ \t\x0C]+")]
#[logos(skip(r"#[^\r\n]*", allow_greedy = true))]
#[logos(skip r"\\(\r\n|\n|\r)")]
#[rustfmt::skip]
pub(super) enum Kind {
    // What has letters of its own.
    #[regex(r"[_\p{XID_Start}]\p{XID_Continue}*")] Name,
    #[regex(r"\.?[0-9]", lexer::number)] Number,
    #[regex(r#"[rRbBuUfF]?[rRbBfF]?["']"#, lexer::string)] Str,

    // Keywords of the language.
    #[token("False")] False,
    #[token("None")] None,
    #[token("True")] True,
    #[token("and")] And,
    #[token("as")] As,
    #[token("assert")] Assert,
    #[token("break")] Break,
    #[token("continue")] Continue,
    #[token("def")] Def,
    #[token("elif")] Elif,
    #[token("else")] Else,
    #[token("for")] For,
    #[token("from")] From,
    #[token("if")] If,
    #[token("import")] Import,
    #[token("in")] In,
    #[token("is")] Is,
    #[token("lambda")] Lambda,
    #[token("not")] Not,
    #[token("or")] Or,
    #[token("pass")] Pass,
    #[token("return")] Return,
    #[token("while")] While,

    // Keywords of Python that are refused by name.
    #[token("async")] Async,
    #[token("await")] Await,
    #[token("class")] Class,
    #[token("del")] Del,
    #[token("except")] Except,
    #[token("finally")] Finally,
    #[token("global")] Global,
    #[token("nonlocal")] Nonlocal,
    #[token("raise")] Raise,
    #[token("try")] Try,
    #[token("with")] With,
    #[token("yield")] Yield,

    // Brackets.
    #[token("(")] LeftParen,
    #[token(")")] RightParen,
    #[token("[")] LeftBracket,
    #[token("]")] RightBracket,
    #[token("{")] LeftBrace,
    #[token("}")] RightBrace,

    // Operators and marks.
    #[token("+")] Plus,
    #[token("-")] Minus,
    #[token("*")] Star,
    #[token("**")] DoubleStar,
    #[token("/")] Slash,
    #[token("//")] DoubleSlash,
    #[token("%")] Percent,
    #[token("@")] At,
    #[token("<<")] ShiftLeft,
    #[token(">>")] ShiftRight,
    #[token("&")] Ampersand,
    #[token("|")] Bar,
    #[token("^")] Caret,
    #[token("~")] Tilde,
    /// `<`, `<=`, `>`, `>=`, `==`, `!=`.
    #[regex("[<>]=?|[=!]=")] Comparison,
    #[token("=")] Equals,
    /// `+=` and its like.
    #[regex(r"(\+|-|\*\*?|//?|%|@|<<|>>|&|\||\^)=")] AugAssign,
    #[token(":=")] Walrus,
    #[token("->")] Arrow,
    #[token(":")] Colon,
    #[token(",")] Comma,
    #[token(";")] Semicolon,
    #[token(".")] Dot,
    #[token("...")] Ellipsis,

    // Operators of other languages; `habits` mends them.
    #[token("&&")] AndAnd,
    #[token("||")] OrOr,
    #[token("!")] Bang,
    #[token("?")] Question,
    /// `===`, `!==`, `<>`.
    #[regex("[=!]==|<>")] ForeignComparison,

    // What the layout pass makes.
    /// The end of a line; from the lexer of a physical line, from the layout pass of a logical
    /// one.
    #[regex(r"\r\n|\n|\r")] Newline,
    /// The beginning of an indented block.
    Indent,
    /// The end of an indented block.
    Dedent,
    /// The colon that ends the header of a compound statement.
    BlockColon,

    // What could not be read, and where to begin.
    /// A string whose quote never closes; the lexer reports it and hands on [`Kind::Refused`].
    OpenString,
    /// Text that was refused already: stands for an expression, and nothing more is said of it.
    Refused,
    /// The first token of a whole file.
    StartModule,
    /// The first token of an expression inside an f-string.
    StartFragment,
}

impl Kind {
    /// Whether this opens a bracket.
    pub(super) fn opens(self) -> bool {
        matches!(self, Kind::LeftParen | Kind::LeftBracket | Kind::LeftBrace)
    }

    /// Whether this closes a bracket.
    pub(super) fn closes(self) -> bool {
        matches!(self, Kind::RightParen | Kind::RightBracket | Kind::RightBrace)
    }

    /// The bracket that closes what this opens.
    pub(super) fn closer(self) -> Option<Kind> {
        let pairs = [
            (Kind::LeftParen, Kind::RightParen),
            (Kind::LeftBracket, Kind::RightBracket),
            (Kind::LeftBrace, Kind::RightBrace),
        ];
        pairs.into_iter().find_map(|(open, close)| (open == self).then_some(close))
    }

    /// Whether this is a keyword of Python, the refused ones included.
    pub(super) fn is_keyword(self) -> bool {
        (Kind::False as u8..=Kind::Yield as u8).contains(&(self as u8))
    }

    /// Whether an operand may end with this token: what follows is then an operator.
    pub(super) fn ends_operand(self) -> bool {
        self.closes()
            || matches!(self, Kind::Name | Kind::Number | Kind::Str | Kind::True | Kind::False)
            || matches!(self, Kind::None | Kind::Ellipsis | Kind::Refused)
    }

    /// Whether this is an operator that binds less than `-x` when it stands between operands.
    pub(super) fn is_binary(self) -> bool {
        matches!(self, Kind::Plus | Kind::Minus | Kind::Star | Kind::Slash | Kind::DoubleSlash)
            || matches!(self, Kind::Percent | Kind::At | Kind::ShiftLeft | Kind::ShiftRight)
            || matches!(self, Kind::Ampersand | Kind::Bar | Kind::Caret | Kind::Comparison)
            || matches!(self, Kind::In | Kind::Is | Kind::Not)
    }

    /// What `--emit tokens` calls it.
    pub(super) fn name(self) -> &'static str {
        let named = [
            (Kind::Name, "name"),
            (Kind::Number, "number"),
            (Kind::Str, "string"),
            (Kind::Newline, "newline"),
            (Kind::Indent, "indent"),
            (Kind::Dedent, "dedent"),
            (Kind::Refused, "refused"),
            (Kind::OpenString, "refused"),
        ];
        if let Some((_, name)) = named.into_iter().find(|(kind, _)| *kind == self) {
            return name;
        }
        if self.is_keyword() { "keyword" } else { "operator" }
    }
}
