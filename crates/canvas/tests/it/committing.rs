//! A user with a repository of his own, made by real git, and sessions that commit to it.

use crate::world::*;
use agent::AcceptOutcome;
use canvas::*;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::*;

/// A session in a work tree of a repository, and the user's git.
pub(crate) struct Repo {
    pub(crate) world: World,
    pub(crate) options: CommitOptions,
}

impl Repo {
    /// A repository with one commit of `a`, `b` and `dir/c`.
    pub(crate) fn new() -> Repo {
        let repo = Repo::unborn();
        for name in ["a", "b", "dir/c"] {
            repo.world.save(name, format!("{name}\n"));
        }
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-qm", "first"]);
        repo
    }

    pub(crate) fn unborn() -> Repo {
        let world = World::new();
        let repo = Repo { options: options(&world), world };
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    pub(crate) fn at(&self) -> &Path {
        &self.world.at
    }

    /// As the user runs it: with his configuration, and no more of an environment than a commit of ours has.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_with(self.at(), &self.options, arguments)
    }

    pub(crate) fn hook(&self, name: &str, script: &str) {
        let at =
            PathBuf::from(self.git(&["rev-parse", "--path-format=absolute", "--git-path", "hooks"]).trim()).join(name);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(&at, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The session changes the files, and an accept writes them into the work tree.
    pub(crate) fn accept(&mut self, files: &[(&str, Option<&str>)]) -> Vec<RelPath> {
        let edits: Vec<_> = files.iter().map(|(name, text)| (*name, text.map(regular))).collect();
        self.world.edit(&edits);
        assert_eq!(self.world.accept(&Selection::All).outcome, AcceptOutcome::Done);
        files.iter().map(|(name, _)| path(name)).collect()
    }

    pub(crate) fn check(&self, names: &[&str]) -> Result<(), CommitError> {
        let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
        check_commit(self.at(), &paths, "message", &self.options)
    }

    pub(crate) fn commit(&self, paths: &[RelPath], message: &str) -> Result<Committed, CommitError> {
        commit(self.at(), paths, message, &self.options)
    }

    /// The entries of the index, with their blobs and flags, but for those of these paths.
    pub(crate) fn index_without(&self, names: &[&str]) -> String {
        let listed = self.git(&["ls-files", "--stage", "-t", "--full-name", "--", ":/"]);
        let is_other = |line: &&str| !names.iter().any(|name| line.ends_with(&format!("\t{name}")));
        listed.lines().filter(is_other).map(|line| format!("{line}\n")).collect()
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub(crate) fn files_of_head(&self) -> Vec<String> {
        let listed = self.git(&["show", "--format=", "--name-status", "--no-renames", "-z", "HEAD"]);
        let parts: Vec<&str> = listed.split('\0').filter(|part| !part.is_empty()).collect();
        parts.chunks(2).map(|pair| pair.join(" ")).collect()
    }

    /// After each commit, and each that was refused: no lock, and nothing that git finds broken.
    pub(crate) fn is_sound(&self) {
        let directory = self.git(&["rev-parse", "--absolute-git-dir"]);
        assert!(!Path::new(directory.trim()).join("index.lock").exists());
        let found = self.git(&["fsck", "--strict", "--full", "--no-dangling"]);
        assert_eq!(found.lines().filter(|line| !line.starts_with("notice:")).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}

/// What a commit is given: the home and the configuration of a user of this test.
pub(crate) fn options(world: &World) -> CommitOptions {
    let home = world.outside().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join(".gitconfig"), "[user]\nname = u\nemail = u@u\n[advice]\ndetachedHead = false\n").unwrap();
    let variables: [(&str, OsString); 3] =
        [("PATH", std::env::var_os("PATH").unwrap()), ("HOME", home.into()), ("ANTHROPIC_API_KEY", "canary".into())];
    let options = CommitOptions::of_environment(variables.map(|(name, value)| (name.into(), value)));
    CommitOptions { limit: Duration::from_secs(60), ..options }
}

pub(crate) fn git_with(at: &Path, options: &CommitOptions, arguments: &[&str]) -> String {
    let environment: &BTreeMap<OsString, OsString> = &options.environment;
    let mut command = std::process::Command::new("git");
    let output = command.args(arguments).current_dir(at).env_clear().envs(environment).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "git {arguments:?}: {out}{errors}");
    out.into_owned()
}
