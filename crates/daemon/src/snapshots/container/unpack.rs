//! Reading a snapshot, wholly or only its manifest. Whatever is not exactly as it was written ends the reading.

use super::archive::{Fault, PIECE_BYTES, Reader};
use super::header;
use super::pack::outside;
use super::seal::{OpenFault, Passphrase, open};
use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Write};
use wire::BlobHash;
use wire::snapshot::{Coding, FORMAT, MANIFEST, Manifest, SEALED, SUM, StoredFile, is_name};

/// The largest manifest.
const MAX_MANIFEST_BYTES: u64 = 32 << 20;
/// The most files that a snapshot has.
const MAX_FILES: usize = 65_536;
/// What is wrong with a sealed part that has another lock.
const NOT_BY_PASSPHRASE: &str = "the sealed part was not made with a passphrase";
/// Bytes of the hash's member.
const SUM_BYTES: u64 = 65;

/// Where files go.
pub(crate) trait Place {
    /// What is to come: a chance to refuse it before there is anything.
    fn begin(&mut self, manifest: &Manifest) -> Result<(), UnpackError>;
    /// The next file, which is written from its beginning.
    fn file(&mut self, file: &StoredFile) -> io::Result<Box<dyn Write + '_>>;
    /// The file is whole, and its hash was the right one.
    fn done(&mut self, file: &StoredFile) -> io::Result<()>;
}

/// For those who only want to know whether all is well.
pub(crate) struct Nowhere;

impl Place for Nowhere {
    fn begin(&mut self, _: &Manifest) -> Result<(), UnpackError> {
        Ok(())
    }

    fn file(&mut self, _: &StoredFile) -> io::Result<Box<dyn Write + '_>> {
        Ok(Box::new(io::sink()))
    }

    fn done(&mut self, _: &StoredFile) -> io::Result<()> {
        Ok(())
    }
}

/// Why a snapshot is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is not what was written.
    #[error("it is damaged or was changed: at byte {at} {what}")]
    Damaged {
        /// Where, in bytes from the beginning.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// It is something else.
    #[error("this is no snapshot")]
    Foreign,
    /// A later tinkerbell made it.
    #[error("it has format {found}, and this tinkerbell knows formats up to {FORMAT}: use the newer one")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// It has a passphrase, and nobody said which.
    #[error("it has a passphrase: give it with --passphrase-file or --passphrase-env, or type it when asked")]
    Sealed,
    /// It is another passphrase.
    #[error("the passphrase is not the one that it was made with")]
    Passphrase,
    /// What it would take to put it there is not there.
    #[error("{0}")]
    Refused(String),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Source(io::Error),
    /// Its files cannot be written.
    #[error("its files cannot be written: {0}")]
    Target(io::Error),
}

impl From<Fault> for UnpackError {
    fn from(fault: Fault) -> UnpackError {
        match fault {
            Fault::Damaged(at, what) => damaged(at, what),
            Fault::Foreign => UnpackError::Foreign,
            Fault::Io(error) => UnpackError::Source(error),
        }
    }
}

fn damaged(at: u64, what: impl Into<String>) -> UnpackError {
    UnpackError::Damaged { at, what: what.into() }
}

/// A snapshot that was read to its end and is as it was written.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// Its manifest; the one inside, where it was opened.
    pub(crate) manifest: Manifest,
    /// The hash of its content.
    pub(crate) sha256: BlobHash,
    /// Whether the files were read: not where it is sealed and there was no passphrase.
    pub(crate) opened: bool,
}

/// Reads the manifest alone. What it says is not proved by anything yet.
pub(crate) fn manifest(from: impl Read) -> Result<Manifest, UnpackError> {
    read_manifest(&mut Reader::new(from))
}

/// Whether a passphrase opens a sealed snapshot. Reads no further than that takes.
pub(crate) fn opens(from: impl Read, passphrase: &Passphrase) -> Result<bool, UnpackError> {
    let mut reader = Reader::new(from);
    read_manifest(&mut reader)?;
    reader.next(SEALED)?;
    let mut member = Member { reader: &mut reader, fault: None };
    match open(&mut member, passphrase).err() {
        None => Ok(true),
        Some(OpenFault::Passphrase) => Ok(false),
        Some(OpenFault::Foreign) => Err(damaged(0, NOT_BY_PASSPHRASE)),
        Some(OpenFault::Io(error)) => Err(member.fault.take().map_or(UnpackError::Source(error), UnpackError::from)),
    }
}

/// Reads a snapshot to its end. `bytes` is the size of its file, where that is known. Without a passphrase a sealed one
/// is refused, unless only its outside is wanted.
pub(crate) fn unpack(
    from: impl Read,
    bytes: Option<u64>,
    passphrase: Option<&Passphrase>,
    outside_will_do: bool,
    place: &mut dyn Place,
) -> Result<Unpacked, UnpackError> {
    let mut reader = Reader::new(from);
    let manifest = read_manifest(&mut reader)?;
    if let Some(bytes) = bytes {
        check_size(&manifest, reader.at(), bytes)?;
    }
    let Some(sealed_bytes) = manifest.sealed_bytes else {
        read_files(&mut reader, &manifest, place)?;
        return Ok(Unpacked { manifest, sha256: reader.finish()?, opened: true });
    };
    if reader.next(SEALED)? != sealed_bytes {
        return Err(damaged(reader.at(), "the sealed part does not have the size that the manifest says"));
    }
    let inner = match passphrase {
        Some(passphrase) => Some(read_sealed(&mut reader, passphrase, &manifest, place)?),
        None if outside_will_do => {
            let mut piece = vec![0; PIECE_BYTES];
            while reader.read(&mut piece)? > 0 {}
            None
        }
        None => return Err(UnpackError::Sealed),
    };
    reader.end()?;
    let opened = inner.is_some();
    Ok(Unpacked { manifest: inner.unwrap_or(manifest), sha256: reader.finish()?, opened })
}

/// Reads the snapshot inside a sealed one; its manifest must be the one outside.
fn read_sealed<R: Read>(
    reader: &mut Reader<R>,
    passphrase: &Passphrase,
    seen: &Manifest,
    place: &mut dyn Place,
) -> Result<Manifest, UnpackError> {
    let at = reader.at();
    let mut member = Member { reader, fault: None };
    let read = read_inside(&mut member, passphrase, seen, place);
    match (read, member.fault.take()) {
        // What was wrong outside is why nothing could be read inside.
        (_, Some(fault)) => Err(fault.into()),
        (Err(UnpackError::Source(error)), None) => Err(damaged(at, format!("the sealed part is not whole ({error})"))),
        (read, None) => read,
    }
}

fn read_inside<R: Read>(
    member: &mut Member<'_, R>,
    passphrase: &Passphrase,
    seen: &Manifest,
    place: &mut dyn Place,
) -> Result<Manifest, UnpackError> {
    let opened = open(&mut *member, passphrase).map_err(|fault| match fault {
        OpenFault::Passphrase => UnpackError::Passphrase,
        OpenFault::Foreign => damaged(0, NOT_BY_PASSPHRASE),
        OpenFault::Io(error) => UnpackError::Source(error),
    })?;
    let mut inside = Reader::new(BufReader::with_capacity(PIECE_BYTES, opened));
    let manifest = read_manifest(&mut inside)?;
    if manifest.sealed_bytes.is_some() || outside(&manifest, seen.sealed_bytes.unwrap_or(0)) != *seen {
        return Err(damaged(0, "the manifest before the sealed part is not the one within it"));
    }
    read_files(&mut inside, &manifest, place)?;
    inside.finish()?;
    Ok(manifest)
}

/// The member at hand as a plain source of bytes.
struct Member<'a, R> {
    reader: &'a mut Reader<R>,
    fault: Option<Fault>,
}

impl<R: Read> Read for Member<'_, R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        self.reader.read(piece).map_err(|fault| {
            self.fault = Some(fault);
            io::Error::other("the file is damaged")
        })
    }
}

fn read_manifest<R: Read>(reader: &mut Reader<R>) -> Result<Manifest, UnpackError> {
    let bytes = reader.next(MANIFEST)?;
    if bytes > MAX_MANIFEST_BYTES {
        return Err(damaged(0, format!("the manifest has {bytes} bytes, more than the {MAX_MANIFEST_BYTES} allowed")));
    }
    let (mut text, mut piece) = (Vec::new(), vec![0; PIECE_BYTES]);
    loop {
        match reader.read(&mut piece)? {
            0 => break,
            length => text.extend_from_slice(&piece[..length]),
        }
    }
    reader.end()?;
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let wrong = |error: serde_json::Error| damaged(header::BLOCK as u64, format!("the manifest is none ({error})"));
    let Format { format } = serde_json::from_slice(&text).map_err(wrong)?;
    if format > FORMAT {
        return Err(UnpackError::Newer { found: format });
    }
    let manifest: Manifest = serde_json::from_slice(&text).map_err(wrong)?;
    check_names(&manifest)?;
    Ok(manifest)
}

fn check_names(manifest: &Manifest) -> Result<(), UnpackError> {
    let wrong = |what: String| Err(damaged(header::BLOCK as u64, what));
    if manifest.files.len() > MAX_FILES {
        return wrong(format!("the manifest has more than {MAX_FILES} files"));
    }
    let mut seen = BTreeSet::from([MANIFEST.to_owned(), SUM.to_owned(), SEALED.to_owned()]);
    for file in &manifest.files {
        if !is_name(&file.name) {
            return wrong(format!("the manifest has a file {:?}, which is no name", file.name));
        }
        if !seen.insert(file.member()) || file.coding == Coding::Gzip && !seen.insert(file.name.clone()) {
            return wrong(format!("the manifest has {} twice", file.name));
        }
        if file.coding == Coding::Plain && file.bytes != file.stored_bytes {
            return wrong(format!("the manifest has two sizes for {}", file.name));
        }
    }
    Ok(())
}

/// Whether the file has exactly the size that follows from its manifest: a claim of more is seen before anything is read.
fn check_size(manifest: &Manifest, begin: u64, found: u64) -> Result<(), UnpackError> {
    let members = match manifest.sealed_bytes {
        Some(bytes) => vec![bytes],
        None => manifest.files.iter().map(|file| file.stored_bytes).collect(),
    };
    let all = members
        .into_iter()
        .chain([SUM_BYTES])
        .try_fold(begin + header::END.len() as u64, |sum, bytes| sum.checked_add(header::member_bytes(bytes)?));
    match all {
        Some(expected) if expected == found => Ok(()),
        Some(expected) => {
            Err(damaged(found.min(expected), format!("it has {found} bytes where its manifest says {expected}")))
        }
        None => Err(damaged(begin, "its manifest says more bytes than any file has")),
    }
}

fn read_files<R: Read>(reader: &mut Reader<R>, manifest: &Manifest, place: &mut dyn Place) -> Result<(), UnpackError> {
    place.begin(manifest)?;
    for file in &manifest.files {
        let at = reader.at();
        if reader.next(&file.member())? != file.stored_bytes {
            return Err(damaged(at, format!("{} does not have the size that the manifest says", file.name)));
        }
        let mut to = place.file(file).map_err(UnpackError::Target)?;
        read_file(reader, file, &mut *to)?;
        to.flush().map_err(UnpackError::Target)?;
        drop(to);
        reader.end()?;
        place.done(file).map_err(UnpackError::Target)?;
    }
    Ok(())
}

fn read_file<R: Read>(reader: &mut Reader<R>, file: &StoredFile, to: &mut dyn Write) -> Result<(), UnpackError> {
    let at = reader.at();
    let mut member = Member { reader, fault: None };
    let read = match file.coding {
        Coding::Plain => transfer(&mut member, file, at, to),
        Coding::Gzip => decompress(&mut member, file, at, to),
    };
    match (read, member.fault.take()) {
        (_, Some(fault)) => Err(fault.into()),
        (Err(UnpackError::Source(error)), None) => {
            Err(damaged(at, format!("{} cannot be decompressed ({error})", file.name)))
        }
        (read, None) => read,
    }
}

fn decompress(from: &mut dyn Read, file: &StoredFile, at: u64, to: &mut dyn Write) -> Result<(), UnpackError> {
    let mut decoder = GzDecoder::new(BufReader::with_capacity(PIECE_BYTES, from));
    transfer(&mut decoder, file, at, to)?;
    if decoder.into_inner().read(&mut [0]).map_err(UnpackError::Source)? != 0 {
        return Err(damaged(at, format!("more stands there than belongs to {}", file.name)));
    }
    Ok(())
}

/// Copies a file, which must have the size and the hash of its manifest.
fn transfer(from: &mut dyn Read, file: &StoredFile, at: u64, to: &mut dyn Write) -> Result<(), UnpackError> {
    let (mut hash, mut left, mut piece) = (Sha256::new(), file.bytes, vec![0; PIECE_BYTES]);
    loop {
        let length = from.read(&mut piece).map_err(UnpackError::Source)?;
        if length == 0 {
            break;
        }
        left = left
            .checked_sub(length as u64)
            .ok_or_else(|| damaged(at, format!("{} is larger than the manifest says", file.name)))?;
        hash.update(&piece[..length]);
        to.write_all(&piece[..length]).map_err(UnpackError::Target)?;
    }
    if left > 0 {
        return Err(damaged(at, format!("{} is smaller than the manifest says", file.name)));
    }
    if BlobHash(hash.finalize().into()) != file.sha256 {
        return Err(damaged(at, format!("{} does not have the hash that the manifest says", file.name)));
    }
    Ok(())
}
