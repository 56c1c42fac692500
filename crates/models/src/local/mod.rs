//! Servers on this machine: whether one is there, what models it has, and what those can really do.
//!
//! Owned here: the usual places, a probe of each that is bounded in time and bytes, and the one question that servers
//! answer wrongly by silence: whether a model's template has a place for tools at all.
//!
//! Deliberately absent: every address that is not a loopback address, redirects, proxies, and asking a model to say
//! something while discovering, since that could load many gigabytes.

mod discover;
mod llama;
mod ollama;
mod place;
mod probe;
mod server;
mod tooling;

pub use discover::{PROBE_TIMEOUT, discover};
pub use place::{NotLocal, Place};
pub use server::{Abilities, FoundModel, Server, ServerKind, Tooling};

pub(crate) use probe::Probe;
pub(crate) use tooling::tooling;
