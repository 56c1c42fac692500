//! Updates as one stream that never breaks, those of a session or the daemon's own: after a break it goes on behind the last update that was taken.

use crate::client::{ANSWER_LIMIT, Client, EventStream};
use crate::error::Error;
use crate::http::{HttpError, ServerEvent};
use crate::request::Request;
use crate::update::Update;
use crate::wait;
use agent::{Seq, SessionId};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use wire::{Code, DrainReason, Problem, operation};

/// A connection that is back within this time is nothing to talk about.
const QUIET: Duration = Duration::from_secs(1);
/// How long we try to come back after the connection broke.
const RECONNECT_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two tries.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// The daemon sends a heartbeat more often than this; a stream that is silent for longer is dead.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(90);

/// Whose updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those of a session.
    Session(SessionId),
    /// The daemon's own.
    Daemon,
}

impl Whose {
    /// A request for what comes after an update.
    pub(crate) fn request(self, after: Seq) -> Result<Request, Error> {
        let request = match self {
            Whose::Session(session) => Request::new(&operation::SESSION_EVENTS)?.at("session", session),
            Whose::Daemon => Request::new(&operation::EVENTS)?,
        };
        Ok(request.query("after", after))
    }
}

/// The updates of one journal.
#[derive(Debug)]
pub(crate) struct Feed {
    whose: Whose,
    after: Seq,
    stream: EventStream,
    /// Why the daemon is about to end the stream, once it has said so.
    draining: Option<DrainReason>,
}

/// Why a stream broke, in words for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broke {
    /// The daemon ended it in good order, and did not say why.
    Ended,
    /// The daemon was stopped.
    Stopped,
    /// The daemon hands over to another binary.
    Upgraded,
    /// The connection is gone.
    Lost,
}

impl Broke {
    /// What is said of it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Broke::Ended => "the daemon ended the stream; waiting for it to come back…",
            Broke::Stopped => "the daemon was stopped; waiting for it to come back…",
            Broke::Upgraded => "the daemon is being upgraded; connecting again…",
            Broke::Lost => "the connection to the daemon broke; connecting again…",
        }
    }
}

impl Feed {
    /// The updates after this one, for as long as it may take a daemon to come.
    pub(crate) fn open(client: &mut Client, whose: Whose, after: Seq) -> Result<Feed, Error> {
        let stream = connect(client, whose, after, RECONNECT_LIMIT).map_err(|unopened| unopened.error(whose))?;
        Ok(Feed { whose, after, stream, draining: None })
    }

    /// The next update that has come.
    pub(crate) fn pop(&mut self) -> Option<ServerEvent> {
        self.stream.pop()
    }

    /// This update was taken: after a break what follows it is wanted, and where it says why the stream will end, that is
    /// known.
    pub(crate) fn taken(&mut self, update: &Update) {
        match update {
            Update::Event(event) => self.after = event.header.seq,
            Update::Unknown(Some(seq)) => self.after = *seq,
            Update::Draining(reason) => self.draining = Some(*reason),
            Update::Unknown(None) | Update::Delta(_) => {}
        }
    }

    /// Reads what has come. A break is no error; [`Feed::reopen`] mends it.
    pub(crate) fn fill(&mut self) -> Result<Option<Broke>, Error> {
        match self.stream.fill() {
            Ok(()) => Ok(None),
            // However it ends after that word: it is known why.
            Err(error) if error.is_broken_connection() && self.draining.is_some() => {
                let upgrades = self.draining == Some(DrainReason::Upgrade);
                Ok(Some(if upgrades { Broke::Upgraded } else { Broke::Stopped }))
            }
            Err(error) if error.is_broken_connection() && self.stream.is_over() => Ok(Some(Broke::Ended)),
            Err(error) if error.is_broken_connection() => Ok(Some(Broke::Lost)),
            Err(error) => Err(error.into()),
        }
    }

    /// Connects again after a break. Where that takes long `tell` gets to say why, once.
    pub(crate) fn reopen(
        &mut self,
        client: &mut Client,
        broke: Broke,
        tell: impl FnOnce(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if matches!(broke, Broke::Ended | Broke::Stopped) {
            // Somebody stopped the daemon, and may start another one. It is not for us to do.
            client.start_no_more();
        }
        client.wait_in_silence(QUIET);
        let opened = match connect(client, self.whose, self.after, QUIET) {
            Err(Unopened::Late(_)) => {
                tell(broke.words())?;
                client.wait_in_silence(ANSWER_LIMIT);
                connect(client, self.whose, self.after, RECONNECT_LIMIT)
            }
            other => other,
        };
        client.wait_as_usual();
        self.stream = opened.map_err(|unopened| unopened.error(self.whose))?;
        self.draining = None;
        Ok(())
    }
}

/// Why there is no stream.
enum Unopened {
    /// It took too long; this is what was in the way last.
    Late(Error),
    /// It would not help to try again.
    Failed(Error),
}

impl Unopened {
    fn error(self, whose: Whose) -> Error {
        match self {
            Unopened::Late(error @ Error::Http(HttpError::TimedOut { .. })) | Unopened::Failed(error) => error,
            Unopened::Late(error) => lost(whose, &error).into(),
        }
    }
}

impl AsFd for Feed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Tries to connect for so long.
fn connect(client: &mut Client, whose: Whose, after: Seq, limit: Duration) -> Result<EventStream, Unopened> {
    let began = Instant::now();
    let request = whose.request(after).map_err(Unopened::Failed)?.stream();
    loop {
        let error = match client.stream(&request) {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let passes = match &error {
            Error::Http(HttpError::TimedOut { .. }) => return Err(Unopened::Late(error)),
            Error::Http(error) => error.is_broken_connection(),
            Error::Problem(problem) => matches!(problem.code, Code::NoDaemon | Code::Draining | Code::Upgrading),
            Error::Output(_) => false,
        };
        if !passes {
            return Err(Unopened::Failed(error));
        }
        if began.elapsed() >= limit {
            return Err(Unopened::Late(error));
        }
        let interrupt = client.interrupt().map(AsFd::as_fd);
        match wait::readable([interrupt], Some(RECONNECT_PAUSE)) {
            Ok([false]) => {}
            Ok([true]) => return Err(Unopened::Failed(HttpError::Interrupted.into())),
            Err(error) => return Err(Unopened::Failed(HttpError::from(error).into())),
        }
    }
}

/// The daemon was stopped while somebody looked on.
pub(crate) fn stopped(session: SessionId) -> Problem {
    Problem::new(Code::Draining, "the daemon was stopped; what was running goes on when it starts again")
        .remedy(format!("`tinkerbell attach -s {session}` starts it and shows how it goes on"))
}

fn lost(whose: Whose, error: &Error) -> Problem {
    let seconds = RECONNECT_LIMIT.as_secs();
    Problem::new(Code::NoDaemon, format!("the daemon did not come back within {seconds} s: {error}")).remedy(
        match whose {
            Whose::Session(id) => {
                format!("nothing that was acknowledged is lost; go on with `tinkerbell sessions show {id}`")
            }
            Whose::Daemon => "look with `tinkerbell daemon logs`".to_owned(),
        },
    )
}
