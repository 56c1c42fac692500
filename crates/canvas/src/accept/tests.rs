//! The way without `renameat2`, on a file system that has it: real file systems without are not at hand in tests.

use super::execute::{Accepted, Run, Stage};
use super::spot::Renaming;
use crate::blobs::Blobs;
use crate::worktree::WorkTree;
use agent::AcceptOutcome;
use std::io;
use std::path::Path;
use wire::body::{AcceptPlan, PlannedFile};
use wire::{Change, Contents, FileState, Mode, RelPath};

const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new, and longer";

fn state(bytes: &[u8]) -> Option<FileState> {
    Some(Contents { bytes: bytes.to_vec(), mode: Mode::Regular }.state())
}

fn plan() -> AcceptPlan {
    let file = |number: usize, name: &str, before, after| PlannedFile {
        change: Change { path: RelPath::new(name).unwrap(), before, after },
        temporary: format!(".tinkerbell-{number:032x}.tmp"),
    };
    let files = vec![
        file(1, "gone", state(OLD), None),
        file(2, "changed", state(OLD), state(NEW)),
        file(3, "dir/made", None, state(NEW)),
        file(4, "last", state(OLD), state(NEW)),
    ];
    AcceptPlan { files, commit: None }
}

fn checked(at: &Path, plan: &AcceptPlan, stage: &mut dyn FnMut(Stage<'_>)) -> Accepted {
    let blobs = Blobs::new(|hash| {
        let known = [OLD, NEW].into_iter().find(|bytes| wire::BlobHash::of(bytes) == hash);
        known.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::NotFound.into())
    });
    let tree = WorkTree::open(at).unwrap();
    let run = Run { renaming: Renaming::Checked, ..Run::new(&tree, plan, &blobs, stage) };
    run.settle().unwrap()
}

fn found(at: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut directories = vec![at.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else {
                files.push((entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn before(at: &Path) {
    for name in ["gone", "changed", "last"] {
        std::fs::write(at.join(name), OLD).unwrap();
    }
}

fn files(expected: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    expected.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

#[test]
fn without_an_exchange_of_the_kernel_an_accept_does_the_same() {
    let home = tempfile::tempdir().unwrap();
    before(home.path());
    let accepted = checked(home.path(), &plan(), &mut |_| {});
    assert_eq!((accepted.outcome, accepted.end.message), (AcceptOutcome::Done, None));
    assert_eq!(found(home.path()), files(&[("changed", NEW), ("last", NEW), ("made", NEW)]));
}

#[test]
fn without_an_exchange_of_the_kernel_everything_is_taken_back_too() {
    for (name, blocked) in [("last", b"theirs".as_slice()), ("made", b"theirs")] {
        let home = tempfile::tempdir().unwrap();
        before(home.path());
        let at = home.path().join(if name == "made" { "dir/made" } else { name });
        let mut saved = false;
        let accepted = checked(home.path(), &plan(), &mut |stage| {
            if stage == Stage::Checked(&RelPath::new("changed").unwrap()) && !saved {
                saved = true;
                std::fs::write(&at, blocked).unwrap();
            }
        });
        assert!(saved);
        assert_eq!(accepted.outcome, AcceptOutcome::Conflict);
        let expected = match name {
            "made" => files(&[("changed", OLD), ("gone", OLD), ("last", OLD), ("made", blocked)]),
            _ => files(&[("changed", OLD), ("gone", OLD), ("last", blocked)]),
        };
        assert_eq!(found(home.path()), expected, "{:?}", accepted.end.message);
    }
}
