//! Why a call was not done, in words that a model can act on.

use crate::files::FilesError;

/// Why a tool did nothing. Paths are kept as they are shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no {0}; find_files and list_directory show what there is")]
    Absent(String),
    #[error("{0} is a directory; list_directory shows what is in it, and files are changed one by one")]
    Directory(String),
    #[error("{0} is a file, not a directory")]
    NotADirectory(String),
    #[error("{path} is a symbolic link to {target}, and links are not followed; {remedy}")]
    Link { path: String, target: String, remedy: String },
    #[error("{path} cannot be, because {file} is a file, not a directory")]
    BelowFile { path: String, file: String },
    #[error("{path} is a {what}, which tools leave alone")]
    Other { path: String, what: &'static str },
    #[error("{path} exists ({size}) and you have not read it; read it with read_file first, or use edit_file")]
    NotSeen { path: String, size: String },
    #[error("{0} has changed since you read it; read it again")]
    Changed(String),
    #[error("{0} is there now, and was not when you looked; read it first")]
    Appeared(String),
    #[error("{0} has been deleted since you read it; read it again, and then the path is free")]
    Gone(String),
    #[error("{0} exists already; delete it first, or choose another path")]
    Exists(String),
    #[error("{path} is binary ({bytes} bytes) and has no text to {verb}")]
    Binary { path: String, bytes: usize, verb: &'static str },
    #[error("{path} has {lines}; offset {offset} is past its end")]
    PastEnd { path: String, lines: String, offset: u64 },
    #[error("old does not occur in {path}; read the file and copy the text exactly, white space included{near}")]
    NoMatch { path: String, near: String },
    #[error("old occurs {times} times in {path} (at lines {lines}{but}); add lines around it, or set all to true")]
    ManyMatches { path: String, times: usize, lines: String, but: &'static str },
    #[error("old and new differ by white space alone, and {0} would stay as it is")]
    NoChange(String),
    #[error("hunk {hunk} of {path} {why}")]
    Hunk { path: String, hunk: usize, why: String },
    #[error("the patch does not apply, and nothing was changed: {0}")]
    Patch(Box<Refusal>),
    #[error(
        "{path} would still have {lines} when the patch deletes it; a deletion takes away all lines, or names none"
    )]
    NotEmptied { path: String, lines: String },
    #[error("{below} cannot be, because the patch makes {file} a file")]
    BelowNewFile { below: String, file: String },
    #[error("the patch changes nothing: all files are as it makes them already")]
    NothingToPatch,
    #[error("{path} could not be searched: {what}")]
    Search { path: String, what: String },
    #[error("{pattern} is not a glob pattern that can be used: {reason}")]
    Glob { pattern: String, reason: String },
    #[error(
        "{pattern} is not a regular expression that can be used; put \\ before . * + ? ( ) [ ] {{ }} | ^ $ \
             to find them as they are\n{reason}"
    )]
    Regex { pattern: String, reason: String },
    #[error("{what} of {asked} {unit} is over the limit of {limit} ({name}); {remedy}")]
    OverLimit { what: String, asked: u64, unit: &'static str, limit: u64, name: &'static str, remedy: &'static str },
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("cancelled before it was done; nothing was changed")]
    Cancelled,
}
