//! What a failing disk means for whoever asked: a typed error with the way out, and not a fault of ours or of theirs.

use std::error::Error;
use std::io;
use wire::{Code, Problem};

/// The problem that an error is. Where a disk is behind it the code says what is the matter, else it is `otherwise`.
pub(crate) fn problem(error: &(dyn Error + 'static), otherwise: Code) -> Problem {
    let (mut disk, mut next) = (None, Some(error));
    while let (None, Some(cause)) = (disk, next) {
        disk = cause.downcast_ref::<io::Error>().and_then(meaning);
        next = cause.source();
    }
    let (code, remedy) = disk.unwrap_or((otherwise, ""));
    let problem = Problem::new(code, error.to_string());
    if remedy.is_empty() { problem } else { problem.remedy(remedy) }
}

fn meaning(error: &io::Error) -> Option<(Code, &'static str)> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some((
            Code::StorageFull,
            "free some space, or remove some files where there may be no more of them, and try again",
        )),
        io::ErrorKind::ReadOnlyFilesystem => Some((Code::ReadOnly, "make the place writable, and try again")),
        // The standard library has no name for it.
        _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
            Some((Code::OutcomeUnknown, "look after the disk, then try again"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be written: {source}")]
    struct Failed {
        source: io::Error,
    }

    #[test]
    fn a_disk_behind_an_error_says_what_is_the_matter() {
        let code = |errno: rustix::io::Errno| problem(&Failed { source: errno.into() }, Code::Internal).code;
        assert_eq!(code(rustix::io::Errno::NOSPC), Code::StorageFull);
        assert_eq!(code(rustix::io::Errno::DQUOT), Code::StorageFull);
        assert_eq!(code(rustix::io::Errno::ROFS), Code::ReadOnly);
        assert_eq!(code(rustix::io::Errno::IO), Code::OutcomeUnknown);
        assert_eq!(code(rustix::io::Errno::NOENT), Code::Internal);
        let full = problem(&Failed { source: io::ErrorKind::StorageFull.into() }, Code::Internal);
        assert!(full.detail.starts_with("the file cannot be written") && full.remedy.is_some());
    }
}
