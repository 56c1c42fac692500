//! One action as a way through tool calls: given what the tools answered so far, the next call, or how it ended.

use super::grammar::Action;
use super::results::{Heard, Page, page};
use super::words;
use serde_json::{Value, json};

/// Lines at the end of a long file that are enough to find its end again.
const TAIL_LINES: u64 = 20;

/// What an action needs next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// This tool.
    Call(Call),
    /// Nothing more.
    Ended(End),
}

/// A tool call that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// The tool.
    pub(super) tool: &'static str,
    /// Its arguments, an object.
    pub(super) arguments: Value,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// Whether what was asked for is done.
    pub(super) done: bool,
    /// What to say about it.
    pub(super) text: String,
}

fn call(tool: &'static str, arguments: Value) -> Next {
    Next::Call(Call { tool, arguments })
}

fn read(path: &str) -> Next {
    call("read_file", json!({ "path": path }))
}

fn write(path: &str, content: &str) -> Next {
    call("write_file", json!({ "path": path, "content": content }))
}

fn done(text: impl Into<String>) -> Next {
    Next::Ended(End { done: true, text: text.into() })
}

fn undone(text: impl Into<String>) -> Next {
    Next::Ended(End { done: false, text: text.into() })
}

/// A tool's own words about how it went.
fn told(heard: Heard<'_>) -> Next {
    if heard.done { done(heard.first) } else { undone(heard.first) }
}

/// The next call of an action after these results, in the order of their calls.
pub(super) fn next(action: &Action, results: &[&str]) -> Next {
    match action {
        Action::Create { path, content } => create(path, content, results),
        Action::Overwrite { path, content } => overwrite(path, content, results),
        Action::Append { path, text } => append(path, text, results),
        Action::Replace { path, old, new, all } => {
            let mut arguments = json!({ "path": path, "old": old, "new": new });
            if *all {
                arguments["all"] = Value::Bool(true);
            }
            change("edit_file", arguments, path, results)
        }
        Action::Delete { path } => change("delete_file", json!({ "path": path }), path, results),
        Action::Rename { from, to } => change("move_file", json!({ "from": from, "to": to }), from, results),
        Action::Show { path } => match results {
            [] => read(path),
            [text, ..] => show(Heard::read("read_file", text), page(text)),
        },
        Action::List { path } => look("list_directory", within(json!({}), path), results),
        Action::FindFiles { pattern } => look("find_files", json!({ "pattern": pattern }), results),
        Action::Search { pattern, path, .. } => {
            look("search_text", within(json!({ "pattern": pattern }), path), results)
        }
    }
}

fn within(mut arguments: Value, path: &str) -> Value {
    if !path.is_empty() {
        arguments["path"] = path.into();
    }
    arguments
}

/// A file that exists already is looked at and left alone: to write over it is a decision for whoever asked.
fn create(path: &str, content: &str, results: &[&str]) -> Next {
    match results {
        [] => write(path, content),
        [wrote] => {
            let heard = Heard::read("write_file", wrote);
            if heard.wants_reading() { read(path) } else { told(heard) }
        }
        [_, found, ..] => match page(found) {
            Some(page) if page.whole && page.text == content => done(format!("{path} holds exactly this already")),
            _ => undone(words::exists(path, Heard::read("read_file", found).first)),
        },
    }
}

fn overwrite(path: &str, content: &str, results: &[&str]) -> Next {
    match results {
        [] => read(path),
        [found] => {
            let heard = Heard::read("read_file", found);
            if heard.done || heard.is_absent() { write(path, content) } else { told(heard) }
        }
        [_, wrote, ..] => told(Heard::read("write_file", wrote)),
    }
}

/// A file that is seen whole is written anew; of a longer one the last lines are read, and the text goes behind them.
fn append(path: &str, text: &str, results: &[&str]) -> Next {
    let Some((found, later)) = results.split_first() else { return read(path) };
    let heard = Heard::read("read_file", found);
    let Some(first) = page(found) else {
        return match later {
            [] if heard.is_absent() => write(path, text),
            [] if heard.done => undone(format!("{}; only text can be appended to", heard.first)),
            [] => told(heard),
            [wrote, ..] => told(Heard::read("write_file", wrote)),
        };
    };
    match later {
        [] if first.whole => write(path, &joined(first.text, text)),
        [] if first.last < first.total => {
            let offset = first.total.saturating_sub(TAIL_LINES).max(first.last) + 1;
            call("read_file", json!({ "path": path, "offset": offset }))
        }
        [] => behind(path, first, text),
        [wrote] if first.whole => told(Heard::read("write_file", wrote)),
        [edited] if first.last == first.total => told(Heard::read("edit_file", edited)),
        [tail] => match page(tail) {
            Some(page) if page.last == page.total => behind(path, page, text),
            _ => undone(format!("the end of {path} could not be read: {}", Heard::read("read_file", tail).first)),
        },
        [_, edited, ..] => told(Heard::read("edit_file", edited)),
    }
}

fn behind(path: &str, page: Page<'_>, text: &str) -> Next {
    let from = page.text.split_inclusive('\n').rev().take(TAIL_LINES as usize).map(str::len).sum::<usize>();
    let old = &page.text[page.text.len() - from..];
    if old.is_empty() {
        return undone(format!("the end of {path} could not be read"));
    }
    call("edit_file", json!({ "path": path, "old": old, "new": joined(old, text) }))
}

/// Lines behind lines, with the line ends that the file has.
fn joined(before: &str, text: &str) -> String {
    let windows = before.contains("\r\n");
    let end = if windows { "\r\n" } else { "\n" };
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { end };
    let text = if windows { text.replace("\r\n", "\n").replace('\n', end) } else { text.to_owned() };
    format!("{before}{gap}{text}")
}

/// One call; where the tool says that the file must be read again first, it is, and the call is made once more.
fn change(tool: &'static str, arguments: Value, path: &str, results: &[&str]) -> Next {
    match results {
        [] => call(tool, arguments),
        [first] => {
            let heard = Heard::read(tool, first);
            if heard.wants_reading() { read(path) } else { told(heard) }
        }
        [_, found] => {
            let heard = Heard::read("read_file", found);
            if heard.done { call(tool, arguments) } else { told(heard) }
        }
        [_, _, again, ..] => told(Heard::read(tool, again)),
    }
}

fn look(tool: &'static str, arguments: Value, results: &[&str]) -> Next {
    match results {
        [] => call(tool, arguments),
        [text, ..] => {
            let heard = Heard::read(tool, text);
            if heard.done { done(words::shown(heard.first, heard.body)) } else { told(heard) }
        }
    }
}

fn show(heard: Heard<'_>, page: Option<Page<'_>>) -> Next {
    match page {
        Some(page) => done(words::fenced(heard.first, page.text)),
        None => told(heard),
    }
}

impl Action {
    /// The paths that it touches; `None` for one that looks at many.
    fn paths(&self) -> Option<Vec<&str>> {
        match self {
            Action::Create { path, .. } | Action::Overwrite { path, .. } | Action::Append { path, .. } => {
                Some(vec![path])
            }
            Action::Replace { path, .. } | Action::Delete { path } | Action::Show { path } => Some(vec![path]),
            Action::Rename { from, to } => Some(vec![from, to]),
            Action::List { .. } | Action::FindFiles { .. } | Action::Search { .. } => None,
        }
    }

    /// Whether it changes nothing.
    fn only_looks(&self) -> bool {
        matches!(self, Action::Show { .. } | Action::List { .. } | Action::FindFiles { .. } | Action::Search { .. })
    }

    /// Whether it makes no difference which of the two comes first.
    pub(super) fn is_independent_of(&self, other: &Action) -> bool {
        if self.only_looks() && other.only_looks() {
            return true;
        }
        match (self.paths(), other.paths()) {
            (Some(ours), Some(theirs)) => !ours.iter().any(|path| theirs.contains(path)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append_to(results: &[&str]) -> Next {
        next(&Action::Append { path: "a".into(), text: "x\n".into() }, results)
    }

    fn calls(next: Next) -> (&'static str, Value) {
        match next {
            Next::Call(call) => (call.tool, call.arguments),
            Next::Ended(end) => panic!("ended: {end:?}"),
        }
    }

    #[test]
    fn a_text_is_appended_to_what_was_read() {
        assert_eq!(calls(append_to(&[])), ("read_file", json!({"path": "a"})));
        for (found, content) in [
            ("a: lines 1-1 of 1, 2 bytes\ny\n", "y\nx\n"),
            ("a: lines 1-1 of 1, 1 bytes\ny", "y\nx\n"),
            ("a: lines 1-1 of 1, 3 bytes\ny\r\n", "y\r\nx\r\n"),
            ("a: lines 0-0 of 0, 0 bytes\n", "x\n"),
            ("there is no a; find_files shows what there is", "x\n"),
        ] {
            assert_eq!(calls(append_to(&[found])), ("write_file", json!({"path": "a", "content": content})));
        }
    }

    #[test]
    fn of_a_long_file_the_last_lines_are_enough() {
        let first = "a: lines 1-2000 of 5000, 90000 bytes\n…\n[… 3000 more lines; read on with offset 2001]";
        assert_eq!(calls(append_to(&[first])), ("read_file", json!({"path": "a", "offset": 4981})));
        let tail = format!("a: lines 4981-5000 of 5000, 90000 bytes\n{}", "z\n".repeat(20));
        let (old, new) = ("z\n".repeat(20), "z\n".repeat(20) + "x\n");
        let (tool, arguments) = calls(append_to(&[first, &tail]));
        assert_eq!((tool, arguments), ("edit_file", json!({"path": "a", "old": old, "new": new})));
        let refused = "old occurs 2 times in a (at lines 1, 2); add lines around it";
        assert_eq!(append_to(&[first, &tail, refused]), undone(refused));
    }

    #[test]
    fn what_a_mask_hides_is_not_written_back() {
        let masked = "a: lines 1-2 of 2, 40 bytes\nkey=[masked]\nlast\n";
        let (tool, arguments) = calls(append_to(&[masked]));
        assert_eq!(tool, "edit_file", "{arguments}");
    }

    #[test]
    fn a_file_that_exists_is_not_written_over() {
        let create = |results: &[&str]| next(&Action::Create { path: "a".into(), content: "x\n".into() }, results);
        let refused =
            "a exists (1 line, 2 bytes) and you have not read it; read it with read_file first, or use edit_file";
        assert_eq!(calls(create(&[refused])), ("read_file", json!({"path": "a"})));
        let Next::Ended(end) = create(&[refused, "a: lines 1-1 of 1, 2 bytes\ny\n"]) else { panic!("not ended") };
        assert!(!end.done && end.text.contains("overwrite a with"), "{}", end.text);
        let Next::Ended(end) = create(&[refused, "a: lines 1-1 of 1, 2 bytes\nx\n"]) else { panic!("not ended") };
        assert!(end.done);
    }

    #[test]
    fn what_changed_meanwhile_is_read_again_once() {
        let delete = |results: &[&str]| next(&Action::Delete { path: "a".into() }, results);
        let changed = "a has changed since you read it; read it again";
        let page = "a: lines 1-1 of 1, 2 bytes\ny\n";
        assert_eq!(calls(delete(&[changed])).0, "read_file");
        assert_eq!(calls(delete(&[changed, page])).0, "delete_file");
        assert_eq!(delete(&[changed, page, changed]), undone(changed));
    }
}
