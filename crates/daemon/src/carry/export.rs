//! Writing a session's file, a piece at a time, out of what is on disk.

use crate::house::House;
use crate::session::{no_such_session, state_of, unreadable};
use agent::{EffectId, EffectKind, Seq, SessionId, State};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use store::{JournalId, ReadError, Store, Stored, StoredBody, VerifyError};
use wire::export::{
    self, ExportBlob, ExportEvent, ExportHead, ExportPartial, FORMAT, Line, PART_BYTES, SaltText, Voucher,
};
use wire::{BlobHash, ChainHash, Code, Problem};

/// Lines are gathered up to so many bytes before they are sent.
const SEND_BYTES: usize = 256 << 10;

/// A session's file as it stands now, in pieces. One whose chain is damaged is refused: nobody would take its file. The stream ends with an error where the session is removed meanwhile.
pub(crate) async fn export(
    house: &Arc<House>,
    session: SessionId,
) -> Result<impl Stream<Item = Result<Bytes, ReadError>> + Send + use<>, Problem> {
    let store = house.store.clone();
    let listed = store.session(session).await.map_err(unreadable)?.ok_or_else(|| no_such_session(session))?;
    let state = state_of(house, session).await.map_err(unreadable)?;
    if state.accept_open() {
        let detail = format!("an accept is under way in session {session}, and it can only be ended here");
        return Err(Problem::new(Code::Conflict, detail)
            .remedy("ask again in a moment, or give the accept up: `tinkerbell cancel`"));
    }
    store.verify(JournalId::Session(session)).await.map_err(|error| damaged(session, error))?;
    let before = Seq(state.head.0.saturating_sub(1));
    let last = store.stored(JournalId::Session(session), before, state.head).await.map_err(unreadable)?;
    let head = last.first().ok_or_else(|| no_such_session(session))?.hash;
    let mut partials = store.partials(session).await.map_err(unreadable)?;
    partials.retain(|(effect, _)| is_open(&state, *effect));
    let row = listed.row;
    let first = Line::TinkerbellSession(ExportHead {
        format: FORMAT,
        version: crate::VERSION.to_owned(),
        session,
        events: state.head.0,
        head,
        workspace: row.workspace,
        title: row.title,
        model: row.model,
        created_at: row.created,
        updated_at: row.updated,
    });
    let mut writing = Writing {
        store,
        session,
        upto: state.head,
        at: Seq(0),
        page: VecDeque::new(),
        carried: BTreeSet::new(),
        partials: partials.into(),
        voucher: Voucher::default(),
        out: Vec::new(),
        stage: Stage::Events,
    };
    writing.line(&first);
    Ok(stream::unfold(Some(writing), |writing| async move {
        let mut writing = writing?;
        match writing.piece().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(writing))),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(session = %writing.session, %error, "an export broke off");
                Some((Err(error), None))
            }
        }
    }))
}

fn damaged(session: SessionId, error: VerifyError) -> Problem {
    let (seq, what) = match error {
        VerifyError::Event { seq, what, .. } => (seq, what),
        VerifyError::Read(error) => return unreadable(error),
        error => return unreadable(ReadError::Damaged { what: error.to_string() }),
    };
    Problem::new(
        Code::Conflict,
        format!("session {session} is damaged, so no machine would take its file: event {seq} {what}"),
    )
    .remedy("`tinkerbell audit verify` tells all damage; `docs/audit.md` says what it means")
}

fn is_open(state: &State, effect: EffectId) -> bool {
    effect.kind == EffectKind::Model && state.open.contains_key(&effect)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Events,
    Over,
}

struct Writing {
    store: Store,
    session: SessionId,
    upto: Seq,
    /// The last event that was written.
    at: Seq,
    page: VecDeque<Stored>,
    /// Blobs that were written.
    carried: BTreeSet<BlobHash>,
    partials: VecDeque<(EffectId, String)>,
    voucher: Voucher,
    out: Vec<u8>,
    stage: Stage,
}

impl Writing {
    fn line(&mut self, line: &Line) {
        let begins = self.out.len();
        self.out.extend_from_slice(export::write(line).as_bytes());
        self.out.push(b'\n');
        self.voucher.take(&self.out[begins..]);
    }

    /// The next bytes; `None` at the end.
    async fn piece(&mut self) -> Result<Option<Bytes>, ReadError> {
        while self.out.len() < SEND_BYTES && self.stage == Stage::Events {
            self.step().await?;
        }
        let piece = std::mem::take(&mut self.out);
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    /// Writes the next event, with the blobs that come with it; after the last one, what is left.
    async fn step(&mut self) -> Result<(), ReadError> {
        let journal = JournalId::Session(self.session);
        if self.page.is_empty() && self.at < self.upto {
            self.page = self.store.stored(journal, self.at, self.upto).await?.into();
        }
        let Some(mut event) = self.page.pop_front() else { return self.end() };
        while let Some(hash) = event.blobs.iter().find(|hash| !self.carried.contains(hash)).copied() {
            match self.store.packed(hash).await? {
                Some(blob) => {
                    self.blob(&blob);
                    self.carried.insert(hash);
                }
                // Forgotten since the page was read: the event is another one now. Had it not been, the blob is missing.
                None => {
                    let again = self.store.stored(journal, self.at, event.seq).await?.into_iter().next();
                    let gone = || ReadError::Damaged { what: format!("blob {hash} of event {} is missing", event.seq) };
                    event = again.filter(|again| !again.blobs.contains(&hash)).ok_or_else(gone)?;
                }
            }
        }
        self.at = event.seq;
        self.line(&Line::Event(exported(event)));
        Ok(())
    }

    fn blob(&mut self, blob: &store::Blob) {
        let parts = blob.data().chunks(PART_BYTES);
        let (bytes, coding) = (blob.bytes(), blob.coding().to_owned());
        self.line(&Line::Blob(ExportBlob { blob: blob.hash(), bytes, coding, parts: parts.len() as u64 }));
        for part in parts {
            self.line(&Line::Part(BASE64.encode(part)));
        }
    }

    fn end(&mut self) -> Result<(), ReadError> {
        if self.at != self.upto {
            return Err(ReadError::Missing { journal: self.session.to_string(), seq: self.at.next() });
        }
        while let Some((effect, text)) = self.partials.pop_front() {
            self.line(&Line::Partial(ExportPartial { effect, text }));
        }
        self.out.extend_from_slice(self.voucher.end().as_bytes());
        self.out.push(b'\n');
        self.stage = Stage::Over;
        Ok(())
    }
}

fn exported(event: Stored) -> ExportEvent {
    let (body, salt, seal) = match event.body {
        StoredBody::Whole { text, salt } => (Some(text), Some(SaltText(salt)), None),
        StoredBody::Forgotten { seal } => (None, None, Some(ChainHash(seal))),
    };
    ExportEvent { header: event.header, body, salt, seal, hash: event.hash, blobs: event.blobs }
}
