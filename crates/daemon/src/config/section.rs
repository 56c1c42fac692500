//! The shape of the table of keys: sections of entries, and the entry that a path means.

use super::kind::Kind;

/// What stands in a path for a name that the user chooses.
pub(super) const NAME: &str = "NAME";

/// A table of the file.
#[derive(Debug)]
pub(super) struct Section {
    /// Its path; [`NAME`] stands for any name. Empty: the top of the file.
    pub(super) path: &'static [&'static str],
    /// What it is about, after its heading.
    pub(super) about: &'static str,
    /// What is to be said under its keys.
    pub(super) notes: &'static str,
    /// Its keys.
    pub(super) entries: &'static [Entry],
}

/// A key of the file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name within its section.
    pub(super) name: &'static str,
    /// What values it takes, and their check.
    pub(super) kind: Kind,
    /// Its value where the file has none.
    pub(super) default: Fallback,
    /// What numbers count; empty where there is nothing to count.
    pub(super) unit: &'static str,
    /// What it means.
    pub(super) doc: &'static str,
    /// A value, as TOML.
    pub(super) example: &'static str,
}

/// The value of a key that the file does not have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fallback {
    /// A value, as TOML.
    Value(&'static str),
    /// There is none; these words say what happens then.
    Words(&'static str),
    /// There is none, and the section needs it.
    Required,
}

impl Section {
    /// Its path in dots, as people write it.
    pub(super) fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// Whether a path is this section.
    fn is(&self, path: &[&str]) -> bool {
        self.path.len() == path.len() && self.begins_with(path)
    }

    /// Whether a path is this section, or on the way to it.
    pub(super) fn begins_with(&self, path: &[&str]) -> bool {
        path.len() <= self.path.len() && self.path.iter().zip(path).all(|(own, other)| *own == NAME || own == other)
    }

    /// Whether what stands at this depth is a name that the user chooses.
    fn is_name(&self, depth: usize) -> bool {
        self.path.get(depth) == Some(&NAME)
    }
}

/// What a path means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// A key.
    Entry(&'static Section, &'static Entry),
    /// A table, with more below it; the name at its end is the user's.
    Named,
    /// A table, with more below it.
    Table,
    /// Nothing.
    Unknown,
}

/// Looks a path up in the table.
pub(super) fn meaning(sections: &'static [Section], path: &[&str]) -> Meaning {
    let Some((last, table)) = path.split_last() else { return Meaning::Table };
    for section in sections.iter().filter(|section| section.is(table)) {
        if let Some(entry) = section.entries.iter().find(|entry| entry.name == *last) {
            return Meaning::Entry(section, entry);
        }
    }
    match sections.iter().find(|section| section.begins_with(path)) {
        Some(section) if section.is_name(path.len() - 1) => Meaning::Named,
        Some(_) => Meaning::Table,
        None => Meaning::Unknown,
    }
}

/// The names that may stand below a path.
pub(super) fn known_below(sections: &'static [Section], table: &[&str]) -> Vec<&'static str> {
    let mut known: Vec<&str> = Vec::new();
    for section in sections.iter().filter(|section| section.begins_with(table)) {
        match section.path.get(table.len()) {
            Some(next) if *next != NAME => known.push(next),
            Some(_) => {}
            None => known.extend(section.entries.iter().map(|entry| entry.name)),
        }
    }
    known.dedup();
    known
}
