//! The project's files, in memory: what a rule looks at.

use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Directories that hold nothing of the project's own.
const NOT_OURS: [&str; 6] = [".git", "target", ".cache", "node_modules", "__pycache__", "results"];

/// Larger files are known to exist and not read: no rule has anything to say about them.
const MAX_TEXT_BYTES: u64 = 4 * 1024 * 1024;

/// Paths relative to the project's root, with slashes.
#[derive(Debug, Default)]
pub(super) struct Tree {
    texts: BTreeMap<String, String>,
    paths: BTreeSet<String>,
}

impl Tree {
    /// Reads all of it.
    pub(super) fn read(root: &Path) -> anyhow::Result<Tree> {
        let mut tree = Tree::default();
        tree.read_directory(root, "")?;
        Ok(tree)
    }

    fn read_directory(&mut self, root: &Path, below: &str) -> anyhow::Result<()> {
        let directory = root.join(below);
        let entries =
            std::fs::read_dir(&directory).with_context(|| format!("{} could not be listed", directory.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("{} could not be listed", directory.display()))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            let kind = entry.file_type().with_context(|| format!("{path} could not be looked at"))?;
            if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                self.read_directory(root, &path)?;
            } else if kind.is_file() {
                self.read_file(root, &path)?;
            }
            self.paths.insert(path);
        }
        Ok(())
    }

    fn read_file(&mut self, root: &Path, path: &str) -> anyhow::Result<()> {
        let file = root.join(path);
        let bytes = file.metadata().with_context(|| format!("{path} could not be looked at"))?.len();
        if bytes <= MAX_TEXT_BYTES
            && let Ok(text) =
                String::from_utf8(std::fs::read(&file).with_context(|| format!("{path} could not be read"))?)
        {
            self.texts.insert(path.to_owned(), text);
        }
        Ok(())
    }

    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is a file or a directory of that path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The files whose names end so, with their texts.
    pub(super) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts
            .iter()
            .filter(move |(path, _)| path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The names of the crates under `crates/`.
    pub(super) fn crates(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().filter_map(|path| {
            let name = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!name.contains('/')).then_some(name)
        })
    }

    /// Whether anything lies below this directory.
    pub(super) fn has_below(&self, directory: &str) -> bool {
        let beginning = format!("{directory}/");
        self.paths.range(beginning.clone()..).next().is_some_and(|path| path.starts_with(&beginning))
    }
}

#[cfg(test)]
impl Tree {
    /// A tree of these files and of the directories they lie in.
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.texts.insert((*path).to_owned(), (*text).to_owned());
            tree.paths.insert((*path).to_owned());
            tree.paths.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_without_what_is_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        for (path, bytes) in [("crates/a/Cargo.toml", &b"x"[..]), ("target/b", b"x"), ("picture", b"\xff\xfe")] {
            std::fs::create_dir_all(directory.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(directory.path().join(path), bytes).unwrap();
        }
        let tree = Tree::read(directory.path()).unwrap();
        assert_eq!((tree.len(), tree.crates().collect::<Vec<_>>()), (1, vec!["a"]));
        assert!(tree.has("picture") && tree.has("crates/a") && !tree.has("target/b"));
        assert!(tree.has_below("crates/a") && !tree.has_below("target") && !tree.has_below("crate"));
    }
}
