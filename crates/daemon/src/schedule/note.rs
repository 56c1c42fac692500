//! What the keeper writes: to the daemon's journal first, and then it is so.

use super::fold::Fold;
use super::keeper::Keeper;
use crate::journal::{NoteError, Notes};
use agent::{Event, PauseCause, ScheduleId, Seq};
use store::{AppendError, FoldRow, JournalId, ReadError, Store};
use wire::{Code, Header, Problem};

/// The fold's name in the store.
const KIND: &str = "schedules";
/// Events of the daemon's journal after which the fold is written again, so that a start reads no more than these.
const EVENTS_PER_FOLD: u64 = 256;
/// Events read at a time.
const PAGE: usize = 1024;

/// Reads the fold and the events after it; the second is the last event in the fold on disk.
pub(super) async fn load(store: &Store) -> Result<(Fold, Seq), ReadError> {
    let row = store.fold_of(JournalId::Daemon, KIND).await?.filter(|row| row.format == Fold::FORMAT);
    let kept: Option<Fold> = row.and_then(|row| serde_json::from_slice(&row.bytes).ok());
    let mut fold = kept.unwrap_or_default();
    let folded = fold.head;
    loop {
        let page = store.events(JournalId::Daemon, fold.head, PAGE).await?;
        let Some(last) = page.last().map(|record| record.seq) else { return Ok((fold, folded)) };
        for record in page {
            match Header::from_json(&record.header) {
                Ok(header) => fold.apply(record.seq, header.at, &header.event),
                Err(error) => tracing::warn!(seq = %record.seq, %error, "an event of the daemon cannot be read"),
            }
        }
        fold.head = last;
    }
}

impl Keeper {
    /// Reads the schedules, unless what is known is what is on disk.
    pub(super) async fn fresh(&mut self) -> Result<(), Problem> {
        if !self.stale {
            return Ok(());
        }
        match load(&self.registry.house().store).await {
            Ok((fold, folded)) => {
                (self.fold, self.folded, self.stale) = (fold, folded, false);
                self.forget_whens();
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the schedules cannot be read");
                Err(unread(error.to_string()))
            }
        }
    }

    /// Writes events that are true together, and takes them in. On an error nothing of it happened, or the fold is read
    /// anew, now or before anything else is done, and has what did.
    pub(super) async fn note(&mut self, events: Vec<(Event, String)>, forget: Vec<Seq>) -> Result<(), Problem> {
        // Whoever decided on these events went by what may not be so any more.
        if self.stale {
            return Err(unread("it is not known how the schedules stand; nothing was written".to_owned()));
        }
        let (at, count) = (self.clock.now(), events.len() as u64);
        let happened: Vec<Event> = events.iter().map(|(event, _)| event.clone()).collect();
        let lost_fold = !forget.is_empty();
        let notes = Notes { events, forget, fold: None };
        match self.registry.house().journal.note_all(at, notes).await {
            Ok(last) => {
                for (seq, event) in (last.0 + 1 - count..).zip(&happened) {
                    self.fold.apply(Seq(seq), at, event);
                }
                if lost_fold {
                    self.folded = Seq(0);
                }
                Ok(())
            }
            Err(error) => Err(self.refused(error).await),
        }
    }

    /// One event without words.
    pub(super) async fn note_bare(&mut self, event: Event) -> Result<(), Problem> {
        self.note(vec![(event, "{}".to_owned())], Vec::new()).await
    }

    /// Lets a schedule rest.
    pub(super) async fn rest(&mut self, schedule: ScheduleId, cause: PauseCause) -> Result<(), Problem> {
        self.note_bare(Event::SchedulePaused { schedule, cause }).await
    }

    /// Writes the fold where enough has happened, in this room or in others: a start shall read little.
    pub(super) async fn write_fold(&mut self, now: bool) {
        // What is not known to be missing in the fold would be missing for good.
        if self.stale {
            return;
        }
        let journal = &self.registry.house().journal;
        // Nobody else writes events of schedules, so what came from others is in the fold already.
        self.fold.head = self.fold.head.max(*journal.follow().borrow());
        if self.fold.head == self.folded || !(now || self.fold.head.0 >= self.folded.0 + EVENTS_PER_FOLD) {
            return;
        }
        let bytes = serde_json::to_vec(&self.fold).expect("a fold is plain data");
        let fold = FoldRow { kind: KIND.to_owned(), format: Fold::FORMAT, seq: self.fold.head, bytes };
        // Whatever comes of it: it is not tried again before as much has happened anew.
        self.folded = self.fold.head;
        let notes = Notes { fold: Some(fold), ..Notes::default() };
        if let Err(error) = journal.note_all(self.clock.now(), notes).await {
            tracing::warn!(%error, "the fold of the schedules could not be written");
        }
    }

    async fn refused(&mut self, error: NoteError) -> Problem {
        let detail = error.to_string();
        let code = match error {
            // Nothing was tried, so what is known is still so.
            NoteError::Read(ReadError::Closed) => self.leave(&detail),
            NoteError::Read(_) => return unread(detail),
            NoteError::Append(error) => match error {
                AppendError::Full | AppendError::Locked => Code::StorageFull,
                AppendError::ReadOnly => Code::ReadOnly,
                AppendError::OutcomeUnknown => {
                    self.stale = true;
                    // Where that fails, it is tried again before anything else is done.
                    let _ = self.fresh().await;
                    Code::OutcomeUnknown
                }
                AppendError::Generation { .. } | AppendError::Epoch { .. } | AppendError::Closed => self.leave(&detail),
                AppendError::Stale { .. } | AppendError::Answered(_) => Code::Conflict,
                AppendError::Invalid(_) => Code::Internal,
            },
        };
        Problem::new(code, detail).remedy("look with `tinkerbell schedule ls` before you ask again")
    }

    fn leave(&mut self, detail: &str) -> Code {
        tracing::warn!(detail, "nobody keeps the schedules here any more");
        self.gone = true;
        Code::Draining
    }
}

/// What is said while the journal cannot be read. Nothing of what was asked for was done.
pub(super) fn unread(detail: String) -> Problem {
    Problem::new(Code::OutcomeUnknown, detail).remedy("look after the disk, then try again")
}
