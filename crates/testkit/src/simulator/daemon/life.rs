//! The life of one daemon: it is assembled, people ask it for things, time passes, something goes wrong.

use super::super::invariant::{Checked, Invariant, hold};
use super::hands::hands;
use super::machine::{Machine, Stretch, broken};
use super::people::{Asked, Kind, Wish, answer};
use super::reload::Settling;
use super::script::{Mishap, Sketch, leftovers};
use super::time::Idle;
use super::voice::voices;
use super::watcher::{Watcher, watch};
use crate::fault_vfs::{Crash, FaultVfs};
use agent::{Answer, Question};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use daemon::{Clock, Config, Parts, Registry, Surroundings, Tasks, assemble_in, router};
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, abortable};
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use store::{Mode, Options};
use tower::ServiceExt;
use wire::Problem;

/// More occurrences than this and the machine is taken not to come to rest.
const MOST_OCCURRENCES: u32 = 100_000;
/// How long an answer stays under its key.
const KEYS_HOLD_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
/// The largest answer that is read.
const LARGEST_ANSWER: usize = 16 << 20;

/// How a daemon ended.
pub(super) enum End {
    /// In good order, and another is to begin.
    Stopped,
    /// It died, and this is what became of what was not synced.
    Died(Crash),
    /// All was proved.
    Proved,
}

/// A daemon that lives.
pub(super) struct Life<'a> {
    pub(super) registry: Arc<Registry>,
    pub(super) vfs: &'a FaultVfs,
    /// Commits when the books were written up last.
    pub(super) commits: Option<u64>,
    router: Router,
    pub(super) asking: FuturesUnordered<LocalBoxFuture<'static, Done>>,
    idle: &'a Idle,
    /// The disk has room again then.
    room_at: Option<Duration>,
    /// The power is to go in a write.
    doomed: bool,
    /// The configuration in force.
    pub(super) config: Arc<Config>,
    /// The one that is to take its place.
    pub(super) settling: Option<Settling>,
}

/// What became of something that was asked.
pub(super) enum Done {
    Answered(u64, StatusCode, Value),
    /// The stream of a watcher ended.
    Watched(usize),
    /// Another configuration was acknowledged or refused.
    Settled(Result<(), Problem>),
}

/// What happens next.
enum Occurs {
    Done(Done),
    /// Nothing, before time passes.
    Idle,
}

impl Machine {
    /// One daemon, from its beginning to its end.
    pub(super) async fn live(&mut self, vfs: &FaultVfs, state: &Path, idle: &Idle) -> Checked<End> {
        let mut life = self.begin(vfs, state, idle).await?;
        loop {
            match occurs(&mut life.asking, life.idle).await {
                Occurs::Done(Done::Answered(number, status, value)) => self.answered(number, status, value)?,
                Occurs::Done(Done::Watched(at)) => self.watchers[at].stream = None,
                Occurs::Done(Done::Settled(outcome)) => self.settled(&mut life, outcome)?,
                Occurs::Idle => {
                    self.occurrences += 1;
                    hold(self.occurrences < MOST_OCCURRENCES, Invariant::ComesToRest, || self.unrest())?;
                    if let Some(end) = self.occur(&mut life).await? {
                        self.leave_behind();
                        return Ok(end);
                    }
                }
            }
        }
    }

    async fn begin<'a>(&mut self, vfs: &'a FaultVfs, state: &Path, idle: &'a Idle) -> Checked<Life<'a>> {
        let (told, bytes) = (self.told(&self.sketch), self.sketch.awake_bytes);
        let file = self.place("config.toml");
        std::fs::write(&file, told.toml()).map_err(|error| broken("the configuration", &error))?;
        let mut config = Config::load(&file).map_err(|error| broken("the configuration", &error))?;
        config.awake_bytes = bytes;
        let (stage, time) = (self.stage.clone(), self.time.clone());
        let clock = Clock::of(Arc::new(time.clone()));
        let (pausing, pauses) = (clock.clone(), stage.clone());
        let pause = move || {
            let ms = {
                let mut world = pauses.world();
                let slow = if world.calm { 0 } else { 3 };
                let most = world.random.weighed(&[(80, 4), (17, 300), (slow, 20_000)]);
                world.random.below(most) + 1
            };
            let clock = pausing.clone();
            Box::pin(async move { clock.sleep(Duration::from_millis(ms)).await }) as daemon::Sleep
        };
        let parts = Parts {
            config,
            state_dir: state.to_owned(),
            socket: self.place("socket"),
            canvas_dir: self.place("canvas"),
            store: Options {
                vfs: Some(vfs.name().to_owned()),
                inline: true,
                checkpoint_bytes: 256 << 10,
                ..Options::default()
            },
            tools: hands(&stage, self.sketch.plugged),
            models: voices(&stage, &time),
        };
        let surroundings = Surroundings { clock, tasks: Tasks::inline(Arc::new(pause)) };
        let registry = assemble_in(surroundings, parts).await.map_err(|error| broken("no daemon begins", &error))?;
        let begins = format!("daemon {} begins: {:?}", registry.house().generation.0, self.sketch);
        self.tell(begins);
        let asking = FuturesUnordered::new();
        let router = router(registry.clone());
        let config = registry.house().catalog.current().config.clone();
        let (room_at, doomed, commits, settling) = (None, false, None, None);
        let mut life = Life { registry, router, vfs, asking, idle, room_at, doomed, commits, config, settling };
        // Nobody is awake: what is there was done by the daemon before, under its configuration.
        self.recheck(&mut life).await?;
        self.write_up(&mut life).await?;
        let (registry, sketch) = (&life.registry, self.sketch.clone());
        self.common.in_force.clear();
        self.counts(registry, &sketch);
        self.stage.world().bell_forbidden = sketch.forbids_the_bell();
        let waking = registry.house().store.waking().await.map_err(|error| broken("waking", &error))?;
        waking.into_iter().for_each(|session| registry.wake(session));
        Ok(life)
    }

    /// Everything that people and daemon could do by now is done. Says how the daemon ends, if it does.
    async fn occur(&mut self, life: &mut Life<'_>) -> Checked<Option<End>> {
        self.look(life)?;
        if life.doomed && life.vfs.hit().is_some() {
            self.tell("the power goes");
            return Ok(Some(End::Died(leftovers(&mut self.random))));
        }
        self.write_up(life).await?;
        let now = self.time.elapsed();
        if life.room_at.is_some_and(|at| at <= now) {
            life.room_at = None;
            life.vfs.disarm();
            self.tell("the disk has room again");
        }
        if life.registry.house().store.health().mode == Mode::ReadOnly {
            self.tell("the journal failed twice and is read-only: somebody restarts the daemon");
            return self.stop(life).await.map(Some);
        }
        let due = self.script.mishaps.front().copied().filter(|(at, _)| *at <= self.occurrences);
        let due = due.filter(|(_, mishap)| *mishap != Mishap::Reloaded || life.settling.is_none());
        if let Some((_, mishap)) = due.filter(|_| life.room_at.is_none()) {
            self.script.mishaps.pop_front();
            if let Some(end) = self.strike(life, mishap).await? {
                return Ok(Some(end));
            }
        }
        if self.people(life, now)? {
            return Ok(None);
        }
        if self.rests(life) {
            match self.stretch {
                Stretch::Hurt => return self.heal(life).await.map(Some),
                Stretch::Healing => return self.prove(life).map(|()| None),
                Stretch::Proving => {
                    self.last_look(life).await?;
                    return Ok(Some(End::Proved));
                }
            }
        }
        let wishes = (self.wishes > 0 || self.questions().next().is_some()).then_some(self.wish_at);
        let again = self.again.iter().map(|(at, _)| *at).min();
        let next = [self.time.next(), wishes, again, life.room_at].into_iter().flatten().min();
        let next = next.unwrap_or(now + Duration::from_secs(1));
        self.time.advance(next.max(now + Duration::from_micros(1)));
        Ok(None)
    }

    /// What people do by now. Says whether they did anything.
    fn people(&mut self, life: &mut Life<'_>, now: Duration) -> Checked<bool> {
        let mut did = false;
        for (_, asked) in self.again.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            self.ask(life, asked);
            did = true;
        }
        for at in 0..self.watchers.len() {
            did |= self.watch_again(life, at);
        }
        if now < self.wish_at {
            return Ok(did);
        }
        self.wish_at = now + Duration::from_millis(self.random.between(1, self.script.pause_ms));
        if self.wishes == 0 {
            // People who want nothing more answer what they are asked, sensibly.
            let Some((session, effect, question)) = self.questions().next() else { return Ok(did) };
            let fitting: &[Answer] = match question {
                Question::Permission => &[Answer::Allow, Answer::Deny],
                Question::UnknownOutcome => &[Answer::Retry, Answer::Skip],
                Question::KeepsDying => &[Answer::Retry],
            };
            let asked = answer(session, effect, self.random.pick(fitting));
            self.ask(life, asked);
            return Ok(true);
        }
        self.wishes -= 1;
        let workspace = self.workspace().to_string_lossy().into_owned();
        match self.people.wish(&mut self.random, &self.books, self.script.sessions, &workspace) {
            Wish::Ask(asked) => self.ask(life, asked),
            Wish::Watch(session) => {
                self.tell(format_args!("somebody watches {}", self.name(session)));
                match self.watchers.iter_mut().find(|watcher| watcher.session == session && watcher.away) {
                    Some(watcher) => watcher.away = false,
                    None => self.watchers.push(Watcher::new(session)),
                }
            }
            Wish::Detach => {
                if let Some(watcher) = self.watchers.iter_mut().find(|watcher| !watcher.away) {
                    watcher.away = true;
                    watcher.stream.take().into_iter().for_each(|stream| stream.abort());
                }
            }
            Wish::Edit(name) => {
                self.tell(format_args!("somebody changes {name} by themselves"));
                let text = format!("{}\n", self.random.below(9));
                std::fs::write(self.workspace().join(name), text).map_err(|error| broken("a file", &error))?;
            }
            Wish::Nothing => {}
        }
        Ok(true)
    }

    fn watch_again(&mut self, life: &mut Life<'_>, at: usize) -> bool {
        let watcher = &mut self.watchers[at];
        if watcher.away || watcher.stream.is_some() || watcher.seen.borrow().gone {
            return false;
        }
        let watching = watch(life.router.clone(), watcher.session, watcher.seen.clone(), self.treachery);
        let (watching, stream) = abortable(watching);
        watcher.stream = Some(stream);
        life.asking.push(Box::pin(async move {
            let _ = watching.await;
            Done::Watched(at)
        }));
        true
    }

    /// Sends a request.
    fn ask(&mut self, life: &mut Life<'_>, asked: Asked) {
        self.asked += 1;
        let number = self.asked;
        let body = asked.body.as_ref().map(Value::to_string).unwrap_or_default();
        self.tell(format_args!("ask {number}: {} {} {body}", asked.method, asked.path));
        if let Kind::Remove(session) = asked.kind {
            self.books.get_mut(&session).into_iter().for_each(|book| book.removal_asked = true);
        }
        let mut request = Request::builder().method(asked.method).uri(&asked.path);
        if let Some(key) = &asked.key {
            request = request.header(wire::rest::IDEMPOTENCY_HEADER, key);
        }
        self.waiting.insert(number, asked);
        let router = life.router.clone();
        life.asking.push(Box::pin(async move {
            let Ok(request) = request.body(Body::from(body)) else {
                return Done::Answered(number, StatusCode::IM_A_TEAPOT, Value::Null);
            };
            let Ok(response) = router.oneshot(request).await;
            let status = response.status();
            let bytes = to_bytes(response.into_body(), LARGEST_ANSWER).await.unwrap_or_default();
            let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            Done::Answered(number, status, value)
        }));
    }

    /// Something goes wrong. Says how the daemon ends, if it does.
    async fn strike(&mut self, life: &mut Life<'_>, mishap: Mishap) -> Checked<Option<End>> {
        self.common.coverage.count("mishap", mishap.word());
        self.tell(mishap.prose());
        if let Some(fault) = mishap.fault() {
            life.vfs.arm(fault);
        }
        match mishap {
            Mishap::Kill => Ok(Some(End::Died(Crash::Kill))),
            Mishap::PowerCut => Ok(Some(End::Died(leftovers(&mut self.random)))),
            Mishap::PowerCutInWrite(_) => {
                life.doomed = true;
                Ok(None)
            }
            Mishap::CommitUnknown(..) => Ok(None),
            Mishap::DiskFull => {
                let pause = Duration::from_millis(self.random.between(100, 60_000));
                life.room_at = Some(self.time.elapsed() + pause);
                Ok(None)
            }
            Mishap::Restart => self.stop(life).await.map(Some),
            Mishap::Reconfigured => {
                let end = self.stop(life).await?;
                self.sketch = Sketch::draw(&mut self.random);
                Ok(Some(end))
            }
            Mishap::Reloaded => self.reload(life).map(|()| None),
            Mishap::ClockJumps(micros) => {
                self.time.jump(micros);
                self.common.keys_expired |= micros >= KEYS_HOLD_MICROS;
                Ok(None)
            }
        }
    }

    /// The daemon stops in good order, with everything that is still attached to it.
    pub(super) async fn stop(&mut self, life: &mut Life<'_>) -> Checked<End> {
        let house = life.registry.house().clone();
        house.stop.cancel();
        let tasks = house.tasks.clone();
        let mut finished = std::pin::pin!(tasks.finished());
        let mut heard = Vec::new();
        // Nothing but tasks and time is left: whoever waits for time gets it.
        let deadline = self.time.elapsed() + Duration::from_millis(self.sketch.grace_ms) + Duration::from_secs(60);
        let ended = loop {
            let done = std::future::poll_fn(|context| {
                while let Poll::Ready(Some(done)) = life.asking.poll_next_unpin(context) {
                    heard.push(done);
                }
                match finished.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending => life.idle.poll(context).map(|()| false),
                }
            });
            if done.await {
                break true;
            }
            let now = self.time.elapsed();
            let next = self.time.next().filter(|at| *at <= deadline);
            let Some(next) = next else { break false };
            self.time.advance(next.max(now + Duration::from_micros(1)));
        };
        for done in heard {
            match done {
                Done::Answered(number, status, value) => self.answered(number, status, value)?,
                Done::Settled(outcome) => self.settled(life, outcome)?,
                Done::Watched(_) => {}
            }
        }
        self.look(life)?;
        if ended {
            house.journal.end().await;
        }
        house.store.clone().close().await;
        self.tell("the daemon has stopped");
        Ok(End::Stopped)
    }

    /// Everybody who was attached has lost the daemon: what was asked under a key is asked again.
    fn leave_behind(&mut self) {
        for (_, asked) in std::mem::take(&mut self.waiting) {
            self.send_again(asked);
        }
        self.watchers.iter_mut().for_each(|watcher| watcher.stream = None);
    }

    /// Whoever gave a key asks until they are answered.
    pub(super) fn send_again(&mut self, asked: Asked) {
        if asked.key.is_some() {
            let at = self.time.elapsed() + Duration::from_millis(self.random.between(50, 2_000));
            self.again.push((at, asked));
        }
    }

    /// Everything has come to its end, as far as that is possible by itself.
    fn rests(&self, life: &Life<'_>) -> bool {
        self.wishes == 0
            && self.script.mishaps.is_empty()
            && self.again.is_empty()
            && self.waiting.is_empty()
            && life.settling.is_none()
            && self.books.values().all(|book| book.rests())
    }

    /// Why nothing comes to rest.
    fn unrest(&self) -> String {
        let restless: Vec<usize> = self.books.values().filter(|book| !book.rests()).map(|book| book.number).collect();
        format!(
            "after {MOST_OCCURRENCES} occurrences, at {:?}, {:?}; the next timer is at {:?}; sessions {restless:?} do not rest; \
             {} wishes and {} mishaps are left; asked again: {:?}; waiting: {:?}",
            self.time.elapsed(),
            self.stretch,
            self.time.next(),
            self.wishes,
            self.script.mishaps.len(),
            self.again,
            self.waiting,
        )
    }

    /// Nothing goes wrong any more: a last daemon begins.
    async fn heal(&mut self, life: &mut Life<'_>) -> Checked<End> {
        self.stretch = Stretch::Healing;
        self.stage.world().calm = true;
        self.tell("all is well again");
        life.vfs.disarm();
        let end = self.stop(life).await?;
        self.sketch = self.sketch.healed();
        Ok(end)
    }

    /// Each session is asked one more thing.
    fn prove(&mut self, life: &mut Life<'_>) -> Checked {
        self.stretch = Stretch::Proving;
        let sessions: Vec<_> = self.books.values().filter(|book| !book.removed).map(|book| book.id).collect();
        for session in sessions {
            let asked = self.people.last_prompt(session);
            self.ask(life, asked);
        }
        Ok(())
    }
}

async fn occurs(asking: &mut FuturesUnordered<LocalBoxFuture<'static, Done>>, idle: &Idle) -> Occurs {
    std::future::poll_fn(|context| match asking.poll_next_unpin(context) {
        Poll::Ready(Some(done)) => Poll::Ready(Occurs::Done(done)),
        Poll::Ready(None) | Poll::Pending => idle.poll(context).map(|()| Occurs::Idle),
    })
    .await
}
