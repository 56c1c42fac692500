//! Writing a snapshot.

use super::archive::{PIECE_BYTES, Writer};
use super::seal::{Passphrase, seal};
use crate::snapshots::steady::{self, Steady};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use wire::BlobHash;
use wire::snapshot::{Coding, KEYS, MANIFEST, Manifest, SEALED, StoredFile};

/// A file that is ready to be packed: its bytes as they will stand there.
#[derive(Debug)]
pub(crate) struct Piece {
    /// What the manifest says of it.
    pub(crate) file: StoredFile,
    /// The bytes, at their beginning.
    pub(crate) stored: Stored,
}

/// Where the bytes of a piece lie.
#[derive(Debug)]
pub(crate) enum Stored {
    /// In a file that is open.
    Open(File),
    /// In one that is opened when it is packed, since there may be more of them than a process may open; and that one,
    /// while so many bytes are left of it.
    Lazy(PathBuf, Option<File>, u64),
}

impl Read for Stored {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        match self {
            Stored::Open(file) => file.read(piece),
            Stored::Lazy(path, open, left) => {
                let file = match open.take() {
                    Some(file) => open.insert(file),
                    None => open.insert(File::open(path)?),
                };
                let length = file.read(piece)?;
                *left = left.saturating_sub(length as u64);
                if *left == 0 {
                    *open = None;
                }
                Ok(length)
            }
        }
    }
}

impl Piece {
    /// A file that is packed as it lies, provided that it is what is known of it.
    pub(crate) fn of_file(name: &str, path: &Path, bytes: u64, sha256: BlobHash) -> io::Result<Piece> {
        let (hash, found) = transfer(&mut File::open(path)?, &mut io::sink())?;
        if (hash, found) != (sha256, bytes) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what was written"));
        }
        let file = StoredFile { name: name.to_owned(), bytes, sha256, coding: Coding::Plain, stored_bytes: bytes };
        Ok(Piece { file, stored: Stored::Lazy(path.to_owned(), None, bytes) })
    }

    /// Frees what lies in a file of its own.
    pub(crate) fn free(&self) -> io::Result<()> {
        match &self.stored {
            Stored::Open(file) => steady::free(file),
            Stored::Lazy(..) => Ok(()),
        }
    }
}

/// Reads a file to its end and stores it, compressed or not, in `stored`, a new and empty file.
pub(crate) fn store_piece(name: &str, mut from: impl Read, coding: Coding, mut stored: File) -> io::Result<Piece> {
    let (hash, bytes) = match coding {
        Coding::Plain => transfer(&mut from, &mut Steady::new(&stored))?,
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Steady::new(&stored), Compression::fast());
            let transferred = transfer(&mut from, &mut encoder)?;
            encoder.finish()?;
            transferred
        }
    };
    let stored_bytes = stored.stream_position()?;
    stored.rewind()?;
    let file = StoredFile { name: name.to_owned(), bytes, sha256: hash, coding, stored_bytes };
    Ok(Piece { file, stored: Stored::Open(stored) })
}

fn transfer(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(BlobHash, u64)> {
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Ok((BlobHash(hash.finalize().into()), bytes));
        }
        hash.update(&piece[..length]);
        to.write_all(&piece[..length])?;
        bytes += length as u64;
    }
}

/// Writes a snapshot whose manifest has exactly these files, and gives its hash.
pub(crate) fn pack(to: impl Write, manifest: &Manifest, pieces: &mut [Piece]) -> io::Result<BlobHash> {
    let mut writer = Writer::new(to);
    write_manifest(&mut writer, manifest)?;
    for Piece { file, stored } in pieces {
        writer.member(&file.member(), file.stored_bytes, stored)?;
    }
    writer.finish()
}

/// Writes a snapshot with a passphrase. `scratch` is a new and empty file that holds the sealed one meanwhile.
pub(crate) fn pack_sealed(
    to: impl Write,
    manifest: &Manifest,
    pieces: &mut [Piece],
    passphrase: &Passphrase,
    mut scratch: File,
) -> io::Result<(BlobHash, Manifest)> {
    let buffered = io::BufWriter::with_capacity(PIECE_BYTES, Steady::new(&scratch));
    seal(buffered, passphrase, |inside| pack(inside, manifest, pieces))?;
    let sealed_bytes = scratch.stream_position()?;
    scratch.rewind()?;
    let outside = outside(manifest, sealed_bytes);
    let mut writer = Writer::new(to);
    write_manifest(&mut writer, &outside)?;
    writer.member(SEALED, sealed_bytes, &mut scratch)?;
    Ok((writer.finish()?, outside))
}

/// What everybody may read of a sealed snapshot's manifest: all but the hashes of keys.
pub(super) fn outside(manifest: &Manifest, sealed_bytes: u64) -> Manifest {
    let mut outside = Manifest { sealed_bytes: Some(sealed_bytes), ..manifest.clone() };
    outside.files.retain(|file| !file.name.starts_with(KEYS));
    outside
}

fn write_manifest<W: Write>(writer: &mut Writer<W>, manifest: &Manifest) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(manifest).expect("a manifest is plain data");
    text.push('\n');
    writer.member(MANIFEST, text.len() as u64, &mut text.as_bytes())
}
