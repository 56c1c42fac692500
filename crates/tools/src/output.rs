//! What a tool gives back, and how its text is put together within bounds.

use agent::ToolOutcome;
use wire::{Contents, FileState, MediaType, RelPath};

/// What a tool did, or found, or could not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended: done, failed or cancelled.
    pub outcome: ToolOutcome,
    /// What the model is told.
    pub text: String,
    /// What shall be on the canvas. Empty unless the outcome is done.
    pub changes: Vec<FileChange>,
    /// Which files the session has now seen, in which state; after a change, the state that it makes.
    pub seen: Vec<(RelPath, Option<FileState>)>,
    /// Images and documents that the model shall see, where it takes them.
    pub attachments: Vec<Attached>,
}

/// An image or a document that a tool read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The file.
    pub path: RelPath,
    /// What it is.
    pub media: MediaType,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One path before and after; `None` is "no such file".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The path.
    pub path: RelPath,
    /// What the tool found there.
    pub before: Option<Contents>,
    /// What shall be there.
    pub after: Option<Contents>,
}

impl Output {
    /// A result that changes nothing.
    pub(crate) fn done(text: String) -> Output {
        Output { outcome: ToolOutcome::Done, text, changes: Vec::new(), seen: Vec::new(), attachments: Vec::new() }
    }

    /// A call that could not be done.
    pub(crate) fn failed(text: String) -> Output {
        Output { outcome: ToolOutcome::Failed, ..Output::done(text) }
    }

    /// Adds a file that was seen.
    pub(crate) fn saw(mut self, path: &RelPath, state: Option<FileState>) -> Output {
        self.seen.push((path.clone(), state));
        self
    }

    /// Adds what the model shall see itself.
    pub(crate) fn attach(mut self, attached: Attached) -> Output {
        self.attachments.push(attached);
        self
    }

    /// Adds a change; its result counts as seen, since the session itself made it.
    pub(crate) fn change(mut self, path: &RelPath, before: Option<Contents>, after: Option<Contents>) -> Output {
        self.seen.push((path.clone(), after.as_ref().map(Contents::state)));
        self.changes.push(FileChange { path: path.clone(), before, after });
        self
    }
}

/// The lines of a body, up to a bound.
pub(crate) struct Body {
    text: String,
    bytes_limit: usize,
}

impl Body {
    /// An empty body of at most so many bytes.
    pub(crate) fn new(bytes_limit: usize) -> Body {
        Body { text: String::new(), bytes_limit }
    }

    /// Adds a whole line, or says that it does not fit.
    #[must_use]
    pub(crate) fn push(&mut self, line: &str) -> bool {
        let fits = self.text.len() + line.len() < self.bytes_limit;
        if fits {
            self.text.push_str(line);
            self.text.push('\n');
        }
        fits
    }

    /// The first line, the body, and the notes in brackets.
    pub(crate) fn finish(self, first: &str, notes: &[String]) -> String {
        let mut text = format!("{first}\n{}", self.text);
        for note in notes {
            text.push_str(&format!("[{note}]\n"));
        }
        text.truncate(text.trim_end_matches('\n').len());
        text
    }
}
