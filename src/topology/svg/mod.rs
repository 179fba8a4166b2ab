//! A machine as a picture. What repeats is drawn once and placed as often as needed, so that the
//! file stays small whatever the machine.

mod canvas;
mod hierarchy;
mod nodes;

use super::spec::Form;
use super::{Machine, Spec};

/// The picture as an SVG file.
pub fn svg(spec: &Spec, machine: &Machine) -> String {
    match spec.form() {
        Form::Hierarchy(form) => hierarchy::draw(spec, form),
        Form::Nodes(form) => nodes::draw(spec, form, machine),
    }
}
