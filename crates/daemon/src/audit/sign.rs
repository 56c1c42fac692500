//! Signing: the newest link of the chain of heads, with the key of the state.

use super::key::{self, KeyError};
use super::verify::vouches;
use crate::clock::Clock;
use crate::house::House;
use crate::journal::{DaemonJournal, NoteError};
use agent::{Event, PublicKey};
use ed25519_dalek::{Signer, SigningKey};
use std::path::Path;
use std::sync::Arc;
use store::{AppendError, ReadError, Signature, Store};
use tokio::sync::Semaphore;
use tokio::time::Duration;
use wire::audit::{signed_bundle, signed_link};
use wire::rest::Signed;
use wire::{ChainHash, Code, Problem};

/// Links after which the chain is signed at once.
const LINKS_UNSIGNED: u64 = 1000;
/// How long links may wait for a signature when there are fewer.
const LONGEST_UNSIGNED: Duration = Duration::from_secs(60);

/// Signs. One signature is made at a time.
pub(crate) struct Auditor {
    key: Result<SigningKey, KeyError>,
    clock: Clock,
    line: Semaphore,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
enum SignError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("the journal is empty")]
    Nothing,
    #[error(
        "link {0} was signed before as another one, or is gone: the end of the chain was cut off; see `tinkerbell audit verify`"
    )]
    Cut(u64),
}

impl Auditor {
    /// The auditor of a state, whose key is made where there is none. Signs the beginning of this daemon, and notes in the
    /// daemon's journal whose signatures these are when that is new. A daemon that cannot sign says so and runs: a full
    /// disk is no reason to refuse work.
    pub(crate) async fn begin(state_dir: &Path, store: &Store, journal: &DaemonJournal, clock: Clock) -> Auditor {
        let auditor = Auditor { key: key::read_or_make(state_dir), clock, line: Semaphore::new(1) };
        if let Err(error) = auditor.introduce(store, journal).await {
            tracing::warn!(%error, "the chain of heads could not be signed");
        }
        auditor
    }

    async fn introduce(&self, store: &Store, journal: &DaemonJournal) -> Result<(), SignError> {
        let key = self.public_key()?;
        // A key signs what names it, so the newest signature says which key the journal named last.
        if store.last_signature().await?.is_none_or(|last| last.key != key.0) {
            journal.note(Event::AuditKey { key }, &serde_json::json!({})).await?;
        }
        self.sign_newest(store).await.map(drop)
    }

    fn public_key(&self) -> Result<PublicKey, KeyError> {
        self.key.as_ref().map(|key| PublicKey(key.verifying_key().to_bytes())).map_err(KeyError::clone)
    }

    /// Signs the chain as it stands now.
    pub(crate) async fn sign(&self, store: &Store) -> Result<Signed, Problem> {
        self.sign_newest(store).await.map_err(|error| {
            let code = match &error {
                SignError::Append(AppendError::Full | AppendError::Locked) => Code::StorageFull,
                SignError::Append(AppendError::ReadOnly) => Code::ReadOnly,
                _ => Code::Internal,
            };
            Problem::new(code, format!("the chain of heads was not signed: {error}"))
        })
    }

    async fn sign_newest(&self, store: &Store) -> Result<Signed, SignError> {
        let _turn = self.line.acquire().await.expect("it is never closed");
        let key = self.key.as_ref().map_err(KeyError::clone)?;
        let public = self.public_key()?;
        let link = store.last_link().await?.ok_or(SignError::Nothing)?;
        let state = store.state_name().await?.ok_or(SignError::Nothing)?;
        let signed = |at| Signed { link: link.place, hash: link.hash, at, state, key: public };
        if let Some(last) = store.last_signature().await?
            && last.place >= link.place
        {
            let vouched = last.place == link.place && last.state == state && vouches(&last);
            return if vouched { Ok(signed(last.at)) } else { Err(SignError::Cut(last.place)) };
        }
        let at = self.clock.now();
        let signature = key.sign(signed_link(state, link.place, link.hash, at).as_bytes()).to_bytes();
        let row = Signature { place: link.place, hash: link.hash, at, state, key: public.0, signature };
        store.keep_signature(row).await?;
        Ok(signed(at))
    }

    /// A signature over a bundle, with the key that made it; `None` where there is no key.
    pub(super) fn sign_bundle(&self, state: ChainHash, sha256: ChainHash) -> Option<(PublicKey, [u8; 64])> {
        let key = self.key.as_ref().ok()?;
        let public = PublicKey(key.verifying_key().to_bytes());
        Some((public, key.sign(signed_bundle(state, sha256).as_bytes()).to_bytes()))
    }

    /// Signs the end, which nobody waits for.
    pub(crate) async fn end(&self, store: &Store) {
        if let Err(error) = self.sign_newest(store).await {
            tracing::warn!(%error, "the end of the chain of heads could not be signed");
        }
    }
}

/// Signs after so many links, or a while after there were some. Sleeps while nothing is appended.
pub(crate) async fn watch(house: Arc<House>) {
    let mut appended = house.store.appended();
    let mut signed = *appended.borrow_and_update();
    loop {
        tokio::select! {
            biased;
            () = house.stop.cancelled() => return,
            changed = appended.changed() => if changed.is_err() { return },
        }
        let due = Some(house.clock.instant() + LONGEST_UNSIGNED);
        while *appended.borrow_and_update() < signed + LINKS_UNSIGNED {
            tokio::select! {
                biased;
                () = house.stop.cancelled() => return,
                () = house.clock.sleep_until(due) => break,
                changed = appended.changed() => if changed.is_err() { return },
            }
        }
        signed = *appended.borrow_and_update();
        if let Err(error) = house.auditor.sign_newest(&house.store).await {
            tracing::warn!(%error, "the chain of heads could not be signed");
        }
    }
}
