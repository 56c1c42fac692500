//! Recorded sessions, run again: the circle is given what happened, as the journal has it, and what it decides is compared
//! with what was decided. So a later version shows where it would go another way, and a person what another model or
//! another prompt would have changed.
//!
//! The brain is asked for each append what [`agent::advance`] makes of it: turns, questions and starts must be the recorded
//! ones. Of a model call its plan, its price and its request are made again, the request to the byte where its model is
//! known here. Nothing is written, no session is woken, and nothing goes over a network unless a turn is to be run
//! otherwise and the calls that takes were agreed to. Tools never run: they are answered from the record.
//!
//! Deliberately absent: judging permissions again (what was decided is a fact), words for people in bodies, which any
//! version may say better, and money: what a rerun costs is said, and stands in no account.

mod compare;
mod differ;
mod drive;
mod groups;
mod record;
mod rerun;
mod run;
mod settings;

pub(crate) use run::replay;
