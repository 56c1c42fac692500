//! A program whose system calls fail on purpose: the kernel asks here (seccomp's user notification) before each call
//! that changes what is on disk, and is told to make it, or to answer with an error; or the program is killed as it
//! enters the call.
//!
//! The count goes over all threads and children, and of writes and syncs only those on files below one directory are
//! counted, so that "the Nth" is the Nth of the program and not one of a socket's. Opening a file counts where it may make
//! one.
//!
//! Deliberately absent: calls that are half done, and syncs that lie. Those are the failing VFS's part.

mod filter;
mod listener;

pub use filter::Kind;

use filter::Call;
use listener::{Listener, Question};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A set of [`Kind`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// All of them.
    pub const ALL: Kinds = Kinds(u8::MAX);
    /// Those that take room on the disk.
    pub const GROWING: Kinds = Kinds::of(&[Kind::Write, Kind::Cut, Kind::Name, Kind::Make]);

    /// The set of these.
    pub const fn of(kinds: &[Kind]) -> Kinds {
        let (mut bits, mut index) = (0, 0);
        while index < kinds.len() {
            bits |= 1 << kinds[index] as u8;
            index += 1;
        }
        Kinds(bits)
    }

    fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// Whose calls count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The program's and its children's.
    Everybodys,
    /// The program's own.
    Own,
    /// Its children's, the user's git for instance.
    Childrens,
}

/// How a call is hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hurt {
    /// The process that makes it is killed.
    Kill,
    /// The program is killed, and so is the child that makes it.
    KillAll,
    /// It fails and nothing is done.
    Error(Errno),
}

/// Which call is hurt, and how.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Which of those that count, from 1, counted from when the fault is armed.
    pub nth: u64,
    /// The calls that count.
    pub kinds: Kinds,
    /// Whose calls count.
    pub whose: Whose,
    /// What happens to it.
    pub hurt: Hurt,
    /// Whether all later ones are hurt as well, until [`Injector::disarm`].
    pub sticky: bool,
}

/// Decides about the calls of the programs that it watches. Cheap to clone.
#[derive(Clone)]
pub struct Injector {
    below: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    seen: u64,
    hit: Option<String>,
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Injector({})", self.below.display())
    }
}

/// Whether this machine lets one program decide about another's calls, or why not.
pub fn available() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("deciding about system calls is for Linux".to_owned());
    }
    let mut command = Command::new("true");
    Injector::new(&std::env::temp_dir()).watch(&mut command).map_err(|error| error.to_string())?;
    match command.status() {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(format!("this kernel or container does not let a program decide about system calls: {error}"))
        }
    }
}

impl Injector {
    /// One that counts what concerns files below a directory. Nothing is hurt before [`Injector::arm`].
    pub fn new(below: &Path) -> Injector {
        Injector { below: below.to_owned(), state: Arc::default() }
    }

    /// Has the program of a command, and all that it starts, ask here.
    pub fn watch(&self, command: &mut Command) -> io::Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut program = filter::program();
        let installed = move || {
            let listener = filter::install(&mut program)?;
            // Closed at exec, like all that we open.
            listener::send(theirs.as_raw_fd(), listener)
        };
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(installed) };
        let injector = self.clone();
        std::thread::spawn(move || {
            if let Some((listener, program)) = listener::receive(&ours) {
                while let Some(question) = listener.next() {
                    injector.decide(&listener, &question, program);
                }
            }
        });
        Ok(())
    }

    /// Hurts a call from now on.
    pub fn arm(&self, fault: Fault) {
        *self.state() = State { fault: Some(fault), ..State::default() };
    }

    /// Hurts nothing any more: the disk has room again, or was mended.
    pub fn disarm(&self) {
        self.state().fault = None;
    }

    /// What was hurt, if anything was.
    pub fn hit(&self) -> Option<String> {
        self.state().hit.clone()
    }

    /// How many calls have counted since the fault was armed.
    pub fn seen(&self) -> u64 {
        self.state().seen
    }

    fn decide(&self, listener: &Listener, question: &Question, program: i32) {
        match self.verdict(question, program) {
            None => listener.go_on(question),
            Some(Hurt::Error(errno)) => listener.refuse(question, errno.raw_os_error()),
            Some(hurt) => {
                if hurt == Hurt::KillAll {
                    kill(program);
                }
                kill(question.thread);
            }
        }
    }

    fn verdict(&self, question: &Question, program: i32) -> Option<Hurt> {
        let call = filter::call(question.number)?;
        let fault = self.state().fault.filter(|fault| fault.kinds.has(call.kind))?;
        let own = || process_of(question.thread) == Some(program);
        let counts = match fault.whose {
            Whose::Everybodys => true,
            Whose::Own => own(),
            Whose::Childrens => !own(),
        };
        if !counts {
            return None;
        }
        let name = self.concerned(call, question)?;
        let mut state = self.state();
        state.seen += 1;
        let (seen, fault) = (state.seen, state.fault?);
        if !(seen == fault.nth || fault.sticky && seen > fault.nth) {
            return None;
        }
        state.hit.get_or_insert_with(|| format!("{} {name}", call.name.trim_start_matches("SYS_")));
        Some(fault.hurt)
    }

    /// What a call works on, if that counts. Calls on names are not looked into: they are about files in any case. A
    /// daemon lets nobody but root look at its descriptors; for others its plain writes do not count, since they may be
    /// to anything, and all else does.
    fn concerned(&self, call: &Call, question: &Question) -> Option<String> {
        let Some(argument) = call.descriptor else { return Some(String::new()) };
        let link = format!("/proc/{}/fd/{}", question.thread, question.arguments[argument] as i32);
        match std::fs::read_link(link) {
            Ok(path) => Some(path.strip_prefix(&self.below).ok()?.display().to_string()),
            Err(_) => (!call.to_anything).then(String::new),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that failed while it held the lock must not hide its failure behind a second one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills the process that a thread belongs to.
fn kill(thread: i32) {
    if let Some(pid) = Pid::from_raw(thread) {
        // Gone already is gone.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The process that a thread belongs to.
fn process_of(thread: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}
