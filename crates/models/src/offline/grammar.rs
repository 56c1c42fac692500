//! One sentence as actions: a verb and what it takes. Words that carry no meaning may stand almost anywhere.

use super::lexer::Token;
use super::script::bare;
use super::sentence::{ARTICLES, FILLERS, INTO_CONTENT, TRAILERS, WITH, Words, lines, quoted_text};

/// What a sentence asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Makes a file that is not there yet.
    Create { path: String, content: String },
    /// Makes a file, whatever is there.
    Overwrite { path: String, content: String },
    /// Adds lines at the end of a file, or makes it.
    Append { path: String, text: String },
    /// Puts one text in place of another.
    Replace { path: String, old: String, new: String, all: bool },
    /// Deletes a file.
    Delete { path: String },
    /// Moves a file.
    Rename { from: String, to: String },
    /// Shows a file.
    Show { path: String },
    /// Lists a directory; an empty path is the workspace.
    List { path: String },
    /// Finds files by name.
    FindFiles { pattern: String },
    /// Finds a text; `pattern` is a regular expression, `shown` what was asked for.
    Search { pattern: String, shown: String, path: String },
}

const CREATE: &[&str] = &["create", "make", "write", "put", "touch"];
const OVERWRITE: &[&str] = &["overwrite"];
const APPEND: &[&str] = &["append", "add"];
const REPLACE: &[&str] = &["replace", "change", "substitute"];
const DELETE: &[&str] = &["delete", "remove", "rm", "erase"];
const RENAME: &[&str] = &["rename", "move", "mv"];
const SHOW: &[&str] = &["show", "read", "print", "cat", "display", "open", "view"];
const LIST: &[&str] = &["list", "ls"];
const FIND: &[&str] = &["find", "search", "grep", "look"];
const VERBS: &[&[&str]] = &[CREATE, OVERWRITE, APPEND, REPLACE, DELETE, RENAME, SHOW, LIST, FIND];

/// Whether a word begins a sentence of the grammar.
pub(super) fn is_verb(word: &str) -> bool {
    VERBS.iter().any(|verbs| verbs.contains(&word))
}

/// Reads a sentence; `None` if any word of it is not understood.
pub(super) fn read(clause: &[Token]) -> Option<Vec<Action>> {
    let mut words = Words { left: clause };
    while words.eat(FILLERS) {}
    let verb = words.plain()?;
    let verb = verb.as_str();
    if CREATE.contains(&verb) {
        words.create().map(|action| vec![action])
    } else if OVERWRITE.contains(&verb) {
        words.file_with().map(|(path, content)| vec![Action::Overwrite { path, content }])
    } else if APPEND.contains(&verb) {
        words.append().map(|action| vec![action])
    } else if REPLACE.contains(&verb) {
        words.replace().map(|action| vec![action])
    } else if DELETE.contains(&verb) {
        words.delete()
    } else if RENAME.contains(&verb) {
        words.rename().map(|action| vec![action])
    } else if SHOW.contains(&verb) {
        words.show()
    } else if LIST.contains(&verb) {
        words.list().map(|action| vec![action])
    } else if FIND.contains(&verb) {
        words.find().map(|action| vec![action])
    } else {
        None
    }
}

impl Words<'_> {
    fn create(&mut self) -> Option<Action> {
        // `write "text" to PATH`.
        let mut other = *self;
        if quoted_text(self.left.first()?).is_some()
            && let Some(text) = other.text_until(&["to", "into", "in"])
        {
            let path = other.path()?;
            return other.ends(TRAILERS).then(|| Action::Create { path, content: lines(text) });
        }
        let (path, content) = self.file_with()?;
        Some(Action::Create { path, content })
    }

    fn append(&mut self) -> Option<Action> {
        let mut other = *self;
        if other.names_a_file() {
            return self.create();
        }
        if self.eat(&["to"]) {
            // `append to PATH: "text"`.
            let path = self.path()?;
            self.eat(WITH);
            return Some(Action::Append { path, text: lines(self.text()?) });
        }
        self.skip(INTO_CONTENT);
        let text = lines(self.text_until(&["to", "into", "in"])?);
        if self.eat(&["the"]) && self.eat(&["end", "bottom"]) {
            self.eat(&["of"]);
        }
        let path = self.path()?;
        (!text.is_empty() && self.ends(TRAILERS)).then_some(Action::Append { path, text })
    }

    /// Whether the next words speak of a file, as in `add a new file PATH`.
    fn names_a_file(&mut self) -> bool {
        self.skip(&["a", "an", "the", "new", "empty", "text"]);
        self.eat(&["file"])
    }

    fn replace(&mut self) -> Option<Action> {
        let mut all = self.eat(&["all", "every", "each"]);
        self.skip(&["occurrence", "occurrences", "of"]);
        self.skip_to_quote(INTO_CONTENT);
        let old = self.text_before(&["with", "by", "to", "into", "for"])?;
        let new = self.text_until(&["in"])?;
        all |= self.eat(&["all", "everywhere"]);
        self.eat(&["in", "of"]);
        let path = self.path()?;
        all |= self.left.iter().any(|token| matches!(token, Token::Plain(word) if bare(word) == "everywhere"));
        (!old.is_empty() && self.ends(TRAILERS)).then_some(Action::Replace { path, old, new, all })
    }

    fn delete(&mut self) -> Option<Vec<Action>> {
        let mut other = *self;
        // `remove "text" from PATH`.
        if self.left.first().and_then(quoted_text).is_some()
            && let Some(old) = other.text_before(&["from"])
        {
            let path = other.path()?;
            let replace = Action::Replace { path, old, new: String::new(), all: false };
            return other.ends(TRAILERS).then(|| vec![replace]);
        }
        Some(self.paths()?.into_iter().map(|path| Action::Delete { path }).collect())
    }

    fn rename(&mut self) -> Option<Action> {
        let from = self.path()?;
        if !self.eat(&["to", "into", "as"]) {
            return None;
        }
        let mut to = self.path()?;
        if to.ends_with('/') {
            to.push_str(from.rsplit('/').next().unwrap_or(&from));
        }
        self.ends(TRAILERS).then_some(Action::Rename { from, to })
    }

    fn show(&mut self) -> Option<Vec<Action>> {
        self.skip(ARTICLES);
        self.skip(&["content", "contents"]);
        self.skip(&["of"]);
        let paths = self.paths()?;
        Some(
            paths
                .into_iter()
                .map(|path| if is_directory(&path) { list(&path) } else { Action::Show { path } })
                .collect(),
        )
    }

    fn list(&mut self) -> Option<Action> {
        while self.eat(ARTICLES) || self.eat(&["all", "directory", "folder", "contents", "content"]) {}
        self.eat(&["in", "of", "under", "below"]);
        if self.left.is_empty() {
            return Some(list("."));
        }
        self.skip(&["directory", "folder"]);
        let path = self.path()?;
        if !self.ends(&["directory", "folder", "please"]) {
            return None;
        }
        Some(if is_glob(&path) { Action::FindFiles { pattern: path } } else { list(&path) })
    }

    fn find(&mut self) -> Option<Action> {
        self.skip(&["all", "for", "the", "a"]);
        let mut reversed = *self;
        if let Some(path) = reversed.path()
            && reversed.eat(&["for"])
        {
            // `search src for TODO`.
            return Some(search(reversed.text().filter(|wanted| !wanted.is_empty())?, path));
        }
        if self.left.len() == 1 && self.eat(&["files"]) {
            return Some(Action::FindFiles { pattern: "*".to_owned() });
        }
        let by_name = self.left.len() > 1 && self.eat(&["files", "file"]);
        if by_name {
            self.skip(&["named", "called", "matching", "like", "with", "name", "the"]);
        } else {
            self.skip(&["word", "words", "text", "string", "lines", "with", "containing"]);
        }
        let quoted = self.left.first().and_then(quoted_text).is_some();
        let mut until_in = *self;
        let (wanted, path) = match until_in.text_until(&["in", "under", "below"]) {
            Some(wanted) => (wanted, until_in.place()?),
            None => (self.text()?, String::new()),
        };
        if wanted.is_empty() {
            return None;
        }
        if by_name || (!quoted && is_glob(&wanted)) {
            let pattern = if path.is_empty() { wanted } else { format!("{path}/**/{wanted}") };
            return Some(Action::FindFiles { pattern });
        }
        Some(search(wanted, path))
    }

    /// A directory or file to look in; empty for the whole workspace.
    fn place(&mut self) -> Option<String> {
        if self.ends(&["all", "every", "the", "my", "files", "workspace", "project", "here", "everything"]) {
            return Some(String::new());
        }
        self.skip(&["the", "directory", "folder", "file"]);
        let path = self.path()?;
        let path = path.trim_end_matches('/');
        self.ends(&["directory", "folder", "please"]).then(|| if path == "." { String::new() } else { path.to_owned() })
    }
}

/// A search for a text as it stands, or for a regular expression between slashes.
fn search(wanted: String, path: String) -> Action {
    let regex = wanted.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|regex| !regex.is_empty());
    let pattern = regex.map_or_else(|| escape(&wanted), str::to_owned);
    Action::Search { pattern, shown: wanted, path }
}

fn list(path: &str) -> Action {
    let path = path.trim_end_matches('/');
    Action::List { path: if path == "." { String::new() } else { path.to_owned() } }
}

fn is_directory(path: &str) -> bool {
    path == "." || path.ends_with('/')
}

fn is_glob(word: &str) -> bool {
    !word.contains(' ') && word.contains('*')
}

/// A text as the regular expression that finds it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
