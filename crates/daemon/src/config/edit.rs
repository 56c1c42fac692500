//! `config set` and `config unset`: one key of the file is changed, its comments, order and blank lines stay, and what
//! comes out is checked before it takes the file's place.

use super::fault::{ConfigError, lines};
use super::file::{ConfigFile, ReplaceError, read};
use super::kind::{KEY_PLACES, Kind};
use super::meaning::Config;
use super::section::{Entry, Meaning, meaning};
use super::table::SECTIONS;
use super::walk::{dotted, one_line, unknown};
use super::{Fault, names};
use std::path::PathBuf;
use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value};

/// How a fault begins that says that a key is not there.
const MISSING: &str = "is missing";

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The file.
    pub file: PathBuf,
    /// The key.
    pub key: String,
    /// Its value before, as TOML; `None` where the file had none.
    pub old: Option<String>,
    /// Its value now; `None` where the file has none.
    pub new: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such key.
    #[error("{key}: {message}")]
    UnknownKey {
        /// What was given.
        key: String,
        /// What there is.
        message: String,
    },
    /// The key does not take this value.
    #[error("{key}: {message}; for example {example}")]
    BadValue {
        /// The key.
        key: String,
        /// What is wrong.
        message: String,
        /// A value that would do.
        example: &'static str,
    },
    /// The value would make the configuration contradict itself.
    #[error("with this change the configuration would not be valid, so nothing was changed:\n{}", lines(.0))]
    WouldBeInvalid(Vec<Fault>),
    /// The first key of a model or a route, which need several at once.
    #[error(
        "{table} is not in the file yet, so give all its keys at once: tinkerbell config set {table} '{{ {given}, … }}'\n{}",
        lines(.faults)
    )]
    NewTable {
        /// The model or route.
        table: String,
        /// What was given.
        given: String,
        /// What would be wrong with that alone.
        faults: Vec<Fault>,
    },
    /// The key is not in the file.
    #[error("{key} is not set in {file}, so its default counts already")]
    NotSet {
        /// The key.
        key: String,
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be read, or is wrong already.
    #[error("{0}\nmend the file first, with `tinkerbell config edit`")]
    File(#[from] ConfigError),
    /// It cannot be written.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
}

impl ConfigFile {
    /// Gives a key a value: TOML, or a bare text where the key takes a text. A model and a route, which need several keys
    /// at once, are given as `{ key = value, … }`.
    pub fn set(&self, key: &str, value: &str) -> Result<Change, ChangeError> {
        let path = parse_path(key)?;
        let item = match entry(&path)? {
            Some(entry) => Item::Value(value_of(entry, key, value)?),
            None => Item::Table(table_of(key, value)?),
        };
        let new = one_line(&item);
        let old = self.change(&path, |document| put(document.as_table_mut(), &path, item));
        let old = old.map_err(|error| match error {
            ChangeError::WouldBeInvalid(faults) => self.would_be_invalid(&path, &new, faults),
            other => other,
        })?;
        Ok(Change { file: self.path.clone(), key: shown(&path), old, new: Some(new) })
    }

    /// Takes a key, or a whole table such as `models.NAME`, out of the file, so that the default counts.
    pub fn unset(&self, key: &str) -> Result<Change, ChangeError> {
        let path = parse_path(key)?;
        let mut there = false;
        let old = self.change(&path, |document| there = take(document.as_table_mut(), &path))?;
        if !there {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            // One that means nothing and stands in the file can be taken out like any other.
            if matches!(meaning(SECTIONS, &names), Meaning::Unknown) {
                return Err(ChangeError::UnknownKey { key: key.to_owned(), message: unknown(&names) });
            }
            return Err(ChangeError::NotSet { key: shown(&path), file: self.path.clone() });
        }
        Ok(Change { file: self.path.clone(), key: shown(&path), old, new: None })
    }

    /// Why a value would not be valid: also by itself, where it is the first of a table that needs several.
    fn would_be_invalid(&self, path: &[String], given: &str, faults: Vec<Fault>) -> ChangeError {
        let Some((name, table)) = path.split_last() else { return ChangeError::WouldBeInvalid(faults) };
        let names: Vec<&str> = table.iter().map(String::as_str).collect();
        let text = read(&self.path).ok().flatten().unwrap_or_default();
        let is_there = text.parse::<DocumentMut>().is_ok_and(|document| look_up(document.as_table(), table).is_some());
        let lacks = faults.iter().any(|fault| fault.message.starts_with(MISSING));
        if is_there || !lacks || !matches!(meaning(SECTIONS, &names), Meaning::Named) {
            return ChangeError::WouldBeInvalid(faults);
        }
        ChangeError::NewTable { table: dotted(&names), given: format!("{} = {given}", dotted(&[name])), faults }
    }

    /// Changes the text, checks it and puts it in place; gives what stood at the path before.
    fn change(&self, path: &[String], change: impl FnOnce(&mut DocumentMut)) -> Result<Option<String>, ChangeError> {
        let before = read(&self.path)?;
        let text = before.as_deref().unwrap_or_default();
        let mut document: DocumentMut = match text.parse() {
            Ok(document) => document,
            // The same reader as the daemon's says what is wrong with it.
            Err(_) => {
                return Err(Config::parse(&self.path, text, true).err().map_or_else(
                    || ChangeError::UnknownKey { key: shown(path), message: "the file is no TOML".to_owned() },
                    ChangeError::File,
                ));
            }
        };
        let old = look_up(document.as_table(), path).map(one_line);
        change(&mut document);
        let after = document.to_string();
        if after == text {
            return Ok(old);
        }
        match (Config::parse(&self.path, &after, true), Config::parse(&self.path, text, true)) {
            (Ok(_), _) => self.replace(before.as_deref(), &after)?,
            // A change that mends one of several faults is welcome, one that adds to them is not.
            (Err(ConfigError::Invalid { faults, .. }), Err(ConfigError::Invalid { faults: old, .. }))
                if faults.len() < old.len() =>
            {
                self.replace(before.as_deref(), &after)?;
            }
            (Err(ConfigError::Invalid { .. }), Err(error)) => return Err(error.into()),
            (Err(ConfigError::Invalid { faults, .. }), Ok(_)) => return Err(ChangeError::WouldBeInvalid(faults)),
            (Err(error), _) => return Err(error.into()),
        }
        Ok(old)
    }
}

fn parse_path(key: &str) -> Result<Vec<String>, ChangeError> {
    let parts = Key::parse(key).map_err(|_| ChangeError::UnknownKey {
        key: key.to_owned(),
        message: "is no path of a key; write names with dots between, and odd names in quotes".to_owned(),
    })?;
    Ok(parts.iter().map(|part| part.get().to_owned()).collect())
}

fn shown(path: &[String]) -> String {
    dotted(&path.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The entry that a path means; `None` for a whole model or route.
fn entry(path: &[String]) -> Result<Option<&'static Entry>, ChangeError> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let refused = |message: String| ChangeError::UnknownKey { key: shown(path), message };
    match meaning(SECTIONS, &names) {
        Meaning::Entry(section, entry) => {
            let chosen = section.path.iter().zip(&names).filter(|(pattern, _)| **pattern == super::section::NAME);
            chosen.into_iter().try_for_each(|(_, name)| names::check(name)).map_err(refused)?;
            Ok(Some(entry))
        }
        Meaning::Named => names.last().map_or(Ok(()), |name| names::check(name)).map(|()| None).map_err(refused),
        Meaning::Table => Err(refused("is a table; name one of the keys in it".to_owned())),
        Meaning::Unknown => Err(refused(unknown(&names))),
    }
}

/// Reads a typed model or route.
fn table_of(key: &str, typed: &str) -> Result<Table, ChangeError> {
    let value: Option<Value> = typed.trim().parse().ok();
    match value {
        Some(Value::InlineTable(table)) => Ok(table.into_table()),
        _ => Err(ChangeError::BadValue {
            key: key.to_owned(),
            message: "is a table, so give all its keys at once".to_owned(),
            example: "{ provider = \"ollama\", model = \"qwen3:4b\" } for a model, { models = [\"offline\"] } for a route",
        }),
    }
}

/// Reads a typed value for a key.
fn value_of(entry: &Entry, key: &str, typed: &str) -> Result<Value, ChangeError> {
    let refused = |message: String| ChangeError::BadValue { key: key.to_owned(), message, example: entry.example };
    let parsed: Option<Value> = typed.trim().parse().ok();
    let value = match parsed {
        // `5` for a text is the text 5, and `"five"` the text five.
        Some(value) if !entry.kind.is_text() || value.is_str() => value,
        _ if entry.kind.is_text() => Value::from(typed),
        _ if matches!(entry.kind, Kind::KeyPlace) => return Err(refused(KEY_PLACES.to_owned())),
        _ => return Err(refused("this is no TOML value".to_owned())),
    };
    entry.kind.check(&Item::Value(value.clone())).map_err(refused)?;
    Ok(value)
}

fn look_up<'d>(table: &'d dyn TableLike, path: &[String]) -> Option<&'d Item> {
    let (first, rest) = path.split_first()?;
    let item = table.get(first)?;
    if rest.is_empty() { Some(item) } else { look_up(item.as_table_like()?, rest) }
}

/// Puts something at a path; tables on the way are made.
fn put(table: &mut dyn TableLike, path: &[String], mut item: Item) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        if let (Some(old), Some(new)) = (table.get(first).and_then(Item::as_value), item.as_value_mut()) {
            // The comment behind a value is about the key, not about what stood there.
            *new.decor_mut() = old.decor().clone();
        }
        match table.get_mut(first) {
            Some(there) => *there = item,
            None => drop(table.insert(first, item)),
        }
        return;
    }
    if table.get(first).is_none() {
        let mut fresh = Table::new();
        // A table that only holds tables needs no heading of its own.
        fresh.set_implicit(rest.len() > 1 || item.is_table());
        table.insert(first, Item::Table(fresh));
    }
    if let Some(inner) = table.get_mut(first).and_then(Item::as_table_like_mut) {
        put(inner, rest, item);
    }
}

/// Takes what stands at a path away; says whether something stood there. Tables that become empty go too, except where
/// somebody wrote them down.
fn take(table: &mut dyn TableLike, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        return table.remove(first).is_some();
    }
    table.get_mut(first).and_then(Item::as_table_like_mut).is_some_and(|inner| take(inner, rest))
}
