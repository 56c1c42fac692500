//! The backend behind the library `genai` from outside, in each of its dialects, on a raw server: the contract that all
//! backends keep, what is sent, what is understood, and every fault that has a name.

#![allow(clippy::unwrap_used, reason = "all of this crate is tests")]

#[path = "../backends/contract.rs"]
mod contract;
mod cuts;
#[path = "../shared/damage.rs"]
mod damage;
mod faults;
mod fuzz;
mod messages;
mod replies;
mod scripts;
#[allow(dead_code, reason = "shared with the tests of the chat dialect, which use the rest")]
#[path = "../backends/server.rs"]
mod server;
