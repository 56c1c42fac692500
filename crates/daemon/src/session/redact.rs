//! Forgetting: the words of events go, with all that repeats them.
//!
//! The owner does it between turns, in one append: the event that says so, the bodies, blobs and folds that go, the title
//! that was taken from them. Paths of the canvas whose bytes go leave it by the same event (see `canvas`, forgetting).
//! Afterwards the owner reads its session again, so that nothing of it is left in memory either.
//!
//! The session's copies are the registry's: it asks their owners the same.

use super::alike::Alike;
use super::fact::{Fact, Gathered};
use super::fork::erase_picture;
use super::load::{canvas_without, load};
use super::owner::Owner;
use super::perform::unreadable;
use super::saying::{is_a_no, title_of};
use crate::archive;
use agent::{Event, Seq, SessionId};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::JournalId;
use wire::body::{self, Text};
use wire::{BlobHash, Code, Header, Problem};

/// Events that one wish names.
pub(crate) const MOST_EVENTS: usize = 256;
/// The longest reason.
const REASON_BYTES: usize = 1000;

/// What shall be forgotten.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The events, in order, each once. Those that are not there are an error.
    pub(crate) seqs: Vec<Seq>,
    /// Why.
    pub(crate) reason: Option<String>,
    /// What is forgotten in copies by the same wish: it keeps no bytes alive.
    pub(crate) elsewhere: Vec<(SessionId, Vec<Seq>)>,
    /// Titles that were taken from what is forgotten in the original.
    pub(crate) titles: Vec<String>,
}

/// What went.
#[derive(Debug, Clone)]
pub(crate) struct Gone {
    /// The `event.forgotten`; none when all had been forgotten before.
    pub(crate) seq: Option<Seq>,
    /// The events whose words went now.
    pub(crate) forgotten: Vec<Seq>,
    /// Paths that left the canvas.
    pub(crate) paths_left: u32,
    /// Titles that were taken from them.
    pub(crate) titles: Vec<String>,
    /// Whether the picture in git was thrown away, and no file of the archive is left.
    pub(crate) erased: bool,
}

impl Owner {
    /// Forgets. Not cancel-safe: only the owner's own loop awaits it.
    pub(super) async fn redact(&mut self, wish: Wish) -> Result<Gone, Problem> {
        self.may_forget()?;
        let reason = wish.reason.as_deref().map(|reason| self.reason(reason)).transpose()?;
        let mut titles: BTreeSet<String> = wish.titles.iter().cloned().collect();
        let mut seqs: BTreeSet<Seq> = self.whole_of(&wish.seqs, &mut titles).await?;
        if !titles.is_empty() {
            self.with_title(&titles, &mut seqs).await?;
        }
        let seqs: Vec<Seq> = seqs.into_iter().collect();
        let mut gone = Gone {
            seq: None,
            forgotten: seqs.clone(),
            paths_left: 0,
            titles: titles.into_iter().collect(),
            erased: true,
        };
        if !seqs.is_empty() {
            let paths = self.paths_left(&seqs, wish.elsewhere, &mut gone.paths_left).await?;
            let title = self.profile.title.clone();
            let _ = self.profile.title.take_if(|title| gone.titles.contains(title));
            let body = body::Forgotten { reason, paths };
            let fact = Fact::new(Event::EventForgotten { seqs: seqs.clone() }, &body, Gathered::default());
            gone.seq = Some(self.seq_of(0));
            self.forgetting = seqs;
            let outcome = self.happen(vec![fact], None).await;
            self.forgetting.clear();
            if is_a_no(&outcome) {
                self.profile.title = title;
            }
            outcome?;
        }
        // Also where they were forgotten before: whoever asked may never have heard of it.
        self.read_again().await?;
        gone.erased = erase_picture(&self.house, self.profile.workspace.clone()).await;
        gone.erased &= archive::take_away(&self.house, self.id).await;
        Ok(gone)
    }

    /// While something runs, or waits to be written, words may be on their way to where they could not be called back.
    fn may_forget(&self) -> Result<(), Problem> {
        let conflict = |detail: String, remedy: &str| Err(Problem::new(Code::Conflict, detail).remedy(remedy));
        if self.stopping {
            return Err(self.house.draining());
        }
        if self.state.accept_open() || self.accepting.is_some() {
            let detail = format!("an accept is under way in session {} and needs its plan", self.id);
            return conflict(detail, "wait for its end, or give it up: `tinkerbell cancel`; then ask again");
        }
        if self.state.has_work() {
            let detail = format!("a turn is open in session {}, and its next request may need these words", self.id);
            return conflict(
                detail,
                "wait for its end, answer its question, or `tinkerbell cancel` it; then ask again",
            );
        }
        let rests = self.unwritten.is_empty() && self.behind.is_none() && self.running.is_empty();
        if !rests || !self.held.is_empty() || self.stuck.is_some() {
            let detail = format!("session {} has something left to write", self.id);
            return conflict(
                detail,
                "look at `tinkerbell status`, free space on the disk if it is full, and ask again",
            );
        }
        Ok(())
    }

    fn reason(&self, reason: &str) -> Result<String, Problem> {
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > REASON_BYTES {
            let detail = format!("a reason has 1 to {REASON_BYTES} bytes");
            return Err(Problem::new(Code::InvalidRequest, detail).remedy("say it in fewer words"));
        }
        Ok(self.house.catalog.current().secrets.mask(reason).into_owned())
    }

    /// Those of the events that still have their words; the titles that were taken from them are noted.
    async fn whole_of(&self, wanted: &[Seq], titles: &mut BTreeSet<String>) -> Result<BTreeSet<Seq>, Problem> {
        if let Some(missing) = wanted.iter().find(|seq| **seq == Seq(0) || **seq > self.state.head) {
            let detail = format!("session {} has events 1 to {}, not {missing}", self.id, self.state.head);
            return Err(Problem::new(Code::NotFound, detail).remedy("`tinkerbell sessions show --events` numbers them"));
        }
        let records = self.house.store.events_at(JournalId::Session(self.id), wanted).await.map_err(unreadable)?;
        let mut whole = BTreeSet::new();
        for record in records {
            let header = Header::from_json(&record.header)
                .map_err(|error| Problem::new(Code::Internal, format!("event {}: {error}", record.seq)))?;
            if let Event::EventForgotten { .. } = header.event {
                let detail = format!("event {} says what was forgotten, and the canvas needs it", record.seq);
                return Err(
                    Problem::new(Code::Conflict, detail).remedy("leave it out; it holds no words but its reason")
                );
            }
            let Some(text) = record.body else { continue };
            whole.insert(record.seq);
            titles.extend(self.title_from(&header.event, &text).await?);
        }
        Ok(whole)
    }

    /// The title that an event gives, or that was taken from it.
    async fn title_from(&self, event: &Event, text: &str) -> Result<Option<String>, Problem> {
        Ok(match event {
            event if names(event) => body::read::<body::Session>(text).ok().and_then(|session| session.title),
            Event::PromptAccepted { .. } | Event::PromptQueued { .. } | Event::PromptSteered { .. } => {
                let said = match body::read::<body::Prompt>(text).ok().map(|prompt| prompt.text) {
                    Some(Text::Inline(text)) => Some(text),
                    Some(Text::Blob { blob, .. }) => {
                        let bytes = self.house.store.blob(blob).await.map_err(unreadable)?;
                        bytes.and_then(|bytes| String::from_utf8(bytes).ok())
                    }
                    None => None,
                };
                said.map(|text| title_of(&text))
            }
            _ => None,
        })
    }

    /// Adds the events that repeat one of these titles.
    async fn with_title(&self, titles: &BTreeSet<String>, seqs: &mut BTreeSet<Seq>) -> Result<(), Problem> {
        let mut at = Seq(0);
        loop {
            let page =
                self.house.store.events(JournalId::Session(self.id), at, usize::MAX).await.map_err(unreadable)?;
            let Some(last) = page.last() else { return Ok(()) };
            at = last.seq;
            for record in page {
                let Some(body) = record.body.filter(|body| body.contains("\"title\"")) else { continue };
                let event = Header::from_json(&record.header).map(|header| header.event);
                if !event.is_ok_and(|event| names(&event)) {
                    continue;
                }
                let title = body::read::<body::Session>(&body).ok().and_then(|session| session.title);
                if title.is_some_and(|title| titles.contains(&title)) {
                    seqs.insert(record.seq);
                }
            }
        }
    }

    /// What the canvas is afterwards, where what is left of the journal does not say it.
    async fn paths_left(
        &self,
        seqs: &[Seq],
        mut forgets: Vec<(SessionId, Vec<Seq>)>,
        leaving: &mut u32,
    ) -> Result<Vec<body::PathLeft>, Problem> {
        if self.canvas.known_paths() == 0 {
            return Ok(Vec::new());
        }
        let replayed = canvas_without(&self.house, self.id, seqs).await.map_err(unreadable)?;
        let needed: BTreeSet<BlobHash> = self.canvas.needed_blobs().collect();
        forgets.retain(|(session, _)| *session != self.id);
        forgets.push((self.id, seqs.to_vec()));
        let kept = self.house.store.left_after(forgets, needed.into_iter().collect()).await.map_err(unreadable)?;
        let kept: BTreeSet<BlobHash> = kept.into_iter().collect();
        let (paths, left) = self.canvas.forgetting(&replayed, |blob| kept.contains(&blob));
        *leaving = left;
        Ok(paths)
    }

    /// Reads the session anew and lets go of every word that was in memory. The state is the same: it has no words.
    async fn read_again(&mut self) -> Result<(), Problem> {
        self.spoken.clear();
        self.jobs.clear();
        self.lost.clear();
        self.conflicts.clear();
        (self.alike, self.last_failure, self.instructions) = (Alike::default(), None, Arc::default());
        self.stat_cache = Arc::default();
        match load(&self.house, self.id).await {
            Ok(loaded) => {
                debug_assert_eq!(loaded.state, self.state, "forgetting changes no state");
                self.canvas = Arc::new(loaded.canvas);
                self.folded = loaded.folded;
                Ok(())
            }
            Err(error) => {
                // What is in memory must not outlive what is on disk.
                self.gone = true;
                Err(unreadable(error))
            }
        }
    }
}

/// Whether an event may give the session a title.
fn names(event: &Event) -> bool {
    use Event::{SessionCreated, SessionForked, SessionImported, SessionUpdated};
    matches!(event, SessionCreated {} | SessionUpdated {} | SessionForked { .. } | SessionImported {})
}
