//! The Unix socket: where it may lie, who may enter.
//!
//! `/tmp` is shared with others, so: its directory must be sticky or ours; bind follows no link; a stale socket is
//! removed only with the daemon's lock held, after a refused connect, and when it is a socket of ours; every peer's
//! uid is checked.

use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketType};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::{UnixListener, UnixStream};
use wire::GivenSocket;

/// Why a socket cannot be opened at a path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// Others could replace it.
    #[error("{0} can be written by others and is not sticky, so no socket is safe there")]
    UnsafeDirectory(PathBuf),
    /// Something else is there.
    #[error("{0} is there and is not a socket of ours; it was left alone")]
    Taken(PathBuf),
    /// Somebody listens there who does not hold the lock on our state directory.
    #[error("somebody listens on {0} already")]
    InUse(PathBuf),
    /// A descriptor that was handed over is none of a socket that listens there.
    #[error("what was handed over is no socket that listens on {0}")]
    NoListener(PathBuf),
    /// The kernel refused.
    #[error("cannot listen on {path}: {error}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
}

/// A socket that listens; its file is removed when it is dropped, if it is ours.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
    /// Whether the file goes with it: not where somebody else made it, nor while another process has the socket.
    ours: AtomicBool,
    /// Whether the file is to go with it once the process that gave it away is gone.
    given: bool,
}

/// Connections that wait in the kernel until they are accepted, as many as it allows: a hand-over lasts a moment.
const BACKLOG: i32 = 4096;

impl Socket {
    /// Opens the first of `candidates` that may be used. The caller holds the daemon's lock. The mask of the process stays as
    /// it is, since other threads make files meanwhile: whoever connects before the mode is set is another user, and
    /// refused like any.
    pub(crate) fn open(candidates: &[PathBuf]) -> Result<Socket, SocketError> {
        let mut first = None;
        for path in candidates {
            match Socket::open_one(path) {
                Ok(socket) => return Ok(socket),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or(SocketError::Io { path: PathBuf::new(), error: io::ErrorKind::NotFound.into() }))
    }

    fn open_one(path: &Path) -> Result<Socket, SocketError> {
        let failed = |error| SocketError::Io { path: path.to_owned(), error };
        safe_directory(path)?;
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, private).inspect_err(|_| drop(std::fs::remove_file(path))).map_err(failed)?;
        let inode = std::fs::symlink_metadata(path).map_err(failed)?.ino();
        Ok(Socket { listener, path: path.to_owned(), inode, ours: AtomicBool::new(true), given: false })
    }

    /// Takes over a socket that listens already, by its descriptor. What waits in it is not lost. Its file stays that of
    /// whoever gave it, who goes on where we fail, until [`Socket::is_ours_alone`].
    pub(crate) fn adopt(descriptor: OwnedFd, given: GivenSocket) -> Result<Socket, SocketError> {
        let GivenSocket { path, ours } = given;
        let failed = |error| SocketError::Io { path: path.clone(), error };
        let listens = || -> Result<bool, rustix::io::Errno> {
            let is_unix = rustix::net::sockopt::socket_domain(&descriptor)? == AddressFamily::UNIX;
            let is_stream = rustix::net::sockopt::socket_type(&descriptor)? == SocketType::STREAM;
            Ok(is_unix && is_stream && rustix::net::sockopt::socket_acceptconn(&descriptor)?)
        };
        if !listens().map_err(|error| failed(error.into()))? {
            return Err(SocketError::NoListener(path));
        }
        // Listening anew keeps what waits, and from then on the kernel tells peers our process and user in the place of
        // whoever listened first.
        rustix::net::listen(&descriptor, BACKLOG).map_err(|error| failed(error.into()))?;
        let listener = std::os::unix::net::UnixListener::from(descriptor);
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        if bound.as_pathname() != Some(&path) {
            return Err(SocketError::NoListener(path));
        }
        let inode = std::fs::symlink_metadata(&path).map_or(0, |metadata| metadata.ino());
        let listener = UnixListener::from_std(listener).map_err(failed)?;
        Ok(Socket { listener, path, inode, ours: AtomicBool::new(false), given: ours })
    }

    /// Takes a socket that a service manager opened for us. Its file is the manager's.
    pub(crate) fn activated(descriptor: OwnedFd) -> Result<Socket, SocketError> {
        let listener = std::os::unix::net::UnixListener::from(descriptor);
        let path = listener.local_addr().ok().and_then(|address| address.as_pathname().map(Path::to_owned));
        let path = path.ok_or_else(|| SocketError::NoListener(PathBuf::from("a path")))?;
        safe_directory(&path)?;
        let failed = |error| SocketError::Io { path: path.clone(), error };
        if std::fs::symlink_metadata(&path).map_err(failed)?.uid() != rustix::process::geteuid().as_raw() {
            return Err(SocketError::Taken(path));
        }
        Socket::adopt(listener.into(), GivenSocket { path, ours: false })
    }

    /// What is said of it to the process that takes it over.
    pub(crate) fn given(&self) -> GivenSocket {
        GivenSocket { path: self.path.clone(), ours: self.ours.load(Ordering::Relaxed) }
    }

    /// Another process has it: its file stays when we leave.
    pub(crate) fn was_given_away(&self) {
        self.ours.store(false, Ordering::Relaxed);
    }

    /// Whoever gave it to us needs it no more.
    pub(crate) fn is_ours_alone(&self) {
        self.ours.fetch_or(self.given, Ordering::Relaxed);
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection of our own user; others are hung up on. Cancel-safe.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            match socket_peercred(&stream) {
                Ok(peer) if peer.uid == rustix::process::geteuid() => return Ok(stream),
                Ok(peer) => tracing::warn!(uid = peer.uid.as_raw(), "another user knocked and was refused"),
                Err(error) => tracing::warn!(%error, "a peer without credentials was refused"),
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A successor may have put its own socket there.
        let ours = self.ours.load(Ordering::Relaxed);
        if ours && std::fs::symlink_metadata(&self.path).is_ok_and(|now| now.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

fn safe_directory(path: &Path) -> Result<(), SocketError> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let metadata = std::fs::metadata(dir).map_err(|error| SocketError::Io { path: dir.to_owned(), error })?;
    let mode = metadata.permissions().mode();
    let (sticky, written_by_others) = (mode & 0o1000 != 0, mode & 0o022 != 0);
    let ours = metadata.uid() == rustix::process::geteuid().as_raw() || metadata.uid() == 0;
    if ours && (sticky || !written_by_others) { Ok(()) } else { Err(SocketError::UnsafeDirectory(dir.to_owned())) }
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let metadata = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SocketError::Io { path: path.to_owned(), error }),
        Ok(metadata) => metadata,
    };
    if !metadata.file_type().is_socket() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(SocketError::Taken(path.to_owned()));
    }
    match BlockingStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|error| SocketError::Io { path: path.to_owned(), error })
        }
        Err(error) => Err(SocketError::Io { path: path.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_of_ours_is_taken_over_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = Socket::open(std::slice::from_ref(&path)).unwrap();
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Socket::open(std::slice::from_ref(&path)), Err(SocketError::InUse(_))));
        drop(socket);
        assert!(!path.exists());
        for (name, make) in [
            ("file", &(|p: &Path| std::fs::write(p, "mine").unwrap()) as &dyn Fn(&Path)),
            ("link", &|p: &Path| std::os::unix::fs::symlink("/nowhere", p).unwrap()),
        ] {
            let path = dir.path().join(name);
            make(&path);
            assert!(matches!(Socket::open(std::slice::from_ref(&path)), Err(SocketError::Taken(_))), "{name}");
            assert!(std::fs::symlink_metadata(&path).is_ok(), "{name} was left alone");
        }
    }

    #[tokio::test]
    async fn a_directory_that_others_can_write_is_refused_unless_it_is_sticky() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Socket::open(std::slice::from_ref(&path)), Err(SocketError::UnsafeDirectory(_))));
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(Socket::open(std::slice::from_ref(&path)).is_ok());
    }
}
