//! One change of the canvas, as the journal has it.

use agent::{Micros, Seq};
use serde::{Deserialize, Serialize};
use wire::body::{Text, ToolEnd};
use wire::{Changeset, RelPath};

/// The longest title of a step, in characters.
pub const MAX_TITLE_CHARACTERS: usize = 72;

/// One change of the canvas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The event.
    pub seq: Seq,
    /// When it was.
    #[serde(with = "micros")]
    pub at: Micros,
    /// What it was.
    pub kind: StepKind,
    /// Whether it counts.
    pub status: StepStatus,
    /// A line for people.
    pub title: String,
    /// How current states changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Changeset,
    /// How bases changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bases: Changeset,
}

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A tool changed files: a micro-commit.
    Edit,
    /// What the user had changed meanwhile was taken over.
    Rebase,
    /// The canvas was set to an earlier or later micro-commit.
    Rewind,
    /// Changes were dropped.
    Reject,
    /// Changes were written into the work tree.
    Accept,
    /// An accept was taken back.
    AcceptUndone,
}

/// Whether a step counts. Micro-commits are rewound and redone, accepts are taken back; all else stays in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It counts.
    InForce,
    /// It was taken back; a rewound micro-commit can be redone.
    Undone,
    /// It was rewound, and then the session went another way: it cannot be redone.
    Left,
}

impl StepKind {
    /// The word for it in git's picture and in listings.
    pub fn word(self) -> &'static str {
        match self {
            StepKind::Edit => "edit",
            StepKind::Rebase => "rebase",
            StepKind::Rewind => "rewind",
            StepKind::Reject => "reject",
            StepKind::Accept => "accept",
            StepKind::AcceptUndone => "accept undone",
        }
    }
}

/// The first line of what the tool said, or else its name and what it touched.
pub(super) fn title_of(end: &ToolEnd) -> String {
    let said = match &end.text {
        Text::Inline(text) => text.lines().map(str::trim).find(|line| !line.is_empty()),
        Text::Blob { .. } => None,
    };
    match said {
        Some(line) => shortened(line),
        None => shortened(&format!("{} {}", end.name, named(end.changes.iter().map(|change| &change.path)))),
    }
}

/// The paths in a few words: `a.rs`, or `a.rs and 3 more`.
pub(super) fn named<'a>(mut paths: impl Iterator<Item = &'a RelPath>) -> String {
    let Some(first) = paths.next() else { return "nothing".to_owned() };
    match paths.count() {
        0 => first.to_string(),
        more => format!("{first} and {more} more"),
    }
}

pub(super) fn shortened(line: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    if line.chars().count() <= MAX_TITLE_CHARACTERS {
        return line.chars().map(plain).collect();
    }
    line.chars().take(MAX_TITLE_CHARACTERS - 1).map(plain).chain(['…']).collect()
}

/// A time as a number: a fold holds thousands of them and nobody reads it.
mod micros {
    use agent::Micros;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Micros, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(at.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Micros, D::Error> {
        i64::deserialize(d).map(Micros)
    }
}
