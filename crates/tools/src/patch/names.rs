//! How the forms of patches write paths.

use super::PatchError;
use super::cursor::Cursor;
use wire::RelPath;

/// What stands for "no such file".
pub(crate) const NOTHING: &str = "/dev/null";

/// A path as the line at the cursor names it.
pub(crate) fn path(cursor: &Cursor<'_>, name: &str) -> Result<RelPath, PatchError> {
    if name.ends_with('/') {
        return Err(cursor.wrong("names a directory; a patch changes files"));
    }
    RelPath::new(name).map_err(|source| PatchError::Path { line: cursor.number(), source: shortened(source) })
}

/// The error without the whole of a long path.
fn shortened(source: wire::PathError) -> wire::PathError {
    use wire::PathError::{Absolute, Empty, Git, Malformed, Outside};
    let short = |path: String| crate::text::short(&path, 80).into_owned();
    match source {
        Absolute(path) => Absolute(short(path)),
        Outside(path) => Outside(short(path)),
        Git(path) => Git(short(path)),
        Empty | Malformed => source,
    }
}

/// The name behind `---` or `+++`: up to a tab, behind which dates stand, or in quotes.
pub(crate) fn name(text: &str) -> String {
    let text = text.trim_end_matches('\r');
    match quoted(text) {
        Some((name, _)) => name,
        None => text.split('\t').next().unwrap_or(text).trim_end().to_owned(),
    }
}

/// The two names behind `diff --git`, where they can be told apart: quoted, or the same but for what git puts before.
pub(crate) fn pair(text: &str) -> Option<(String, String)> {
    let text = text.trim_end();
    if let Some((old, rest)) = quoted(text) {
        return Some((old, name(rest.trim_start())));
    }
    let halves = |at: usize| Some((text.get(..at)?, text.get(at..)?.strip_prefix(' ')?));
    let same = text.match_indices(' ').filter_map(|(at, _)| halves(at)).find(|(old, new)| {
        let plain = old == new;
        plain || matches!((old.split_once('/'), new.split_once('/')), (Some((_, old)), Some((_, new))) if old == new)
    });
    let (old, new) = same.or_else(|| text.split_once(' ').filter(|(_, new)| !new.contains(' ')))?;
    Some((old.to_owned(), if new.starts_with('"') { quoted(new)?.0 } else { new.to_owned() }))
}

/// Both names without the `a/` and `b/` that git puts before them.
pub(crate) fn without_prefixes(old: &str, new: &str) -> (String, String) {
    const PREFIXES: [(&str, &str); 5] = [("a/", "b/"), ("i/", "w/"), ("c/", "i/"), ("c/", "w/"), ("o/", "w/")];
    let stripped = PREFIXES.iter().find_map(|(before, after)| {
        let strip = |name: &str, prefix: &str| match name {
            NOTHING => Some(name.to_owned()),
            name => name.strip_prefix(prefix).map(str::to_owned),
        };
        Some((strip(old, before)?, strip(new, after)?))
    });
    stripped.unwrap_or_else(|| (old.to_owned(), new.to_owned()))
}

/// A name in quotes at the beginning of a text, as git writes unusual ones, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let (mut bytes, mut at) = (Vec::new(), 0);
    let raw = inside.as_bytes();
    loop {
        match *raw.get(at)? {
            b'"' => break,
            b'\\' => {
                let escaped = *raw.get(at + 1)?;
                at += 2;
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'a' => 7,
                    b'b' => 8,
                    b'v' => 11,
                    b'f' => 12,
                    b'0'..=b'3' => {
                        let octal = std::str::from_utf8(raw.get(at - 1..at + 2)?).ok()?;
                        at += 2;
                        u8::from_str_radix(octal, 8).ok()?
                    }
                    other => other,
                });
            }
            byte => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    Some((String::from_utf8(bytes).ok()?, &inside[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_git_and_diff_write_them() {
        for (text, expected) in [
            ("a/b.rs", "a/b.rs"),
            ("a/b c.rs\t2026-01-01 00:00:00", "a/b c.rs"),
            ("\"a/gr\\303\\274n\\t\\\"x\\\".rs\"", "a/grün\t\"x\".rs"),
            ("a/b.rs\r", "a/b.rs"),
            ("\"open", "\"open"),
        ] {
            assert_eq!(name(text), expected);
        }
        let both = |old: &str, new: &str| Some((old.to_owned(), new.to_owned()));
        for (text, expected) in [
            ("a/x b/x", both("a/x", "b/x")),
            ("a/x y b/x y", both("a/x y", "b/x y")),
            ("x y x y", both("x y", "x y")),
            ("a/x b/y", both("a/x", "b/y")),
            ("\"a/\\303\\274\" \"b/\\303\\274\"", both("a/ü", "b/ü")),
            ("a/x y b/z", None),
        ] {
            assert_eq!(pair(text), expected, "{text}");
        }
        assert_eq!(without_prefixes("a/b/x", "b/b/x"), ("b/x".to_owned(), "b/x".to_owned()));
        assert_eq!(without_prefixes("/dev/null", "b/x"), (NOTHING.to_owned(), "x".to_owned()));
        assert_eq!(without_prefixes("a/x", "a/x"), ("a/x".to_owned(), "a/x".to_owned()));
    }
}
