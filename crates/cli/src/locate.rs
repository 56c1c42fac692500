//! Finds the daemon's socket and makes sure that it is ours before a byte is sent.
//!
//! `/tmp` is shared, so a socket there may be anybody's: the kernel says who listens, and nobody but our own user is
//! talked to. A path that somebody named is the only one tried. Otherwise the lock file of our state directory says
//! where the daemon listens, if it does; and if that leads nowhere the places where daemons listen are tried in turn.

use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, Uid, geteuid};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use wire::places::{Places, Running};
use wire::{Code, Problem};

/// The longest lock file that is read, in bytes.
const MAX_LOCK_FILE_BYTES: u64 = 4096;

/// A connection to a process of our own user.
#[derive(Debug)]
pub(crate) struct Found {
    /// The connection.
    pub(crate) stream: UnixStream,
    /// Where it leads.
    pub(crate) path: PathBuf,
    /// The process that listens.
    pub(crate) pid: Pid,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    /// Nobody listens; a daemon can be started.
    #[error("the daemon is not running: nobody listens on {}", list(.tried))]
    Absent {
        /// Where we looked.
        tried: Vec<PathBuf>,
    },
    /// Somebody else listens.
    #[error("the socket {path} belongs to another user (uid {uid}); nothing was sent to it", path = .path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// Who listens.
        uid: u32,
    },
    /// The kernel refused.
    #[error("cannot connect to the socket {path}: {error}", path = .path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
}

impl Unreachable {
    /// The same as a problem document.
    pub(crate) fn problem(&self) -> Problem {
        let detail = self.to_string();
        match self {
            Unreachable::Absent { .. } => {
                Problem::new(Code::NoDaemon, detail).remedy("start it with `tinkerbell daemon start`")
            }
            Unreachable::Foreign { .. } => Problem::new(Code::Forbidden, detail)
                .remedy("choose a socket of your own with --socket or TINKERBELL_SOCKET"),
            Unreachable::Refused { .. } => Problem::new(Code::NoDaemon, detail)
                .remedy("see `tinkerbell doctor`, or choose another socket with --socket or TINKERBELL_SOCKET"),
        }
    }
}

/// Connects to the daemon.
pub(crate) fn connect(places: &Places) -> Result<Found, Unreachable> {
    connect_as(places, geteuid())
}

fn connect_as(places: &Places, us: Uid) -> Result<Found, Unreachable> {
    let mut tried: Vec<PathBuf> = Vec::new();
    let announced = if places.socket_chosen { None } else { announced(places).and_then(|running| running.socket) };
    for path in announced.iter().chain(&places.sockets) {
        if tried.contains(path) {
            continue;
        }
        match connect_to(path, us) {
            Ok(found) => return Ok(found),
            // Where nobody said which socket, one that is not ours is passed by: the daemon passed it by as well.
            Err(Unreachable::Absent { .. }) => tried.push(path.clone()),
            Err(Unreachable::Foreign { .. } | Unreachable::Refused { .. }) if !places.socket_chosen => {
                tried.push(path.clone());
            }
            Err(other) => return Err(other),
        }
    }
    Err(Unreachable::Absent { tried })
}

fn connect_to(path: &Path, us: Uid) -> Result<Found, Unreachable> {
    let path = path.to_owned();
    let stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Err(Unreachable::Absent { tried: vec![path] });
        }
        Err(error) => return Err(Unreachable::Refused { path, error }),
    };
    match socket_peercred(&stream) {
        Ok(peer) if peer.uid == us => Ok(Found { stream, path, pid: peer.pid }),
        Ok(peer) => Err(Unreachable::Foreign { path, uid: peer.uid.as_raw() }),
        Err(error) => Err(Unreachable::Refused { path, error: error.into() }),
    }
}

/// What the lock file says of a daemon, if it is a file that only we could have written. The daemon need not live.
pub(crate) fn announced(places: &Places) -> Option<Running> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::open(places.lock_file(), flags, Mode::empty()).ok()?;
    let about = rustix::fs::fstat(&file).ok()?;
    if about.st_uid != geteuid().as_raw() || about.st_mode & 0o077 != 0 {
        return None;
    }
    let mut text = Vec::with_capacity(256);
    File::from(file).take(MAX_LOCK_FILE_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    fn places(dir: &Path, sockets: &[&str], socket_chosen: bool) -> Places {
        let sockets = sockets.iter().map(|name| dir.join(name)).collect();
        Places { config_file: dir.join("config.toml"), state_dir: dir.to_owned(), sockets, socket_chosen }
    }

    fn announce(dir: &Path, socket: &str, mode: u32) {
        let running = Running { pid: 1, version: "0.1.0".into(), socket: Some(dir.join(socket)) };
        let file = dir.join("daemon.lock");
        std::fs::write(&file, serde_json::to_vec(&running).unwrap()).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_lock_file_leads_to_the_socket_and_a_dead_end_is_passed_by() {
        let dir = tempfile::tempdir().unwrap();
        let _announced = UnixListener::bind(dir.path().join("announced")).unwrap();
        let _usual = UnixListener::bind(dir.path().join("usual")).unwrap();
        let places = places(dir.path(), &["nobody", "usual"], false);
        assert_eq!(connect(&places).unwrap().path, dir.path().join("usual"));
        announce(dir.path(), "announced", 0o600);
        let found = connect(&places).unwrap();
        assert_eq!(found.path, dir.path().join("announced"));
        assert_eq!(found.pid, rustix::process::getpid());
        announce(dir.path(), "gone", 0o600);
        assert_eq!(connect(&places).unwrap().path, dir.path().join("usual"));
    }

    #[test]
    fn a_lock_file_that_others_could_have_written_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let _announced = UnixListener::bind(dir.path().join("announced")).unwrap();
        announce(dir.path(), "announced", 0o644);
        let missing = connect(&places(dir.path(), &["usual"], false)).unwrap_err();
        assert!(matches!(missing, Unreachable::Absent { tried } if tried == [dir.path().join("usual")]));
    }

    #[test]
    fn a_socket_that_was_named_is_the_only_one_tried() {
        let dir = tempfile::tempdir().unwrap();
        let _announced = UnixListener::bind(dir.path().join("announced")).unwrap();
        announce(dir.path(), "announced", 0o600);
        let named = connect(&places(dir.path(), &["named"], true)).unwrap_err();
        assert_eq!(named.problem().code, Code::NoDaemon);
        assert!(named.to_string().contains("named"), "{named}");
    }

    #[test]
    fn nobody_but_our_own_user_is_talked_to() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("theirs")).unwrap();
        let somebody = Uid::from_raw(geteuid().as_raw() + 1);
        let refused = connect_as(&places(dir.path(), &["theirs"], true), somebody).unwrap_err();
        assert!(matches!(refused, Unreachable::Foreign { .. }), "{refused}");
        assert_eq!(refused.problem().code, Code::Forbidden);
        let passed_by = connect_as(&places(dir.path(), &["theirs"], false), somebody).unwrap_err();
        assert!(matches!(passed_by, Unreachable::Absent { .. }), "{passed_by}");
    }
}
