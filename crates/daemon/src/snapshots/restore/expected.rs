//! Which snapshot is meant, and what is known of it: by its name one of the shelf, which must be the one that the
//! journal says was made; by a path any.

use super::exchange::is_aside;
use super::roots::Roots;
use crate::config::Config;
use crate::keys::KeyStore;
use crate::snapshots::container::{self, Nowhere, Passphrase, UnpackError, unpack};
use crate::snapshots::{check_identity, directory, problem, shelf};
use agent::SnapshotId;
use std::path::{Path, PathBuf};
use store::Store;
use wire::rest::{SnapshotVerified, SnapshotView};
use wire::{BlobHash, Code, Problem};

/// The snapshot that is meant.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Its file.
    pub path: PathBuf,
    /// The name that it must have: that of its file, where it lies on the shelf.
    pub id: Option<SnapshotId>,
    /// The hash that it must have, where the journal has one.
    pub expected: Option<BlobHash>,
    /// Where on this machine its sessions work that worked elsewhere; by default where they did.
    pub roots: Roots,
}

/// Finds the snapshot that somebody means: its name, the end or beginning of one, or a path. `journal_hash` tells which
/// hash the journal has for a name, if it can be read.
pub fn choose(
    config: &Config,
    state_dir: &Path,
    typed: &str,
    journal_hash: &dyn Fn(SnapshotId) -> Option<BlobHash>,
) -> Result<Chosen, Problem> {
    let directory = directory(config, state_dir);
    let path = Path::new(typed);
    if typed.contains('/') || path.exists() {
        let on_shelf = path.canonicalize().ok().filter(|path| {
            path.parent().is_some_and(|parent| directory.canonicalize().is_ok_and(|shelf| shelf == parent))
        });
        if let Some(name) =
            path.file_name().and_then(|name| name.to_str()).filter(|name| is_aside(name) && path.is_dir())
        {
            let detail = format!("{} is a state that a restore replaced, and no snapshot", path.display());
            return Err(Problem::new(Code::InvalidRequest, detail)
                .remedy(format!("`tinkerbell snapshot restore --undo={name}` puts it back, where it was kept")));
        }
        let id = on_shelf.as_deref().and_then(shelf::named);
        // One that was written elsewhere may have any name; the journal knows it by the one that it says it has.
        let known = id.or_else(|| shelf::look(path).ok().map(|found| found.manifest.id));
        let expected = known.and_then(journal_hash);
        return Ok(Chosen { path: path.to_owned(), id, expected, roots: Roots::default() });
    }
    let names = shelf::names(&directory).map_err(|error| {
        Problem::new(
            Code::Conflict,
            format!("the directory of snapshots {} cannot be read: {error}", directory.display()),
        )
    })?;
    let wanted = |id: &&SnapshotId| {
        let text = id.to_string();
        text.ends_with(typed)
            || text.starts_with(typed)
            || text.strip_prefix("snp_").is_some_and(|rest| rest.starts_with(typed))
    };
    let found: Vec<SnapshotId> = names.iter().filter(wanted).copied().collect();
    match found[..] {
        [id] => {
            let (path, expected) = (shelf::path(&directory, id), journal_hash(id));
            Ok(Chosen { path, id: Some(id), expected, roots: Roots::default() })
        }
        [] => Err(Problem::new(Code::NotFound, format!("there is no snapshot {typed} in {}", directory.display()))
            .remedy("`tinkerbell snapshot ls` lists those that there are; a path has a / in it")),
        _ => Err(Problem::new(Code::InvalidRequest, format!("{typed} could be {} snapshots", found.len()))
            .remedy("give more of its name")),
    }
}

/// What a snapshot says of itself; nothing of it is proved by that.
pub fn look(path: &Path) -> Result<SnapshotView, Problem> {
    let found = shelf::look(path).map_err(|error| problem(&path.display().to_string(), &error))?;
    Ok(SnapshotView { row: found.row(false), manifest: found.manifest })
}

/// Reads a snapshot to its end.
pub fn verify_file(chosen: &Chosen, passphrase: Option<&str>) -> Result<SnapshotVerified, Problem> {
    let passphrase = passphrase.map(Passphrase::new);
    let read = || {
        let (file, bytes) = shelf::open(&chosen.path).map_err(UnpackError::Source)?;
        let read = unpack(file, Some(bytes), passphrase.as_ref(), true, &mut Nowhere)?;
        let id = chosen.id.unwrap_or(read.manifest.id);
        check_identity(id, &read.manifest, read.sha256, chosen.expected)?;
        Ok::<_, UnpackError>((read, bytes))
    };
    let (read, bytes) = read().map_err(|error| problem(&chosen.path.display().to_string(), &error))?;
    Ok(SnapshotVerified {
        id: read.manifest.id,
        file: chosen.path.clone(),
        bytes,
        sha256: read.sha256,
        opened: read.opened,
        noted: chosen.expected.is_some(),
        other_passphrase: false,
    })
}

/// Whether a passphrase opens a sealed snapshot.
pub fn opens(chosen: &Chosen, passphrase: &str) -> Result<bool, Problem> {
    let opened = shelf::open(&chosen.path).map_err(UnpackError::Source);
    let opened = opened.and_then(|(file, _)| container::opens(file, &Passphrase::new(passphrase)));
    opened.map_err(|error| problem(&chosen.path.display().to_string(), &error))
}

/// The passphrase of the configuration, if it has one that can be had here.
pub fn configured(config: &Config, state_dir: &Path) -> Option<String> {
    let secret = KeyStore::new(state_dir).secret(config.snapshots.passphrase.as_ref()?);
    secret.ok().map(|secret| secret.text().to_owned())
}

/// Which hash a journal that no daemon has open says that a snapshot was made with. `None` also where the journal cannot
/// be read: that may be why somebody restores.
pub fn journal_hash(state_dir: &Path, id: SnapshotId) -> Option<BlobHash> {
    Store::peek_daemon_bodies(state_dir, &format!("\"kind\":\"snapshot.made\",\"snapshot\":\"{id}\""))
        .ok()?
        .iter()
        .rev()
        .find_map(|body| {
            let made: wire::body::SnapshotMade = wire::body::read(body).ok()?;
            Some(made.sha256)
        })
}
