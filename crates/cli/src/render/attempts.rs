//! Model calls that fail and what follows them, told once.
//!
//! A call that fails, or that a daemon cut when it left, is followed by another attempt, by another model, or by the end of the turn. Which of them it is
//! comes with the next event, so the failure is told together with that, in one line.

use super::{because, remark};
use crate::error::Error;
use crate::plain;
use crate::screen::{NOTE, Screen};
use agent::{EffectId, Failure, ModelName};

/// A pause that is longer than this is told at once, since nothing else comes for so long.
const LONG_PAUSE_MS: u64 = 2_000;

/// The model calls of a turn.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// The model of the last call.
    model: Option<ModelName>,
    /// Whether a call runs, as far as is known.
    running: bool,
    /// The last failure, while what follows it is not known.
    untold: Option<String>,
    /// Whether that is a call that was cut.
    cut: bool,
    /// The last failure that was told.
    told: Option<String>,
}

impl Attempts {
    /// A call begins.
    pub(super) fn started(&mut self, screen: &mut Screen, effect: EffectId, model: &ModelName) -> Result<(), Error> {
        let before = self.model.replace(model.clone());
        (self.running, self.cut) = (true, false);
        let failure = self.untold.take();
        let name = plain::name(model.as_str());
        let is_other = before.is_some_and(|before| before != *model);
        let next = if is_other && effect.attempt > 1 {
            format!("going on with {name}")
        } else {
            format!("trying again with {name} (attempt {})", effect.attempt)
        };
        match failure {
            // The same failure again needs no more words.
            Some(failure) if self.told.as_ref() == Some(&failure) => remark(screen, NOTE, &format!("! again; {next}")),
            Some(failure) => {
                remark(screen, NOTE, &format!("! {failure}; {next}"))?;
                self.told = Some(failure);
                Ok(())
            }
            None if effect.attempt > 1 => remark(screen, NOTE, &next),
            None => Ok(()),
        }
    }

    /// The call has ended, and needs no other attempt.
    pub(super) fn answered(&mut self) {
        self.running = false;
    }

    /// Whether a call runs, as far as is known.
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// The call was cut, for a reason that has nothing to do with it.
    pub(super) fn cut(&mut self, why: &str) {
        (self.running, self.cut) = (false, true);
        self.untold = Some(why.to_owned());
    }

    /// Whether the last call was cut, and it is not known what follows.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The call failed.
    pub(super) fn failed(
        &mut self,
        screen: &mut Screen,
        failure: Failure,
        pause_ms: Option<u64>,
        message: Option<String>,
    ) -> Result<(), Error> {
        self.running = false;
        let who = self.model.as_ref().map_or_else(|| "the model call".to_owned(), |model| plain::name(model.as_str()));
        let words = format!("{who} failed ({}){}", failure.word(), because(message));
        match pause_ms.filter(|pause| *pause >= LONG_PAUSE_MS) {
            Some(pause) => {
                remark(screen, NOTE, &format!("! {words}; asked to wait {} s", pause.div_ceil(1000)))?;
                self.told = Some(words);
            }
            None => self.untold = Some(words),
        }
        Ok(())
    }

    /// The turn ends badly: why, as far as it is not told yet.
    pub(super) fn why_it_ended(
        &mut self,
        screen: &mut Screen,
        by_failure: bool,
        message: Option<String>,
    ) -> Result<Option<String>, Error> {
        let untold = self.untold.take();
        let told = self.told.take();
        (self.running, self.cut) = (false, false);
        self.model = None;
        match (untold, by_failure) {
            (Some(failure), false) => {
                remark(screen, NOTE, &format!("! {failure}"))?;
                Ok(message)
            }
            (Some(failure), true) if told.as_ref() != Some(&failure) => Ok(message.or(Some(failure))),
            // What the turn says of its end may be what was said of the last attempt.
            (_, true) => {
                let was_told = |message: &str| told.is_some_and(|told| told.ends_with(&plain::strip(message.trim())));
                Ok(message.filter(|message| !was_told(message)))
            }
            (None, false) => Ok(message),
        }
    }
}
