//! All-reduces over whole grids. `cargo bench --bench collectives -- matrix` runs every algorithm with
//! every world, kind of slots and type, and counts what was right; `-- auto` times every algorithm over
//! worlds and sizes, and prints the table of docs/validation.md. Both without a word. A number limits
//! the worlds: `-- matrix 16`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark stops at the first surprise, and prints its table"
)]

#[path = "../tests/collective_grid/mod.rs"]
mod collective_grid;

use std::time::Instant;

use collective_grid::{
    ALGORITHMS, Choices, DTYPES, KINDS, WORLDS, all_right, is_possible, is_refused,
};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let most = words.iter().find_map(|it| it.parse().ok()).unwrap_or(256);
    let wants = |name: &str| {
        let named = |it: &String| it == "matrix" || it == "auto";
        words.iter().any(|it| it == name) || !words.iter().any(named)
    };
    if wants("matrix") {
        matrix(most);
    }
    if wants("auto") {
        auto(most);
    }
}

/// Counts what was right, a row for each algorithm and a column for each world.
fn matrix(most: u32) {
    let worlds: Vec<u32> = WORLDS.into_iter().filter(|it| *it <= most).collect();
    let head: Vec<String> = worlds.iter().map(u32::to_string).collect();
    println!("| algorithm | {} |", head.join(" | "));
    let (mut right, begun) = (0, Instant::now());
    for algorithm in ALGORITHMS {
        let mut cells = Vec::new();
        for world in &worlds {
            if !is_possible(algorithm, *world) {
                assert!(is_refused(*world, algorithm), "{algorithm} among {world}");
                cells.push(String::from("refused"));
                continue;
            }
            let one = |dtype: &&str| all_right(*world, &[algorithm], (&KINDS, &[*dtype]));
            let count: usize = DTYPES.iter().map(one).sum();
            right += count;
            cells.push(count.to_string());
        }
        println!("| `{algorithm}` | {} |", cells.join(" | "));
    }
    let (kinds, types) = (KINDS.len(), DTYPES.len());
    let took = begun.elapsed().as_secs_f64();
    println!("{right} right, none wrong: {kinds} kinds of slots, {types} types; {took:.0} s");
}

/// Prints what is fastest, and what `auto` picks.
fn auto(most: u32) {
    let mut choices = Choices::default();
    let begun = Instant::now();
    println!("| ranks | bytes | fastest | ns | second | ns | auto | ns |");
    for world in [2, 4, 7, 8, 16, 64, 256].into_iter().filter(|it| *it <= most) {
        for bytes in [64, 1024, 8192, 65536, 1 << 19, 1 << 22] {
            if let Some(row) = choices.compare(&ALGORITHMS, world, bytes) {
                println!("{row}");
            }
        }
    }
    let Choices { right, cases, worst } = choices;
    let took = begun.elapsed().as_secs_f64();
    println!("{right} of {cases}, at worst {worst:.3} of the fastest; {took:.0} s");
}
