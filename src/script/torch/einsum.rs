//! `torch.einsum`: sums of products, by the letters of their axes. It computes in `f64` and rounds once.

use super::fault;
use super::functions::tensor_of;
use super::tensor::value_of;
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Array, HostError, promote};
use crate::script::args::{Args, Given, pure};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::shape::Shape;

pub(super) const EINSUM: Native = pure("einsum", einsum);

/// An equation: the letters of the operands' axes and of the result's.
struct Equation {
    operands: Vec<Vec<char>>,
    result: Vec<char>,
}

impl Equation {
    /// Reads `ij,jk->ik`; without an arrow the result has the letters that stand once, in the order of
    /// the alphabet.
    fn parse(text: &str) -> std::result::Result<Equation, String> {
        let text: String = text.chars().filter(|it| !it.is_whitespace()).collect();
        if let Some(other) =
            text.chars().find(|it| !(it.is_ascii_alphabetic() || ",->".contains(*it)))
        {
            return Err(format!("`{other}` is no letter of an axis"));
        }
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left.to_owned(), Some(right.to_owned())),
            None => (text, None),
        };
        let letters = |part: &str| part.chars().collect::<Vec<char>>();
        let operands: Vec<Vec<char>> = left.split(',').map(letters).collect();
        let all: Vec<char> = operands.iter().flatten().copied().collect();
        let result = right.map_or_else(|| standing_once(&all), |right| letters(&right));
        for (place, letter) in result.iter().enumerate() {
            if !all.contains(letter) {
                return Err(format!("axis `{letter}` of the result is in no operand"));
            }
            if result[..place].contains(letter) {
                return Err(format!("axis `{letter}` is twice in the result"));
            }
        }
        Ok(Equation { operands, result })
    }

    /// Every letter once: those of the result, then those that are summed over.
    fn letters(&self) -> Vec<char> {
        let mut letters = self.result.clone();
        for letter in self.operands.iter().flatten() {
            if !letters.contains(letter) {
                letters.push(*letter);
            }
        }
        letters
    }

    /// The extents of the letters, as the operands have them.
    fn extents(&self, shapes: &[Shape]) -> std::result::Result<Vec<u64>, String> {
        if shapes.len() != self.operands.len() {
            let (wanted, found) = (self.operands.len(), shapes.len());
            return Err(format!("the equation has {wanted} operands, and {found} are given"));
        }
        for (letters, shape) in self.operands.iter().zip(shapes) {
            if letters.len() != shape.rank() {
                let named: String = letters.iter().collect();
                return Err(format!("`{named}` names the axes of a tensor of shape {shape}"));
            }
        }
        let found = |letter: char| {
            let pairs = self
                .operands
                .iter()
                .zip(shapes)
                .flat_map(|(names, shape)| names.iter().zip(&shape.0));
            let mut own = pairs.filter(|(name, _)| **name == letter).map(|(_, extent)| *extent);
            let first = own.next().unwrap_or(1);
            match own.find(|other| *other != first) {
                Some(other) => Err(format!("axis `{letter}` is {first} here and {other} there")),
                None => Ok(first),
            }
        };
        self.letters().into_iter().map(found).collect()
    }
}

fn standing_once(all: &[char]) -> Vec<char> {
    let is_once = |letter: &&char| all.iter().filter(|other| other == letter).count() == 1;
    let mut once: Vec<char> = all.iter().filter(is_once).copied().collect();
    once.sort_unstable();
    once
}

/// How far apart in an operand the elements are that differ by one in each of `letters`.
fn strides(own: &[char], shape: &Shape, letters: &[char]) -> Vec<u64> {
    let stride = |axis: usize| shape.0.iter().skip(axis + 1).product::<u64>();
    let of_letter = |letter: &char| {
        own.iter()
            .enumerate()
            .filter(|(_, name)| *name == letter)
            .map(|(axis, _)| stride(axis))
            .sum()
    };
    letters.iter().map(of_letter).collect()
}

/// The sum of products over every combination of indices, in the order of their letters.
fn contract(
    equation: &Equation,
    arrays: &[Array],
    extents: &[u64],
) -> std::result::Result<Array, HostError> {
    let letters = equation.letters();
    let kept = Shape(extents[..equation.result.len()].to_vec());
    crate::host::check_elements(kept.elements())?;
    let shapes: Vec<Shape> = arrays.iter().map(Array::shape).collect();
    let values: Vec<Vec<f64>> = arrays.iter().map(Array::to_f64s).collect();
    let steps: Vec<Vec<u64>> = equation
        .operands
        .iter()
        .zip(&shapes)
        .map(|(own, shape)| strides(own, shape, &letters))
        .collect();
    let summed: u64 = extents[equation.result.len()..].iter().product();
    let mut out = Vec::with_capacity(kept.elements() as usize);
    for result in 0..kept.elements() {
        let mut total = 0.0;
        for inner in 0..summed {
            // The index of each letter, from the last one on.
            let mut rest = result * summed + inner;
            let mut places = vec![0; values.len()];
            for (letter, extent) in extents.iter().enumerate().rev() {
                let index = rest % extent;
                rest /= extent;
                for (place, step) in places.iter_mut().zip(&steps) {
                    *place += index * step[letter];
                }
            }
            total += places.iter().zip(&values).map(|(at, of)| of[*at as usize]).product::<f64>();
        }
        out.push(total);
    }
    let dtype = arrays.iter().map(Array::dtype).reduce(promote).unwrap_or(DType::F32);
    Array::from_f64s(dtype, &kept, out)
}

/// `einsum("ij,jk->ik", a, b)`.
fn einsum(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    args.no_names("einsum")?;
    let Some((equation, operands)) = args.positional.split_first() else {
        return Err(crate::script::args::missing("einsum", "equation", args.span));
    };
    let refuse = |message: String, given: &Given| {
        Fault::new(hosting::HOST_SHAPE, message, given.span, "this equation")
    };
    let read = Equation::parse(equation.text("`equation`")?).map_err(|it| refuse(it, equation))?;
    let mut arrays = Vec::new();
    for given in operands {
        let Some(array) = tensor_of(given)?.read(evaluator, given.span)? else {
            return Ok(Value::Unknown(args.span));
        };
        arrays.push(array);
    }
    let shapes: Vec<Shape> = arrays.iter().map(Array::shape).collect();
    let extents = read.extents(&shapes).map_err(|it| refuse(it, equation))?;
    let steps = extents.iter().fold(1_u64, |steps, extent| steps.saturating_mul(*extent));
    evaluator.spend(steps / 16, args.span)?;
    let made = contract(&read, &arrays, &extents).map_err(|error| fault(error, args.span))?;
    value_of(evaluator, Some(made), args.span)
}
