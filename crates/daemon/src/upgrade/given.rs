//! The configuration that is in force, from one daemon to the next: a text in memory behind a descriptor, since it may be
//! longer than a message.

use crate::config::{self, Config, ConfigError};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use wire::GivenConfig;

/// Puts a text behind a descriptor.
pub(super) fn put(text: &str) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("tinkerbell configuration", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    Ok(file.into())
}

/// What was put there by the daemon before; it was in force, so it counts whatever the file says by now.
pub(super) fn take(given: &GivenConfig, descriptor: OwnedFd, path: &Path) -> Result<Config, ConfigError> {
    let mut file = File::from(descriptor);
    file.rewind().map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    let text = config::text(path, file)?;
    Config::parse(path, &text, given.found)
}
