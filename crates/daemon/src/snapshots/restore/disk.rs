//! The durable steps of a restore, each with its error and with a point before it at which a test can end the process.

use super::RestoreError;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Told before each durable step, with its name. A daemon does nothing in it; a test ends the process.
pub type Point<'a> = &'a dyn Fn(&'static str);

/// The disk, as a restore uses it.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a> {
    point: Point<'a>,
}

impl<'a> Disk<'a> {
    pub(super) fn new(point: Point<'a>) -> Disk<'a> {
        Disk { point }
    }

    /// Moves a file or a directory; one of the same name is replaced.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), RestoreError> {
        self.step("move", from, || std::fs::rename(from, to))
    }

    /// Makes what was done to the names in a directory last.
    pub(super) fn sync_directory(&self, path: &Path) -> Result<(), RestoreError> {
        self.step("sync", path, || File::open(path)?.sync_all())
    }

    /// A point between steps that are done elsewhere.
    pub(super) fn at(&self, what: &'static str) {
        (self.point)(what);
    }

    /// Makes a private directory, if it is not there.
    pub(super) fn make_directory(&self, path: &Path) -> Result<(), RestoreError> {
        self.step("make", path, || match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        })
    }

    /// Writes a small file whole or not at all.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RestoreError> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = Path::new(&fresh);
        let options = || std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
        self.step("write", fresh, || {
            let mut file = options().open(fresh)?;
            file.write_all(bytes)?;
            file.sync_all()
        })?;
        self.rename(fresh, path)
    }

    /// Takes a file away, if it is there.
    pub(super) fn remove_file(&self, path: &Path) -> Result<(), RestoreError> {
        self.step("remove", path, || absent_is_fine(std::fs::remove_file(path)))
    }

    /// Takes a directory away with all that is in it, if it is there.
    pub(super) fn remove_tree(&self, path: &Path) -> Result<(), RestoreError> {
        self.step("remove", path, || absent_is_fine(std::fs::remove_dir_all(path)))
    }

    fn step<T>(&self, what: &'static str, path: &Path, job: impl FnOnce() -> io::Result<T>) -> Result<T, RestoreError> {
        (self.point)(what);
        job().map_err(|error| RestoreError::Io { what, path: path.to_owned(), error })
    }
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
