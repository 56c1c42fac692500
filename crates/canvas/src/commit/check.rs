//! What must hold before a commit is made, asked before anything is written.

use super::environment::CommitOptions;
use super::error::{CommitError, Operation};
use super::paths::{exactly, listed, literal, names};
use super::run::Git;
use super::{error, message};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use wire::RelPath;

/// Git's files that say what the user is in the middle of.
const SIGNS: [(&str, Operation); 5] = [
    ("MERGE_HEAD", Operation::Merge),
    ("CHERRY_PICK_HEAD", Operation::CherryPick),
    ("REVERT_HEAD", Operation::Revert),
    ("rebase-merge", Operation::Rebase),
    ("rebase-apply", Operation::Rebase),
];

/// Where a commit will stand.
pub(super) struct Ground {
    /// The commit that HEAD names; none in a repository without commits.
    pub(super) head: Option<String>,
    /// The branch that moves; none where HEAD is detached.
    pub(super) branch: Option<String>,
    /// What index and work tree are compared with: HEAD, or the empty tree.
    pub(super) base: String,
}

/// Whether a commit of these paths could be made now, were they in the work tree as planned. Changes nothing. To be
/// asked before an accept starts: what the work tree has otherwise than HEAD is then the user's own, and git, which
/// commits whole files, would commit it too. [`commit`](super::commit()) asks the rest again.
pub fn check_commit(
    workspace: &Path,
    paths: &[RelPath],
    message: &str,
    options: &CommitOptions,
) -> Result<(), CommitError> {
    let git = Git { workspace, options };
    let ground = check(&git, paths, message)?;
    match git.changed(&ground.base, paths)?.into_iter().next() {
        Some(path) => Err(CommitError::Changed { path }),
        None => Ok(()),
    }
}

pub(super) fn check(git: &Git<'_>, paths: &[RelPath], message: &str) -> Result<Ground, CommitError> {
    message::check(message)?;
    if paths.is_empty() {
        return Err(CommitError::Nothing);
    }
    let directory = git.directory()?;
    if let Some(operation) = in_progress(&directory) {
        return Err(CommitError::InProgress(operation));
    }
    if let Some(at) = lock_in(&directory) {
        return Err(CommitError::Locked { at });
    }
    git.check_identity()?;
    if let Some(path) = git.unmerged()?.into_iter().next() {
        return Err(CommitError::Unmerged { path });
    }
    git.check_submodules(paths)?;
    if let Some(path) = git.ignored(paths)?.into_iter().next() {
        return Err(CommitError::Ignored { path });
    }
    let ground = git.ground()?;
    if let Some(path) = git.staged(&ground.base, paths)?.into_iter().next() {
        return Err(CommitError::Staged { path });
    }
    Ok(ground)
}

/// The lock of the index, where there is one: another git is at work, or was killed. To be asked after a kill.
pub fn index_lock(workspace: &Path, options: &CommitOptions) -> Result<Option<PathBuf>, CommitError> {
    Ok(lock_in(&Git { workspace, options }.directory()?))
}

fn lock_in(directory: &Path) -> Option<PathBuf> {
    Some(directory.join("index.lock")).filter(|lock| lock.exists())
}

fn in_progress(directory: &Path) -> Option<error::Operation> {
    let (_, operation) = SIGNS.iter().find(|(name, _)| directory.join(name).exists())?;
    let by_mail = *operation == Operation::Rebase && directory.join("rebase-apply/applying").exists();
    Some(if by_mail { Operation::Patches } else { *operation })
}

impl Git<'_> {
    /// The repository's own directory, of this work tree where it has several.
    fn directory(&self) -> Result<PathBuf, CommitError> {
        let at = || self.workspace.to_owned();
        let doing = "finding the repository";
        let found = self.ask(doing, &["rev-parse", "--is-inside-work-tree", "--absolute-git-dir"], &[])?;
        if !found.succeeded() {
            return Err(CommitError::NotARepository { at: at(), words: found.words() });
        }
        let answer = found.answer(doing)?;
        let directory = answer.strip_prefix(b"true\n").and_then(|rest| rest.strip_suffix(b"\n"));
        directory
            .map(|bytes| PathBuf::from(OsStr::from_bytes(bytes)))
            .ok_or_else(|| CommitError::NoWorkTree { at: at() })
    }

    fn check_identity(&self) -> Result<(), CommitError> {
        for who in ["GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"] {
            let known = self.ask("asking who commits", &["var", who], &[])?;
            if !known.succeeded() {
                return Err(CommitError::NoIdentity { words: known.words() });
            }
        }
        Ok(())
    }

    fn unmerged(&self) -> Result<BTreeSet<String>, CommitError> {
        let doing = "looking for conflicts in the index";
        let answer =
            self.ask(doing, &["ls-files", "--unmerged", "--full-name", "-z", "--", ":/"], &[])?.answer(doing)?;
        let name = |entry: String| entry.split_once('\t').map_or(entry.clone(), |(_, name)| name.to_owned());
        Ok(names(&answer).into_iter().map(name).collect())
    }

    /// Neither a submodule, be it checked out or not, nor a repository that just lies there.
    fn check_submodules(&self, paths: &[RelPath]) -> Result<(), CommitError> {
        let above = |path: &RelPath| std::iter::successors(path.parent(), RelPath::parent);
        let directories: BTreeSet<RelPath> = paths.iter().flat_map(above).collect();
        let (doing, question) = ("looking for submodules", ["ls-files", "--stage", "-z"]);
        let entries = self.ask_about(doing, &question, directories.iter().chain(paths).map(exactly))?;
        let links: BTreeSet<&str> = entries
            .iter()
            .filter(|entry| entry.starts_with("160000 "))
            .filter_map(|e| Some(e.split_once('\t')?.1))
            .collect();
        let is_other = |directory: &RelPath| {
            links.contains(directory.as_str()) || self.workspace.join(directory).join(".git").symlink_metadata().is_ok()
        };
        for path in paths {
            if let Some(inside) = std::iter::successors(Some(path.clone()), RelPath::parent).find(is_other) {
                return Err(CommitError::Submodule { path: path.clone(), inside });
            }
        }
        Ok(())
    }

    fn ignored(&self, paths: &[RelPath]) -> Result<BTreeSet<String>, CommitError> {
        let doing = "looking for ignored paths";
        // This program knows no literal pathspecs, and takes what does not begin with a colon by the letter.
        let input = listed(paths.iter().map(|path| format!("./{path}")));
        let found = self.ask(doing, &["check-ignore", "-z", "--stdin"], &input)?;
        // It ends with 1 when there is none.
        if found.code() == Some(1) {
            return Ok(BTreeSet::new());
        }
        let ignored = names(&found.answer(doing)?);
        Ok(ignored.iter().map(|path| path.strip_prefix("./").unwrap_or(path).to_owned()).collect())
    }

    fn ground(&self) -> Result<Ground, CommitError> {
        let line = |answer: Vec<u8>| String::from_utf8_lossy(&answer).trim_end().to_owned();
        let head = self.head()?;
        let doing = "asking for the branch";
        let branch = self.ask(doing, &["symbolic-ref", "--quiet", "--short", "HEAD"], &[])?;
        let branch = if branch.code() == Some(1) { None } else { Some(line(branch.answer(doing)?)) };
        let doing = "naming the empty tree";
        let base = match &head {
            Some(head) => head.clone(),
            None => line(self.ask(doing, &["hash-object", "-t", "tree", "--stdin"], &[])?.answer(doing)?),
        };
        Ok(Ground { head, branch, base })
    }

    /// The commit that HEAD names, if there is one.
    pub(super) fn head(&self) -> Result<Option<String>, CommitError> {
        let doing = "asking for HEAD";
        let head = self.ask(doing, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], &[])?;
        if head.code() == Some(1) {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&head.answer(doing)?).trim_end().to_owned()))
    }

    /// Those of the paths, and below them, that the index has otherwise than `base`. One that is only meant to be added
    /// is not staged.
    fn staged(&self, base: &str, paths: &[RelPath]) -> Result<BTreeSet<String>, CommitError> {
        let question = [
            "diff-index",
            "--cached",
            "--ita-invisible-in-index",
            "--no-renames",
            "--relative",
            "--name-only",
            "-z",
            base,
        ];
        self.ask_about("comparing the index", &question, paths.iter().map(literal))
    }
}
