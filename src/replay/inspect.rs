//! What kernels look at while they run: prints and assertions on the elements of tiles.

use super::bytes::Bytes;
use super::execute::Executor;
use super::fault::FaultKind;
use super::numeric::{self, NumericError};
use super::value::value;
use crate::command::{MathSpec, TextId};
use crate::dtype::DType;
use crate::ir::Inspection;
use crate::shape::Shape;
use crate::source::Span;
use crate::topology::PeId;

/// The most elements of a tile that are printed: as many at its start as at its end.
const SHOWN: usize = 32;

/// Something that a kernel printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Where.
    pub pe: PeId,
    /// The call.
    pub span: Span,
    /// What.
    pub text: String,
}

/// The elements that a command sees.
pub(super) struct Seen {
    dtype: DType,
    shape: Shape,
    elements: Result<Bytes, NumericError>,
}

impl Seen {
    /// What `spec`, an inspection, sees of a tile.
    pub(super) fn of(spec: &MathSpec, tile: &[u8]) -> Seen {
        let malformed = Err(NumericError::Malformed("an inspection has one tile"));
        let Some(arg) = spec.args.first() else {
            return Seen { dtype: spec.out, shape: spec.shape.clone(), elements: malformed };
        };
        let elements = numeric::elements(arg, tile, &spec.shape);
        Seen { dtype: arg.dtype, shape: spec.shape.clone(), elements }
    }
}

impl Executor<'_> {
    /// Prints what is seen, or finds fault with it.
    pub(super) fn inspected(&mut self, how: Inspection, text: TextId, seen: Seen) {
        let code = self.program.code(self.agent);
        let (said, span) = (&code.texts[text], code.sites[self.step.site].span);
        let elements = match seen.elements {
            Ok(elements) => elements,
            Err(error) => return self.numeric(Err(error), None),
        };
        match how {
            Inspection::Print => {
                let shown = array(seen.dtype, &seen.shape, elements.as_slice());
                let text = if said.is_empty() { shown } else { format!("{said}: {shown}") };
                self.printed.push(Printed { pe: self.pe(), span, text });
            }
            Inspection::Say => {
                self.printed.push(Printed { pe: self.pe(), span, text: said.clone() });
            }
            Inspection::Assert => {
                let mut wrong = elements.as_slice().iter().enumerate().filter(|(_, it)| **it == 0);
                if let Some((place, _)) = wrong.next() {
                    let count = 1 + wrong.count();
                    let (shape, said) = (seen.shape, said.clone());
                    self.fault(FaultKind::AssertionFails { place, count, shape, said });
                }
            }
        }
    }
}

/// `f32[2, 2] [[1.0, 2.0], [3.0, 4.0]]`; a scalar without its brackets. Of many elements, the first
/// and the last.
fn array(dtype: DType, shape: &Shape, bytes: &[u8]) -> String {
    let size = dtype.bytes() as usize;
    let elements: Vec<String> =
        bytes.chunks_exact(size).map(|it| value(dtype, it).to_string()).collect();
    if shape.rank() == 0 {
        return format!("{dtype} {}", elements.concat());
    }
    let mut text = format!("{dtype}{shape} ");
    if shape.elements() == 0 {
        return text + "[]";
    }
    let mut skips = false;
    for (place, element) in elements.iter().enumerate() {
        let (opened, closed) = brackets(place as u64, shape);
        if place >= SHOWN && elements.len() - place > SHOWN {
            skips = true;
            continue;
        }
        if place > 0 {
            text.push_str(if std::mem::take(&mut skips) { ", …, " } else { ", " });
        }
        text.push_str(&"[".repeat(opened));
        text.push_str(element);
        text.push_str(&"]".repeat(closed));
    }
    text
}

/// How many rows begin at an element and how many end there.
fn brackets(place: u64, shape: &Shape) -> (usize, usize) {
    let (mut opened, mut closed, mut row) = (0, 0, 1);
    for extent in shape.0.iter().rev() {
        row *= extent;
        opened += usize::from(place.is_multiple_of(row));
        closed += usize::from((place + 1).is_multiple_of(row));
    }
    (opened, closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_shown_as_numpy_writes_them() {
        let bytes: Vec<u8> = (1..=6i32).flat_map(i32::to_le_bytes).collect();
        let shown = |dims: &[u64]| array(DType::I32, &Shape(dims.to_vec()), &bytes);
        assert_eq!(shown(&[6]), "i32[6] [1, 2, 3, 4, 5, 6]");
        assert_eq!(shown(&[2, 3]), "i32[2, 3] [[1, 2, 3], [4, 5, 6]]");
        assert_eq!(shown(&[3, 1, 2]), "i32[3, 1, 2] [[[1, 2]], [[3, 4]], [[5, 6]]]");
        let one = array(DType::F32, &Shape(vec![]), &1.5f32.to_le_bytes());
        assert_eq!(one, "f32 1.5");
    }

    #[test]
    fn of_many_elements_the_first_and_last_are_shown() {
        let bytes: Vec<u8> = (0..=255).collect();
        let shown = array(DType::U8, &Shape(vec![256]), &bytes);
        assert!(shown.starts_with("u8[256] [0, 1, 2, "), "{shown}");
        assert!(shown.contains("30, 31, …, 224, 225"), "{shown}");
        assert!(shown.ends_with("254, 255]"), "{shown}");
    }
}
