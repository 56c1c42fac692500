//! The desktop's keyring, by the Secret Service that GNOME, KDE and KeePassXC speak over D-Bus.
//!
//! An entry has the attributes `service = tinkerbell` and `username = NAME`, which is what `secret-tool store --label
//! NAME service tinkerbell username NAME` writes, and the keyring libraries of other languages. The connection is made
//! when the first key is asked for, and what was read once is remembered. A keyring may show a dialogue and wait for a
//! person, and a bus may not answer at all, so each conversation runs on a thread of its own and is waited for within a
//! limit; a thread that is still stuck after it holds nothing of ours and ends with the bus. Until it does, no other is
//! begun.

use super::name::KeyName;
use super::secret::Secret;
use secret_service::{Collection, EncryptionType, Error, SecretService};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a person has for the keyring's dialogue.
const LIMIT: Duration = Duration::from_secs(30);

/// How long an answer other than a key is believed, so that a bus that does not answer delays one thing and not all.
const BELIEVED: Duration = Duration::from_secs(60);

/// What entries of ours are called.
const SERVICE: &str = "tinkerbell";

/// The keyring, with what it has answered.
#[derive(Clone, Default)]
pub(super) struct Keyring {
    answers: Arc<Mutex<BTreeMap<KeyName, Answer>>>,
    stuck: Stuck,
}

/// Conversations that were not over within the limit: as many at most as were waited for at the same time.
#[derive(Clone, Default)]
struct Stuck(Arc<Mutex<Vec<JoinHandle<()>>>>);

/// What the keyring answered, and when.
#[derive(Clone)]
struct Answer {
    at: Instant,
    key: Result<Option<Secret>, KeyringError>,
}

/// Why the keyring cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyringError {
    /// There is none.
    #[error(
        "no keyring answers on this session's D-Bus; on a machine without a desktop keep the key in a file instead: `tinkerbell keys set NAME` without --keyring"
    )]
    Absent,
    /// It is locked, and nobody unlocked it.
    #[error(
        "the keyring is locked; unlock it in the desktop's password program, or keep the key in a file: `tinkerbell keys set NAME` without --keyring"
    )]
    Locked,
    /// It did not answer in time.
    #[error("the keyring did not answer within {} seconds; look for its dialogue on the desktop, or keep the key in a file: `tinkerbell keys set NAME` without --keyring", LIMIT.as_secs())]
    Silent,
    /// It answered with something else.
    #[error("the keyring failed: {0}")]
    Failed(String),
    /// What it has is no key.
    #[error("the keyring's entry holds no key: {0}")]
    NoKey(models::KeyError),
}

impl Keyring {
    /// The key of a name; `None` where the keyring has none. A key that was read once is not read again.
    pub(super) fn read(&self, name: &KeyName) -> Result<Option<Secret>, KeyringError> {
        let known = self.answers().get(name).cloned();
        if let Some(known) = known.filter(|known| matches!(known.key, Ok(Some(_))) || known.at.elapsed() < BELIEVED) {
            return known.key;
        }
        let key = read(&self.stuck, name);
        self.answers().insert(name.clone(), Answer { at: Instant::now(), key: key.clone() });
        key
    }

    /// The key of a name as far as it was read before; the keyring is not asked.
    pub(super) fn remembered(&self, name: &KeyName) -> Option<Secret> {
        self.answers().get(name).and_then(|answer| answer.key.clone().ok().flatten())
    }

    /// Puts a key into the keyring; one of the same name is replaced.
    pub(super) fn write(&self, name: &KeyName, secret: &Secret) -> Result<(), KeyringError> {
        let written = write(&self.stuck, name, secret);
        // Afterwards, so that the old key is not remembered by whoever read it meanwhile.
        self.answers().remove(name);
        written
    }

    /// Takes a key out of the keyring; that there was none is as good.
    pub(super) fn remove(&self, name: &KeyName) -> Result<(), KeyringError> {
        let removed = remove(&self.stuck, name);
        self.answers().remove(name);
        removed
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<KeyName, Answer>> {
        // Nothing under this lock can panic half-way.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stuck {
    /// Whether there is still one.
    fn is_any(&self) -> bool {
        let mut threads = self.threads();
        threads.retain(|thread| !thread.is_finished());
        !threads.is_empty()
    }

    fn add(&self, thread: JoinHandle<()>) {
        self.threads().push(thread);
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

fn read(stuck: &Stuck, name: &KeyName) -> Result<Option<Secret>, KeyringError> {
    let found = converse(stuck, name.clone(), |service, name| {
        Box::pin(async move {
            let collection = unlocked(service).await?;
            match collection.search_items(attributes(&name)).await?.first() {
                Some(item) => Ok(Some(item.get_secret().await?)),
                None => Ok(None),
            }
        })
    })?;
    let Some(bytes) = found else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| KeyringError::NoKey(models::KeyError::Malformed))?;
    Secret::new(&text).map(Some).map_err(KeyringError::NoKey)
}

fn write(stuck: &Stuck, name: &KeyName, secret: &Secret) -> Result<(), KeyringError> {
    let secret = secret.clone();
    converse(stuck, name.clone(), move |service, name| {
        Box::pin(async move {
            let label = format!("tinkerbell: {name}");
            let collection = unlocked(service).await?;
            let text = secret.text().as_bytes();
            collection.create_item(&label, attributes(&name), text, true, "text/plain").await.map(drop)
        })
    })
}

fn remove(stuck: &Stuck, name: &KeyName) -> Result<(), KeyringError> {
    converse(stuck, name.clone(), |service, name| {
        Box::pin(async move {
            let collection = unlocked(service).await?;
            let items = collection.search_items(attributes(&name)).await?;
            for item in &items {
                item.delete().await?;
            }
            Ok(())
        })
    })
}

fn attributes<'a, M: FromIterator<(&'a str, &'a str)>>(name: &'a KeyName) -> M {
    [("service", SERVICE), ("username", name.as_str())].into_iter().collect()
}

async fn unlocked<'a>(service: &'a SecretService<'_>) -> Result<Collection<'a>, Error> {
    let collection = service.get_any_collection().await?;
    match collection.ensure_unlocked().await {
        Ok(()) => {}
        Err(Error::Locked) => collection.unlock().await?,
        Err(error) => return Err(error),
    }
    Ok(collection)
}

type Talk<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + 'a>>;

/// Has a conversation with the keyring, within the limit. While an earlier one is stuck there is none: it would be stuck too.
fn converse<T: Send + 'static>(
    stuck: &Stuck,
    name: KeyName,
    talk: impl for<'a> FnOnce(&'a SecretService<'a>, KeyName) -> Talk<'a, T> + Send + 'static,
) -> Result<T, KeyringError> {
    if stuck.is_any() {
        return Err(KeyringError::Silent);
    }
    // One answer, which must find room even when nobody waits for it any more.
    let (answer, answered) = sync_channel(1);
    let conversation = move || {
        let result = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| KeyringError::Failed(error.to_string()))
            .and_then(|runtime| {
                runtime.block_on(async {
                    let service = SecretService::connect(EncryptionType::Dh).await.map_err(worded)?;
                    talk(&service, name).await.map_err(worded)
                })
            });
        // Nobody listens after the limit.
        let _ = answer.send(result);
    };
    let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(conversation);
    let thread = thread.map_err(|error| KeyringError::Failed(error.to_string()))?;
    match answered.recv_timeout(LIMIT) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            stuck.add(thread);
            Err(KeyringError::Silent)
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err(KeyringError::Failed("the conversation ended without an answer".to_owned()))
        }
    }
}

fn worded(error: Error) -> KeyringError {
    match error {
        Error::Unavailable | Error::NoResult => KeyringError::Absent,
        Error::Locked | Error::Prompt | Error::PromptDisconnected => KeyringError::Locked,
        // No bus, or nobody on it who owns the name.
        Error::Zbus(_) | Error::ZbusFdo(_) => KeyringError::Absent,
        other => KeyringError::Failed(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_behind_a_conversation_that_is_stuck() {
        let keyring = Keyring::default();
        let (end, ended) = sync_channel::<()>(0);
        keyring.stuck.add(std::thread::spawn(move || {
            // An error says that the sender was dropped, which is the end.
            let _ = ended.recv();
        }));
        let name = KeyName::new("work").unwrap();
        let secret = Secret::new("sk-a-key-of-a-test").unwrap();
        assert!(matches!(keyring.read(&name), Err(KeyringError::Silent)));
        assert!(matches!(keyring.write(&name, &secret), Err(KeyringError::Silent)));
        assert!(matches!(keyring.remove(&name), Err(KeyringError::Silent)));
        let stuck = std::mem::take(&mut *keyring.stuck.threads());
        drop(end);
        stuck.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(!keyring.stuck.is_any());
    }
}
