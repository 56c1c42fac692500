//! All that may be asked of the world: collected here, performed by the daemon.

use crate::event::{Access, Event};
use crate::id::{EffectId, Seq, TurnId};
use crate::units::ModelName;

/// One thing to do, named by an id that is never started twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Call a model.
    Model {
        /// Its id.
        id: EffectId,
        /// The turn.
        turn: TurnId,
        /// Which model, as the route decided.
        model: ModelName,
    },
    /// Run a tool.
    Tool {
        /// Its id; the ordinal is the call's place in the reply.
        id: EffectId,
        /// The turn.
        turn: TurnId,
        /// The `model.finished` that asked for it.
        asked: Seq,
        /// What the tool may do.
        access: Access,
    },
    /// Look what a lost accept left behind, and finish it or take it back.
    VerifyAccept {
        /// Its id.
        id: EffectId,
        /// The `accept.started` that holds the plan.
        plan: Seq,
        /// How many files.
        files: u32,
        /// The accept that it takes back, if it does.
        undoes: Option<Seq>,
    },
}

impl Effect {
    /// The effect's id.
    pub fn id(&self) -> EffectId {
        match self {
            Effect::Model { id, .. } | Effect::Tool { id, .. } | Effect::VerifyAccept { id, .. } => *id,
        }
    }
}

/// Something that happens `delay_ms` after an event, on the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// Its id; firing is `timer.fired` with this id.
    pub id: EffectId,
    /// The turn.
    pub turn: TurnId,
    /// The event from which the delay counts.
    pub since: Seq,
    /// The delay in milliseconds.
    pub delay_ms: u64,
}

/// What a state wants. Empty means: nothing to do until somebody says something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// A decision that follows from the state. It is appended first, and what is wanted is asked again.
    pub decision: Option<Event>,
    /// Effects not yet started.
    pub start: Vec<Effect>,
    /// Effects that are running and shall go on. What runs and is not here is cancelled.
    pub keep: Vec<EffectId>,
    /// Timers that shall be running.
    pub timers: Vec<Timer>,
}
