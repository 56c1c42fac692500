//! Whole sessions on the pure brain, from a printed seed: a simulated owner, journal, clock, model, tools and user, and
//! one plan of what goes wrong. This is where the laws about events and effects are kept by a test.
//!
//! - A seed decides everything: settings and budgets, what models and tools answer and how slowly, what the user does and
//!   when, where the daemon is killed, shut down, or loses a commit. No clock, no hash map, no second source of chance.
//! - The owner follows the rules of the house: what happened, then [`agent::advance`], then one append of facts and starts,
//!   then the state by what the append really holds, then effects. The brain sees headers only, parsed from their bytes.
//! - An audit reads the same journal and keeps books of its own, so that a fault of the brain cannot hide in the brain's
//!   own account. [`Invariant`] names each promise in a sentence.
//! - First hurt, then heal: once the script's mishaps and the user's wishes are used up, every turn must end; and then
//!   one more prompt, with everything well again, must be answered.
//! - [`Fault`] breaks one rule of the owner or the store on purpose: the proof that the promises can be broken.
//!
//! Deliberately absent: the daemon's code, SQLite, files and real time. What is proved here is the brain and the rules
//! of its owner; that the daemon follows them is proved by [`daemon`], which runs the daemon itself.

mod audit;
mod circle;
mod coverage;
pub mod daemon;
mod fault;
mod invariant;
mod journal;
mod lives;
mod random;
mod run;
mod script;
mod session;
mod user;
mod world;

pub use coverage::Coverage;
pub use fault::Fault;
pub use invariant::{Invariant, Violation};
pub use run::{Report, run};
