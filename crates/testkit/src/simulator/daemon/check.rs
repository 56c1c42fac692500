//! Writing up the books, and holding every promise against them.

use super::super::invariant::{Checked, Invariant, hold};
use super::book::Book;
use super::life::Life;
use super::machine::{Machine, Stretch, broken};
use super::people::Kind;
use super::treachery::Treachery;
use agent::{EffectId, Question, Seq, SessionId, State, TurnOutcome};
use axum::http::StatusCode;
use serde_json::Value;
use std::collections::BTreeMap;
use store::{Account, JournalId, ListQuery, ReadError, Store};
use wire::Record;

/// Events read at a time.
const PAGE: usize = 1_000;

impl Machine {
    /// The questions that wait for somebody.
    pub(super) fn questions(&self) -> impl Iterator<Item = (SessionId, EffectId, Question)> + '_ {
        let books = self.books.values().filter(|book| !book.removed);
        books.flat_map(|book| book.audit.questions().iter().map(|(effect, question)| (book.id, *effect, *question)))
    }

    /// An answer came.
    pub(super) fn answered(&mut self, number: u64, status: StatusCode, value: Value) -> Checked {
        if self.treachery == Some(Treachery::AnswerLost) && number.is_multiple_of(5) {
            return Ok(());
        }
        let Some(asked) = self.waiting.remove(&number) else { return Ok(()) };
        if self.stretch == Stretch::Hurt && asked.key.is_some() && self.random.chance(7) {
            self.tell(format_args!("answer {number} is lost on its way"));
            self.common.coverage.count("answer", "lost");
            self.send_again(asked);
            return Ok(());
        }
        self.answers += 1;
        let code = value["code"].as_str().unwrap_or_default().to_owned();
        let shown = if status.is_success() { String::new() } else { format!(": {code}: {}", value["detail"]) };
        self.tell(format_args!("answer {number}: {}{shown}", status.as_u16()));
        if !status.is_success() {
            let faultless = code != "internal" || self.stretch == Stretch::Hurt;
            hold(faultless, Invariant::NoFaults, || format!("answer {number}{shown}"))?;
            let passes =
                ["outcome_unknown", "storage_full", "draining", "read_only", "conflict"].contains(&code.as_str());
            if let (Some(Treachery::FalseAcknowledgement), Kind::Prompt(session, prompt)) = (self.treachery, asked.kind)
            {
                self.acknowledged.push((prompt, session, Seq(1)));
            }
            if let (Some(Treachery::FalseRemoval), Kind::Remove(session)) = (self.treachery, asked.kind) {
                let book = self.books.get_mut(&session);
                book.into_iter().for_each(|book| book.remove(&mut self.common));
            }
            if passes {
                self.send_again(asked);
            }
            return Ok(());
        }
        self.common.coverage.count("done", asked.kind.word());
        match asked.kind {
            Kind::Create(prompt) | Kind::Prompt(_, prompt) => {
                let session = value["session"].as_str().and_then(|session| session.parse().ok());
                let (Some(session), Some(seq)) = (session, value["seq"].as_u64()) else {
                    return hold(false, Invariant::AcknowledgedStays, || format!("answer {number} is {value}"));
                };
                self.acknowledged.push((prompt, session, Seq(seq)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads what is new in all journals, and holds it against every promise.
    pub(super) async fn write_up(&mut self, life: &mut Life<'_>) -> Checked {
        let store = life.registry.house().store.clone();
        let commits = store.health().commits;
        if life.commits == Some(commits) && self.acknowledged.is_empty() {
            self.forget_replaced();
            return Ok(());
        }
        match self.read_all(&store).await {
            Ok(outcome) => outcome?,
            // The journal cannot be read just now, as after a power cut; what it holds is looked at later.
            Err(error) => {
                self.common.coverage.count("books", "unreadable");
                return if matches!(error, ReadError::Damaged { .. }) && self.treachery.is_none() {
                    Err(broken("the journal", &error))
                } else {
                    Ok(())
                };
            }
        }
        life.commits = Some(commits);
        self.forget_replaced();
        self.compare()
    }

    /// All that was decided up to now is written up, so a configuration that another has replaced counts no more.
    fn forget_replaced(&mut self) {
        let replaced = self.common.in_force.len().saturating_sub(1);
        if replaced > 0 {
            self.common.in_force.drain(..replaced);
            self.limit();
        }
    }

    async fn read_all(&mut self, store: &Store) -> Result<Checked, ReadError> {
        let listed = store.list(ListQuery { limit: 200, ..ListQuery::default() }).await?;
        let ids: BTreeMap<SessionId, Seq> = listed.iter().map(|row| (row.session, row.head)).collect();
        let mut removed = false;
        for book in self.books.values_mut().filter(|book| !book.removed && !ids.contains_key(&book.id)) {
            if let Err(breach) = hold(book.removal_asked, Invariant::AcknowledgedStays, || {
                format!("session {} is not there any more, and nobody removed it", book.number)
            }) {
                return Ok(Err(breach));
            }
            book.remove(&mut self.common);
            removed = true;
            self.common.coverage.count("session", "removed");
        }
        let new = |(id, head): (&SessionId, &Seq)| self.books.get(id).is_none_or(|book| book.head() < *head);
        self.common.alone = ids.iter().filter(|one| new(*one)).count() <= 1;
        for (id, head) in ids.iter().map(|(id, head)| (*id, *head)) {
            let number = self.books.len() + 1;
            if !self.books.contains_key(&id) {
                self.books.insert(id, Book::new(id, number, &self.common.limits()));
                self.tell(format_args!("session {number} is there"));
            }
            let book = self.books.get_mut(&id).expect("it was just put there");
            if book.removed {
                return Ok(hold(false, Invariant::RemovedStaysRemoved, || format!("session {}", book.number)));
            }
            if head <= book.head() {
                continue;
            }
            let records = records(store, id, book.head()).await?;
            if let Err(breach) = book.take(&records, &mut self.common) {
                return Ok(Err(breach));
            }
            if let Some(fold) = store.fold(id, "state").await?
                && fold.seq == book.head()
            {
                let state: Option<State> = serde_json::from_slice(&fold.bytes).ok();
                let same = state.as_ref() == Some(&book.state);
                if let Err(breach) = hold(same, Invariant::ReplayIsLive, || {
                    format!("session {}: the fold is {state:?}\n  replay is {:?}", book.number, book.state)
                }) {
                    return Ok(Err(breach));
                }
            }
        }
        self.ledger(store, removed).await
    }

    /// Accounts are the sum of what the headers say.
    async fn ledger(&mut self, store: &Store, removed: bool) -> Result<Checked, ReadError> {
        for book in self.books.values().filter(|book| !book.removed) {
            let account = store.spent(Account::Session(book.id)).await?;
            let (settled, aside) = (book.state.cost, book.reserved());
            let equal = account.settled == settled && account.reserved == aside;
            if !equal {
                return Ok(hold(false, Invariant::MoneyOnce, || {
                    format!("session {}: ledger {account:?}, headers {settled:?} and {aside:?}", book.number)
                }));
            }
        }
        for (day, aside) in &self.common.aside {
            let account = store.spent(Account::Day(day.clone())).await?;
            let (settled, aside) = (self.common.settled.get(day).copied().unwrap_or_default(), *aside);
            // The last words of a session that was just removed, and with them what its calls really cost, may never have
            // been read.
            if removed {
                self.common.settled.insert(day.clone(), account.settled);
            }
            let equal = (account.settled == settled || removed) && account.reserved == aside;
            if !equal {
                return Ok(hold(false, Invariant::DayIsTheSum, || {
                    format!("{day}: ledger {account:?}, headers {settled:?} and {aside:?}")
                }));
            }
        }
        Ok(Ok(()))
    }

    /// What can be said once the books are written up.
    fn compare(&mut self) -> Checked {
        for (prompt, session, seq) in std::mem::take(&mut self.acknowledged) {
            let gone = self.books.get(&session).is_some_and(|book| book.removed);
            let stands = self.common.prompts.get(&prompt) == Some(&(session, seq));
            hold(gone || stands, Invariant::AcknowledgedStays, || {
                format!("prompt {prompt} was acknowledged at {seq} of {}", self.name(session))
            })?;
        }
        let world = self.stage.world();
        hold(world.forbidden_rings.is_empty(), Invariant::TighteningHolds, || {
            format!("bells {:?} were rung after it was acknowledged that none may be", world.forbidden_rings)
        })?;
        for (label, times) in &world.rung {
            let may = self.common.may_ring.get(label).copied();
            // A session that was removed took with it what it had on disk.
            let unknown = may.is_none() && self.books.values().any(|book| book.removal_asked);
            hold(may.is_some() || unknown, Invariant::StartsAreDurable, || {
                format!("bell {label} was rung, not started")
            })?;
            hold(may.is_none_or(|may| *times <= may), Invariant::WorldChangesOnce, || {
                format!("bell {label} was rung {times} times and may be {may:?} times")
            })?;
        }
        drop(world);
        for watcher in &self.watchers {
            let journal = self.books.get(&watcher.session).map(|book| &book.updates[..]);
            watcher.check(journal.unwrap_or_default())?;
        }
        Ok(())
    }

    /// A daemon has begun: all that was ever seen is there, unaltered, and so is what follows from it.
    pub(super) async fn recheck(&mut self, life: &mut Life<'_>) -> Checked {
        let store = life.registry.house().store.clone();
        for book in self.books.values().filter(|book| !book.removed) {
            let records = match records(&store, book.id, Seq(0)).await {
                Ok(records) => records,
                Err(error) => return Err(broken("the journal", &error)),
            };
            if records.is_empty() && book.removal_asked {
                continue;
            }
            let same = book.headers.iter().zip(&records).all(|(header, record)| *header == record.header);
            hold(same && records.len() >= book.headers.len(), Invariant::AcknowledgedStays, || {
                format!("session {} had {} events and has {}", book.number, book.headers.len(), records.len())
            })?;
        }
        Ok(())
    }

    /// All is well, and everything that was begun has ended.
    pub(super) async fn last_look(&mut self, life: &mut Life<'_>) -> Checked {
        for book in self.books.values().filter(|book| !book.removed) {
            book.audit.rests()?;
            let last = book.audit.last_outcome();
            hold(last == Some(TurnOutcome::Done), Invariant::Heals, || {
                format!("session {}: the last turn ended {last:?}", book.number)
            })?;
        }
        let store = life.registry.house().store.clone();
        self.verify(&store).await?;
        self.stop(life).await.map(drop)
    }

    /// Every chain verifies.
    async fn verify(&self, store: &Store) -> Checked {
        for book in self.books.values().filter(|book| !book.removed) {
            let verified = store.verify(JournalId::Session(book.id)).await;
            hold(verified.is_ok(), Invariant::ChainsVerify, || format!("session {}: {verified:?}", book.number))?;
        }
        let heads = store.verify_heads().await;
        hold(heads.is_ok(), Invariant::ChainsVerify, || format!("heads: {heads:?}"))
    }
}

/// All events after a place.
async fn records(store: &Store, session: SessionId, after: Seq) -> Result<Vec<Record>, ReadError> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let from = records.last().map_or(after, |last| last.seq);
        let page = store.events(JournalId::Session(session), from, PAGE).await?;
        if page.is_empty() {
            return Ok(records);
        }
        records.extend(page);
    }
}
