//! Questions within a conversation: how they are shown, and what is an answer to one.
//!
//! A key answers at once only where it comes alone and after there was time to read: letters that come together were
//! typed or pasted for something else. What cannot be taken back needs Enter too, and what is typed in full letters is
//! an answer like a key.

use super::conversation::{Conversation, Shown};
use super::keys::Key;
use crate::error::Error;
use crate::question;
use crate::screen::HEAD;
use agent::{Answer, EffectId, Question};
use std::time::{Duration, Instant};

/// A letter that comes sooner after a question was shown was typed before it was read: it is no answer.
const READING_TIME: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_millis(400) };

impl Conversation<'_> {
    /// The answer that a key is by itself; `alone` says that it came without others. A key that is none may begin a line
    /// that is one.
    pub(super) fn answer_of_key(&mut self, key: &Key, alone: bool) -> Option<(EffectId, Question, Answer)> {
        if !self.editor.is_empty() {
            return None;
        }
        let (effect, question) = self.questions.front().copied()?;
        let was_read =
            matches!(self.shown, Shown::Question(shown, since) if shown == effect && since.elapsed() >= READING_TIME);
        self.line_answers = was_read.then_some(effect);
        let Key::Char(letter) = key else { return None };
        let answer = question::typed(question, &letter.to_string())?;
        (was_read && alone && !question::needs_enter(answer)).then_some((effect, question, answer))
    }

    /// The answer that a line is, if it was begun below a question.
    pub(super) fn answer_of_line(&mut self, text: &str) -> Option<(EffectId, Question, Answer)> {
        let asked = self.line_answers.take()?;
        let (effect, question) = self.questions.front().copied().filter(|(effect, _)| *effect == asked)?;
        Some((effect, question, question::typed(question, text)?))
    }

    /// Shows the question that is asked first, unless it stands there.
    pub(super) fn show_question(&mut self) -> Result<(), Error> {
        let Some((effect, question)) = self.questions.front().copied() else { return Ok(()) };
        if matches!(self.shown, Shown::Question(shown, _) if shown == effect) {
            return Ok(());
        }
        self.screen().end_lines()?;
        let out = self.screen().out();
        let keys = out.paint(HEAD, &question::keys_at_once(question));
        out.put(&format!("  {keys}: "))?;
        self.screen().flush()?;
        self.shown = Shown::Question(effect, Instant::now());
        Ok(())
    }

    /// A question that could not be answered is asked again.
    pub(super) fn ask_again(&mut self, effect: EffectId, question: Question) {
        self.questions.push_front((effect, question));
        self.shown = Shown::Transcript;
    }
}
