//! A journal in appends: what was written at once, told by its time, and which of it had happened, was decided, or began.

use crate::house::House;
use agent::{Event, Limit, Seq, SessionId};
use std::collections::VecDeque;
use store::{JournalId, ReadError};
use wire::Header;

/// Events read at a time.
const PAGE: usize = 256;

/// One event with its words.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) seq: Seq,
    pub(super) header: Header,
    pub(super) body: Option<String>,
}

/// What an event is to the circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It comes from outside: somebody said or did it, or an effect ended.
    Happened,
    /// The brain decided on it.
    Decided,
    /// An effect began.
    Began,
    /// It stands in the place of an effect that did not begin.
    Refused,
}

/// Which part an event plays.
pub(super) fn part(event: &Event) -> Part {
    match event {
        Event::TurnStarted { .. } | Event::TurnResumed { .. } | Event::TurnFinished { .. } => Part::Decided,
        Event::ApprovalRequested { .. } | Event::TurnEnding { limit: Some(Limit::Time), .. } => Part::Decided,
        Event::ModelStarted { .. } | Event::ToolStarted { .. } | Event::AcceptStarted { plan: Some(_), .. } => {
            Part::Began
        }
        Event::TurnEnding { limit: Some(Limit::Context), .. } | Event::BudgetExhausted { .. } => Part::Refused,
        _ => Part::Happened,
    }
}

/// Whether the store wrote the event by itself, so that nothing follows from it in the same append.
pub(super) fn is_border(event: &Event) -> bool {
    matches!(event, Event::SessionForked { .. } | Event::SessionImported {})
}

/// The appends of a session up to an event.
pub(super) struct Groups<'a> {
    house: &'a House,
    session: SessionId,
    until: Seq,
    /// The last event that was read.
    read: Seq,
    waiting: VecDeque<Entry>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(house: &'a House, session: SessionId, until: Seq) -> Groups<'a> {
        Groups { house, session, until, read: Seq(0), waiting: VecDeque::new() }
    }

    /// The next append; an empty one at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<Entry>, ReadError> {
        let mut group: Vec<Entry> = Vec::new();
        loop {
            if self.waiting.is_empty() && self.read < self.until {
                self.fill().await?;
            }
            let belongs = |entry: &Entry| {
                group.last().is_none_or(|last| last.header.at == entry.header.at && !is_border(&entry.header.event))
            };
            match self.waiting.pop_front_if(|entry| belongs(entry)) {
                Some(entry) => group.push(entry),
                None => return Ok(group),
            }
        }
    }

    async fn fill(&mut self) -> Result<(), ReadError> {
        let left = usize::try_from(self.until.0 - self.read.0).unwrap_or(usize::MAX);
        let page = self.house.store.events(JournalId::Session(self.session), self.read, left.min(PAGE)).await?;
        if page.is_empty() {
            self.until = self.read;
        }
        for record in page {
            let header = Header::from_json(&record.header).map_err(|error| ReadError::Damaged {
                what: format!("event {} has a header that cannot be read ({error})", record.seq),
            })?;
            self.read = record.seq;
            self.waiting.push_back(Entry { seq: record.seq, header, body: record.body });
        }
        Ok(())
    }
}
