//! Terms: a hash of how an element was computed, and how the elements of tiles are found.

use std::collections::BTreeMap;

use kbc::ir::Literal;

pub fn hash(parts: &[u64]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        state = (state ^ part).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        state ^= state >> 29;
    }
    state
}

pub fn word(text: &str) -> u64 {
    hash(&text.bytes().map(u64::from).collect::<Vec<_>>())
}

pub fn scalar_term(literal: Literal) -> u64 {
    match literal {
        Literal::Int(value) => hash(&[1, value as u64]),
        Literal::Float(value) => hash(&[2, value.to_bits()]),
    }
}

/// Every index of a shape, row by row.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for extent in shape {
        all = all
            .into_iter()
            .flat_map(|index| {
                (0..*extent).map(move |at| index.iter().copied().chain([at]).collect())
            })
            .collect();
    }
    all
}

pub fn flat(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |flat, (at, extent)| flat * extent + at)
}

/// The element that `index` of a larger shape reads of a tile that broadcasts to it.
pub fn broadcast_flat(index: &[usize], shape: &[usize]) -> usize {
    let lead = index.len() - shape.len();
    let own: Vec<usize> = index[lead..]
        .iter()
        .zip(shape)
        .map(|(at, extent)| if *extent == 1 { 0 } else { *at })
        .collect();
    flat(&own, shape)
}

pub fn reduced(
    name: &str,
    (tile, from): (&[u64], &[usize]),
    axis: Option<u32>,
    shape: &[usize],
) -> Vec<u64> {
    let mut groups: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for index in indices(from) {
        let mut own = index.clone();
        match axis {
            Some(axis) if shape.len() == from.len() => own[axis as usize] = 0,
            Some(axis) => drop(own.remove(axis as usize)),
            None => own = vec![0; shape.len()],
        }
        let group = groups.entry(flat(&own, shape)).or_insert_with(|| vec![8, word(name)]);
        group.push(tile[flat(&index, from)]);
    }
    groups.values().map(|parts| hash(parts)).collect()
}

pub fn product(
    (a, a_shape): &(Vec<u64>, Vec<usize>),
    (b, b_shape): &(Vec<u64>, Vec<usize>),
    acc: Option<&[u64]>,
    shape: &[usize],
) -> Vec<u64> {
    let element = |index: &Vec<usize>| {
        let mut parts = vec![9];
        let (batch, [row, column]) = index.split_last_chunk().expect("a product has two axes");
        let place = |row: usize, column: usize| [batch, &[row, column]].concat();
        for k in 0..a_shape[a_shape.len() - 1] {
            parts.push(a[flat(&place(*row, k), a_shape)]);
            parts.push(b[flat(&place(k, *column), b_shape)]);
        }
        parts.extend(acc.map(|acc| acc[flat(index, shape)]));
        hash(&parts)
    };
    indices(shape).iter().map(element).collect()
}
