//! The canvas: what it holds, what is chosen from it, what becomes of it.

use super::words;
use crate::sample::shapes::{MORNING, commit, path, session};
use crate::sample::written::{Written, written};
use agent::{AcceptOutcome, Seq};
use std::path::PathBuf;
use wire::rest::*;
use wire::{BlobHash, Mode, RelPath};

pub(super) fn samples() -> Vec<Written> {
    [of_requests(), of_views(), of_steps(), of_hunks(), of_moves()].into_iter().flatten().collect()
}

fn of_requests() -> Vec<Written> {
    let some = || Some(vec!["src".to_owned(), "README.md".to_owned()]);
    let hunks = HunkChoice { context_lines: 3, files: vec![chosen(true, vec![0, 2])] };
    written![
        Selection: [Selection::default(), Selection { paths: some() }],
        AcceptRequest: [
            AcceptRequest::default(),
            AcceptRequest { paths: some(), hunks: None, commit: None },
            AcceptRequest { paths: None, hunks: Some(hunks), commit: words("Fix the carry\n\nIt was \"lost\".") },
        ],
        RewindRequest: [
            RewindRequest { seq: None },
            RewindRequest { seq: Some(Seq(0)) },
            RewindRequest { seq: Some(Seq(41)) },
        ],
    ]
}

fn of_views() -> Vec<Written> {
    let (added, modified) = (added(), modified());
    let patch = "--- a/b\n+++ b/b\n@@ -1 +1 @@\n-old\n+new\n".to_owned();
    written![
        FileRow: [added, modified.clone(), file(FileStatus::Deleted, false, None)],
        CanvasView: [view(vec![]), view(vec![path("README.md")])],
        Diff: [Diff { files: vec![modified], patch }],
    ]
}

fn of_steps() -> Vec<Written> {
    let step = |commit, undone| StepRow {
        seq: Seq(41),
        commit,
        title: "edited src/new.rs".to_owned(),
        at: MORNING,
        undone,
        files: 1,
    };
    let (plain, undone) = (step(words("8f14e45fceea167a5a36dedd4bea2543f5a1b2c3"), false), step(None, true));
    let log = CanvasLog {
        repository: PathBuf::from("/home/ada/.local/state/tinkerbell/canvas/0a1b2c3d4e5f60718293a4b5.git"),
        reference: format!("refs/heads/{}", session()),
        steps: vec![undone.clone(), plain.clone()],
    };
    written![StepRow: [plain, undone], CanvasLog: [log]]
}

fn of_hunks() -> Vec<Written> {
    let hunk = |index, header: &str, patch: &str| HunkRow { index, header: header.to_owned(), patch: patch.to_owned() };
    let whole = hunk(0, "@@ -0,0 +1 @@", "+new\n");
    let (first, second) = (hunk(0, "@@ -1 +1 @@", "-old\n+new\n"), hunk(1, "@@ -9,2 +9,3 @@", " a\n+\"b\"\n c\n"));
    let mode = hunk(2, "mode 100644 becomes 100755", "");
    let last = hunk(0, "@@ -1 +0,0 @@", "-old\n");
    let of_file = |file, before, after, hunks| FileHunks { file, before, after, hunks };
    let text = FileRow { binary: false, ..modified() };
    let files = vec![
        of_file(added(), None, Some(after()), vec![whole]),
        of_file(text, Some(before()), Some(after()), vec![first.clone(), second.clone(), mode.clone()]),
        of_file(file(FileStatus::Deleted, false, None), Some(before()), None, vec![last]),
    ];
    let [new, changed, gone] = [0, 1, 2].map(|which| files[which].clone());
    written![
        HunkList: [HunkList { context_lines: 0, files: vec![] }, HunkList { context_lines: 3, files }],
        FileHunks: [new, changed, gone],
        HunkRow: [first, second, mode],
        HunkChoice: [
            HunkChoice { context_lines: 0, files: vec![] },
            HunkChoice { context_lines: 3, files: vec![chosen(true, vec![0, 2]), chosen(false, vec![])] },
        ],
        ChosenHunks: [chosen(true, vec![0, 2]), chosen(false, vec![])],
    ]
}

fn of_moves() -> Vec<Written> {
    let accepted =
        |outcome, files, commit, message, path| Accepted { outcome, seq: Seq(62), files, commit, message, path };
    let (done, stopped) = (AcceptOutcome::Done, Some(path("src/new.rs")));
    written![
        CommitView: [commit(None), commit(Some("main"))],
        Accepted: [
            accepted(done, vec![added()], None, None, None),
            accepted(done, vec![added()], Some(commit(Some("main"))), None, None),
            accepted(done, vec![added()], None, words("the hook pre-commit refused the commit"), None),
            accepted(AcceptOutcome::Conflict, vec![], None, words("it was changed meanwhile"), stopped),
            accepted(AcceptOutcome::Failed, vec![], None, words("the disk is full"), None),
        ],
        Moved: [Moved { seq: Seq(58), canvas: view(vec![]) }],
    ]
}

fn file(status: FileStatus, binary: bool, mode: Option<Mode>) -> FileRow {
    FileRow { path: path("src/new.rs"), status, added: 3, removed: 1, binary, mode }
}

fn added() -> FileRow {
    file(FileStatus::Added, false, Some(Mode::Regular))
}

fn modified() -> FileRow {
    file(FileStatus::Modified, true, Some(Mode::Executable))
}

fn view(conflicts: Vec<RelPath>) -> CanvasView {
    CanvasView { files: vec![added()], conflicts, step: Seq(41), undoable: true, redoable: false }
}

fn before() -> BlobHash {
    BlobHash::of(b"old\n")
}

fn after() -> BlobHash {
    BlobHash::of(b"new\n")
}

/// A choice in a file that is there on both sides, or that was not there and is not any more.
fn chosen(there: bool, take: Vec<u32>) -> ChosenHunks {
    ChosenHunks { path: path("src/new.rs"), before: there.then(before), after: there.then(after), take }
}
