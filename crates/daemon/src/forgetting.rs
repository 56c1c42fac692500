//! Forgetting reaches the copies: a wish about a session's events is carried to the forks that copied them.
//!
//! First the session itself, then each fork by its own owner, until no fork is left that had not been asked: one that was
//! being made meanwhile takes over what its parent has forgotten, or is found by the second look.

use crate::house::House;
use crate::registry::{Registry, handed_over};
use crate::session::{Command, Gone, MOST_EVENTS, Wish};
use crate::snapshots::restore;
use agent::{Event, Seq, SessionId};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{JournalId, ReadError};
use wire::rest::{EventPlace, ForkRedacted, RedactRequest, Redacted, SnapshotRow};
use wire::{Code, Header, Problem};

/// The most other holders of the same bytes that an answer lists.
const MOST_HOLDERS: usize = 64;
/// Looks for forks that were made meanwhile.
const LOOKS: usize = 8;

/// Forgets events of a session, and their copies. Once begun it goes to its end, whether or not somebody still waits for it:
/// else forks would keep their copies, and files their bytes, and nobody would have been told.
pub(crate) async fn redact(
    registry: &Arc<Registry>,
    id: SessionId,
    request: RedactRequest,
) -> Result<Redacted, Problem> {
    let own = registry.clone();
    let redacting = async move { redact_all(&own, id, request).await };
    registry.house().tasks.to_its_end("redacting", redacting).await.unwrap_or_else(|| Err(handed_over()))
}

async fn redact_all(registry: &Arc<Registry>, id: SessionId, request: RedactRequest) -> Result<Redacted, Problem> {
    let RedactRequest { mut seqs, reason, keep_forks } = request;
    seqs.sort_unstable();
    seqs.dedup();
    if seqs.is_empty() || seqs.len() > MOST_EVENTS {
        let detail = format!("a wish names 1 to {MOST_EVENTS} events, not {}", seqs.len());
        return Err(
            Problem::new(Code::InvalidRequest, detail).remedy("`tinkerbell sessions show --events` numbers them")
        );
    }
    let store = &registry.house().store;
    let copies = if keep_forks { Vec::new() } else { store.copies(id).await.map_err(unreadable)? };
    let mut family: Vec<(SessionId, Vec<Seq>)> = vec![(id, seqs.clone())];
    family.extend(copies.iter().map(|(fork, upto)| (*fork, shared(&seqs, *upto))));
    let wish = |seqs, titles| Wish { seqs, reason: reason.clone(), elsewhere: family.clone(), titles };
    let still_held = holders(registry, &family).await?;
    let gone: Gone = ask(registry, id, wish(seqs.clone(), Vec::new())).await?;
    let mut erased = gone.erased;
    let mut forks: BTreeMap<SessionId, ForkRedacted> = BTreeMap::new();
    let mut left = if keep_forks { 0 } else { LOOKS };
    while left > 0 {
        left -= 1;
        let copies = store.copies(id).await.map_err(unreadable)?;
        let new: Vec<_> = copies.into_iter().filter(|(fork, _)| !forks.contains_key(fork)).collect();
        if new.is_empty() {
            break;
        }
        for (session, upto) in new {
            let shared = shared(&seqs, upto);
            if shared.is_empty() && gone.titles.is_empty() {
                forks.insert(session, ForkRedacted { session, forgotten: Vec::new(), refused: None });
                continue;
            }
            let told = match ask(registry, session, wish(shared, gone.titles.clone())).await {
                Ok(done) => {
                    erased &= done.erased;
                    ForkRedacted { session, forgotten: done.forgotten, refused: None }
                }
                // It was removed meanwhile.
                Err(problem) if problem.code == Code::NotFound => {
                    ForkRedacted { session, forgotten: Vec::new(), refused: None }
                }
                Err(problem) => {
                    let refused =
                        Some(problem.remedy.map_or(problem.detail.clone(), |way| format!("{}; {way}", problem.detail)));
                    ForkRedacted { session, forgotten: Vec::new(), refused }
                }
            };
            forks.insert(session, told);
        }
    }
    let mut originals = Vec::new();
    for (session, upto) in store.originals(id).await.map_err(unreadable)? {
        let archived = store.archived(session).await.map_err(unreadable)?.is_some();
        for seq in shared(&seqs, upto) {
            // An original that was removed, or has forgotten the words itself, holds nothing.
            let record = store.event(JournalId::Session(session), seq).await.map_err(unreadable)?;
            // What lies in a file may hold them.
            if archived || record.is_some_and(|record| record.body.is_some()) {
                originals.push(EventPlace { session, seq });
            }
        }
    }
    let cleared = store.scrub().await && erased;
    if !cleared {
        tracing::warn!(session = %id, "forgotten words are still in files; they go with later writes");
    }
    let forks = forks.into_values().filter(|fork| !fork.forgotten.is_empty() || fork.refused.is_some()).collect();
    let (snapshots, held_in) = snapshots(registry.house(), id, seqs[0]).await;
    Ok(Redacted {
        session: id,
        seq: gone.seq,
        forgotten: gone.forgotten,
        paths_left: gone.paths_left,
        forks,
        still_held,
        originals,
        snapshots,
        held_in,
        kept_states: kept_states(registry.house()).await,
        cleared,
    })
}

/// The snapshots that hold an event of a session, or a later one: their names, and all that lists show of them. Of one that
/// is being made nobody knows, so it is among the names. What is gone is gone, so that they cannot be looked through is told
/// in place of the names.
pub(crate) async fn snapshots(house: &House, session: SessionId, seq: Seq) -> (Vec<String>, Vec<SnapshotRow>) {
    // Asked first: what is finished meanwhile is found by the second look.
    let making = house.snapshots.being_made();
    let (mut names, rows) = match house.snapshots.holding_from(session, seq).await {
        Ok(rows) => (rows.iter().map(|row| row.id.to_string()).collect(), rows),
        Err(problem) => (vec![format!("it is not known which: {}", problem.detail)], Vec::new()),
    };
    names.extend(making.map(|id| id.to_string()).filter(|id| !names.contains(id)));
    (names, rows)
}

/// Where the states lie that restores have replaced. Each is as it was then, and nobody looks into it.
pub(crate) async fn kept_states(house: &House) -> Vec<String> {
    let state_dir = house.state_dir.clone();
    match house.tasks.look(move || restore::kept(&state_dir)).await {
        Some(Ok(kept)) => kept.into_iter().map(|name| house.state_dir.join(name).display().to_string()).collect(),
        Some(Err(error)) => vec![format!("it is not known which: {error}")],
        None => vec!["it is not known which: looking for them broke down".to_owned()],
    }
}

async fn ask(registry: &Arc<Registry>, session: SessionId, wish: Wish) -> Result<Gone, Problem> {
    registry.ask(session, |reply| Command::Redact { wish, reply }).await
}

/// Other events that hold the same files or long texts. What a model call holds is left out: every call of a session
/// holds the same instructions and tools.
async fn holders(registry: &Registry, family: &[(SessionId, Vec<Seq>)]) -> Result<Vec<EventPlace>, Problem> {
    let store = &registry.house().store;
    let mut asked = Vec::with_capacity(family.len());
    for (session, seqs) in family {
        let mut holding = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let record = store.event(JournalId::Session(*session), *seq).await.map_err(unreadable)?;
            let header = record.and_then(|record| Header::from_json(&record.header).ok());
            if header.is_some_and(|header| !matches!(header.event, Event::ModelStarted { .. })) {
                holding.push(*seq);
            }
        }
        asked.push((*session, holding));
    }
    let found = store.also_held(asked, MOST_HOLDERS).await.map_err(unreadable)?;
    Ok(found.into_iter().map(|(session, seq)| EventPlace { session, seq }).collect())
}

fn unreadable(error: ReadError) -> Problem {
    Problem::new(Code::Internal, error.to_string()).remedy("see `tinkerbell daemon logs`")
}

/// The events that a copy shares.
fn shared(seqs: &[Seq], upto: Seq) -> Vec<Seq> {
    seqs.iter().copied().filter(|seq| *seq <= upto).collect()
}
