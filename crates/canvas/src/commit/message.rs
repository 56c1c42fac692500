//! Messages of commits, in the form in which git keeps them.

use super::error::CommitError;

/// The longest message, in bytes; it is an argument of a program.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

pub(super) fn check(message: &str) -> Result<(), CommitError> {
    if message.len() > MAX_MESSAGE_BYTES || message.contains('\0') {
        return Err(CommitError::BadMessage { bytes: message.len() });
    }
    if message.trim().is_empty() { Err(CommitError::EmptyMessage) } else { Ok(()) }
}

/// Whether `kept` is what git keeps of `given`, to which a hook may have added trailers (`Change-Id: …`).
pub(super) fn is_kept(given: &str, kept: &str) -> bool {
    let (given, kept) = (cleaned(given), cleaned(kept));
    let Some(rest) = kept.strip_prefix(&given) else { return false };
    let is_trailer = |line: &str| {
        let token = line.split_once(':').map_or("", |(token, _)| token);
        line.is_empty() || (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
    };
    rest.is_empty() || (rest.starts_with('\n') && rest.lines().all(is_trailer))
}

/// What `git commit --cleanup=whitespace` makes of a message.
fn cleaned(message: &str) -> String {
    let mut lines: Vec<&str> = message.lines().map(str::trim_end).skip_while(|line| line.is_empty()).collect();
    lines.dedup_by(|next, line| next.is_empty() && line.is_empty());
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_again_in_the_form_that_git_keeps_and_with_trailers() {
        for (given, kept) in [
            ("fix", "fix\n"),
            ("\n\n fix  \n\n\n\nwhy\n", " fix\n\nwhy\n"),
            ("fix\n\n# not a comment", "fix\n\n# not a comment\n"),
            ("fix", "fix\n\nChange-Id: I1234\nSigned-off-by: u <u@u>\n"),
            ("fix\n\nRefs: 1", "fix\n\nRefs: 1\nChange-Id: I1\n"),
        ] {
            assert!(is_kept(given, kept), "{given:?} {kept:?}");
        }
        for (given, kept) in [("fix", "fixed\n"), ("fix", "fix\n\nsomebody's own words\n"), ("fix it", "fix\n")] {
            assert!(!is_kept(given, kept), "{given:?} {kept:?}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert!(matches!(check(" \n\t"), Err(CommitError::EmptyMessage)));
        assert!(matches!(check("a\0b"), Err(CommitError::BadMessage { bytes: 3 })));
        assert!(matches!(check(&"a".repeat(MAX_MESSAGE_BYTES + 1)), Err(CommitError::BadMessage { .. })));
        assert!(check("ü").is_ok());
    }
}
