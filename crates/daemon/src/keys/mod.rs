//! Keys of providers: where they are, and how they are read when they are needed.
//!
//! The configuration only points at keys; here they are fetched: from the daemon's environment, from a file, from the
//! desktop's keyring, or from files that tinkerbell keeps for its user alone ([`KeyStore`]). A key that was read is a
//! [`Secret`], which shows itself to nobody: it becomes a header through [`Secret::key`], or a pattern of what is
//! masked through [`Secrets`](crate::secrets::Secrets). No error of this module quotes what it read.
//!
//! Deliberately absent: which model uses which key, beyond the order in which one without an entry is looked for; and
//! encryption of kept keys, which would need another key beside them.

mod kept;
mod keyring;
mod name;
mod secret;
mod store;
#[cfg(test)]
mod tests;

pub use kept::KeptError;
pub use keyring::KeyringError;
pub use name::{BadKeyName, KeyName};
pub use secret::Secret;
pub use store::{KeyMissing, KeyStore};
