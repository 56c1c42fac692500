//! The bundle: everything that is needed to compute the chains anew, as lines of JSON; `docs/audit.md` has the format.
//!
//! It is written while it is read, a page at a time, and ends at one link: what is appended meanwhile is not in it. The
//! last line has the hash of all lines before, and a signature over that.

use crate::archive;
use crate::house::House;
use agent::{Seq, SessionId};
use axum::body::Bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Archived, JournalId, Piece, ReadError, Stored, StoredBody};
use tokio::sync::mpsc;
use wire::audit::{BUNDLE_FORMAT, hex};
use wire::{BlobHash, ChainHash, Code, Problem};

/// Pieces on their way to a client that reads slowly; one is at most a page, or a blob.
const PIECES: usize = 4;
/// Bytes that are gathered before they are sent.
const PIECE_BYTES: usize = 64 << 10;
/// Links, and signatures, read at a time.
const PAGE: u64 = 1024;

/// What a bundle has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Only these sessions; all, with the daemon's journal, when empty.
    pub(crate) sessions: Vec<SessionId>,
    /// No bodies and no blobs: hashes in their place.
    pub(crate) headers_only: bool,
}

/// Why a bundle breaks off.
enum Stop {
    /// Nobody reads on, or the daemon stops.
    Gone,
    Read(ReadError),
    Changed(String),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Stop {
        Stop::Read(error)
    }
}

/// Begins a bundle; pieces come as they are read. One that breaks off has no last line, and says why in an error.
pub(crate) async fn export(
    house: &Arc<House>,
    wanted: Wanted,
) -> Result<mpsc::Receiver<Result<Bytes, std::io::Error>>, Problem> {
    let internal = |error: ReadError| Problem::new(Code::Internal, error.to_string());
    for session in &wanted.sessions {
        let head = house.store.any_head(*session).await.map_err(internal)?;
        head.ok_or_else(|| crate::session::no_such_session(*session))?;
    }
    // So that all of the bundle is signed.
    if let Err(problem) = house.auditor.sign(&house.store).await {
        tracing::warn!(%problem, "a bundle is made of a chain whose end is not signed");
    }
    let (sender, pieces) = mpsc::channel(PIECES);
    let writer =
        Writer { house: house.clone(), sender, waiting: Vec::new(), hash: Sha256::new(), blobs: BTreeSet::new() };
    house.tasks.spawn("audit export", writer.run(wanted));
    Ok(pieces)
}

/// Counts of what was written, for the last line.
#[derive(Default, Serialize)]
struct Counts {
    links: u64,
    signatures: u64,
    journals: u64,
    events: u64,
    blobs: u64,
}

struct Writer {
    house: Arc<House>,
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
    waiting: Vec<u8>,
    hash: Sha256,
    /// Blobs that were written.
    blobs: BTreeSet<BlobHash>,
}

impl Writer {
    async fn run(mut self, wanted: Wanted) {
        let words = match self.write(&wanted).await {
            Ok(()) => {
                // An empty piece is the end; a bundle that breaks off has none.
                let _ = self.sender.send(Ok(Bytes::new())).await;
                return;
            }
            Err(Stop::Gone) => return,
            Err(Stop::Read(error)) => error.to_string(),
            Err(Stop::Changed(words)) => words,
        };
        tracing::warn!(words, "a bundle broke off");
        let _ = self.sender.send(Err(std::io::Error::other(words))).await;
    }

    async fn write(&mut self, wanted: &Wanted) -> Result<(), Stop> {
        let store = self.house.store.clone();
        let (link, state) = (store.last_link().await?, store.state_name().await?);
        let (Some(link), Some(state)) = (link, state) else {
            return Err(Stop::Changed("the journal is empty".to_owned()));
        };
        let only: Vec<String> = wanted.sessions.iter().map(SessionId::to_string).collect();
        let sessions = if only.is_empty() { json!("all") } else { json!(only) };
        self.line(&json!({
            "type": "bundle", "format": BUNDLE_FORMAT, "version": crate::VERSION, "state": state,
            "made_at": wire::time::write(self.house.clock.now()), "upto": link.place, "sessions": sessions,
            "headers_only": wanted.headers_only,
        }))
        .await?;
        let mut counts = Counts::default();
        self.links(link.place, &mut counts).await?;
        let mut held = BTreeSet::new();
        for (journal, upto) in store.journals_at(link.place).await? {
            // The daemon's journal names the keys, so it is in every bundle; one that was removed has nothing.
            let is_wanted = only.is_empty() || journal == "daemon" || only.contains(&journal);
            if upto > Seq(0) && is_wanted {
                // Beside chosen sessions the daemon's journal says what its headers say, and no words of others.
                let bare = wanted.headers_only || !only.is_empty() && journal == "daemon";
                self.journal(&journal, upto, bare, &mut counts).await?;
                if !bare && !only.is_empty() {
                    held.extend(store.held_blobs(journal).await?);
                }
            }
        }
        if !wanted.headers_only && only.is_empty() {
            let mut after = 0;
            while let Some((row, hash)) = store.next_blob(after).await? {
                after = row;
                self.blob(hash, &mut counts).await?;
            }
        }
        for row in held {
            if let Some(hash) = store.blob_name(row).await? {
                self.blob(hash, &mut counts).await?;
            }
        }
        self.end(state, &counts).await
    }

    async fn links(&mut self, upto: u64, counts: &mut Counts) -> Result<(), Stop> {
        let store = self.house.store.clone();
        while counts.links < upto {
            let page = store.links(counts.links, upto, PAGE).await?;
            if page.is_empty() {
                return Err(Stop::Changed(format!(
                    "link {} is missing; see `tinkerbell audit verify`",
                    counts.links + 1
                )));
            }
            for link in page {
                let store::Link { place, journal, seq, head, hash } = link;
                counts.links = place;
                self.line(&json!({
                    "type": "link", "place": place, "journal": journal, "seq": seq, "head": head, "hash": hash,
                }))
                .await?;
            }
        }
        let mut after = None;
        loop {
            let page = store.signatures(after, upto, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.place);
            for one in page {
                counts.signatures += 1;
                self.line(&json!({
                    "type": "signature", "place": one.place, "at": one.at.0, "state": one.state,
                    "key": hex(&one.key), "signature": hex(&one.signature),
                }))
                .await?;
            }
        }
    }

    async fn journal(&mut self, name: &str, upto: Seq, bare: bool, counts: &mut Counts) -> Result<(), Stop> {
        self.line(&json!({ "type": "journal", "name": name, "events": upto })).await?;
        counts.journals += 1;
        let journal = name.parse().map_or(JournalId::Daemon, JournalId::Session);
        if let JournalId::Session(session) = journal
            && let Some(archived) =
                self.house.store.archived(session).await?.filter(|archived| archived.head.seq >= upto)
        {
            return self.archived(&archived, upto, bare, counts).await;
        }
        let removed = || Stop::Changed(format!("{name} was removed meanwhile; export again"));
        let mut at = Seq(0);
        while at < upto {
            let page = match self.house.store.stored(journal, at, upto).await {
                Err(ReadError::Missing { .. }) => return Err(removed()),
                page => page?,
            };
            at = page.last().ok_or_else(removed)?.seq;
            for event in page {
                self.event(name, event, bare, counts).await?;
            }
        }
        Ok(())
    }

    async fn event(&mut self, name: &str, event: Stored, bare: bool, counts: &mut Counts) -> Result<(), Stop> {
        counts.events += 1;
        let mut line = json!({
            "type": "event", "journal": name, "seq": event.seq, "header": event.header, "hash": event.hash,
        });
        match event.body {
            StoredBody::Whole { text, salt } if !bare => {
                line["body"] = text.into();
                line["salt"] = hex(&salt).into();
            }
            body => line["seal"] = hex(&body.seal()).into(),
        }
        self.line(&line).await
    }

    /// A journal that lies in a file, with its blobs: those of the store are no more than others hold.
    async fn archived(&mut self, of: &Archived, upto: Seq, bare: bool, counts: &mut Counts) -> Result<(), Stop> {
        let (name, limit) = (of.session.to_string(), self.house.store.limits().blob_bytes);
        let mut pieces = archive::told(&self.house, of);
        let mut at = Seq(0);
        while let Some(piece) = pieces.recv().await {
            match piece? {
                Piece::Blob(blob) if !bare && at < upto => {
                    let damaged = || Stop::Changed(format!("blob {} in the file of {name} is damaged", blob.hash()));
                    let bytes = blob.unpacked(limit).ok_or_else(damaged)?;
                    self.blob_line(blob.hash(), bytes, counts).await?;
                }
                Piece::Event(event) if at < upto => {
                    at = event.seq;
                    self.event(&name, *event, bare, counts).await?;
                }
                Piece::Blob(_) | Piece::Event(_) => {}
            }
        }
        match at == upto {
            true => Ok(()),
            false => Err(Stop::Changed(format!("the file of {name} ends too early"))),
        }
    }

    async fn blob(&mut self, hash: BlobHash, counts: &mut Counts) -> Result<(), Stop> {
        // One that was forgotten meanwhile is left out.
        match self.house.store.blob(hash).await? {
            Some(bytes) => self.blob_line(hash, bytes, counts).await,
            None => Ok(()),
        }
    }

    async fn blob_line(&mut self, hash: BlobHash, bytes: Vec<u8>, counts: &mut Counts) -> Result<(), Stop> {
        // The same bytes may lie in the store and in files.
        if !self.blobs.insert(hash) {
            return Ok(());
        }
        counts.blobs += 1;
        self.line(&json!({ "type": "blob", "hash": hash, "bytes": bytes.len(), "data": BASE64.encode(bytes) })).await
    }

    async fn end(&mut self, state: ChainHash, counts: &Counts) -> Result<(), Stop> {
        let sha256 = ChainHash(self.hash.clone().finalize().into());
        let mut line = json!({ "type": "end", "counts": counts, "sha256": sha256 });
        if let Some((key, signature)) = self.house.auditor.sign_bundle(state, sha256) {
            line["key"] = key.to_string().into();
            line["signature"] = hex(&signature).into();
        }
        self.line(&line).await?;
        self.send().await
    }

    async fn line(&mut self, line: &impl Serialize) -> Result<(), Stop> {
        let from = self.waiting.len();
        serde_json::to_writer(&mut self.waiting, line).expect("a line is plain data");
        self.waiting.push(b'\n');
        self.hash.update(&self.waiting[from..]);
        if self.waiting.len() >= PIECE_BYTES { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> Result<(), Stop> {
        let piece = std::mem::take(&mut self.waiting);
        tokio::select! {
            sent = self.sender.send(Ok(piece.into())) => sent.map_err(|_| Stop::Gone),
            () = self.house.stop.cancelled() => Err(Stop::Gone),
        }
    }
}
