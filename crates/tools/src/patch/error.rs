//! What is wrong with a patch before any file is looked at.

use wire::PathError;

/// Why a text is no patch, said so that a model can repair it. Lines are those of the patch, from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// Neither form.
    #[error(
        "it changes no file: it must hold \"*** Begin Patch\" with \"*** Update File: path\", or a unified diff with \
         \"--- a/path\" and \"+++ b/path\""
    )]
    NoFile,
    /// A patch of the form "Begin Patch" that stops before it ends.
    #[error("it has no \"*** End Patch\"; perhaps it was cut short")]
    NoEnd,
    /// A line that can stand nowhere in a patch.
    #[error("line {line} of the patch, {text:?}, {problem}")]
    Line {
        /// Its number.
        line: usize,
        /// Its beginning.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A path that is none, or that is not below the workspace.
    #[error("line {line} of the patch: {source}")]
    Path {
        /// The line that names it.
        line: usize,
        /// What is wrong with it.
        source: PathError,
    },
    /// Two names for one file, and no word on which is meant.
    #[error(
        "line {line} of the patch: {old} and {new} are different files; to rename one, put \"diff --git\", \"rename \
         from\" and \"rename to\" before"
    )]
    NamesDiffer {
        /// The line of the second.
        line: usize,
        /// Behind `---`.
        old: String,
        /// Behind `+++`.
        new: String,
    },
}
