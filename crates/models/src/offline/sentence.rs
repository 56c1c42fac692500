//! A sentence while it is read: words are taken from its front, as paths, as texts, or as words without meaning of their
//! own. What a sentence asks for is the grammar's business.

use super::lexer::Token;
use super::script::bare;

pub(super) const FILLERS: &[&str] = &[
    "please",
    "can",
    "could",
    "would",
    "will",
    "you",
    "i",
    "want",
    "like",
    "need",
    "to",
    "now",
    "also",
    "then",
    "and",
    "first",
    "next",
    "finally",
    "afterwards",
    "just",
    "kindly",
    "ok",
    "okay",
    "hi",
    "hello",
    "let's",
    "lets",
    "us",
];
pub(super) const ARTICLES: &[&str] =
    &["a", "an", "the", "my", "this", "new", "empty", "text", "file", "files", "called", "named", "me"];
/// Words that are never a path unless they are quoted.
const NO_PATHS: &[&str] = &["and", "with", "to", "in", "into", "of", "from", "it", "by", "for", "everything"];
pub(super) const WITH: &[&str] =
    &["with", "containing", "saying", "holding", "having", "reading", "that", "which", "whose"];
pub(super) const INTO_CONTENT: &[&str] = &[
    "contains",
    "says",
    "holds",
    "has",
    "reads",
    "the",
    "a",
    "an",
    "single",
    "following",
    "word",
    "words",
    "text",
    "line",
    "lines",
    "content",
    "contents",
    "string",
    "is",
];
pub(super) const TRAILERS: &[&str] = &[
    "in",
    "it",
    "inside",
    "there",
    "please",
    "as",
    "its",
    "content",
    "contents",
    "the",
    "file",
    "everywhere",
    "for",
    "me",
];

/// Whether a word may stand before the verb without meaning anything.
pub(super) fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word)
}

/// What is left of a sentence.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) left: &'a [Token],
}

impl Words<'_> {
    /// The next word in lower case, if it is not quoted.
    pub(super) fn peek(&self) -> Option<String> {
        match self.left.first()? {
            Token::Plain(word) => Some(bare(word)),
            Token::Quoted(_) | Token::Break => None,
        }
    }

    pub(super) fn plain(&mut self) -> Option<String> {
        let word = self.peek()?;
        self.left = &self.left[1..];
        Some(word)
    }

    /// Takes the next word if it is one of these.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|word| words.contains(&word.as_str()));
        if found {
            self.left = &self.left[1..];
        }
        found
    }

    /// Takes words of these as long as another word stands behind them, which is then the one that is meant.
    pub(super) fn skip(&mut self, words: &[&str]) {
        while self.left.len() > 1 && self.eat(words) {}
    }

    /// The whole of what is left is one of these words, or nothing.
    pub(super) fn ends(mut self, words: &[&str]) -> bool {
        while self.eat(words) {}
        self.left.is_empty()
    }

    /// A path, without the punctuation of its sentence.
    pub(super) fn path(&mut self) -> Option<String> {
        self.skip(ARTICLES);
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        let path = match first {
            Token::Quoted(text) => text.clone(),
            Token::Plain(word) if [ARTICLES, NO_PATHS].concat().contains(&bare(word).as_str()) => return None,
            Token::Plain(word) => plain_path(word),
            Token::Break => return None,
        };
        (!path.is_empty() && !path.contains('\n')).then_some(path)
    }

    /// Paths, joined by commas or `and`.
    pub(super) fn paths(&mut self) -> Option<Vec<String>> {
        let mut paths = Vec::new();
        while !self.left.is_empty() {
            if !paths.is_empty() {
                self.eat(&["and"]);
            }
            paths.push(self.path()?);
        }
        (!paths.is_empty()).then_some(paths)
    }

    /// One text up to the last word of these, which is taken too: quoted, or the plain words as they stand.
    pub(super) fn text_until(&mut self, words: &[&str]) -> Option<String> {
        match self.left.first()? {
            Token::Quoted(_) => self.text_before(words),
            // The last one, since plain words may hold the word itself.
            _ => self.left.iter().rposition(|token| is_one_of(token, words)).and_then(|at| self.take_text(at)),
        }
    }

    /// The same up to the first word of these.
    pub(super) fn text_before(&mut self, words: &[&str]) -> Option<String> {
        self.left.iter().position(|token| is_one_of(token, words)).and_then(|at| self.take_text(at))
    }

    pub(super) fn take_text(&mut self, at: usize) -> Option<String> {
        let text = text_of(&self.left[..at])?;
        self.left = &self.left[at + 1..];
        Some(text)
    }

    /// Takes words of these if a quoted text follows them.
    pub(super) fn skip_to_quote(&mut self, words: &[&str]) {
        let mut other = *self;
        other.skip(words);
        if other.left.first().and_then(quoted_text).is_some() {
            *self = other;
        }
    }

    /// All that is left as a text.
    pub(super) fn text(&mut self) -> Option<String> {
        let whole = std::mem::take(&mut self.left);
        let quoted: Vec<&str> = whole.iter().filter_map(quoted_text).collect();
        if quoted.is_empty() {
            return text_of(whole);
        }
        // Between quoted lines only `and` makes sense, and behind the last one words such as `in it`.
        let last = whole.iter().rposition(|token| quoted_text(token).is_some())?;
        let between = whole[..last].iter().all(|token| match token {
            Token::Plain(word) => matches!(bare(word).as_str(), "and" | ""),
            Token::Quoted(_) | Token::Break => true,
        });
        let after = Words { left: &whole[last + 1..] };
        (between && after.ends(TRAILERS)).then(|| quoted.join("\n"))
    }

    /// `[the file] PATH with TEXT`, or nothing behind the path.
    pub(super) fn file_with(&mut self) -> Option<(String, String)> {
        let path = self.path()?;
        if self.left.is_empty() {
            return Some((path, String::new()));
        }
        let introduced = self.eat(WITH);
        if !introduced && quoted_text(self.left.first()?).is_none() {
            return None;
        }
        self.skip(INTO_CONTENT);
        Some((path, lines(self.text()?)))
    }
}

fn is_one_of(token: &Token, words: &[&str]) -> bool {
    matches!(token, Token::Plain(word) if words.contains(&bare(word).as_str()))
}

pub(super) fn quoted_text(token: &Token) -> Option<&str> {
    match token {
        Token::Quoted(text) => Some(text),
        Token::Plain(_) | Token::Break => None,
    }
}

/// One quoted text, or plain words as they stand, without the full stop of their sentence.
fn text_of(tokens: &[Token]) -> Option<String> {
    if let [Token::Quoted(text)] = tokens {
        return Some(text.clone());
    }
    let mut words = Vec::new();
    for token in tokens {
        match token {
            Token::Plain(word) => words.push(word.as_str()),
            Token::Quoted(_) | Token::Break => return None,
        }
    }
    let text = words.join(" ");
    Some(text.strip_suffix('.').unwrap_or(&text).to_owned())
}

fn plain_path(word: &str) -> String {
    match word {
        "." | "./" => word.to_owned(),
        // The full stop of a sentence, but never the dots that lead upwards.
        _ if word.ends_with("..") => word.to_owned(),
        _ => word.trim_end_matches([',', '.', ':', '!', '?', ')']).trim_start_matches('(').to_owned(),
    }
}

/// A file ends with a line.
pub(super) fn lines(text: String) -> String {
    if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
}
