//! Where a snapshot is made, and what a kill leaves of that.
//!
//! What is in clear stays in the state directory: the copy of the journal and what is packed of it. Where the snapshot
//! goes, perhaps to another disk or in other hands, only its finished bytes lie, under another name until they are all
//! there. A note in the state directory says where that is, so that it is found after a kill.

use super::make::{MakeError, failed, fresh};
use agent::SnapshotId;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use wire::snapshot::SUFFIX;

/// How the name of the directory ends in which one is made.
const MAKING: &str = ".making";
/// How the name of the note ends.
const NOTE: &str = ".beside";

/// The places of a snapshot that is being made.
#[derive(Debug)]
pub(super) struct Work {
    /// In the state directory, for this user alone.
    pub(super) directory: PathBuf,
    /// Beside where it goes, for its finished bytes.
    pub(super) beside: PathBuf,
    note: PathBuf,
}

impl Work {
    /// Makes the places, and gives the empty file beside the target too: that nothing can be written there shows at once.
    pub(super) fn begin(state_dir: &Path, id: SnapshotId, target: &Path) -> Result<(Work, File), MakeError> {
        let inside = |end| state_dir.join(format!(".{id}{end}"));
        let beside = target.with_file_name(name_beside(id));
        let work = Work { directory: inside(MAKING), beside, note: inside(NOTE) };
        match work.make(state_dir) {
            Ok(file) => Ok((work, file)),
            Err(error) => {
                work.end();
                Err(error)
            }
        }
    }

    fn make(&self, state_dir: &Path) -> Result<File, MakeError> {
        std::fs::DirBuilder::new().mode(0o700).create(&self.directory).map_err(failed(&self.directory))?;
        let mut note = fresh(&self.note)?;
        let written = note.write_all(self.beside.as_os_str().as_bytes()).and_then(|()| note.sync_all());
        written.map_err(failed(&self.note))?;
        File::open(state_dir).and_then(|directory| directory.sync_all()).map_err(failed(state_dir))?;
        fresh(&self.beside)
    }

    /// Takes all of it away. What counts is how the making ended; what cannot be taken away now goes at the next start.
    pub(super) fn end(&self) {
        let _ = std::fs::remove_dir_all(&self.directory);
        if absent_is_fine(std::fs::remove_file(&self.beside)).is_ok() {
            let _ = std::fs::remove_file(&self.note);
        }
    }
}

/// What a kill left of snapshots that were being made. It is taken away once in a daemon's life and before its first
/// snapshot is made, because it looks like one that is being made.
#[derive(Debug, Default)]
pub(super) struct Leftovers(OnceLock<()>);

impl Leftovers {
    /// Takes them away, unless that was done. Blocks; whoever comes meanwhile waits until it is done.
    pub(super) fn sweep(&self, state_dir: &Path) {
        self.0.get_or_init(|| {
            if let Err(error) = sweep(state_dir) {
                tracing::warn!(%error, "what is left of snapshots that were being made cannot be taken away");
            }
        });
    }
}

fn sweep(state_dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(state_dir)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let id_before = |end| name.to_str()?.strip_prefix('.')?.strip_suffix(end)?.parse::<SnapshotId>().ok();
        let swept = match (entry.file_type()?.is_dir(), id_before(MAKING), id_before(NOTE)) {
            (true, Some(_), _) => std::fs::remove_dir_all(&path),
            (false, _, Some(id)) => sweep_beside(&path, id),
            _ => Ok(()),
        };
        if let Err(error) = swept {
            tracing::warn!(path = %path.display(), %error, "what is left of a snapshot cannot be taken away");
        }
    }
    Ok(())
}

/// Takes away what a note speaks of, and the note. It stays while the directory is not there: a medium that is out comes
/// back.
fn sweep_beside(note: &Path, id: SnapshotId) -> io::Result<()> {
    let beside = PathBuf::from(OsString::from_vec(std::fs::read(note)?));
    // After a kill the note may not be whole; then nothing lies there yet.
    if beside.file_name() == Some(name_beside(id).as_ref()) {
        if beside.parent().is_some_and(|parent| !parent.is_dir()) {
            return Ok(());
        }
        absent_is_fine(std::fs::remove_file(&beside))?;
    }
    std::fs::remove_file(note)
}

fn name_beside(id: SnapshotId) -> String {
    format!(".{id}{SUFFIX}{MAKING}")
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SnapshotId {
        SnapshotId::from_parts(1_764_000_000_000, 1)
    }

    /// A kill in the middle of one that goes elsewhere.
    fn begun(state: &Path, elsewhere: &Path) -> Work {
        let (work, _) = Work::begin(state, id(), &elsewhere.join("bell.tar")).unwrap();
        std::fs::write(work.directory.join("journal.db"), "half of it").unwrap();
        std::fs::write(&work.beside, "half of it").unwrap();
        work
    }

    fn names(directory: &Path) -> Vec<OsString> {
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn what_a_kill_left_goes_once_and_a_beginning_stays() {
        let [state, elsewhere] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (state, elsewhere) = (state.path(), elsewhere.path());
        let leftovers = Leftovers::default();
        begun(state, elsewhere);
        leftovers.sweep(state);
        assert!(names(state).is_empty() && names(elsewhere).is_empty());
        let work = begun(state, elsewhere);
        leftovers.sweep(state);
        assert!(work.directory.join("journal.db").exists(), "a snapshot that is being made was swept away");
        assert!(work.beside.exists());
        work.end();
        assert!(names(state).is_empty() && names(elsewhere).is_empty());
    }

    #[test]
    fn what_lies_on_a_medium_that_is_out_goes_when_it_is_back() {
        let [state, media] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (stick, out) = (media.path().join("stick"), media.path().join("out"));
        std::fs::create_dir(&stick).unwrap();
        begun(state.path(), &stick);
        std::fs::rename(&stick, &out).unwrap();
        sweep(state.path()).unwrap();
        assert_eq!(names(state.path()).len(), 1, "nothing is left but the note");
        std::fs::rename(&out, &stick).unwrap();
        sweep(state.path()).unwrap();
        assert!(names(state.path()).is_empty() && names(&stick).is_empty());
    }

    #[test]
    fn a_note_names_nothing_but_what_was_being_made() {
        let directory = tempfile::tempdir().unwrap();
        let (note, mine) = (directory.path().join(format!(".{}{NOTE}", id())), directory.path().join("mine"));
        std::fs::write(&mine, "a file of the user's").unwrap();
        std::fs::write(&note, mine.as_os_str().as_bytes()).unwrap();
        sweep(directory.path()).unwrap();
        assert!(mine.exists() && !note.exists());
    }
}
