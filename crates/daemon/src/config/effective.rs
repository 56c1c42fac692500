//! What counts, and who said so: of a file for `config get`, and of the configuration in force. And what parts two of them.

use super::fault::ConfigError;
use super::file::ConfigFile;
use super::meaning::Config;
use super::section::{Entry, Fallback, Meaning, NAME, Section, meaning};
use super::table::SECTIONS;
use super::walk::{Found, dotted, unknown};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use toml_edit::Key;
use wire::rest::{ConfigFrom, ConfigKey, ConfigOrigin};

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

/// Reads a variable of the environment.
type Environment<'a> = &'a dyn Fn(&'static str) -> Option<OsString>;

impl ConfigFile {
    /// What counts for a key, for all keys of a table, or for all there are.
    pub fn get(&self, key: Option<&str>, environment: Environment<'_>) -> Result<Vec<ConfigKey>, GetError> {
        // What a daemon would refuse counts for nothing.
        chosen(self.check()?.effective(environment), key)
    }
}

/// Those of the keys that are a key, or stand in a table.
pub fn chosen(all: Vec<ConfigKey>, key: Option<&str>) -> Result<Vec<ConfigKey>, GetError> {
    let Some(key) = key else { return Ok(all) };
    let below = |one: &ConfigKey| one.key == key || one.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    let chosen: Vec<ConfigKey> = all.into_iter().filter(below).collect();
    if chosen.is_empty() { Err(nothing(key)) } else { Ok(chosen) }
}

impl Config {
    /// All keys, with what counts for each and who said so.
    pub fn effective(&self, environment: Environment<'_>) -> Vec<ConfigKey> {
        let keys = SECTIONS.iter().flat_map(|section| section_values(section, &self.said));
        keys.map(|one| overruled(one, environment)).collect()
    }

    /// The keys that say something else in another configuration, in the order of the table.
    pub fn changed(&self, other: &Config) -> Vec<String> {
        let values = |config: &Config| -> Vec<(String, Option<String>)> {
            config.effective(&|_| None).into_iter().map(|one| (one.key, one.value)).collect()
        };
        let (old, new) = (values(self), values(other));
        let known: BTreeMap<&str, &Option<String>> = old.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let there: BTreeSet<&str> = new.iter().map(|(key, _)| key.as_str()).collect();
        let changed = new.iter().filter(|(key, value)| known.get(key.as_str()).copied().unwrap_or(&None) != value);
        let gone = old.iter().filter(|(key, value)| value.is_some() && !there.contains(key.as_str()));
        changed.chain(gone).map(|(key, _)| key.clone()).collect()
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
fn section_values(section: &'static Section, found: &[Found]) -> Vec<ConfigKey> {
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

fn value(key: String, entry: &'static Entry, found: &[Found]) -> ConfigKey {
    let by_default = ConfigOrigin { from: ConfigFrom::Default, line: None, variable: None };
    let (value, otherwise, origin) = match (found.iter().find(|one| one.path == key), entry.default) {
        (Some(found), _) => {
            let origin = ConfigOrigin { from: ConfigFrom::File, line: Some(found.line as u32), variable: None };
            (Some(found.value.clone()), None, origin)
        }
        (None, Fallback::Value(value)) => (Some(value.to_owned()), None, by_default),
        (None, Fallback::Words(words)) => (None, Some(words.to_owned()), by_default),
        // The check before has seen that a needed key is there.
        (None, Fallback::Required) => (None, Some("must be given".to_owned()), by_default),
    };
    ConfigKey { key, value, otherwise, origin, unit: entry.unit.to_owned(), meaning: entry.doc.to_owned() }
}

/// Lets the environment have its say.
fn overruled(mut one: ConfigKey, environment: Environment<'_>) -> ConfigKey {
    let (key, variable) = SOCKET;
    if one.key == key
        && let Some(path) = environment(variable).filter(|path| !path.is_empty())
    {
        one.value = Some(toml_edit::Value::from(path.to_string_lossy().as_ref()).to_string());
        one.otherwise = None;
        one.origin = ConfigOrigin { from: ConfigFrom::Environment, line: None, variable: Some(variable.to_owned()) };
    }
    one
}
