//! The brain: what a session *is* and what it *wants*, as pure functions.
//!
//! A session is a journal of events. [`State`] is what their headers add up to, [`wants()`] is what such a state
//! asks of the world, and [`advance`] is one turn of the circle: events in, what must be appended out. Nothing here
//! performs anything: no I/O, no clock, no randomness, no threads. Time, ids and random numbers come in by events.
//!
//! State depends on the *headers* of events alone (kind, ids, outcomes, counts, costs, references), never on words,
//! paths or contents, because those may be forgotten and the state must stay the same for ever.

mod circle;
mod context;
mod effect;
mod event;
mod id;
mod key;
mod permit;
mod schedule;
mod settings;
mod state;
mod turn;
mod units;
mod wants;

pub use circle::{Batch, advance};
pub use context::{Caps, Item, ItemKind, Plan, Planned, Window, plan};
pub use effect::{Effect, Timer, Wants};
pub use event::{
    AcceptOutcome, Access, Answer, CallFact, Event, Failure, Interruption, MissedRule, Occasion, PauseCause, Question,
    Scope, SkipReason, Stop, ToolOutcome, TurnOutcome, Verdict,
};
pub use id::{EffectId, EffectKind, Epoch, Generation, ParseIdError, ScheduleId, Seq, SessionId, SnapshotId, TurnId};
pub use key::PublicKey;
pub use permit::{Decision, Rule, judge};
pub use schedule::{ScheduleRule, Scheduled};
pub use settings::{Limit, Limits, ModelSpec, Settings};
pub use state::{Open, Queued, State};
pub use turn::{Call, CallStatus, Failed, Phase, Turn};
pub use units::{Micros, ModelName, Money, Tokens, UnixSeconds, Usage};
pub use wants::wants;
