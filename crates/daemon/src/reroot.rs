//! Sessions and schedules of a state that came from another machine: where they work from now on.
//!
//! Whoever put that state here left a list of roots beside the journal. The first daemon that begins there writes an event
//! for each one below a root, which says where it works now, and takes the list away when all are written. A
//! kill in between costs nothing: what has moved is moved by no root of the list again. What ran when the snapshot was
//! made is begun again or asked about when the session's owner begins, as after a crash.

use crate::archive;
use crate::house::House;
use crate::journal::NoteError;
use crate::schedule;
use crate::snapshots::restore::{ROOTS, Roots};
use agent::{Event, SessionId};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use store::{Append, AppendError, JournalId, ListQuery, ListRow, NewEvent, ReadError, SessionRow};
use wire::{Header, body};

/// Sessions looked at at once.
const PAGE: usize = 200;

/// Why sessions were not moved. Those that were stay so, and the next start goes on.
#[derive(Debug, thiserror::Error)]
pub enum RerootError {
    /// The list.
    #[error(
        "a restore left the list of roots {path}, and it cannot be read or taken away: {error}; mend that, or take it \
         away to leave sessions where they are"
    )]
    List {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The journal cannot be read.
    #[error("the sessions that a restore brought cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The journal cannot be written.
    #[error("where a restored session works now cannot be written down: {0}; the next start goes on with it")]
    Append(#[from] AppendError),
}

impl From<NoteError> for RerootError {
    fn from(error: NoteError) -> RerootError {
        match error {
            NoteError::Read(error) => RerootError::Read(error),
            NoteError::Append(error) => RerootError::Append(error),
        }
    }
}

/// Moves the sessions that the list names, if there is one, before anything of them is woken.
pub(crate) async fn follow(house: &Arc<House>) -> Result<(), RerootError> {
    let path = house.state_dir.join(ROOTS);
    let list = |error| RerootError::List { path: path.clone(), error };
    let Some(roots) = Roots::read(&path).map_err(list)? else { return Ok(()) };
    let waking: BTreeSet<SessionId> = house.store.waking().await?.into_iter().collect();
    let (mut before, mut count) = (None, 0_u64);
    loop {
        let page = house.store.list(ListQuery { workspace: None, before, archived: None, limit: PAGE }).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.cursor);
        for listed in page {
            if let Some(workspace) = roots.moved(&listed.row.workspace) {
                let waking = waking.contains(&listed.session);
                shift(house, listed, workspace, waking).await?;
                count += 1;
            }
        }
    }
    let schedules = schedule::reroot(house, &roots).await?;
    take_away(&house.state_dir, &path).map_err(list)?;
    tracing::info!(count, schedules, "sessions of another machine work here now");
    Ok(())
}

/// Before a daemon serves nobody waits for this thread.
fn take_away(directory: &Path, path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)?;
    std::fs::File::open(directory)?.sync_all()
}

/// Writes down where one session works now. Its place in lists stays, so that no page is read twice.
async fn shift(house: &Arc<House>, listed: ListRow, workspace: String, waking: bool) -> Result<(), RerootError> {
    let journal = JournalId::Session(listed.session);
    // An archived one comes back for it; its file cannot be written to.
    if let Err(problem) = archive::bring_back(house, listed.session).await {
        tracing::warn!(session = %listed.session, detail = problem.detail, "an archived session stays where it worked");
        return Ok(());
    }
    let Some(head) = house.store.head(journal).await? else { return Ok(()) };
    let event = Event::SessionImported {};
    let header = Header { seq: head.seq.next(), at: house.clock.now(), session: Some(listed.session), event };
    let words = body::Session { workspace: workspace.clone(), title: listed.row.title.clone() };
    let mut append = Append::new(journal, head.epoch, house.generation, head.seq);
    append.facts = vec![NewEvent { header: header.to_json(), body: body::write(&words), ..NewEvent::default() }];
    append.row = Some(SessionRow { workspace, ..listed.row });
    append.waking = waking;
    house.store.append(append).await?;
    Ok(())
}
