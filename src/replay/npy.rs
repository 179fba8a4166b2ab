//! NumPy's `.npy` files, as bytes.
//!
//! `bf16` and the 8-bit floats, which NumPy does not have, are written as unsigned integers of
//! their width; `bf16` is also read as the two opaque bytes (`V2`) that `ml_dtypes` writes.

use std::fmt;

use crate::dtype::DType;
use crate::shape::Shape;

/// What every file begins with.
const MAGIC: &[u8] = b"\x93NUMPY";

/// The array of a file, row-major and little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape.
    pub shape: Shape,
    /// Its elements.
    pub bytes: Vec<u8>,
}

/// Why bytes are not a `.npy` file that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NpyError {
    /// They do not begin as one.
    NotNpy,
    /// The header cannot be understood: which part.
    Header(&'static str),
    /// Elements of a type that kbc does not have.
    Type(String),
    /// Fewer or more bytes than the shape asks for.
    Length {
        /// Asked for.
        expected: u64,
        /// There.
        found: u64,
    },
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NpyError::NotNpy => f.write_str("this is not a .npy file"),
            NpyError::Header(part) => write!(f, "the header's {part} cannot be read"),
            NpyError::Type(name) => write!(f, "elements of type `{name}` are not supported"),
            NpyError::Length { expected, found } => {
                write!(f, "the shape asks for {expected} bytes of elements and {found} are there")
            }
        }
    }
}

/// NumPy's name of a type, without the byte order.
fn numpy_name(dtype: DType) -> &'static str {
    match dtype {
        DType::I1 => "b1",
        DType::I8 => "i1",
        DType::I16 => "i2",
        DType::I32 => "i4",
        DType::I64 => "i8",
        DType::U8 | DType::F8E4M3 | DType::F8E5M2 | DType::F8E4B8 | DType::F8E5B16 => "u1",
        DType::U16 | DType::BF16 => "u2",
        DType::U32 => "u4",
        DType::U64 => "u8",
        DType::F16 => "f2",
        DType::F32 => "f4",
        DType::F64 => "f8",
    }
}

fn dtype_of(name: &str) -> Option<DType> {
    if name == "V2" {
        return Some(DType::BF16);
    }
    let own = |dtype: &&DType| numpy_name(**dtype) == name && **dtype != DType::BF16;
    DType::ALL.iter().find(own).copied()
}

/// The file of an array.
pub fn write(dtype: DType, shape: &Shape, elements: &[u8]) -> Vec<u8> {
    let order = if dtype.bytes() == 1 { '|' } else { '<' };
    let extents: Vec<String> = shape.0.iter().map(u64::to_string).collect();
    let comma = if extents.len() == 1 { "," } else { "" };
    let mut header = format!(
        "{{'descr': '{order}{}', 'fortran_order': False, 'shape': ({}{comma}), }}",
        numpy_name(dtype),
        extents.join(", ")
    );
    // Elements begin at a multiple of 64; the header ends in a newline.
    let length = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    header.extend(std::iter::repeat_n(' ', length - 1 - header.len()));
    header.push('\n');
    let mut file = Vec::with_capacity(MAGIC.len() + 4 + length + elements.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&[1, 0]);
    file.extend_from_slice(&(length as u16).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(elements);
    file
}

/// The array of a file of version 1, 2 or 3, in either byte order and either memory order.
///
/// # Errors
/// Why the file cannot be read.
pub fn read(file: &[u8]) -> Result<Array, NpyError> {
    let rest = file.strip_prefix(MAGIC).ok_or(NpyError::NotNpy)?;
    let (version, rest) = rest.split_at_checked(2).ok_or(NpyError::NotNpy)?;
    let width = if version[0] == 1 { 2 } else { 4 };
    let (length, rest) = rest.split_at_checked(width).ok_or(NpyError::Header("length"))?;
    let length = length.iter().rev().fold(0, |sum: usize, byte| sum << 8 | usize::from(*byte));
    let (header, elements) = rest.split_at_checked(length).ok_or(NpyError::Header("length"))?;
    let header = std::str::from_utf8(header).map_err(|_| NpyError::Header("text"))?;
    let descr = quoted(entry(header, "descr")?).ok_or(NpyError::Header("descr"))?;
    let fortran = entry(header, "fortran_order")?.starts_with("True");
    let shape = extents(entry(header, "shape")?).ok_or(NpyError::Header("shape"))?;
    let unknown = || NpyError::Type(descr.to_owned());
    let dtype = descr.get(1..).and_then(dtype_of).ok_or_else(unknown)?;
    let expected = shape.elements().saturating_mul(dtype.bytes());
    if elements.len() as u64 != expected {
        return Err(NpyError::Length { expected, found: elements.len() as u64 });
    }
    let size = dtype.bytes() as usize;
    let mut bytes = if fortran { row_major(elements, &shape, size) } else { elements.to_vec() };
    if descr.starts_with('>') {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    Ok(Array { dtype, shape, bytes })
}

/// What follows `'key':` in a header.
fn entry<'h>(header: &'h str, key: &'static str) -> Result<&'h str, NpyError> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    quoted
        .iter()
        .find_map(|name| header.split_once(name.as_str()))
        .and_then(|(_, rest)| rest.trim_start().strip_prefix(':'))
        .map(str::trim_start)
        .ok_or(NpyError::Header(key))
}

/// The text in the quotes that `text` begins with.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote).map(|(inside, _)| inside)
}

/// The extents of a tuple such as `(3, 4)`, `(3,)` or `()`.
fn extents(text: &str) -> Option<Shape> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let parts = inside.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>().map(Shape)
}

/// Elements that lie column by column, row by row.
fn row_major(elements: &[u8], shape: &Shape, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(elements.len());
    let mut index = vec![0_u64; shape.rank()];
    for _ in 0..elements.len() / size {
        let place = index.iter().zip(&shape.0).rev().fold(0, |at, (it, extent)| at * extent + it);
        bytes.extend_from_slice(&elements[place as usize * size..][..size]);
        for (it, extent) in index.iter_mut().zip(&shape.0).rev() {
            *it += 1;
            if *it < *extent {
                break;
            }
            *it = 0;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for dtype in DType::ALL {
            let shape = Shape::new([2, 3]);
            let bytes: Vec<u8> = (0..6 * dtype.bytes()).map(|at| at as u8 & 1).collect();
            let file = write(*dtype, &shape, &bytes);
            assert_eq!((file.len() - bytes.len()) % 64, 0);
            let array = read(&file).unwrap();
            assert_eq!((array.shape, array.bytes), (shape, bytes));
            assert_eq!(numpy_name(array.dtype), numpy_name(*dtype));
        }
        for shape in [vec![], vec![6], vec![0, 3], vec![1, 2, 3]] {
            let shape = Shape(shape);
            let bytes = vec![0; shape.elements() as usize * 4];
            assert_eq!(read(&write(DType::F32, &shape, &bytes)).unwrap().shape, shape);
        }
    }

    /// The bytes that NumPy 2 writes for `numpy.array([[1, 2], [3, 4]], '>i2', order='F')`.
    #[test]
    fn other_orders_are_put_right() {
        let header = b"{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }\n";
        let mut file = [MAGIC, &[1, 0, header.len() as u8, 0], header].concat();
        file.extend_from_slice(&[0, 1, 0, 3, 0, 2, 0, 4]);
        let array = read(&file).unwrap();
        assert_eq!(array.dtype, DType::I16);
        assert_eq!(array.bytes, [1, 0, 2, 0, 3, 0, 4, 0]);
    }

    #[test]
    fn anything_else_is_refused_and_never_panics() {
        assert_eq!(read(b"PK\x03\x04"), Err(NpyError::NotNpy));
        let file = write(DType::F32, &Shape::new([2]), &[0; 8]);
        assert_eq!(read(&file[..file.len() - 1]), Err(NpyError::Length { expected: 8, found: 7 }));
        let complex = String::from_utf8_lossy(&file[10..]).replace("<f4", "<c8").into_bytes();
        let complex = [&file[..10], &complex].concat();
        assert_eq!(read(&complex), Err(NpyError::Type("<c8".into())));
        for length in 0..file.len() {
            let _ = read(&file[..length]);
            let mut broken = file.clone();
            broken[length] ^= 0x55;
            let _ = read(&broken);
        }
    }
}
