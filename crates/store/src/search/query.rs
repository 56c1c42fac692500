//! What is asked and what is found. What people type is not the syntax of FTS5: each word is quoted.

use super::words::WordsKind;
use crate::error::ReadError;
use crate::list::{ListCursor, ListRow};
use agent::{Micros, Seq};
use std::ops::Range;

/// What is searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// Words, all of which must stand in one title, prompt or reply; case and accents do not matter. The last one may be
    /// the beginning of a word, unless a space follows it. A word with marks in it, such as `src/main.rs`, is found as
    /// it stands.
    pub text: String,
    /// In the sessions of one workspace only.
    pub workspace: Option<String>,
    /// In those that come after this one in the list.
    pub before: Option<ListCursor>,
    /// How many sessions at most; [`Limits::rows_per_page`](crate::Limits::rows_per_page) holds as well.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The best place of each session, in the order of lists: the session that changed last comes first.
    pub hits: Vec<Hit>,
    /// Whether all sessions were looked at; if not, there were so many that only the youngest were, and more words
    /// would help.
    pub complete: bool,
}

/// A session in which the words were found. A title is better than a prompt, a prompt than a reply, and of the same kind
/// the last is best.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The session as in a list; its cursor is the place to go on from.
    pub listed: ListRow,
    /// The event that has the words.
    pub seq: Seq,
    /// When that was.
    pub at: Micros,
    /// What it is.
    pub kind: WordsKind,
    /// The words with what stands around them.
    pub snippet: Snippet,
}

/// A piece of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The piece; `…` stands where the text goes on.
    pub text: String,
    /// Where in it, in bytes, the words are.
    pub matches: Vec<Range<usize>>,
}

/// A search has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// More was asked than anybody types.
    #[error("what is searched for has {bytes} bytes, the limit query_bytes is {limit}; search for fewer words")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The store was opened without a vocabulary.
    #[error("this store was opened without search")]
    Off,
    /// Too many wait.
    #[error("too many searches wait for their answers; try again in a moment")]
    Busy,
    /// The index failed, also after it was made anew.
    #[error(
        "the index of search failed: {detail}; make room on the disk, or delete the file search.db beside the journal: it is made anew"
    )]
    Index {
        /// SQLite's words.
        detail: String,
    },
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A word shorter than this is not taken for the beginning of one: too many words would match.
const PREFIX_CHARS: usize = 2;
/// More words than this are left out.
const WORDS: usize = 32;

/// The text as an expression of FTS5: each word quoted, so that nothing in it is syntax. `None` if there is no word.
pub(super) fn expression(text: &str) -> Option<String> {
    let text = text.replace(char::is_control, " ");
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).take(WORDS);
    let mut quoted: Vec<String> = words.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    if let Some(word) = quoted.last_mut()
        && last.chars().filter(|letter| letter.is_alphanumeric()).count() >= PREFIX_CHARS
        && last.ends_with(char::is_alphanumeric)
    {
        word.push('*');
    }
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

/// What FTS5 puts around a match. Both are taken out of texts before they are indexed.
pub(super) const MARKS: (char, char) = ('\u{2}', '\u{3}');

/// A snippet of FTS5, with its marks turned into places.
pub(super) fn snippet(marked: &str) -> Snippet {
    let mut snippet = Snippet::default();
    let mut begun = None;
    for letter in marked.chars() {
        match letter {
            mark if mark == MARKS.0 => begun = Some(snippet.text.len()),
            mark if mark == MARKS.1 => snippet.matches.extend(begun.take().map(|begun| begun..snippet.text.len())),
            letter => snippet.text.push(letter),
        }
    }
    snippet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_quoted() {
        let expression = |text| expression(text).unwrap_or_default();
        assert_eq!(expression("fix par"), r#""fix" "par"*"#);
        assert_eq!(expression("fix par "), r#""fix" "par""#);
        assert_eq!(expression("a"), r#""a""#);
        assert_eq!(expression(r#"say "no OR maybe"#), r#""say" """no" "OR" "maybe"*"#);
        assert_eq!(expression("title:x* -y ^z (w) NEAR("), r#""title:x*" "-y" "^z" "(w)" "NEAR(""#);
        assert_eq!(expression("src/main.rs"), r#""src/main.rs"*"#);
        for empty in ["", " \t\n", "!!! -- ***", "\"", "\0"] {
            assert_eq!(expression(empty), "", "{empty:?}");
        }
    }

    #[test]
    fn marks_become_places() {
        let found = snippet("…a \u{2}búg\u{3} and \u{2}bugs\u{3}");
        assert_eq!(found.text, "…a búg and bugs");
        let words: Vec<&str> = found.matches.iter().map(|place| &found.text[place.clone()]).collect();
        assert_eq!(words, ["búg", "bugs"]);
    }
}
