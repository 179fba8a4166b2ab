//! NumPy's `.npz` archives: zip files whose members are `.npy` files. Only stored members, which
//! is what `numpy.savez` writes.

/// The name and bytes of every member, as the archive's directory lists them.
pub(super) fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let end = archive.windows(4).rposition(|it| it == b"PK\x05\x06").expect("this is a zip file");
    let count = number(archive, end + 10, 2);
    let mut at = number(archive, end + 16, 4);
    let mut found = Vec::new();
    for _ in 0..count {
        assert_eq!(&archive[at..at + 4], b"PK\x01\x02", "the directory has another entry");
        assert_eq!(number(archive, at + 10, 2), 0, "members are stored, not compressed");
        let bytes = number(archive, at + 20, 4);
        let [name, extra, comment] = [28, 30, 32].map(|field| number(archive, at + field, 2));
        let text = String::from_utf8(archive[at + 46..at + 46 + name].to_vec());
        let local = number(archive, at + 42, 4);
        let data = local + 30 + number(archive, local + 26, 2) + number(archive, local + 28, 2);
        found.push((text.expect("names are UTF-8"), archive[data..data + bytes].to_vec()));
        at += 46 + name + extra + comment;
    }
    found
}

/// The little-endian number in `bytes` bytes from `at`.
fn number(archive: &[u8], at: usize, bytes: usize) -> usize {
    archive[at..at + bytes].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}
