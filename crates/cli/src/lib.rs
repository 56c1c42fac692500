//! The command line: what people and scripts type, one file for each command.
//!
//! It exists so that everything the daemon can do can be done from a terminal, and it only ever talks: each command
//! is a few requests over the daemon's Unix socket and a way to print the answers. It owns the tree of commands and
//! their help, the search for the socket and the check of who listens there, starting the daemon where it is not
//! running, and how updates look to people.
//!
//! Deliberately absent: any logic about sessions, models or the canvas (the daemon has it), the configuration file
//! (the daemon reads it), threads, an async runtime, TLS. `ask` is to reach the model in milliseconds, so nothing is
//! read or built that the command at hand does not need.

mod arguments;
mod chat;
mod child;
mod choose;
mod client;
mod columns;
mod commands;
mod confirm;
mod current;
mod durations;
mod error;
#[cfg(test)]
mod fake;
mod feed;
mod follow;
mod hand;
mod highlight;
mod http;
mod interrupt;
mod locate;
mod markdown;
mod pager;
mod passphrase;
mod patch;
mod plain;
mod prompt;
mod question;
mod render;
mod replay;
mod request;
mod run;
mod running;
mod screen;
mod start;
mod table;
mod terminal;
#[cfg(test)]
mod testing;
mod typed;
mod units;
mod update;
mod wait;
mod words;

pub use arguments::{Command, ConfigJob, Invocation, SnapshotJob, parse, tree};
pub use error::report;
pub use hand::Hand;
pub use passphrase::PassphraseFrom;
pub use run::{ConfigReader, run};
pub use running::ask_running;
