//! Every key as an example, written from the table: what it means, its default, a value.

use super::section::{Entry, Fallback, Section};
use super::table::SECTIONS;

const TEMPLATE_INTRODUCTION: &str = "\
# The configuration of tinkerbell. Every key that there is stands below with an example and its default; take the mark
# before a line away to set it, and the one before the heading of its table.
";

/// Keys that mean something to Ollama alone, so that they need a model of their own in the example.
const OLLAMA_ALONE: [&str; 2] = ["keep_alive", "think"];

/// The second model of the example, which those keys belong to.
const OLLAMA_MODEL: &str = "\n[models.local]\nprovider = \"ollama\"\nmodel = \"qwen3:4b\"\n";

/// What somebody begins with who edits a file that is not there yet: the example, none of which counts.
pub(super) fn template() -> String {
    let sections = sections();
    let marked = sections.lines().map(|line| match line {
        "" => "\n".to_owned(),
        comment if comment.starts_with('#') => format!("#{comment}\n"),
        line => format!("# {line}\n"),
    });
    format!("{TEMPLATE_INTRODUCTION}{}", marked.collect::<String>())
}

/// What counts where the file says nothing, as Markdown.
pub(super) fn default(entry: &Entry) -> String {
    match entry.default {
        Fallback::Value(value) => format!("`{value}`"),
        Fallback::Words(words) => words.to_owned(),
        Fallback::Required => "must be given".to_owned(),
    }
}

/// All sections with all keys, each with a value: a valid file.
pub(super) fn sections() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        text.push('\n');
        if !section.path.is_empty() {
            let about = section.about.trim_start_matches([',', ' ']);
            text.extend(
                section
                    .notes
                    .lines()
                    .chain(Some(about).filter(|about| !about.is_empty()))
                    .map(|line| format!("# {line}\n")),
            );
            text.push_str(&format!("[{}]\n", heading(section)));
        }
        let (ollamas, own): (Vec<_>, Vec<_>) =
            section.entries.iter().partition(|entry| OLLAMA_ALONE.contains(&entry.name));
        text.extend(own.into_iter().map(lines));
        if !ollamas.is_empty() {
            text.push_str(OLLAMA_MODEL);
            text.extend(ollamas.into_iter().map(lines));
        }
    }
    text
}

/// A key with its comment.
fn lines(entry: &Entry) -> String {
    let unit = if entry.unit.is_empty() { String::new() } else { format!(", in {}", entry.unit) };
    format!("# {}{unit}; default: {}\n{} = {}\n", entry.doc, default(entry), entry.name, entry.example)
}

/// A section's heading, with a name in the place of the user's.
fn heading(section: &Section) -> String {
    match section.dotted().as_str() {
        "models.NAME" => "models.sonnet".to_owned(),
        "routes.NAME" => "routes.careful".to_owned(),
        other => other.to_owned(),
    }
}
