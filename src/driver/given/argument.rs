//! The text of `--arg NAME=VALUE`, and the arrays it stands for.
//!
//! ```text
//! x=@x.npy  q=@q.npy:bf16               a tensor from a file, its storage taken for another type
//! y=zeros:64x32:f16  ones full empty    a tensor that is made
//! w=randn:4096:f32:7  rand randint arange
//! n=1000  n=1000:i64  eps=1e-5  flag=True   a scalar
//! x=*f16  n=i32                         only a type, for commands that need no data
//! bias=none                             no tensor
//! ```

use crate::driver::UsageError;
use crate::dtype::DType;
use crate::host::{MAX_ELEMENTS, Scalar};
use crate::replay::data::{Values, generate};
use crate::replay::npy;
use crate::shape::Shape;

/// What the shell gives one parameter of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The parameter.
    pub name: String,
    /// What it is given.
    pub value: ArgumentValue,
}

/// What a parameter is given.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgumentValue {
    /// A tensor and its contents.
    Tensor(TensorValue),
    /// A number or truth value, and its type if that was said.
    Scalar(Scalar, Option<DType>),
    /// A tensor of which only the element type is known.
    PointerType(DType),
    /// A scalar of which only the type is known.
    ScalarType(DType),
    /// `None`.
    None,
}

/// A dense row-major array.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorValue {
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape.
    pub shape: Shape,
    /// Its elements; `None` where nothing has been written.
    pub bytes: Option<Vec<u8>>,
}

/// Gives the bytes of the file of a name, or says why it cannot.
pub type ReadFile<'r> = dyn FnMut(&str) -> Result<Vec<u8>, UsageError> + 'r;

/// How tensors are made; the fourth word is what the second column says.
const MAKERS: [&str; 8] = ["zeros", "ones", "full", "empty", "rand", "randn", "randint", "arange"];

impl Argument {
    /// Reads `NAME=VALUE`. `seed` is that of random tensors that name none.
    ///
    /// # Errors
    /// What is not understood, or cannot be read.
    pub fn parse(text: &str, seed: u64, read: &mut ReadFile<'_>) -> Result<Argument, UsageError> {
        let usage = "expected NAME=VALUE, such as x=@x.npy or n=1000";
        let (name, value) = match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => (name.trim(), value.trim()),
            _ => return Err(UsageError(format!("--arg {text}: {usage}"))),
        };
        let value = ArgumentValue::parse(value, seed, read)
            .map_err(|UsageError(why)| UsageError(format!("--arg {name}: {why}")))?;
        Ok(Argument { name: name.into(), value })
    }
}

impl ArgumentValue {
    fn parse(text: &str, seed: u64, read: &mut ReadFile<'_>) -> Result<ArgumentValue, UsageError> {
        if let Some(file) = text.strip_prefix('@') {
            return TensorValue::from_file(file, read).map(ArgumentValue::Tensor);
        }
        if let Some(element) = text.strip_prefix('*') {
            return element_type(element).map(ArgumentValue::PointerType);
        }
        if text.eq_ignore_ascii_case("none") {
            return Ok(ArgumentValue::None);
        }
        let words: Vec<&str> = text.split(':').collect();
        if MAKERS.contains(&words[0]) {
            return made(&words, seed).map(ArgumentValue::Tensor);
        }
        match (Scalar::parse(words[0]), words.get(1)) {
            (Scalar::Text(_), None) if dtype_named(words[0]).is_some() => {
                element_type(words[0]).map(ArgumentValue::ScalarType)
            }
            (Scalar::Text(word), _) => match float_word(&word) {
                Some(value) => scalar(Scalar::Float(value), &words),
                None => Err(UsageError(not_understood(text))),
            },
            (value, _) => scalar(value, &words),
        }
    }
}

/// `NUMBER` or `NUMBER:TYPE`.
fn scalar(value: Scalar, words: &[&str]) -> Result<ArgumentValue, UsageError> {
    let dtype = words.get(1).map(|name| element_type(name)).transpose()?;
    if words.len() > 2 {
        return Err(UsageError(format!(
            "a scalar is NUMBER or NUMBER:TYPE, not `{}`",
            words.join(":")
        )));
    }
    let value = match (value, dtype) {
        (Scalar::Int(value), Some(dtype)) if dtype.is_float() => Scalar::Float(value as f64),
        (Scalar::Float(value), Some(dtype)) if dtype.is_int() => {
            return Err(UsageError(format!("{value:?} is no number of type {dtype}")));
        }
        (value, _) => value,
    };
    Ok(ArgumentValue::Scalar(value, dtype))
}

fn float_word(word: &str) -> Option<f64> {
    match word {
        "inf" | "+inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        "nan" => Some(f64::NAN),
        _ => None,
    }
}

fn not_understood(text: &str) -> String {
    if text.ends_with(".npy") {
        return format!("`{text}` is no number; a tensor from a file is `@{text}`");
    }
    format!(
        "`{text}` is not understood; a value is @FILE.npy[:TYPE], a number, none, \
         {}:SHAPE:TYPE, or only a type such as *f16 or i32",
        MAKERS.join("|")
    )
}

/// The element type of a name; those of `DType`, and the short names of 8-bit floats.
fn dtype_named(name: &str) -> Option<DType> {
    match name {
        "e4m3" | "e4m3fn" | "fp8e4m3" | "f8e4m3fn" => Some(DType::F8E4M3),
        "e5m2" | "fp8e5m2" => Some(DType::F8E5M2),
        _ => DType::from_name(name.strip_prefix("tl.").unwrap_or(name)),
    }
}

pub(super) fn element_type(name: &str) -> Result<DType, UsageError> {
    dtype_named(name).ok_or_else(|| {
        let names: Vec<&str> = DType::ALL.iter().map(|dtype| dtype.name()).collect();
        UsageError(format!("there is no element type `{name}`; there are {}", names.join(", ")))
    })
}

impl TensorValue {
    /// The array of `FILE.npy` or `FILE.npy:TYPE`.
    ///
    /// # Errors
    /// The file cannot be read, is no array, or cannot be taken for that type.
    pub fn from_file(text: &str, read: &mut ReadFile<'_>) -> Result<TensorValue, UsageError> {
        let (file, dtype) = match text.rsplit_once(':') {
            Some((file, name)) if dtype_named(name).is_some() || file.ends_with(".npy") => {
                (file, Some(element_type(name)?))
            }
            _ => (text, None),
        };
        let bytes = read(file)?;
        let array = npy::read(&bytes).map_err(|why| UsageError(format!("{file}: {why}")))?;
        let npy::Array { dtype: stored, shape, bytes } = array;
        let dtype = match dtype {
            Some(dtype) => reinterpreted(stored, dtype)
                .map_err(|UsageError(why)| UsageError(format!("{file}: {why}")))?,
            None => stored,
        };
        Ok(TensorValue { dtype, shape, bytes: Some(bytes) })
    }
}

/// `dtype`, if elements stored as `stored` may be taken for it: the storage of types that NumPy
/// does not have is integers of their width.
fn reinterpreted(stored: DType, dtype: DType) -> Result<DType, UsageError> {
    let is_storage = stored.is_int() && stored.bytes() == dtype.bytes();
    if stored == dtype || is_storage {
        return Ok(dtype);
    }
    let bits = dtype.bytes() * 8;
    Err(UsageError(format!(
        "its elements are {stored}; only {bits}-bit integers can be taken for the bits of {dtype}"
    )))
}

/// `zeros:SHAPE:TYPE`, and so on.
fn made(words: &[&str], seed: u64) -> Result<TensorValue, UsageError> {
    let [maker, shape, element, extra @ ..] = words else {
        let maker = words[0];
        return Err(UsageError(format!("`{maker}` needs a shape and a type: {maker}:64x32:f32")));
    };
    let (shape, dtype) = (shape_of(shape)?, element_type(element)?);
    let wanted = usize::from(*maker == "full");
    let most = usize::from(!matches!(*maker, "zeros" | "ones" | "empty" | "arange"));
    if extra.len() < wanted || extra.len() > most {
        let form = match *maker {
            "full" => "full:SHAPE:TYPE:NUMBER",
            "rand" | "randn" | "randint" => "SHAPE:TYPE or SHAPE:TYPE:SEED after its name",
            _ => "SHAPE:TYPE after its name",
        };
        return Err(UsageError(format!("`{}`: `{maker}` takes {form}", words.join(":"))));
    }
    let number = |text: &&str| {
        let wrong = |_| UsageError(format!("`{text}` is no number"));
        text.parse::<f64>().map_err(wrong)
    };
    let full =
        if *maker == "full" { number(&extra[0])? } else { f64::from(u8::from(*maker == "ones")) };
    let random = match (*maker, extra.first()) {
        ("rand" | "randn" | "randint", Some(text)) => {
            text.parse().map_err(|_| UsageError(format!("the seed `{text}` is no whole number")))?
        }
        _ => seed,
    };
    let elements = shape.elements();
    let bytes = match *maker {
        "empty" => None,
        "rand" => Some(generate(dtype, elements, Values::Uniform { low: 0.0, high: 1.0 }, random)),
        "randn" => Some(generate(dtype, elements, Values::Normal, random)),
        "randint" => Some(generate(dtype, elements, Values::Integers { low: 0, high: 9 }, random)),
        "arange" => Some(counted(dtype, elements)),
        _ => Some(generate(dtype, elements, Values::Uniform { low: full, high: full }, 0)),
    };
    Ok(TensorValue { dtype, shape, bytes })
}

/// 0, 1, 2, …, rounded to the type.
fn counted(dtype: DType, elements: u64) -> Vec<u8> {
    let one = |at: u64| {
        let at = at as i64;
        generate(dtype, 1, Values::Integers { low: at, high: at }, 0)
    };
    (0..elements).flat_map(one).collect()
}

/// `64x32`, `1000`, or nothing for a single element.
fn shape_of(text: &str) -> Result<Shape, UsageError> {
    let extents = text.split('x').filter(|part| !part.is_empty()).map(str::parse::<u64>);
    let wrong =
        |_| UsageError(format!("the shape `{text}` is not whole numbers with x between them"));
    let shape = Shape(extents.collect::<Result<_, _>>().map_err(wrong)?);
    let elements = shape.0.iter().try_fold(1u64, |all, extent| all.checked_mul(*extent));
    match elements {
        Some(elements) if elements <= MAX_ELEMENTS => Ok(shape),
        _ => Err(UsageError(format!("a tensor of shape {text} has more than 2^30 elements"))),
    }
}

/// Reads the extents of `--grid`: one to three whole numbers.
///
/// # Errors
/// What is not understood.
pub fn parse_grid(text: &str) -> Result<[u32; 3], UsageError> {
    let wrong = || {
        UsageError(format!("--grid {text}: a grid is one to three numbers above 0, such as 4,2"))
    };
    let parts: Vec<&str> = text.split(',').collect();
    let mut grid = [1; 3];
    if parts.len() > grid.len() {
        return Err(wrong());
    }
    for (extent, part) in grid.iter_mut().zip(&parts) {
        *extent = part.trim().parse().ok().filter(|extent| *extent > 0).ok_or_else(wrong)?;
    }
    Ok(grid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ArgumentValue, String> {
        let file = npy::write(DType::U16, &Shape::new([2]), &[0x80, 0x3f, 0, 0]);
        let mut read = |name: &str| match name {
            "x.npy" => Ok(file.clone()),
            _ => Err(UsageError("cannot read it".into())),
        };
        let argument = Argument::parse(&format!("a={text}"), 0, &mut read);
        argument.map(|it| it.value).map_err(|UsageError(why)| why)
    }

    fn tensor(text: &str) -> TensorValue {
        match parse(text) {
            Ok(ArgumentValue::Tensor(it)) => it,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn scalars_have_a_type_or_none() {
        let int = |value, dtype| Ok(ArgumentValue::Scalar(Scalar::Int(value), dtype));
        let float = |value, dtype| Ok(ArgumentValue::Scalar(Scalar::Float(value), dtype));
        assert_eq!(parse("1000"), int(1000, None));
        assert_eq!(parse("-3:i64"), int(-3, Some(DType::I64)));
        assert_eq!(parse("2:f16"), float(2.0, Some(DType::F16)));
        assert_eq!(parse("0.5:tl.float32"), float(0.5, Some(DType::F32)));
        assert_eq!(parse("-inf"), float(f64::NEG_INFINITY, None));
        assert_eq!(parse("True"), Ok(ArgumentValue::Scalar(Scalar::Bool(true), None)));
        assert_eq!(parse("*e5m2"), Ok(ArgumentValue::PointerType(DType::F8E5M2)));
        assert_eq!(parse("i32"), Ok(ArgumentValue::ScalarType(DType::I32)));
        assert_eq!(parse("none"), Ok(ArgumentValue::None));
    }

    #[test]
    fn files_are_read_and_taken_for_other_types() {
        assert_eq!(tensor("@x.npy").dtype, DType::U16);
        assert_eq!(tensor("@x.npy:bf16").dtype, DType::BF16);
        assert!(parse("@x.npy:f32").unwrap_err().contains("its elements are u16"));
        assert!(parse("@x.npy:bf17").unwrap_err().contains("no element type `bf17`"));
        assert!(parse("@y.npy").unwrap_err().contains("cannot read it"));
        assert!(parse("x.npy").unwrap_err().contains("is `@x.npy`"));
    }

    #[test]
    fn tensors_are_made() {
        assert_eq!(tensor("zeros:2x3:i32").bytes, Some(vec![0; 24]));
        assert_eq!(tensor("ones:2:i8").bytes, Some(vec![1, 1]));
        assert_eq!(tensor("full:2:f16:1.5").bytes, Some(vec![0, 0x3e, 0, 0x3e]));
        assert_eq!(tensor("arange:3:u8").bytes, Some(vec![0, 1, 2]));
        assert_eq!(tensor("empty:5:f32").bytes, None);
        assert_eq!(tensor("zeros::f32").shape, Shape(vec![]));
        assert_eq!(tensor("randn:8:f32:3"), tensor("randn:8:f32:3"));
        assert_ne!(tensor("randn:8:f32:3"), tensor("randn:8:f32:4"));
        for wrong in [
            "zeros:2",
            "zeros:2:f99",
            "zeros:-1:f32",
            "full:2:f32",
            "randn:2:f32:x",
            "zeros:2:f32:1",
            "zeros:99999999x99999999:f32",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_is_possible() {
        for wrong in ["", "abc", "1:2:3", "1.5:i32", "1:zz", "*zz", "@"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(Argument::parse("x", 0, &mut |_| Ok(vec![])).is_err());
    }

    #[test]
    fn grids_have_up_to_three_axes() {
        assert_eq!(parse_grid("4").unwrap(), [4, 1, 1]);
        assert_eq!(parse_grid("4, 2").unwrap(), [4, 2, 1]);
        assert_eq!(parse_grid("2,3,4").unwrap(), [2, 3, 4]);
        for wrong in ["", "0", "1,2,3,4", "a", "-1", "4294967296"] {
            assert!(parse_grid(wrong).is_err(), "{wrong}");
        }
    }
}
