//! The host functions that a file may have, and how their parameters are filled.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Limits;
use super::ccl::Communicators;
use super::dtypes::{DTypeValue, dtype_value};
use super::evaluator::Evaluator;
use super::fault::{Fault, Result};
use super::value::Value;
use crate::diag::{Diagnostic, hosting, nearest_help};
use crate::host::{RankUnit, Ranks, Scalar, SipChoice};
use crate::launch::NeighborTable;
use crate::source::Span;
use crate::syntax::ast::{ExprId, Function, FunctionStyle, Module, Param};

/// What host functions are told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The number of ranks.
    pub world_size: u32,
    /// What `--set` says, by name.
    pub set: Vec<(String, Scalar)>,
    /// Facts of the machine that a function may ask for by name: `pes_per_cube`,
    /// `cubes_per_sip`, `sips`. `--set` overrides them.
    pub facts: Vec<(String, i64)>,
    /// What a rank is to `torch.distributed` until a program says so.
    pub ranks: RankUnit,
    /// What they may use.
    pub limits: Limits,
    /// The current device until the program says otherwise: where its policies place tensors.
    pub device: Option<SipChoice>,
}

/// The arguments of a kernel: which parameters are tensors, and the values of the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelArguments {
    /// The parameters that take tensors, in order.
    pub pointers: Vec<String>,
    /// The other parameters, in order, and their values.
    pub scalars: Vec<(String, Scalar)>,
}

/// The host functions of one file.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    pub(super) module: &'a Module,
    pub(super) settings: Settings,
    /// The modules of the library that host functions can launch, by name.
    pub(super) library: Arc<BTreeMap<String, &'a Module>>,
    /// The modules of the library that files import.
    pub(super) imports: Arc<Vec<Arc<Module>>>,
    /// What a communicator file says.
    pub(super) communicators: Arc<Communicators>,
}

impl<'a> Script<'a> {
    /// The host functions of `module`, told `settings`.
    pub fn new(module: &'a Module, settings: Settings) -> Script<'a> {
        Script {
            module,
            settings,
            library: Arc::default(),
            imports: Arc::default(),
            communicators: Arc::default(),
        }
    }

    /// The same, with modules of the library to launch.
    pub fn with_library(self, library: BTreeMap<String, &'a Module>) -> Script<'a> {
        Script { library: Arc::new(library), ..self }
    }

    /// The same, with the modules that files import: a traceback names the functions in them.
    pub fn with_imports(self, imports: Vec<Arc<Module>>) -> Script<'a> {
        Script { imports: Arc::new(imports), ..self }
    }

    /// The same, with another current device at the beginning.
    #[must_use]
    pub fn on(mut self, device: Option<SipChoice>) -> Script<'a> {
        self.settings.device = device;
        self
    }

    /// The same, with what a communicator file says.
    pub fn with_communicators(self, communicators: Arc<Communicators>) -> Script<'a> {
        Script { communicators, ..self }
    }

    /// The host functions of the module `name` of the library, for a group of ranks. Facts of the
    /// machine hold for a group that is its first ranks in order; any other stands in one row, as
    /// if it were one cube.
    pub fn of_library(&self, name: &str, members: &[u32]) -> Option<Script<'a>> {
        let module = *self.library.get(name)?;
        let world = members.len() as u32;
        let is_first = members.iter().copied().eq(0..world);
        let facts = self.settings.facts.iter().map(|(name, value)| {
            let alone = if name == "pes_per_cube" { i64::from(world) } else { 1 };
            (name.clone(), if is_first { *value } else { alone })
        });
        let settings = Settings {
            world_size: world,
            set: Vec::new(),
            facts: facts.collect(),
            ranks: RankUnit::Pe,
            limits: self.settings.limits,
            device: None,
        };
        Some(Script { module, settings, ..self.clone() })
    }

    /// The same of these ranks: where they are the first ones in order, cubes and SIPs that are ranks stand
    /// on the machine's grids as if they were one PE each.
    pub(super) fn of_library_among(
        &self,
        name: &str,
        (members, ranks): (&[u32], &Ranks),
    ) -> Option<Script<'a>> {
        let mut script = self.clone();
        for (fact, value) in &mut script.settings.facts {
            *value = ranks.fact(fact, *value);
        }
        script.of_library(name, members)
    }

    /// The same, where a rank is one of these.
    pub(super) fn of_unit(mut self, unit: RankUnit) -> Script<'a> {
        self.settings.ranks = unit;
        self
    }

    /// The same for another number of ranks, with these facts of the machine.
    #[must_use]
    pub fn of_world(mut self, world_size: u32, facts: Vec<(String, i64)>) -> Script<'a> {
        self.settings.world_size = world_size;
        self.settings.facts = facts;
        self
    }

    /// The same, told more by name.
    pub(super) fn told(mut self, more: impl IntoIterator<Item = (String, Scalar)>) -> Script<'a> {
        self.settings.set.extend(more);
        self
    }

    /// The host function `name`, if the file has it.
    pub fn function(&self, name: &str) -> Option<&'a Function> {
        let is_host = |it: &&Function| it.style(self.module) == FunctionStyle::Host;
        self.module.functions().filter(is_host).filter(|it| it.name.name == name).last()
    }

    /// The arguments of `kernel`. Its last parameters take what `kernel_args` returns, those
    /// before them take tensors. Without `kernel_args`, a parameter that a setting names or that
    /// has a default is a scalar, and every other takes a tensor.
    ///
    /// # Errors
    /// `kernel_args` fails, lacks a setting, or returns what does not fit the kernel.
    pub fn kernel_args(&self, kernel: &Function) -> std::result::Result<KernelArguments, Fault> {
        let params = kernel_params(self.module, kernel);
        let Some(function) = self.function("kernel_args") else {
            return self.kernel_args_by_name(&params);
        };
        let mut evaluator = self.evaluator();
        let value = self.call(&mut evaluator, function, &[])?;
        let mut values = value.as_sequence().unwrap_or_else(|| vec![value]);
        let at = function.header;
        // What stands after `tl` keeps its defaults, unless so many values come that it is meant.
        let after: Vec<ExprId> = params_after_tl(kernel).filter_map(|it| it.default).collect();
        if values.len() + after.len() <= params.len() {
            for default in after {
                values.push(evaluator.evaluate_global(default)?);
            }
        }
        let Some(pointers) = params.len().checked_sub(values.len()) else {
            let message = format!(
                "`kernel_args` returns {} values, and kernel `{}` has {} parameters",
                values.len(),
                kernel.name.name,
                params.len()
            );
            let label = format!("{} parameters", params.len());
            return Err(Fault::new(hosting::KERNEL_ARGUMENTS, message, at, "returns too many")
                .because(kernel.header, label));
        };
        let mut found = KernelArguments::default();
        for param in params.iter().take(pointers) {
            found.pointers.push(param.name.name.clone());
        }
        for (param, value) in params.iter().skip(pointers).zip(&values) {
            let scalar = to_scalar(value).ok_or_else(|| not_scalar(param, value, at))?;
            found.scalars.push((param.name.name.clone(), scalar));
        }
        Ok(found)
    }

    fn kernel_args_by_name(&self, params: &[&Param]) -> Result<KernelArguments> {
        let mut found = KernelArguments::default();
        let mut evaluator = self.evaluator();
        for param in params {
            let name = param.name.name.clone();
            let known = self.setting(&name, &[]);
            let value = match (known, param.default) {
                (Some(value), _) => Some(value),
                (None, Some(default)) => Some(evaluator.evaluate_global(default)?),
                (None, None) => None,
            };
            match value {
                None => found.pointers.push(name),
                Some(value) => {
                    let wrong = || not_scalar(param, &value, param.name.span);
                    found.scalars.push((name, to_scalar(&value).ok_or_else(wrong)?));
                }
            }
        }
        Ok(found)
    }

    /// The parameters of `kernel` that a launch fills, and their defaults where these are scalars.
    pub fn parameters<'k>(&self, kernel: &'k Function) -> Vec<(&'k Param, Option<Scalar>)> {
        let mut evaluator = self.evaluator();
        let mut default =
            |param: &Param| to_scalar(&evaluator.evaluate_global(param.default?).ok()?);
        kernel_params(self.module, kernel).into_iter().map(|it| (it, default(it))).collect()
    }

    /// What `neighbors` says of every rank, if the file has it; `args` are the scalars of the
    /// launch, which it may ask for by name.
    ///
    /// # Errors
    /// `neighbors` fails, or what it returns names a rank outside of the world.
    pub fn neighbors(
        &self,
        args: &[(String, Scalar)],
    ) -> std::result::Result<Option<NeighborTable>, Fault> {
        let Some(function) = self.function("neighbors") else { return Ok(None) };
        let world = self.settings.world_size;
        let mut table = NeighborTable::new(world);
        let mut evaluator = self.evaluator();
        let args: Vec<(&str, Value)> =
            args.iter().map(|(name, value)| (name.as_str(), from_scalar(value))).collect();
        for rank in 0..world {
            let mut given = vec![("rank", Value::Int(i128::from(rank)))];
            given.extend(args.iter().cloned());
            let value = self.call(&mut evaluator, function, &given)?;
            let Value::Dict(dict) = &value else {
                let found = value.a_type();
                let message = format!("`neighbors` returns {found}, and a dict is needed");
                let label = "must return direction: rank";
                return Err(Fault::new(hosting::BAD_NEIGHBORS, message, function.header, label));
            };
            for (direction, neighbor) in dict.0.borrow().iter() {
                if let (Some(name), Value::None) = (direction.as_str(), neighbor) {
                    table.declare(name);
                    continue;
                }
                let place = Neighbor { rank, world, at: function.header };
                let (direction, neighbor, theirs) = place.read(direction, neighbor)?;
                table.set(rank, direction, neighbor, theirs);
            }
        }
        Ok(Some(table))
    }

    /// Reports each setting that neither `kernel_args`, `neighbors`, `run` nor `kernel` takes.
    pub fn unknown_settings(&self, kernel: Option<&Function>) -> Vec<Diagnostic> {
        let own = ["kernel_args", "neighbors", "run"].into_iter();
        let functions: Vec<&Function> = own.filter_map(|name| self.function(name)).collect();
        let params = functions.iter().flat_map(|it| &it.params);
        let kernel = kernel.map_or_else(Vec::new, |it| kernel_params(self.module, it));
        let names: Vec<&str> = params.chain(kernel).map(|param| param.name.name.as_str()).collect();
        let unknown = self.settings.set.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        unknown.map(|(name, _)| unknown_setting(name, &names)).collect()
    }

    /// An evaluator of the file.
    pub(super) fn evaluator(&self) -> Evaluator<'a> {
        Evaluator::new(self)
    }

    /// Calls a host function: each parameter takes what `given` says, else what the settings
    /// say, else its default.
    pub(super) fn call(
        &self,
        evaluator: &mut Evaluator<'a>,
        function: &'a Function,
        given: &[(&str, Value)],
    ) -> Result<Value> {
        let name = function.name.name.as_str();
        let span = function.name.span;
        let Some(callee) = evaluator.global(name)? else {
            let message = format!("`{name}` has no value");
            return Err(Fault::new(hosting::HOST_UNBOUND, message, span, "not defined"));
        };
        let mut offered = Vec::new();
        for param in function.params.iter().filter(|param| !param.variadic) {
            let value = self.setting(&param.name.name, given);
            if value.is_none() && param.default.is_none() {
                return Err(missing_setting(function, param));
            }
            offered.extend(value.map(|value| (param.name.name.as_str(), value)));
        }
        evaluator.call_by_name(&callee, &offered, Span::NONE)
    }

    /// The value that `name` has before defaults count.
    fn setting(&self, name: &str, given: &[(&str, Value)]) -> Option<Value> {
        if let Some((_, value)) = given.iter().find(|(known, _)| *known == name) {
            return Some(value.clone());
        }
        if name == "world_size" {
            return Some(Value::Int(i128::from(self.settings.world_size)));
        }
        let set = self.settings.set.iter().rfind(|(known, _)| known == name);
        if let Some((_, value)) = set {
            return Some(from_scalar(value));
        }
        let fact = self.settings.facts.iter().find(|(known, _)| known == name);
        fact.map(|(_, value)| Value::Int(i128::from(*value)))
    }
}

/// One entry of what `neighbors` returns.
struct Neighbor {
    rank: u32,
    world: u32,
    at: Span,
}

impl Neighbor {
    fn read<'v>(
        &self,
        direction: &'v Value,
        neighbor: &'v Value,
    ) -> Result<(&'v str, u32, Option<&'v str>)> {
        let Some(direction) = direction.as_str() else {
            let found = direction.a_type();
            return Err(self.bad(format!("a direction that is {found}, and a str is needed")));
        };
        let (neighbor, theirs) = if let Value::Tuple(pair) = neighbor {
            let named = pair.values().get(1).and_then(Value::as_str);
            let (2, Some(first), Some(theirs)) =
                (pair.values().len(), pair.values().first(), named)
            else {
                let shape = "a tuple that is not (rank, direction)";
                return Err(self.bad(format!("{shape} for `{direction}`")));
            };
            (first, Some(theirs))
        } else {
            (neighbor, None)
        };
        let Some(found) = neighbor.as_int() else {
            let found = neighbor.a_type();
            return Err(self.bad(format!("{found} for `{direction}`, and a rank is needed")));
        };
        match u32::try_from(found) {
            Ok(peer) if peer < self.world => Ok((direction, peer, theirs)),
            _ => {
                let world = self.world;
                Err(self.bad(format!("rank {found} for `{direction}` in a world of {world} ranks")))
            }
        }
    }

    fn bad(&self, what: String) -> Fault {
        let message = format!("`neighbors` of rank {} returns {what}", self.rank);
        Fault::new(hosting::BAD_NEIGHBORS, message, self.at, "returned by this function")
    }
}

/// The parameters of a kernel that a launch fills: all but `tl`.
pub(super) fn kernel_params<'k>(module: &Module, kernel: &'k Function) -> Vec<&'k Param> {
    let has_tl = kernel.style(module) == FunctionStyle::TlKernel;
    kernel.params.iter().filter(|param| !has_tl || param.name.name != "tl").collect()
}

/// The parameters of a kernel that stand after its `tl`.
fn params_after_tl(kernel: &Function) -> impl Iterator<Item = &Param> {
    kernel.params.iter().skip_while(|param| param.name.name != "tl").skip(1)
}

/// A value as a scalar argument of a kernel.
pub(super) fn to_scalar(value: &Value) -> Option<Scalar> {
    Some(match value {
        Value::None => Scalar::None,
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Int(value) => Scalar::Int(i64::try_from(*value).ok()?),
        Value::Float(value) => Scalar::Float(*value),
        Value::Str(text) => Scalar::Text(text.to_string()),
        Value::Object(_) => Scalar::DType(value.downcast::<DTypeValue>()?.0),
        Value::Tuple(_)
        | Value::List(_)
        | Value::Dict(_)
        | Value::Range(_)
        | Value::Function(_)
        | Value::Kernel(_)
        | Value::Native(_)
        | Value::Method(_)
        | Value::Unknown(_) => return None,
    })
}

/// A scalar as a value.
pub(super) fn from_scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Int(value) => Value::Int(i128::from(*value)),
        Scalar::Float(value) => Value::Float(*value),
        Scalar::Bool(value) => Value::Bool(*value),
        Scalar::Text(text) => Value::str(text),
        Scalar::DType(dtype) => dtype_value(*dtype),
        Scalar::None => Value::None,
    }
}

fn not_scalar(param: &Param, value: &Value, at: Span) -> Fault {
    let found = if let Value::Int(value) = value {
        format!("{value}, which does not fit 64 bits")
    } else {
        value.a_type()
    };
    let name = &param.name.name;
    let message = format!("parameter `{name}` of the kernel is given {found}");
    Fault::new(hosting::KERNEL_ARGUMENTS, message, at, "given by this")
        .because(param.name.span, "takes an int, a float, a bool, a str or None")
}

fn missing_setting(function: &Function, param: &Param) -> Fault {
    let (function, name) = (&function.name.name, &param.name.name);
    let message = format!("`{function}` needs `{name}`, which nothing gives");
    Fault::new(hosting::MISSING_SETTING, message, param.name.span, "has no default")
        .help(format!("pass `--set {name}=…`, or give it a default"))
}

fn unknown_setting(name: &str, known: &[&str]) -> Diagnostic {
    let message = format!("`--set {name}=…`: no function of the file has a parameter `{name}`");
    let it = Diagnostic::global(hosting::UNKNOWN_SETTING, message);
    let mut shown: Vec<&str> = known.to_vec();
    shown.sort_unstable();
    shown.dedup();
    let it = match nearest_help("parameter", name, shown.iter().copied()) {
        Some(help) => it.help(help),
        None => it,
    };
    it.note(format!("its parameters are {}", shown.join(", ")))
}
