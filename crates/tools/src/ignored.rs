//! What a walk leaves out: the rules of `.gitignore` and `.ignore` files, read through the session's own view, so that
//! a rule that the session wrote counts at once.

use crate::hands::Hands;
use crate::refusal::Refusal;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use wire::{Entry, EntryKind, Found, Mode, RelPath};

/// The rules of a directory and of all above it. As in ripgrep, any rule of an `.ignore` file goes before any of a
/// `.gitignore`, and among files of one name the deepest goes first.
pub(crate) struct Rules {
    levels: Vec<Level>,
    bytes_left: u64,
    over_limit: bool,
}

/// The rules that one directory holds.
struct Level {
    /// How much of a path to take away to have it relative to the directory.
    prefix_bytes: usize,
    ignore: Gitignore,
    gitignore: Gitignore,
}

impl Rules {
    /// No rules yet, and a budget for reading them.
    pub(crate) fn new(ignore_bytes: u64) -> Rules {
        Rules { levels: Vec::new(), bytes_left: ignore_bytes, over_limit: false }
    }

    /// Adds the rules of a directory below the last one. `entries` are its names where they are known.
    pub(crate) fn enter(
        &mut self,
        hands: &Hands<'_>,
        directory: Option<&RelPath>,
        entries: Option<&[Entry]>,
    ) -> Result<(), Refusal> {
        let mut load = |name: &str| -> Result<Gitignore, Refusal> {
            let listed = |entry: &Entry| entry.name == name && matches!(entry.kind, EntryKind::File(_));
            if entries.is_some_and(|entries| !entries.iter().any(listed)) {
                return Ok(Gitignore::empty());
            }
            self.load(hands, directory, name)
        };
        let (ignore, gitignore) = (load(".ignore")?, load(".gitignore")?);
        let prefix_bytes = directory.map_or(0, |directory| directory.as_str().len() + 1);
        self.levels.push(Level { prefix_bytes, ignore, gitignore });
        Ok(())
    }

    /// Forgets the rules of the last directory.
    pub(crate) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Whether there were more rules than the limit lets in.
    pub(crate) fn over_limit(&self) -> bool {
        self.over_limit
    }

    /// Whether the rules leave out a path in the last directory.
    pub(crate) fn exclude(&self, path: &RelPath, is_directory: bool) -> bool {
        let by = |rules: fn(&Level) -> &Gitignore| {
            let verdicts = self.levels.iter().rev().map(|level| {
                // Relative to the rules' directory: the matcher's own way of taking prefixes away would take `src`
                // from `src-gen` too.
                let relative = path.as_str().get(level.prefix_bytes..).unwrap_or_default();
                match rules(level).matched(relative, is_directory) {
                    Match::None => None,
                    Match::Ignore(_) => Some(true),
                    Match::Whitelist(_) => Some(false),
                }
            });
            verdicts.flatten().next()
        };
        by(|level| &level.ignore).or_else(|| by(|level| &level.gitignore)).unwrap_or(false)
    }

    /// Reads one file of rules. What cannot be read, and lines that are no rules, count for nothing, as in git.
    fn load(&mut self, hands: &Hands<'_>, directory: Option<&RelPath>, name: &str) -> Result<Gitignore, Refusal> {
        hands.go_on()?;
        let path = match directory {
            Some(directory) => directory.join(name),
            None => RelPath::new(name),
        };
        let Ok(Ok(Found::File(file))) = path.map(|path| hands.files.read(&path)) else { return Ok(Gitignore::empty()) };
        if file.mode == Mode::Symlink {
            return Ok(Gitignore::empty());
        }
        let Some(left) = self.bytes_left.checked_sub(file.bytes.len() as u64) else {
            self.over_limit = true;
            return Ok(Gitignore::empty());
        };
        self.bytes_left = left;
        let text = String::from_utf8_lossy(&file.bytes);
        let mut rules = GitignoreBuilder::new(".");
        for line in text.trim_start_matches('\u{feff}').lines() {
            // A line that is no pattern is passed over, as git does.
            let _ = rules.add_line(None, line);
        }
        Ok(rules.build().unwrap_or_else(|_| Gitignore::empty()))
    }
}
