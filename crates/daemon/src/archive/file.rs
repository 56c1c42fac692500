//! The file of an archived session: the lines of an export, packed by gzip, with the hash of its bytes noted elsewhere.

use crate::carry::{Checked, Lines, check};
use crate::secrets::Secrets;
use agent::{Seq, SessionId};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use store::{Archived, Limits};
use wire::{BlobHash, ChainHash};

/// Read from the disk at once.
const READ_BYTES: usize = 256 << 10;

/// What a file must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whose it is.
    pub(crate) session: SessionId,
    /// The last event.
    pub(crate) head: Seq,
    /// Its hash.
    pub(crate) hash: ChainHash,
    /// The file's size.
    pub(crate) bytes: u64,
    /// The hash of its bytes.
    pub(crate) sha256: BlobHash,
}

impl From<&Archived> for Wanted {
    fn from(archived: &Archived) -> Wanted {
        let Archived { session, head, file } = archived;
        Wanted { session: *session, head: head.seq, hash: head.hash, bytes: file.bytes, sha256: file.sha256 }
    }
}

/// A file that is being written.
pub(super) struct Sheet(GzEncoder<Summed<File>>);

impl Sheet {
    /// Begins one for this user alone; what an earlier attempt left under its name gives way.
    pub(super) fn begin(path: &Path) -> io::Result<Sheet> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Sheet(GzEncoder::new(Summed::new(file), Compression::fast())))
    }

    /// Writes more.
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Ends it and syncs it; its size and its hash.
    pub(super) fn finish(self) -> io::Result<(u64, BlobHash)> {
        let summed = self.0.finish()?;
        summed.inner.sync_all()?;
        Ok(summed.sum())
    }
}

/// Reads a file to its end. It must be the one that is wanted, to the byte, and its session's chain must end with the head
/// that the journal has. What is wrong, in words.
pub(crate) fn read_back(path: &Path, limits: &Limits, wanted: &Wanted) -> Result<Checked, String> {
    let file = File::open(path).map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?;
    let wrong = |what: &str| format!("the file {}: {what}", path.display());
    let mut decoder = GzDecoder::new(BufReader::with_capacity(READ_BYTES, Summed::new(file)));
    // Keys that were kept since then are no reason to lose a session.
    let checked = check(&mut decoder, limits, &Secrets::default()).map_err(|damage| wrong(&damage.to_string()))?;
    let mut rest = decoder.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(|error| wrong(&error.to_string()))?;
    let head = &checked.head;
    if (head.session, Seq(head.events), head.head) != (wanted.session, wanted.head, wanted.hash) {
        return Err(wrong("it does not hold the session up to the head that the journal has"));
    }
    if rest.into_inner().sum() != (wanted.bytes, wanted.sha256) {
        return Err(wrong("its bytes are not those that were written"));
    }
    Ok(checked)
}

/// The lines of a file, as an export has them.
pub(crate) fn unpacked(path: &Path) -> io::Result<impl Read + Send + use<>> {
    Ok(GzDecoder::new(BufReader::with_capacity(READ_BYTES, File::open(path)?)))
}

/// The pieces of a file that was read back before.
pub(crate) fn pieces(path: &Path, limits: &Limits) -> io::Result<store::Pieces> {
    let pieces =
        crate::carry::Pieces { lines: Lines::new(unpacked(path)?), blob_bytes: limits.blob_bytes, seq: Seq(0) };
    Ok(Box::new(pieces))
}

/// Counts and hashes what goes through.
struct Summed<T> {
    inner: T,
    hash: Sha256,
    bytes: u64,
}

impl<T> Summed<T> {
    fn new(inner: T) -> Summed<T> {
        Summed { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn sum(self) -> (u64, BlobHash) {
        (self.bytes, BlobHash(self.hash.finalize().into()))
    }
}

impl<T: Write> Write for Summed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.take(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Summed<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.take(&bytes[..read]);
        Ok(read)
    }
}
