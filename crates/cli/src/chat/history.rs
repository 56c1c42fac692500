//! What was typed earlier, kept in a file that only its owner can read.
//!
//! A line of the file is a text as a JSON string, since a text may have several lines. What looks like a key is never
//! written, and attachments are not part of a text.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The name of the file of what was typed, in the state directory.
pub(super) const HISTORY_FILE: &str = "chat_history";
/// How many texts are kept.
const MAX_ENTRIES: usize = 1_000;
/// The longest text that is kept, in bytes.
const MAX_ENTRY_BYTES: usize = 16 * 1024;
/// How much text is kept, in bytes.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// The largest file that is read; of a larger one its end counts, and the rest is left out of it.
const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024;
/// How keys of providers begin.
const KEY_BEGINNINGS: [&str; 12] =
    ["sk-", "sk_", "pk-", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA", "AIza", "hf_"];
/// A word that begins like a key is one from this length on.
const MIN_KEY_CHARS: usize = 16;

/// What was typed, the newest last.
#[derive(Debug, Default)]
pub(super) struct History {
    entries: Vec<String>,
    /// Where it is kept; none where it could not be.
    file: Option<PathBuf>,
    /// The entry that is shown, while one is.
    at: Option<usize>,
    /// What was being typed before that.
    draft: String,
}

impl History {
    /// Reads what is kept. A file that cannot be read is as good as none.
    pub(super) fn open(file: PathBuf) -> History {
        let mut entries: Vec<String> =
            read(&file).unwrap_or_default().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let surplus = bound(&mut entries);
        let is_large = file.metadata().is_ok_and(|about| about.len() > MAX_FILE_BYTES);
        if surplus > MAX_ENTRIES || is_large {
            // It has grown to twice its size: what is too old is left out. Should that fail, it goes on growing a while.
            let _ = rewrite(&file, &entries);
        }
        History { entries, file: Some(file), at: None, draft: String::new() }
    }

    /// Keeps a text.
    pub(super) fn add(&mut self, text: &str) -> io::Result<()> {
        self.at = None;
        let text = text.trim_end();
        let is_new = self.entries.last().is_none_or(|last| last != text);
        if text.is_empty() || !is_new || text.len() > MAX_ENTRY_BYTES || holds_key(text) {
            return Ok(());
        }
        self.entries.push(text.to_owned());
        bound(&mut self.entries);
        let Some(path) = &self.file else { return Ok(()) };
        let mut file = private(path, true)?;
        file.write_all(line(text).as_bytes())?;
        if file.metadata()?.len() > MAX_FILE_BYTES { rewrite(path, &self.entries) } else { Ok(()) }
    }

    /// The entry before the one that is shown; `draft` is what is being typed.
    pub(super) fn older(&mut self, draft: &str) -> Option<String> {
        let at = self.at.unwrap_or(self.entries.len()).checked_sub(1)?;
        Some(self.show(at, draft))
    }

    /// The entry after the one that is shown, and in the end the draft again.
    pub(super) fn newer(&mut self) -> Option<String> {
        let at = self.at? + 1;
        if at < self.entries.len() {
            return Some(self.show(at, ""));
        }
        self.at = None;
        Some(std::mem::take(&mut self.draft))
    }

    /// The next older entry that holds `words`.
    pub(super) fn search(&mut self, words: &str, draft: &str) -> Option<String> {
        let from = self.at.unwrap_or(self.entries.len());
        let at = self.entries[..from].iter().rposition(|entry| entry.contains(words) && entry != draft)?;
        Some(self.show(at, draft))
    }

    /// Something else is being typed.
    pub(super) fn leave(&mut self) {
        self.at = None;
    }

    fn show(&mut self, at: usize, draft: &str) -> String {
        if self.at.is_none() {
            self.draft = draft.to_owned();
        }
        self.at = Some(at);
        self.entries[at].clone()
    }
}

/// Takes texts out of the history in a state directory, for they are forgotten everywhere.
pub(crate) fn forget_typed(state_dir: &Path, texts: &[String]) -> io::Result<()> {
    let path = state_dir.join(HISTORY_FILE);
    let kept = match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let entries: Vec<String> = kept.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let same = |entry: &String| texts.iter().any(|text| text.trim() == entry.trim());
    if !entries.iter().any(same) {
        return Ok(());
    }
    rewrite(&path, &entries.into_iter().filter(|entry| !same(entry)).collect::<Vec<_>>())
}

/// Leaves out the oldest entries, so that neither their number nor their bytes are more than is kept; how many.
fn bound(entries: &mut Vec<String>) -> usize {
    let mut bytes = 0;
    let fitting = entries.iter().rev().take(MAX_ENTRIES).take_while(|entry| {
        bytes += entry.len();
        bytes <= MAX_TEXT_BYTES
    });
    let surplus = entries.len() - fitting.count();
    entries.drain(..surplus);
    surplus
}

fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let surplus = file.metadata()?.len().saturating_sub(MAX_FILE_BYTES);
    if surplus > 0 {
        io::Seek::seek(&mut file, io::SeekFrom::Start(surplus))?;
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn rewrite(path: &Path, entries: &[String]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = private(&beside, false)?;
    let lines: String = entries.iter().map(|entry| line(entry)).collect();
    file.write_all(lines.as_bytes())?;
    std::fs::rename(beside, path)
}

fn private(path: &Path, append: bool) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).append(append).truncate(!append).mode(0o600).open(path)
}

fn line(text: &str) -> String {
    format!("{}\n", serde_json::Value::from(text))
}

fn holds_key(text: &str) -> bool {
    let mut words = text.split(|character: char| character.is_whitespace() || "\"'=`".contains(character));
    words.any(|word| word.len() >= MIN_KEY_CHARS && KEY_BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_forgotten_is_taken_out_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        forget_typed(dir.path(), &["x".to_owned()]).unwrap();
        let path = dir.path().join(HISTORY_FILE);
        let mut history = History::open(path.clone());
        for text in ["one", "a secret\nof two lines", "three"] {
            history.add(text).unwrap();
        }
        forget_typed(dir.path(), &["a secret\nof two lines ".to_owned()]).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "\"one\"\n\"three\"\n");
    }

    #[test]
    fn what_was_typed_is_there_again_and_nobody_else_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat_history");
        let mut history = History::open(path.clone());
        for text in ["one", "two\nlines", "two\nlines", "", "use sk-ant-0123456789abcdef"] {
            history.add(text).unwrap();
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("sk-ant"));
        let mut again = History::open(path);
        assert_eq!(again.older("draft").as_deref(), Some("two\nlines"));
        assert_eq!(again.older("two\nlines").as_deref(), Some("one"));
        assert_eq!(again.older("one"), None);
        assert_eq!(again.newer().as_deref(), Some("two\nlines"));
        assert_eq!(again.newer().as_deref(), Some("draft"), "what was being typed comes back");
        assert_eq!(again.search("on", "on").as_deref(), Some("one"));
    }

    #[test]
    fn it_stays_within_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat_history");
        let lines: String = (0..MAX_ENTRIES * 3).map(|n| line(&n.to_string())).collect();
        std::fs::write(&path, lines).unwrap();
        let history = History::open(path.clone());
        assert_eq!(history.entries.len(), MAX_ENTRIES);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), MAX_ENTRIES);
    }

    #[test]
    fn long_texts_are_bounded_in_memory_and_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat_history");
        let mut history = History::open(path.clone());
        for n in 0..200 {
            history.add(&format!("{n} {}", "x".repeat(MAX_ENTRY_BYTES - 10))).unwrap();
        }
        let kept = |history: &History| history.entries.iter().map(String::len).sum::<usize>();
        assert!(kept(&history) <= MAX_TEXT_BYTES && path.metadata().unwrap().len() <= MAX_FILE_BYTES);
        let again = History::open(path);
        assert!(again.entries.last().unwrap().starts_with("199 ") && kept(&again) <= MAX_TEXT_BYTES);
        assert!(kept(&again) > MAX_TEXT_BYTES / 2, "no more is left out than must be");
    }
}
