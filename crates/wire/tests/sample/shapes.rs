//! The small values that samples are made of, always the same ones.

use agent::{EffectId, EffectKind, Micros, ScheduleId, SessionId, SnapshotId, TurnId};
use wire::rest::CommitView;
use wire::{BlobHash, Change, FileState, Mode, RelPath, Text};

/// Monday, 24 November 2025, in the morning.
pub(super) const MORNING: Micros = Micros(1_763_974_800_000_000);

pub(super) fn session() -> SessionId {
    SessionId::from_parts(1_763_974_800_000, 0x0123_4567_89ab_cdef)
}

pub(super) fn schedule() -> ScheduleId {
    ScheduleId::from_parts(1_763_974_800_000, 0x0fed_cba9_8765_4321)
}

pub(super) fn snapshot() -> SnapshotId {
    SnapshotId::from_parts(1_763_974_800_000, 0x0123_4567_89ab_cdef)
}

/// The first attempt at something in the first step of turn 3.
pub(super) fn effect(kind: EffectKind) -> EffectId {
    EffectId { turn: TurnId(3), step: 1, kind, ordinal: 0, attempt: 1 }
}

pub(super) fn accept() -> EffectId {
    EffectId { turn: TurnId::NONE, ..effect(EffectKind::Accept) }
}

pub(super) fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("paths of samples are good ones")
}

pub(super) fn inline(text: &str) -> Text {
    Text::Inline(text.to_owned())
}

pub(super) fn blob_text() -> Text {
    Text::Blob { blob: BlobHash::of(b"a long text"), bytes: 20_480 }
}

pub(super) fn file(bytes: &str, mode: Mode) -> FileState {
    FileState { blob: BlobHash::of(bytes.as_bytes()), bytes: bytes.len() as u64, mode }
}

/// A commit in the user's repository, on a branch or where HEAD is detached.
pub(super) fn commit(branch: Option<&str>) -> CommitView {
    CommitView { id: "c9f0f895fb98ab9159f51fd0297e236d5a1b2c3d".to_owned(), branch: branch.map(str::to_owned) }
}

pub(super) fn created() -> Change {
    Change { path: path("src/new.rs"), before: None, after: Some(file("new\n", Mode::Regular)) }
}

pub(super) fn changed() -> Change {
    let (before, after) = (file("old\n", Mode::Regular), file("new\n", Mode::Executable));
    Change { path: path("bin/größe \"a\".sh"), before: Some(before), after: Some(after) }
}

pub(super) fn deleted() -> Change {
    Change { path: path("link"), before: Some(file("target", Mode::Symlink)), after: None }
}
