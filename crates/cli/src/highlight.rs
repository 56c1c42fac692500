//! Colours of source code, for fenced blocks and for diffs.
//!
//! It knows which words of a line are comments, strings and so on, and gives them the terminal's own sixteen colours, so
//! that they fit a dark screen and a light one. The grammars are read at the first line that needs them and never
//! before: that takes some milliseconds, which a command without code does not pay. Deliberately absent: themes.

use anstyle::{AnsiColor, Style};
use std::path::Path;
use std::sync::OnceLock;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

/// The longest line that is looked at, in bytes; what is longer is not source code that somebody reads.
const MAX_LINE_BYTES: usize = 2_000;

/// The styles of the parts of a scope, the more special ones after what they are a part of.
const STYLES: &[(&str, Style)] = &[
    ("comment", Style::new().dimmed()),
    ("string", AnsiColor::Green.on_default()),
    ("constant.character.escape", AnsiColor::Yellow.on_default()),
    ("constant.numeric", AnsiColor::Yellow.on_default()),
    ("constant.language", AnsiColor::Yellow.on_default()),
    ("keyword.operator", Style::new()),
    ("keyword", AnsiColor::Magenta.on_default()),
    ("storage", AnsiColor::Magenta.on_default()),
    ("entity.name.function", AnsiColor::Blue.on_default()),
    ("support.function", AnsiColor::Blue.on_default()),
    ("entity.name.tag", AnsiColor::Blue.on_default()),
    ("entity.name", AnsiColor::Cyan.on_default()),
    ("support.type", AnsiColor::Cyan.on_default()),
    ("entity.other.attribute-name", AnsiColor::Cyan.on_default()),
    ("variable.parameter", Style::new()),
    ("markup.heading", Style::new().bold()),
    ("markup.inserted", AnsiColor::Green.on_default()),
    ("markup.deleted", AnsiColor::Red.on_default()),
];

/// The colours of one text, line after line: what a line is may depend on the ones before it.
pub(crate) struct Highlighter {
    state: ParseState,
    scopes: ScopeStack,
    grammars: &'static Grammars,
}

/// All that is read from the binary when the first line wants colours.
struct Grammars {
    syntaxes: SyntaxSet,
    styles: Vec<(Scope, Style)>,
}

impl std::fmt::Debug for Highlighter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Highlighter").finish_non_exhaustive()
    }
}

/// A highlighter for a language by its name (`rust`, `py`) or for a file by its path; `None` where neither says what
/// it is.
pub(crate) fn highlighter(name_or_path: &str) -> Option<Highlighter> {
    if name_or_path.is_empty() {
        return None;
    }
    let grammars = grammars();
    let syntax = grammars.find(name_or_path)?;
    Some(Highlighter { state: ParseState::new(syntax), scopes: ScopeStack::new(), grammars })
}

impl Highlighter {
    /// The pieces of a line, given without its line feed, each with its style.
    pub(crate) fn line<'a>(&mut self, line: &'a str) -> Vec<(Style, &'a str)> {
        if line.len() > MAX_LINE_BYTES {
            return vec![(Style::new(), line)];
        }
        let with_end = format!("{line}\n");
        // A grammar that does not get on with a line leaves it, and what comes after, as it is.
        let Ok(changes) = self.state.parse_line(&with_end, &self.grammars.syntaxes) else {
            return vec![(Style::new(), line)];
        };
        let mut pieces = Vec::new();
        let mut from = 0;
        for (at, change) in &changes {
            let to = (*at).min(line.len());
            if to > from {
                pieces.push((self.style(), &line[from..to]));
                from = to;
            }
            if self.scopes.apply(change).is_err() {
                break;
            }
        }
        if from < line.len() {
            pieces.push((self.style(), &line[from..]));
        }
        pieces
    }

    /// The style of the innermost scope that has one.
    fn style(&self) -> Style {
        let of = |scope: &Scope| self.grammars.styles.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope));
        self.scopes.as_slice().iter().rev().find_map(of).map_or(Style::new(), |(_, style)| *style)
    }
}

impl Grammars {
    fn find(&self, name_or_path: &str) -> Option<&SyntaxReference> {
        let plain = |syntax: &&SyntaxReference| syntax.name != "Plain Text";
        let by_name = self.syntaxes.find_syntax_by_token(name_or_path).filter(plain);
        by_name.or_else(|| {
            let path = Path::new(name_or_path);
            let part = |part: Option<&std::ffi::OsStr>| part.and_then(std::ffi::OsStr::to_str).map(str::to_owned);
            let (name, extension) = (part(path.file_name()), part(path.extension()));
            let look = |word: Option<String>| word.and_then(|word| self.syntaxes.find_syntax_by_extension(&word));
            look(name).or_else(|| look(extension)).filter(plain)
        })
    }
}

fn grammars() -> &'static Grammars {
    static GRAMMARS: OnceLock<Grammars> = OnceLock::new();
    GRAMMARS.get_or_init(|| {
        let scope = |(word, style): &(&str, Style)| (Scope::new(word).expect("the table holds scopes"), *style);
        Grammars { syntaxes: SyntaxSet::load_defaults_newlines(), styles: STYLES.iter().map(scope).collect() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_known_by_name_and_files_by_path() {
        for known in ["rust", "rs", "src/lib.rs", "py", "python", "json", "Makefile", "sh", "bash", "C++", "a/b.go"] {
            assert!(highlighter(known).is_some(), "{known}");
        }
        for unknown in ["", "no-such-language", "notes.txt", "LICENSE"] {
            assert!(highlighter(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn words_have_the_style_of_what_they_are_and_nothing_is_lost() {
        let mut rust = highlighter("rust").unwrap();
        let line = "let x = \"two\"; // ünd";
        let pieces = rust.line(line);
        assert_eq!(pieces.iter().map(|(_, text)| *text).collect::<String>(), line);
        let style = |word: &str| pieces.iter().find(|(_, text)| text.contains(word)).unwrap().0;
        assert_eq!(style("let"), AnsiColor::Magenta.on_default());
        assert_eq!(style("two"), AnsiColor::Green.on_default());
        assert_eq!(style("ünd"), Style::new().dimmed());
    }

    #[test]
    fn what_spans_lines_is_followed_and_a_monstrous_line_is_left_alone() {
        let mut rust = highlighter("rs").unwrap();
        rust.line("/* a comment");
        assert_eq!(rust.line("that goes on"), [(Style::new().dimmed(), "that goes on")]);
        let long = "x".repeat(MAX_LINE_BYTES + 1);
        assert_eq!(rust.line(&long), [(Style::new(), long.as_str())]);
    }
}
