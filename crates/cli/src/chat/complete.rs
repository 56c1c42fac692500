//! What Tab makes of a word: the commands after a slash, and the files after an `@` or as an argument of a command.

use super::slash;
use crate::prompt::{parted, unescaped};
use std::path::Path;

/// How many entries of a directory are looked at.
const MAX_ENTRIES: usize = 5_000;
/// How many ways to go on are shown.
pub(super) const MAX_SHOWN: usize = 24;

/// Ways to go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Completion {
    /// Where what they replace begins, in bytes.
    pub(super) from: usize,
    /// What can stand there.
    pub(super) ways: Vec<String>,
}

impl Completion {
    /// What all of them begin with.
    pub(super) fn common(&self) -> &str {
        let Some(first) = self.ways.first() else { return "" };
        let shared = |way: &String| {
            first
                .char_indices()
                .zip(way.chars())
                .find(|((_, one), other)| one != other)
                .map_or(first.len().min(way.len()), |((at, _), _)| at)
        };
        &first[..self.ways.iter().map(shared).min().unwrap_or(0)]
    }
}

/// The ways to go on behind `before`; relative paths are below `base`.
pub(super) fn complete(before: &str, base: &Path) -> Completion {
    if let Some(name) = before.strip_prefix('/').filter(|name| !name.contains(char::is_whitespace)) {
        let known = slash::ALL.iter().filter(|entry| entry.name.starts_with(name));
        let ways: Vec<String> = known.map(|entry| format!("/{} ", entry.name)).collect();
        if !ways.is_empty() {
            return Completion { from: 0, ways };
        }
    }
    let from = word_begin(before);
    let word = &before[from..];
    match word.strip_prefix('@') {
        Some(path) => paths(from + 1, path, base),
        None if slash::command(before).is_some() && from > 0 => paths(from, word, base),
        None => Completion::default(),
    }
}

/// Where the last word begins; a space behind a backslash parts nothing.
fn word_begin(text: &str) -> usize {
    let last = parted(text).last().map_or(0, |word| word.len());
    if text.ends_with(char::is_whitespace) && !text.ends_with("\\ ") { text.len() } else { text.len() - last }
}

fn paths(from: usize, typed: &str, base: &Path) -> Completion {
    let (directory, name) = typed.rsplit_once('/').map_or(("", typed), |(directory, name)| (directory, name));
    let prefix = &typed[..typed.len() - name.len()];
    let within = if prefix == "/" { "/".into() } else { base.join(unescaped(directory)) };
    let name = unescaped(name);
    let Ok(entries) = std::fs::read_dir(within) else { return Completion::default() };
    let mut ways: Vec<String> = entries
        .take(MAX_ENTRIES)
        .flatten()
        .filter_map(|entry| {
            let found = entry.file_name().into_string().ok()?;
            let is_hidden = found.starts_with('.') && !name.starts_with('.');
            let fits = found.starts_with(&name) && !is_hidden && !found.contains(char::is_control);
            let end = if entry.path().is_dir() { "/" } else { " " };
            fits.then(|| format!("{prefix}{}{end}", escape(&found)))
        })
        .collect();
    ways.sort();
    Completion { from, ways }
}

fn escape(name: &str) -> String {
    name.chars()
        .flat_map(|character| (character == ' ' || character == '\\').then_some('\\').into_iter().chain([character]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_completed_at_the_beginning() {
        let base = Path::new("/");
        assert_eq!(complete("/he", base).ways, ["/help "]);
        let several = complete("/re", base);
        assert_eq!(several.ways, ["/reject ", "/rewind ", "/redo "]);
        assert_eq!(several.common(), "/re");
        assert_eq!(complete("say /he", base), Completion::default());
    }

    #[test]
    fn files_are_completed_after_an_at_sign_and_after_commands() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("source")).unwrap();
        for name in ["some file.txt", "source/main.rs", ".hidden"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let ways = |before: &str| complete(before, dir.path()).ways;
        assert_eq!(ways("read @so"), ["some\\ file.txt ", "source/"]);
        assert_eq!(ways("read @some\\ f"), ["some\\ file.txt "]);
        assert_eq!(ways("@source/"), ["source/main.rs "]);
        assert_eq!(ways("/diff source/m"), ["source/main.rs "]);
        assert_eq!(ways("@"), ["some\\ file.txt ", "source/"], "hidden ones only when asked for");
        assert_eq!(ways("@.h"), [".hidden "]);
        assert!(ways("source/m").is_empty() && ways("@nowhere/x").is_empty());
        assert_eq!(complete("read @so", dir.path()).from, 6);
    }
}
