//! Why there is no commit.

use super::message::MAX_MESSAGE_BYTES;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use wire::RelPath;

/// Why no commit can be made, or was made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The program is not there or cannot be run.
    #[error("{program:?} cannot be run ({source}); install git to commit, or accept without a commit")]
    NoGit {
        /// What was to be run.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no repository, or git does not want to work in it.
    #[error("git finds no repository to commit to in {at:?}: {words}")]
    NotARepository {
        /// The workspace.
        at: PathBuf,
        /// What git said.
        words: String,
    },
    /// It is a repository without a work tree, or its own directory.
    #[error("{at:?} is no work tree of a repository; accept without a commit")]
    NoWorkTree {
        /// The workspace.
        at: PathBuf,
    },
    /// The user is in the middle of something.
    #[error("the repository is in the middle of {0}; finish or abort it, then accept with a commit")]
    InProgress(Operation),
    /// There are entries with conflicts in the index.
    #[error("{path} has conflicts in the index; resolve them, then accept with a commit")]
    Unmerged {
        /// The first of them, below the repository's root.
        path: String,
    },
    /// Somebody works with the index, or did and was killed.
    #[error("{at:?} is there: another git is at work, or was killed; wait for it, or remove the file if none runs")]
    Locked {
        /// The lock.
        at: PathBuf,
    },
    /// The user has staged something else there.
    #[error("{path} is staged otherwise; commit or unstage it (`git restore --staged`), then accept with a commit")]
    Staged {
        /// The first of them.
        path: String,
    },
    /// The user has changed something there himself, or git does not know his file yet.
    #[error(
        "{path} has changes of your own that are not committed; commit or stash them first, or accept without --commit"
    )]
    Changed {
        /// The first of them.
        path: String,
    },
    /// Git is told not to know the path.
    #[error("{path} is ignored by git; accept it without a commit, or change .gitignore")]
    Ignored {
        /// The first of them.
        path: String,
    },
    /// The path belongs to another repository.
    #[error("{path} lies in {inside}, a repository of its own; accept it without a commit and commit it there")]
    Submodule {
        /// The path.
        path: RelPath,
        /// The submodule.
        inside: RelPath,
    },
    /// Git does not know whose commit it would be.
    #[error("git does not know who commits; set user.name and user.email with `git config`: {words}")]
    NoIdentity {
        /// What git said.
        words: String,
    },
    /// A commit needs a message.
    #[error("the message of the commit is empty; say in a line what it does")]
    EmptyMessage,
    /// The message is too long or holds a NUL.
    #[error("the message of the commit holds a NUL or has {bytes} bytes, more than {MAX_MESSAGE_BYTES}")]
    BadMessage {
        /// Its length.
        bytes: usize,
    },
    /// HEAD has these paths already as they are, or git does not know them.
    #[error("there is nothing to commit: HEAD has these paths as they are in the work tree")]
    Nothing,
    /// Git, a hook or the program that signs said no.
    #[error(
        "git refused the commit, or a hook or signing did; the files are accepted, the commit is not made: {words}"
    )]
    Refused {
        /// What they said.
        words: String,
    },
    /// It took too long.
    #[error(
        "git {doing} took longer than {limit:?} and was ended; the files are accepted, the commit is not made: {words}"
    )]
    TimedOut {
        /// What git did.
        doing: &'static str,
        /// How long it was given.
        limit: Duration,
        /// What it had said until then.
        words: String,
    },
    /// Git failed at something that should not fail.
    #[error("git {doing} failed: {words}")]
    Git {
        /// What git did.
        doing: &'static str,
        /// What it said.
        words: String,
    },
    /// The system failed.
    #[error("git {doing} failed: {source}")]
    Io {
        /// What git did.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// What a repository can be in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `git merge`.
    Merge,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
    /// `git rebase`.
    Rebase,
    /// `git am`.
    Patches,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Operation::Merge => "a merge",
            Operation::CherryPick => "a cherry-pick",
            Operation::Revert => "a revert",
            Operation::Rebase => "a rebase",
            Operation::Patches => "applying patches (`git am`)",
        })
    }
}
