//! Schedules: prompts that are said by themselves, when they are due.
//!
//! One task keeps them ([`keep`]). What it knows is a fold over the daemon's own journal, in which every occurrence
//! leaves its trace: it is *claimed*, and then *fired* or *skipped*; those that nobody was there for are *missed*. The
//! prompt is said under an idempotency key that names the occurrence, and the answer under that key stands in the same
//! transaction as the prompt: whoever dies in between, the next daemon finds the open claim, says the prompt under the
//! same key, and learns what really happened. So an occurrence is a prompt once or never.
//!
//! Time is the wall clock's, looked at anew at least every minute, because clocks jump. What is settled stays settled: a
//! clock that goes back makes nothing happen twice.
//!
//! Money is spent by turns and nowhere else. A run gives its turn the most that it may spend, which the owner of the
//! session holds as it holds every turn's; since a schedule has one run at a time, what is left of its day is exact.
//!
//! Deliberately absent: a queue of occurrences (what cannot be said now is skipped, with its reason), and a second way to
//! prompt a session.

mod ask;
mod calendar;
mod fire;
mod fold;
mod keeper;
mod make;
mod note;
mod plan;
mod reroot;
mod runs;
#[cfg(test)]
mod testing;
mod view;
mod when;

pub use ask::Schedules;
pub use keeper::keep;
pub(crate) use reroot::reroot;
