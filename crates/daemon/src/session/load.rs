//! How an owner comes to its session: out of folds and the few events after them. Reading never appends.

use super::alike::Alike;
use super::append::{CANVAS_FOLD, STATE_FOLD, STATE_FORMAT};
use super::live::Live;
use super::owner::{Owner, Profile};
use super::perform::{PreparedCall, unreadable};
use super::tool::prepared;
use super::view::status;
use super::words::Words;
use crate::house::House;
use agent::{Epoch, Phase, Seq, SessionId, State};
use canvas::Fold;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use store::{JournalId, ReadError};
use tokio::sync::mpsc;
use wire::body::{self, Text};
use wire::rest::SessionStatus;
use wire::{Code, Header, Problem, Record};

/// Ends that may wait for the owner; more effects than this at once wait to say that they have ended.
const ENDS: usize = 64;
/// Events read at a time.
const PAGE: usize = 256;

/// What folds and events add up to.
pub(super) struct Loaded {
    pub(super) state: State,
    pub(super) canvas: Fold,
    pub(super) folded: Seq,
}

impl Owner {
    /// An owner of a session that does not exist yet; its first command creates it.
    pub(crate) fn fresh(house: Arc<House>, id: SessionId, workspace: String) -> Owner {
        let now = house.clock.now();
        let profile = Profile { workspace, title: None, created: now, updated: now, model: None };
        let loaded = Loaded { state: State::default(), canvas: Fold::default(), folded: Seq(0) };
        Owner::new(house, id, profile, loaded, Epoch(1))
    }

    /// An owner of a session on disk; `None` when there is no such session.
    pub(crate) async fn load(house: Arc<House>, id: SessionId) -> Result<Option<Owner>, Problem> {
        let Some(head) = house.store.head(JournalId::Session(id)).await.map_err(unreadable)? else { return Ok(None) };
        let loaded = load(&house, id).await.map_err(unreadable)?;
        let Some(row) = house.store.session(id).await.map_err(unreadable)?.map(|listed| listed.row) else {
            return Ok(None);
        };
        let profile = Profile {
            workspace: row.workspace,
            title: row.title,
            created: row.created,
            updated: row.updated,
            model: row.model,
        };
        let mut owner = Owner::new(house, id, profile, loaded, Epoch(head.epoch.0 + 1));
        owner.learn_models().await;
        owner.recall_jobs().await?;
        owner.lost = owner.house.store.partials(id).await.map_err(unreadable)?;
        Ok(Some(owner))
    }

    fn new(house: Arc<House>, id: SessionId, profile: Profile, loaded: Loaded, epoch: Epoch) -> Owner {
        let (ended_sender, ended) = mpsc::channel(ENDS);
        let replaced = house.catalog.replacements();
        Owner {
            house,
            id,
            profile,
            state: loaded.state,
            epoch,
            claimed: false,
            canvas: Arc::new(loaded.canvas),
            folded: loaded.folded,
            live: Arc::new(Live::new(id)),
            instructions: Arc::default(),
            alike: Alike::default(),
            spoken: Words::default(),
            jobs: Vec::new(),
            running: BTreeMap::new(),
            timers: BTreeMap::new(),
            unwritten: Vec::new(),
            forgetting: Vec::new(),
            kept: None,
            behind: None,
            waking: true,
            to_begin: Vec::new(),
            held: VecDeque::new(),
            accepting: None,
            stuck: None,
            conflicts: Vec::new(),
            stat_cache: Arc::default(),
            last_failure: None,
            lost: Vec::new(),
            saving: None,
            stopping: false,
            gone: false,
            gone_for_good: false,
            replaced,
            ended,
            ended_sender,
        }
    }

    /// After a commit whose outcome is unknown: effects are stopped and joined, what is on disk is read again, and what
    /// of the outcomes is not there is appended anew, with a claim of a new epoch for what had begun unseen.
    pub(super) async fn reload(&mut self) {
        self.to_begin.clear();
        self.release_all();
        self.join_effects().await;
        match (self.house.store.head(JournalId::Session(self.id)).await, load(&self.house, self.id).await) {
            (Ok(head), Ok(loaded)) => {
                self.epoch = Epoch(head.map_or(0, |head| head.epoch.0) + 1);
                self.claimed = false;
                self.state = loaded.state;
                self.canvas = Arc::new(loaded.canvas);
                self.folded = loaded.folded;
                self.spoken.clear();
                self.timers.clear();
                self.stuck = None;
                let open = &self.state.open;
                self.unwritten.retain(|fact| fact.event.ends().is_some_and(|effect| open.contains_key(&effect)));
                if self.unwritten.is_empty() {
                    // What it answered is on disk, and the answer with it.
                    self.kept = None;
                }
                if let Ok(Some(listed)) = self.house.store.session(self.id).await {
                    (self.profile.title, self.profile.model) = (listed.row.title, listed.row.model);
                }
                self.gone = self.state.head == Seq(0);
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(session = %self.id, %error, "the session cannot be read again");
                self.gone = true;
            }
        }
    }

    /// Makes sure that the models which are to be asked are known: a daemon forgets which ones were only named.
    async fn learn_models(&self) {
        let state = &self.state;
        let running = state.turn.iter().filter_map(|turn| turn.model.as_ref());
        for name in running.chain(state.queue.iter().filter_map(|prompt| prompt.model.as_ref())) {
            if let Err(problem) = self.house.catalog.learn(name).await {
                tracing::warn!(session = %self.id, %problem, "a model that was asked for is not there any more");
            }
        }
        let default = state.turn.as_ref().is_some_and(|turn| turn.model.is_none());
        if default || state.queue.iter().any(|prompt| prompt.model.is_none()) {
            self.house.catalog.default().await;
        }
    }

    /// Prepares the tool calls of a step that an earlier owner had begun.
    async fn recall_jobs(&mut self) -> Result<(), Problem> {
        let Some(Phase::Tools { asked, .. }) = self.state.turn.as_ref().map(|turn| &turn.phase) else { return Ok(()) };
        let asked = *asked;
        let records = self.house.store.events_at(JournalId::Session(self.id), &[asked]).await.map_err(unreadable)?;
        let body = records.into_iter().next().and_then(|record| record.body);
        let reply: body::Reply = body.and_then(|body| body::read(&body).ok()).unwrap_or_default();
        let alike = self.state.turn.as_ref().map_or(0, |turn| turn.alike);
        let (mut counted, mut in_reply) = (Alike::default(), 0);
        for call in reply.calls {
            let arguments = match call.arguments {
                Text::Inline(text) => Some(text),
                Text::Blob { blob, .. } => {
                    let bytes = self.house.store.blob(blob).await.map_err(unreadable)?;
                    bytes.and_then(|bytes| String::from_utf8(bytes).ok())
                }
            };
            let (name, text) = (call.name.as_str(), arguments.as_deref().unwrap_or_default());
            in_reply += 1;
            if counted.count(name, text) == in_reply {
                // All calls of the reply so far are the same one, which may have been asked for before it.
                self.alike = Alike::recalled(name, text, alike.max(in_reply));
            } else {
                self.alike = counted;
            }
            let inspected = match arguments {
                Some(text) => self.house.toolbox.inspect(&call.name, &text),
                None => Err("its arguments were forgotten".to_owned()),
            };
            let call: PreparedCall = prepared(&call.name, inspected);
            self.jobs.push(call);
        }
        Ok(())
    }
}

/// Reads folds and the events after them.
pub(super) async fn load(house: &House, id: SessionId) -> Result<Loaded, ReadError> {
    let state = fold::<State>(house, id, STATE_FOLD, STATE_FORMAT).await?;
    let canvas = fold::<Fold>(house, id, CANVAS_FOLD, Fold::FORMAT).await?;
    let (mut state, mut canvas, folded) = match (state, canvas) {
        (Some((state, a)), Some((canvas, b))) if a == b && state.head == a => (state, canvas, a),
        _ => (State::default(), Fold::default(), Seq(0)),
    };
    loop {
        let page = house.store.events(JournalId::Session(id), state.head, PAGE).await?;
        if page.is_empty() {
            return Ok(Loaded { state, canvas, folded });
        }
        for record in &page {
            let header = header_of(record)?;
            state.apply(record.seq, &header.event);
            canvas.apply(record.seq, header.at, &header.event, record.body.as_deref().unwrap_or("{}"));
        }
    }
}

/// The state of a session as it stands on disk. Wakes nobody.
pub(crate) async fn state_of(house: &House, id: SessionId) -> Result<State, ReadError> {
    Ok(load(house, id).await?.state)
}

/// What a session is doing as it stands on disk, and how many paths of its canvas are not accepted. Wakes nobody.
pub(crate) async fn at_rest(house: &House, id: SessionId) -> Result<(SessionStatus, usize), ReadError> {
    let loaded = load(house, id).await?;
    Ok((status(&loaded.state), loaded.canvas.pending().len()))
}

/// The canvas with all its steps, from the journal's beginning.
pub(super) async fn whole_canvas(house: &House, id: SessionId) -> Result<Fold, ReadError> {
    canvas_from_the_beginning(house, id, Fold::whole(), &[]).await
}

/// The canvas as it would be without the words of these events, in their order.
pub(super) async fn canvas_without(house: &House, id: SessionId, seqs: &[Seq]) -> Result<Fold, ReadError> {
    canvas_from_the_beginning(house, id, Fold::default(), seqs).await
}

async fn canvas_from_the_beginning(
    house: &House,
    id: SessionId,
    mut canvas: Fold,
    without: &[Seq],
) -> Result<Fold, ReadError> {
    let mut at = Seq(0);
    loop {
        let page = house.store.events(JournalId::Session(id), at, PAGE).await?;
        let Some(last) = page.last() else { return Ok(canvas) };
        at = last.seq;
        for record in &page {
            let header = header_of(record)?;
            let body = record.body.as_deref().filter(|_| without.binary_search(&record.seq).is_err());
            canvas.apply(record.seq, header.at, &header.event, body.unwrap_or("{}"));
        }
    }
}

fn header_of(record: &Record) -> Result<Header, ReadError> {
    Header::from_json(&record.header).map_err(|error| ReadError::Damaged {
        what: format!("event {} has a header that cannot be read ({error})", record.seq),
    })
}

/// A fold, if it is of the format that this version writes. Another format only costs the time to replay.
async fn fold<T: serde::de::DeserializeOwned>(
    house: &House,
    id: SessionId,
    kind: &str,
    format: u32,
) -> Result<Option<(T, Seq)>, ReadError> {
    let row = house.store.fold(id, kind).await?;
    Ok(row.filter(|row| row.format == format).and_then(|row| Some((serde_json::from_slice(&row.bytes).ok()?, row.seq))))
}

/// For a session that is not there.
pub(crate) fn no_such_session(id: SessionId) -> Problem {
    Problem::new(Code::NotFound, format!("there is no session {id}"))
        .remedy("`tinkerbell sessions ls --all` lists them")
}
