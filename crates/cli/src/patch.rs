//! How a patch looks to people: syntax colours, the changed words of a line marked, control characters made visible.
//!
//! Lines that went keep to red and lines that came to green, with the colours of the language only where they cannot
//! be taken for these. For programs a patch is left to the byte. Deliberately absent: making patches.

use crate::error::Error;
use crate::highlight::{Highlighter, highlighter};
use crate::plain;
use crate::screen::{BAD, FAINT, GOOD, HEAD, NAME, Sink};
use anstyle::{AnsiColor, Color, Style};
use std::ops::Range;

/// Marking words serves where most of a line stayed: at least one part in so many.
const MIN_SHARED_PART: usize = 3;

/// Prints a patch: for people in colours and harmless, for programs as it is.
pub(crate) fn print(sink: &mut Sink, patch: &str) -> Result<(), Error> {
    if !sink.is_for_people() {
        return sink.put(patch);
    }
    let mut painter = Painter::new(sink);
    patch.lines().try_for_each(|line| painter.line(line))?;
    painter.settle()
}

/// Prints one hunk of a file for people.
pub(crate) fn print_hunk(sink: &mut Sink, path: &str, header: &str, lines: &str) -> Result<(), Error> {
    let mut painter = Painter::new(sink);
    painter.path = path.to_owned();
    painter.hunk_header(header)?;
    lines.lines().try_for_each(|line| painter.hunk_line(line))?;
    painter.settle()
}

/// Prints a whole file for people, in the colours of its language.
pub(crate) fn print_file(sink: &mut Sink, path: &str, text: &str) -> Result<(), Error> {
    let mut language = if is_coloured(sink) { highlighter(path) } else { None };
    text.lines().try_for_each(|line| {
        let painted = paint(sink, &pieces(&mut language, line), None, &(0..0));
        sink.line(&painted)
    })
}

/// Whether a stream has colours.
pub(crate) fn is_coloured(sink: &Sink) -> bool {
    !sink.paint(HEAD, "").is_empty()
}

struct Painter<'a> {
    sink: &'a mut Sink,
    /// The file whose hunks come.
    path: String,
    in_hunk: bool,
    /// The colours of the lines before and of those after.
    before: Option<Highlighter>,
    after: Option<Highlighter>,
    /// Changed lines that wait for the end of their block, without their signs.
    removed: Vec<String>,
    added: Vec<String>,
}

impl<'a> Painter<'a> {
    fn new(sink: &'a mut Sink) -> Painter<'a> {
        let (removed, added) = (Vec::new(), Vec::new());
        Painter { sink, path: String::new(), in_hunk: false, before: None, after: None, removed, added }
    }

    fn line(&mut self, line: &str) -> Result<(), Error> {
        if line.starts_with("diff ") {
            self.settle()?;
            self.in_hunk = false;
        } else if line.starts_with("@@") {
            return self.hunk_header(line);
        }
        if self.in_hunk {
            return self.hunk_line(line);
        }
        if let Some(path) = line.strip_prefix("--- ").or_else(|| line.strip_prefix("+++ "))
            && path != "/dev/null"
        {
            self.path = path.trim_matches('"').get(2..).unwrap_or_default().to_owned();
        }
        self.whole(HEAD, line)
    }

    fn hunk_header(&mut self, header: &str) -> Result<(), Error> {
        self.settle()?;
        self.in_hunk = true;
        if is_coloured(self.sink) {
            (self.before, self.after) = (highlighter(&self.path), highlighter(&self.path));
        }
        self.whole(NAME, header)
    }

    fn hunk_line(&mut self, line: &str) -> Result<(), Error> {
        match (line.as_bytes().first(), line.get(1..)) {
            (Some(b'-'), Some(rest)) => {
                // A line that goes after one that came begins another block.
                if !self.added.is_empty() {
                    self.settle()?;
                }
                self.removed.push(rest.to_owned());
                Ok(())
            }
            (Some(b'+'), Some(rest)) => {
                self.added.push(rest.to_owned());
                Ok(())
            }
            (Some(b' '), Some(rest)) => {
                self.settle()?;
                let pieces = pieces(&mut self.after, rest);
                // What the language makes of this line holds for the side before as well.
                self.before.as_mut().map(|before| before.line(rest));
                let painted = paint(self.sink, &pieces, None, &(0..0));
                self.sink.line(&format!(" {painted}"))
            }
            _ => {
                self.settle()?;
                self.whole(FAINT, line)
            }
        }
    }

    /// Prints the block of changed lines that waits.
    fn settle(&mut self) -> Result<(), Error> {
        let (removed, added) = (std::mem::take(&mut self.removed), std::mem::take(&mut self.added));
        let is_paired = removed.len() == added.len();
        let changed: Vec<(Range<usize>, Range<usize>)> = match is_paired && is_coloured(self.sink) {
            true => removed.iter().zip(&added).map(|(old, new)| changed_words(old, new)).collect(),
            false => Vec::new(),
        };
        for (at, line) in removed.iter().enumerate() {
            let words = changed.get(at).map_or(0..0, |(old, _)| old.clone());
            let pieces = pieces(&mut self.before, line);
            changed_line(self.sink, BAD, '-', &pieces, &words)?;
        }
        for (at, line) in added.iter().enumerate() {
            let words = changed.get(at).map_or(0..0, |(_, new)| new.clone());
            let pieces = pieces(&mut self.after, line);
            changed_line(self.sink, GOOD, '+', &pieces, &words)?;
        }
        Ok(())
    }

    fn whole(&mut self, style: Style, line: &str) -> Result<(), Error> {
        let painted = self.sink.paint(style, &plain::visible(line));
        self.sink.line(&painted)
    }
}

fn pieces<'a>(highlighter: &mut Option<Highlighter>, line: &'a str) -> Vec<(Style, &'a str)> {
    match highlighter {
        Some(highlighter) => highlighter.line(line),
        None => vec![(Style::new(), line)],
    }
}

fn changed_line(
    sink: &mut Sink,
    colour: Style,
    sign: char,
    pieces: &[(Style, &str)],
    words: &Range<usize>,
) -> Result<(), Error> {
    let sign = sink.paint(colour, &sign.to_string());
    let painted = paint(sink, pieces, Some(colour), words);
    sink.line(&format!("{sign}{painted}"))
}

/// The pieces in their styles, upon the colour of the line, with the bytes of `words` inverted.
fn paint(sink: &Sink, pieces: &[(Style, &str)], colour: Option<Style>, words: &Range<usize>) -> String {
    let mut out = String::new();
    let mut from = 0;
    for (style, text) in pieces {
        let style = colour.map_or(*style, |colour| upon(colour, *style));
        let cut = |at: usize| at.saturating_sub(from).min(text.len());
        let (begin, end) = (cut(words.start), cut(words.end));
        for (part, style) in [(&text[..begin], style), (&text[begin..end], style.invert()), (&text[end..], style)] {
            if !part.is_empty() {
                let part = plain::visible(part);
                out.push_str(&if style.is_plain() { part } else { sink.paint(style, &part) });
            }
        }
        from += text.len();
    }
    out
}

/// A style of the language upon the colour of a changed line: what could be taken for the other side gives way.
fn upon(colour: Style, style: Style) -> Style {
    let taken = [AnsiColor::Green, AnsiColor::Red].map(Color::from);
    match style.get_fg_color() {
        Some(own) if !taken.contains(&own) => style,
        _ => style.fg_color(colour.get_fg_color()),
    }
}

/// Which bytes of two versions of a line differ, to whole words; nothing where little is shared.
fn changed_words(old: &str, new: &str) -> (Range<usize>, Range<usize>) {
    let same = |(a, b): &(char, char)| a == b;
    let prefix: usize = old.chars().zip(new.chars()).take_while(same).map(|(a, _)| a.len_utf8()).sum();
    let prefix = word_start(old, prefix).min(word_start(new, prefix));
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix: usize =
        old_rest.chars().rev().zip(new_rest.chars().rev()).take_while(same).map(|(a, _)| a.len_utf8()).sum();
    let suffix = word_end(old_rest, suffix).min(word_end(new_rest, suffix));
    let shared = old[..prefix].trim().len() + old[old.len() - suffix..].trim().len();
    if shared * MIN_SHARED_PART < old.trim().len().max(new.trim().len()) {
        return (0..0, 0..0);
    }
    (prefix..old.len() - suffix, prefix..new.len() - suffix)
}

/// The start of the word that goes on at `at`.
fn word_start(line: &str, at: usize) -> usize {
    let goes_on = line[at..].chars().next().is_some_and(is_of_word);
    if goes_on { line[..at].trim_end_matches(is_of_word).len() } else { at }
}

/// The length of the end of the line that begins after the word in which its last `length` bytes begin.
fn word_end(line: &str, length: usize) -> usize {
    let at = line.len() - length;
    let goes_on = line[..at].chars().next_back().is_some_and(is_of_word);
    if goes_on { line[at..].trim_start_matches(is_of_word).len() } else { length }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;

    const PATCH: &str = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-old\n+new\u{1b}[2J\n same\n";

    fn printed(patch: &str, colour: bool) -> String {
        let (mut screen, out, _) = testing::screen(colour);
        print(screen.out(), patch).unwrap();
        out.text()
    }

    #[test]
    fn a_program_gets_the_patch_to_the_byte() {
        assert_eq!(printed(PATCH, false), PATCH);
    }

    #[test]
    fn people_get_colours_and_see_what_would_act_on_their_terminal() {
        let text = printed(PATCH, true);
        assert!(text.contains("\u{1b}[31m-\u{1b}[0m\u{1b}[31mold\u{1b}[0m\n"), "{text:?}");
        assert!(text.contains("\u{1b}[32m+\u{1b}[0m\u{1b}[32mnew^[[2J\u{1b}[0m\n"), "{text:?}");
        assert!(text.contains("\u{1b}[1m--- a/a\u{1b}[0m\n"), "headers are not removed lines: {text:?}");
        assert_eq!(plain::strip(&text), PATCH.replace('\u{1b}', "^["), "and nothing is lost");
    }

    #[test]
    fn code_has_its_colours_and_sides_keep_theirs() {
        let text = printed("--- a/a.rs\n+++ b/a.rs\n@@ -1,2 +1,2 @@\n fn go() {}\n-let a = \"x\";\n", true);
        assert!(text.contains("\u{1b}[35mfn\u{1b}[0m"), "{text:?}");
        assert!(!text.contains("\u{1b}[32m"), "a string of a removed line is not green: {text:?}");
    }

    #[test]
    fn the_words_that_changed_are_marked() {
        let changed = |old: &str, new: &str| {
            let (a, b) = changed_words(old, new);
            (old[a].to_owned(), new[b].to_owned())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(changed("let total = count + 1;", "let total = counter + 1;"), pair("count", "counter"));
        assert_eq!(changed("call(a, b)", "call(a, ü, b)"), pair("", "ü, "));
        assert_eq!(changed("entirely", "different"), pair("", ""));
        assert_eq!(changed("", ""), pair("", ""));
        assert_eq!(changed("same same", "same"), pair(" same", ""));
        let text = printed("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-let total = one;\n+let total = two;\n", true);
        assert!(text.contains("\u{1b}[7m\u{1b}[31mone\u{1b}[0m"), "{text:?}");
    }

    #[test]
    fn any_two_lines_can_be_compared() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let seed = state;
        let alphabet = ['a', 'b', ' ', 'ü', '日', '_', '(', '\u{301}'];
        let mut line = || -> String {
            (0..12)
                .filter_map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    alphabet.get((state % 11) as usize)
                })
                .collect()
        };
        let trials = 20_000;
        for trial in 0..trials {
            let (old, new) = (line(), line());
            let (a, b) = changed_words(&old, &new);
            let rest = |line: &str, range: Range<usize>| format!("{}{}", &line[..range.start], &line[range.end..]);
            let is_marked = !a.is_empty() || !b.is_empty();
            assert!(!is_marked || rest(&old, a) == rest(&new, b), "seed {seed}, trial {trial}: {old:?} {new:?}");
        }
        println!("changed words: seed {seed}, {trials} trials, 0 failures");
    }
}
