//! Paths as git takes them, and the answers in which it names some.

use super::error::CommitError;
use super::run::Git;
use std::collections::BTreeSet;
use wire::RelPath;

/// How many bytes of paths are given to one program as arguments; the system takes some two million.
const MAX_ARGUMENT_BYTES: usize = 128 * 1024;

/// A pathspec that means this path and, where it is a directory, what lies below it.
pub(super) fn literal(path: &RelPath) -> String {
    format!(":(literal){path}")
}

/// A pathspec that means the entry of this name and nothing below it: a pattern, though of one possible match, since
/// those without any sign of a pattern mean directories too.
pub(super) fn exactly(path: &RelPath) -> String {
    let mut pattern = ":(glob)\\".to_owned();
    for (at, character) in path.as_str().chars().enumerate() {
        if at > 0 && matches!(character, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// The same list for programs that read it: each with a NUL behind it.
pub(super) fn listed(names: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names {
        bytes.extend_from_slice(name.as_ref().as_bytes());
        bytes.push(0);
    }
    bytes
}

/// The names in an answer in which a NUL stands behind each.
pub(super) fn names(answer: &[u8]) -> BTreeSet<String> {
    let parts = answer.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

impl Git<'_> {
    /// Asks the same about all of these pathspecs, in as many runs as their length needs, and gathers what is named.
    pub(super) fn ask_about(
        &self,
        doing: &'static str,
        question: &[&str],
        pathspecs: impl IntoIterator<Item = String>,
    ) -> Result<BTreeSet<String>, CommitError> {
        let mut found = BTreeSet::new();
        let mut pathspecs = pathspecs.into_iter().peekable();
        while pathspecs.peek().is_some() {
            let mut arguments: Vec<String> = question.iter().map(|word| (*word).to_owned()).collect();
            arguments.push("--".to_owned());
            let mut bytes = 0;
            while let Some(next) = pathspecs.next_if(|_| bytes < MAX_ARGUMENT_BYTES) {
                bytes += next.len() + 1;
                arguments.push(next);
            }
            found.extend(names(&self.ask(doing, &arguments, &[])?.answer(doing)?));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_named_by_a_pattern_that_can_mean_nothing_else() {
        let pattern = |text| exactly(&RelPath::new(text).unwrap());
        assert_eq!(pattern("sub"), ":(glob)\\sub");
        assert_eq!(pattern("a/[b]*\\?"), ":(glob)\\a/\\[b]\\*\\\\\\?");
        assert_eq!(pattern("*"), ":(glob)\\*");
    }

    #[test]
    fn names_keep_their_line_breaks() {
        let given = ["a\nb", "c"];
        assert_eq!(names(&listed(given)), BTreeSet::from(given.map(String::from)));
    }
}
