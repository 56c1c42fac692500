//! Encryption with a passphrase: the age format, version 1, with scrypt, as `age -p` and `age -d` have it.

use age::secrecy::{ExposeSecret, SecretString};
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use std::fmt;
use std::io::{self, Read, Write};
use std::iter;

/// How hard a guess is: 2 to this power steps of scrypt, about a second and 256 MiB.
const WORK: u8 = 18;
/// The most that opening one may ask for: what somebody else made must not hold a machine up.
const MOST_WORK: u8 = 20;

/// A passphrase. Neither `Debug` nor `Display` shows it.
#[derive(Clone)]
pub(crate) struct Passphrase {
    words: SecretString,
    work: u8,
}

impl Passphrase {
    pub(crate) fn new(words: &str) -> Passphrase {
        Passphrase { words: SecretString::from(words.to_owned()), work: WORK }
    }

    /// One that is guessed quickly, for tests.
    #[cfg(test)]
    pub(crate) fn cheap(words: &str) -> Passphrase {
        Passphrase { work: 2, ..Passphrase::new(words) }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase([passphrase])")
    }
}

/// Why something sealed cannot be opened.
#[derive(Debug)]
pub(super) enum OpenFault {
    /// It is another passphrase, or the header is damaged; nobody can tell.
    Passphrase,
    /// It is no age file with a passphrase.
    Foreign,
    Io(io::Error),
}

/// Encrypts all that `write` writes.
pub(super) fn seal<T>(
    to: impl Write,
    passphrase: &Passphrase,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.words.expose_secret().to_owned()));
    recipient.set_work_factor(passphrase.work);
    let recipients = iter::once(&recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).expect("one recipient is enough");
    let mut inside = encryptor.wrap_output(to)?;
    let written = write(&mut inside)?;
    inside.finish()?.flush()?;
    Ok(written)
}

/// What was encrypted.
pub(super) fn open<R: Read>(from: R, passphrase: &Passphrase) -> Result<impl Read + use<R>, OpenFault> {
    let decryptor = Decryptor::new(from).map_err(fault)?;
    if !decryptor.is_scrypt() {
        return Err(OpenFault::Foreign);
    }
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.words.expose_secret().to_owned()));
    identity.set_max_work_factor(MOST_WORK);
    decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(fault)
}

fn fault(error: DecryptError) -> OpenFault {
    match error {
        DecryptError::Io(error) => OpenFault::Io(error),
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            OpenFault::Passphrase
        }
        _ => OpenFault::Foreign,
    }
}
