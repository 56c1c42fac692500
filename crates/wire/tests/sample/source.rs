//! The definitions, read as text: which shapes there are, which of their fields may be absent, which words a closed set
//! has. Reads the house's own style and nothing else; what it cannot read it does not find, so the tests that use it
//! say how much there must be.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What source files define that is written and read.
#[derive(Default)]
pub(crate) struct Source {
    /// Kinds of events, in order.
    pub(crate) kinds: Vec<String>,
    /// Structs.
    pub(crate) structs: BTreeSet<String>,
    fields: Vec<Field>,
    words: BTreeMap<String, BTreeSet<String>>,
    at: Reading,
}

/// A field of a struct or of a kind of event.
struct Field {
    owner: String,
    name: String,
    holds: String,
    may_be_absent: bool,
    flattened: bool,
}

/// What the lines before say of this one.
#[derive(Default)]
struct Reading {
    owner: Option<String>,
    is_written: bool,
    in_words: bool,
    skipped: bool,
    flattened: bool,
    renamed: Option<String>,
}

impl Source {
    /// Reads several files as one.
    pub(crate) fn read(files: &[&str]) -> Source {
        let mut source = Source::default();
        for line in files.iter().flat_map(|text| text.split("#[cfg(test)]").take(1)).flat_map(str::lines) {
            let code = line.trim();
            match code {
                "media! {" => source.at = Reading { owner: Some("MediaType".to_owned()), ..Reading::default() },
                "words!(" => source.at = Reading { in_words: true, ..Reading::default() },
                _ if line.starts_with('}') || line == ");" => source.at = Reading::default(),
                _ if code.starts_with("#[") => source.at.attribute(code),
                _ if code.ends_with(" {") => source.opening(code),
                _ => source.member(code),
            }
        }
        source
    }

    fn opening(&mut self, code: &str) {
        let renamed = self.at.renamed.take();
        if !self.at.is_written && !self.at.in_words {
        } else if let Some(name) = between(code, "pub struct ", " {") {
            self.structs.insert(name.to_owned());
            self.at.owner = Some(name.to_owned());
        } else if let Some(kind) = renamed {
            self.kinds.push(kind.clone());
            self.at.owner = Some(kind);
        } else if let Some(name) = between(code, "pub enum ", " {") {
            self.at.owner = Some(name.to_owned());
        } else if let Some(name) = between(code, "", " {").filter(|_| self.at.in_words) {
            self.at.owner = Some(name.to_owned());
        }
    }

    fn member(&mut self, code: &str) {
        let Some(owner) = self.at.owner.clone() else { return };
        if let Some((_, row)) = code.strip_suffix(';').and_then(|row| row.split_once(" = \"")) {
            self.words.entry(owner).or_default().extend(row.split('"').next().map(str::to_owned));
            return;
        }
        let Some(code) = code.strip_suffix(',') else { return };
        let (name, word) = code.split_once(" = ").unwrap_or((code, ""));
        if let Some((name, holds)) = code.split_once(": ").filter(|(name, _)| !name.starts_with("//")) {
            let name = self.at.renamed.take().unwrap_or_else(|| name.trim_start_matches("pub ").to_owned());
            let holds = holds.to_owned();
            let may_be_absent = std::mem::take(&mut self.at.skipped) || holds.starts_with("Option<");
            let flattened = std::mem::take(&mut self.at.flattened);
            self.fields.push(Field { owner, name, holds, may_be_absent, flattened });
        } else if code.ends_with(" {}") {
            self.kinds.extend(self.at.renamed.take());
        } else if name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            let renamed = self.at.renamed.take().unwrap_or_else(|| snake(name));
            assert!(word.is_empty() || word.trim_matches('"') == renamed, "{owner}: {name} is not written as {word}");
            self.words.entry(owner).or_default().insert(renamed);
        }
    }

    /// How many fields may be absent, and how many words there are, so that a test sees that something was read.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let absent = self.fields.iter().filter(|field| field.may_be_absent).count();
        (absent, self.words.values().map(BTreeSet::len).sum())
    }

    /// The samples, and all shapes that are known inside of them.
    fn unfolded(&self, samples: Vec<(String, Value)>) -> Vec<(String, Value)> {
        let (mut waiting, mut all) = (samples, Vec::new());
        while let Some((owner, value)) = waiting.pop() {
            for field in self.fields.iter().filter(|field| field.owner == owner && self.structs.contains(field.inner()))
            {
                let inside = if field.flattened { Some(&value) } else { value.get(&field.name) };
                let objects = inside.into_iter().flat_map(each).filter(|value| value.is_object());
                waiting.extend(objects.map(|value| (field.inner().to_owned(), value.clone())));
            }
            all.push((owner, value));
        }
        all
    }
}

impl Reading {
    fn attribute(&mut self, code: &str) {
        if code.starts_with("#[derive(") {
            self.is_written = code.contains("Serialize") && code.contains("Deserialize");
        }
        self.skipped |= code.contains("skip_serializing_if");
        self.flattened |= code.contains("(flatten)");
        self.renamed = between(code, "#[serde(rename = \"", "\")]").map(str::to_owned).or(self.renamed.take());
    }
}

impl Field {
    /// The type, without what it is wrapped in.
    fn inner(&self) -> &str {
        let inner = self.holds.rsplit('<').next().unwrap_or(&self.holds).trim_end_matches('>');
        inner.rsplit("::").next().unwrap_or(inner)
    }
}

/// What the samples do not show: fields that are never there or never absent, words that never occur. A sample is a
/// value with the name of its struct or the kind of its event.
pub(crate) fn gaps(source: &Source, samples: Vec<(String, Value)>) -> Vec<String> {
    let samples = source.unfolded(samples);
    let mut unused: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut gaps = Vec::new();
    for field in source.fields.iter().filter(|field| !field.flattened) {
        let of_owner = samples.iter().filter(|(owner, _)| *owner == field.owner);
        let values: Vec<_> = of_owner.map(|(_, value)| value.get(&field.name).unwrap_or(&Value::Null)).collect();
        if values.iter().all(|value| value.is_null()) {
            gaps.push(format!("{}.{} is never there", field.owner, field.name));
        }
        if field.may_be_absent && !values.iter().any(|value| value.is_null()) {
            gaps.push(format!("{}.{} is never absent", field.owner, field.name));
        }
        if let Some(words) = source.words.get(field.inner()) {
            let unused = unused.entry(field.inner()).or_insert_with(|| words.iter().map(String::as_str).collect());
            values.iter().flat_map(|value| each(value)).filter_map(Value::as_str).for_each(|word| {
                unused.remove(word);
            });
        }
    }
    let unused = unused.iter().filter(|(_, words)| !words.is_empty());
    gaps.extend(unused.map(|(set, words)| format!("{set} is never one of {words:?}")));
    gaps
}

/// The elements of a list; a list of one for anything else.
fn each(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
