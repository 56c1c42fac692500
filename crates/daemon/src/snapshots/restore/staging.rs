//! A snapshot unpacked into a directory of its own, every file synced, and its journal proved to be the one that the
//! manifest speaks of.

use super::disk::Disk;
use super::held::Held;
use super::{Chosen, RestoreError};
use crate::snapshots::container::{Passphrase, Place, UnpackError, Unpacked, unpack};
use crate::snapshots::make::available_bytes;
use crate::snapshots::{check_identity, shelf};
use agent::SnapshotId;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use store::Store;
use wire::BlobHash;
use wire::snapshot::{ARCHIVE, CONFIG, JOURNAL, KEYS, Manifest, StoredFile};

/// Bytes of the disk that a restore leaves free.
const SPARE_BYTES: u64 = 16 << 20;

/// Asked again and again until a restore counts: whether somebody still wants it.
pub type Wanted<'a> = &'a dyn Fn() -> bool;

/// Which snapshot, and what is known of it beforehand.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) passphrase: Option<&'a Passphrase>,
    /// The name that it must have.
    pub(super) id: Option<SnapshotId>,
    /// The hash that it must have.
    pub(super) expected: Option<BlobHash>,
    pub(super) wanted: Wanted<'a>,
}

impl<'a> Source<'a> {
    pub(super) fn of(chosen: &'a Chosen, passphrase: Option<&'a Passphrase>, wanted: Wanted<'a>) -> Source<'a> {
        Source { path: &chosen.path, passphrase, id: chosen.id, expected: chosen.expected, wanted }
    }
}

/// Bytes that end with an error once nobody wants them.
struct WhileWanted<'a> {
    from: File,
    wanted: Wanted<'a>,
}

impl Read for WhileWanted<'_> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        if (self.wanted)() { self.from.read(piece) } else { Err(io::Error::other("nobody wants it any more")) }
    }
}

/// Unpacks a snapshot into `staged`, which is made anew. Nothing else is touched.
pub(super) fn stage(source: &Source<'_>, staged: &Path, disk: Disk<'_>) -> Result<(Unpacked, Held), RestoreError> {
    let which = source.path.display().to_string();
    let refused = |error| match (source.wanted)() {
        true => RestoreError::Snapshot { which: which.clone(), error },
        false => RestoreError::Stopped,
    };
    disk.remove_tree(staged)?;
    disk.make_directory(staged)?;
    let mut place = Staging { directory: staged.to_owned(), open: None, disk };
    let (file, bytes) = shelf::open(source.path).map_err(|error| refused(UnpackError::Source(error)))?;
    let file = WhileWanted { from: file, wanted: source.wanted };
    let unpacked = unpack(file, Some(bytes), source.passphrase, false, &mut place).map_err(refused)?;
    let id = source.id.unwrap_or(unpacked.manifest.id);
    check_identity(id, &unpacked.manifest, unpacked.sha256, source.expected).map_err(refused)?;
    let journal = staged.join(JOURNAL);
    prove(&unpacked.manifest, &journal).map_err(|error| match error {
        Unproved::Open(error) => RestoreError::Journal(error),
        Unproved::Other => {
            refused(UnpackError::Refused("its journal is not the one that its manifest speaks of".into()))
        }
    })?;
    for directory in [staged.join("keys"), staged.join("archive"), staged.to_owned()] {
        if directory.exists() {
            disk.sync_directory(&directory)?;
        }
    }
    // What cannot be told is no reason not to restore: tables may have changed.
    let held = Held::read(&journal, unpacked.manifest.created_at).unwrap_or_default();
    if (source.wanted)() { Ok((unpacked, held)) } else { Err(RestoreError::Stopped) }
}

enum Unproved {
    Open(store::OpenError),
    Other,
}

fn prove(manifest: &Manifest, journal: &Path) -> Result<(), Unproved> {
    let proof = Store::prove_copy(journal).map_err(Unproved::Open)?;
    let same = (proof.state, proof.head, proof.links, proof.schema)
        == (manifest.state, manifest.head, manifest.links, manifest.schema);
    if same { Ok(()) } else { Err(Unproved::Other) }
}

/// Files go into a directory that is ours alone.
struct Staging<'a> {
    directory: PathBuf,
    open: Option<File>,
    disk: Disk<'a>,
}

impl Place for Staging<'_> {
    fn begin(&mut self, manifest: &Manifest) -> Result<(), UnpackError> {
        if !manifest.files.iter().any(|file| file.name == JOURNAL) {
            return Err(UnpackError::Refused("there is no journal in it".to_owned()));
        }
        // The manifest's names are closed: what this tinkerbell does not know it must not put anywhere.
        if let Some(strange) = manifest.files.iter().find(|file| !is_known(&file.name)) {
            return Err(UnpackError::Refused(format!(
                "it holds {}, which this tinkerbell does not know",
                strange.name
            )));
        }
        let needed = manifest.files.iter().fold(SPARE_BYTES, |sum, file| sum.saturating_add(file.bytes));
        let available = available_bytes(&self.directory).map_err(UnpackError::Target)?;
        if available < needed {
            let what = format!("it needs {needed} bytes in {}, and there are {available}", self.directory.display());
            return Err(UnpackError::Refused(what));
        }
        Ok(())
    }

    fn file(&mut self, file: &StoredFile) -> io::Result<Box<dyn Write + '_>> {
        if file.name.starts_with(KEYS) {
            std::fs::DirBuilder::new().mode(0o700).recursive(true).create(self.directory.join("keys"))?;
        }
        if file.name.starts_with(ARCHIVE) {
            std::fs::DirBuilder::new().mode(0o700).recursive(true).create(self.directory.join("archive"))?;
        }
        let path = self.directory.join(&file.name);
        self.disk.at("unpack");
        let open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(self.open.insert(open)))
    }

    fn done(&mut self, _: &StoredFile) -> io::Result<()> {
        self.disk.at("sync");
        self.open.take().map_or(Ok(()), |file| file.sync_all())
    }
}

fn is_known(name: &str) -> bool {
    let below = |directory| name.strip_prefix(directory).is_some_and(|name| !name.contains('/'));
    name == JOURNAL || name == CONFIG || below(KEYS) || below(ARCHIVE)
}
