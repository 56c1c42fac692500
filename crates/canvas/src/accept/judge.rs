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
    Known {
        /// It is exactly what the plan wants to replace.
        old: bool,
        /// It is the new bytes, or the beginning of them.
        part_of_new: bool,
    },
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

/// Judges. Where both a whole old file and a half-written new one would explain what is at the temporary name, it is
/// taken for the half-written one: the worst that comes of it is a conflict that is none.
pub(super) fn judge(
    before: Option<FileState>,
    after: Option<FileState>,
    path: AtPath,
    temporary: AtTemporary,
) -> Standing {
    use AtTemporary::{Alien, Known, Nothing};
    let surely_old = matches!(temporary, Known { old: true, part_of_new: false });
    match (before, after) {
        (None, None) => Standing::InTheWay,
        (None, Some(_)) if path.is(after) => Standing::Exchanged,
        (None, Some(_)) if path.is(None) && temporary != Alien => Standing::Waiting,
        (None, Some(_)) => Standing::InTheWay,
        (Some(_), None) if matches!(path, AtPath::Nothing | AtPath::Directory) => match temporary {
            Alien => Standing::BroughtOut,
            Nothing | Known { .. } => Standing::Exchanged,
        },
        (Some(_), None) if path.is(before) && temporary != Alien => Standing::Waiting,
        (Some(_), None) if surely_old => Standing::Exchanged,
        (Some(_), None) => Standing::InTheWay,
        (Some(_), Some(_)) if path.is(after) && temporary == Alien => Standing::BroughtOut,
        (Some(_), Some(_)) if path.is(after) => Standing::Exchanged,
        (Some(_), Some(_)) if path.is(before) && temporary != Alien => Standing::Waiting,
        (Some(_), Some(_)) if surely_old => Standing::Exchanged,
        (Some(_), Some(_)) => Standing::InTheWay,
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
        let known = |old, part_of_new| AtTemporary::Known { old, part_of_new };
        let temporaries = [AtTemporary::Nothing, known(true, false), known(false, true), AtTemporary::Alien];
        let expected = [
            // Rows: nothing, old, new, other, a directory. Columns: nothing, old, new, alien at the temporary name.
            (Some(old), Some(new), [
                [InTheWay, Exchanged, InTheWay, InTheWay],
                [Waiting, Waiting, Waiting, InTheWay],
                [Exchanged, Exchanged, Exchanged, BroughtOut],
                [InTheWay, Exchanged, InTheWay, InTheWay],
                [InTheWay, Exchanged, InTheWay, InTheWay],
            ]),
            (Some(old), None, [
                [Exchanged, Exchanged, Exchanged, BroughtOut],
                [Waiting, Waiting, Waiting, InTheWay],
                [InTheWay, Exchanged, InTheWay, InTheWay],
                [InTheWay, Exchanged, InTheWay, InTheWay],
                [Exchanged, Exchanged, Exchanged, BroughtOut],
            ]),
            (None, Some(new), [
                [Waiting, Waiting, Waiting, InTheWay],
                [InTheWay, InTheWay, InTheWay, InTheWay],
                [Exchanged, Exchanged, Exchanged, Exchanged],
                [InTheWay, InTheWay, InTheWay, InTheWay],
                [InTheWay, InTheWay, InTheWay, InTheWay],
            ]),
        ];
        for (before, after, table) in expected {
            for (path, row) in paths.into_iter().zip(table) {
                for (temporary, standing) in temporaries.into_iter().zip(row) {
                    let judged = judge(before, after, path, temporary);
                    assert_eq!(judged, standing, "{before:?} to {after:?}, {path:?}, {temporary:?}");
                }
            }
        }
    }
}
