//! The new daemon's side: proves that it is fit, takes everything, and serves when it is told to.

use super::given;
use super::step::{AtStep, Step};
use super::talk::{Heard, Talk};
use crate::config::{Config, ConfigError};
use crate::doors::{Socket, SocketError};
use crate::lock::{Lock, LockError};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use store::{OpenError, Store};
use wire::handover::PROTOCOL;
use wire::places::Places;
use wire::{GivenConfig, HandOver};

/// A daemon that is about to take over.
#[derive(Debug)]
pub(crate) struct Heir {
    talk: Talk,
    at_step: AtStep,
    /// The version of the one before.
    before: String,
    /// Whether the one before is gone.
    alone: bool,
}

/// Why this daemon does not take over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeirError {
    #[error("the conversation with the daemon before failed: {0}")]
    Talk(io::Error),
    #[error("the daemon before has gone before it handed over")]
    Gone,
    #[error("the daemon before said something that this version does not know; stop it, and start this one")]
    Strange,
    #[error("the daemon before holds another state directory than {0}; give both the same environment")]
    Elsewhere(std::path::PathBuf),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    State(#[from] OpenError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Standard input, which is our end of the conversation; what stands in its place is `/dev/null`. To be called before
/// anything else is opened, and without the runtime.
pub(crate) fn conversation(detached: bool) -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    // Children must not inherit it.
    let ours = rustix::io::fcntl_dupfd_cloexec(stdin.as_fd(), 3)?;
    if rustix::net::sockopt::socket_type(&ours).is_err() {
        return Err(io::Error::other(
            "standard input is no socket of a daemon that hands over; see `tinkerbell daemon upgrade --help`",
        ));
    }
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    if detached {
        // The one before leads the session that we were born into, and is about to leave.
        rustix::process::setsid()?;
        rustix::process::chdir("/")?;
    }
    Ok(ours)
}

impl Heir {
    /// Speaks over what [`conversation`] gave. Needs the runtime.
    pub(crate) fn new(conversation: OwnedFd, at_step: AtStep) -> Result<Heir, HeirError> {
        let talk = Talk::new(conversation).map_err(HeirError::Talk)?;
        Ok(Heir { talk, at_step, before: String::new(), alone: false })
    }

    /// Hears who asks; the configuration that is in force there.
    pub(crate) async fn greeted(&mut self, places: &Places) -> Result<Config, HeirError> {
        let heard = self.hear().await?;
        let HandOver::Hello { protocol: PROTOCOL, version, state_dir, config } = heard.word else {
            return Err(HeirError::Strange);
        };
        (self.at_step)(Step::Greeted);
        self.before = version;
        if !is_same_directory(&state_dir, &places.state_dir) {
            return Err(HeirError::Elsewhere(places.state_dir.clone()));
        }
        configuration(config, &mut heard.descriptors.into_iter(), places)
    }

    /// Shows that it can do with the state that there is, and is given everything.
    pub(crate) async fn take(
        &mut self,
        places: &Places,
        options: &store::Options,
    ) -> Result<(Lock, Socket, Config), HeirError> {
        let migrates = Store::rehearse(&places.state_dir, options)?;
        self.say(&HandOver::Fit { version: crate::VERSION.to_owned(), migrates }).await?;
        (self.at_step)(Step::Fit);
        let Heard { word: HandOver::Take { sockets, after_us, config }, descriptors } = self.hear().await? else {
            return Err(HeirError::Strange);
        };
        let mut descriptors = descriptors.into_iter();
        let lock = descriptors.next().ok_or(HeirError::Strange)?;
        let lock = Lock::adopt(lock, &places.state_dir, &places.lock_file())?;
        // One socket is all that there is today; what a later version may give besides is closed.
        let more = sockets.len().saturating_sub(1);
        let given = sockets.into_iter().next().ok_or(HeirError::Strange)?;
        let socket = Socket::adopt(descriptors.next().ok_or(HeirError::Strange)?, given)?;
        let config = configuration(config, &mut descriptors.skip(more), places)?;
        (self.at_step)(Step::Taken);
        if after_us {
            while let Ok(Some(_)) = self.talk.hear().await {}
            self.alone = true;
        }
        Ok((lock, socket, config))
    }

    /// The state is open. Returns when it may be served: when the one before says so, or is gone.
    pub(crate) async fn opened(&mut self) -> Result<(), HeirError> {
        (self.at_step)(Step::Opened);
        if !self.alone {
            self.say(&HandOver::Opened {}).await?;
            match self.talk.hear().await {
                Ok(Some(Heard { word: HandOver::Go {}, .. })) => {}
                Ok(Some(_)) => return Err(HeirError::Strange),
                Ok(None) | Err(_) => self.alone = true,
            }
        }
        (self.at_step)(Step::Allowed);
        Ok(())
    }

    /// It serves; the one before may leave.
    pub(crate) async fn serves(&mut self) {
        if !self.alone && self.say(&HandOver::Serving {}).await.is_err() {
            self.alone = true;
        }
        (self.at_step)(Step::Serving);
    }

    /// It does not, for this reason.
    pub(crate) async fn fails(&mut self, why: &str) {
        let why = why.to_owned();
        // Which of the two is right depends on how far it came, and both end the same way.
        let _ = self.say(&HandOver::Unfit { why }).await;
    }

    /// Whether the one before is gone, so that nobody but us is the daemon.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone
    }

    /// The version of the one before.
    pub(crate) fn before(&self) -> &str {
        &self.before
    }

    /// Says something; an old daemon that is gone hears nothing, which is no failure once everything was taken.
    async fn say(&mut self, word: &HandOver) -> Result<(), HeirError> {
        match self.talk.say(word, &[]).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.alone = true;
                Ok(())
            }
            Err(error) => Err(HeirError::Talk(error)),
        }
    }

    async fn hear(&mut self) -> Result<Heard, HeirError> {
        self.talk.hear().await.map_err(HeirError::Talk)?.ok_or(HeirError::Gone)
    }
}

/// What the one before gave; where it gave nothing, what stands in the file.
fn configuration(
    given: Option<GivenConfig>,
    descriptors: &mut impl Iterator<Item = OwnedFd>,
    places: &Places,
) -> Result<Config, HeirError> {
    let Some(given) = given else { return Ok(Config::load(&places.config_file)?) };
    let descriptor = descriptors.next().ok_or(HeirError::Strange)?;
    Ok(given::take(&given, descriptor, &places.config_file)?)
}

fn is_same_directory(one: &std::path::Path, other: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
