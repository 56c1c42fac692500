//! From the journal to words: what the index reads there, in pages that are bounded in events and bytes.

use crate::archive;
use crate::blob;
use crate::error::ReadError;
use crate::options::Limits;
use crate::sql::{Hash, Int};
use agent::{Micros, Seq};
use rusqlite::{Connection, OptionalExtension};
use tracing::warn;
use wire::body::Text;
use wire::{ChainHash, time};

/// What kind of words an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WordsKind {
    /// What the session is called. A session has one title: a later one takes the place of all before.
    Title,
    /// What a person said.
    Prompt,
    /// What a model said.
    Reply,
}

/// Which words events have: the store does not know what events mean, so whoever opens it says so. Both functions see
/// what is stored, which may be of any version; for what they do not know they say `None`.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// The kind of words of the event with this header, if it has any. Bodies of others are not even read.
    pub kind: fn(header: &str) -> Option<WordsKind>,
    /// The words in the body of such an event; a text in a blob is fetched.
    pub text: fn(kind: WordsKind, body: &str) -> Option<Text>,
}

/// Blobs larger than this are not searched: they would have to be unpacked wholly.
const BLOB_BYTES: u64 = 4 << 20;
/// Events looked at in one read transaction.
const PAGE_EVENTS: usize = 4096;
/// Bytes of words that one page holds, apart from its last text.
const PAGE_BYTES: usize = 1 << 20;

/// A text on its way into the index.
#[derive(Debug)]
pub(super) struct Doc {
    pub(super) journal: i64,
    pub(super) seq: Seq,
    pub(super) kind: WordsKind,
    pub(super) at: Micros,
    pub(super) text: String,
}

/// How far the chain of heads and the count of forgettings have come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The newest link.
    pub(super) place: u64,
    /// The hash of the link that was asked about.
    pub(super) asked: Option<ChainHash>,
    /// The count of forgettings.
    pub(super) forgettings: u64,
    /// The journals in which something was forgotten since the one that was asked about.
    pub(super) forgotten: Vec<i64>,
}

/// Reads the marks.
pub(super) fn marks(connection: &Connection, place: u64, forgettings: u64) -> Result<Marks, ReadError> {
    let moment = connection.unchecked_transaction()?;
    let newest: Option<Int> = moment.query_row("SELECT max(place) FROM heads", (), |row| row.get(0))?;
    let asked: Option<Hash> = moment
        .prepare_cached("SELECT hash FROM heads WHERE place = ?")?
        .query_row([Int(place)], |row| row.get(0))
        .optional()?;
    let (forgettings, forgotten) = crate::forget::forgettings(&moment, forgettings)?;
    Ok(Marks { place: newest.map_or(0, |place| place.0), asked: asked.map(ChainHash::from), forgettings, forgotten })
}

/// A link of the chain of heads, of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) place: u64,
    pub(super) hash: ChainHash,
    pub(super) journal: i64,
    /// 0 says that the session was removed.
    pub(super) seq: Seq,
    pub(super) session: bool,
}

/// Links after a place.
pub(super) fn links(connection: &Connection, after: u64, limit: usize) -> Result<Vec<Link>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT h.place, h.hash, h.journal, h.seq, j.name <> 'daemon' FROM heads h JOIN journals j ON j.id = h.journal
         WHERE h.place > ? ORDER BY h.place LIMIT ?",
    )?;
    let links = statement.query_map((Int(after), Int(limit as u64)), |row| {
        let (place, hash) = (row.get::<_, Int>(0)?.0, row.get::<_, Hash>(1)?.into());
        Ok(Link { place, hash, journal: row.get(2)?, seq: row.get::<_, Int>(3)?.into(), session: row.get(4)? })
    })?;
    Ok(links.collect::<rusqlite::Result<_>>()?)
}

/// Events of a journal that are wanted: those after `after`, up to `upto`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub(super) journal: i64,
    pub(super) after: Seq,
    pub(super) upto: Seq,
}

/// Reads the words of what is wanted until the page is full, and takes from `wants` what it has read. What was archived
/// meanwhile is given beside: it counts as not taken in, so that it is when it comes back.
pub(super) fn read(
    connection: &Connection,
    wants: &mut Vec<Want>,
    vocabulary: Vocabulary,
    limits: &Limits,
) -> Result<(Vec<Doc>, Vec<i64>), ReadError> {
    let moment = connection.unchecked_transaction()?;
    let mut statement = moment.prepare_cached(
        "SELECT seq, header, body FROM events WHERE journal = ? AND seq > ? AND seq <= ? ORDER BY seq",
    )?;
    let (mut docs, mut away, mut events, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    while let Some(want) = wants.last_mut() {
        if archive::is_away(&moment, want.journal)? {
            away.push(want.journal);
            wants.pop();
            continue;
        }
        let mut rows = statement.query((want.journal, Int(want.after.0), Int(want.upto.0)))?;
        while let Some(row) = rows.next()? {
            if events == PAGE_EVENTS || bytes >= PAGE_BYTES {
                return Ok((docs, away));
            }
            events += 1;
            want.after = row.get::<_, Int>(0)?.into();
            let header = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let Some(kind) = (vocabulary.kind)(header) else { continue };
            let body = row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            let text = body.and_then(|body| (vocabulary.text)(kind, body));
            let Some(text) = text.and_then(|text| fetch(&moment, text, limits.searched_bytes)) else { continue };
            bytes += text.len();
            docs.push(Doc { journal: want.journal, seq: want.after, kind, at: made_at(header), text });
        }
        wants.pop();
    }
    Ok((docs, away))
}

/// The beginning of a text, without control characters. A blob that cannot be read is left out: it shows where it
/// matters, and the rest can be searched all the same.
fn fetch(connection: &Connection, text: Text, most: usize) -> Option<String> {
    let text = match text {
        Text::Inline(text) => text,
        Text::Blob { blob, bytes } if bytes <= BLOB_BYTES => {
            let read = blob::read(connection, blob, BLOB_BYTES as usize);
            let bytes = read.inspect_err(|error| warn!(%error, "a text cannot be searched")).ok().flatten()?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Text::Blob { .. } => return None,
    };
    let text = &text[..text.floor_char_boundary(most)];
    Some(text.replace(|letter: char| letter.is_control(), " ")).filter(|text| !text.trim().is_empty())
}

/// When the event was made, as its header says: `wire` writes it right behind the place.
fn made_at(header: &str) -> Micros {
    let text = header.split_once("\"at\":\"").and_then(|(_, rest)| rest.split_once('"'));
    text.and_then(|(text, _)| time::read(text)).unwrap_or(Micros(0))
}

/// Those of these events that have their words no more; `None` of a journal that is archived, where nobody can tell.
pub(super) fn wordless(connection: &Connection, journal: i64, seqs: &[Seq]) -> Result<Option<Vec<Seq>>, ReadError> {
    let connection = connection.unchecked_transaction()?;
    if archive::is_away(&connection, journal)? {
        return Ok(None);
    }
    let mut statement = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE journal = ? AND seq = ? AND body IS NOT NULL)")?;
    let mut gone = Vec::new();
    for seq in seqs {
        if !statement.query_row((journal, Int(seq.0)), |row| row.get::<_, bool>(0))? {
            gone.push(*seq);
        }
    }
    Ok(Some(gone))
}
