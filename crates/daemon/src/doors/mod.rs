//! The doors: they authenticate, translate to `wire`, and call the registry. None has logic the others lack.

mod accept;
mod events;
mod rest;
mod socket;

pub(crate) use accept::door;
pub use rest::router;
pub(crate) use socket::{Socket, SocketError};
