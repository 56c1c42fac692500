//! Talks to the daemon: finds it, starts it where that is wanted, sends requests and reads answers.
//!
//! A request whose answer does not begin is sent once more on a new connection if that is safe: reads change nothing,
//! and some writes carry an idempotency key. All other writes are sent once, on a new connection; if that breaks, nobody
//! knows whether they happened, and that is what is said.

mod patience;
mod transfer;

pub(crate) use patience::ANSWER_LIMIT;

use crate::error::Error;
use crate::http::{BodyDecoder, Connection, EventDecoder, Head, HttpError, ServerEvent};
use crate::interrupt::Interrupt;
use crate::locate::{self, Found, Unreachable};
use crate::request::Request;
use crate::screen;
use crate::start::Starter;
use patience::{PROMPT_LIMIT, Patience, Tells, Waiting};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use wire::operation::Operation;
use wire::places::Places;
use wire::{Code, Problem};

/// The version of this binary.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How often a write whose outcome the daemon does not know is sent again, with the same key.
const UNKNOWN_OUTCOME_RETRIES: u32 = 3;
/// How long a request is sent again while the daemon hands over to another binary. It takes seconds.
const UPGRADE_LIMIT: Duration = Duration::from_secs(30);
/// The pause before that.
const UPGRADE_PAUSE: Duration = Duration::from_millis(50);
/// The pause before that.
const UNKNOWN_OUTCOME_PAUSE: Duration = Duration::from_millis(200);

/// A client of the daemon.
#[derive(Debug)]
pub(crate) struct Client {
    places: Places,
    /// How to start the daemon, where that is wanted.
    starter: Option<Starter>,
    /// A connection that is waiting for its next request.
    idle: Option<Connection>,
    /// Set while Ctrl-C is to end the waiting rather than the process.
    interrupt: Option<Interrupt>,
    version_told: bool,
    /// What the user is told while an answer takes long.
    waiting: Waiting,
}

/// A good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its body, as it came.
    pub(crate) body: Vec<u8>,
}

/// A stream of updates.
#[derive(Debug)]
pub(crate) struct EventStream {
    connection: Connection,
    body: BodyDecoder,
    events: EventDecoder,
    decoded: Vec<u8>,
}

impl Client {
    /// A client that has not connected yet.
    pub(crate) fn new(places: Places, starter: Option<Starter>) -> Client {
        Client { places, starter, idle: None, interrupt: None, version_told: false, waiting: Waiting::usual() }
    }

    /// From now on answers may take as long as `limit`, and meanwhile somebody at a terminal reads `words` and how long
    /// it has been.
    pub(crate) fn wait_for(&mut self, words: String, limit: Duration) {
        self.waiting = Waiting { words, limit, tells: Tells::Seconds, processes: None };
    }

    /// And no longer than one of these processes lives: after them the answer is [`HttpError::Gone`]. A socket that
    /// others hold open too, as a service manager does, takes connections that nobody answers.
    pub(crate) fn while_one_lives(&mut self, processes: Vec<OwnedFd>) {
        self.waiting.processes = Some(processes);
    }

    /// From now on answers may take as long as `limit`, and nothing is said meanwhile.
    pub(crate) fn wait_in_silence(&mut self, limit: Duration) {
        self.waiting = Waiting { limit, tells: Tells::Nothing, ..Waiting::usual() };
    }

    /// From now on answers may take as long as they usually may.
    pub(crate) fn wait_as_usual(&mut self) {
        self.waiting = Waiting::usual();
    }

    /// From now on an answer may have to wait until the session leaves its canvas alone.
    pub(crate) fn wait_for_canvas(&mut self) {
        let words = "the session is at its canvas, or waits for an answer (tinkerbell sessions show)";
        self.wait_for(words.to_owned(), ANSWER_LIMIT);
    }

    /// From now on Ctrl-C does not end the process; the caller asks [`Client::interrupt`] for it.
    pub(crate) fn catch_interrupt(&mut self) -> io::Result<()> {
        self.interrupt = Some(Interrupt::listen()?);
        Ok(())
    }

    /// Ctrl-C, once it is caught.
    pub(crate) fn interrupt(&self) -> Option<&Interrupt> {
        self.interrupt.as_ref()
    }

    /// Sends a request and gives its answer; an answer that says no is a [`Problem`].
    pub(crate) fn call(&mut self, request: &Request) -> Result<Answer, Error> {
        let (mut attempt, began) = (0, Instant::now());
        loop {
            match self.call_once(request) {
                // Nothing of it was done, so this holds for every request.
                Err(Error::Problem(problem)) if problem.code == Code::Upgrading && began.elapsed() < UPGRADE_LIMIT => {
                    std::thread::sleep(UPGRADE_PAUSE);
                }
                Err(Error::Problem(problem))
                    if problem.code == Code::OutcomeUnknown
                        && request.is_repeatable()
                        && attempt < UNKNOWN_OUTCOME_RETRIES =>
                {
                    attempt += 1;
                    std::thread::sleep(UNKNOWN_OUTCOME_PAUSE);
                }
                other => return other,
            }
        }
    }

    /// Asks for what the daemon says of itself. A daemon that is well has that at hand, so one that does not answer soon is
    /// [`HttpError::Silent`], with its process.
    pub(crate) fn call_promptly(&mut self, operation: &Operation) -> Result<Answer, Error> {
        self.call_within(operation, PROMPT_LIMIT)
    }

    fn call_within(&mut self, operation: &Operation, limit: Duration) -> Result<Answer, Error> {
        self.waiting = Waiting { limit, ..Waiting::usual() };
        let answer = self.call(&Request::new(operation)?);
        self.wait_as_usual();
        answer.map_err(|error| match error {
            Error::Http(HttpError::TimedOut { seconds }) => {
                HttpError::Silent { process: self.listener(), seconds }.into()
            }
            other => other,
        })
    }

    /// The process that listens, by its own word: the kernel names whoever listened first, which may have been a service
    /// manager, and nobody should be told to kill that.
    fn listener(&self) -> Option<u32> {
        let running = locate::announced(&self.places)?;
        let found = locate::connect(&self.places).ok()?;
        (running.socket.as_ref() == Some(&found.path)).then_some(running.pid)
    }

    fn call_once(&mut self, request: &Request) -> Result<Answer, Error> {
        let (mut connection, head) = self.exchange(request)?;
        let mut patience = Patience::new(&self.waiting, self.interrupt.as_ref());
        let body = read_body(&mut connection, &head, &mut patience)?;
        if head.keep_alive {
            self.idle = Some(connection);
        }
        answer(&head, body)
    }

    /// Opens a stream of events.
    pub(crate) fn stream(&mut self, request: &Request) -> Result<EventStream, Error> {
        let (mut connection, head) = self.exchange(request)?;
        if head.status != 200 {
            let mut patience = Patience::new(&self.waiting, self.interrupt.as_ref());
            let body = read_body(&mut connection, &head, &mut patience)?;
            answer(&head, body)?;
            return Err(HttpError::Malformed("it should have been a stream of events").into());
        }
        let body = BodyDecoder::new(head.framing);
        let mut stream = EventStream { connection, body, events: EventDecoder::default(), decoded: Vec::new() };
        stream.decode()?;
        Ok(stream)
    }

    /// Connects afresh, starting the daemon where that is wanted.
    pub(crate) fn connect(&mut self) -> Result<Found, Problem> {
        match locate::connect(&self.places) {
            Ok(found) => Ok(found),
            Err(Unreachable::Absent { tried }) => match &self.starter {
                Some(starter) => starter.start(&self.places),
                None => Err(Unreachable::Absent { tried }.problem()),
            },
            Err(other) => Err(other.problem()),
        }
    }

    /// From now on the daemon is not started: somebody has stopped it in good order.
    pub(crate) fn start_no_more(&mut self) {
        self.starter = None;
    }

    /// Whether the daemon would be started.
    #[cfg(test)]
    pub(crate) fn may_start(&self) -> bool {
        self.starter.is_some()
    }

    /// Sends the request and reads the head of its answer, on the idle connection if there is one, and once more on
    /// a new one if the first breaks. What may not be repeated gets a new connection, since one that has been idle may
    /// have been closed at the other end.
    fn exchange(&mut self, request: &Request) -> Result<(Connection, Head), Error> {
        let bytes = request.to_bytes();
        let first = match self.idle.take().filter(|_| request.is_repeatable()) {
            Some(connection) => connection,
            None => Connection::new(self.connect()?.stream),
        };
        match self.exchange_on(first, &bytes) {
            Err(error) if error.is_broken_connection() && !request.is_repeatable() => {
                Err(Problem::new(Code::OutcomeUnknown, format!("it is not known whether this was done: {error}"))
                    .remedy(format!("look with {} before asking again", request.seen_with()))
                    .into())
            }
            Err(error) if error.is_broken_connection() => {
                let second = Connection::new(self.connect()?.stream);
                Ok(self.exchange_on(second, &bytes)?)
            }
            other => Ok(other?),
        }
    }

    fn exchange_on(&mut self, mut connection: Connection, request: &[u8]) -> Result<(Connection, Head), HttpError> {
        connection.send(request)?;
        let head = self.head_on(&mut connection)?;
        self.check_version(&head);
        Ok((connection, head))
    }

    fn head_on(&self, connection: &mut Connection) -> Result<Head, HttpError> {
        let mut patience = Patience::new(&self.waiting, self.interrupt.as_ref());
        loop {
            if let Some(head) = connection.take_head()? {
                return Ok(head);
            }
            patience.wait(connection)?;
            if connection.fill()? == 0 {
                return Err(HttpError::Closed);
            }
        }
    }

    fn check_version(&mut self, head: &Head) {
        if self.version_told {
            return;
        }
        if let Some(version) = head.version.as_deref().filter(|version| *version != VERSION) {
            self.version_told = true;
            let version = crate::plain::strip(version);
            screen::note(&format!(
                "note: the daemon is version {version} and this is {VERSION}\n  try: `tinkerbell daemon stop`; the next command starts the new one"
            ));
        }
    }
}

impl Answer {
    /// Reads the body as what it should be.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Problem::new(Code::Internal, format!("the daemon's answer cannot be read: {error}"))
                .remedy("check with `tinkerbell status` that the daemon and this command have the same version")
                .into()
        })
    }
}

impl EventStream {
    /// The next message that has come.
    pub(crate) fn pop(&mut self) -> Option<ServerEvent> {
        self.events.pop()
    }

    /// Whether the daemon ended the stream in good order, rather than the connection breaking.
    pub(crate) fn is_over(&self) -> bool {
        self.body.is_done()
    }

    /// Reads what has come, waiting if nothing has; an end of the stream is [`HttpError::Closed`].
    pub(crate) fn fill(&mut self) -> Result<(), HttpError> {
        if self.body.is_done() || self.connection.fill()? == 0 {
            return Err(HttpError::Closed);
        }
        self.decode()
    }

    fn decode(&mut self) -> Result<(), HttpError> {
        self.decoded.clear();
        self.connection.take_body(&mut self.body, &mut self.decoded)?;
        self.events.feed(&self.decoded)
    }
}

impl AsFd for EventStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

fn read_body(connection: &mut Connection, head: &Head, patience: &mut Patience<'_>) -> Result<Vec<u8>, HttpError> {
    let mut decoder = BodyDecoder::new(head.framing);
    let mut body = Vec::new();
    loop {
        connection.take_body(&mut decoder, &mut body)?;
        if decoder.is_done() {
            return Ok(body);
        }
        patience.wait(connection)?;
        if connection.fill()? == 0 {
            decoder.end()?;
        }
    }
}

/// An answer that says yes, or the problem that it is.
fn answer(head: &Head, body: Vec<u8>) -> Result<Answer, Error> {
    if (200..300).contains(&head.status) {
        return Ok(Answer { body });
    }
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| {
        Problem::new(Code::Internal, format!("the daemon answered with status {} and no reason", head.status))
            .remedy("look with `tinkerbell daemon logs`")
    });
    Err(Error::Problem(problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeDaemon, answer, ok, places, stream};
    use wire::operation;

    fn get() -> Request {
        Request::new(&operation::STATUS).unwrap()
    }

    #[test]
    fn one_connection_serves_several_requests() {
        let daemon = FakeDaemon::new(vec![vec![ok("1"), ok("22")]]);
        let mut client = daemon.client();
        assert_eq!(client.call(&get()).unwrap().body, b"1");
        assert_eq!(client.call(&get()).unwrap().body, b"22");
        assert_eq!(daemon.heard().len(), 2);
    }

    #[test]
    fn a_problem_is_an_error_with_its_code() {
        let problem = Problem::new(Code::UnknownModel, "there is no model x");
        let body = serde_json::to_string(&problem).unwrap();
        let daemon =
            FakeDaemon::new(vec![vec![answer("422 Unprocessable Content", &body), answer("502 Bad", "<html>")]]);
        let mut client = daemon.client();
        assert!(matches!(client.call(&get()), Err(Error::Problem(got)) if got == problem));
        assert!(matches!(client.call(&get()), Err(Error::Problem(got)) if got.code == Code::Internal));
    }

    #[test]
    fn what_may_be_repeated_is_sent_again_with_the_same_key() {
        let daemon = FakeDaemon::new(vec![vec![Vec::new()], vec![ok("done")]]);
        let mut client = daemon.client();
        let request = Request::new(&operation::CANVAS_UNDO).unwrap().at("session", "ses_1");
        assert_eq!(client.call(&request).unwrap().body, b"done");
        let heard = daemon.heard();
        assert_eq!(heard[0], heard[1]);
    }

    #[test]
    fn what_may_not_be_repeated_is_sent_once_and_its_outcome_is_unknown() {
        let daemon = FakeDaemon::new(vec![vec![ok("idle")], vec![Vec::new()]]);
        let mut client = daemon.client();
        client.call(&get()).unwrap();
        let request = Request::new(&operation::CANVAS_REWIND).unwrap().at("session", "ses_1");
        let failed = client.call(&request);
        assert!(matches!(failed, Err(Error::Problem(problem)) if problem.code == Code::OutcomeUnknown));
        assert_eq!(daemon.heard().len(), 2, "on a connection of its own, and once");
    }

    #[test]
    fn a_stream_comes_in_whole_messages() {
        let daemon = FakeDaemon::new(vec![vec![stream(&["{\"a\":1}", "{\"b\":2}"], true)]]);
        let mut client = daemon.client();
        let mut stream = client.stream(&get().stream()).unwrap();
        let mut got = Vec::new();
        loop {
            got.extend(std::iter::from_fn(|| stream.pop()).map(|event| event.data));
            if stream.is_over() {
                break;
            }
            stream.fill().unwrap();
        }
        assert_eq!(got, ["{\"a\":1}", "{\"b\":2}"]);
        assert!(matches!(stream.fill(), Err(HttpError::Closed)));
    }

    #[test]
    fn a_daemon_that_hangs_is_named_with_the_ways_to_end_it() {
        let dir = tempfile::tempdir().unwrap();
        let _hangs = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let mut client = Client::new(places(dir.path()), None);
        let mut ask = || client.call_within(&operation::STATUS, Duration::from_millis(20)).unwrap_err().problem();
        let unknown = ask();
        assert_eq!((unknown.code, unknown.detail.as_str()), (Code::NoDaemon, "the daemon has not answered for 0 s"));
        let running =
            wire::places::Running { pid: 4711, version: "0.1.0".into(), socket: Some(dir.path().join("socket")) };
        let lock = dir.path().join("daemon.lock");
        std::fs::write(&lock, serde_json::to_vec(&running).unwrap()).unwrap();
        std::fs::set_permissions(&lock, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let hung = ask();
        assert_eq!(hung.detail, "the daemon (process 4711) has not answered for 0 s");
        assert!(hung.remedy.unwrap().contains("`kill 4711` asks it to stop and `kill -9 4711` ends it"));
    }

    #[test]
    fn without_a_daemon_it_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let failed = Client::new(places(dir.path()), None).call(&get());
        assert!(matches!(failed, Err(Error::Problem(problem)) if problem.code == Code::NoDaemon));
    }
}
