//! The configuration: one table of keys, the file that gives them values, and what those mean.
//!
//! `table.rs` is the one place that says which keys there are: path, kind, default, unit, a line of documentation,
//! an example and a check. The reference page, the example file, `config get`, suggestions and every complaint with its
//! line come from it. A file is read in three steps: its keys are held against the table ([`Fault`]s with their lines,
//! all of them), then it becomes plain data (`RawConfig`), then what that means ([`Config`]), once, before anything is
//! opened. Where the file is changed for somebody ([`ConfigFile`]), the result passes the same three steps first.
//!
//! Deliberately absent: keys themselves, which are only pointed at ([`KeySource`]) and live in [`keys`](crate::keys);
//! what a model can do and costs where the file does not say, which `models` knows; project files; and when the file is
//! read anew, which [`reload`](crate::reload) knows.

#[cfg(test)]
mod document;
mod edit;
mod editor;
mod effective;
mod example;
mod fault;
mod file;
mod kind;
mod meaning;
mod names;
mod raw;
mod resolve;
mod section;
mod suggest;
mod table;
#[cfg(test)]
mod tests;
mod trust;
mod walk;

pub use edit::{Change, ChangeError};
pub use editor::{Answer, EditError, Edited};
pub use effective::{GetError, chosen};
pub use fault::{ConfigError, Fault};
pub(crate) use file::text;
pub use file::{ConfigFile, ReplaceError};
pub use meaning::{Config, Instructions, KeySource, Model, OFFLINE, Retention, Route, Snapshots, ToolUse};
pub use names::{UnknownProvider, named};
pub(crate) use trust::read_own;
pub(crate) use walk::keys_with;
