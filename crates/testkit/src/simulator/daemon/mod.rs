//! A whole daemon from one seed: the real one, on a simulated machine.
//!
//! - What can be real is: brain, records and chain, the store with its SQL, owners, registry and its cache, REST, canvas
//!   and files. The machine is not: time passes when nothing is left to do, disks fail by a fault-injecting VFS, work
//!   that blocks is done by the one thread there is, and models, tools and people are played.
//! - One seed decides everything, so a seed that fails does so again, with the same ids and at the same times.
//! - Several sessions run at once. People prompt, steer, cancel, answer, accept, fork, remove, watch, leave and come back
//!   by their cursors; they send what was not answered again, under its key.
//! - The daemon is killed, stopped, started with other configurations and other tools, and given other configurations while
//!   it runs, some of them wrong; commits fail with an unknown
//!   outcome, disks are full, the power goes, clocks jump. All of it is told in prose.
//! - After every occurrence the books are written up from the journal and every promise is looked after. First hurt, then
//!   heal: at the end every turn ends, everybody is answered, and one more prompt in each session is.
//! - [`Treachery`] breaks one rule on purpose, outside the daemon: the proof that the promises can be broken.
//!
//! Deliberately absent: sockets, processes, git, providers. Those have tests of their own, which are slower and never
//! the same twice.

mod book;
mod check;
mod hands;
mod life;
mod machine;
mod people;
mod reload;
mod run;
mod script;
mod stage;
mod time;
mod treachery;
mod voice;
mod watcher;

pub(super) const MISHAPS: [&str; 9] = script::Mishap::WORDS;
pub(super) const REQUESTS: [&str; 8] = people::Kind::WORDS;

pub use run::{Report, run};
pub use treachery::Treachery;
