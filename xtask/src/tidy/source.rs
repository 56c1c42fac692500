//! Rust source as the rules read it: code, comments and strings apart, tests known as tests.
//!
//! Not a parser: enough of the lexical grammar to tell a call from the same words in a string or a comment.

use super::tree::Tree;

/// A source file, taken apart. Every part keeps the line breaks of the whole, so that line numbers are the file's.
#[derive(Debug)]
pub(super) struct Source {
    /// The code, comments and the insides of strings blanked.
    pub(super) code: String,
    /// The comments, all else blanked.
    pub(super) comments: String,
    /// The code without its test modules; empty for a file of tests.
    pub(super) live: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

impl Source {
    /// Takes a file apart.
    pub(super) fn new(path: &str, text: &str) -> Source {
        let parts = parts(text.as_bytes());
        let keep = |wanted: Part| -> String {
            let kept =
                text.bytes().zip(&parts).map(|(byte, part)| if *part == wanted || byte == b'\n' { byte } else { b' ' });
            String::from_utf8_lossy(&kept.collect::<Vec<u8>>()).into_owned()
        };
        let code = keep(Part::Code);
        let live = if is_test_file(path) { String::new() } else { without_tests(&code) };
        Source { comments: keep(Part::Comment), live, code }
    }
}

/// The code of a file that is not for tests alone; empty where its parent declares it as a module for tests.
pub(super) fn live(tree: &Tree, path: &str, text: &str) -> String {
    if is_test_module(tree, path) { String::new() } else { Source::new(path, text).live }
}

/// Whether the parent module says `#[cfg(test)]` before `mod name;`.
fn is_test_module(tree: &Tree, path: &str) -> bool {
    let module = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs")).unwrap_or(path);
    let Some((directory, name)) = module.rsplit_once('/') else { return false };
    let declaration = format!("mod {name};");
    ["/lib.rs", "/main.rs", "/mod.rs", ".rs"].into_iter().any(|end| {
        let text = tree.text(&format!("{directory}{end}")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.windows(2).any(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with(&declaration))
    })
}

/// Whether a file as a whole is for tests, examples or benchmarks.
fn is_test_file(path: &str) -> bool {
    let directory = |name: &str| path.split('/').any(|part| part == name);
    path.starts_with("crates/testkit/")
        || path.ends_with("/tests.rs")
        || ["tests", "examples", "benches"].into_iter().any(directory)
}

/// The lines in which a word or a path of words stands alone, counted from 1.
pub(super) fn lines_with<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.lines().enumerate().filter(move |(_, line)| has_words(line, words)).map(|(at, _)| at + 1)
}

/// Whether a word or a path of words stands alone in a line.
pub(super) fn has_words(line: &str, words: &str) -> bool {
    let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(words).any(|(at, _)| {
        let before = part_of_name(line[..at].chars().next_back()) && part_of_name(words.chars().next());
        let after = part_of_name(line[at + words.len()..].chars().next()) && part_of_name(words.chars().next_back());
        !before && !after
    })
}

/// Says for every byte what it is part of.
fn parts(text: &[u8]) -> Vec<Part> {
    let mut parts = vec![Part::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let (end, part) = token(text, at);
        parts[at..end].fill(part);
        at = end;
    }
    parts
}

/// The end of what begins at `at`, and what it is. A literal's quotes count as part of it.
fn token(text: &[u8], at: usize) -> (usize, Part) {
    let rest = &text[at..];
    let in_name = at > 0 && (text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'_');
    if rest.starts_with(b"//") {
        return (at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()), Part::Comment);
    }
    if rest.starts_with(b"/*") {
        return (at + block_comment(rest), Part::Comment);
    }
    match rest[0] {
        b'"' => (at + quoted(rest, b'"'), Part::Literal),
        b'r' if !in_name || matches!(text[at - 1], b'b' | b'c') => match raw_string(rest) {
            Some(length) => (at + length, Part::Literal),
            None => (at + 1, Part::Code),
        },
        b'\'' => match character(rest) {
            Some(length) => (at + length, Part::Literal),
            None => (at + 1, Part::Code),
        },
        _ => (at + 1, Part::Code),
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#` and so on; `None` for a name that begins with r.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = &rest[hashes + 2..];
    let length = body.windows(end.len()).position(|window| window == end)?;
    Some(hashes + 2 + length + end.len())
}

/// A character's literal; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(quoted(rest, b'\''));
    }
    let width = match rest.get(1)? {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

/// Blanks every item that is there for tests alone.
fn without_tests(code: &str) -> String {
    let mut live = code.as_bytes().to_vec();
    for (at, marker) in code.match_indices("#[cfg(test)]") {
        let from = at + marker.len();
        let open = code[from..].find('{').map_or(code.len(), |offset| from + offset);
        let semicolon = code[from..].find(';').map_or(code.len(), |offset| from + offset + 1);
        let end = if semicolon < open { semicolon } else { matching_brace(code, open) };
        live[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    String::from_utf8_lossy(&live).into_owned()
}

fn matching_brace(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_not_code() {
        let text = "let a = \"dbg!(\\\"x\\\")\"; // dbg!(1)\nlet b = r#\"dbg!(\"2\")\"#; /* dbg!( /* 3 */ ) */ real();";
        let source = Source::new("a.rs", text);
        assert!(!source.code.contains("dbg!") && source.code.contains("real()"), "{}", source.code);
        assert!(source.comments.contains("dbg!(1)") && !source.comments.contains("real"), "{}", source.comments);
        assert_eq!(source.code.lines().count(), text.lines().count());
    }

    #[test]
    fn lifetimes_are_not_characters() {
        let source = Source::new("a.rs", "fn f<'a>(x: &'a str) { g('\"'); h('é', '\\''); dbg!(x) }");
        assert!(source.code.contains("dbg!(x)") && source.code.contains("fn f<'a>(x: &'a str)"), "{}", source.code);
    }

    #[test]
    fn test_modules_are_not_live() {
        let text = "fn a() { spawn() }\n#[cfg(test)]\nmod tests {\n    fn b() { spawn() }\n}\nfn c() { spawn() }\n";
        assert_eq!(lines_with(&Source::new("crates/a/src/a.rs", text).live, "spawn").collect::<Vec<_>>(), [1, 6]);
        assert_eq!(Source::new("crates/a/tests/a.rs", text).live, "");
    }

    #[test]
    fn a_module_that_its_parent_declares_for_tests_is_not_live() {
        let tree = Tree::of(&[("crates/a/src/lib.rs", "mod b;\n#[cfg(test)]\npub(crate) mod fake;\n")]);
        let code = "fn go() { spawn() }";
        assert_eq!(live(&tree, "crates/a/src/fake.rs", code), "");
        assert_eq!(live(&tree, "crates/a/src/b.rs", code), code);
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(lines_with("respawn()\nspawn()\nspawner", "spawn").collect::<Vec<_>>(), [2]);
        assert_eq!(lines_with("x.todo!()", "todo!").collect::<Vec<_>>(), [1]);
    }
}
