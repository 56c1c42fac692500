//! Encryption with a passphrase: the age format, version 1, with scrypt. Not built in yet: a sealed snapshot is neither
//! made nor opened.

use std::fmt;
use std::io::{self, Read, Write};

/// A passphrase. Neither `Debug` nor `Display` shows it.
#[derive(Clone)]
pub(crate) struct Passphrase;

impl Passphrase {
    /// Whether this tinkerbell can encrypt.
    pub(crate) const BUILT_IN: bool = false;

    pub(crate) fn new(_: &str) -> Passphrase {
        Passphrase
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase([passphrase])")
    }
}

/// Why something sealed cannot be opened.
#[derive(Debug)]
#[allow(dead_code, reason = "nothing is opened yet")]
pub(super) enum OpenFault {
    /// It is another passphrase, or the header is damaged; nobody can tell.
    Passphrase,
    /// It is no age file with a passphrase.
    Foreign,
    Io(io::Error),
}

fn absent() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this tinkerbell was built without encryption")
}

/// Encrypts all that `write` writes.
pub(super) fn seal<T>(_: impl Write, _: &Passphrase, _: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    Err(absent())
}

/// What was encrypted.
pub(super) fn open<R: Read>(from: R, _: &Passphrase) -> Result<R, OpenFault> {
    drop(from);
    Err(OpenFault::Io(absent()))
}
