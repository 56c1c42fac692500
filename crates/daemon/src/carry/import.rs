//! Taking a file in: received into a file without a name, checked, and made a journal of.

use super::check::{Checked, check};
use super::damage::Damage;
use super::lines::Lines;
use super::pieces::Pieces;
use crate::house::House;
use crate::registry::real_workspace;
use crate::secrets::Secrets;
use crate::session::{open_questions, refused, status, unreadable};
use agent::{Event, Money, Seq, SessionId};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::time::Duration;
use store::{Append, Import, JournalId, Limits, NewEvent, SessionRow};
use tokio::sync::mpsc;
use wire::rest::Imported;
use wire::{Code, Header, Problem, body};

/// The largest file that is taken.
const FILE_BYTES: u64 = 16 << 30;
/// How long nothing of the file may come.
const SILENCE: Duration = Duration::from_secs(30);
/// Pieces of the file that wait for the disk; a piece is what the connection gave at once.
const WAITING: usize = 16;

/// How the name ends that a file has until it has none.
const ENDING: &str = "import";

/// How a session shall be taken in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Where it shall work; by default where it did.
    pub(crate) workspace: Option<String>,
    /// Whether it gets a new id, as forks do.
    pub(crate) as_new: bool,
}

/// Takes a session in. When it fails, nothing of it is there.
pub(crate) async fn import<E>(
    house: &House,
    wanted: Wanted,
    file: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Imported, Problem> {
    let (file, checked) = receive(house, file).await?;
    let id = checked.head.session;
    let known = house.store.any_head(id).await.map_err(unreadable)?;
    if known.is_some() && !wanted.as_new {
        let detail = format!("there is a session {id} here already");
        return Err(Problem::new(Code::Conflict, detail).remedy("--as-new takes it in under another id"));
    }
    let workspace = workspace(wanted.workspace.as_deref(), &checked.head.workspace)?;
    if let Some(key) = house.catalog.current().secrets.holds(workspace.as_bytes()) {
        let detail = format!("the path of the workspace holds the key {key}, and it would be written down");
        return Err(Problem::new(Code::BadWorkspace, detail).remedy("give the directory another name"));
    }
    let session = if wanted.as_new { house.clock.session_id() } else { id };
    let (append, state) = last_append(house, &checked, session, workspace.clone());
    let settled = if wanted.as_new { Money(0) } else { state.cost + state.reserved() };
    let partials = if wanted.as_new { Vec::new() } else { checked.partials };
    let blob_bytes = house.store.limits().blob_bytes;
    let pieces = Box::new(Pieces { lines: Lines::new(file), blob_bytes, seq: Seq(0) });
    let import = Import { from: id, append, pieces, partials, settled };
    let appended = house.store.import(import).await.map_err(|error| match error {
        store::AppendError::Invalid(store::Invalid::Unusable { .. }) => {
            let detail = format!("there was a session {id} here, and ids are never used again");
            Problem::new(Code::Conflict, detail).remedy("--as-new takes it in under another id")
        }
        error => refused(error),
    })?;
    let approvals = open_questions(&state).len() as u32;
    Ok(Imported { session, from: id, seq: appended.head, events: checked.head.events, workspace, approvals })
}

/// What the import adds: the event that says where the session works from now on, and what is kept beside it. Also the
/// state then.
fn last_append(house: &House, checked: &Checked, session: SessionId, workspace: String) -> (Append, agent::State) {
    let (head, at, after) = (&checked.head, house.clock.now(), Seq(checked.head.events));
    let event = match session == head.session {
        true => Event::SessionImported {},
        false => Event::SessionForked { parent: head.session, at_seq: after },
    };
    let mut state = checked.state.clone();
    state.apply(after.next(), &event);
    let header = Header { seq: after.next(), at, session: Some(session), event };
    let words = body::Session { workspace: workspace.clone(), title: head.title.clone() };
    let mut append = Append::new(JournalId::Session(session), state.epoch, house.generation, after);
    append.facts = vec![NewEvent { header: header.to_json(), body: body::write(&words), ..NewEvent::default() }];
    append.waking = state.has_work();
    append.row = Some(SessionRow {
        workspace,
        title: head.title.clone(),
        state: status(&state).word().to_owned(),
        model: head.model.clone(),
        cost: state.cost,
        created: head.created_at,
        updated: at,
    });
    (append, state)
}

/// Where the session works from now on.
fn workspace(wanted: Option<&str>, recorded: &str) -> Result<String, Problem> {
    match wanted {
        Some(wanted) => real_workspace(wanted),
        None => real_workspace(recorded).map_err(|problem| {
            Problem::new(Code::BadWorkspace, format!("the session worked in {recorded:?}, and here {}", problem.detail))
                .remedy("say where it shall work on this machine: --workspace DIR")
        }),
    }
}

/// Receives the file and reads all of it.
async fn receive<E>(
    house: &House,
    file: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<(File, Checked), Problem> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let path = house.state_dir.join(format!("{}.{ENDING}", house.clock.session_id()));
    let limits = *house.store.limits();
    let secrets = house.catalog.current().secrets.clone();
    let read = house.tasks.carry(move || read(receiver, &path, &limits, &secrets));
    let (came, read) = tokio::join!(feed(file, sender), read);
    came?;
    let read = read.ok_or_else(|| Problem::new(Code::Internal, "reading the file broke down; this is a fault"))?;
    read.map_err(Damage::problem)
}

/// Hands the pieces on as they come. What is no longer wanted is read all the same, so that the answer is heard.
async fn feed<E>(
    mut file: impl Stream<Item = Result<Bytes, E>> + Unpin,
    sender: mpsc::Sender<Option<Bytes>>,
) -> Result<(), Problem> {
    let cut = || {
        let detail = format!("the file was cut while it was sent, or nothing came for {} s", SILENCE.as_secs());
        Problem::new(Code::InvalidRequest, detail).remedy("nothing was imported; send it again")
    };
    let mut came = 0;
    loop {
        match tokio::time::timeout(SILENCE, file.next()).await {
            Ok(Some(Ok(piece))) => {
                came += piece.len() as u64;
                if came > FILE_BYTES {
                    let (what, limit) = ("the file".to_owned(), FILE_BYTES);
                    return Err(Damage::TooLarge { what, limit_name: "FILE_BYTES", limit }.problem());
                }
                // Whoever reads may have seen enough.
                let _ = sender.send(Some(piece)).await;
            }
            Ok(None) => {
                let _ = sender.send(None).await;
                return Ok(());
            }
            Ok(Some(Err(_))) | Err(_) => return Err(cut()),
        }
    }
}

fn read(
    mut pieces: mpsc::Receiver<Option<Bytes>>,
    path: &Path,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<(File, Checked), Damage> {
    let mut file = nameless(path)?;
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Some(piece) => file.write_all(&piece)?,
            None => {
                file.rewind()?;
                let checked = check(&file, limits, secrets)?;
                file.rewind()?;
                return Ok((file, checked));
            }
        }
    }
    Err(Damage::Disk(io::ErrorKind::UnexpectedEof.into()))
}

/// Takes away what a kill left of files that had a name for a moment. Each start does it before anybody is served.
pub(crate) fn sweep(state_dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(state_dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == ENDING) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A file that goes when it is closed, however that comes about.
fn nameless(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}
