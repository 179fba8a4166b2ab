//! The syntax tree of one `.kb` file.
//!
//! Expressions live in one arena and name each other by [`ExprId`], so a tree of any depth is
//! dropped without recursion; the parser refuses trees deeper than [`MAX_DEPTH`], so every
//! consumer may recurse. Statements own their blocks. Every node has the span of its text.

use crate::arena::Arena;
use crate::id;
use crate::source::{FileId, Span};

/// The deepest nesting of expressions and of blocks that is accepted.
pub const MAX_DEPTH: u32 = 200;

id! {
    /// An expression of a [`Module`].
    ExprId, "e";
}

/// A whole file.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file it was read from.
    pub file: FileId,
    /// Every expression.
    pub exprs: Arena<ExprId, Expr>,
    /// The statements at the top level, the docstring included.
    pub body: Vec<Stmt>,
}

/// An identifier where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// Its letters.
    pub name: String,
    /// Where.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its text, the brackets of a parenthesised expression left out.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// An integer literal in any base. Literals beyond 128 bits are refused by the lexer.
    Int(i128),
    /// A float literal.
    Float(f64),
    /// One or more adjacent string literals, joined.
    Str(String),
    /// An f-string.
    FString(Vec<FStringPart>),
    /// `True` or `False`.
    Bool(bool),
    /// `None`.
    None,
    /// `...`.
    Ellipsis,
    /// A name.
    Name(String),
    /// `value.attr`.
    Attribute {
        /// What is looked into.
        value: ExprId,
        /// The name looked up.
        attr: Ident,
    },
    /// `func(args)`.
    Call {
        /// What is called.
        func: ExprId,
        /// The arguments, in the order written.
        args: Vec<Arg>,
    },
    /// `value[index]`; several indices are one [`ExprKind::Tuple`].
    Subscript {
        /// What is indexed.
        value: ExprId,
        /// The index; may be or hold [`ExprKind::Slice`].
        index: ExprId,
    },
    /// `lower:upper:step`, only inside a subscript.
    Slice {
        /// First index taken.
        lower: Option<ExprId>,
        /// First index not taken.
        upper: Option<ExprId>,
        /// Distance.
        step: Option<ExprId>,
    },
    /// `op operand`.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        operand: ExprId,
    },
    /// `left op right`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Its left operand.
        left: ExprId,
        /// Its right operand.
        right: ExprId,
    },
    /// `first op x op y …`, each neighbouring pair compared.
    Compare {
        /// The leftmost operand.
        first: ExprId,
        /// Each operator with the operand to its right; at least one.
        rest: Vec<(CompareOp, ExprId)>,
    },
    /// `a and b and …` or `a or b or …`; at least two operands.
    BoolOp {
        /// Which.
        op: BoolOp,
        /// The operands.
        operands: Vec<ExprId>,
    },
    /// `then if condition else otherwise`.
    IfElse {
        /// What decides.
        condition: ExprId,
        /// The value where it is true.
        then: ExprId,
        /// The value where it is false.
        otherwise: ExprId,
    },
    /// `(a, b)`, with or without brackets.
    Tuple(Vec<ExprId>),
    /// `[a, b]`.
    List(Vec<ExprId>),
    /// `{k: v}`.
    Dict(Vec<(ExprId, ExprId)>),
    /// `lambda params: body`.
    Lambda {
        /// Its parameters; annotations never occur.
        params: Vec<Param>,
        /// Its value.
        body: ExprId,
    },
    /// `[element for … in … if …]`, also `(…)` and `{k: v for …}`.
    Comprehension {
        /// The brackets it stands in.
        kind: ComprehensionKind,
        /// Each element; a two-element [`ExprKind::Tuple`] of key and value for a dict.
        element: ExprId,
        /// The `for` clauses, outermost first.
        clauses: Vec<Clause>,
    },
    /// `*value`, in calls, displays and unpacking targets.
    Starred(ExprId),
    /// `name := value`; parsed so that it can be refused by name.
    Walrus {
        /// The name bound.
        target: Ident,
        /// Its value.
        value: ExprId,
    },
    /// Text that did not parse; the error is reported already.
    Error,
}

/// What a comprehension builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComprehensionKind {
    /// `[…]`
    List,
    /// `(…)`
    Generator,
    /// `{k: v …}`
    Dict,
    /// `{…}`
    Set,
}

/// `for target in iter if condition …` of a comprehension.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// What is bound.
    pub target: ExprId,
    /// What is walked.
    pub iter: ExprId,
    /// The filters.
    pub conditions: Vec<ExprId>,
}

/// A piece of an f-string.
#[derive(Clone, Debug, PartialEq)]
pub enum FStringPart {
    /// Literal text.
    Text(String),
    /// `{value:spec}`.
    Value {
        /// What is formatted.
        value: ExprId,
        /// The format after the colon, if any.
        spec: Option<String>,
    },
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// How it is passed.
    pub kind: ArgKind,
    /// Its value.
    pub value: ExprId,
    /// Its text, the keyword included.
    pub span: Span,
}

/// How an argument is passed.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgKind {
    /// By place.
    Positional,
    /// `name=value`.
    Keyword(Ident),
    /// `*value`.
    Star,
    /// `**value`; parsed so that it can be refused by name.
    DoubleStar,
}

/// A prefix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `+`
    Pos,
    /// `~`
    Invert,
    /// `not`
    Not,
}

/// An infix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `//`
    FloorDiv,
    /// `%`
    Mod,
    /// `**`
    Pow,
    /// `@`
    MatMul,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
    /// `<<`
    Shl,
    /// `>>`
    Shr,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `is`
    Is,
    /// `is not`
    IsNot,
    /// `in`
    In,
    /// `not in`
    NotIn,
}

/// `and` or `or`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoolOp {
    /// `and`
    And,
    /// `or`
    Or,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Its text; for a compound statement, its header line.
    pub span: Span,
}

/// One `except` of a `try`.
#[derive(Clone, Debug)]
pub struct Handler {
    /// The exceptions it is for, one or a tuple; all of them where there is none.
    pub kinds: Option<ExprId>,
    /// What the exception is called in its block.
    pub name: Option<Ident>,
    /// Its block.
    pub body: Vec<Stmt>,
    /// From the keyword to the colon.
    pub span: Span,
}

/// What a statement is.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// An expression for its effect; a docstring is one too.
    Expr(ExprId),
    /// `a = b = value`: targets left to right.
    Assign {
        /// At least one.
        targets: Vec<ExprId>,
        /// The value.
        value: ExprId,
    },
    /// `target op= value`.
    AugAssign {
        /// What is changed.
        target: ExprId,
        /// How.
        op: BinaryOp,
        /// By what.
        value: ExprId,
    },
    /// `target: annotation = value`.
    AnnAssign {
        /// What is bound.
        target: ExprId,
        /// Its annotation.
        annotation: ExprId,
        /// Its value, if given.
        value: Option<ExprId>,
    },
    /// `if`/`elif`/`else`.
    If {
        /// Each condition with its block; at least one.
        branches: Vec<(ExprId, Vec<Stmt>)>,
        /// The `else` block; empty where there is none.
        otherwise: Vec<Stmt>,
    },
    /// `for target in iter`.
    For {
        /// What is bound.
        target: ExprId,
        /// What is walked.
        iter: ExprId,
        /// The body.
        body: Vec<Stmt>,
        /// The `else` block; parsed so that it can be refused by name.
        otherwise: Vec<Stmt>,
    },
    /// `while condition`.
    While {
        /// What decides.
        condition: ExprId,
        /// The body.
        body: Vec<Stmt>,
        /// The `else` block; parsed so that it can be refused by name.
        otherwise: Vec<Stmt>,
    },
    /// `try` with what catches; at least one handler, or a `finally`.
    Try {
        /// What may fail.
        body: Vec<Stmt>,
        /// What is done of it, in order.
        handlers: Vec<Handler>,
        /// The `else` block; empty where there is none.
        otherwise: Vec<Stmt>,
        /// The `finally` block; empty where there is none.
        last: Vec<Stmt>,
    },
    /// `raise exception from cause`
    Raise {
        /// What is raised; what is being handled where there is none.
        exception: Option<ExprId>,
        /// What it is because of.
        cause: Option<ExprId>,
    },
    /// `del targets`
    Delete(Vec<ExprId>),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `return value`
    Return(Option<ExprId>),
    /// `pass`
    Pass,
    /// `assert condition, message`
    Assert {
        /// What must hold.
        condition: ExprId,
        /// What to say where it does not.
        message: Option<ExprId>,
    },
    /// `import a.b as c, …`
    Import(Vec<ImportName>),
    /// `from module import a as b, …`; a `*` is the name `*`.
    ImportFrom {
        /// The dotted module.
        module: Ident,
        /// What is taken.
        names: Vec<ImportName>,
    },
    /// `def`
    Function(Box<Function>),
    /// Text that did not parse, or that Python has and kbc has not; reported already.
    Error,
}

/// A name imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportName {
    /// What is imported; dotted for `import a.b`.
    pub name: Ident,
    /// What it is called here, if renamed.
    pub alias: Option<Ident>,
}

/// A function definition.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: Ident,
    /// Its decorators, in the order written.
    pub decorators: Vec<ExprId>,
    /// Its parameters.
    pub params: Vec<Param>,
    /// The annotation after `->`.
    pub returns: Option<ExprId>,
    /// Its body, the docstring included.
    pub body: Vec<Stmt>,
    /// From `def` to the colon.
    pub header: Span,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// Whether it is `*args`.
    pub variadic: bool,
    /// Its annotation.
    pub annotation: Option<ExprId>,
    /// Its default.
    pub default: Option<ExprId>,
}

impl Module {
    /// The kind of the expression `id`.
    pub fn kind(&self, id: ExprId) -> &ExprKind {
        &self.exprs[id].kind
    }

    /// The span of the expression `id`.
    pub fn span(&self, id: ExprId) -> Span {
        self.exprs[id].span
    }

    /// The functions defined at the top level, in order.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.body.iter().filter_map(|stmt| {
            let StmtKind::Function(function) = &stmt.kind else { return None };
            Some(&**function)
        })
    }
}

impl Function {
    /// Whether this is a kernel: decorated `@triton.jit` or `@jit`, or its last parameter is `tl`, not
    /// counting those with defaults.
    pub fn style(&self, module: &Module) -> FunctionStyle {
        let jit = self.decorators.iter().any(|decorator| is_jit(module, *decorator));
        let required = self.params.iter().rev().find(|param| param.default.is_none());
        let mut last = self.params.last().into_iter().chain(required);
        let last_is_tl = last.any(|param| param.name.name == "tl");
        match (jit, last_is_tl) {
            (true, _) => FunctionStyle::JitKernel,
            (false, true) => FunctionStyle::TlKernel,
            (false, false) => FunctionStyle::Host,
        }
    }
}

fn is_jit(module: &Module, decorator: ExprId) -> bool {
    let is_name = |id: ExprId, wanted: &str| matches!(module.kind(id), ExprKind::Name(name) if name == wanted);
    if let ExprKind::Call { func, .. } = module.kind(decorator) {
        return is_jit(module, *func);
    }
    if let ExprKind::Attribute { value, attr } = module.kind(decorator) {
        return attr.name == "jit" && is_name(*value, "triton");
    }
    is_name(decorator, "jit")
}

/// Where a function runs, and how its pointers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionStyle {
    /// `@triton.jit`: on the PEs; pointers are typed and count elements.
    JitKernel,
    /// Last parameter `tl`: on the PEs; pointers are integers and count bytes.
    TlKernel,
    /// On the host.
    Host,
}
