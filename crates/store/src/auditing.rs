//! The handle's side of audits, signatures and forgetting: pages of what is stored, for whoever computes it anew.

use crate::append::JournalId;
use crate::audit::{self, BlobsProgress, JournalRow};
use crate::chain::{self, HeadsProgress, HeadsVerified, Progress, Verified, VerifyError};
use crate::error::{AppendError, ReadError};
use crate::query::Head;
use crate::signature::{self, Link, Signature};
use crate::store::Store;
use crate::writer::{Job, Write};
use crate::{forget, origin};
use agent::{Seq, SessionId};
use tokio::sync::{oneshot, watch};
use wire::{BlobHash, ChainHash};

impl Store {
    /// How many links this store has added since it was opened, and a way to wait for more. It counts appends that are
    /// on disk.
    pub fn appended(&self) -> watch::Receiver<u64> {
        self.shared.appended.clone()
    }

    /// The newest link of the chain of heads.
    pub async fn last_link(&self) -> Result<Option<Link>, ReadError> {
        self.read(|c| Ok::<_, ReadError>(signature::last_link(c)?)).await
    }

    /// Links after a place up to another one, at most so many.
    pub async fn links(&self, after: u64, upto: u64, limit: u64) -> Result<Vec<Link>, ReadError> {
        self.read(move |c| signature::links(c, after, upto, limit)).await
    }

    /// The name of this state: the hash of its first link; `None` before the first append.
    pub async fn state_name(&self) -> Result<Option<ChainHash>, ReadError> {
        self.read(|c| Ok::<_, ReadError>(signature::state_name(c)?)).await
    }

    /// Keeps a signature, if its link is the one that is there. It waits in line like an append and belongs to none.
    pub async fn keep_signature(&self, signature: Signature) -> Result<(), AppendError> {
        let (answer, waiting) = oneshot::channel();
        self.ask(Job::Write(Write::Sign(Box::new(signature), answer)), waiting).await
    }

    /// The newest signature.
    pub async fn last_signature(&self) -> Result<Option<Signature>, ReadError> {
        self.read(signature::last).await
    }

    /// Signatures over links after a place (at first none) up to another one, with the hashes that those links have now.
    pub async fn signatures(&self, after: Option<u64>, upto: u64, limit: u64) -> Result<Vec<Signature>, ReadError> {
        self.read(move |c| signature::page(c, after, upto, limit)).await
    }

    /// Journals that have events, in the order in which they began, after a row (0 at first).
    pub async fn journals(&self, after: i64, limit: u64) -> Result<Vec<JournalRow>, ReadError> {
        self.read(move |c| audit::journals(c, after, limit)).await
    }

    /// All journals that have links up to a place, with the event that the last of these gives; 0: removed by then.
    pub async fn journals_at(&self, place: u64) -> Result<Vec<(String, Seq)>, ReadError> {
        self.read(move |c| audit::journals_at(c, place)).await
    }

    /// Computes the chain of a journal anew, up to the head that it has now. A journal that does not exist has no events.
    pub async fn verify(&self, journal: JournalId) -> Result<Verified, VerifyError> {
        let Some(head) = self.head(journal).await? else {
            return Ok(Verified { events: 0, forgotten: 0, hash: ChainHash::START });
        };
        self.verify_to(journal, head, |_| ()).await
    }

    /// The same up to a head that was read before, telling after each page how far it has come. A journal that was
    /// removed meanwhile is the caller's to notice.
    pub async fn verify_to(
        &self,
        journal: JournalId,
        head: Head,
        mut each_page: impl FnMut(Seq),
    ) -> Result<Verified, VerifyError> {
        let mut at = Progress::START;
        while at.seq < head.seq {
            at = self.read(move |c| chain::verify_page(c, journal, head, at)).await?;
            each_page(at.seq);
        }
        Ok(Verified { events: at.seq.0, forgotten: at.forgotten, hash: at.hash })
    }

    /// Whether the events of a journal up to a place hold the blobs that they say they hold.
    pub async fn verify_holds(&self, journal: JournalId, upto: Seq) -> Result<(), VerifyError> {
        let mut at = Seq(0);
        while at < upto {
            let to = Seq(upto.0.min(at.0 + HOLDS_AT_ONCE));
            self.read(move |c| audit::verify_holds(c, &journal.to_string(), (at, to))).await?;
            at = to;
        }
        Ok(())
    }

    /// Computes the chain of heads anew and compares it with the journals, so that a journal that is gone shows.
    pub async fn verify_heads(&self) -> Result<HeadsVerified, VerifyError> {
        self.verify_heads_telling(|_| ()).await
    }

    /// The same, telling after each page how far it has come.
    pub async fn verify_heads_telling(&self, mut each_page: impl FnMut(u64)) -> Result<HeadsVerified, VerifyError> {
        let mut at = HeadsProgress::START;
        while !at.ended {
            at = self.read(move |c| chain::verify_links(c, at)).await?;
            each_page(at.place);
        }
        let (journals, removed) = self.read(chain::compare_heads).await?;
        Ok(HeadsVerified { links: at.place, journals, removed, hash: at.hash })
    }

    /// Reads every blob and compares it with its name, and counts who holds it. Gives how many there are.
    pub async fn verify_blobs(&self, mut each_page: impl FnMut(u64)) -> Result<u64, VerifyError> {
        let limit = self.shared.limits.blob_bytes;
        let mut at = BlobsProgress { row: 0, blobs: 0, bytes: 0, ended: false };
        while !at.ended {
            at = self.read(move |c| audit::verify_blobs(c, at, limit)).await?;
            each_page(at.blobs);
        }
        self.read(audit::verify_holders).await?;
        Ok(at.blobs)
    }

    /// The blobs that events of a journal hold, by their rows.
    pub async fn held_blobs(&self, journal: String) -> Result<Vec<i64>, ReadError> {
        self.read(move |c| audit::held(c, &journal)).await
    }

    /// The next blob after a row (0 at first).
    pub async fn next_blob(&self, after: i64) -> Result<Option<(i64, BlobHash)>, ReadError> {
        self.read(move |c| audit::next_blob(c, after)).await
    }

    /// The name of a blob by its row; `None` if it is gone.
    pub async fn blob_name(&self, row: i64) -> Result<Option<BlobHash>, ReadError> {
        self.read(move |c| audit::blob_name(c, row)).await
    }

    /// The sessions that are copies of a session, or of copies of it, with the last event that each shares with it.
    pub async fn copies(&self, session: SessionId) -> Result<Vec<(SessionId, Seq)>, ReadError> {
        self.read(move |c| origin::copies(c, session)).await
    }

    /// The sessions that this one was copied from, the nearest first, with the last event that each shares with it; also
    /// those that were removed since.
    pub async fn originals(&self, session: SessionId) -> Result<Vec<(SessionId, Seq)>, ReadError> {
        self.read(move |c| origin::originals(c, session)).await
    }

    /// Of these blobs, those that somebody would still hold after these events were forgotten.
    pub async fn left_after(
        &self,
        forgets: Vec<(SessionId, Vec<Seq>)>,
        blobs: Vec<BlobHash>,
    ) -> Result<Vec<BlobHash>, ReadError> {
        self.read(move |c| forget::left(c, &forgets, &blobs)).await
    }

    /// Other events that hold blobs which these events hold, at most so many: forgetting these alone leaves those bytes.
    pub async fn also_held(
        &self,
        forgets: Vec<(SessionId, Vec<Seq>)>,
        limit: usize,
    ) -> Result<Vec<(SessionId, Seq)>, ReadError> {
        self.read(move |c| forget::also_held(c, &forgets, limit)).await
    }

    /// Leaves no byte of what was forgotten or removed before the call: blanks the gaps of pages, which takes a slice for
    /// each 4 MiB of the file, empties the write-ahead log, and writes the index of search anew. Says whether all of it could be
    /// done; if not (the disk is full, another program reads the file), they go with later writes or when the store is next
    /// opened.
    pub async fn scrub(&self) -> bool {
        let (answer, waiting) = oneshot::channel();
        let asked = self.shared.jobs.send(Job::Scrub(answer)).await.is_ok();
        let emptied = asked && waiting.await.unwrap_or(false);
        self.scrub_search().await.is_ok() && emptied
    }
}

/// Events whose holds are looked at in one read.
const HOLDS_AT_ONCE: u64 = 4096;
