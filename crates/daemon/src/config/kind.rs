//! The kinds of values, and what each refuses. A message never quotes a value: it may be a key in the wrong place.

use super::names;
use super::suggest::suggestion;
use toml_edit::{Item, TableLike};

/// What values a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// One of some words.
    Word(fn() -> Vec<&'static str>),
    /// Any text but an empty one.
    Text,
    /// The name of a model or a route; whether there is such a one is seen when all is read.
    Name,
    /// Several such names, at least one.
    Names,
    /// An address of a server.
    Url,
    /// An absolute path that fits a Unix socket.
    Socket,
    /// An absolute path of a directory.
    Directory,
    /// A whole number.
    Whole {
        /// The least that is taken.
        least: u64,
        /// The most.
        most: u64,
    },
    /// An amount of US dollars.
    Dollars,
    /// `true` or `false`.
    Flag,
    /// Where a key is.
    KeyPlace,
    /// Paths within a workspace.
    Files,
    /// Permissions.
    Rules,
}

/// The most dollars that any key takes.
pub(super) const MOST_USD: f64 = 1e9;

/// The most names in a list, and the most rules.
const MOST_ITEMS: usize = 256;

/// What is said about a key that is written where its place belongs.
pub(super) const KEY_PLACES: &str = "a key is not written here itself; say where it is: { kept = \"NAME\" } after `tinkerbell keys set NAME`, \
     { env = \"NAME\" }, { file = \"/path\" } or { keyring = \"NAME\" }";

impl Kind {
    /// Says what is wrong with a value.
    pub(super) fn check(self, item: &Item) -> Result<(), String> {
        match self {
            Kind::Word(words) => word(text(item)?, &words()),
            Kind::Text => not_empty(text(item)?).map(drop),
            Kind::Name => not_empty(text(item)?).map(drop),
            Kind::Names => list(item, 1, |name| not_empty(name).map(drop)),
            Kind::Url => url(text(item)?),
            Kind::Socket => socket(text(item)?),
            Kind::Directory => directory(text(item)?),
            Kind::Whole { least, most } => whole(item, least, most),
            Kind::Dollars => dollars(item),
            Kind::Flag => item.as_bool().map(drop).ok_or_else(|| "must be true or false".to_owned()),
            Kind::KeyPlace => key_place(item),
            Kind::Files => list(item, 0, inner_path),
            Kind::Rules => rules(item),
        }
    }

    /// Whether a value is written in quotes, so that somebody at a shell may leave them out.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Kind::Word(_) | Kind::Text | Kind::Name | Kind::Url | Kind::Socket | Kind::Directory)
    }
}

fn text(item: &Item) -> Result<&str, String> {
    item.as_str().ok_or_else(|| "must be a text in quotes".to_owned())
}

fn not_empty(text: &str) -> Result<&str, String> {
    if text.trim().is_empty() { Err("must not be empty".to_owned()) } else { Ok(text) }
}

fn word(text: &str, words: &[&'static str]) -> Result<(), String> {
    if words.contains(&text) {
        return Ok(());
    }
    Err(format!("must be one of {}{}", words.join(", "), suggestion(text, words.iter().copied())))
}

fn url(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    match host {
        None | Some("") => Err("must begin with http:// or https:// and a host".to_owned()),
        Some(host) if host.contains('@') => {
            Err("must hold no user or password; say where the key is with `key`".to_owned())
        }
        _ if text.contains(['?', '#']) => Err("must hold no query; say where the key is with `key`".to_owned()),
        _ if text.chars().any(|c| c.is_whitespace() || c.is_control()) => Err("must hold no space".to_owned()),
        _ => Ok(()),
    }
}

fn socket(text: &str) -> Result<(), String> {
    let most = wire::places::MAX_SOCKET_PATH_BYTES;
    if text.starts_with('/') && text.len() <= most {
        return Ok(());
    }
    Err(format!("must be an absolute path of at most {most} bytes"))
}

fn directory(text: &str) -> Result<(), String> {
    if text.starts_with('/') { Ok(()) } else { Err("must be an absolute path".to_owned()) }
}

fn whole(item: &Item, least: u64, most: u64) -> Result<(), String> {
    let number = item.as_integer().ok_or_else(|| "must be a whole number".to_owned())?;
    match u64::try_from(number) {
        Ok(number) if (least..=most).contains(&number) => Ok(()),
        _ if most >= i64::MAX as u64 => Err(format!("must be at least {least}")),
        _ => Err(format!("must be at least {least} and at most {most}")),
    }
}

fn dollars(item: &Item) -> Result<(), String> {
    let amount = item.as_float().or_else(|| item.as_integer().map(|whole| whole as f64));
    match amount {
        Some(amount) if (0.0..=MOST_USD).contains(&amount) => Ok(()),
        _ => Err(format!("must be an amount of US dollars between 0 and {MOST_USD}")),
    }
}

fn key_place(item: &Item) -> Result<(), String> {
    let refused = || Err(KEY_PLACES.to_owned());
    let Some(table) = item.as_table_like() else { return refused() };
    let mut entries = table.iter();
    match (entries.next(), entries.next()) {
        (Some((word, place)), None) => match (word, place.as_str()) {
            ("env", Some(name)) if is_variable(name) => Ok(()),
            ("env", Some(_)) => {
                Err("what follows `env` is no name of an environment variable, of A to Z, 0 to 9 and _".to_owned())
            }
            ("file", Some(path)) if path.starts_with('/') => Ok(()),
            ("file", Some(_)) => Err("what follows `file` must be an absolute path".to_owned()),
            ("keyring" | "kept", Some(name)) => {
                crate::keys::KeyName::new(name).map(drop).map_err(|why| why.to_string())
            }
            _ => refused(),
        },
        _ => refused(),
    }
}

/// Whether this names a variable as people write them, in capital letters: a key in its place has small ones.
fn is_variable(name: &str) -> bool {
    const MAX_VARIABLE_BYTES: usize = 128;
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (1..=MAX_VARIABLE_BYTES).contains(&name.len())
        && name.chars().all(fits)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn list(item: &Item, least: usize, check: fn(&str) -> Result<(), String>) -> Result<(), String> {
    let array = item.as_array().ok_or_else(|| "must be a list of texts, like [\"one\", \"two\"]".to_owned())?;
    if !(least..=MOST_ITEMS).contains(&array.len()) {
        return Err(format!("must have {least} to {MOST_ITEMS} items"));
    }
    for (at, value) in array.iter().enumerate() {
        let text = value.as_str().ok_or_else(|| format!("item {} must be a text in quotes", at + 1))?;
        check(text).map_err(|why| format!("item {} {why}", at + 1))?;
    }
    Ok(())
}

fn inner_path(path: &str) -> Result<(), String> {
    wire::RelPath::new(path).map(drop).map_err(|_| "must be a path within the workspace, without `..`".to_owned())
}

fn rules(item: &Item) -> Result<(), String> {
    let tables: Option<Vec<&dyn TableLike>> = match (item.as_array(), item.as_array_of_tables()) {
        (Some(array), _) => {
            array.iter().map(|value| value.as_inline_table().map(|table| table as &dyn TableLike)).collect()
        }
        (None, Some(tables)) => Some(tables.iter().map(|table| table as &dyn TableLike).collect()),
        (None, None) => None,
    };
    let tables = tables.ok_or_else(|| "must be a list of { tool, argument, decision }".to_owned())?;
    if tables.len() > MOST_ITEMS {
        return Err(format!("must have at most {MOST_ITEMS} rules"));
    }
    tables.iter().enumerate().try_for_each(|(at, table)| rule(*table).map_err(|why| format!("rule {}: {why}", at + 1)))
}

fn rule(rule: &dyn TableLike) -> Result<(), String> {
    const KEYS: [&str; 3] = ["tool", "argument", "decision"];
    if let Some((unknown, _)) = rule.iter().find(|(key, _)| !KEYS.contains(key)) {
        return Err(format!(
            "there is no key `{unknown}` in a rule, only {}{}",
            KEYS.join(", "),
            suggestion(unknown, KEYS)
        ));
    }
    let value = |key: &str| rule.get(key).ok_or_else(|| format!("`{key}` is missing")).and_then(text);
    not_empty(value("tool")?)?;
    if rule.contains_key("argument") {
        value("argument")?;
    }
    word(value("decision")?, &["allow", "ask", "deny"]).map_err(|why| format!("`decision` {why}"))
}

/// The words of `daemon.log`.
pub(super) fn levels() -> Vec<&'static str> {
    vec!["off", "error", "warn", "info", "debug", "trace"]
}

/// The words of `models.NAME.provider`.
pub(super) fn providers() -> Vec<&'static str> {
    names::words()
}

/// The words of `models.NAME.tools`.
pub(super) fn tool_uses() -> Vec<&'static str> {
    vec!["auto", "native", "constrained", "none"]
}

/// The words of `routes.NAME.policy`.
pub(super) fn policies() -> Vec<&'static str> {
    vec!["order"]
}
