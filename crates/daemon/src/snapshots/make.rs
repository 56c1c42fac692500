//! Making a snapshot: copy, look through the copy, compress, pack, sync, give it its name.
//!
//! It is put together in a directory of its own in the state directory, the finished bytes are written beside where the
//! snapshot goes, and the last step is a rename, so there is a whole snapshot or none. What a kill leaves of either is
//! swept at the next start.

use super::container::{Nowhere, Passphrase, Piece, UnpackError, pack, pack_sealed, store_piece, unpack};
use super::portable;
use super::steady::{self, Steady};
use super::work::Work;
use crate::archive::{self, Shelf};
use agent::{Micros, SnapshotId};
use rustix::fs::{CWD, RenameFlags};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use store::{Archived, CopyError, OpenError, Pace, Proof, Store};
use tokio_util::sync::CancellationToken;
use wire::snapshot::{
    ARCHIVE, CONFIG, Coding, FORMAT, JOURNAL, KEYS, LeftOut, Manifest, Portable, SnapshotReason, Why, is_name,
};
use wire::{BlobHash, Code, Problem};

/// Bytes of the disk that a snapshot leaves free, so that the journal can go on.
const SPARE_BYTES: u64 = 16 << 20;
/// How often a copy that had to be given up is begun anew.
const ATTEMPTS: u32 = 5;
/// The largest kept key.
const MAX_KEY_BYTES: u64 = 32 * 1024;
/// The key that signs the chain of heads.
const AUDIT_KEY: &str = "audit.key";

/// What is to be made.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: SnapshotId,
    pub(super) reason: SnapshotReason,
    pub(super) created_at: Micros,
    pub(super) note: Option<String>,
    pub(super) passphrase: Option<Passphrase>,
    /// Where it goes; nothing may be there.
    pub(super) target: PathBuf,
    pub(super) state_dir: PathBuf,
    /// The files of archived sessions.
    pub(super) shelf: Shelf,
    /// The configuration file's text, masked, if there is one.
    pub(super) config: Option<String>,
    /// Set where it is to carry the agent to another machine. Its workspaces are found in the copy.
    pub(super) portable: Option<Portable>,
    /// Once it is cancelled, the snapshot is given up.
    pub(super) stop: CancellationToken,
}

/// A snapshot that is on disk.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) manifest: Manifest,
    pub(super) sha256: BlobHash,
    pub(super) bytes: u64,
    /// The largest write-ahead log meanwhile.
    pub(super) log_bytes: u64,
}

/// Why there is none; nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    #[error("{path}: there is room for {available} bytes, and a snapshot may need {needed}; free some and try again")]
    NoRoom { path: PathBuf, needed: u64, available: u64 },
    #[error("{0} exists already; choose another name")]
    Exists(PathBuf),
    #[error("the daemon stops, so the snapshot was given up")]
    Stopped,
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("the copy of the journal is damaged, so it was not kept: {0}")]
    Damaged(OpenError),
    #[error("the snapshot was written and cannot be read back: {0}; look after the disk")]
    ReadBack(UnpackError),
    #[error("cannot write {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

impl MakeError {
    /// Whether the disk has no room.
    pub(super) fn is_full(&self) -> bool {
        match self {
            MakeError::NoRoom { .. } | MakeError::Copy(CopyError::Full { .. }) => true,
            MakeError::Io { error, .. } => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }

    /// For whoever asked, with the way out.
    pub(super) fn problem(self) -> Problem {
        let detail = self.to_string();
        match self {
            error if error.is_full() => Problem::new(Code::StorageFull, detail).remedy(
                "free some room there: it is put together in the state directory, and then written where it goes",
            ),
            MakeError::Exists(_) => Problem::new(Code::Conflict, detail),
            MakeError::Stopped => Problem::new(Code::Draining, detail),
            MakeError::Damaged(_) => Problem::new(Code::Internal, detail).remedy(
                "the journal itself is damaged: restore the newest good snapshot with `tinkerbell snapshot restore`",
            ),
            MakeError::Io { .. } => {
                Problem::new(Code::Conflict, detail).remedy("make the directory writable, or name another")
            }
            _ => Problem::new(Code::Conflict, detail),
        }
    }
}

/// Makes it. Blocks for as long as it takes.
pub(super) fn make(store: &Store, order: &Order, pace: &Pace) -> Result<Made, MakeError> {
    if order.target.symlink_metadata().is_ok() {
        return Err(MakeError::Exists(order.target.clone()));
    }
    check_room(store, order)?;
    let (work, file) = Work::begin(&order.state_dir, order.id, &order.target)?;
    let made = make_in(&work, &file, store, order, pace);
    work.end();
    made
}

/// The copy and what is packed of it stand in the state directory at the same time, and what is packed goes to the target.
fn check_room(store: &Store, order: &Order) -> Result<(), MakeError> {
    let journal = store.sizes().map_err(failed(&order.state_dir))?.database_bytes;
    let packed = journal.saturating_add(order.shelf.bytes());
    let room_for = |path: &Path, bytes: u64| {
        let (needed, available) = (bytes.saturating_add(SPARE_BYTES), available_bytes(path).map_err(failed(path))?);
        match available < needed {
            true => Err(MakeError::NoRoom { path: path.to_owned(), needed, available }),
            false => Ok(()),
        }
    };
    room_for(&order.state_dir, journal.saturating_add(packed))?;
    room_for(parent(&order.target), packed)
}

fn parent(target: &Path) -> &Path {
    target.parent().unwrap_or(Path::new("/"))
}

/// Bytes that this user may still write to a file system.
pub(super) fn available_bytes(path: &Path) -> io::Result<u64> {
    let room = rustix::fs::statvfs(path)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

fn make_in(place: &Work, file: &File, store: &Store, order: &Order, pace: &Pace) -> Result<Made, MakeError> {
    let work = place.directory.as_path();
    let copy = work.join(JOURNAL);
    // What the copy says is archived is still there when it is packed.
    let _hold = order.shelf.hold();
    let copied = copy_journal(store, &copy, order, pace)?;
    Store::check_copy(&copy).map_err(MakeError::Damaged)?;
    let archived = Store::archived_in_copy(&copy).map_err(MakeError::Damaged)?;
    let mut pieces = vec![stored(work, JOURNAL, File::open(&copy).map_err(failed(&copy))?, Coding::Gzip, order)?];
    let portable = order.portable.clone().map(|portable| portable::with_workspaces(portable, &copy)).transpose();
    let portable = portable.map_err(MakeError::Damaged)?;
    steady::remove(&copy).map_err(failed(&copy))?;
    if let Some(text) = &order.config {
        pieces.push(stored(work, CONFIG, text.as_bytes(), Coding::Plain, order)?);
    }
    let mut left_out = vec![rebuilt("search.db"), rebuilt("canvas")];
    if order.state_dir.join(AUDIT_KEY).exists() {
        // It signs for one daemon on one machine: a restored state elsewhere begins a key of its own, and says so.
        left_out.push(LeftOut { name: AUDIT_KEY.to_owned(), why: Why::Secret });
    }
    for name in kept_keys(&order.state_dir).map_err(failed(&order.state_dir))? {
        let path = order.state_dir.join(&name);
        if order.passphrase.is_some() && portable.is_none() {
            let key = io::Read::take(File::open(&path).map_err(failed(&path))?, MAX_KEY_BYTES);
            pieces.push(stored(work, &name, key, Coding::Plain, order)?);
        } else {
            left_out.push(LeftOut { name, why: Why::Secret });
        }
    }
    add_archived(order, &archived, &mut pieces, &mut left_out)?;
    let manifest = Manifest { portable, ..manifest(order, &copied.proof, &pieces, left_out) };
    let (manifest, sha256, bytes) = packed(place, file, order, manifest, &mut pieces)?;
    // It is made; what cannot be freed in pieces is freed at once.
    let _ = pieces.iter().try_for_each(Piece::free);
    Ok(Made { manifest, sha256, bytes, log_bytes: copied.log_bytes })
}

/// Takes the files of archived sessions along as they lie. One that is damaged or gone is told, and keeps nobody from a
/// snapshot of the rest.
fn add_archived(
    order: &Order,
    archived: &[Archived],
    pieces: &mut Vec<Piece>,
    left_out: &mut Vec<LeftOut>,
) -> Result<(), MakeError> {
    for one in archived {
        let name = format!("{ARCHIVE}{}", archive::name(one.session, one.head.seq));
        let path = order.shelf.path(one.session, one.head.seq);
        let wanted = Piece::of_file(&name, &path, one.file.bytes, one.file.sha256);
        match wanted {
            _ if order.stop.is_cancelled() => return Err(MakeError::Stopped),
            Ok(piece) => pieces.push(piece),
            Err(error) => {
                tracing::error!(session = %one.session, %error, "an archived session is not in the snapshot");
                left_out.push(LeftOut { name, why: Why::Damaged });
            }
        }
    }
    Ok(())
}

fn copy_journal(store: &Store, to: &Path, order: &Order, pace: &Pace) -> Result<store::Copied, MakeError> {
    let mut attempt = 1;
    loop {
        match store.copy_blocking(to, pace, &|| !order.stop.is_cancelled()) {
            Err(CopyError::Interrupted) if order.stop.is_cancelled() => return Err(MakeError::Stopped),
            Err(CopyError::Interrupted) if attempt < ATTEMPTS => attempt += 1,
            other => return Ok(other?),
        }
    }
}

fn stored(work: &Path, name: &str, from: impl io::Read, coding: Coding, order: &Order) -> Result<Piece, MakeError> {
    let path = work.join(format!("{}.stored", name.replace('/', ".")));
    let file = fresh(&path)?;
    // Its name is not needed any more, and a kill leaves less behind.
    std::fs::remove_file(&path).map_err(failed(&path))?;
    let wanted = Wanted { from, stop: &order.stop };
    store_piece(name, wanted, coding, file).map_err(|error| match order.stop.is_cancelled() {
        true => MakeError::Stopped,
        false => failed(&path)(error),
    })
}

/// Bytes that end with an error once nobody wants them.
struct Wanted<'a, R> {
    from: R,
    stop: &'a CancellationToken,
}

impl<R: io::Read> io::Read for Wanted<'_, R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() { Err(io::Error::other("the daemon stops")) } else { self.from.read(piece) }
    }
}

fn manifest(order: &Order, proof: &Proof, pieces: &[Piece], left_out: Vec<LeftOut>) -> Manifest {
    Manifest {
        format: FORMAT,
        tinkerbell: crate::VERSION.to_owned(),
        id: order.id,
        reason: order.reason,
        created_at: order.created_at,
        note: order.note.clone(),
        state: proof.state,
        head: proof.head,
        links: proof.links,
        schema: proof.schema,
        generation: proof.generation,
        sessions: proof.sessions,
        unswept: proof.unswept,
        files: pieces.iter().map(|piece| piece.file.clone()).collect(),
        left_out,
        portable: None,
        sealed_bytes: None,
    }
}

/// Packs it, reads it back, syncs it and gives it its name.
fn packed(
    work: &Work,
    file: &File,
    order: &Order,
    manifest: Manifest,
    pieces: &mut [Piece],
) -> Result<(Manifest, BlobHash, u64), MakeError> {
    let path = work.beside.as_path();
    let mut to = io::BufWriter::with_capacity(1 << 20, Steady::new(file));
    let (sha256, manifest) = match &order.passphrase {
        None => (pack(&mut to, &manifest, pieces).map_err(failed(path))?, manifest),
        Some(passphrase) => {
            let scratch = fresh(&work.directory.join("sealed"))?;
            pack_sealed(&mut to, &manifest, pieces, passphrase, scratch).map_err(failed(path))?
        }
    };
    to.flush().map_err(failed(path))?;
    drop(to);
    file.sync_all().map_err(failed(path))?;
    let bytes = file.metadata().map_err(failed(path))?.len();
    let again = File::open(path).map_err(failed(path))?;
    let read = unpack(again, Some(bytes), None, true, &mut Nowhere).map_err(MakeError::ReadBack)?;
    if read.sha256 != sha256 {
        let what = UnpackError::Refused("it has another hash than was written".to_owned());
        return Err(MakeError::ReadBack(what));
    }
    rustix::fs::renameat_with(CWD, path, CWD, &order.target, RenameFlags::NOREPLACE).map_err(|error| match error {
        rustix::io::Errno::EXIST => MakeError::Exists(order.target.clone()),
        error => MakeError::Io { path: order.target.clone(), error: error.into() },
    })?;
    let parent = parent(&order.target);
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(failed(parent))?;
    Ok((manifest, sha256, bytes))
}

/// The kept keys, as names in a snapshot. Hidden files beside them only say that a key is in the keyring.
fn kept_keys(state_dir: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(state_dir.join("keys")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_str().map(|name| format!("{KEYS}{name}"));
        if let Some(name) = name.filter(|name| is_name(name))
            && entry.file_type()?.is_file()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn rebuilt(name: &str) -> LeftOut {
    LeftOut { name: name.to_owned(), why: Why::Rebuilt }
}

/// A new file for this user alone.
pub(super) fn fresh(path: &Path) -> Result<File, MakeError> {
    std::fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path).map_err(failed(path))
}

pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> MakeError {
    let path = path.to_owned();
    move |error| MakeError::Io { path: path.clone(), error }
}
