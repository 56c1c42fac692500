//! Programs that the command line runs beside the daemon: a pager, the viewer of manual pages, git for its version.
//!
//! They belong to the user and not to us, so none of them is given a key: what looks like one is taken out of their
//! environment, whoever put it there.

use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Ends of the names of variables that hold secrets, in capitals.
const SECRET_ENDS: [&str; 7] =
    ["API_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "ACCESS_KEY", "SECRET_KEY", "_CREDENTIALS"];
/// What `less` is told where nobody said otherwise: leave short texts alone, show colours, do not clear the screen.
const LESS_OPTIONS: &str = "FRX";
/// What a shell answers for a program that is not there.
const NOT_FOUND_STATUS: i32 = 127;

/// A program that reads from its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    /// A line that somebody configured, for the shell.
    Shell(String),
    /// A program with its arguments.
    Named(&'static str, &'static [&'static str]),
}

/// What became of a text that was fed to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fed {
    /// The program took what it wanted of it.
    Taken,
    /// There is no such program.
    NoProgram,
}

/// Runs a program with `text` as its standard input, until it ends.
pub(crate) fn feed(program: &Program, text: &[u8]) -> io::Result<Fed> {
    let mut command = command(program);
    let mut child = match command.stdin(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Fed::NoProgram),
        Err(error) => return Err(error),
    };
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(text));
    let status = child.wait()?;
    match written {
        // A pager that was left early wants no more.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ if status.code() == Some(NOT_FOUND_STATUS) => Ok(Fed::NoProgram),
        _ => Ok(Fed::Taken),
    }
}

/// What a program says on its standard output; `None` where there is none or it fails.
pub(crate) fn said(program: &Program) -> Option<String> {
    let output = command(program).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn command(program: &Program) -> Command {
    let mut command = match program {
        Program::Shell(line) => {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", line]);
            shell
        }
        Program::Named(name, arguments) => {
            let mut named = Command::new(name);
            named.args(*arguments);
            named
        }
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_secret(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", LESS_OPTIONS);
    }
    command
}

/// Whether a variable's name says that it holds a secret. A variable of another name that the configuration takes a key
/// from is not known here: the configuration is the daemon's, and its keys never come to the command line.
fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    let is_ours = name.starts_with("TINKERBELL_") && (name.contains("KEY") || name.contains("TOKEN"));
    is_ours || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_secret_is_known_by_its_name() {
        for name in ["ANTHROPIC_API_KEY", "github_token", "AWS_SECRET_ACCESS_KEY", "X_SECRET", "TINKERBELL_KEY_WORK"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["PATH", "LESS", "KEYBOARD", "TINKERBELL_SESSION", "XDG_DATA_HOME"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_child_has_none_of_the_secrets_that_we_have() {
        let removed: Vec<String> = command(&Program::Named("true", &[]))
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        let ours = std::env::vars().map(|(name, _)| name).filter(|name| is_secret(name));
        assert_eq!(ours.filter(|name| !removed.contains(name)).collect::<Vec<_>>(), Vec::<String>::new());
        let listed = said(&Program::Shell("env".into())).unwrap();
        let left = listed.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| is_secret(name));
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn text_is_fed_whole_or_as_far_as_it_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy");
        let text = "line\n".repeat(100_000);
        let cat = Program::Shell(format!("cat > {}", copy.display()));
        assert_eq!(feed(&cat, text.as_bytes()).unwrap(), Fed::Taken);
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), text);
        let early = Program::Shell("exit 0".into());
        assert_eq!(feed(&early, text.as_bytes()).unwrap(), Fed::Taken);
    }

    #[test]
    fn a_program_that_is_not_there_is_no_error() {
        assert_eq!(feed(&Program::Named("there-is-no-such-pager", &[]), b"x").unwrap(), Fed::NoProgram);
        let configured = Program::Shell("there-is-no-such-pager -R 2>/dev/null".into());
        assert_eq!(feed(&configured, b"x").unwrap(), Fed::NoProgram);
        assert_eq!(said(&Program::Named("there-is-no-such-git", &["--version"])), None);
    }
}
