//! What became of the tensors that the shell gave: files to save, and comparisons.

use super::{GivenTensor, TensorValue};
use crate::command::Program;
use crate::diag::{Reported, Sink, nearest_help};
use crate::driver::outcome::Data;
use crate::driver::{SimOptions, UsageError};
use crate::dtype::DType;
use crate::launch::Region;
use crate::replay::verify::{self, Subject, Tolerance};
use crate::replay::{Memory, npy};
use crate::topology::PeId;
use crate::units::grouped;

/// What a tensor must hold after the launch.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The parameter that takes the tensor.
    pub name: String,
    /// What it must hold.
    pub value: TensorValue,
}

/// The contents of a tensor after the launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The parameter that takes the tensor.
    pub name: String,
    /// A `.npy` file.
    pub file: Vec<u8>,
}

/// The tensors of a launch that has ended.
#[derive(Clone, Copy)]
pub(in crate::driver) struct Results<'a> {
    /// The tensors.
    pub(in crate::driver) tensors: &'a [GivenTensor],
    /// Where they are.
    pub(in crate::driver) regions: &'a [Region],
}

impl<'a> Results<'a> {
    /// Refuses names of no tensor, and expectations that cannot be compared with theirs.
    ///
    /// # Errors
    /// The first of these.
    pub(in crate::driver) fn refuse_unknown(self, sim: &SimOptions) -> Result<(), UsageError> {
        for name in &sim.save {
            self.find("--save", name)?;
        }
        for expected in &sim.expect {
            let (tensor, _) = self.find("--expect", &expected.name)?;
            comparable(&tensor.value, expected)?;
        }
        Ok(())
    }

    fn find(self, option: &str, name: &str) -> Result<(&'a GivenTensor, &'a Region), UsageError> {
        let mut all = self.tensors.iter().zip(self.regions);
        all.find(|(tensor, _)| tensor.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.tensors.iter().map(|it| it.name.as_str()).collect();
            let help = nearest_help("tensor", name, names.iter().copied());
            let help = help.unwrap_or_else(|| format!("the tensors are {}", names.join(", ")));
            UsageError(format!("{option} {name}=…: no tensor was given for `{name}`; {help}"))
        })
    }

    /// The files that were asked for.
    pub(in crate::driver) fn saved(self, memory: &Memory, names: &[String]) -> Vec<Saved> {
        let save = |name: &String| {
            let (tensor, region) = self.find("--save", name).ok()?;
            let bytes = contents(memory, region);
            let file = npy::write(tensor.value.dtype, &tensor.value.shape, &bytes);
            Some(Saved { name: name.clone(), file })
        };
        names.iter().filter_map(save).collect()
    }

    /// Compares the tensors with what is expected of them; reports each that is not so.
    pub(in crate::driver) fn compared(
        self,
        (program, memory): (&Program, &Memory),
        sim: &SimOptions,
        sink: &mut Sink,
    ) -> Data {
        let mut reported: Option<Reported> = None;
        let mut said = Vec::new();
        for expected in &sim.expect {
            let Ok((tensor, region)) = self.find("--expect", &expected.name) else { continue };
            let (dtype, shape) = (tensor.value.dtype, &tensor.value.shape);
            let wanted = expected.value.bytes.as_deref().unwrap_or_default();
            let tolerance = tolerance(sim, dtype);
            let got = contents(memory, region);
            let comparison = verify::compare(dtype, &got, wanted, tolerance);
            if comparison.is_good() {
                let elements = grouped(comparison.elements);
                let apart = comparison.max_absolute;
                said.push(format!(
                    "{elements} elements of `{}` (off by at most {apart:.3e})",
                    tensor.name
                ));
                continue;
            }
            let (name, address) = (tensor.name.as_str(), region.base);
            let subject = Subject { name, pe: PeId(0), address, shape, dtype };
            let wrong = verify::wrong_result(program, memory, subject, &comparison);
            reported = Some(sink.error(wrong));
        }
        match reported {
            Some(_) => Data::Mismatch,
            None if said.is_empty() => Data::Unchecked { missing: "--expect NAME=@FILE" },
            None => Data::Verified { what: format!("{} are as expected", said.join(", ")) },
        }
    }
}

/// How far an element may be from what is expected: what the options say, else what
/// `torch.testing.assert_close` allows.
fn tolerance(sim: &SimOptions, dtype: DType) -> Tolerance {
    if sim.rtol.is_none() && sim.atol.is_none() {
        return Tolerance::torch(dtype);
    }
    Tolerance::Close { relative: sim.rtol.unwrap_or(0.0), absolute: sim.atol.unwrap_or(0.0) }
}

fn contents(memory: &Memory, region: &Region) -> Vec<u8> {
    memory.read(PeId(0), region.base, region.bytes).unwrap_or_default()
}

/// Whether a tensor can be compared with what is expected of it. Integers of the same width are
/// taken for the bits of a type that NumPy does not have.
fn comparable(tensor: &TensorValue, expected: &Expectation) -> Result<(), UsageError> {
    let Expectation { name, value } = expected;
    let (is, wanted) = (tensor.dtype, value.dtype);
    let is_storage = wanted.is_int() && wanted.bytes() == is.bytes();
    if is != wanted && !is_storage {
        return Err(UsageError(format!(
            "--expect {name}: its elements are {wanted}, and those of `{name}` are {is}"
        )));
    }
    if tensor.shape.elements() != value.shape.elements() {
        let (is, wanted) = (&tensor.shape, &value.shape);
        return Err(UsageError(format!(
            "--expect {name}: its shape is {wanted}, and that of `{name}` is {is}"
        )));
    }
    if value.bytes.is_none() {
        return Err(UsageError(format!("--expect {name}: `empty` says nothing of its contents")));
    }
    Ok(())
}
