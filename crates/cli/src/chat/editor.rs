//! The line editor: what each key does to the text, and what becomes of it.
//!
//! It knows no terminal and waits for nothing: keys go in, a text comes out. So it stands in the same loop as the
//! updates of the session, and no key can be read where nobody waits for it. That is why it is ours: the editors there
//! are (reedline, rustyline) read the terminal themselves and block while they do.

use super::complete::{self, complete};
use super::draw::{Drawn, Picture};
use super::history::History;
use super::keys::Key;
use super::line::Line;
use super::slash;
use std::path::PathBuf;

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing, or another text.
    Edited,
    /// The text is done.
    Submit(String),
    /// Ctrl-C, where there is no text.
    Interrupt,
    /// Ctrl-D, where there is no text.
    Leave,
    /// Ctrl-Z.
    Suspend,
    /// The screen is to be drawn anew.
    Redraw,
}

/// The editor.
#[derive(Debug)]
pub(super) struct Editor {
    line: Line,
    history: History,
    /// Where relative paths begin.
    base: PathBuf,
    /// What is looked for among what was typed earlier.
    query: Option<String>,
    /// Shown below the text: ways to go on.
    below: Vec<String>,
    drawn: Drawn,
}

impl Editor {
    pub(super) fn new(history: History, base: PathBuf) -> Editor {
        Editor { line: Line::default(), history, base, query: None, below: Vec::new(), drawn: Drawn::default() }
    }

    /// Whether nothing is typed.
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Another text.
    pub(super) fn set(&mut self, text: String) {
        self.line.set(text);
    }

    /// Keeps a text for later.
    pub(super) fn remember(&mut self, text: &str) {
        // A history that cannot be written is no reason to stop talking.
        let _ = self.history.add(text);
    }

    /// What to write so that the text is seen.
    pub(super) fn draw(&mut self, prompt: &str, colour: bool, columns: usize, height: usize) -> String {
        let hint = self.hint();
        let picture = Picture {
            prompt,
            text: self.line.text(),
            cursor: self.line.cursor(),
            hint: &hint,
            below: &self.below,
            colour,
        };
        self.drawn.draw(&picture, columns, height)
    }

    /// What to write so that nothing of it is seen.
    pub(super) fn erase(&mut self) -> String {
        self.drawn.erase()
    }

    /// The terminal has another width.
    pub(super) fn resized(&mut self, columns: usize) {
        self.drawn.resized(columns);
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: Key) -> Action {
        self.below.clear();
        if key != Key::Search {
            self.query = None;
        }
        match key {
            Key::Enter => return self.enter(),
            Key::Interrupt if self.line.is_empty() => return Action::Interrupt,
            Key::EndOfInput if self.line.is_empty() => return Action::Leave,
            Key::Suspend => return Action::Suspend,
            Key::Redraw => return Action::Redraw,
            Key::Interrupt => drop(self.line.take()),
            Key::Up if !self.line.up() => self.older(),
            Key::Down if !self.line.down() => self.newer(),
            Key::Up | Key::Down | Key::Escape => {}
            Key::Search => self.search(),
            Key::Tab => self.complete(),
            key => self.edit(key),
        }
        Action::Edited
    }

    fn edit(&mut self, key: Key) {
        self.history.leave();
        let line = &mut self.line;
        match key {
            Key::Char(character) => self.insert(character.encode_utf8(&mut [0; 4])),
            Key::Paste(text) => self.insert(&text),
            Key::NewLine => self.insert("\n"),
            Key::Backspace => line.backspace(),
            Key::Delete | Key::EndOfInput => line.delete(),
            Key::Left => line.left(),
            Key::Right => line.right(),
            Key::Home => line.home(),
            Key::End => line.end(),
            Key::WordLeft => line.word_left(),
            Key::WordRight => line.word_right(),
            Key::KillWordBack => line.kill_word_back(),
            Key::KillWordForward => line.kill_word_forward(),
            Key::KillToEnd => line.kill_to_end(),
            Key::KillToStart => line.kill_to_start(),
            Key::Yank => line.yank(),
            _ => {}
        }
    }

    fn insert(&mut self, text: &str) {
        if !self.line.insert(text) {
            self.below = vec!["that would be too much for a prompt; name the file instead".to_owned()];
        }
    }

    /// A backslash at the end means that the text goes on.
    fn enter(&mut self) -> Action {
        let marks = self.line.before().bytes().rev().take_while(|byte| *byte == b'\\').count();
        if marks % 2 == 1 && self.line.cursor() == self.line.text().len() {
            self.line.backspace();
            self.line.insert("\n");
            return Action::Edited;
        }
        Action::Submit(self.line.take())
    }

    fn older(&mut self) {
        if let Some(entry) = self.history.older(self.line.text()) {
            self.line.set(entry);
        }
    }

    fn newer(&mut self) {
        if let Some(entry) = self.history.newer() {
            self.line.set(entry);
        }
    }

    fn search(&mut self) {
        let query = self.query.get_or_insert_with(|| self.line.text().to_owned());
        match self.history.search(query, self.line.text()) {
            Some(entry) => self.line.set(entry),
            None => self.below = vec![format!("nothing else was typed earlier with {query:?} in it")],
        }
    }

    fn complete(&mut self) {
        let found = complete(self.line.before(), &self.base);
        let common = found.common();
        if found.ways.is_empty() {
            return;
        }
        if common.len() > self.line.cursor() - found.from {
            self.line.replace(found.from, common);
        } else {
            let more = found.ways.len().saturating_sub(complete::MAX_SHOWN);
            self.below = found.ways.iter().take(complete::MAX_SHOWN).map(|way| way.trim_end().to_owned()).collect();
            if more > 0 {
                self.below.push(format!("and {more} more"));
            }
        }
    }

    /// What the command that is being typed is called and does.
    fn hint(&self) -> String {
        let text = self.line.text();
        let Some(typed) = slash::command(text).filter(|_| self.line.cursor() == text.len()) else {
            return if text == "/" { "help shows what there is".to_owned() } else { String::new() };
        };
        let is_whole = typed.ends_with(char::is_whitespace) && !typed.trim_end().contains(char::is_whitespace);
        let fits = |entry: &&slash::Entry| {
            entry.name.starts_with(typed.trim_end()) && (!is_whole || entry.name == typed.trim_end())
        };
        match slash::ALL.iter().find(fits) {
            Some(entry) if is_whole => format!("{}  {}", entry.takes, entry.does),
            Some(entry) => format!("{} {}  {}", &entry.name[typed.len()..], entry.takes, entry.does),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::keys::Decoder;

    fn editor() -> Editor {
        Editor::new(History::default(), PathBuf::from("/"))
    }

    /// What comes of bytes that are typed.
    fn typed(editor: &mut Editor, bytes: &str) -> Vec<Action> {
        let keys = Decoder::default().feed(bytes.as_bytes());
        keys.into_iter().map(|key| editor.key(key)).filter(|action| *action != Action::Edited).collect()
    }

    #[test]
    fn enter_sends_and_a_backslash_alt_enter_or_a_paste_make_more_lines() {
        let submit = |text: &str| vec![Action::Submit(text.to_owned())];
        assert_eq!(typed(&mut editor(), "one\r"), submit("one"));
        assert_eq!(typed(&mut editor(), "one\\\rtwo\r"), submit("one\ntwo"));
        assert_eq!(typed(&mut editor(), "C:\\\\\r"), submit("C:\\\\"));
        assert_eq!(typed(&mut editor(), "one\x1b\rtwo\r"), submit("one\ntwo"));
        assert_eq!(typed(&mut editor(), "\x1b[200~one\r\ntwo\x1b[201~\r"), submit("one\ntwo"));
    }

    #[test]
    fn control_c_and_control_d_mean_the_text_first() {
        let mut editor = editor();
        assert_eq!(typed(&mut editor, "abc\x03"), []);
        assert!(editor.is_empty());
        assert_eq!(typed(&mut editor, "\x03\x04"), [Action::Interrupt, Action::Leave]);
        assert_eq!(typed(&mut editor, "ab\x02\x04\x1a\r"), [Action::Suspend, Action::Submit("a".into())]);
    }

    #[test]
    fn what_was_typed_earlier_is_found_again() {
        let mut editor = editor();
        editor.remember("first");
        editor.remember("second");
        assert_eq!(typed(&mut editor, "draft\x1b[A\x1b[A\r"), [Action::Submit("first".into())]);
        assert_eq!(typed(&mut editor, "draft\x1b[A\x1b[B\r"), [Action::Submit("draft".into())]);
        assert_eq!(typed(&mut editor, "fir\x12\r"), [Action::Submit("first".into())]);
    }

    #[test]
    fn tab_completes_and_lists_and_hints_say_what_a_command_takes() {
        let mut editor = editor();
        typed(&mut editor, "/rew");
        assert!(editor.hint().starts_with("ind [STEP]"), "{}", editor.hint());
        typed(&mut editor, "\t");
        assert_eq!((editor.line.text(), editor.hint().as_str()), ("/rewind ", "[STEP]  go back a step, or to one"));
        typed(&mut editor, "\x03/re\t");
        assert_eq!(editor.below, ["/reject", "/rewind", "/redo"]);
        typed(&mut editor, "d");
        assert!(editor.below.is_empty());
        // A line feed behind a command, as a paste leaves one, is no letter of its name.
        for text in ["/quit\x1b\r", "\x1b[200~/help\n\x1b[201~", "/diff\u{a0}", "/di\x1b\r"] {
            typed(&mut editor, &format!("\x03{text}"));
            let _ = editor.hint();
        }
    }
}
