//! What a composite takes and gives.

use super::control::same_extents;
use super::types::{Checked, Checker, require};
use crate::dtype::DType;
use crate::ir::{
    Composite, Dim, End, EpilogueStep, Head, MAX_STEP_OPERANDS, StepOp, TileType, Type,
};
use crate::ops::Domain;

impl Checker<'_> {
    pub(super) fn composite_of(&self, it: &Composite) -> Checked {
        require(*self.result()? == Type::Completion, || {
            String::from("`composite` gives a completion")
        })?;
        let [m, n, k] = it.sizes;
        for size in it.sizes {
            self.size(size)?;
        }
        match it.head {
            Head::Gemm => self.product(it)?,
            Head::Math(op) => self.elements(it, op.is_some())?,
        }
        let (a, b) = match it.head {
            Head::Gemm => ([m, k], [k, n]),
            Head::Math(_) => ([m, n], [m, n]),
        };
        self.end("left operand", &it.a, &a)?;
        it.b.as_ref().map_or(Ok(()), |end| self.end("right operand", end, &b))?;
        require(!matches!(self.ty(it.out.value), Type::Tile(_)), || {
            String::from("a composite writes to memory, not to a tile")
        })?;
        self.address(it.out.value, it.out.dtype)?;
        let kinds = it.works_in().is_float() == it.out.dtype.is_float();
        require(kinds, || {
            format!("a composite that computes in {} does not give {}", it.works_in(), it.out.dtype)
        })?;
        self.epilogue(it)
    }

    /// An extent: a constant of at least 1, or an `i64`.
    fn size(&self, size: Dim) -> Checked {
        match size {
            Dim::Const(extent) => require(extent > 0, || format!("a composite is {extent} long")),
            Dim::Value(value) => require(*self.ty(value) == Type::I64, || {
                format!("the extent of a composite is an i64, not {}", self.show(value))
            }),
        }
    }

    fn product(&self, it: &Composite) -> Checked {
        let Some(b) = &it.b else { return Err(String::from("a product takes two factors")) };
        let (a, b) = (it.a.dtype, b.dtype);
        let narrow = |dtype: DType| dtype.is_float() && dtype.bits() == 8;
        require(a == b || (narrow(a) && narrow(b)), || format!("the factors are {a} and {b}"))
    }

    fn elements(&self, it: &Composite, takes_two: bool) -> Checked {
        require(it.b.is_some() == takes_two, || {
            String::from(
                "`math` takes a second operand where it names an operation, and only there",
            )
        })?;
        require(matches!(it.sizes[2], Dim::Const(1)), || {
            String::from("`math` sums nothing: its third size is 1")
        })?;
        let same = it.b.as_ref().is_none_or(|b| b.dtype == it.a.dtype);
        require(same, || String::from("the operands of `math` are of one type"))?;
        let Head::Math(Some(op)) = it.head else { return Ok(()) };
        self.in_domain(op.name(), op.domain(), it.accumulates_in())
    }

    /// A tile of this shape, or the address of a block.
    fn end(&self, what: &str, end: &End, dims: &[Dim; 2]) -> Checked {
        let Type::Tile(tile) = self.ty(end.value) else {
            return self.address(end.value, end.dtype);
        };
        let fits = tile.dtype == end.dtype && same_extents(self.function, &tile.dims, dims);
        require(fits, || {
            let wanted = TileType::new(dims.to_vec(), end.dtype);
            let wanted = self.function.display_type(&Type::Tile(wanted));
            format!("the {what} of a composite is {wanted}, not {}", self.show(end.value))
        })
    }

    fn epilogue(&self, it: &Composite) -> Checked {
        let operands = it.epilogue.iter().filter(|step| step.operand.is_some()).count();
        require(operands <= MAX_STEP_OPERANDS, || {
            format!("an epilogue takes {operands} operands; at most {MAX_STEP_OPERANDS} fit")
        })?;
        require(it.epilogue.is_sorted_by_key(|step| step.scope), || {
            String::from("the steps of an epilogue come in the order of their scopes")
        })?;
        it.epilogue.iter().try_for_each(|step| self.step(it, step))
    }

    fn step(&self, it: &Composite, step: &EpilogueStep) -> Checked {
        let works = it.works_in();
        let (domain, takes) = match step.op {
            StepOp::Unary(op) => (op.domain(), false),
            StepOp::Binary(op) => (op.domain(), true),
        };
        let name = step.op.name();
        require(domain != Domain::Float || works.is_float(), || {
            format!("`{name}` is not defined on {works}")
        })?;
        self.in_domain(name, domain, works)?;
        require(step.operand.is_some() == takes, || {
            format!("the step `{name}` takes {} operand", if takes { "an" } else { "no" })
        })?;
        let Some(operand) = step.operand else { return Ok(()) };
        let fits = match self.ty(operand) {
            Type::Scalar(dtype) => dtype.is_float() == works.is_float(),
            Type::Tile(tile) => {
                let [m, n, _] = it.sizes;
                tile.dtype.is_float() == works.is_float() && self.broadcasts(&tile.dims, &[m, n])
            }
            Type::Pointer(_) | Type::Future(_) | Type::Completion => false,
        };
        require(fits, || format!("{} is given to the step `{name}` of {works}", self.show(operand)))
    }
}
