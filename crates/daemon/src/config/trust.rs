//! Whose word a configuration is. A daemon that runs believes a new one only where nobody but its user (or root) can have
//! written it: what it says may loosen permissions. So file and directories are looked at, of a link also where it leads.
//!
//! A group may write where it is the user's own, which is how many systems set up homes: same number, nobody else in it.

use super::fault::ConfigError;
use super::file::{open, text};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Reads a file as long as it is the user's own word; `None` where there is none.
pub(crate) fn read_own(path: &Path) -> Result<Option<String>, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let us = rustix::process::geteuid().as_raw();
    // What is open is judged, not what lies there by now. Of a device such as `/dev/null` nobody writes what it says.
    let metadata = file.metadata().map_err(unreadable)?;
    let mut judged = Vec::new();
    if metadata.is_file() {
        judged.push((path.to_owned(), metadata));
    }
    let real = path.canonicalize().map_err(unreadable)?;
    let mut directories: Vec<&Path> = [path.parent(), real.parent()].into_iter().flatten().collect();
    directories.dedup();
    for directory in directories {
        judged.push((directory.to_owned(), std::fs::metadata(directory).map_err(unreadable)?));
    }
    for (place, metadata) in judged {
        if let Some(why) = foreign(&place, us, &metadata) {
            return Err(ConfigError::Foreign { path: path.to_owned(), why });
        }
    }
    text(path, file).map(Some)
}

/// Who else could have changed what lies here, with the way out.
fn foreign(place: &Path, us: u32, metadata: &Metadata) -> Option<String> {
    let place = place.display();
    let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode());
    if owner != us && owner != 0 {
        return Some(format!("{place} belongs to user {owner}; make it your own with `chown`"));
    }
    let by_group = mode & 0o020 != 0 && group != us && group != 0;
    let by_all = mode & 0o002 != 0;
    (by_group || by_all).then(|| format!("{place} can be written by others; `chmod go-w {place}` makes it yours alone"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_or_a_directory_that_others_can_write_is_not_believed() {
        let home = tempfile::tempdir().unwrap();
        let (file, link) = (home.path().join("config.toml"), home.path().join("link.toml"));
        let elsewhere = home.path().join("open");
        std::fs::write(&file, "limits.steps = 9").unwrap();
        std::fs::create_dir(&elsewhere).unwrap();
        assert_eq!(read_own(&file).unwrap().as_deref(), Some("limits.steps = 9"));
        assert_eq!(read_own(&home.path().join("none")).unwrap(), None);

        std::fs::set_permissions(&file, Permissions::from_mode(0o646)).unwrap();
        let said = read_own(&file).unwrap_err().to_string();
        assert!(said.contains("config.toml can be written by others; `chmod go-w"), "{said}");
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();

        std::fs::rename(&file, elsewhere.join("config.toml")).unwrap();
        std::os::unix::fs::symlink(elsewhere.join("config.toml"), &link).unwrap();
        assert!(read_own(&link).unwrap().is_some());
        std::fs::set_permissions(&elsewhere, Permissions::from_mode(0o777)).unwrap();
        let said = read_own(&link).unwrap_err().to_string();
        assert!(said.contains("open can be written by others"), "{said}");
    }
}
