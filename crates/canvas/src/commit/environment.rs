//! What the user's git is given of the world.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// How long a commit may take, its hooks and its signing included.
pub const COMMIT_LIMIT: Duration = Duration::from_secs(120);

/// What git, hooks and signing need. Everything else of the daemon's environment, keys of providers above all, is none
/// of their business.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "GPG_TTY",
    "GNUPGHOME",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
];
const PASSED_ON_PREFIXES: &[&str] = &["LC_", "XDG_"];

/// How a commit is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitOptions {
    /// The user's git: a name that is looked for in `PATH`, or a path.
    pub program: PathBuf,
    /// The whole environment of git and of what it starts.
    pub environment: BTreeMap<OsString, OsString>,
    /// How long it may take.
    pub limit: Duration,
}

impl CommitOptions {
    /// The `git` in `PATH`, given of these variables what git, its hooks and signing need.
    pub fn of_environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> CommitOptions {
        let environment = variables.into_iter().filter(|(name, _)| is_passed_on(name)).collect();
        CommitOptions { program: PathBuf::from("git"), environment, limit: COMMIT_LIMIT }
    }
}

fn is_passed_on(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    PASSED_ON.contains(&name) || PASSED_ON_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_providers_and_settings_of_other_programs_stay_behind() {
        let given = ["PATH", "HOME", "LC_TIME", "XDG_CONFIG_HOME", "ANTHROPIC_API_KEY", "GIT_DIR", "LD_PRELOAD"];
        let options = CommitOptions::of_environment(given.map(|name| (name.into(), "x".into())));
        let names: Vec<_> = options.environment.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, ["HOME", "LC_TIME", "PATH", "XDG_CONFIG_HOME"]);
    }
}
