//! What the offline model says: what it is, what it understood, what it can do, and how to get a real model.

use super::grammar::Action;

/// The most bytes of a file or a listing that are repeated in an answer.
const SHOWN_BYTES: usize = 8 * 1024;

const WHAT_IT_IS: &str = "I am tinkerbell's offline model: a small built-in grammar, no language model.";

const WHAT_IT_TAKES: &str = r#"What I take are plain sentences such as

    create notes/todo.md with "- buy milk"
    append "- buy bread" to notes/todo.md
    replace "milk" with "tea" in notes/todo.md
    overwrite notes/todo.md with "nothing"
    rename notes/todo.md to notes/done.md
    delete notes/done.md
    show README.md
    list src
    find TODO in src
    find files *.rs

Several may be joined by `and then`, `;` or new lines. Texts stand in quotes or in a fenced block."#;

const A_REAL_MODEL: &str = r#"For a real model, add one to the file that `tinkerbell config path` names:

    [models.work]
    provider = "openai"                      # any server that speaks this dialect
    base_url = "http://127.0.0.1:8080/v1"
    model = "the name that the server knows"

and ask again with `--model work`."#;

/// A prompt of which a sentence was not understood.
pub(super) fn not_understood(sentence: &str) -> String {
    let sentence = cut(sentence.trim(), 200);
    format!("{WHAT_IT_IS} I did not understand \"{sentence}\", so I did nothing.\n\n{WHAT_IT_TAKES}\n\n{A_REAL_MODEL}")
}

/// A prompt with too many steps.
pub(super) fn too_many(count: usize, limit: usize) -> String {
    format!("{WHAT_IT_IS} These are {count} steps, and I take {limit} at once, so I did nothing. Ask for fewer.")
}

/// No prompt at all.
pub(super) fn nothing_asked() -> String {
    format!("{WHAT_IT_IS} Nothing was asked.\n\n{WHAT_IT_TAKES}\n\n{A_REAL_MODEL}")
}

/// What a prompt was taken to mean.
pub(super) fn understood<'a>(actions: impl Iterator<Item = &'a Action>) -> String {
    let parts: Vec<String> = actions.map(name).collect();
    format!("{WHAT_IT_IS} I understood: {}.", parts.join("; "))
}

/// An action in a few words.
pub(super) fn name(action: &Action) -> String {
    match action {
        Action::Create { path, .. } => format!("create {path}"),
        Action::Overwrite { path, .. } => format!("overwrite {path}"),
        Action::Append { path, .. } => format!("append to {path}"),
        Action::Replace { path, old, new, all } => {
            let all = if *all { "every " } else { "" };
            format!("replace {all}\"{}\" with \"{}\" in {path}", cut(old, 40), cut(new, 40))
        }
        Action::Delete { path } => format!("delete {path}"),
        Action::Rename { from, to } => format!("rename {from} to {to}"),
        Action::Show { path } => format!("show {path}"),
        Action::List { path } if path.is_empty() => "list the workspace".to_owned(),
        Action::List { path } => format!("list {path}"),
        Action::FindFiles { pattern } => format!("find files {pattern}"),
        Action::Search { shown, path, .. } if path.is_empty() => format!("find \"{}\"", cut(shown, 40)),
        Action::Search { shown, path, .. } => format!("find \"{}\" in {path}", cut(shown, 40)),
    }
}

/// Why a file was left alone.
pub(super) fn exists(path: &str, seen: &str) -> String {
    format!(
        "{path} exists already ({seen}), so I left it as it is; to replace it say `overwrite {path} with \"…\"`, to add to it \
         `append \"…\" to {path}`"
    )
}

/// What did not go well.
pub(super) fn failed(action: &Action, why: &str) -> String {
    format!("Not done: {}: {why}", name(action))
}

/// What was not tried because something before it failed.
pub(super) fn left_out(action: &Action) -> String {
    format!("Not tried, because of what went wrong before: {}", name(action))
}

/// What cannot be done in this session.
pub(super) fn no_tool(tool: &str) -> String {
    format!("the tool {tool} is not offered in this session")
}

/// A listing below its first line.
pub(super) fn shown(first: &str, body: &str) -> String {
    let body = body.trim_end();
    if body.is_empty() { first.to_owned() } else { format!("{first}\n{}", cut_lines(body)) }
}

/// A file below its first line, in a fence that is longer than any in it.
pub(super) fn fenced(first: &str, content: &str) -> String {
    let content = cut_lines(content);
    let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
    format!("{first}\n{fence}\n{content}{end}{fence}")
}

fn cut_lines(text: &str) -> String {
    if text.len() <= SHOWN_BYTES {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(SHOWN_BYTES)];
    let kept = kept.rfind('\n').map_or(kept, |end| &kept[..=end]);
    format!("{kept}\n… I repeat no more than {SHOWN_BYTES} bytes here; the tool's own result holds the rest")
}

fn cut(text: &str, chars: usize) -> String {
    let line = text.replace('\n', "\\n");
    match line.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_any_in_the_file() {
        assert_eq!(fenced("a", "x"), "a\n```\nx\n```");
        assert_eq!(fenced("a", "````\n"), "a\n`````\n````\n`````");
    }

    #[test]
    fn what_is_repeated_is_bounded() {
        let long = "line\n".repeat(5000);
        assert!(shown("a", &long).len() < SHOWN_BYTES + 200);
        assert!(cut_lines(&"ö".repeat(SHOWN_BYTES)).starts_with('ö'));
    }
}
