//! Tensors as values: on the machine or on the host, whole or a part of another.
//!
//! `x[i]` is a view, as in PyTorch: it shows what `x` holds when it is looked at, and assigning
//! to it assigns to `x`.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::{along, bind, fault, machine, methods, spawn};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Arithmetic, Array, Data, Index, TensorHandle, TensorId, Weak};
use crate::ops::{BinaryOp as Op, CompareOp as CompareArrays, UnaryOp as UnaryArray};
use crate::script::args::{Args, Given};
use crate::script::dtypes::dtype_value;
use crate::script::evaluator::{Evaluator, Memory};
use crate::script::fault::{Fault, Result};
use crate::script::object::{BinaryOperation, Comparison, Object, Subscript};
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, CompareOp, UnaryOp};

/// The most subscripts that may follow one another in views of views.
const MAX_VIEWS: usize = 32;

/// A tensor.
#[derive(Clone)]
pub(super) struct TensorValue {
    root: Root,
    /// The subscripts that lead from the root to what this shows, first one first.
    path: Vec<Vec<Index>>,
    shape: Shape,
}

/// A tensor of the machine, whole or in part, that one rank of a program can hand to another.
#[derive(Clone)]
pub(super) struct DeviceTensor {
    handle: Arc<TensorHandle>,
    path: Vec<Vec<Index>>,
    shape: Shape,
}

impl DeviceTensor {
    /// Its shape.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The tensor that it is or is a part of.
    pub(super) fn id(&self) -> TensorId {
        self.handle.id()
    }

    /// Whether it is a part of another.
    pub(super) fn is_part(&self) -> bool {
        !self.path.is_empty()
    }

    /// Itself as a value.
    pub(super) fn value(&self) -> TensorValue {
        let DeviceTensor { handle, path, shape } = self.clone();
        TensorValue { root: Root::Device(handle), path, shape }
    }

    /// Its `index`-th part along the first axis.
    pub(super) fn row(&self, index: u64) -> DeviceTensor {
        let mut row = self.clone();
        row.path.push(vec![Index::At(i128::from(index))]);
        row.shape = Shape(self.shape.0.iter().skip(1).copied().collect());
        row
    }
}

/// What a tensor or a view of it belongs to.
#[derive(Clone)]
enum Root {
    /// A tensor of the machine.
    Device(Arc<TensorHandle>),
    /// An array of the host.
    Host(Rc<HostArray>),
}

/// An array of the host.
struct HostArray {
    array: RefCell<Array>,
    /// Whether its contents are those of another array in another shape: assigning to it would
    /// change that, too, in PyTorch.
    is_reshaped: bool,
    _memory: Memory,
}

impl TensorValue {
    /// A tensor of the machine.
    pub(super) fn on_device(handle: TensorHandle, shape: Shape) -> TensorValue {
        TensorValue { root: Root::Device(Arc::new(handle)), path: Vec::new(), shape }
    }

    /// An array of the host, as a value.
    pub(super) fn of_array(
        evaluator: &Evaluator<'_>,
        array: Array,
        span: Span,
    ) -> Result<TensorValue> {
        TensorValue::on_host(evaluator, array, false, span)
    }

    /// An array in another shape, which PyTorch would make a view of the first.
    pub(super) fn reshaped(
        evaluator: &Evaluator<'_>,
        array: Array,
        span: Span,
    ) -> Result<TensorValue> {
        TensorValue::on_host(evaluator, array, true, span)
    }

    fn on_host(
        evaluator: &Evaluator<'_>,
        array: Array,
        is_reshaped: bool,
        span: Span,
    ) -> Result<TensorValue> {
        let shape = array.shape();
        let memory = evaluator.take_memory(array.host_bytes(), span)?;
        let host = HostArray { array: RefCell::new(array), is_reshaped, _memory: memory };
        Ok(TensorValue { root: Root::Host(Rc::new(host)), path: Vec::new(), shape })
    }

    /// Its shape.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The tensor of the machine that it is or is a part of.
    pub(super) fn device_id(&self) -> Option<TensorId> {
        let Root::Device(handle) = &self.root else { return None };
        Some(handle.id())
    }

    /// Whether it is a part of another.
    pub(super) fn is_part(&self) -> bool {
        !self.path.is_empty()
    }

    /// Itself, if it lies on the machine.
    pub(super) fn on_machine(&self) -> Option<DeviceTensor> {
        let Root::Device(handle) = &self.root else { return None };
        let (path, shape) = (self.path.clone(), self.shape.clone());
        Some(DeviceTensor { handle: handle.clone(), path, shape })
    }

    /// Its element type.
    pub(super) fn dtype(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<DType> {
        Ok(match &self.root {
            Root::Device(handle) => machine(evaluator, span)?.tensor(handle.id()).dtype,
            Root::Host(host) => host.array.borrow().dtype(),
        })
    }

    /// The tensor of the machine that it is, whole.
    pub(super) fn placed<'e>(
        &self,
        evaluator: &'e mut Evaluator<'_>,
        what: &str,
        span: Span,
    ) -> Result<&'e crate::host::Tensor> {
        let Some(id) = self.device_id().filter(|_| !self.is_part()) else {
            let message = format!("{what} of what is no whole tensor of the machine");
            return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, span, "not placed"));
        };
        let machine = machine(evaluator, span)?;
        machine.check_alive(id).map_err(|error| fault(error, span))?;
        Ok(machine.tensor(id))
    }

    /// The shape of what one PE holds of it: the largest share; in a worker, of what lies there.
    fn local_shape(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Shape> {
        Ok(self.placed(evaluator, "`local_shape`", span)?.local_shape())
    }

    /// Its contents; `None` in a run without data.
    pub(super) fn read(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Array>> {
        evaluator.journal.looks.0 += 1;
        let whole = match &self.root {
            Root::Host(host) => host.array.borrow().clone(),
            Root::Device(handle) => {
                evaluator.journal.looks.1 += 1;
                spawn::drain(evaluator, span)?;
                let data = machine(evaluator, span)?.read(handle.id());
                match data.map_err(|error| fault(error, span))? {
                    Data::Known(array) => array,
                    Data::Absent => return Ok(None),
                }
            }
        };
        self.path
            .iter()
            .try_fold(whole, |array, indices| array.index(indices))
            .map(Some)
            .map_err(|error| fault(error, span))
    }

    /// The places, in the tensor that it is a part of, of its elements, row by row.
    pub(super) fn places(&self, root: &Shape) -> Option<Vec<u64>> {
        let all = (0..root.elements() as i64).collect();
        let whole = Array::from_ints(DType::I64, root, all).ok()?;
        let part = self.path.iter().try_fold(whole, |array, indices| array.index(indices)).ok()?;
        Some(part.to_ints()?.into_iter().map(|place| place as u64).collect())
    }

    /// Puts `value` into the part that `indices` take.
    pub(super) fn assign(
        &self,
        evaluator: &mut Evaluator<'_>,
        indices: &[Index],
        value: &Array,
        span: Span,
    ) -> Result<()> {
        let refuse = |error| fault(error, span);
        if !self.is_part() {
            return self.assign_root(evaluator, indices, value, span);
        }
        // A part of a part: the innermost changes first, then what it lies in.
        let Some(mut inner) = self.read(evaluator, span)? else { return Ok(()) };
        inner.assign(indices, value).map_err(refuse)?;
        let mut outer = TensorValue { path: self.path.clone(), ..self.clone() };
        while let Some(last) = outer.path.pop() {
            if outer.path.is_empty() {
                return outer.assign_root(evaluator, &last, &inner, span);
            }
            let Some(mut around) = outer.read(evaluator, span)? else { return Ok(()) };
            around.assign(&last, &inner).map_err(refuse)?;
            inner = around;
        }
        Ok(())
    }

    fn assign_root(
        &self,
        evaluator: &mut Evaluator<'_>,
        indices: &[Index],
        value: &Array,
        span: Span,
    ) -> Result<()> {
        if matches!(self.root, Root::Device(_)) {
            spawn::drain(evaluator, span)?;
        }
        let result = match &self.root {
            Root::Device(handle) => machine(evaluator, span)?.assign(handle.id(), indices, value),
            Root::Host(host) if host.is_reshaped => {
                let message = "assigning to a reshaped tensor would change the one it came from";
                return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, span, "assigned here")
                    .help(String::from("assign before reshaping, or take `.clone()`")));
            }
            Root::Host(host) => host.array.borrow_mut().assign(indices, value),
        };
        result.map_err(|error| fault(error, span))
    }

    /// The part that `indices` take, as a view.
    pub(super) fn part(
        &self,
        evaluator: &mut Evaluator<'_>,
        indices: Vec<Index>,
        span: Span,
    ) -> Result<Value> {
        if self.path.len() >= MAX_VIEWS {
            let message = format!("a view of a view, more than {MAX_VIEWS} deep");
            return Err(Fault::new(hosting::HOST_BUDGET, message, span, "too deep")
                .help(String::from("take `.clone()` of the inner one")));
        }
        let shape = part_shape(&self.shape, &indices).map_err(|error| fault(error, span))?;
        let mut path = self.path.clone();
        path.push(indices);
        evaluator.spend(1, span)?;
        Ok(Value::object(TensorValue { root: self.root.clone(), path, shape }))
    }
}

/// The list, or the tensor of more than a single number, that a subscript is alone.
fn array_index(index: &Subscript) -> Option<Given> {
    let Subscript::At(value, span) = index else { return None };
    let is_array = value.downcast::<TensorValue>().is_some_and(|it| it.shape.rank() > 0);
    (is_array || matches!(value, Value::List(_)))
        .then(|| Given { value: value.clone(), span: *span })
}

/// The shape of the part that `indices` take of `shape`, without looking at any data.
fn part_shape(
    shape: &Shape,
    indices: &[Index],
) -> std::result::Result<Shape, crate::host::HostError> {
    crate::host::part_shape(shape, indices)
}

/// An array as a value, or what is unknown without data.
pub(super) fn value_of(
    evaluator: &Evaluator<'_>,
    array: Option<Array>,
    span: Span,
) -> Result<Value> {
    match array {
        Some(array) => Ok(Value::object(TensorValue::of_array(evaluator, array, span)?)),
        None => Ok(Value::Unknown(span)),
    }
}

/// A number as an array of a single element of this type; what is one already is cast.
pub(in crate::script) fn scalar(
    evaluator: &mut Evaluator<'_>,
    dtype: DType,
    given: &Given,
) -> Result<Value> {
    match operand(evaluator, &given.value, dtype, given.span)? {
        Some(Operand::Array(array)) => value_of(evaluator, Some(array.cast(dtype)), given.span),
        Some(Operand::Unknown) => Ok(Value::Unknown(given.span)),
        None => Err(given.wrong(&format!("what becomes {dtype}"), "a number")),
    }
}

/// The operand that `value` is beside an array of `dtype`; `None` if it is none.
pub(super) fn operand(
    evaluator: &mut Evaluator<'_>,
    value: &Value,
    dtype: DType,
    span: Span,
) -> Result<Option<Operand>> {
    if let Some(tensor) = value.downcast::<TensorValue>() {
        return Ok(Some(match tensor.read(evaluator, span)? {
            Some(array) => Operand::Array(array),
            None => Operand::Unknown,
        }));
    }
    let weak = match (value, value.as_bool()) {
        (Value::Float(value), _) => Weak::Float(*value),
        (_, Some(value)) => Weak::Bool(value),
        (Value::Int(value), _) => Weak::Int(*value),
        _ => return Ok(None),
    };
    Ok(Some(Operand::Array(weak.array(dtype))))
}

/// One side of an operation on arrays.
pub(super) enum Operand {
    /// These numbers.
    Array(Array),
    /// Not known without data.
    Unknown,
}

fn arithmetic(op: BinaryOp) -> Option<Arithmetic> {
    Some(match op {
        BinaryOp::Add => Arithmetic::Op(Op::Add),
        BinaryOp::Sub => Arithmetic::Op(Op::Sub),
        BinaryOp::Mul => Arithmetic::Op(Op::Mul),
        BinaryOp::Div => Arithmetic::TrueDiv,
        BinaryOp::FloorDiv => Arithmetic::FloorDiv,
        BinaryOp::Mod => Arithmetic::Mod,
        BinaryOp::Pow => Arithmetic::Pow,
        BinaryOp::BitAnd => Arithmetic::Op(Op::BitAnd),
        BinaryOp::BitOr => Arithmetic::Op(Op::BitOr),
        BinaryOp::BitXor => Arithmetic::Op(Op::BitXor),
        BinaryOp::Shl => Arithmetic::Op(Op::Shl),
        BinaryOp::Shr => Arithmetic::Op(Op::Shr),
        BinaryOp::MatMul => return None,
    })
}

fn comparison(op: CompareOp) -> Option<CompareArrays> {
    match op {
        CompareOp::Lt => Some(CompareArrays::Lt),
        CompareOp::Le => Some(CompareArrays::Le),
        CompareOp::Gt => Some(CompareArrays::Gt),
        CompareOp::Ge => Some(CompareArrays::Ge),
        CompareOp::Eq => Some(CompareArrays::Eq),
        CompareOp::Ne => Some(CompareArrays::Ne),
        CompareOp::Is | CompareOp::IsNot | CompareOp::In | CompareOp::NotIn => None,
    }
}

impl Object for TensorValue {
    fn type_name(&self) -> String {
        "tensor".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        methods::names()
    }

    fn attribute(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        span: Span,
    ) -> Result<Option<Value>> {
        let count = |count: u64| Value::Int(i128::from(count));
        Ok(Some(match name {
            "shape" => bind::shape_value(&self.shape),
            "ndim" => count(self.shape.rank() as u64),
            "dtype" => dtype_value(self.dtype(evaluator, span)?),
            "itemsize" => count(self.dtype(evaluator, span)?.bytes()),
            "nbytes" => count(self.shape.elements() * self.dtype(evaluator, span)?.bytes()),
            "local_shape" => bind::shape_value(&self.local_shape(evaluator, span)?),
            "device" => Value::str(if self.device_id().is_some() { "ahbm" } else { "cpu" }),
            "T" => methods::turned(self, evaluator, span)?,
            "data" => {
                let whole = self.read(evaluator, span)?;
                value_of(evaluator, whole, span)?
            }
            _ if methods::names().contains(&name) => {
                crate::script::object::Method::value(Value::object(self.clone()), name)
            }
            _ => return Ok(None),
        }))
    }

    fn call_method(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        args: &Args,
    ) -> Result<Option<Value>> {
        methods::call(self, evaluator, name, args)
    }

    fn binary(
        &self,
        evaluator: &mut Evaluator<'_>,
        it: BinaryOperation<'_>,
    ) -> Result<Option<Value>> {
        let span = it.span;
        let Some(own) = self.read(evaluator, span)? else { return Ok(Some(Value::Unknown(span))) };
        let other = match operand(evaluator, it.other, own.dtype(), span)? {
            Some(Operand::Array(other)) => other,
            Some(Operand::Unknown) => return Ok(Some(Value::Unknown(span))),
            None => return Ok(None),
        };
        evaluator.spend(own.elements().max(other.elements()) / 256, span)?;
        let (left, right) = if it.reflected { (other, own) } else { (own, other) };
        let result = match arithmetic(it.op) {
            Some(op) => left.arithmetic(op, &right),
            None => {
                evaluator.spend(methods::product_steps(&left.shape(), &right.shape()), span)?;
                left.matmul(&right)
            }
        };
        value_of(evaluator, Some(result.map_err(|error| fault(error, span))?), span).map(Some)
    }

    fn compare(&self, evaluator: &mut Evaluator<'_>, it: Comparison<'_>) -> Result<Option<Value>> {
        let span = it.span;
        let Some(op) = comparison(it.op) else { return Ok(None) };
        let Some(own) = self.read(evaluator, span)? else { return Ok(Some(Value::Unknown(span))) };
        let other = match operand(evaluator, it.other, own.dtype(), span)? {
            Some(Operand::Array(other)) => other,
            Some(Operand::Unknown) => return Ok(Some(Value::Unknown(span))),
            None => return Ok(None),
        };
        let result = own.compare(op, &other).map_err(|error| fault(error, span))?;
        value_of(evaluator, Some(result), span).map(Some)
    }

    fn unary(
        &self,
        evaluator: &mut Evaluator<'_>,
        op: UnaryOp,
        span: Span,
    ) -> Result<Option<Value>> {
        let op = match op {
            UnaryOp::Neg => UnaryArray::Neg,
            UnaryOp::Invert => UnaryArray::BitNot,
            UnaryOp::Pos => {
                let whole = self.read(evaluator, span)?;
                return value_of(evaluator, whole, span).map(Some);
            }
            UnaryOp::Not => return Ok(None),
        };
        methods::elementwise(self, evaluator, op, span).map(Some)
    }

    fn subscript(
        &self,
        evaluator: &mut Evaluator<'_>,
        index: &Subscript,
        span: Span,
    ) -> Result<Option<Value>> {
        if let Some(given) = array_index(index) {
            let Some(wanted) = along::indices_of(evaluator, &given)? else {
                return Ok(Some(Value::Unknown(span)));
            };
            let Some(own) = self.read(evaluator, span)? else {
                return Ok(Some(Value::Unknown(span)));
            };
            let made = along::by_array(&own, &wanted).map_err(|error| fault(error, span))?;
            return value_of(evaluator, Some(made), span).map(Some);
        }
        let indices = bind::indices(evaluator, index, &self.shape)?;
        self.part(evaluator, indices, span).map(Some)
    }

    fn set_subscript(
        &self,
        evaluator: &mut Evaluator<'_>,
        index: &Subscript,
        value: &Value,
        span: Span,
    ) -> Result<bool> {
        let dtype = self.dtype(evaluator, span)?;
        let Some(found) = operand(evaluator, value, dtype, span)? else { return Ok(false) };
        if let Some(given) = array_index(index) {
            let wanted = along::indices_of(evaluator, &given)?;
            let own = self.read(evaluator, span)?;
            if let (Some(wanted), Some(own), Operand::Array(new)) = (wanted, own, found) {
                let made = along::put_by_array(&own, &wanted, &new);
                let made = made.map_err(|error| fault(error, span))?;
                self.assign(evaluator, &[], &made, span)?;
            }
            return Ok(true);
        }
        let indices = bind::indices(evaluator, index, &self.shape)?;
        if let Operand::Array(array) = found {
            self.assign(evaluator, &indices, &array, span)?;
        }
        Ok(true)
    }

    fn truth(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Value>> {
        if self.shape.elements() != 1 {
            return Ok(None);
        }
        let Some(array) = self.read(evaluator, span)? else {
            return Ok(Some(Value::Unknown(span)));
        };
        let truth = array.to_f64s().first().is_some_and(|value| *value != 0.0);
        Ok(Some(Value::Bool(truth)))
    }

    fn len(&self, _: &mut Evaluator<'_>, _: Span) -> Result<Option<Value>> {
        Ok(self.shape.0.first().map(|rows| Value::Int(i128::from(*rows))))
    }

    fn items(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Vec<Value>>> {
        let Some(rows) = self.shape.0.first() else { return Ok(None) };
        evaluator.spend_elements(usize::try_from(*rows).unwrap_or(usize::MAX), span)?;
        let mut items = Vec::with_capacity(*rows as usize);
        for row in 0..*rows {
            items.push(self.part(evaluator, vec![Index::At(i128::from(row))], span)?);
        }
        Ok(Some(items))
    }

    fn number(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Value>> {
        if self.shape.elements() != 1 {
            return Ok(None);
        }
        Ok(Some(match self.read(evaluator, span)? {
            Some(array) => bind::element(&array, 0),
            None => Value::Unknown(span),
        }))
    }

    fn show(&self, evaluator: &mut Evaluator<'_>) -> Result<String> {
        let Some(array) = self.read(evaluator, Span::NONE)? else {
            let (shape, dtype) = (&self.shape, self.dtype(evaluator, Span::NONE)?);
            return Ok(format!("tensor(unknown without data, shape={shape}, dtype={dtype})"));
        };
        Ok(format!("tensor({}, dtype={})", bind::shown(&array), array.dtype()))
    }
}
