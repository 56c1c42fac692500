//! Making the commit, and telling after a kill whether it was made.

use super::check::{Ground, check};
use super::environment::CommitOptions;
use super::error::CommitError;
use super::message;
use super::paths::{listed, literal, names};
use super::run::Git;
use std::collections::BTreeSet;
use std::path::Path;
use wire::RelPath;

/// How many paths a note names.
const NAMED_PATHS: usize = 5;

/// A commit in the user's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub id: String,
    /// The branch that moved; `None` where HEAD is detached, so that no branch has the commit.
    pub branch: Option<String>,
    /// The first line of its message.
    pub summary: String,
    /// What people should know: that HEAD is detached, that a hook changed what was committed.
    pub notes: Vec<String>,
}

/// Commits these paths as they are in the work tree, and nothing else. Paths that git does not know and that are not
/// there are left out. When it fails the index is as it was.
pub fn commit(
    workspace: &Path,
    paths: &[RelPath],
    message: &str,
    options: &CommitOptions,
) -> Result<Committed, CommitError> {
    let git = Git { workspace, options };
    let ground = check(&git, paths, message)?;
    let standing = git.standing(&ground.base, paths)?;
    if standing.changed.is_empty() {
        return Err(CommitError::Nothing);
    }
    let made = git.intend_to_add(&standing.new).and_then(|()| git.commit(&standing.committed(), message));
    match made {
        Ok(()) => {}
        // It may have been made before it failed: by a hook that came after it, for instance.
        Err(error) => match git.made_since(&ground, paths, message) {
            Ok(true) => tracing::warn!(%error, "the commit was made, and something failed after it"),
            _ => {
                git.forget_intention(&standing.new, paths);
                return Err(error);
            }
        },
    }
    git.committed(ground, paths)
}

/// Whether HEAD is a commit of these paths, as they are in the work tree, with this message; to be asked after a kill.
/// Trailers that a hook added to the message make no difference. Changes nothing.
pub fn committed_already(
    workspace: &Path,
    paths: &[RelPath],
    message: &str,
    options: &CommitOptions,
) -> Result<Option<String>, CommitError> {
    let git = Git { workspace, options };
    let Some(head) = git.head()? else { return Ok(None) };
    Ok(git.is_ours(&head, paths, message)?.then_some(head))
}

/// How the paths stand, compared with HEAD.
struct Standing {
    /// Those that git does not know yet.
    new: Vec<RelPath>,
    /// Those that the index has.
    known: Vec<RelPath>,
    /// Those that the work tree has otherwise than HEAD.
    changed: BTreeSet<String>,
}

impl Standing {
    /// A file that gave its place to a directory goes with the first file in it; git fails over its name.
    fn committed(&self) -> Vec<u8> {
        let above = |path: &RelPath| std::iter::successors(path.parent(), RelPath::parent);
        let directories: BTreeSet<RelPath> = self.new.iter().flat_map(above).collect();
        let known = self.known.iter().filter(|path| !directories.contains(path));
        listed(known.chain(&self.new).map(literal))
    }
}

impl Git<'_> {
    /// Those of the paths, and of what lies below them, that the work tree has otherwise than `base`.
    pub(super) fn changed(&self, base: &str, paths: &[RelPath]) -> Result<BTreeSet<String>, CommitError> {
        Ok(self.standing(base, paths)?.changed)
    }

    fn standing(&self, base: &str, paths: &[RelPath]) -> Result<Standing, CommitError> {
        let question = ["ls-files", "-z"];
        let index = self.ask_about("looking for paths in the index", &question, paths.iter().map(literal))?;
        let (known, others): (Vec<RelPath>, Vec<RelPath>) =
            paths.iter().cloned().partition(|path| index.contains(path.as_str()));
        let is_there = |path: &RelPath| self.workspace.join(path).symlink_metadata().is_ok_and(|found| !found.is_dir());
        let new: Vec<RelPath> = others.into_iter().filter(is_there).collect();
        let question = ["diff", "--no-ext-diff", "--no-renames", "--relative", "--name-only", "-z", base];
        let mut changed = self.ask_about("comparing the work tree", &question, known.iter().map(literal))?;
        changed.extend(new.iter().map(RelPath::to_string));
        Ok(Standing { new, known, changed })
    }

    /// `git commit` takes only paths that the index knows.
    fn intend_to_add(&self, new: &[RelPath]) -> Result<(), CommitError> {
        if new.is_empty() {
            return Ok(());
        }
        let doing = "entering new files in the index";
        let arguments = ["add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"];
        self.act(doing, &arguments, &listed(new.iter().map(literal)))?.answer(doing).map(drop)
    }

    /// Takes the entries of new files out of the index again. They stood there as in HEAD, so that is how they stand then.
    fn forget_intention(&self, new: &[RelPath], paths: &[RelPath]) {
        if new.is_empty() {
            return;
        }
        let arguments = ["reset", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul"];
        let doing = "taking new files out of the index";
        let taken =
            self.act(doing, &arguments, &listed(paths.iter().map(literal))).and_then(|ended| ended.answer(doing));
        if let Err(error) = taken {
            // They are entered without contents, which harms nothing: neither `git commit` nor we take that as staged.
            tracing::warn!(%error, "new files of a commit that failed stay entered in the index");
        }
    }

    fn commit(&self, committed: &[u8], message: &str) -> Result<(), CommitError> {
        let message = format!("--message={message}");
        let arguments = [
            "commit",
            "--only",
            "--quiet",
            "--no-status",
            "--cleanup=whitespace",
            message.as_str(),
            "--pathspec-from-file=-",
            "--pathspec-file-nul",
        ];
        let ended = self.act("commit", &arguments, committed)?;
        if ended.succeeded() { Ok(()) } else { Err(CommitError::Refused { words: ended.words() }) }
    }

    fn made_since(&self, ground: &Ground, paths: &[RelPath], message: &str) -> Result<bool, CommitError> {
        match self.head()? {
            Some(head) if ground.head.as_ref() != Some(&head) => self.is_ours(&head, paths, message),
            _ => Ok(false),
        }
    }

    fn is_ours(&self, head: &str, paths: &[RelPath], message: &str) -> Result<bool, CommitError> {
        let doing = "reading HEAD's message";
        let question = ["rev-list", "--max-count=1", "--encoding=UTF-8", "--format=%B", head];
        let answer = self.ask(doing, &question, &[])?.answer(doing)?;
        let text = String::from_utf8_lossy(&answer);
        // A line with the commit's id comes first.
        let kept = text.split_once('\n').map_or("", |(_, body)| body);
        if !message::is_kept(message, kept) {
            return Ok(false);
        }
        let touched = self.touched(head)?;
        let touches = paths.iter().any(|path| touched.contains(path.as_str()));
        Ok(touches && self.standing(head, paths)?.changed.is_empty())
    }

    /// The paths that a commit changed, seen from the workspace; those beside it with a sign of git's, `:/`.
    fn touched(&self, commit: &str) -> Result<BTreeSet<String>, CommitError> {
        let doing = "looking at the commit";
        let prefix = self.ask(doing, &["rev-parse", "--show-prefix"], &[])?.answer(doing)?;
        let prefix = String::from_utf8_lossy(prefix.strip_suffix(b"\n").unwrap_or(&prefix)).into_owned();
        let question = ["diff-tree", "--root", "-r", "--no-commit-id", "--no-renames", "--name-only", "-z", commit];
        let touched = names(&self.ask(doing, &question, &[])?.answer(doing)?);
        let seen = |path: String| path.strip_prefix(&prefix).map_or_else(|| format!(":/{path}"), str::to_owned);
        Ok(touched.into_iter().map(seen).collect())
    }

    fn committed(&self, ground: Ground, paths: &[RelPath]) -> Result<Committed, CommitError> {
        let doing = "looking at the commit";
        let id = self.head()?.ok_or(CommitError::Git { doing, words: "HEAD names no commit".to_owned() })?;
        let question = ["rev-list", "--max-count=1", "--encoding=UTF-8", "--format=%s", &id];
        let answer = self.ask(doing, &question, &[])?.answer(doing)?;
        let summary = String::from_utf8_lossy(&answer).lines().nth(1).unwrap_or_default().to_owned();
        let mut notes = Vec::new();
        if ground.branch.is_none() {
            notes.push("HEAD is detached, so that no branch has the commit".to_owned());
        }
        let known: BTreeSet<&str> = paths.iter().map(RelPath::as_str).collect();
        let more: Vec<String> = self.touched(&id)?.into_iter().filter(|path| !known.contains(path.as_str())).collect();
        if !more.is_empty() {
            notes.push(format!("a hook added to the commit: {}", some_of(&more)));
        }
        let others: Vec<String> = self.standing(&id, paths)?.changed.into_iter().collect();
        if !others.is_empty() {
            notes.push(format!(
                "a hook changed what was committed, so that it is not as in the work tree: {}",
                some_of(&others)
            ));
        }
        Ok(Committed { id, branch: ground.branch, summary, notes })
    }
}

fn some_of(paths: &[String]) -> String {
    let named = paths.iter().take(NAMED_PATHS).map(String::as_str).collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(NAMED_PATHS) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
