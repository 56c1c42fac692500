//! Where a file of a plan stands, judged by nothing but what is at its path and at its temporary name.

use wire::FileState;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtPath {
    Nothing,
    File(FileState),
    Directory,
    /// A pipe, a device, or a file larger than both sides of the plan.
    Other,
}

/// What is at a temporary name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtTemporary {
    Nothing,
    /// Exactly what the plan wants to replace.
    Old,
    /// Exactly what the plan wants to put there. (Never a part of it: files are written under another name.)
    New,
    /// Something that the journal does not know.
    Alien,
}

/// Where a file of a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// As before; nothing was exchanged, or it was taken back.
    Waiting,
    /// As planned, whatever the user did to it afterwards.
    Exchanged,
    /// The exchange brought out something that the plan did not expect; it belongs back.
    BroughtOut,
    /// The path has what the plan does not expect.
    InTheWay,
}

impl AtPath {
    pub(super) fn is(self, state: Option<FileState>) -> bool {
        match (self, state) {
            (AtPath::Nothing, None) => true,
            (AtPath::File(found), Some(state)) => found == state,
            _ => false,
        }
    }
}

/// Judges.
pub(super) fn judge(
    before: Option<FileState>,
    after: Option<FileState>,
    path: AtPath,
    temporary: AtTemporary,
) -> Standing {
    let as_planned = path.is(after) || (after.is_none() && path == AtPath::Directory);
    match temporary {
        // Nothing is brought out where nothing was expected: then the name is merely taken.
        AtTemporary::Alien if as_planned && before.is_some() => Standing::BroughtOut,
        _ if as_planned => Standing::Exchanged,
        AtTemporary::Alien => Standing::InTheWay,
        _ if path.is(before) => Standing::Waiting,
        // It was exchanged, and the user changed the file after that.
        AtTemporary::Old => Standing::Exchanged,
        AtTemporary::Nothing | AtTemporary::New => Standing::InTheWay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{Contents, Mode};

    /// Every pair of what can be at the two names, for each of the three kinds of change.
    #[test]
    fn every_pair_of_path_and_temporary_name_has_one_judgement() {
        use Standing::{BroughtOut, Exchanged, InTheWay, Waiting};
        let state = |text: &str| Contents { bytes: text.into(), mode: Mode::Regular }.state();
        let (old, new, other) = (state("old"), state("new"), state("other"));
        let paths = [AtPath::Nothing, AtPath::File(old), AtPath::File(new), AtPath::File(other), AtPath::Directory];
        let temporaries = [AtTemporary::Nothing, AtTemporary::Old, AtTemporary::New, AtTemporary::Alien];
        let expected = [
            // Rows: nothing, old, new, other, a directory. Columns: nothing, old, new, alien at the temporary name.
            (
                Some(old),
                Some(new),
                [
                    [InTheWay, Exchanged, InTheWay, InTheWay],
                    [Waiting, Waiting, Waiting, InTheWay],
                    [Exchanged, Exchanged, Exchanged, BroughtOut],
                    [InTheWay, Exchanged, InTheWay, InTheWay],
                    [InTheWay, Exchanged, InTheWay, InTheWay],
                ],
            ),
            (
                Some(old),
                None,
                [
                    [Exchanged, Exchanged, Exchanged, BroughtOut],
                    [Waiting, Waiting, Waiting, InTheWay],
                    [InTheWay, Exchanged, InTheWay, InTheWay],
                    [InTheWay, Exchanged, InTheWay, InTheWay],
                    [Exchanged, Exchanged, Exchanged, BroughtOut],
                ],
            ),
            (
                None,
                Some(new),
                [
                    [Waiting, Waiting, Waiting, InTheWay],
                    [InTheWay, InTheWay, InTheWay, InTheWay],
                    [Exchanged, Exchanged, Exchanged, Exchanged],
                    [InTheWay, InTheWay, InTheWay, InTheWay],
                    [InTheWay, InTheWay, InTheWay, InTheWay],
                ],
            ),
        ];
        for (before, after, table) in expected {
            for (path, row) in paths.into_iter().zip(table) {
                for (temporary, standing) in temporaries.into_iter().zip(row) {
                    let impossible = match temporary {
                        AtTemporary::Old => before.is_none(),
                        AtTemporary::New => after.is_none(),
                        AtTemporary::Nothing | AtTemporary::Alien => false,
                    };
                    if impossible {
                        continue;
                    }
                    let judged = judge(before, after, path, temporary);
                    assert_eq!(judged, standing, "{before:?} to {after:?}, {path:?}, {temporary:?}");
                }
            }
        }
    }
}
