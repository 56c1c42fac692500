//! Where things lie on this machine: XDG directories, or all of it below `TINKERBELL_HOME`; and where the socket is
//! looked for. Pure: the environment comes in, paths come out.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The longest path that fits a Unix socket address on Linux, without its final NUL.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The socket that everybody knows.
pub const SHARED_SOCKET: &str = "/tmp/tinkerbell.sock";

/// Paths that follow from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The configuration file; it need not exist.
    pub config_file: PathBuf,
    /// Journal, lock, logs, pictures in git. Private to the user.
    pub state_dir: PathBuf,
    /// The sockets to try, in order: one where somebody said which, else the shared one and its fallbacks.
    pub sockets: Vec<PathBuf>,
    /// Whether somebody said which socket.
    pub socket_chosen: bool,
}

/// The environment does not say where things lie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacesError {
    /// Neither `HOME` nor `TINKERBELL_HOME` is set.
    #[error("neither HOME nor TINKERBELL_HOME is set, so there is no place for configuration and state")]
    NoHome,
    /// A directory variable holds a relative path.
    #[error("{name} is {value:?}, which is not an absolute path")]
    Relative {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: PathBuf,
    },
    /// A socket path that no socket can have.
    #[error(
        "the socket path {path:?} is {bytes} bytes long; a Unix socket's path has at most {MAX_SOCKET_PATH_BYTES}. Choose a shorter one with --socket or TINKERBELL_SOCKET"
    )]
    SocketTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
}

impl Places {
    /// Reads the environment; `socket` is what the command line said.
    pub fn from_env(
        var: &dyn Fn(&'static str) -> Option<OsString>,
        socket: Option<PathBuf>,
    ) -> Result<Places, PlacesError> {
        let home = absolute(var, "TINKERBELL_HOME")?;
        let below = |xdg: &'static str, default: &str| -> Result<PathBuf, PlacesError> {
            match absolute(var, xdg)? {
                Some(dir) => Ok(dir.join("tinkerbell")),
                None => Ok(absolute(var, "HOME")?.ok_or(PlacesError::NoHome)?.join(default).join("tinkerbell")),
            }
        };
        let (config_file, state_dir) = match &home {
            Some(home) => (home.join("config.toml"), home.join("state")),
            None => {
                (below("XDG_CONFIG_HOME", ".config")?.join("config.toml"), below("XDG_STATE_HOME", ".local/state")?)
            }
        };
        let chosen = socket.or_else(|| set(var, "TINKERBELL_SOCKET"));
        let socket_chosen = chosen.is_some();
        let sockets = match (chosen, &home) {
            (Some(path), _) => vec![checked(path)?],
            (None, Some(home)) => vec![checked(home.join("tinkerbell.sock"))?],
            (None, None) => fallbacks(var, &state_dir)?,
        };
        Ok(Places { config_file, state_dir, sockets, socket_chosen })
    }

    /// The kernel lock that makes a daemon the only one; it holds [`Running`] as JSON.
    pub fn lock_file(&self) -> PathBuf {
        self.state_dir.join("daemon.lock")
    }

    /// The daemon's log, JSON lines.
    pub fn log_file(&self) -> PathBuf {
        self.state_dir.join("log").join("daemon.log")
    }

    /// Where the canvas draws its pictures in git.
    pub fn canvas_dir(&self) -> PathBuf {
        self.state_dir.join("canvas")
    }
}

/// What the lock file says of the daemon that holds it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// The socket it listens on, once it does.
    pub socket: Option<PathBuf>,
}

fn fallbacks(var: &dyn Fn(&'static str) -> Option<OsString>, state_dir: &Path) -> Result<Vec<PathBuf>, PlacesError> {
    let mut sockets = vec![PathBuf::from(SHARED_SOCKET)];
    if let Some(runtime) = absolute(var, "XDG_RUNTIME_DIR")? {
        sockets.push(runtime.join("tinkerbell.sock"));
    }
    sockets.push(state_dir.join("tinkerbell.sock"));
    sockets.retain(|path| path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES);
    Ok(sockets)
}

fn checked(path: PathBuf) -> Result<PathBuf, PlacesError> {
    let bytes = path.as_os_str().as_bytes().len();
    if bytes > MAX_SOCKET_PATH_BYTES { Err(PlacesError::SocketTooLong { path, bytes }) } else { Ok(path) }
}

fn set(var: &dyn Fn(&'static str) -> Option<OsString>, name: &'static str) -> Option<PathBuf> {
    var(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn absolute(
    var: &dyn Fn(&'static str) -> Option<OsString>,
    name: &'static str,
) -> Result<Option<PathBuf>, PlacesError> {
    match set(var, name) {
        Some(value) if !value.is_absolute() => Err(PlacesError::Relative { name, value }),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(vars: &[(&str, &str)], socket: Option<&str>) -> Result<Places, PlacesError> {
        let vars: Vec<_> = vars.to_vec();
        let var = move |name: &'static str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        Places::from_env(&var, socket.map(PathBuf::from))
    }

    #[test]
    fn xdg_directories_are_followed_and_have_their_defaults() {
        let default = places(&[("HOME", "/home/u")], None).unwrap();
        assert_eq!(default.config_file, Path::new("/home/u/.config/tinkerbell/config.toml"));
        assert_eq!(default.state_dir, Path::new("/home/u/.local/state/tinkerbell"));
        assert_eq!(default.sockets[0], Path::new(SHARED_SOCKET));
        let moved =
            places(&[("HOME", "/home/u"), ("XDG_STATE_HOME", "/s"), ("XDG_RUNTIME_DIR", "/run/u")], None).unwrap();
        assert_eq!(moved.state_dir, Path::new("/s/tinkerbell"));
        assert_eq!(moved.sockets[1], Path::new("/run/u/tinkerbell.sock"));
    }

    #[test]
    fn one_variable_moves_all_of_it() {
        let all = places(&[("TINKERBELL_HOME", "/t")], None).unwrap();
        assert_eq!(all.config_file, Path::new("/t/config.toml"));
        assert_eq!(
            (all.state_dir.as_path(), all.sockets.as_slice()),
            (Path::new("/t/state"), &[PathBuf::from("/t/tinkerbell.sock")][..])
        );
    }

    #[test]
    fn what_cannot_be_a_place_is_an_error_that_names_it() {
        assert_eq!(places(&[], None), Err(PlacesError::NoHome));
        assert!(matches!(places(&[("HOME", "here")], None), Err(PlacesError::Relative { name: "HOME", .. })));
        let long = format!("/{}", "a".repeat(300));
        assert!(matches!(places(&[("HOME", "/h")], Some(&long)), Err(PlacesError::SocketTooLong { bytes: 301, .. })));
    }
}
