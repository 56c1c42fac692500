//! The house: a daemon assembled from the rooms, the owners of its sessions, and the doors.
//!
//! [`run`] is the process, [`assemble`] the wiring, [`Registry`] what every door speaks to. A session is owned by one
//! task; what it does is decided by `agent`, kept by `store`, said by `models`, done by `tools` and shown by `canvas`,
//! none of which know each other: what must pass between them passes through the owner as an event.
//!
//! Deliberately absent: global mutable state, a lock around a session, logic in a door, a second way to do anything.

mod activation;
mod archive;
mod assemble;
mod audit;
mod cache;
mod carry;
mod catalog;
mod children;
mod clock;
pub mod config;
mod detach;
mod disk;
mod doors;
mod files;
mod forgetting;
mod house;
mod journal;
pub mod keys;
mod life;
mod lock;
mod log;
mod notify;
mod pictures;
mod registry;
mod reload;
mod replay;
mod reroot;
mod retention;
mod run;
mod schedule;
mod search;
pub mod secrets;
mod session;
mod signals;
pub mod snapshots;
mod status;
mod tasks;
mod toolbox;
mod unusable;
mod upgrade;

pub use assemble::{AssembleError, ExtraModel, Parts, Surroundings, assemble, assemble_in};
pub use audit::audited;
pub use children::spawn as spawn_child;
pub use clock::{Clock, Sleep, Time};
pub use config::{Config, ConfigError, OFFLINE};
pub use doors::router;
pub use journal::{DaemonJournal, NoteError};
pub use lock::{Lock, LockError};
pub use registry::Registry;
pub use reload::{Reloads, settle as settle_config};
pub use reroot::RerootError;
pub use retention::{Janitor, keep as keep_tidy};
pub use run::{Options, run};
pub use schedule::{Schedules, keep as keep_schedules};
pub use session::{Attached, Frame, Once, Prompt, Watch};
pub use tasks::{Pause, Tasks};
pub use toolbox::{ExtraTool, Run};
pub use upgrade::{AtStep, Step, Upgrades};

/// The version of this daemon, which every answer names.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
