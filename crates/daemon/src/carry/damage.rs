//! What is wrong with a file, and where.

use std::io;
use wire::{Code, Problem};

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    /// The file is not what was written.
    #[error("line {line} of the file: {what}")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Something in it is larger than a limit.
    #[error("{what} is larger than the limit {limit_name} of {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// Which limit.
        limit_name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// It could not be kept or read on this machine.
    #[error("the file could not be kept while it was read: {0}")]
    Disk(#[from] io::Error),
}

impl Damage {
    /// The same in a door's words.
    pub(super) fn problem(self) -> Problem {
        let code = match &self {
            Damage::Line { .. } => Code::InvalidRequest,
            Damage::TooLarge { .. } => Code::TooLarge,
            Damage::Disk(error)
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Code::StorageFull
            }
            Damage::Disk(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Code::ReadOnly,
            Damage::Disk(_) => Code::Conflict,
        };
        let remedy = match &self {
            Damage::Line { .. } => {
                "nothing was imported; export the session again, or take an undamaged copy of the file"
            }
            Damage::TooLarge { .. } => "nothing was imported; a snapshot carries what is larger",
            Damage::Disk(_) => "nothing was imported; look after the disk and try again",
        };
        Problem::new(code, self.to_string()).remedy(remedy)
    }
}
