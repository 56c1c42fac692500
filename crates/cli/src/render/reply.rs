//! Replies of the model, as they come: what streams of them, what it thinks aloud, and what is left to print in the end.

use super::message::Message;
use super::{FetchBlob, MAX_REASONING_CHARS, Transcript, full_text};
use crate::error::Error;
use crate::screen::{FAINT, Screen};
use agent::EffectId;
use wire::{Delta, DeltaKind, DrainReason, Text};

impl Transcript {
    /// Shows text that streams.
    pub(crate) fn delta(&mut self, screen: &mut Screen, delta: &Delta) -> Result<(), Error> {
        if !self.shows(Some(delta.turn)) {
            return Ok(());
        }
        self.last_tool = None;
        match delta.kind {
            DeltaKind::Message => {}
            DeltaKind::Reasoning => return self.think(screen, delta),
            DeltaKind::ToolOutput => return screen.say_aside(FAINT, &delta.text),
        }
        let message = self.message(screen, delta.effect)?;
        let Some(skip) = message.bytes().checked_sub(delta.offset) else {
            // Something between was missed; the event that ends the reply prints all that is left.
            return Ok(());
        };
        let fresh = usize::try_from(skip).ok().and_then(|skip| delta.text.get(skip..)).unwrap_or_default();
        message.take(screen, fresh)
    }

    /// The reply of a call, which begins a line unless it goes on where one that was cut has ended.
    fn message(&mut self, screen: &mut Screen, effect: EffectId) -> Result<&mut Message, Error> {
        if self.said.as_ref().is_none_or(|message| !message.is_of(effect)) {
            let left = self.cut.take();
            if left.is_none() {
                screen.end_reply()?;
            }
            self.said = Some(Message::new(effect, left));
        }
        Ok(self.said.as_mut().expect("it was just put there"))
    }

    /// Nothing follows any more of the reply that is being printed.
    pub(super) fn drop_reply(&mut self, screen: &mut Screen) -> Result<(), Error> {
        (self.said, self.cut) = (None, None);
        screen.end_reply()
    }

    /// The daemon let go of the call whose reply is being printed. What it has said stays in an open line: the next
    /// attempt may say the same.
    pub(super) fn was_cut(&mut self, otherwise: &str) {
        self.cut = self.said.take().map(Message::cut).or(self.cut.take());
        self.attempts.cut(match self.leaving {
            Some(DrainReason::Upgrade) => "the daemon was upgraded in the middle of the reply",
            Some(DrainReason::Stop) => "the daemon was stopped in the middle of the reply",
            None => otherwise,
        });
    }

    /// Shows the beginning of what a model thinks aloud.
    fn think(&mut self, screen: &mut Screen, delta: &Delta) -> Result<(), Error> {
        if self.thought.is_none_or(|(reply, _)| reply != delta.effect) {
            if self.cut.is_none() {
                screen.end_reply()?;
            }
            self.thought = Some((delta.effect, 0));
        }
        let shown = self.thought.map_or(0, |(_, shown)| shown);
        let room = MAX_REASONING_CHARS.saturating_sub(shown);
        if room == 0 {
            return Ok(());
        }
        let mut text: String = delta.text.chars().take(room).collect();
        let now = shown + text.chars().count();
        if now >= MAX_REASONING_CHARS {
            text.push('…');
        }
        self.thought = Some((delta.effect, now));
        screen.say_aside(FAINT, &text)
    }

    /// Prints what has not been printed of a reply.
    pub(super) fn finish_reply(
        &mut self,
        screen: &mut Screen,
        effect: EffectId,
        text: &Text,
        fetch: FetchBlob<'_>,
    ) -> Result<(), Error> {
        let said = self.said.as_ref().filter(|message| message.is_of(effect)).map_or(0, Message::bytes);
        let length = match text {
            Text::Inline(text) => text.len() as u64,
            Text::Blob { bytes, .. } => *bytes,
        };
        if length > said {
            let text = full_text(text, fetch)?;
            let rest = usize::try_from(said).ok().and_then(|said| text.get(said..)).unwrap_or(&text);
            self.message(screen, effect)?.take(screen, rest)?;
        }
        match self.said.take().filter(|message| message.is_of(effect)) {
            Some(message) => message.end(screen),
            None => self.drop_reply(screen),
        }
    }
}
