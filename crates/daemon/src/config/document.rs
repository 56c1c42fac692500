//! The reference page, written from the table. A test compares it, and the example file, with what stands in the
//! repository; with `UPDATE_GOLDEN=1` it writes them anew.

use super::example::{default, sections};
use super::kind::Kind;
use super::section::Entry;
use super::table::SECTIONS;
use std::fmt::Write as _;
use std::path::Path;

const INTRODUCTION: &str = "\
# Configuration

One TOML file; `tinkerbell config path` says where (`~/.config/tinkerbell/config.toml`, or `config.toml` below
`TINKERBELL_HOME`). It need not exist: every key has a default. The daemon reads it when it starts and whenever it changes
([reload](reload.md)); an unknown key or a wrong value is an error that names the place, and nothing of the file is used then.

| command | what it does |
| --- | --- |
| `tinkerbell config get [KEY]` | what counts, and whether the file, the environment or a default says so |
| `tinkerbell config set KEY VALUE` | changes one key; comments stay, and nothing is written that would not be valid |
| `tinkerbell config unset KEY` | takes a key or a table such as `models.NAME` out of the file, also one that means nothing |
| `tinkerbell config edit` | opens the file in `$VISUAL` or `$EDITOR`, and checks it before it counts |
| `tinkerbell config check [FILE]` | says all that is wrong, with lines, without starting anything; `tinkerbell doctor` does too |
| `tinkerbell config reload` | has the daemon read it anew, and says what changed |

[config.example.toml](../config.example.toml) has every key with an example. This page and that file are written from the table of
keys in `crates/daemon/src/config/table.rs`.
";

const EXAMPLE_INTRODUCTION: &str = "\
# Every key that there is, with an example and its default. Nothing in here is needed; copy what you want to change to the
# file that `tinkerbell config path` names. docs/configuration.md says more.
";

fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        page.push('\n');
        if !section.path.is_empty() {
            writeln!(page, "## `[{}]`{}\n", section.dotted(), section.about).unwrap();
        }
        page.push_str("| key | default | unit | meaning |\n| --- | --- | --- | --- |\n");
        for entry in section.entries {
            writeln!(page, "| `{}` | {} | {} | {} |", entry.name, default(entry), entry.unit, meaning(entry)).unwrap();
        }
        if !section.notes.is_empty() {
            writeln!(page, "\n{}", section.notes).unwrap();
        }
    }
    page
}

/// What a key means, with the words that it takes.
fn meaning(entry: &Entry) -> String {
    let words = match entry.kind {
        Kind::Word(words) => words(),
        _ => Vec::new(),
    };
    let list: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match list.len() {
        0 | 1 => entry.doc.to_owned(),
        _ => format!("{}: {}", entry.doc, list.join(", ")),
    }
}

/// The example file, which is valid as it is.
pub(super) fn example() -> String {
    format!("{EXAMPLE_INTRODUCTION}{}", sections())
}

#[test]
fn the_documents_are_those_of_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (file, text) in [("docs/configuration.md", reference()), ("config.example.toml", example())] {
        let path = root.join(file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let stands = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stands == text,
            "{file} is not what the table says; look at it after UPDATE_GOLDEN=1 cargo test -p daemon"
        );
    }
}
