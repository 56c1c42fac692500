//! REST: the table of operations as routes. Handlers read, call the registry, and write; nothing else.

mod answer;
mod audit;
mod canvas;
mod carrying;
mod daemon;
mod models;
mod request;
mod router;
mod schedules;
mod sessions;
mod snapshots;
mod updates;

pub use router::router;
