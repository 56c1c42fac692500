//! One path and the temporary name beside it: looking, writing, exchanging.

use super::judge::{AtPath, AtTemporary};
use crate::blobs::BlobError;
use crate::worktree::{Examined, examine, read_whole};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Gid, Mode as Permissions, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use wire::{Change, Contents, FileState, Mode};

/// How names are exchanged on the file system at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renaming {
    /// In one step of the kernel.
    Atomic,
    /// The file system has no such step: the old bytes are checked, then the new file is renamed over them, and what
    /// is saved in the microseconds between is lost. Creating uses a hard link, which is as safe as the real thing
    /// wherever there are hard links.
    Checked,
}

/// Whether an exchange took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swap {
    Done,
    /// What was there was not what the plan said; it is there again.
    Refused,
}

/// A path, as a directory and a name in it, and the temporary name beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) directory: &'a OwnedFd,
    pub(super) name: &'a str,
    pub(super) temporary: &'a str,
}

impl Spot<'_> {
    /// What is at the path; a file with more than `limit` bytes is none that a plan could mean.
    pub(super) fn at_path(&self, limit: u64) -> io::Result<AtPath> {
        Ok(match self.contents(self.name, limit)? {
            Looked::Nothing => AtPath::Nothing,
            Looked::File(contents) => AtPath::File(contents.state()),
            Looked::Directory => AtPath::Directory,
            Looked::Other => AtPath::Other,
        })
    }

    /// What is at the temporary name, in the eyes of a plan that makes `change`.
    pub(super) fn at_temporary(&self, change: &Change) -> io::Result<AtTemporary> {
        Ok(match self.contents(self.temporary, limit_of(change))? {
            Looked::Nothing => AtTemporary::Nothing,
            Looked::File(contents) if change.before == Some(contents.state()) => AtTemporary::Old,
            Looked::File(contents) if change.after == Some(contents.state()) => AtTemporary::New,
            Looked::File(_) | Looked::Directory | Looked::Other => AtTemporary::Alien,
        })
    }

    /// Brings `contents` to the temporary name, which must be free, whole and synced. They are written under a third
    /// name first, so that after a kill nobody takes half a file for something that came out of an exchange. `begun`
    /// is told when that name exists.
    pub(super) fn prepare(&self, contents: &Contents, begun: &mut dyn FnMut()) -> io::Result<()> {
        let part = self.part();
        self.unlink(&part)?;
        if contents.mode == Mode::Symlink {
            rustix::fs::symlinkat(contents.bytes.as_slice(), self.directory, &part)?;
            begun();
        } else {
            self.write_file(&part, contents, begun)?;
        }
        match self.rename(&part, self.temporary, RenameFlags::NOREPLACE) {
            Err(errno) if is_unsupported(errno) => {
                if !matches!(self.contents(self.temporary, 0)?, Looked::Nothing) {
                    return Err(Errno::EXIST.into());
                }
                Ok(rustix::fs::renameat(self.directory, &part, self.directory, self.temporary)?)
            }
            renamed => Ok(renamed?),
        }
    }

    fn write_file(&self, name: &str, contents: &Contents, begun: &mut dyn FnMut()) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let executable = contents.mode == Mode::Executable;
        let fresh = Permissions::from_raw_mode(if executable { 0o777 } else { 0o666 });
        let file = File::from(rustix::fs::openat(self.directory, name, flags, fresh)?);
        begun();
        if let Ok(stat) = rustix::fs::statat(self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW)
            && rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file()
        {
            keep_rights(&file, &stat, executable)?;
        }
        (&file).write_all(&contents.bytes)?;
        file.sync_all()
    }

    /// Puts what is at the temporary name in the place of the path, provided that this is `from`; `to` is what the
    /// temporary name holds. `between` is told when the names were exchanged and nobody has looked yet.
    pub(super) fn swap(
        &self,
        from: Option<FileState>,
        to: Option<FileState>,
        renaming: &mut Renaming,
        between: &mut dyn FnMut(),
    ) -> io::Result<Swap> {
        let out = match (from, to) {
            (None, None) => return Ok(Swap::Done),
            (None, Some(_)) => return self.put_in(renaming, between),
            (Some(from), Some(_)) => match self.exchange(from, renaming)? {
                Swap::Done => from,
                Swap::Refused => return Ok(Swap::Refused),
            },
            (Some(from), None) => match self.take_out(renaming)? {
                Swap::Done => from,
                Swap::Refused => return Ok(Swap::Refused),
            },
        };
        between();
        if *renaming == Renaming::Checked && to.is_some() {
            return Ok(Swap::Done);
        }
        match self.contents(self.temporary, out.bytes)? {
            Looked::File(contents) if contents.state() == out => Ok(Swap::Done),
            _ => {
                self.put_back(to.is_some(), renaming)?;
                Ok(Swap::Refused)
            }
        }
    }

    /// Gives the path back what an exchange brought out of it.
    pub(super) fn put_back(&self, exchanged: bool, renaming: &mut Renaming) -> io::Result<Swap> {
        if !exchanged {
            return self.put_in(renaming, &mut || {});
        }
        match self.rename(self.temporary, self.name, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(Swap::Done),
            Err(Errno::NOENT) => Ok(Swap::Refused),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes the temporary name.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.unlink(self.temporary)
    }

    /// Removes what a killed attempt had not written to its end. That name is never exchanged with anything.
    pub(super) fn clear_part(&self) -> io::Result<()> {
        self.unlink(&self.part())
    }

    fn part(&self) -> String {
        format!("{}.part", self.temporary)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(self.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn exchange(&self, from: FileState, renaming: &mut Renaming) -> io::Result<Swap> {
        if *renaming == Renaming::Atomic {
            match self.rename(self.temporary, self.name, RenameFlags::EXCHANGE) {
                Ok(()) => return Ok(Swap::Done),
                Err(Errno::NOENT) => return Ok(Swap::Refused),
                Err(errno) if is_unsupported(errno) => *renaming = Renaming::Checked,
                Err(errno) => return Err(errno.into()),
            }
        }
        if self.at_path(from.bytes)? != AtPath::File(from) {
            return Ok(Swap::Refused);
        }
        rustix::fs::renameat(self.directory, self.temporary, self.directory, self.name)?;
        Ok(Swap::Done)
    }

    /// Renames the path to the temporary name.
    fn take_out(&self, renaming: &mut Renaming) -> io::Result<Swap> {
        if *renaming == Renaming::Atomic {
            match self.rename(self.name, self.temporary, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(Swap::Done),
                Err(Errno::EXIST | Errno::NOENT) => return Ok(Swap::Refused),
                Err(errno) if is_unsupported(errno) => *renaming = Renaming::Checked,
                Err(errno) => return Err(errno.into()),
            }
        }
        // The temporary name is random, so nobody takes it between this look and the rename.
        if !matches!(self.contents(self.temporary, 0)?, Looked::Nothing) {
            return Ok(Swap::Refused);
        }
        match rustix::fs::renameat(self.directory, self.name, self.directory, self.temporary) {
            Ok(()) => Ok(Swap::Done),
            Err(Errno::NOENT) => Ok(Swap::Refused),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Renames the temporary name to the path, which must be free.
    fn put_in(&self, renaming: &mut Renaming, between: &mut dyn FnMut()) -> io::Result<Swap> {
        if *renaming == Renaming::Atomic {
            match self.rename(self.temporary, self.name, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    between();
                    return Ok(Swap::Done);
                }
                Err(Errno::EXIST | Errno::NOENT) => return Ok(Swap::Refused),
                Err(errno) if is_unsupported(errno) => *renaming = Renaming::Checked,
                Err(errno) => return Err(errno.into()),
            }
        }
        match rustix::fs::linkat(self.directory, self.temporary, self.directory, self.name, AtFlags::empty()) {
            Ok(()) => {
                between();
                self.clear()?;
                Ok(Swap::Done)
            }
            Err(Errno::EXIST | Errno::NOENT) => Ok(Swap::Refused),
            Err(errno) if is_unsupported(errno) => {
                if !matches!(self.contents(self.name, 0)?, Looked::Nothing) {
                    return Ok(Swap::Refused);
                }
                rustix::fs::renameat(self.directory, self.temporary, self.directory, self.name)?;
                between();
                Ok(Swap::Done)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<(), Errno> {
        rustix::fs::renameat_with(self.directory, from, self.directory, to, flags)
    }

    fn contents(&self, name: &str, limit: u64) -> io::Result<Looked> {
        let open = |flags| match rustix::fs::openat(self.directory, name, flags, Permissions::empty()) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(io::Error::from(errno)),
        };
        Ok(match examine(&open, io::Error::from)? {
            Examined::Absent => Looked::Nothing,
            Examined::Directory => Looked::Directory,
            Examined::Other(_) => Looked::Other,
            Examined::Link(contents) => Looked::File(contents),
            Examined::File(mut file, mode, _) => match read_whole(&mut file, limit)? {
                Some(bytes) => Looked::File(Contents { bytes, mode }),
                None => Looked::Other,
            },
        })
    }
}

enum Looked {
    Nothing,
    File(Contents),
    Directory,
    Other,
}

/// No file of a plan is larger than this.
pub(super) fn limit_of(change: &Change) -> u64 {
    [change.before, change.after].into_iter().flatten().map(|state| state.bytes).max().unwrap_or(0)
}

pub(super) fn blob_failed(error: BlobError) -> io::Error {
    io::Error::other(error)
}

/// Gives the new file the permissions of the old one, and its owner where the kernel lets us: an editor that runs as
/// the user cannot do more either.
fn keep_rights(file: &File, old: &Stat, executable: bool) -> io::Result<()> {
    let new = rustix::fs::fstat(file)?;
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid) {
        let owner = (Some(Uid::from_raw(old.st_uid)), Some(Gid::from_raw(old.st_gid)));
        if let Err(errno) = rustix::fs::fchown(file, owner.0, owner.1)
            && errno != Errno::PERM
        {
            return Err(errno.into());
        }
    }
    let kept = old.st_mode & 0o777;
    let bits = if executable { kept | 0o100 | (kept & 0o044) >> 2 } else { kept & !0o111 };
    rustix::fs::fchmod(file, Permissions::from_raw_mode(bits))?;
    Ok(())
}

fn is_unsupported(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::XDEV | Errno::NOTSUP)
}
