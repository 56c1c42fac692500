//! One append, inside the writer's transaction: checked wholly, then written. Everything here can still be rolled back.

use crate::append::{Append, Appended, FoldRow, JournalId, NewAnswer, NewEvent, NewStart};
use crate::error::{AppendError, Invalid};
use crate::options::Limits;
use crate::query::{self, Head};
use crate::sql::{Hash, Int, Refusal, Time};
use crate::{blob, chain, forget, ledger, list};
use agent::{EffectId, Epoch, Generation, Scope, Seq, SessionId};
use rusqlite::Connection;
use std::mem::size_of;
use wire::ChainHash;
use wire::chain::{Salt, seal};

/// Random bytes for salts, fetched from the kernel for many events at once.
#[derive(Default)]
pub(crate) struct Salts {
    pool: Vec<u8>,
}

impl Salts {
    const POOL_BYTES: usize = 64 * size_of::<Salt>();

    pub(crate) fn next(&mut self) -> Salt {
        if self.pool.is_empty() {
            self.pool.resize(Salts::POOL_BYTES, 0);
            getrandom::fill(&mut self.pool).expect("the kernel gives random bytes to whoever asks");
        }
        let salt = self.pool.split_off(self.pool.len() - size_of::<Salt>());
        salt.try_into().expect("the pool is a whole number of salts")
    }
}

/// Carries one append out.
pub(crate) fn append(
    connection: &Connection,
    append: &Append,
    limits: &Limits,
    salts: &mut Salts,
) -> Result<Appended, Refusal> {
    check_sizes(append, limits)?;
    check_generation(connection, append.generation)?;
    let journal = claim(connection, append)?;
    append_to(connection, append, salts, journal)
}

/// The rest of an append, to a journal whose row and head are known.
pub(crate) fn append_to(
    connection: &Connection,
    append: &Append,
    salts: &mut Salts,
    (row, head): (i64, Head),
) -> Result<Appended, Refusal> {
    if let Some(answer) = &append.answer {
        keep_answer(connection, answer)?;
    }
    if !append.forget.is_empty() {
        forget::forget(connection, row, &append.forget)?;
        forget::count(connection, row)?;
    }
    let mut tail = Tail { connection, append, row, salts, seq: head.seq, hash: head.hash };
    for fact in &append.facts {
        tail.push(fact)?;
    }
    let mut refused = Vec::new();
    for (index, start) in append.starts.iter().enumerate() {
        if let Some(scope) = tail.start(start)? {
            refused.push((index, scope));
        }
    }
    let (seq, hash) = (tail.seq, tail.hash);
    if seq > head.seq {
        move_head(connection, append, row, seq, hash)?;
    }
    keep_beside(connection, append, row)?;
    Ok(Appended { head: seq, hash, refused })
}

/// Sizes, counts and numbers: everything that can be said without looking at what is stored.
pub(crate) fn check_sizes(append: &Append, limits: &Limits) -> Result<(), Invalid> {
    let at_most = |what, size: usize, limit_name, limit: usize| match size > limit {
        true => Err(Invalid::TooLarge { what, size: size as u64, limit_name, limit: limit as u64 }),
        false => Ok(()),
    };
    let text = |what, text: &str| at_most(what, text.len(), "text_bytes", limits.text_bytes);
    let events = append.facts.len() + append.starts.len() + append.forget.len();
    at_most("an append", events, "events_per_append", limits.events_per_append)?;
    let stand_ins = append.starts.iter().filter_map(|start| start.reserve.as_ref());
    let stand_ins = stand_ins.flat_map(|reserve| [&reserve.session, &reserve.per_day]).flatten();
    let starts = append.starts.iter().map(|start| &start.event).chain(stand_ins.map(|ceiling| &ceiling.otherwise));
    for event in append.facts.iter().chain(starts) {
        at_most("a header", event.header.len(), "header_bytes", limits.header_bytes)?;
        at_most("a body", event.body.len(), "body_bytes", limits.body_bytes)?;
    }
    for blob in &append.blobs {
        at_most("a blob", blob.bytes() as usize, "blob_bytes", limits.blob_bytes)?;
    }
    let stored: u64 = append.blobs.iter().map(blob::Blob::stored_bytes).sum();
    at_most("all blobs", stored as usize, "blobs_bytes_per_append", limits.blobs_bytes_per_append)?;
    for fold in &append.folds {
        at_most("a fold", fold.bytes.len(), "fold_bytes", limits.fold_bytes)?;
        text("the kind of a fold", &fold.kind)?;
    }
    if let Some(answer) = &append.answer {
        at_most("an answer", answer.answer.len(), "answer_bytes", limits.answer_bytes)?;
        text("an idempotency key", &answer.key)?;
        text("the scope of an idempotency key", &answer.scope)?;
    }
    if let Some(row) = &append.row {
        text("a workspace", &row.workspace)?;
        text("a title", row.title.as_deref().unwrap_or_default())?;
        text("a state", &row.state)?;
        text("a model", row.model.as_ref().map_or("", |model| model.as_str()))?;
        Int::checked(row.cost.0, "the cost")?;
    }
    for start in &append.starts {
        if let Some(reserve) = &start.reserve
            && !(reserve.day.len() == 10 && reserve.day.starts_with(|first: char| first.is_ascii_digit()))
        {
            return Err(Invalid::Day { day: reserve.day.clone() });
        }
    }
    Int::checked(append.epoch.0, "the epoch")?;
    Int::checked(append.generation.0, "the generation")?;
    match append.journal {
        JournalId::Daemon if append.row.is_some() => Err(Invalid::NotOfDaemon { what: "listing row" }),
        JournalId::Daemon if append.waking => Err(Invalid::NotOfDaemon { what: "work left" }),
        JournalId::Daemon | JournalId::Session(_) => Ok(()),
    }
}

/// An older generation is refused everywhere, a newer one is the newest from now on.
pub(crate) fn check_generation(connection: &Connection, generation: Generation) -> Result<(), Refusal> {
    let newest = Generation(query::meta(connection, "generation")?);
    if generation < newest {
        return Err(AppendError::Generation { newest }.into());
    }
    if generation > newest {
        connection
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('generation', ?)")?
            .execute([Int(generation.0)])?;
    }
    Ok(())
}

/// The journal's row and head, provided that the owner has it or claims it, and knows its head.
fn claim(connection: &Connection, append: &Append) -> Result<(i64, Head), Refusal> {
    let start = Head { seq: Seq(0), hash: ChainHash::START, epoch: append.epoch, generation: append.generation };
    let known = query::head(connection, append.journal)?;
    let head = known.map_or(start, |(_, head)| head);
    if append.epoch < head.epoch {
        return Err(AppendError::Epoch { current: head.epoch }.into());
    }
    if append.after != head.seq {
        return Err(AppendError::Stale { head: head.seq }.into());
    }
    match known {
        Some((row, _)) => Ok((row, head)),
        None if append.facts.is_empty() && append.starts.is_empty() => Err(Invalid::NoJournal.into()),
        None => {
            check_unused(connection, append.journal)?;
            let row = connection
                .prepare_cached("INSERT INTO journals (name, seq, hash, epoch, generation) VALUES (?, 0, ?, ?, ?)")?
                .insert((append.journal.to_string(), Hash(head.hash.0), Int(head.epoch.0), Int(head.generation.0)))?;
            Ok((row, head))
        }
    }
}

/// The name of a removed session stays taken, so that an owner who missed the removal does not make it anew.
pub(crate) fn check_unused(connection: &Connection, journal: JournalId) -> Result<(), Refusal> {
    let used = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM journals WHERE name = ?)")?
        .query_row([journal.to_string()], |row| row.get(0))?;
    if used { Err(Invalid::Unusable { journal: journal.to_string() }.into()) } else { Ok(()) }
}

/// The growing end of a journal.
struct Tail<'a> {
    connection: &'a Connection,
    append: &'a Append,
    row: i64,
    salts: &'a mut Salts,
    seq: Seq,
    hash: ChainHash,
}

impl Tail<'_> {
    fn journal(&self) -> (JournalId, i64) {
        (self.append.journal, self.row)
    }

    /// Adds an event with what hangs on it.
    fn push(&mut self, event: &NewEvent) -> Result<(), Refusal> {
        let seq = self.seq.next();
        check_texts(seq, event)?;
        let salt = self.salts.next();
        let hash = self.hash.next(event.header.as_bytes(), &seal(&salt, event.body.as_bytes()));
        self.connection
            .prepare_cached("INSERT INTO events (journal, seq, header, body, salt, hash) VALUES (?, ?, ?, ?, ?, ?)")?
            .execute((self.row, Int(seq.0), &event.header, &event.body, salt, Hash(hash.0)))?;
        blob::hold(self.connection, self.row, seq, &event.blobs, &self.append.blobs)?;
        for settle in &event.settle {
            ledger::settle(self.connection, self.journal(), settle)?;
        }
        for effect in &event.ends {
            drop_partial(self.connection, self.row, *effect)?;
        }
        (self.seq, self.hash) = (seq, hash);
        Ok(())
    }

    /// Adds a start with the money it needs, or the event that stands in for it. The limits are asked before anything
    /// is written, so a refused start needs no savepoint of its own.
    fn start(&mut self, start: &NewStart) -> Result<Option<Scope>, Refusal> {
        let Some(reserve) = &start.reserve else { return self.push(&start.event).map(|()| None) };
        let refused = ledger::refusal(self.connection, self.append.journal, reserve)?;
        match refused {
            Some((_, ceiling)) => self.push(&ceiling.otherwise)?,
            None => {
                ledger::reserve(self.connection, self.journal(), reserve)?;
                self.push(&start.event)?;
            }
        }
        Ok(refused.map(|(scope, _)| scope))
    }
}

/// The only look into a header and a body: the place must be the one that the event gets, and both must be objects,
/// because an update is made by splicing one into the other.
fn check_texts(seq: Seq, event: &NewEvent) -> Result<(), Invalid> {
    let rest = event.header.strip_prefix("{\"seq\":").and_then(|rest| rest.strip_prefix(&*seq.to_string()));
    if !rest.is_some_and(|rest| rest.starts_with(',') && rest.ends_with('}')) {
        return Err(Invalid::Header { expected: seq });
    }
    match event.body.starts_with('{') && event.body.ends_with('}') {
        true => Ok(()),
        false => Err(Invalid::Body { seq }),
    }
}

fn move_head(connection: &Connection, append: &Append, row: i64, seq: Seq, hash: ChainHash) -> Result<(), Refusal> {
    connection
        .prepare_cached("UPDATE journals SET seq = ?, hash = ?, epoch = ?, generation = ? WHERE id = ?")?
        .execute((Int(seq.0), Hash(hash.0), Int(append.epoch.0), Int(append.generation.0), row))?;
    chain::add_link(connection, (append.journal, row), seq, hash)?;
    Ok(())
}

/// What is kept in the same transaction: the listing row, the waking table, folds.
fn keep_beside(connection: &Connection, append: &Append, row: i64) -> Result<(), Refusal> {
    if let JournalId::Session(_) = append.journal {
        let change = match append.waking {
            true => "INSERT OR IGNORE INTO waking (journal) VALUES (?)",
            false => "DELETE FROM waking WHERE journal = ?",
        };
        connection.prepare_cached(change)?.execute([row])?;
    }
    if let Some(shown) = &append.row {
        list::write(connection, row, shown)?;
    }
    for fold in &append.folds {
        keep_fold(connection, row, fold)?;
    }
    Ok(())
}

fn keep_fold(connection: &Connection, row: i64, fold: &FoldRow) -> Result<(), Refusal> {
    let seq = Int::checked(fold.seq.0, "the place of a fold")?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO folds (journal, kind, format, seq, bytes) VALUES (?, ?, ?, ?, ?)")?
        .execute((row, &fold.kind, fold.format, seq, &fold.bytes))?;
    Ok(())
}

/// Expired answers removed with each new one: more than one, so that the table shrinks to those that hold.
const EXPIRED_AT_ONCE: u32 = 16;

/// Keeps an answer, unless the key has one; two requests under one key that come at once are told apart here.
fn keep_answer(connection: &Connection, new: &NewAnswer) -> Result<(), Refusal> {
    if let Some(given) = query::answer(connection, &new.scope, &new.key, new.now)? {
        return Err(AppendError::Answered(given).into());
    }
    connection
        .prepare_cached("DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE expires <= ? LIMIT ?)")?
        .execute((Time(new.now), EXPIRED_AT_ONCE))?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO answers (scope, key, body_hash, answer, expires) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute((&new.scope, &new.key, Hash(new.body_hash.0), &new.answer, Time(new.expires)))?;
    Ok(())
}

/// Keeps what a running model call has said so far.
pub(crate) fn save_partial(
    connection: &Connection,
    session: SessionId,
    epoch: Epoch,
    effect: EffectId,
    text: &str,
    limits: &Limits,
) -> Result<(), Refusal> {
    if text.len() > limits.partial_bytes {
        let (what, size, limit) = ("a partial text", text.len() as u64, limits.partial_bytes as u64);
        return Err(Invalid::TooLarge { what, size, limit_name: "partial_bytes", limit }.into());
    }
    let (row, head) = query::head(connection, JournalId::Session(session))?.ok_or(Invalid::NoJournal)?;
    if epoch != head.epoch {
        return Err(AppendError::Epoch { current: head.epoch }.into());
    }
    Ok(keep_partial(connection, row, effect, text)?)
}

/// The row of a partial text.
pub(crate) fn keep_partial(connection: &Connection, row: i64, effect: EffectId, text: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO partials (journal, effect, text) VALUES (?, ?, ?)")?
        .execute((row, effect.to_string(), text))?;
    Ok(())
}

fn drop_partial(connection: &Connection, row: i64, effect: EffectId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM partials WHERE journal = ? AND effect = ?")?
        .execute((row, effect.to_string()))?;
    Ok(())
}

/// Counts a reopening; the synced commit that must succeed before heads are read again.
pub(crate) fn count_reopening(connection: &Connection) -> rusqlite::Result<()> {
    let before = query::meta(connection, "reopened")?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('reopened', ?)")?
        .execute([Int(before + 1)])?;
    Ok(())
}
