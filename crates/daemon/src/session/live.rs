//! What watchers see: durable updates as they are appended, and text while it is being said.
//!
//! Watching starts with one message to the owner, which answers with its head, what was said so far, and a receiver,
//! in one piece. A watcher reads the journal up to that head and then the receiver; one that lags is sent back to the
//! journal, so nothing is missed and nobody is slowed.

use agent::{EffectId, Seq, SessionId, TurnId};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;
use wire::{Delta, DeltaKind, Header, Record};

/// Frames a watcher may be behind before it is sent back to the journal. Some seconds of a fast model's text.
const FRAMES: usize = 1024;

/// One thing that watchers are told.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its place in the journal; deltas have none.
    pub seq: Option<Seq>,
    /// Its kind.
    pub kind: &'static str,
    /// The update, as JSON.
    pub update: Arc<str>,
}

/// How a watcher begins.
#[derive(Debug)]
pub struct Watch {
    /// The last event before `frames`; everything up to it is in the journal.
    pub head: Seq,
    /// What a running model has said so far, as one delta a kind.
    pub said: Vec<Frame>,
    /// Everything from then on.
    pub frames: broadcast::Receiver<Frame>,
}

/// A session's watchers and its running speech.
#[derive(Debug)]
pub(super) struct Live {
    session: SessionId,
    stage: Mutex<Stage>,
}

/// Both under one lock, so that nothing is said between what a new watcher is told and what it hears.
#[derive(Debug, Default)]
struct Stage {
    speech: Option<Speech>,
    /// There while somebody watches: its buffer is larger than all the rest of an idle session.
    frames: Option<broadcast::Sender<Frame>>,
}

#[derive(Debug)]
struct Speech {
    turn: TurnId,
    message: EffectId,
    text: String,
    reasoning: String,
}

impl Live {
    /// Nobody watches, nobody speaks.
    pub(super) fn new(session: SessionId) -> Live {
        Live { session, stage: Mutex::default() }
    }

    /// Whether anybody watches.
    pub(super) fn watched(&self) -> bool {
        self.stage().watched()
    }

    /// A model begins to speak.
    pub(super) fn begin(&self, turn: TurnId, message: EffectId) {
        self.stage().speech = Some(Speech { turn, message, text: String::new(), reasoning: String::new() });
    }

    /// A model said something. Called from the model's own task.
    pub(super) fn say(&self, message: EffectId, kind: DeltaKind, text: &str) {
        let mut stage = self.stage();
        let Some(speech) = stage.speech.as_mut().filter(|speech| speech.message == message) else { return };
        let turn = speech.turn;
        let so_far = if kind == DeltaKind::Reasoning { &mut speech.reasoning } else { &mut speech.text };
        let offset = so_far.len() as u64;
        so_far.push_str(text);
        let session = self.session;
        stage.tell(|| frame(&Delta { kind, session, turn, effect: message, offset, text: text.to_owned() }));
    }

    /// What the running model has said so far.
    pub(super) fn said(&self) -> Option<(EffectId, String)> {
        self.stage().speech.as_ref().map(|speech| (speech.message, speech.text.clone()))
    }

    /// The model has ended; its durable event follows.
    pub(super) fn end(&self, message: EffectId) {
        self.stage().speech.take_if(|speech| speech.message == message);
    }

    /// An event is on disk.
    pub(super) fn publish(&self, header: &Header, record: &Record) {
        let (seq, kind) = (Some(record.seq), header.event.kind());
        self.stage().tell(|| Frame { seq, kind, update: record.update().into() });
    }

    /// Begins a watch; called by the owner, so that no event is appended between head and receiver.
    pub(super) fn watch(&self, head: Seq) -> Watch {
        let mut stage = self.stage();
        let said = stage.speech.iter().flat_map(|speech| {
            [(DeltaKind::Reasoning, &speech.reasoning), (DeltaKind::Message, &speech.text)].map(|(kind, text)| {
                let (turn, effect) = (speech.turn, speech.message);
                Delta { kind, session: self.session, turn, effect, offset: 0, text: text.clone() }
            })
        });
        let said = said.filter(|delta| !delta.text.is_empty()).map(|delta| frame(&delta)).collect();
        let frames = stage.frames.get_or_insert_with(|| broadcast::Sender::new(FRAMES));
        Watch { head, said, frames: frames.subscribe() }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        // A panic while holding the lock leaves at worst a piece of text unsaid.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    fn watched(&self) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.receiver_count() > 0)
    }

    /// Tells the watchers, if there are any.
    fn tell(&mut self, frame: impl FnOnce() -> Frame) {
        if !self.watched() {
            self.frames = None;
        } else if let Some(frames) = &self.frames {
            // That the last watcher has just left is no failure.
            let _ = frames.send(frame());
        }
    }
}

fn frame(delta: &Delta) -> Frame {
    let update = serde_json::to_string(delta).expect("a delta is plain data");
    Frame { seq: None, kind: delta.kind.name(), update: update.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::EffectKind;

    #[test]
    fn who_comes_in_the_middle_gets_what_was_said_so_far_and_then_the_rest() {
        let live = Live::new(SessionId::from_parts(1, 1));
        let turn = TurnId(1);
        let message = EffectId { turn, step: 1, kind: EffectKind::Model, ordinal: 0, attempt: 1 };
        live.begin(turn, message);
        live.say(message, DeltaKind::Message, "Hel");
        let mut watch = live.watch(Seq(4));
        live.say(message, DeltaKind::Message, "lo");
        let said: Delta = serde_json::from_str(&watch.said[0].update).unwrap();
        let next: Delta = serde_json::from_str(&watch.frames.try_recv().unwrap().update).unwrap();
        assert_eq!((said.text.as_str(), said.offset, next.text.as_str(), next.offset), ("Hel", 0, "lo", 3));
        live.say(EffectId { attempt: 2, ..message }, DeltaKind::Message, "from an attempt that is over");
        assert!(watch.frames.try_recv().is_err());
    }
}
