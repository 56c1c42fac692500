//! What this machine has: places for our files, git, a terminal.

use super::{Finding, bad, good, note};
use crate::child::{Program, said};
use crate::run::ConfigReader;
use crate::terminal::size;
use rustix::process::geteuid;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use wire::places::Places;

/// Where our files lie, and whether they can.
pub(super) fn places(places: &Places, reader: Option<ConfigReader>) -> Vec<Finding> {
    let socket = places.sockets.first().map_or_else(|| "nowhere".to_owned(), |path| path.display().to_string());
    vec![
        good("places", format!("state in {}, socket at {socket}", places.state_dir.display())),
        directory("state directory", &places.state_dir),
        configuration(&places.config_file, reader),
    ]
}

/// Whether a directory is ours, private, and can be written; one that is not there yet is made by the daemon.
fn directory(name: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return parent_of(name, path),
        Err(error) => {
            return bad(name, format!("{shown} cannot be looked at: {error}"), "make it yours, or set TINKERBELL_HOME");
        }
    };
    if !about.is_dir() {
        return bad(name, format!("{shown} is not a directory"), "move it away, or set TINKERBELL_HOME");
    }
    if about.uid() != geteuid().as_raw() {
        return bad(name, format!("{shown} belongs to another user"), "set TINKERBELL_HOME to a directory of your own");
    }
    if about.mode() & 0o077 != 0 {
        return bad(name, format!("{shown} can be entered by others"), format!("chmod 700 {shown}"));
    }
    match is_writable(path) {
        true => good(name, format!("{shown} is private and can be written")),
        false => bad(name, format!("{shown} cannot be written"), "make it writable, or set TINKERBELL_HOME"),
    }
}

fn parent_of(name: &'static str, path: &Path) -> Finding {
    let there = path.ancestors().skip(1).find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    match is_writable(there) {
        true => good(name, format!("{} is not there yet and can be made", path.display())),
        false => bad(
            name,
            format!("{} is not there and cannot be made: {} cannot be written", path.display(), there.display()),
            "make it writable, or set TINKERBELL_HOME",
        ),
    }
}

fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

/// Whether a daemon could begin with the file as it stands.
fn configuration(path: &Path, reader: Option<ConfigReader>) -> Finding {
    let Some(read) = reader else {
        return note("configuration", format!("{} was not read", path.display()), "tinkerbell config check");
    };
    match read(path) {
        Ok(words) => good("configuration", words),
        Err(words) => bad("configuration", words, "tinkerbell config edit"),
    }
}

/// Git makes the commits of `accept --commit`, with the user's own hooks; the canvas does without.
pub(super) fn git() -> Finding {
    match said(&Program::Named("git", &["--version"])) {
        Some(version) => good("git", version),
        None => note("git", "it cannot be run", "install it for `tinkerbell accept --commit`; all else works without"),
    }
}

/// What the terminal can show.
pub(super) fn terminal() -> Finding {
    let term = std::env::var("TERM").unwrap_or_default();
    match size() {
        None => good("terminal", "output goes elsewhere: plain text, no pager, no questions"),
        Some(_) if term.is_empty() || term == "dumb" => {
            note("terminal", format!("TERM is {term:?}: no colours"), "set TERM to what your terminal is")
        }
        Some(size) => good("terminal", format!("{term}, {} columns and {} rows", size.columns, size.rows)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_configuration_that_keeps_the_daemon_from_starting_is_a_fault_with_its_way_out() {
        let path = Path::new("/c.toml");
        assert_eq!(configuration(path, Some(|_| Ok("fine".to_owned()))).state, State::Good);
        let wrong = configuration(path, Some(|_| Err("line 2: no such key".to_owned())));
        assert_eq!((wrong.state, wrong.detail.as_str()), (State::Missing, "line 2: no such key"));
        assert_eq!(wrong.remedy.as_deref(), Some("tinkerbell config edit"));
    }

    #[test]
    fn a_directory_must_be_private_and_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let set = |mode| std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        set(0o700);
        assert_eq!(directory("d", dir.path()).state, State::Good);
        assert_eq!(directory("d", &dir.path().join("a/b")).state, State::Good);
        set(0o755);
        let open = directory("d", dir.path());
        assert_eq!((open.state, open.remedy), (State::Missing, Some(format!("chmod 700 {}", dir.path().display()))));
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(directory("d", &file).state, State::Missing);
    }
}
