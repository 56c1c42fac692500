//! The machine that daemons live on, one after the other: its disk, its clock, its people, and what is known by now.

use super::super::invariant::{Breach, Checked, Invariant};
use super::super::random::Random;
use super::book::{Book, Common};
use super::life::End;
use super::people::{Asked, People};
use super::run::{Report, fingerprint};
use super::script::{Script, Sketch};
use super::stage::Stage;
use super::time::{Idle, SimulatedTime};
use super::treachery::Treachery;
use super::watcher::Watcher;
use crate::fault_vfs::{Crash, FaultVfs};
use agent::{Seq, SessionId};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use store::{Options, Store};
use tempfile::TempDir;

/// Daemons that live one after the other, at most.
const MOST_LIVES: u32 = 60;
/// Lines of each journal that a failure shows.
const SHOWN: usize = 60;

/// How far a simulation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stretch {
    /// Things go wrong.
    Hurt,
    /// Nothing goes wrong any more, and what was begun comes to its end.
    Healing,
    /// Each session is asked one more thing.
    Proving,
}

/// A machine, with all that survives a daemon.
pub(super) struct Machine {
    pub(super) treachery: Option<Treachery>,
    pub(super) random: Random,
    pub(super) stage: Stage,
    pub(super) time: SimulatedTime,
    pub(super) script: Script,
    /// The configuration as people know it.
    pub(super) sketch: Sketch,
    pub(super) stretch: Stretch,
    pub(super) books: BTreeMap<SessionId, Book>,
    pub(super) common: Common,
    pub(super) people: People,
    pub(super) wishes: u32,
    pub(super) wish_at: Duration,
    pub(super) watchers: Vec<Watcher>,
    /// What was asked and is not answered.
    pub(super) waiting: BTreeMap<u64, Asked>,
    /// What is asked again, and when.
    pub(super) again: Vec<(Duration, Asked)>,
    pub(super) asked: u64,
    pub(super) answers: u64,
    /// Prompts that were acknowledged, with the session and the place that they were told.
    pub(super) acknowledged: Vec<(u64, SessionId, Seq)>,
    pub(super) occurrences: u32,
    pub(super) lives: u32,
    story: Vec<String>,
    disk: TempDir,
    /// What the disk held when the last daemon began.
    before: Vec<(OsString, Vec<u8>)>,
}

impl Machine {
    pub(super) fn new(seed: u64, treachery: Option<Treachery>) -> Machine {
        let mut random = Random::new(seed);
        let script = Script::draw(&mut random);
        let stage = Stage::new(Random::new(random.next()), treachery);
        let shared_memory = Path::new("/dev/shm");
        let disk = if shared_memory.is_dir() { TempDir::new_in(shared_memory) } else { TempDir::new() };
        Machine {
            treachery,
            stage,
            time: SimulatedTime::new(seed, treachery == Some(Treachery::ClockStands)),
            sketch: script.sketch.clone(),
            stretch: Stretch::Hurt,
            books: BTreeMap::new(),
            common: Common::default(),
            people: People::default(),
            wishes: script.wishes,
            wish_at: Duration::ZERO,
            watchers: Vec::new(),
            waiting: BTreeMap::new(),
            again: Vec::new(),
            asked: 0,
            answers: 0,
            acknowledged: Vec::new(),
            occurrences: 0,
            lives: 0,
            story: Vec::new(),
            disk: disk.expect("a directory for a simulated disk can be made"),
            before: Vec::new(),
            random,
            script,
        }
    }

    /// Lets daemons live until all is well.
    pub(super) fn run(&mut self) -> Checked {
        fs::create_dir(self.workspace()).map_err(|error| broken("a workspace", &error))?;
        let mut state = self.state_dir();
        self.fresh(&state)?;
        while self.lives < MOST_LIVES {
            self.lives += 1;
            self.common.coverage.count("life", "began");
            let vfs = FaultVfs::in_memory();
            vfs.adopt(&state).map_err(|error| broken("the simulated disk", &error))?;
            let idle = Idle::default();
            let parks = idle.clone();
            let runtime = tokio::runtime::Builder::new_current_thread().on_thread_park(move || parks.parks()).build();
            let runtime = runtime.map_err(|error| broken("a runtime", &error))?;
            let end = runtime.block_on(self.live(&vfs, &state, &idle))?;
            let crash = match end {
                End::Proved => return Ok(()),
                End::Stopped => Crash::Kill,
                End::Died(crash) => crash,
            };
            let before = std::mem::replace(&mut state, self.state_dir());
            self.image(&vfs, crash, &state)?;
            keep_others(&before, &state)?;
            drop(runtime);
            self.tamper(&state)?;
            self.time.advance(self.time.elapsed() + Duration::from_millis(self.random.between(1, 3_000)));
        }
        let detail = format!("{MOST_LIVES} daemons were not enough");
        Err(Breach { invariant: Invariant::ComesToRest, detail })
    }

    /// What the next daemon finds.
    fn image(&mut self, vfs: &FaultVfs, crash: Crash, state: &Path) -> Checked {
        fs::create_dir(state).map_err(|error| broken("the simulated disk", &error))?;
        let forgets = self.treachery == Some(Treachery::DiskForgets) && !self.before.is_empty();
        vfs.crash(crash, state).map_err(|error| broken("the simulated disk", &error))?;
        if forgets {
            for entry in fs::read_dir(state).into_iter().flatten().flatten() {
                let _ = fs::remove_file(entry.path());
            }
            for (name, bytes) in &self.before {
                fs::write(state.join(name), bytes).map_err(|error| broken("the simulated disk", &error))?;
            }
        }
        self.before.clear();
        if self.treachery == Some(Treachery::DiskForgets) {
            for entry in fs::read_dir(state).into_iter().flatten().flatten() {
                self.before.extend(fs::read(entry.path()).ok().map(|bytes| (entry.file_name(), bytes)));
            }
        }
        Ok(())
    }

    fn tamper(&self, state: &Path) -> Checked {
        let Some(sql) = self.treachery.and_then(Treachery::tampering) else { return Ok(()) };
        let tampered = rusqlite::Connection::open(state.join("journal.db")).and_then(|file| file.execute_batch(sql));
        tampered.map_err(|error| broken("tampering", &error))
    }

    /// A new machine's disk: a journal without events, copied since making one takes longer than a simulation.
    fn fresh(&self, state: &Path) -> Checked {
        static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
        let empty = EMPTY.get_or_init(|| {
            let dir = TempDir::new().expect("a directory can be made");
            let vfs = FaultVfs::in_memory();
            let options = Options { inline: true, vfs: Some(vfs.name().to_owned()), ..Options::default() };
            let store = Store::open(dir.path(), options);
            drop(store.expect("a journal can be made"));
            fs::read(dir.path().join("journal.db")).expect("the journal is there")
        });
        fs::create_dir(state)
            .and_then(|()| fs::write(state.join("journal.db"), empty))
            .map_err(|e| broken("a disk", &e))
    }

    /// Where the present daemon's state lies.
    fn state_dir(&self) -> PathBuf {
        self.disk.path().join(format!("state-{}", self.lives))
    }

    /// Where everybody works.
    pub(super) fn workspace(&self) -> PathBuf {
        self.disk.path().join("work")
    }

    /// A place on the disk that outlives daemons.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    /// Tells what happens.
    pub(super) fn tell(&mut self, what: impl Display) {
        let now = self.time.elapsed();
        self.story.push(format!("{:>10.3} s  {what}", now.as_secs_f64()));
    }

    /// A session as the story calls it.
    pub(super) fn name(&self, session: SessionId) -> String {
        match self.books.get(&session) {
            Some(book) => format!("session {}", book.number),
            None => "a session that is not known".to_owned(),
        }
    }

    /// Ids in what is told are replaced by what the story calls the sessions.
    fn plainly(&self, mut text: String) -> String {
        for (id, book) in &self.books {
            text = text.replace(&id.to_string(), &format!("«session {}»", book.number));
        }
        text
    }

    /// The whole story with the ends of the journals.
    pub(super) fn tale(&self) -> Vec<String> {
        let mut tale: Vec<_> = self.story.iter().map(|line| self.plainly(line.clone())).collect();
        for book in self.books.values() {
            let removed = if book.removed { ", removed" } else { "" };
            tale.push(format!("session {} is {}{removed}:", book.number, book.id));
            let first = book.headers.len().saturating_sub(SHOWN);
            tale.extend(book.headers[first..].iter().map(|header| format!("  {header}")));
        }
        tale
    }

    pub(super) fn report(self) -> Report {
        let headers = self.books.values().flat_map(|book| book.headers.iter().map(String::as_str));
        let fingerprint = fingerprint(headers);
        Report {
            runs: 1,
            lives: u64::from(self.lives),
            sessions: self.books.len() as u64,
            events: self.books.values().map(|book| book.headers.len() as u64).sum(),
            turns: self.books.values().map(|book| book.audit.turns_finished()).sum(),
            answers: self.answers,
            watched: self.watchers.iter().map(|watcher| watcher.count() as u64).sum(),
            fingerprint,
            coverage: self.common.coverage,
        }
    }
}

/// Files beside the journal's, such as the key that signs, are real and outlive every daemon.
fn keep_others(before: &Path, state: &Path) -> Checked {
    for entry in fs::read_dir(before).into_iter().flatten().flatten() {
        let (name, to) = (entry.file_name(), state.join(entry.file_name()));
        if !name.to_string_lossy().starts_with("journal.db") && entry.path().is_file() && !to.exists() {
            fs::copy(entry.path(), &to).map_err(|error| broken("a file", &error))?;
        }
    }
    Ok(())
}

/// The simulation itself cannot go on.
pub(super) fn broken(what: &str, error: &dyn Display) -> Breach {
    Breach { invariant: Invariant::NoPanic, detail: format!("{what}: {error}") }
}
