//! The socket that a service manager has opened for us (sd_listen_fds(3)), so that the daemon starts when somebody comes.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Its descriptor; more than one is a mistake of whoever wrote the unit. To be called before anything else is opened, and
/// once.
pub(crate) fn socket() -> io::Result<Option<OwnedFd>> {
    // SAFETY: the manager names these for this process alone, by its pid, and nobody here has opened anything yet, so
    // nobody else owns them.
    let mut given = sd_notify::listen_fds()?.map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) });
    let first = given.next();
    match given.next() {
        None => Ok(first),
        Some(_) => Err(io::Error::other("the service manager passed more than one socket; give the daemon one")),
    }
}
