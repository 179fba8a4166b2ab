//! Random kernels of nested loops, as text IR: loads, stores and computations of which some are the
//! same in every iteration, and some look as if they were.
//!
//! Tiles are blocks of 64 bytes of the tensors of `random_kernels`: `in`, which nobody writes, and
//! the program's own part of `out`. Bounds are constants or the program's place, so that some loops
//! do not run; some divisors are zero where a loop does not run.

use std::fmt::Write;

use super::random_ir::Rng;

/// The text of the kernel that `seed` decides.
pub fn text(seed: u64) -> String {
    let mut rng = Rng(seed ^ 0x6a09_e667_f3bc_c908);
    let budget = 8 + rng.below(16);
    let mut maker = Maker {
        rng: &mut rng,
        text: String::from(HEAD),
        tiles: vec![0, 1],
        scalars: Vec::new(),
        next: 2,
        budget,
        depth: 0,
        uniform: true,
    };
    maker.block();
    maker.block();
    for place in 0..3 {
        let tile = maker.tile();
        let at = maker.address("mine", 60 + place);
        maker.line(&format!("store %p{at}, %t{tile}"));
    }
    let body = maker.text;
    format!("{body}  return\n}}\n")
}

const HEAD: &str = "kernel @loops(%in: i64, %out: i64, %n: i64, %m: i64) {
  %zero = const 0 : i64
  %one = const 1 : i64
  %block = const 64 : i64
  %part = const 4096 : i64
  %rank = program_id 0 : i64
  %offset = mul %rank, %part : i64
  %mine = add %out, %offset : i64
  %t0 = load %in : tile<16xf32>
  %t1 = load %mine : tile<16xf32>
";

struct Maker<'r> {
    rng: &'r mut Rng,
    text: String,
    /// The numbers of the tiles that are visible.
    tiles: Vec<usize>,
    /// The names of integers between 0 and 7 that are visible.
    scalars: Vec<String>,
    next: usize,
    budget: usize,
    depth: usize,
    /// Whether every program runs this block equally often.
    uniform: bool,
}

impl Maker<'_> {
    fn line(&mut self, line: &str) {
        let indent = "  ".repeat(self.depth + 1);
        writeln!(self.text, "{indent}{line}").expect("text takes text");
    }

    fn fresh(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    fn tile(&mut self) -> usize {
        // The later, the likelier.
        let last = self.tiles.len().min(4);
        let from = self.tiles.len() - last;
        self.tiles[from + self.rng.below(last)]
    }

    fn block(&mut self) {
        for _ in 0..2 + self.rng.below(4) {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            match self.rng.below(12) {
                0..3 if self.depth < 3 => self.looped(),
                0..5 => self.load(),
                5 | 6 => self.store(),
                7 | 8 => self.scalar(),
                9 if self.uniform && self.depth < 2 => self.message(),
                _ => self.compute(),
            }
        }
    }

    /// The number of an address: of a place in `tensor`, up to 20 blocks after `from`.
    fn address(&mut self, tensor: &str, from: usize) -> usize {
        let at = self.fresh();
        let place = from + if from >= 60 { 0 } else { self.rng.below(2) };
        self.line(&format!("%c{at} = const {} : i64", place * 64));
        let mut offset = format!("%c{at}");
        if from < 60 && !self.scalars.is_empty() && self.rng.below(2) > 0 {
            let scalar = self.rng.pick(&self.scalars);
            self.line(&format!("%s{at} = mul {scalar}, %block : i64"));
            self.line(&format!("%o{at} = add %s{at}, {offset} : i64"));
            offset = format!("%o{at}");
        }
        self.line(&format!("%p{at} = add %{tensor}, {offset} : i64"));
        at
    }

    fn load(&mut self) {
        let tensor = self.rng.pick(&["in", "mine", "mine"]);
        let at = self.address(tensor, 0);
        let tile = self.fresh();
        self.line(&format!("%t{tile} = load %p{at} : tile<16xf32>"));
        let (x, sum) = (self.tile(), self.fresh());
        self.line(&format!("%t{sum} = add %t{tile}, %t{x} : tile<16xf32>"));
        self.tiles.extend([tile, sum]);
    }

    fn store(&mut self) {
        let from = self.rng.pick(&[0, 0, 0, 20]);
        let at = self.address("mine", from);
        let tile = self.tile();
        self.line(&format!("store %p{at}, %t{tile}"));
    }

    fn compute(&mut self) {
        let (x, y, tile) = (self.tile(), self.tile(), self.fresh());
        let op = self.rng.pick(&["add", "sub", "minimum", "maximum"]);
        self.line(&format!("%t{tile} = {op} %t{x}, %t{y} : tile<16xf32>"));
        self.tiles.push(tile);
    }

    /// An integer between 0 and 7.
    fn scalar(&mut self) {
        let x = self.scalars.last().cloned().unwrap_or_else(|| String::from("%rank"));
        let y = self.rng.pick(&["%m", "%n", "%rank", "%one"]);
        let (sum, divisor, name) = (self.fresh(), self.fresh(), self.fresh());
        self.line(&format!("%x{sum} = add {x}, {y} : i64"));
        // Where the loops around run for some programs only, the divisor may be zero for others.
        if self.uniform {
            let value = 1 + self.rng.below(8);
            self.line(&format!("%d{divisor} = const {value} : i64"));
        } else {
            self.line(&format!("%d{divisor} = minimum %rank, %n : i64"));
        }
        self.line(&format!("%i{name} = floor_mod %x{sum}, %d{divisor} : i64"));
        self.scalars.push(format!("%i{name}"));
    }

    /// Sends a tile round the ring of programs and takes one.
    fn message(&mut self) {
        let (sent, into, tile) = (self.tile(), self.fresh(), self.fresh());
        self.line(&format!("send \"E\", %t{sent}"));
        if self.rng.below(2) == 0 {
            self.line(&format!("%f{into} = const 1.5 : f32"));
            self.line(&format!("%t{into} = full %f{into} : tile<16xf32>"));
            self.line(&format!("%t{tile} = recv \"W\" dst %t{into} : tile<16xf32>"));
        } else {
            self.line(&format!("%t{tile} = recv \"W\" : tile<16xf32>"));
        }
        self.tiles.push(tile);
    }

    fn looped(&mut self) {
        let (number, stages) = (self.fresh(), self.rng.below(3));
        let of_rank = self.rng.below(4) == 0;
        let end = if of_rank {
            String::from("%rank")
        } else {
            let count = 1 + self.rng.below(4);
            self.line(&format!("%e{number} = const {count} : i64"));
            format!("%e{number}")
        };
        let stages = if stages > 1 { format!(" stages {stages}") } else { String::new() };
        let (begin, carried) = (self.tile(), self.fresh());
        let carry = format!("carry (%t{carried}: tile<16xf32> = %t{begin})");
        self.line(&format!(
            "%t{number} = for %v{number} = %zero to {end} step %one{stages} {carry} {{"
        ));
        let outside = (self.tiles.len(), self.scalars.len(), self.uniform);
        self.depth += 1;
        self.uniform &= !of_rank;
        self.tiles.push(carried);
        self.scalars.push(format!("%v{number}"));
        self.block();
        let last = self.tile();
        self.line(&format!("yield %t{last}"));
        self.depth -= 1;
        self.tiles.truncate(outside.0);
        self.scalars.truncate(outside.1);
        self.uniform = outside.2;
        self.line("}");
        self.tiles.push(number);
    }
}
