//! Where the logs of long runs go: a file in the system's temporary directory, which is gone when
//! the run ends, however it ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::oplog::Store;

struct TemporaryFile(File);

impl Store for TemporaryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.0.seek(SeekFrom::End(0))?;
        let written = self.0.write_all(bytes);
        if written.is_err() {
            // What was written of it would be taken for records.
            self.0.set_len(end)?;
        }
        written
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.read_exact(bytes)
    }
}

/// An empty temporary file.
pub(super) fn open() -> io::Result<Box<dyn Store>> {
    Ok(Box::new(TemporaryFile(tempfile::tempfile()?)))
}
