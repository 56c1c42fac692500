//! `config get`: what counts, and who said so.

use super::fault::ConfigError;
use super::file::{ConfigFile, read};
use super::meaning::Config;
use super::section::{Entry, Fallback, Meaning, NAME, Section, meaning};
use super::table::SECTIONS;
use super::walk::{Found, dotted, unknown, walk};
use std::collections::BTreeSet;
use std::ffi::OsString;
use toml_edit::Key;

/// A key with the value that counts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Effective {
    /// The key.
    pub key: String,
    /// Its value as TOML; `None` where it has none.
    pub value: Option<String>,
    /// What happens where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<&'static str>,
    /// Who said so.
    pub origin: Origin,
    /// What numbers count.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub unit: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// Nobody said anything else.
    Default,
    /// The file.
    File {
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        variable: &'static str,
    },
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// There is no such key.
    #[error("{key}: {message}")]
    UnknownKey {
        /// What was given.
        key: String,
        /// What there is.
        message: String,
    },
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] ConfigError),
}

/// The one key that the environment decides too.
const SOCKET: (&str, &str) = ("daemon.socket", "TINKERBELL_SOCKET");

impl ConfigFile {
    /// What counts for a key, for all keys of a table, or for all there are.
    pub fn get(
        &self,
        key: Option<&str>,
        environment: &dyn Fn(&'static str) -> Option<OsString>,
    ) -> Result<Vec<Effective>, GetError> {
        let text = read(&self.path)?;
        let text = text.as_deref().unwrap_or_default();
        // What a daemon would refuse counts for nothing.
        Config::parse(&self.path, text, true)?;
        let found = walk(text).map(|walked| walked.found).unwrap_or_default();
        let all: Vec<Effective> = SECTIONS
            .iter()
            .flat_map(|section| section_values(section, &found))
            .map(|one| said(one, environment))
            .collect();
        let Some(key) = key else { return Ok(all) };
        let chosen: Vec<Effective> = all
            .into_iter()
            .filter(|one| one.key == key || one.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
            .collect();
        if chosen.is_empty() { Err(nothing(key)) } else { Ok(chosen) }
    }
}

fn nothing(key: &str) -> GetError {
    let parts = Key::parse(key).unwrap_or_default();
    let path: Vec<&str> = parts.iter().map(Key::get).collect();
    let message = match meaning(SECTIONS, &path) {
        Meaning::Unknown => unknown(&path),
        _ => "the file has nothing of this name".to_owned(),
    };
    GetError::UnknownKey { key: key.to_owned(), message }
}

/// The keys of a section; where the user names its tables, those of each table in the file.
fn section_values(section: &'static Section, found: &[Found]) -> Vec<Effective> {
    let tables: BTreeSet<Vec<String>> = match section.path.contains(&NAME) {
        false => BTreeSet::from([section.path.iter().map(|part| (*part).to_owned()).collect()]),
        true => found.iter().filter_map(|one| table_of(section, &one.path)).collect(),
    };
    let entries = |table: Vec<String>| {
        section.entries.iter().map(move |entry| {
            let path: Vec<&str> = table.iter().map(String::as_str).chain([entry.name]).collect();
            value(dotted(&path), entry, found)
        })
    };
    tables.into_iter().flat_map(entries).collect()
}

/// The table of this section that a key stands in.
fn table_of(section: &Section, path: &str) -> Option<Vec<String>> {
    let parts = Key::parse(path).ok()?;
    let (_, table) = parts.split_last()?;
    let names: Vec<&str> = table.iter().map(Key::get).collect();
    let own = names.len() == section.path.len() && section.begins_with(&names);
    own.then(|| names.into_iter().map(str::to_owned).collect())
}

fn value(key: String, entry: &'static Entry, found: &[Found]) -> Effective {
    let (value, otherwise, origin) = match (found.iter().find(|one| one.path == key), entry.default) {
        (Some(found), _) => (Some(found.value.clone()), None, Origin::File { line: found.line }),
        (None, Fallback::Value(value)) => (Some(value.to_owned()), None, Origin::Default),
        (None, Fallback::Words(words)) => (None, Some(words), Origin::Default),
        // The check before has seen that a needed key is there.
        (None, Fallback::Required) => (None, Some("must be given"), Origin::Default),
    };
    Effective { key, value, otherwise, origin, unit: entry.unit, meaning: entry.doc }
}

/// Lets the environment have its say.
fn said(mut one: Effective, environment: &dyn Fn(&'static str) -> Option<OsString>) -> Effective {
    let (key, variable) = SOCKET;
    if one.key == key
        && let Some(path) = environment(variable).filter(|path| !path.is_empty())
    {
        one.value = Some(toml_edit::Value::from(path.to_string_lossy().as_ref()).to_string());
        one.otherwise = None;
        one.origin = Origin::Environment { variable };
    }
    one
}
