//! The look at the work tree at a border: what did the user change beneath the session's changes meanwhile?
//!
//! Only paths with a pending change are looked at, by their stat first and by their hash where that is not enough.
//! What merges becomes the new base; what does not is a conflict, which is shown and never guessed. Two ways lead out
//! of a conflict: to reject the path, which takes what the user has, or [`Compared::keep`], which keeps what the session
//! has upon it.

use crate::blobs::Blobs;
use crate::fold::Fold;
use crate::merge::{Merged, merge};
use crate::view::ReadError;
use crate::worktree::{Examined, Fingerprint, WorkTree, WorkTreeError, hash_of};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::body::{Conflict, Rebased};
use wire::{BlobHash, Change, FileState, Found, RelPath};

/// A file that changed less than this before it was hashed is hashed again, since clocks of file systems are coarse.
const RACY_SECONDS: i64 = 2;

/// States of files by their fingerprints, so that an unchanged file is not read again. Kept beside a fold, in memory
/// only; an empty one is always right.
#[derive(Debug, Default)]
pub struct StatCache(BTreeMap<RelPath, (Fingerprint, FileState)>);

/// What a comparison found; with the bytes that the journal must keep with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// What `canvas.rebased` must say, if anything moved.
    pub rebased: Option<Rebased>,
    /// What `canvas.conflicted` must say, if anything does not merge.
    pub conflict: Option<Conflict>,
    /// New blobs.
    pub blobs: Vec<Vec<u8>>,
}

/// Compares the paths with a pending change with the work tree.
pub fn compare(fold: &Fold, tree: &WorkTree, blobs: &Blobs, cache: &mut StatCache) -> Result<Compared, ReadError> {
    let mut rebased = Rebased::default();
    let mut conflict = Conflict::default();
    let mut new = BTreeMap::new();
    let pending = fold.pending();
    cache.0.retain(|path, _| pending.binary_search_by(|change| change.path.cmp(path)).is_ok());
    for Change { path, before: base, after: current } in pending {
        let Some((found, bytes)) = changed(tree, cache, &path, base)? else { continue };
        let read = |state: &FileState| match &bytes {
            Some(bytes) if found.is_some_and(|found| found.blob == state.blob) => Ok(bytes.clone()),
            _ => blobs.get(state.blob),
        };
        let merged = match found {
            Some(_) if found == current => Merged::Known(current),
            Some(_) if bytes.is_none() => Merged::Conflict,
            _ => merge(base, current, found, &read)?,
        };
        let after = match merged {
            Merged::Known(state) => Some(state),
            Merged::New(contents) => {
                let state = contents.state();
                new.insert(state.blob, contents.bytes);
                Some(Some(state))
            }
            Merged::Conflict => None,
        };
        new.extend(found.and_then(|found| Some((found.blob, bytes?))));
        let moved = Change { path: path.clone(), before: base, after: found };
        match after {
            None => conflict.paths.push(moved),
            Some(after) => {
                rebased.bases.push(moved);
                rebased.changes.extend((after != current).then_some(Change { path, before: current, after }));
            }
        }
    }
    Ok(Compared {
        rebased: (!rebased.bases.is_empty()).then_some(rebased),
        conflict: (!conflict.paths.is_empty()).then_some(conflict),
        blobs: new.into_values().collect(),
    })
}

/// Why the session's bytes cannot win over what the user has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// There is nothing to settle.
    #[error("nothing on the canvas is in conflict with the work tree")]
    Nothing,
    /// Nothing there is in conflict.
    #[error("{0} is not in conflict with the work tree; `tinkerbell diff` shows what is")]
    NotInConflict(RelPath),
    /// The journal cannot keep what the user has, so nobody could bring it back.
    #[error("{0} is too large in the work tree to be kept in the journal; move it away, or reject the path")]
    TooLarge(RelPath),
}

impl Compared {
    /// The same comparison after the user decided that the session's bytes win in the conflicts at and below `paths`;
    /// in all of them when `paths` is empty. What the user has there becomes the base that an accept replaces.
    pub fn keep(mut self, paths: &[RelPath]) -> Result<Compared, KeepError> {
        let conflicts = self.conflict.take().unwrap_or_default().paths;
        if let Some(other) = paths.iter().find(|path| !conflicts.iter().any(|c| c.path.is_at_or_below(path))) {
            return Err(KeepError::NotInConflict(other.clone()));
        }
        let chosen = |change: &Change| paths.is_empty() || paths.iter().any(|path| change.path.is_at_or_below(path));
        let (kept, left): (Vec<Change>, Vec<Change>) = conflicts.into_iter().partition(chosen);
        if kept.is_empty() {
            return Err(KeepError::Nothing);
        }
        let known: BTreeSet<BlobHash> = self.blobs.iter().map(|bytes| BlobHash::of(bytes)).collect();
        if let Some(large) = kept.iter().find(|c| c.after.is_some_and(|found| !known.contains(&found.blob))) {
            return Err(KeepError::TooLarge(large.path.clone()));
        }
        self.rebased.get_or_insert_default().bases.extend(kept);
        self.conflict = (!left.is_empty()).then_some(Conflict { paths: left });
        Ok(self)
    }
}

/// A file's state with its bytes, which are missing where there is no file or where it is too large to be read.
type FoundFile = (Option<FileState>, Option<Vec<u8>>);

/// What is at `path`, when that is not `base`.
fn changed(
    tree: &WorkTree,
    cache: &mut StatCache,
    path: &RelPath,
    base: Option<FileState>,
) -> Result<Option<FoundFile>, ReadError> {
    let found = cache.state(tree, path)?;
    if found == base {
        return Ok(None);
    }
    // It may have changed again since it was hashed: what is read now counts.
    let (found, bytes) = match tree.read(path, u64::MAX) {
        Ok(Found::File(contents)) => (Some(contents.state()), Some(contents.bytes)),
        Ok(Found::Absent | Found::Directory | Found::Other(_)) => (None, None),
        Err(WorkTreeError::TooLarge { .. }) => (found, None),
        Err(error) => return Err(error.into()),
    };
    Ok((found != base).then_some((found, bytes)))
}

impl StatCache {
    fn state(&mut self, tree: &WorkTree, path: &RelPath) -> Result<Option<FileState>, ReadError> {
        let (mut file, mode, print) = match tree.examine(path)? {
            Examined::Absent | Examined::Directory | Examined::Other(_) => return Ok(None),
            Examined::Link(contents) => return Ok(Some(contents.state())),
            Examined::File(file, mode, print) => (file, mode, print),
        };
        if let Some((known, state)) = self.0.get(path)
            && *known == print
        {
            return Ok(Some(*state));
        }
        let (blob, bytes) = hash_of(&mut file).map_err(|source| WorkTreeError::io("reading", path, source))?;
        let state = FileState { blob, bytes, mode };
        if print.changed.0 + RACY_SECONDS < now_seconds() {
            self.0.insert(path.clone(), (print, state));
        } else {
            self.0.remove(path);
        }
        Ok(Some(state))
    }
}

fn now_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
