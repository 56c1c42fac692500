//! Step 4 of the circle: the effects that the brain wants, run, and what comes of them.

use super::accepting::AcceptEnded;
use super::fact::Fact;
use super::owner::Owner;
use crate::catalog::Outfit;
use crate::clock::Clock;
use crate::toolbox::Inspected;
use agent::{Effect, EffectId, EffectKind, ModelName, Plan, Timer};
use models::Ended as ModelEnd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;
use wire::{Code, Problem};

/// An effect that runs.
pub(super) struct Running {
    pub(super) stop: CancellationToken,
    /// Whether it is stopped because the owner lets go of it, so that it is to be tried again, and not because it is no
    /// longer wanted.
    pub(super) released: Arc<AtomicBool>,
    /// Of a model call: whom it asks, and what it began with, by which it is also paid.
    pub(super) call: Option<(ModelName, Arc<Outfit>)>,
}

impl Running {
    pub(super) fn new(call: Option<(ModelName, Arc<Outfit>)>) -> Running {
        Running { stop: CancellationToken::new(), released: Arc::default(), call }
    }
}

/// An effect whose start is on disk, with the outfit that the start was decided by.
pub(super) struct ToBegin {
    pub(super) effect: Effect,
    pub(super) plan: Plan,
    pub(super) outfit: Arc<Outfit>,
}

/// A tool call of the present step.
#[derive(Debug, Clone)]
pub(super) struct PreparedCall {
    pub(super) name: String,
    pub(super) about: String,
    /// What to run, or why the call is not valid.
    pub(super) inspected: Result<Inspected, String>,
}

/// An effect that has ended, as its task says it.
pub(super) enum Ended {
    Model(EffectId, Box<ModelEnd>),
    Tool(EffectId, Box<Fact>),
    Accept(EffectId, Box<AcceptEnded>),
}

impl Owner {
    /// Begins the effects whose start is on disk. Whoever waited for that has his answer by now.
    pub(super) async fn begin_all(&mut self) {
        for begun in std::mem::take(&mut self.to_begin) {
            self.begin(begun).await;
        }
    }

    async fn begin(&mut self, begun: ToBegin) {
        let ToBegin { effect, plan, outfit } = begun;
        match effect {
            Effect::Model { id, turn, model } => self.begin_model(id, turn, model, plan, outfit).await,
            Effect::Tool { id, turn, .. } => self.begin_tool(id, turn),
            Effect::VerifyAccept { id, plan, .. } => self.begin_verify(id, plan),
        }
    }

    /// Cancels what runs and is no longer wanted, and arms the timers that are.
    pub(super) fn follow(&mut self, keep: &[EffectId], timers: &[Timer]) {
        for (effect, running) in &self.running {
            if !keep.contains(effect) {
                running.stop.cancel();
            }
        }
        self.timers.retain(|effect, _| timers.iter().any(|timer| timer.id == *effect));
        let now = self.house.clock.instant();
        for timer in timers {
            let delay = Duration::from_millis(timer.delay_ms);
            let (armed, due) = self.timers.entry(timer.id).or_insert((*timer, now + delay));
            if armed.delay_ms != timer.delay_ms {
                // Settings changed meanwhile: it counts from when it was armed, and now if that is over.
                let since = due.checked_sub(Duration::from_millis(armed.delay_ms)).unwrap_or(now);
                (*armed, *due) = (*timer, since + delay);
            }
        }
    }

    /// Lets go of everything that runs, an accept aside: it takes an instant, and half of one is worse.
    pub(super) fn release_all(&mut self) {
        for (effect, running) in &self.running {
            if effect.kind != EffectKind::Accept {
                running.released.store(true, Ordering::Relaxed);
                running.stop.cancel();
            }
        }
    }

    pub(super) async fn ended(&mut self, ended: Ended) {
        let (effect, fact) = match ended {
            Ended::Model(effect, end) => {
                let end = self.on_trial(effect, *end).await;
                (effect, self.model_ended(effect, end))
            }
            Ended::Tool(effect, fact) => (effect, *fact),
            Ended::Accept(effect, end) => {
                self.running.remove(&effect);
                return self.accept_ended(effect, *end).await;
            }
        };
        self.running.remove(&effect);
        self.outcome(fact).await;
    }

    /// Waits for every running effect to end, and keeps what comes of it as not yet written. What an accept did is
    /// judged by the next look at the work tree, not by what it says now.
    pub(super) async fn join_effects(&mut self) {
        while !self.running.is_empty() {
            let Some(ended) = self.ended.recv().await else { return };
            match ended {
                Ended::Accept(effect, _) => {
                    self.running.remove(&effect);
                    self.accepting = None;
                }
                Ended::Tool(effect, fact) => {
                    self.running.remove(&effect);
                    self.unwritten.push(*fact);
                }
                Ended::Model(effect, end) => {
                    let fact = self.model_ended(effect, *end);
                    self.unwritten.push(fact);
                }
            }
        }
    }

    /// Sends an end to ourselves, so that it is handled like any other, after what is being done now.
    pub(super) fn hand_over(&self, ended: Ended) {
        let sender = self.ended_sender.clone();
        self.house.tasks.spawn("hand over", async move {
            let _ = sender.send(ended).await;
        });
    }
}

/// When an effect that was asked to stop should have done so.
pub(super) async fn late(clock: Clock, stop: CancellationToken, grace_ms: u64) {
    stop.cancelled().await;
    clock.sleep(Duration::from_millis(grace_ms)).await;
}

/// Something on disk that cannot be read, in a door's words.
pub(crate) fn unreadable(error: store::ReadError) -> Problem {
    Problem::new(Code::Internal, error.to_string()).remedy("see `tinkerbell daemon logs`")
}
