//! A reply while it is printed: it streams, may be told again from its beginning after a reconnect, and is whole in the
//! end. Where its call was cut and made again, the new reply is printed from where the old one ended, for as long as both
//! say the same.

use crate::error::Error;
use crate::screen::Screen;
use agent::EffectId;

/// The reply that is being printed.
#[derive(Debug)]
pub(super) struct Message {
    effect: EffectId,
    /// What has come of it.
    text: String,
    /// What an earlier attempt left on the screen, for as long as this one says no more and nothing else.
    left: Option<String>,
}

impl Message {
    /// Nothing of it has come yet; `left` is what an earlier attempt that was cut has left in the open line.
    pub(super) fn new(effect: EffectId, left: Option<String>) -> Message {
        Message { effect, text: String::new(), left }
    }

    /// Whether it is the reply of this call.
    pub(super) fn is_of(&self, effect: EffectId) -> bool {
        self.effect == effect
    }

    /// How much of it has come, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// Prints what comes next of it.
    pub(super) fn take(&mut self, screen: &mut Screen, fresh: &str) -> Result<(), Error> {
        self.text.push_str(fresh);
        let Some(left) = self.left.take() else { return screen.reply(fresh) };
        if left.starts_with(&self.text) {
            self.left = Some(left);
            return Ok(());
        }
        match self.text.strip_prefix(left.as_str()) {
            Some(rest) => screen.reply(rest),
            None => self.print_anew(screen),
        }
    }

    /// It is whole.
    pub(super) fn end(self, screen: &mut Screen) -> Result<(), Error> {
        if self.left.as_ref().is_some_and(|left| *left != self.text) {
            self.print_anew(screen)?;
        }
        screen.end_reply()
    }

    /// Its call was cut: what of it stands on the screen.
    pub(super) fn cut(self) -> String {
        self.left.unwrap_or(self.text)
    }

    fn print_anew(&self, screen: &mut Screen) -> Result<(), Error> {
        screen.end_reply()?;
        screen.reply(&self.text)
    }
}
