//! The names in a directory.

use super::{WorkTree, WorkTreeError};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, OFlags};
use rustix::io::Errno;
use wire::{Entry, EntryKind, RelPath};

impl WorkTree {
    /// The names in a directory, sorted; of the workspace itself for `None`. `.git` is left out, since no path leads
    /// there; names that are not UTF-8 are marked as out of reach.
    pub fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, WorkTreeError> {
        let shown = directory.map_or(".", RelPath::as_str);
        let fail = |errno: Errno| WorkTreeError::Io { doing: "listing", path: shown.to_owned(), source: errno.into() };
        let opened = match directory {
            None => self.directory_to_write(None)?,
            Some(path) => self.directory_to_list(path)?,
        };
        let Some(opened) = opened else {
            let path = directory.expect("the workspace itself is open, so it is there");
            return Err(WorkTreeError::NotADirectory(path.clone()));
        };
        let names = opened.try_clone().map_err(|source| WorkTreeError::Io {
            doing: "listing",
            path: shown.to_owned(),
            source,
        })?;
        let mut entries = Vec::new();
        for name in Dir::new(names).map_err(fail)? {
            let Some(entry) = entry_of(&opened, &name.map_err(fail)?).map_err(fail)? else { continue };
            if entries.len() == self.limits.max_entries {
                let (directory, limit) = (shown.to_owned(), self.limits.max_entries);
                return Err(WorkTreeError::TooManyEntries { directory, limit });
            }
            entries.push(entry);
        }
        entries.sort();
        Ok(entries)
    }

    fn directory_to_list(&self, path: &RelPath) -> Result<Option<OwnedFd>, WorkTreeError> {
        match self.open_to_read(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            // The last name is not followed, and one that is a link is no directory.
            Err(WorkTreeError::Unfollowable(path)) if self.is_link(&path) => Ok(None),
            opened => opened,
        }
    }
}

/// `None` for what is not shown, and for what is gone by now.
fn entry_of(directory: &OwnedFd, found: &DirEntry) -> Result<Option<Entry>, Errno> {
    let name = found.file_name();
    if matches!(name.to_bytes(), b"." | b"..") || name.to_bytes().eq_ignore_ascii_case(b".git") {
        return Ok(None);
    }
    let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => EntryKind::Directory,
        FileType::RegularFile => EntryKind::File(u64::try_from(stat.st_size).unwrap_or(0)),
        FileType::Symlink => EntryKind::Symlink,
        _ => EntryKind::Other,
    };
    let reachable = name.to_str().is_ok();
    Ok(Some(Entry { name: name.to_string_lossy().into_owned(), kind, reachable }))
}
