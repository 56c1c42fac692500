//! Writing and freeing much beside somebody who syncs little and often.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes after which what was written or freed is given to the disk.
const SYNC_BYTES: usize = 16 << 20;

/// A file whose bytes are given to the disk as they come: given all at once at the end, a sync of the journal, and
/// with it every turn, would wait for seconds behind them.
#[derive(Debug)]
pub(super) struct Steady<'a> {
    file: &'a File,
    unsynced: usize,
}

impl Steady<'_> {
    /// Writes on where the file is.
    pub(super) fn new(file: &File) -> Steady<'_> {
        Steady { file, unsynced: 0 }
    }
}

impl Write for Steady<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written;
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Takes a file's name away, and frees its bytes as [`free`] does.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(path);
    std::fs::remove_file(path)?;
    // It is gone; what cannot be freed in pieces is freed at once.
    let _ = file.and_then(|file| free(&file));
    Ok(())
}

/// Frees the bytes of a file that has no name any more, piece by piece: a file system that tells its disk what is free
/// does so at the next sync, whoever's that is, and all at once would take it seconds. A file that has one stays as it
/// is: somebody may have linked a snapshot elsewhere.
pub(super) fn free(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    let mut left = if metadata.nlink() == 0 { metadata.len() } else { 0 };
    while left > 0 {
        left = left.saturating_sub(SYNC_BYTES as u64);
        file.set_len(left)?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_and_go_in_pieces_and_none_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("much");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let piece: Vec<u8> = (0..=255).cycle().take(5 << 20).collect();
        let mut steady = Steady::new(&file);
        for _ in 0..7 {
            steady.write_all(&piece).unwrap();
        }
        assert!(std::fs::read(&path).unwrap().chunks(piece.len()).all(|read| read == piece));
        remove(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(file.metadata().unwrap().len(), 0);
        assert_eq!(remove(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_has_another_name_keeps_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let [shelf, linked, kept] = ["shelf", "linked", "kept"].map(|name| directory.path().join(name));
        std::fs::write(&shelf, "a snapshot").unwrap();
        std::fs::hard_link(&shelf, &linked).unwrap();
        remove(&shelf).unwrap();
        assert_eq!(std::fs::read(&linked).unwrap(), b"a snapshot");
        std::fs::rename(&linked, &kept).unwrap();
        std::os::unix::fs::symlink(&kept, &shelf).unwrap();
        remove(&shelf).unwrap();
        assert!(shelf.symlink_metadata().is_err());
        assert_eq!(std::fs::read(&kept).unwrap(), b"a snapshot");
    }
}
