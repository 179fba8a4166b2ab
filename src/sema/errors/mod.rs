//! What the analysis has to say: one function a message, one file a family.
//!
//! Functions take the facts, already in the words of the language, and decide nothing.

pub(super) mod atomics;
pub(super) mod blocks;
pub(super) mod calls;
pub(super) mod channels;
pub(super) mod composite;
pub(super) mod constexpr;
pub(super) mod control;
pub(super) mod habits;
pub(super) mod matrix;
pub(super) mod names;
pub(super) mod operands;
pub(super) mod plans;
pub(super) mod pointers;
pub(super) mod shapes;
pub(super) mod tiles;
pub(super) mod warnings;

/// "1 axis", "2 axes".
fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// `a`, `b` and `c`, each in backticks.
fn quoted_list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
