//! For tests only: a scripted model, tools that count, a daemon in a world of its own, the simulator, fault tools.
//!
//! Everything here is a fake or a harness of tests, used by no crate outside `dev-dependencies`.

pub mod every_fault;
pub mod fault_vfs;
pub mod seeds;
pub mod simulator;
pub mod syscalls;

mod carried;
mod chains;
mod clocks;
mod counter;
mod disk;
mod home;
mod http;
mod part;
mod rng;
mod script;
mod world;

pub use carried::session_file;
pub use chains::verify_chains;
pub use clocks::{SetClock, fast_clock};
pub use counter::{COUNT_FILE, SLEEPER_FILE, tools};
pub use disk::Disk;
pub use home::{CLOCK, Daemon, Home, has_ended};
pub use http::{Answer, Client, Events};
pub use part::play_part;
pub use rng::Rng;
pub use script::{BACKUP, SCRIPTED, ScriptedModel, named, scripted};
pub use world::World;
