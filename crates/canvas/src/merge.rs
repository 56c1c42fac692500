//! Merging one file in three ways. What does not merge is a conflict, and nothing is ever written for it.
//!
//! Bytes and mode are merged each for itself, so that one side may edit a script while the other makes it executable.

use crate::blobs::BlobError;
use git2::MergeFileInput;
use wire::{Contents, FileState, Mode};

/// Texts longer than this are not merged line by line.
pub const MAX_MERGED_BYTES: u64 = 10 * 1024 * 1024;

/// Git looks for a NUL in this many bytes to tell binary from text.
const BINARY_PROBE_BYTES: usize = 8000;

/// What came of a merge.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// A state that one of the sides has.
    Known(Option<FileState>),
    /// Contents that neither side has.
    New(Contents),
    /// The sides disagree.
    Conflict,
}

/// Merges `ours` and `theirs`, which both come from `ancestor`. Bytes are read only where both sides changed them.
pub(crate) fn merge(
    ancestor: Option<FileState>,
    ours: Option<FileState>,
    theirs: Option<FileState>,
    read: &dyn Fn(&FileState) -> Result<Vec<u8>, BlobError>,
) -> Result<Merged, BlobError> {
    if let Some(known) = choose(ancestor, ours, theirs) {
        return Ok(Merged::Known(known));
    }
    let (Some(ancestor), Some(ours), Some(theirs)) = (ancestor, ours, theirs) else {
        return Ok(Merged::Conflict);
    };
    let states = [&ancestor, &ours, &theirs];
    if states.iter().any(|state| state.mode == Mode::Symlink) {
        return Ok(Merged::Conflict);
    }
    let Some(mode) = choose(ancestor.mode, ours.mode, theirs.mode) else { return Ok(Merged::Conflict) };
    if let Some(blob) = choose(ancestor.blob, ours.blob, theirs.blob) {
        let side = if blob == ours.blob { ours } else { theirs };
        return Ok(Merged::Known(Some(FileState { mode, ..side })));
    }
    if states.iter().any(|state| state.bytes > MAX_MERGED_BYTES) {
        return Ok(Merged::Conflict);
    }
    let texts = (read(&ancestor)?, read(&ours)?, read(&theirs)?);
    Ok(match merge_texts(&texts.0, &texts.1, &texts.2) {
        Some(bytes) => Merged::New(Contents { bytes, mode }),
        None => Merged::Conflict,
    })
}

/// The side that changed, when at most one did or both did the same.
fn choose<T: PartialEq>(ancestor: T, ours: T, theirs: T) -> Option<T> {
    if ours == theirs || theirs == ancestor {
        Some(ours)
    } else if ours == ancestor {
        Some(theirs)
    } else {
        None
    }
}

/// `None` when the texts do not merge. For binary bytes libgit2 answers an *empty* file, so these never get to it.
fn merge_texts(ancestor: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    if [ancestor, ours, theirs].iter().any(|bytes| is_binary(bytes)) {
        return None;
    }
    let (mut base, mut left, mut right) = (MergeFileInput::new(), MergeFileInput::new(), MergeFileInput::new());
    base.content(ancestor);
    left.content(ours);
    right.content(theirs);
    crate::git::prepare();
    // An error of the merge itself (out of memory) is a merge that did not succeed: a conflict, never a guess.
    let merged = git2::merge_file(&base, &left, &right, None).ok()?;
    merged.is_automergeable().then(|| merged.content().to_vec())
}

/// Whether git would call these bytes binary.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(BINARY_PROBE_BYTES)].contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &[u8], mode: Mode) -> FileState {
        Contents { bytes: text.to_vec(), mode }.state()
    }

    fn merged(texts: [&[u8]; 3], modes: [Mode; 3]) -> Merged {
        let states: Vec<_> = (0..3).map(|i| state(texts[i], modes[i])).collect();
        let read = |wanted: &FileState| {
            let at = states.iter().position(|state| state.blob == wanted.blob).unwrap();
            Ok(texts[at].to_vec())
        };
        merge(Some(states[0]), Some(states[1]), Some(states[2]), &read).unwrap()
    }

    const TEXT: [Mode; 3] = [Mode::Regular; 3];

    #[test]
    fn changes_of_different_lines_merge_with_their_line_endings() {
        let merged = merged([b"a\r\nb\r\nc\r\nd\r\ne", b"A\r\nb\r\nc\r\nd\r\ne", b"a\r\nb\r\nc\r\nd\r\nE"], TEXT);
        assert_eq!(merged, Merged::New(Contents { bytes: b"A\r\nb\r\nc\r\nd\r\nE".to_vec(), mode: Mode::Regular }));
    }

    #[test]
    fn bytes_and_mode_merge_each_for_itself() {
        let merged = merged([b"a\n", b"b\n", b"a\n"], [Mode::Regular, Mode::Regular, Mode::Executable]);
        assert_eq!(merged, Merged::Known(Some(state(b"b\n", Mode::Executable))));
    }

    #[test]
    fn what_does_not_merge_is_a_conflict_and_nothing_else() {
        let cases: [[&[u8]; 3]; 2] =
            [[b"a\n", b"b\n", b"c\n"], [b"a\0b\nc\nd\ne\n", b"A\0b\nc\nd\ne\n", b"a\0b\nc\nd\nE\n"]];
        for texts in cases {
            assert_eq!(merged(texts, TEXT), Merged::Conflict);
        }
        let links = [Mode::Symlink; 3];
        assert_eq!(merged([b"a\nb\nc\nd", b"A\nb\nc\nd", b"a\nb\nc\nD"], links), Merged::Conflict);
    }

    #[test]
    fn a_file_that_one_side_deleted_and_the_other_changed_is_a_conflict() {
        let (a, b) = (state(b"a", Mode::Regular), state(b"b", Mode::Regular));
        let read = |_: &FileState| unreachable!("no bytes are needed");
        assert_eq!(merge(Some(a), None, Some(b), &read).unwrap(), Merged::Conflict);
        assert_eq!(merge(Some(a), None, Some(a), &read).unwrap(), Merged::Known(None));
        assert_eq!(merge(None, Some(a), Some(b), &read).unwrap(), Merged::Conflict);
        assert_eq!(merge(None, Some(a), Some(a), &read).unwrap(), Merged::Known(Some(a)));
    }
}
