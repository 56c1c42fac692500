//! A SQLite VFS that fails on purpose. It goes through the system's own VFS, counts every call, hurts the Nth one, and
//! keeps beside each file a model of what a disk would hold, so that [`FaultVfs::crash`] can write what a kill or a
//! power cut would leave into another folder.
//!
//! Real syncs are left out: the model says what is durable, so thousands of trials take seconds.
//!
//! Deliberately absent: memory-mapped files (the VFS offers none, so that no byte changes behind its back), and faults
//! of releasing a lock, which no system has and which would only hang the test.

mod disk;
mod shim;

use crate::Rng;
use disk::Disk;
use rusqlite::ffi;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What SQLite asks a VFS for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Op {
    /// Open or make a file.
    Open,
    /// Read bytes.
    Read,
    /// Write bytes.
    Write,
    /// Shorten a file.
    Truncate,
    /// Make what was written durable.
    Sync,
    /// Delete a file.
    Delete,
    /// Look whether a file is there.
    Access,
    /// Ask for a file's size.
    Size,
    /// Take a lock on the database.
    Lock,
    /// Map the shared index of the write-ahead log.
    Shm,
    /// Take a lock in that index.
    ShmLock,
}

/// A set of [`Op`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ops(u32);

impl Ops {
    /// All of them.
    pub const ALL: Ops = Ops(u32::MAX);
    /// Those that change what a disk holds.
    pub const CHANGES: Ops = Ops::of(&[Op::Write, Op::Truncate, Op::Sync, Op::Delete]);
    /// Writing alone.
    pub const WRITES: Ops = Ops::of(&[Op::Write]);
    /// Syncing alone.
    pub const SYNCS: Ops = Ops::of(&[Op::Sync]);

    /// The set of these.
    pub const fn of(ops: &[Op]) -> Ops {
        let (mut bits, mut index) = (0, 0);
        while index < ops.len() {
            bits |= 1 << ops[index] as u32;
            index += 1;
        }
        Ops(bits)
    }

    fn has(self, op: Op) -> bool {
        self.0 & 1 << op as u32 != 0
    }
}

/// How a call is hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hurt {
    /// The call's own I/O error; nothing is done.
    Fail,
    /// The disk is full; nothing is done.
    Full,
    /// A write stops half-way, then the disk is full. Other calls: as [`Hurt::Full`].
    TornFull,
    /// A write stops half-way with an I/O error. Other calls: as [`Hurt::Fail`].
    Torn,
    /// A sync fails, and what was not durable never will be: Linux takes the pages for clean. Others: as [`Hurt::Fail`].
    LostSync,
    /// A sync fails, and all of it is durable nevertheless. Others: as [`Hurt::Fail`].
    LateSync,
    /// The machine stops before the call; every later call fails.
    Power,
    /// The machine stops in the middle of the call; every later call fails.
    PowerTorn,
}

/// Which call is hurt, and how.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Which of those in `ops`, from 1, counted from when the fault is armed.
    pub nth: u64,
    /// The calls that count.
    pub ops: Ops,
    /// What happens to it.
    pub hurt: Hurt,
    /// Whether all later ones of `ops` are hurt as well.
    pub sticky: bool,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed: everything written is there.
    Kill,
    /// The power goes: nothing unsynced is there.
    DropUnsynced,
    /// The power goes, and everything unsynced is there all the same.
    KeepAll,
    /// The power goes, and of what was unsynced some sectors of 512 bytes are there and some are not, by this seed.
    Mixed(u64),
}

/// What is to become of a call.
enum Verdict {
    Go,
    /// Answer with this code and do nothing.
    Refuse(c_int),
    /// Do half of the write, then answer with this code.
    Half(c_int),
    /// Lose what is unsynced, then answer with this code.
    Lose(c_int),
    /// Sync, then answer with this code.
    Late(c_int),
}

#[derive(Default)]
struct State {
    disk: Disk,
    fault: Option<Fault>,
    /// Armed once that one has hurt a call.
    next: Option<Fault>,
    seen: u64,
    hit: Option<String>,
    dead: bool,
    counts: BTreeMap<Op, u64>,
}

impl State {
    /// Counts a call and says what becomes of it; `own` is the error code that belongs to this kind of call.
    fn judge(&mut self, op: Op, own: c_int, path: &Path) -> Verdict {
        *self.counts.entry(op).or_default() += 1;
        if self.dead {
            return Verdict::Refuse(own);
        }
        let Some(fault) = self.fault.filter(|fault| fault.ops.has(op)) else { return Verdict::Go };
        self.seen += 1;
        if !(self.seen == fault.nth || fault.sticky && self.seen > fault.nth) {
            return Verdict::Go;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.hit.get_or_insert_with(|| format!("{op:?} of {name}"));
        self.dead |= matches!(fault.hurt, Hurt::Power | Hurt::PowerTorn);
        if let Some(next) = self.next.take() {
            (self.fault, self.seen) = (Some(next), 0);
        }
        match (fault.hurt, op) {
            (Hurt::Torn | Hurt::PowerTorn, Op::Write) => Verdict::Half(own),
            (Hurt::TornFull, Op::Write) => Verdict::Half(ffi::SQLITE_FULL),
            (Hurt::Full | Hurt::TornFull, _) => Verdict::Refuse(ffi::SQLITE_FULL),
            (Hurt::LostSync, Op::Sync) => Verdict::Lose(own),
            (Hurt::LateSync, Op::Sync) => Verdict::Late(own),
            _ => Verdict::Refuse(own),
        }
    }
}

/// A registered VFS. Connections name it; each test has one of its own.
pub struct FaultVfs {
    registered: shim::Registered,
    state: Arc<Mutex<State>>,
}

impl Default for FaultVfs {
    fn default() -> FaultVfs {
        FaultVfs::new()
    }
}

impl FaultVfs {
    /// Registers one under a name of its own. Nothing is hurt before [`FaultVfs::arm`].
    pub fn new() -> FaultVfs {
        let state = Arc::new(Mutex::new(State::default()));
        FaultVfs { registered: shim::register(state.clone(), shim::Original::System), state }
    }

    /// The same for files that nobody but this process has, several times as fast: they are read and written in memory, and
    /// so are their locks. The real files follow at each sync.
    pub fn in_memory() -> FaultVfs {
        let state = Arc::new(Mutex::new(State { disk: Disk::in_memory(), ..State::default() }));
        FaultVfs { registered: shim::register(state.clone(), shim::Original::OneProcess), state }
    }

    /// The name to open connections with.
    pub fn name(&self) -> &str {
        self.registered.name()
    }

    /// Hurts a call from now on.
    pub fn arm(&self, fault: Fault) {
        let mut state = self.state();
        (state.fault, state.next, state.seen, state.hit) = (Some(fault), None, 0, None);
    }

    /// Hurts a call from now on, and after that another one, as if it were armed then.
    pub fn arm_both(&self, fault: Fault, next: Fault) {
        let mut state = self.state();
        (state.fault, state.next, state.seen, state.hit) = (Some(fault), Some(next), 0, None);
    }

    /// Hurts nothing any more: the disk has room again, or was mended.
    pub fn disarm(&self) {
        let mut state = self.state();
        (state.fault, state.next) = (None, None);
    }

    /// What was hurt, if anything was.
    pub fn hit(&self) -> Option<String> {
        self.state().hit.clone()
    }

    /// How often each kind of call came.
    pub fn counts(&self) -> BTreeMap<Op, u64> {
        self.state().counts.clone()
    }

    /// Takes what lies in `dir` as durable: a second life after a crash.
    pub fn adopt(&self, dir: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            // The shared index is memory, not disk.
            if !path.to_string_lossy().ends_with("-shm") {
                let bytes = std::fs::read(&path)?;
                self.state().disk.adopt(path, bytes);
            }
        }
        Ok(())
    }

    /// Lets every later call fail and writes what is left into `to`, an empty directory. It may be called again with
    /// another kind of crash.
    pub fn crash(&self, crash: Crash, to: &Path) -> std::io::Result<()> {
        let mut state = self.state();
        state.dead = true;
        let mut rng = Rng::new(if let Crash::Mixed(seed) = crash { seed } else { 0 });
        for (name, bytes) in state.disk.left(crash, &mut rng)? {
            std::fs::write(to.join(name), bytes)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for FaultVfs {
    fn drop(&mut self) {
        // A connection that is still open keeps the state for ever, but nobody asks any more what a crash would leave.
        self.state().disk = Disk::default();
    }
}

/// A test that failed while it held the lock must not hide its failure behind a second one.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
