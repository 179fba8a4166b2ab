//! From options to a launch: the kernel, its scalars, its tensors, who is next to whom.

use std::collections::BTreeMap;

use super::compile::{self, Request};
use super::direct::{self, MadeTensor};
pub(super) use super::front::Known;
use super::given::GivenTensor;
use super::machine::Target;
use super::{LaunchOptions, Session, Unit, unset};
use crate::diag::{Diagnostic, Reported, Sink, lowering as codes, nearest_help};
use crate::host::Scalar;
use crate::ir::{self, FuncId, Literal};
use crate::launch::{AddressMap, Launch, NeighborMap, NeighborTable};
use crate::script::{self, KernelArguments, Script};
use crate::sema::Constant;
use crate::source::Span;
use crate::syntax::ast;
use crate::topology::Extent;
use crate::topology::neighbors::Neighbors;

/// Who is next to whom.
#[derive(Clone, Debug)]
pub(super) enum Neighborhood {
    /// The default directions.
    Default(Neighbors),
    /// What the file's `neighbors` said.
    Table(NeighborTable),
}

impl Neighborhood {
    /// What a file's `neighbors` says, given the scalars of a launch; the default directions
    /// where there is no such function.
    pub(super) fn of(
        script: Option<&Script<'_>>,
        (extent, world): (&Extent, u32),
        scalars: &[(String, Scalar)],
        sink: &mut Sink,
    ) -> Result<Neighborhood, Reported> {
        let table = match script {
            Some(script) => script.neighbors(scalars).map_err(|fault| report(fault, sink))?,
            None => None,
        };
        let default = || Neighbors::new(extent, world);
        Ok(table.map_or_else(|| Neighborhood::Default(default()), Neighborhood::Table))
    }

    pub(super) fn map(&self) -> &dyn NeighborMap {
        match self {
            Neighborhood::Default(neighbors) => neighbors,
            Neighborhood::Table(table) => table,
        }
    }
}

/// What host functions may ask of a machine by name.
pub(super) fn facts(extent: &Extent) -> Vec<(String, i64)> {
    let fact = |name: &str, count: u32| (name.to_owned(), i64::from(count));
    vec![
        fact("pes_per_cube", extent.pes.count()),
        fact("cubes_per_sip", extent.cubes.count()),
        fact("sips", extent.sips.count()),
        fact("cube_w", extent.cubes.w),
        fact("cube_h", extent.cubes.h),
        fact("sip_w", extent.sips.w),
        fact("sip_h", extent.sips.h),
    ]
}

/// A launch that needs no host program.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) target: Target,
    pub(super) module: ir::Module,
    pub(super) kernel: FuncId,
    pub(super) launch: Launch,
    pub(super) neighborhood: Neighborhood,
    pub(super) tensors: Vec<MadeTensor>,
    /// What analysis had to know.
    pub(super) known: Known,
    /// The tensors that the shell gave, as many as `tensors`; none where they are made up.
    pub(super) given: Vec<GivenTensor>,
}

impl Prepared {
    /// What is compiled for what.
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            module: &self.module,
            kernel: self.kernel,
            launch: &self.launch,
            target: &self.target,
            neighbors: self.neighborhood.map(),
        }
    }

    /// Where the tensors lie.
    pub(super) fn memory(&self) -> AddressMap {
        AddressMap::new(self.tensors.iter().map(|tensor| tensor.region.clone()).collect())
    }
}

/// What a file's host functions and the settings say of a launch.
struct Said {
    kernel: String,
    args: KernelArguments,
    known: Known,
}

impl Session {
    /// What the options say of parameters that must be known when a file is analysed: strings,
    /// truth values, and what is given for `tl.constexpr`.
    pub(super) fn known_constants(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
    ) -> Result<Known, Reported> {
        if options.is_given() {
            return self.known_of_given(unit, options);
        }
        let Some(module) = unit.ast() else { return Ok(Known::default()) };
        let target = self.target(options)?;
        if chosen_by_name(module, options.entry.as_deref()).is_none() {
            // A host program may launch kernels that no option names.
            return self
                .settings_are_taken(module, (&target, options), None)
                .map(|()| Known::default());
        }
        Ok(self.said(module, &target, options)?.known)
    }

    /// The host functions of a file, told what there is to tell.
    pub(super) fn script<'m>(
        &self,
        module: &'m ast::Module,
        target: &Target,
        options: &LaunchOptions,
    ) -> Script<'m> {
        let parse = |(name, text): &(String, String)| (name.clone(), Scalar::parse(text));
        let settings = script::Settings {
            world_size: target.world,
            set: options.settings.iter().map(parse).collect(),
            facts: facts(target.spec.extent()),
            ranks: options.ranks.unwrap_or_default(),
            ..script::Settings::default()
        };
        let communicators = self.communicators.said.clone();
        Script::new(module, self.communicators.tell(settings)).with_communicators(communicators)
    }

    /// Refuses settings that nothing in the file takes.
    fn settings_are_taken(
        &mut self,
        module: &ast::Module,
        (target, options): (&Target, &LaunchOptions),
        kernel: Option<&ast::Function>,
    ) -> Result<(), Reported> {
        let unknown = self.script(module, target, options).unknown_settings(kernel);
        unknown.into_iter().map(|it| self.sink.error(it)).last().map_or(Ok(()), Err)
    }

    /// The kernel that is launched and the scalars it is given.
    fn said(
        &mut self,
        module: &ast::Module,
        target: &Target,
        options: &LaunchOptions,
    ) -> Result<Said, Reported> {
        let kernel = chosen(module, options.entry.as_deref()).map_err(|it| self.sink.error(it))?;
        let script = self.script(module, target, options);
        self.settings_are_taken(module, (target, options), Some(kernel))?;
        let args = script.kernel_args(kernel).map_err(|fault| report(fault, &mut self.sink))?;
        let known = constants(&args.scalars, &constexprs(module, kernel));
        Ok(Said { kernel: kernel.name.name.clone(), args, known })
    }

    /// What `--set` alone says of a kernel in textual IR.
    fn said_of_ir(
        &mut self,
        module: &ir::Module,
        options: &LaunchOptions,
    ) -> Result<Said, Reported> {
        let id = chosen_ir(module, options.entry.as_deref()).map_err(|it| self.sink.error(it))?;
        let kernel = &module.functions[id].name;
        let mut args = KernelArguments::default();
        for param in &module.functions[id].params {
            match options.settings.iter().rfind(|(name, _)| *name == param.name) {
                Some((name, text)) => args.scalars.push((name.clone(), Scalar::parse(text))),
                None if is_address(&module.functions[id], param) => {
                    args.pointers.push(param.name.clone());
                }
                None => {}
            }
        }
        Ok(Said { kernel: kernel.clone(), args, known: Known::default() })
    }

    /// Everything about the launch of a file's kernel by nobody but the options.
    pub(super) fn prepare(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
    ) -> Result<Prepared, Reported> {
        if options.is_given() {
            return self.prepare_given(unit, options);
        }
        let (draft, said) = self.draft(unit, options)?;
        self.place(draft, said, options)
    }

    /// A launch that no memory has been made up for. Its kernel must take no tensors.
    pub(super) fn prepare_bare(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
    ) -> Result<Prepared, Reported> {
        // What is said of the machine is said where the plan is given one.
        let notes = self.notes.len();
        let (draft, said) = self.draft(unit, options)?;
        self.notes.truncate(notes);
        let function = &draft.module.functions[draft.kernel];
        if let Some(name) = said.args.pointers.first() {
            let param = function.params.iter().find(|param| param.name == *name);
            let span = param.map_or(Span::NONE, |param| param.span);
            let message =
                format!("`{name}` has no value, and a kernel of channels takes no tensors");
            let it = Diagnostic::new(codes::NO_VALUE, message, span, "give it a value")
                .help(format!("`--set {name}=1`, a default, or `kernel_args` say it"));
            return Err(self.sink.error(it));
        }
        let launch = launch_of(&draft, &said, options, &[]);
        Ok(draft.launched(launch, said.known))
    }

    /// A kernel, the machine, and what the file says of its launch.
    fn draft(&mut self, unit: &Unit, options: &LaunchOptions) -> Result<(Draft, Said), Reported> {
        let target = self.target(options)?;
        self.notes.extend(target.note.clone());
        let (module, said) = match unit.ast() {
            None => {
                let module = self.analyze(unit, Known::default())?;
                let said = self.said_of_ir(&module, options)?;
                (module, said)
            }
            Some(ast) => {
                let said = self.said(ast, &target, options)?;
                (self.analyze(unit, said.known.clone())?, said)
            }
        };
        let kernel = module.kernel(&said.kernel).expect("the chosen kernel was analysed");
        let script = unit.ast().map(|module| self.script(module, &target, options));
        let scalars = &said.args.scalars;
        let place = (target.spec.extent(), target.world);
        let neighborhood = Neighborhood::of(script.as_ref(), place, scalars, &mut self.sink)?;
        Ok((Draft { target, module, kernel, neighborhood }, said))
    }

    /// Makes up the tensors of a launch.
    fn place(
        &mut self,
        draft: Draft,
        said: Said,
        options: &LaunchOptions,
    ) -> Result<Prepared, Reported> {
        let function = &draft.module.functions[draft.kernel];
        let bases = direct::bases(said.args.pointers.len());
        let place = |name: &String| {
            let param = function.params.iter().find(|param| param.name == *name);
            (name.clone(), param.map_or(Span::NONE, |param| param.span))
        };
        let open: Vec<(String, Span)> = said.args.pointers.iter().map(place).collect();
        unset::refuse_numbers(function, &open, &mut self.sink)?;
        let addresses = open.iter().zip(&bases);
        let addresses =
            addresses.map(|((name, _), base)| (name.clone(), Literal::Int(*base as i64)));
        let launch = launch_of(&draft, &said, options, &addresses.collect::<Vec<_>>());
        let mut prepared = draft.launched(launch, said.known);
        let request = prepared.request();
        let specialised = request.draft(&mut self.sink)?;
        let extent = prepared.target.spec.extent();
        prepared.tensors =
            direct::tensors(&specialised, &prepared.launch, extent, &open, &mut self.sink)?;
        Ok(prepared)
    }
}

/// The launch of a kernel on these addresses.
fn launch_of(
    draft: &Draft,
    said: &Said,
    options: &LaunchOptions,
    addresses: &[(String, Literal)],
) -> Launch {
    let scalars = said.args.scalars.iter();
    let mut args: Vec<(String, Literal)> =
        scalars.filter_map(|(name, value)| Some((name.clone(), literal(value)?))).collect();
    args.extend(addresses.iter().cloned());
    Launch {
        kernel: draft.module.functions[draft.kernel].name.clone(),
        args,
        world: draft.target.world,
        grid: None,
        axes: None,
        deal: options.deal,
        ipcq: options.ipcq,
    }
}

/// Reports what went wrong in a host function.
fn report(fault: script::Fault, sink: &mut Sink) -> Reported {
    let reported = fault.into_diagnostics().into_iter().map(|it| sink.error(it)).last();
    reported.unwrap_or_else(|| sink.error(compile::bug("a host function failed without a word")))
}

/// A launch whose tensors are not placed yet.
pub(super) struct Draft {
    pub(super) target: Target,
    pub(super) module: ir::Module,
    pub(super) kernel: FuncId,
    pub(super) neighborhood: Neighborhood,
}

impl Draft {
    /// The launch, still without tensors.
    pub(super) fn launched(self, launch: Launch, known: Known) -> Prepared {
        let Draft { target, module, kernel, neighborhood } = self;
        let (tensors, given) = (Vec::new(), Vec::new());
        Prepared { target, module, kernel, launch, neighborhood, tensors, known, given }
    }
}

/// Whether a parameter of textual IR can be the address of a tensor.
fn is_address(function: &ir::Function, param: &ir::Param) -> bool {
    matches!(function.ty(param.value), ir::Type::Pointer(_))
        || *function.ty(param.value) == ir::Type::I64
}

fn kernels(module: &ast::Module) -> impl Iterator<Item = &ast::Function> {
    module.functions().filter(|function| function.style(module) != ast::FunctionStyle::Host)
}

/// Whether there are kernels in Triton's style, whose pointers have the types that a launch gives.
pub(super) fn has_typed_kernels(module: &ast::Module) -> bool {
    module.functions().any(|function| function.style(module) == ast::FunctionStyle::JitKernel)
}

/// The names of the parameters that are annotated as known at compile time.
pub(super) fn constexprs(module: &ast::Module, kernel: &ast::Function) -> Vec<String> {
    let is_constexpr = |annotation: ast::ExprId| {
        if let ast::ExprKind::Attribute { attr, .. } = module.kind(annotation) {
            return attr.name == "constexpr";
        }
        matches!(module.kind(annotation), ast::ExprKind::Name(name) if name == "constexpr")
            || matches!(module.kind(annotation), ast::ExprKind::Str(text) if text == "tl.constexpr")
    };
    let annotated = kernel.params.iter().filter(|param| param.annotation.is_some_and(is_constexpr));
    annotated.map(|param| param.name.name.clone()).collect()
}

fn chosen_by_name<'m>(module: &'m ast::Module, entry: Option<&str>) -> Option<&'m ast::Function> {
    let names: Vec<&str> = kernels(module).map(|kernel| kernel.name.name.as_str()).collect();
    let name = choose_name(&names, entry)?;
    kernels(module).find(|kernel| kernel.name.name == name)
}

/// The kernel that is launched.
///
/// # Errors
/// There is none, or more than one.
pub(super) fn chosen<'m>(
    module: &'m ast::Module,
    entry: Option<&str>,
) -> Result<&'m ast::Function, Diagnostic> {
    chosen_by_name(module, entry).ok_or_else(|| {
        let names: Vec<&str> = kernels(module).map(|it| it.name.name.as_str()).collect();
        no_kernel(&names, entry)
    })
}

/// [`chosen`] for textual IR.
///
/// # Errors
/// There is none, or more than one.
pub(super) fn chosen_ir(module: &ir::Module, entry: Option<&str>) -> Result<FuncId, Diagnostic> {
    let names: Vec<&str> = module.kernels().map(|id| module.functions[id].name.as_str()).collect();
    let kernel = choose_name(&names, entry).and_then(|name| module.kernel(name));
    kernel.ok_or_else(|| no_kernel(&names, entry))
}

/// The kernel that is asked for; else the only one, or the one named `kernel`.
fn choose_name<'n>(names: &[&'n str], entry: Option<&str>) -> Option<&'n str> {
    let named = |wanted: &str| names.iter().copied().find(|name| *name == wanted);
    match (entry, names) {
        (Some(entry), _) => named(entry),
        (None, [only]) => Some(only),
        (None, _) => named("kernel"),
    }
}

/// What analysis must know: what no launch can pass as a scalar, and constexpr parameters.
fn constants(scalars: &[(String, Scalar)], constexprs: &[String]) -> Known {
    let mut known: BTreeMap<String, Constant> =
        scalars.iter().filter_map(|(name, value)| constant(name, value)).collect();
    for (name, value) in scalars.iter().filter(|(name, _)| constexprs.contains(name)) {
        known.extend(literal(value).map(|literal| (name.clone(), Constant::from(literal))));
    }
    known.into()
}

/// A scalar that no launch can pass, as analysis must know it.
pub(super) fn constant(name: &str, value: &Scalar) -> Option<(String, Constant)> {
    let constant = match value {
        Scalar::Text(text) => Constant::Str(text.clone()),
        Scalar::DType(dtype) => Constant::DType(*dtype),
        Scalar::None => Constant::None,
        Scalar::Bool(truth) => Constant::Bool(*truth),
        Scalar::Int(_) | Scalar::Float(_) => return None,
    };
    Some((name.to_owned(), constant))
}

/// A scalar as a launch passes it; `None` for what only analysis can use.
pub(super) fn literal(value: &Scalar) -> Option<Literal> {
    match value {
        Scalar::Int(number) => Some(Literal::Int(*number)),
        Scalar::Float(number) => Some(Literal::Float(*number)),
        Scalar::Bool(truth) => Some(Literal::Int(i64::from(*truth))),
        Scalar::Text(_) | Scalar::DType(_) | Scalar::None => None,
    }
}

fn no_kernel(names: &[&str], entry: Option<&str>) -> Diagnostic {
    let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match entry {
        Some(entry) => {
            let message = format!("there is no kernel named `{entry}`");
            let help = nearest_help("kernel", entry, names.iter().copied());
            let diagnostic = Diagnostic::global(codes::NO_KERNEL, message);
            let diagnostic = diagnostic.note(match names {
                [] => String::from("the file has no kernel"),
                _ => format!("the kernels of the file are {listed}"),
            });
            help.into_iter().fold(diagnostic, Diagnostic::help)
        }
        None if names.is_empty() => {
            Diagnostic::global(codes::NO_KERNEL, "the file has no kernel to launch")
                .note("a kernel's last parameter is `tl`, or it is decorated with `@triton.jit`")
        }
        None => Diagnostic::global(codes::NO_KERNEL, "the file has several kernels")
            .note(format!("they are {listed}"))
            .help("choose one with `--entry NAME`, or call one of them `kernel`"),
    }
}
