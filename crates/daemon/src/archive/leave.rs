//! The ways out of the journal and back. Whoever calls these has seen to it that the session has no owner.

use super::file::{Sheet, Wanted, pieces, read_back};
use super::shelf::sync_directory;
use crate::carry;
use crate::house::House;
use crate::lock::private_directory;
use crate::session::{no_such_session, refused, unreadable};
use agent::{Seq, SessionId};
use bytes::Bytes;
use futures_util::StreamExt;
use std::collections::BTreeSet;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use store::{AppendError, Archive, Archived, Fate, Filed, JournalId, Store, Unarchive};
use tokio::sync::mpsc;
use wire::rest::SessionArchived;
use wire::{Code, Problem};

/// The most sessions that are archived at a time: so many names, and no more, a snapshot takes along.
const MOST_ARCHIVED: u64 = 60_000;
/// Pieces of a file that wait for the disk.
const WAITING: usize = 4;

/// Lets a session leave the journal for a file. At each moment it is wholly in the one or wholly in the other.
pub(crate) async fn put_away(house: &Arc<House>, session: SessionId) -> Result<SessionArchived, Problem> {
    let _line = house.shelf.line.acquire().await.expect("it is never closed");
    let head = house.store.head(JournalId::Session(session)).await.map_err(unreadable)?;
    let head = head.ok_or_else(|| no_such_session(session))?;
    if house.store.archive_sum().await.map_err(unreadable)?.0 >= MOST_ARCHIVED {
        let detail = format!("{MOST_ARCHIVED} sessions are archived already, which is the limit MOST_ARCHIVED");
        return Err(Problem::new(Code::LimitReached, detail).remedy("export those you want to keep, and remove some"));
    }
    // The index of search takes in what was said while it can still be read; what it misses, it takes in at the return.
    let _ = house.store.follow_search().await;
    let (bytes, sha256) = write(house, session, head.seq).await?;
    let wanted = Wanted { session, head: head.seq, hash: head.hash, bytes, sha256 };
    if let Err(problem) = place(house, wanted).await {
        let fresh = house.shelf.new_path(session, head.seq);
        let _ = house.tasks.chore(move || std::fs::remove_file(fresh)).await;
        return Err(problem);
    }
    let file = Filed { at: house.clock.now(), bytes, sha256 };
    let archive = Archive { session, generation: house.generation, head: head.seq, hash: head.hash, file };
    let told = house.store.archive(archive).await;
    let cleared = match told {
        Ok(cleared) => cleared,
        Err(error) => match fate(&house.store, session, &error).await {
            // It became true, and what is left in the journal is swept later.
            Some(Fate::Away(seq)) if seq == head.seq => false,
            // Nobody knows: the next start looks which of the two holds it.
            None => return Err(refused(error)),
            Some(_) => {
                let (shelf, path) = (house.shelf.clone(), house.shelf.path(session, head.seq));
                if let Some(Err(error)) = house.tasks.chore(move || shelf.take_away(&path)).await {
                    tracing::warn!(%session, %error, "a file of no use was not taken away; it goes at the next start");
                }
                return Err(refused(error));
            }
        },
    };
    tracing::info!(%session, bytes, "archived a session");
    let events = head.seq.0;
    Ok(SessionArchived { session, events, bytes, archived_at: file.at, was_archived: false, cleared })
}

/// Lets a session come back from its file. Says whether it was archived.
pub(crate) async fn bring_back(house: &Arc<House>, session: SessionId) -> Result<bool, Problem> {
    let Some(archived) = house.store.archived(session).await.map_err(unreadable)? else { return Ok(false) };
    let (path, limits) = (house.shelf.path(session, archived.head.seq), *house.store.limits());
    let wanted = Wanted::from(&archived);
    let read = house.tasks.carry(move || {
        read_back(&path, &limits, &wanted)?;
        pieces(&path, &limits).map_err(|error| format!("the file {}: {error}", path.display()))
    });
    let pieces = read.await.unwrap_or_else(|| Err("reading it broke down; this is a fault".to_owned()));
    let pieces = pieces.map_err(|what| damaged(session, &what))?;
    let (generation, at) = (house.generation, house.clock.now());
    let told = house.store.unarchive(Unarchive { session, generation, at, pieces }).await;
    if let Err(error) = told
        && fate(&house.store, session, &error).await != Some(Fate::Here)
    {
        return Err(refused(error));
    }
    take_away(house, session).await;
    tracing::info!(%session, events = archived.head.seq.0, "a session came back from the archive");
    Ok(true)
}

/// Takes away whatever lies on the shelf of a session that is archived no more. Says whether nothing does; what is left goes
/// when those who read have done, or at the next start.
pub(crate) async fn take_away(house: &House, session: SessionId) -> bool {
    let shelf = house.shelf.clone();
    match house.tasks.chore(move || shelf.take_all_away(session)).await {
        Some(Ok(gone)) => gone,
        Some(Err(error)) => {
            tracing::warn!(%session, %error, "an archived session's file was not taken away; it goes at the next start");
            false
        }
        None => false,
    }
}

/// Takes away what a kill, or a disk that failed, left on the shelf: files that were never finished, those of sessions that
/// are in the journal, and of sessions that were removed. What belongs to no session of this journal stays.
pub(crate) async fn settle(house: Arc<House>) {
    let _line = house.shelf.line.acquire().await.expect("it is never closed");
    let shelf = house.shelf.clone();
    let found = house.tasks.chore(move || shelf.found()).await;
    let found = match found {
        Some(Ok(found)) => found,
        Some(Err(error)) => return tracing::warn!(%error, "the archived sessions cannot be looked through"),
        None => return,
    };
    let known = match house.store.all_archived().await {
        Ok(known) => known,
        Err(error) => return tracing::warn!(%error, "the archived sessions cannot be looked through"),
    };
    let known: BTreeSet<_> = known.into_iter().map(|Archived { session, head, .. }| (session, head.seq)).collect();
    let lying: BTreeSet<_> = found.iter().filter_map(|file| Some((file.session, file.head?))).collect();
    let missing = known.difference(&lying).count();
    if missing > 0 {
        tracing::error!(missing, "files of archived sessions are missing; `tinkerbell audit verify` says which");
    }
    for file in found {
        let stays = match file.head {
            None => false,
            Some(head) if known.contains(&(file.session, head)) => true,
            Some(_) => !matches!(house.store.fate(file.session).await, Ok(Fate::Here | Fate::Away(_) | Fate::Removed)),
        };
        if !stays {
            let (shelf, path) = (house.shelf.clone(), file.path.clone());
            if let Some(Err(error)) = house.tasks.chore(move || shelf.take_away(&path)).await {
                tracing::warn!(path = %file.path.display(), %error, "what a kill left of archiving cannot be taken away");
            }
        }
    }
}

/// What became of a session after an append whose outcome is told by an error; `None` where nobody can say.
async fn fate(store: &Store, session: SessionId, error: &AppendError) -> Option<Fate> {
    match error {
        // What is queued may still be written when the store is closing.
        AppendError::Closed => None,
        _ => store.fate(session).await.ok(),
    }
}

/// Writes the file under a name that says that it is not whole, and syncs it; its size and hash.
async fn write(house: &Arc<House>, session: SessionId, head: Seq) -> Result<(u64, wire::BlobHash), Problem> {
    let (shelf, fresh) = (house.shelf.clone(), house.shelf.new_path(session, head));
    let mut stream = pin!(carry::export(house, session).await?);
    let (sender, mut pieces) = mpsc::channel::<Bytes>(WAITING);
    let at = fresh.clone();
    let writing = house.tasks.carry(move || {
        private_directory(shelf.directory()).map_err(|error| io::Error::other(error.to_string()))?;
        let mut sheet = Sheet::begin(&at)?;
        while let Some(piece) = pieces.blocking_recv() {
            sheet.put(&piece)?;
        }
        sheet.finish()
    });
    let feeding = async {
        let sender = sender;
        while let Some(piece) = stream.next().await {
            if sender.send(piece.map_err(unreadable)?).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let (fed, written) = tokio::join!(feeding, writing);
    let written = written.ok_or_else(|| Problem::new(Code::Internal, "writing the file broke down; this is a fault"));
    let outcome = match (fed, written) {
        (Err(problem), _) | (Ok(()), Err(problem)) => Err(problem),
        (Ok(()), Ok(written)) => written.map_err(|error| unwritable(session, &error)),
    };
    if outcome.is_err() {
        let _ = house.tasks.chore(move || std::fs::remove_file(fresh)).await;
    }
    outcome
}

/// Reads the file back, and gives it its name for good.
async fn place(house: &Arc<House>, wanted: Wanted) -> Result<(), Problem> {
    let (shelf, limits) = (house.shelf.clone(), *house.store.limits());
    let placed = house.tasks.carry(move || {
        let (fresh, path) = (shelf.new_path(wanted.session, wanted.head), shelf.path(wanted.session, wanted.head));
        read_back(&fresh, &limits, &wanted).map_err(|what| {
            Problem::new(Code::Conflict, format!("{} was written and cannot be read back: {what}", wanted.session))
                .remedy("the session stays in the journal; look after the disk")
        })?;
        shelf.keep(&path);
        let named = std::fs::rename(&fresh, &path).and_then(|()| sync_directory(shelf.directory()));
        named.map_err(|error| unwritable(wanted.session, &error))
    });
    placed.await.unwrap_or_else(|| Err(Problem::new(Code::Internal, "reading the file broke down; this is a fault")))
}

fn unwritable(session: SessionId, error: &io::Error) -> Problem {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StorageFull,
        io::ErrorKind::ReadOnlyFilesystem => Code::ReadOnly,
        _ => Code::Conflict,
    };
    Problem::new(code, format!("session {session} was not archived: its file cannot be written: {error}"))
        .remedy("it stays in the journal; look after the disk and try again")
}

fn damaged(session: SessionId, what: &str) -> Problem {
    Problem::new(Code::Internal, format!("session {session} is archived, and cannot be brought back: {what}"))
        .remedy("put the file back from a snapshot, or remove the session with `tinkerbell sessions rm`")
}
