//! Holds a text against the table: each key that stands in it is known and has a value of its kind, or there is a fault
//! with its line. All faults are found, not only the first.

use super::fault::{Fault, place};
use super::names;
use super::section::{Entry, Meaning, known_below, meaning};
use super::suggest::suggestion;
use super::table::SECTIONS;
use std::collections::BTreeMap;
use toml_edit::{Document, Item, Key, TableLike};

/// What stands in a file.
#[derive(Debug)]
pub(super) struct Walked {
    /// What is wrong, in the order of the file.
    pub(super) faults: Vec<Fault>,
    /// The keys with a value, in the order of the file.
    pub(super) found: Vec<Found>,
    /// Where keys and tables stand, by path.
    places: BTreeMap<String, (usize, usize)>,
}

/// A key that stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path.
    pub(super) path: String,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Its value, as TOML on one line.
    pub(super) value: String,
}

/// Something wrong with what the file means, whose place is not known yet.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The key.
    pub(super) key: String,
    /// What and what to do.
    pub(super) message: String,
}

impl Walked {
    /// Gives a complaint its place: that of its key, or of the nearest table around it that stands in the file.
    pub(super) fn locate(&self, wrong: Wrong) -> Fault {
        let mut key = wrong.key.as_str();
        let mut found = self.places.get(key);
        while let (None, Some((table, _))) = (found, key.rsplit_once('.')) {
            key = table;
            found = self.places.get(key);
        }
        let (line, column) = found.copied().unzip();
        Fault { line, column, key: wrong.key, message: wrong.message }
    }
}

/// Walks through a text; the error is that it is no TOML.
pub(super) fn walk(text: &str) -> Result<Walked, Fault> {
    let document = Document::parse(text).map_err(|error| {
        // Not the error's own picture of the line: there may be a key in it.
        Fault::at(text, error.span().map(|span| span.start), "", error.message())
    })?;
    let mut walker = Walker { text, walked: Walked { faults: Vec::new(), found: Vec::new(), places: BTreeMap::new() } };
    walker.table(document.as_table(), &[]);
    let Walker { mut walked, .. } = walker;
    walked.faults.sort_by_key(|fault| (fault.line, fault.column));
    walked.found.sort_by_key(|found| found.line);
    Ok(walked)
}

/// The paths of the keys whose values are as asked for. Of a text that is no TOML none: nobody can say what is a key there.
pub(crate) fn keys_with(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let found = walk(text).map(|walked| walked.found).unwrap_or_default();
    found.into_iter().filter(|found| wanted(&found.value)).map(|found| found.path).collect()
}

struct Walker<'t> {
    text: &'t str,
    walked: Walked,
}

impl Walker<'_> {
    fn table(&mut self, table: &dyn TableLike, path: &[&str]) {
        for (name, item) in table.iter() {
            let path: Vec<&str> = path.iter().copied().chain([name]).collect();
            let byte = table.key(name).and_then(Key::span).map(|span| span.start);
            let shown = dotted(&path);
            if let Some(byte) = byte {
                self.walked.places.insert(shown.clone(), place(self.text, byte));
            }
            self.item(item, &path, &shown, byte);
        }
    }

    fn item(&mut self, item: &Item, path: &[&str], shown: &str, byte: Option<usize>) {
        let means = meaning(SECTIONS, path);
        match (means, item.as_table_like()) {
            (Meaning::Entry(_, entry), _) => match checked(entry, item) {
                Ok(()) => self.walked.found.push(Found {
                    path: shown.to_owned(),
                    line: byte.map_or(0, |byte| place(self.text, byte).0),
                    value: one_line(item),
                }),
                Err(message) => self.fault(byte, shown, message),
            },
            (Meaning::Table, Some(table)) => self.table(table, path),
            (Meaning::Named, Some(table)) => match names::check(path.last().copied().unwrap_or_default()) {
                Ok(()) => self.table(table, path),
                Err(message) => self.fault(byte, shown, message),
            },
            (Meaning::Table | Meaning::Named, None) => {
                self.fault(byte, shown, format!("must be a table, written as [{shown}]"));
            }
            (Meaning::Unknown, _) => self.fault(byte, shown, unknown(path)),
        }
    }

    fn fault(&mut self, byte: Option<usize>, key: &str, message: impl Into<String>) {
        self.walked.faults.push(Fault::at(self.text, byte, key, message));
    }
}

fn checked(entry: &Entry, item: &Item) -> Result<(), String> {
    entry.kind.check(item).map_err(|message| match entry.name {
        "policy" => format!("{message}; policies that choose by price, speed or experience come with the router"),
        _ => message,
    })
}

/// What is said of a path that means nothing.
pub(super) fn unknown(path: &[&str]) -> String {
    let (last, table) = path.split_last().map_or(("", path), |(last, table)| (*last, table));
    let known = known_below(SECTIONS, table);
    let list: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    format!("unknown key `{last}`; known here are {}{}", list.join(", "), suggestion(last, known))
}

/// A path as it is written in TOML.
pub(super) fn dotted(path: &[&str]) -> String {
    let parts: Vec<String> = path.iter().map(|part| Key::new(*part).display_repr().into_owned()).collect();
    parts.join(".")
}

/// A value as TOML on one line, without comments around it.
pub(super) fn one_line(item: &Item) -> String {
    match item.clone().into_value() {
        Ok(mut value) => {
            value.decor_mut().clear();
            if let Some(array) = value.as_array_mut() {
                array.fmt();
            }
            value.to_string().trim().to_owned()
        }
        Err(_) => String::new(),
    }
}
