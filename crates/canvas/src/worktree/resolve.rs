//! From a path to a descriptor, by the kernel and beneath the root.

use super::{WorkTree, WorkTreeError};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode as Permissions, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use wire::RelPath;

/// The kernel answers EAGAIN when a rename ran into the resolution; more often than this in a row is an attack.
const MAX_RACES: usize = 1000;

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
const INSIDE_WITHOUT_LINKS: ResolveFlags = INSIDE.union(ResolveFlags::NO_SYMLINKS);

impl WorkTree {
    /// Fails where the kernel could not hold us inside.
    pub(super) fn probe(&self) -> Result<(), WorkTreeError> {
        match self.resolve(Path::new("."), OFlags::PATH | OFlags::DIRECTORY, INSIDE) {
            Ok(_) => Ok(()),
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => Err(WorkTreeError::NoOpenat2 { at: self.at.clone() }),
            Err(errno) => Err(WorkTreeError::NotOpened { at: self.at.clone(), source: errno.into() }),
        }
    }

    /// Opens `path`, of which the last name is not followed; `None` when nothing is there.
    pub(super) fn open_to_read(&self, path: &RelPath, flags: OFlags) -> Result<Option<OwnedFd>, WorkTreeError> {
        let flags = flags | OFlags::NOFOLLOW;
        let opened = match self.resolve(path.as_ref(), flags, INSIDE_WITHOUT_LINKS) {
            // Without `O_PATH` this is also the answer for a last name that is a link.
            Err(Errno::LOOP) => match self.resolve(path.as_ref(), flags, INSIDE) {
                Ok(file) => return self.outside_git(path, &file).map(|()| Some(file)),
                other => other,
            },
            other => other,
        };
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(Errno::XDEV) => Err(WorkTreeError::Outside(path.clone())),
            Err(Errno::LOOP) => Err(WorkTreeError::Unfollowable(path.clone())),
            Err(errno) => Err(WorkTreeError::io("opening", path, errno.into())),
        }
    }

    /// Opens a directory through real directories only; `None` when it is not there. Of the workspace itself for
    /// `None`.
    pub(crate) fn directory_to_write(&self, directory: Option<&RelPath>) -> Result<Option<OwnedFd>, WorkTreeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let Some(path) = directory else {
            let root = self.resolve(Path::new("."), flags, INSIDE_WITHOUT_LINKS);
            return root.map(Some).map_err(|e| WorkTreeError::NotOpened { at: self.at.clone(), source: e.into() });
        };
        match self.resolve(path.as_ref(), flags, INSIDE_WITHOUT_LINKS) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR) if self.is_link(path) => Err(WorkTreeError::BehindLink(path.clone())),
            Err(Errno::NOTDIR) => Err(WorkTreeError::NotADirectory(path.clone())),
            Err(Errno::LOOP | Errno::XDEV) => Err(WorkTreeError::BehindLink(path.clone())),
            Err(errno) => Err(WorkTreeError::io("opening", path, errno.into())),
        }
    }

    /// Whether accept could write at `path`: no directory on the way is a symbolic link or something else. For tools,
    /// so that a model learns of it when it edits and not when somebody accepts.
    pub fn check_writable(&self, path: &RelPath) -> Result<(), WorkTreeError> {
        let mut above = path.parent();
        while let Some(directory) = above {
            if self.directory_to_write(Some(&directory))?.is_some() {
                return Ok(());
            }
            above = directory.parent();
        }
        Ok(())
    }

    pub(super) fn is_link(&self, path: &RelPath) -> bool {
        let opened = self.resolve(path.as_ref(), OFlags::PATH | OFlags::NOFOLLOW, INSIDE_WITHOUT_LINKS);
        let stat = opened.and_then(|file| rustix::fs::fstat(&file));
        stat.is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink())
    }

    fn resolve(&self, path: &Path, flags: OFlags, how: ResolveFlags) -> Result<OwnedFd, Errno> {
        for _ in 0..MAX_RACES {
            let opened = rustix::fs::openat2(&self.root, path, flags | OFlags::CLOEXEC, Permissions::empty(), how);
            match opened {
                Err(Errno::AGAIN | Errno::INTR) => {}
                settled => return settled,
            }
        }
        Err(Errno::AGAIN)
    }

    /// What was reached through symbolic links lies inside, but may lie in `.git`, which a [`RelPath`] cannot name.
    fn outside_git(&self, path: &RelPath, file: &OwnedFd) -> Result<(), WorkTreeError> {
        let io = |errno: Errno| WorkTreeError::io("finding the real place of", path, errno.into());
        let (root, real) = (real_path(&self.root).map_err(io)?, real_path(file).map_err(io)?);
        let below = real.strip_prefix(&root).map_err(|_| WorkTreeError::Outside(path.clone()))?;
        let in_git = below.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".git"));
        if in_git { Err(WorkTreeError::Git(path.clone())) } else { Ok(()) }
    }
}

fn real_path(file: &OwnedFd) -> Result<PathBuf, Errno> {
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let target = rustix::fs::readlinkat(CWD, link, Vec::new())?;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(target.as_bytes())))
}
