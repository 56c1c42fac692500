//! The old daemon's side: starts the new one, hears whether it is fit, gives it everything, and ends it when it fails.

use super::given;
use super::step::{AtStep, Step};
use super::talk::Talk;
use crate::config::Config;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::future::pending;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use wire::handover::PROTOCOL;
use wire::rest::UpgradeBegun;
use wire::{Code, GivenConfig, GivenSocket, HandOver, Problem};

/// Variables that are about this process and not about its successor.
const OURS_ALONE: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// How often a service manager is told that we live while we wait.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// The new daemon. Unless it was given everything and serves, it is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Successor {
    child: Child,
    /// Can be read once the process has ended.
    ended: AsyncFd<OwnedFd>,
    talk: Talk,
    limit: Duration,
    at_step: AtStep,
    binary: PathBuf,
    /// Whether it was told to serve.
    told: bool,
    serves: bool,
}

/// Why an upgrade did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    #[error("cannot run {path}: {error}")]
    Binary { path: PathBuf, error: io::Error },
    #[error("{path} ended ({status}) before it had {what}")]
    Ended { path: PathBuf, status: ExitStatus, what: &'static str },
    #[error("{path} had not {what} after {seconds} s, the limit daemon.upgrade_ms")]
    Slow { path: PathBuf, what: &'static str, seconds: u64 },
    #[error("{path} does not take over: {why}")]
    Refuses { path: PathBuf, why: String },
    #[error("{path} said something that makes no sense here")]
    Strange { path: PathBuf },
    #[error("the conversation with {path} failed: {error}")]
    Talk { path: PathBuf, error: io::Error },
    #[error("the journal could not be kept aside: {0}")]
    Aside(#[source] store::AsideError),
    #[error("the journal could not be kept aside: that panicked, which is a fault in tinkerbell")]
    Panicked,
}

impl UpgradeError {
    /// As doors tell it.
    pub(crate) fn problem(&self) -> Problem {
        let remedy = "nothing was changed and the daemon goes on; look with `tinkerbell daemon logs`";
        Problem::new(Code::Conflict, format!("the upgrade did not happen: {self}")).remedy(remedy)
    }
}

/// What is given away.
#[derive(Debug)]
pub(crate) struct Estate<'a> {
    /// The lock, and then a socket each.
    pub(crate) descriptors: Vec<BorrowedFd<'a>>,
    /// What the sockets are.
    pub(crate) sockets: Vec<GivenSocket>,
    /// What was in force to the end.
    pub(crate) config: &'a Config,
    /// Something of ours still runs, so the state may be opened only when we are gone.
    pub(crate) after_us: bool,
}

/// The path of the binary that this process was started from: what lies there later is the next version. To be asked
/// at the start, since the kernel marks what was replaced.
pub(crate) fn started_from() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tinkerbell"))
}

impl Successor {
    /// Starts `binary` and waits until it says that it is fit. Meanwhile this daemon serves as ever.
    pub(crate) async fn try_out(
        binary: PathBuf,
        more: Vec<std::ffi::OsString>,
        state_dir: PathBuf,
        config: Arc<Config>,
        at_step: AtStep,
    ) -> Result<(Successor, UpgradeBegun), UpgradeError> {
        let failed = |error| UpgradeError::Binary { path: binary.clone(), error };
        let (child, socket) = spawn(&binary, &more).map_err(failed)?;
        let limit = Duration::from_millis(config.upgrade_ms);
        let mut successor = Successor::of(child, socket, limit, at_step, binary.clone()).map_err(failed)?;
        at_step(Step::Started);
        let version = crate::VERSION.to_owned();
        let (given, text) = successor.given(&config)?;
        let hello = HandOver::Hello { protocol: PROTOCOL, version, state_dir, config: Some(given) };
        successor.say(&hello, &[text.as_fd()]).await?;
        match successor.hear("said that it is fit").await? {
            HandOver::Fit { version, migrates } => {
                at_step(Step::Proved);
                let begun = UpgradeBegun {
                    binary,
                    from_pid: std::process::id(),
                    from_version: crate::VERSION.to_owned(),
                    to_pid: successor.child.id(),
                    to_version: version,
                    migrates,
                };
                Ok((successor, begun))
            }
            HandOver::Unfit { why } => Err(UpgradeError::Refuses { path: binary, why }),
            _ => Err(UpgradeError::Strange { path: binary }),
        }
    }

    fn of(child: Child, socket: OwnedFd, limit: Duration, at_step: AtStep, binary: PathBuf) -> io::Result<Successor> {
        let pid = Pid::from_child(&child);
        // From here on a failure ends the child.
        let mut guard = Orphan(Some(child));
        let ended = pidfd_open(pid, PidfdFlags::empty())?;
        // SAFETY: an owned descriptor stays the same one until it is dropped, which it is with what is made here.
        let ended = unsafe { AsyncFd::register_with_interest(ended, Interest::READABLE) }?;
        let talk = Talk::new(socket)?;
        let child = guard.0.take().expect("it was just put there");
        Ok(Successor { child, ended, talk, limit, at_step, binary, told: false, serves: false })
    }

    /// Gives everything away. When this returns well, the new daemon serves, or will as soon as we are gone. After an
    /// error it is to be ended, and then nothing of what was given is in other hands.
    pub(crate) async fn give(&mut self, estate: Estate<'_>) -> Result<(), UpgradeError> {
        let Estate { mut descriptors, sockets, config, after_us } = estate;
        (self.at_step)(Step::Closed);
        let (given, text) = self.given(config)?;
        descriptors.push(text.as_fd());
        let heard = self.say(&HandOver::Take { sockets, after_us, config: Some(given) }, &descriptors).await?;
        (self.at_step)(Step::Given);
        if after_us {
            if !heard {
                return Err(self.ended("taken over"));
            }
            self.serves = true;
            return Ok(());
        }
        match self.hear("opened the state").await? {
            HandOver::Opened {} => {}
            HandOver::Failed { why } | HandOver::Unfit { why } => {
                return Err(UpgradeError::Refuses { path: self.binary.clone(), why });
            }
            _ => return Err(UpgradeError::Strange { path: self.binary.clone() }),
        }
        self.told = true;
        self.say(&HandOver::Go {}, &[]).await?;
        (self.at_step)(Step::Told);
        match self.hear("begun to serve").await? {
            HandOver::Serving {} => {
                self.serves = true;
                (self.at_step)(Step::Relieved);
                Ok(())
            }
            HandOver::Failed { why } | HandOver::Unfit { why } => {
                Err(UpgradeError::Refuses { path: self.binary.clone(), why })
            }
            _ => Err(UpgradeError::Strange { path: self.binary.clone() }),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it may have served.
    pub(crate) fn was_told(&self) -> bool {
        self.told
    }

    /// Whether there was anybody to hear it. That it hung up is also seen by the next hearing, which knows how it ended.
    async fn say(&self, word: &HandOver, descriptors: &[BorrowedFd<'_>]) -> Result<bool, UpgradeError> {
        match tokio::time::timeout(self.limit, self.talk.say(word, descriptors)).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(_) => Err(self.slow("listened")),
        }
    }

    /// A configuration as it is handed over.
    fn given(&self, config: &Config) -> Result<(GivenConfig, OwnedFd), UpgradeError> {
        let text = given::put(&config.text).map_err(|error| self.failed(error))?;
        Ok((GivenConfig { found: config.found }, text))
    }

    /// The next thing that it says. It may leave without hanging up, where a child of its own keeps the socket.
    async fn hear(&mut self, what: &'static str) -> Result<HandOver, UpgradeError> {
        let ended = async {
            if self.ended.readable().await.is_err() {
                pending::<()>().await;
            }
        };
        let waiting = async {
            let mut lives = tokio::time::interval(SIGN_OF_LIFE);
            loop {
                lives.tick().await;
                crate::notify::alive();
            }
        };
        let heard = tokio::select! {
            biased;
            heard = self.talk.hear() => heard,
            () = ended => Ok(None),
            () = tokio::time::sleep(self.limit) => return Err(self.slow(what)),
            () = waiting => unreachable!("it waits for ever"),
        };
        match heard {
            Ok(Some(heard)) => Ok(heard.word),
            Ok(None) => Err(self.ended(what)),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: io::Error) -> UpgradeError {
        UpgradeError::Talk { path: self.binary.clone(), error }
    }

    fn ended(&mut self, what: &'static str) -> UpgradeError {
        UpgradeError::Ended { path: self.binary.clone(), status: self.end(), what }
    }

    fn slow(&self, what: &'static str) -> UpgradeError {
        UpgradeError::Slow { path: self.binary.clone(), what, seconds: self.limit.as_secs() }
    }

    /// Ends the process, if it has not ended; how it ended.
    pub(crate) fn end(&mut self) -> ExitStatus {
        match self.child.try_wait() {
            Ok(Some(status)) => status,
            _ => end(&mut self.child),
        }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.serves {
            self.end();
        }
    }
}

/// A child that nobody answers for yet.
struct Orphan(Option<Child>);

impl Drop for Orphan {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

/// Ends a child of ours and waits until it is gone: nothing that it does afterwards can meet what we do.
fn end(child: &mut Child) -> ExitStatus {
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().unwrap_or_default()
}

/// Starts the binary with one end of a socket pair as its standard input; it inherits no other descriptor but what
/// stands for our standard output and error.
fn spawn(binary: &Path, more: &[std::ffi::OsString]) -> io::Result<(Child, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let mut command = Command::new(binary);
    command.arg0("tinkerbell").args(["daemon", "run", "--take-over"]).args(more).stdin(Stdio::from(theirs));
    for name in OURS_ALONE {
        command.env_remove(name);
    }
    Ok((command.spawn()?, ours))
}
