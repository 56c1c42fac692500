//! The key's file: `audit.key` in the state directory, for its user alone.

use ed25519_dalek::SigningKey;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The file's name in the state directory.
pub(super) const FILE_NAME: &str = "audit.key";
/// Its first line; the second is the secret in hexadecimal.
const FIRST_LINE: &str = "tinkerbell audit key 1";
/// The most that is read of it.
const MAX_FILE_BYTES: u64 = 4096;

/// Why there is no key to sign with.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum KeyError {
    /// Others may use it.
    #[error(
        "{0} can be read or written by others, or belongs to somebody else, so nothing is signed with it; make it private with `chmod 600`, or move it away for a new key, and restart the daemon"
    )]
    Open(PathBuf),
    /// It is no key.
    #[error("{0} holds no key of tinkerbell; move it away for a new key, and restart the daemon")]
    Strange(PathBuf),
    /// It cannot be read or made.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

/// The key of this state, made where there is none. Blocks.
pub(super) fn read_or_make(state_dir: &Path) -> Result<SigningKey, KeyError> {
    let path = state_dir.join(FILE_NAME);
    match open(&path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(file) => read(file, &path),
        Err(Errno::NOENT) => make(state_dir, &path),
        Err(Errno::LOOP) => Err(KeyError::Strange(path)),
        Err(error) => Err(failed(&path, error.into())),
    }
}

fn open(path: &Path, flags: OFlags) -> Result<File, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

fn read(file: File, path: &Path) -> Result<SigningKey, KeyError> {
    let stat = rustix::fs::fstat(&file).map_err(|error| failed(path, error.into()))?;
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(KeyError::Strange(path.to_owned()));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
        return Err(KeyError::Open(path.to_owned()));
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|error| failed(path, error))?;
    let mut lines = text.lines();
    // A public key is written as a secret one is: 32 bytes in hexadecimal.
    let secret = lines.next().filter(|first| *first == FIRST_LINE).and_then(|_| lines.next()?.parse().ok());
    let secret: agent::PublicKey = secret.ok_or_else(|| KeyError::Strange(path.to_owned()))?;
    Ok(SigningKey::from_bytes(&secret.0))
}

/// Written beside its place, synced and renamed into it, so that a kill leaves a whole key or none.
fn make(state_dir: &Path, path: &Path) -> Result<SigningKey, KeyError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| failed(path, io::Error::other(error.to_string())))?;
    let fresh = state_dir.join(format!(".{FILE_NAME}.new"));
    // What was left behind by a kill.
    let _ = std::fs::remove_file(&fresh);
    let write = || -> io::Result<()> {
        let mut file = open(&fresh, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        file.write_all(format!("{FIRST_LINE}\n{}\n", wire::audit::hex(&secret)).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        File::open(state_dir)?.sync_all()
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(&fresh);
        failed(path, error)
    })?;
    Ok(SigningKey::from_bytes(&secret))
}

fn failed(path: &Path, error: io::Error) -> KeyError {
    KeyError::Io { path: path.to_owned(), error: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_for_its_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let made = read_or_make(dir.path()).unwrap();
        let path = dir.path().join(FILE_NAME);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(dir.path()).unwrap().to_bytes(), made.to_bytes());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_may_read_and_what_is_no_key_are_refused_and_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        read_or_make(dir.path()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_or_make(dir.path()), Err(KeyError::Open(_))));
        for strange in ["", "tinkerbell audit key 1\n", "tinkerbell audit key 1\nabc\n", "a key\n"] {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, strange).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(read_or_make(dir.path()), Err(KeyError::Strange(_))), "{strange:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), strange);
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(matches!(read_or_make(dir.path()), Err(KeyError::Strange(_))));
    }
}
