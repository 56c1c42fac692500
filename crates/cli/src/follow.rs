//! Follows one turn to its end: prints its updates, answers questions at the terminal, cancels it on Ctrl-C, and comes
//! back when the connection breaks.

use crate::client::{Client, EventStream};
use crate::error::Error;
use crate::http::{HttpError, ServerEvent};
use crate::question;
use crate::render::{Transcript, View};
use crate::request::Request;
use crate::screen::{FAINT, HEAD, NOTE, Screen};
use crate::update::{EventUpdate, Update};
use crate::wait;
use agent::{EffectId, Event, Question, Seq, SessionId, TurnId, TurnOutcome};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use wire::rest::AnswerRequest;
use wire::{BlobHash, Code, Problem, operation};

/// How long we try to come back after the connection broke.
const RECONNECT_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two tries.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// The daemon sends a heartbeat more often than this; a stream that is silent for longer is dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(90);

/// What is followed, and how.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The session.
    pub(crate) session: SessionId,
    /// The turn.
    pub(crate) turn: TurnId,
    /// The last update that need not be shown.
    pub(crate) after: Seq,
    /// Whether to print updates as they are.
    pub(crate) json: bool,
    /// How hints name the session, such as ` -s 0a1b2c3d`; nothing where it is the current one.
    pub(crate) which: String,
}

/// How the following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The turn ended.
    Finished(TurnOutcome),
    /// The turn waits for an answer that nobody here can give.
    NeedsAnswer,
    /// The user left; the turn goes on, or ends by itself.
    Left,
}

/// Follows a turn.
pub(crate) fn follow(client: &mut Client, screen: &mut Screen, target: Target) -> Result<Ending, Error> {
    let interactive = !target.json && screen.is_interactive();
    let transcript = Transcript::new(View::Turn(target.turn));
    let mut follower = Follower {
        client,
        screen,
        after: target.after,
        transcript,
        target,
        interactive,
        questions: VecDeque::new(),
        begun: false,
        cancelled: false,
    };
    follower.run()
}

struct Follower<'a> {
    client: &'a mut Client,
    screen: &'a mut Screen,
    target: Target,
    after: Seq,
    transcript: Transcript,
    interactive: bool,
    /// Questions that are open, the first of them on the screen.
    questions: VecDeque<(EffectId, Question)>,
    /// Whether the turn has begun; before that it waits behind another one.
    begun: bool,
    /// Whether Ctrl-C was pressed.
    cancelled: bool,
}

/// What came while we waited.
struct Came {
    updates: bool,
    interrupt: bool,
    keyboard: bool,
}

impl Follower<'_> {
    fn run(&mut self) -> Result<Ending, Error> {
        loop {
            let mut stream = self.open()?;
            match self.watch(&mut stream) {
                Err(Error::Http(error)) if error.is_broken_connection() && stream.is_over() => {
                    // Somebody stopped the daemon, and may start another one. It is not for us to do.
                    self.client.start_no_more();
                    self.remark("the daemon ended the stream; waiting for it to come back…")?;
                }
                Err(Error::Http(error)) if error.is_broken_connection() => {
                    self.remark("the connection to the daemon broke; connecting again…")?;
                }
                other => return other,
            }
        }
    }

    /// Opens the stream, for as long as it may take a daemon to come back.
    fn open(&mut self) -> Result<EventStream, Error> {
        let began = Instant::now();
        loop {
            let request = Request::new(&operation::SESSION_EVENTS)?
                .at("session", self.target.session)
                .query("after", self.after)
                .stream();
            let error = match self.client.stream(&request) {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let passes = match &error {
                Error::Http(error) => error.is_broken_connection(),
                Error::Problem(problem) => matches!(problem.code, Code::NoDaemon | Code::Draining),
                Error::Output(_) => false,
            };
            if !passes {
                return Err(error);
            }
            if began.elapsed() > RECONNECT_LIMIT {
                return Err(self.lost(&error).into());
            }
            std::thread::sleep(RECONNECT_PAUSE);
        }
    }

    fn lost(&self, error: &Error) -> Problem {
        let seconds = RECONNECT_LIMIT.as_secs();
        Problem::new(Code::NoDaemon, format!("the daemon did not come back within {seconds} s: {error}")).remedy(
            format!(
                "nothing that was acknowledged is lost; go on with `tinkerbell sessions show {}`",
                self.target.session
            ),
        )
    }

    fn watch(&mut self, stream: &mut EventStream) -> Result<Ending, Error> {
        loop {
            while let Some(event) = stream.pop() {
                if let Some(ending) = self.take(&event)? {
                    return Ok(ending);
                }
            }
            self.screen.flush()?;
            let came = self.wait(stream)?;
            if came.interrupt && self.interrupted()? {
                return Ok(Ending::Left);
            }
            if came.keyboard && !self.answer_typed()? {
                return Ok(Ending::NeedsAnswer);
            }
            if came.updates {
                stream.fill()?;
            }
        }
    }

    fn wait(&self, stream: &EventStream) -> Result<Came, Error> {
        let stdin = io::stdin();
        let keyboard = (!self.questions.is_empty()).then(|| stdin.as_fd());
        let interrupt = self.client.interrupt().map(AsFd::as_fd);
        let [updates, interrupt, keyboard] =
            wait::readable([Some(stream.as_fd()), interrupt, keyboard], Some(SILENCE_LIMIT))
                .map_err(HttpError::from)?;
        if !updates && !interrupt && !keyboard {
            // Not even a heartbeat: the same as a broken connection.
            return Err(HttpError::Closed.into());
        }
        Ok(Came { updates, interrupt, keyboard })
    }

    /// Shows an update; gives the ending if this was the last one.
    fn take(&mut self, event: &ServerEvent) -> Result<Option<Ending>, Error> {
        if self.target.json {
            self.screen.out().line(&event.data)?;
        }
        match Update::parse(&event.data)? {
            Update::Delta(delta) => {
                if !self.target.json {
                    self.transcript.delta(self.screen, &delta)?;
                }
                Ok(None)
            }
            Update::Unknown(seq) => {
                self.after = seq.unwrap_or(self.after);
                Ok(None)
            }
            Update::Event(update) => {
                self.after = update.header.seq;
                self.show(&update)?;
                self.judge(&update)
            }
        }
    }

    fn show(&mut self, update: &EventUpdate) -> Result<(), Error> {
        if self.target.json {
            return Ok(());
        }
        let (client, session) = (&mut *self.client, self.target.session);
        let mut fetch = |blob| fetch_blob(client, session, blob);
        self.transcript.event(self.screen, update, &mut fetch)
    }

    /// What an event means for the following.
    fn judge(&mut self, update: &EventUpdate) -> Result<Option<Ending>, Error> {
        if update.header.event.turn() != Some(self.target.turn) {
            return Ok(None);
        }
        match &update.header.event {
            Event::PromptQueued { .. } => {}
            Event::TurnFinished { outcome, .. } => return Ok(Some(Ending::Finished(*outcome))),
            Event::ApprovalRequested { effect, question, .. } => {
                self.begun = true;
                return self.asked(*effect, *question);
            }
            Event::ApprovalResolved { effect, .. } => {
                let was_shown = self.questions.front().is_some_and(|(open, _)| open == effect);
                self.questions.retain(|(open, _)| open != effect);
                if was_shown {
                    self.show_question()?;
                }
            }
            _ => self.begun = true,
        }
        Ok(None)
    }

    fn asked(&mut self, effect: EffectId, question: Question) -> Result<Option<Ending>, Error> {
        if self.interactive {
            self.questions.push_back((effect, question));
            if self.questions.len() == 1 {
                self.show_question()?;
            }
            return Ok(None);
        }
        if self.cancelled {
            // The question goes with the turn.
            return Ok(None);
        }
        let how = question::commands(question, effect, &self.target.which);
        let words = format!("the turn waits for an answer; give it with: {how}");
        if !self.target.json {
            self.screen.remark(NOTE, &words)?;
        }
        Ok(Some(Ending::NeedsAnswer))
    }

    fn show_question(&mut self) -> Result<(), Error> {
        let Some((_, question)) = self.questions.front() else { return Ok(()) };
        self.screen.end_lines()?;
        let aside = self.screen.aside()?;
        let keys = aside.paint(HEAD, &question::keys(*question));
        aside.put(&format!("  {keys}: "))
    }

    /// Takes the line that was typed; false when there will never be one.
    fn answer_typed(&mut self) -> Result<bool, Error> {
        let mut line = [0; 256];
        let length = rustix::io::read(io::stdin().as_fd(), &mut line).unwrap_or(0);
        self.screen.line_was_typed();
        let Some((effect, question)) = self.questions.front().copied() else { return Ok(true) };
        if length == 0 {
            let how = question::commands(question, effect, &self.target.which);
            self.screen.remark(NOTE, &format!("the turn waits for an answer; give it with: {how}"))?;
            return Ok(false);
        }
        match question::typed(question, &String::from_utf8_lossy(&line[..length])) {
            Some(answer) => {
                // It leaves the list by the update that says so, here as for everybody else.
                let request = Request::new(&operation::SESSION_ANSWER)?
                    .at("session", self.target.session)
                    .at("approval", effect)
                    .json(&AnswerRequest { answer });
                match self.client.call(&request) {
                    Ok(_) => {}
                    // Somebody else was quicker; the stream tells what they said.
                    Err(Error::Problem(problem)) if matches!(problem.code, Code::Conflict | Code::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            None => self.show_question()?,
        }
        Ok(true)
    }

    /// Ctrl-C was pressed; true when the user leaves.
    fn interrupted(&mut self) -> Result<bool, Error> {
        let presses = self.client.interrupt().map_or(0, |interrupt| interrupt.take());
        if presses == 0 {
            return Ok(false);
        }
        let show = format!("tinkerbell sessions show {}", self.target.session);
        if self.cancelled {
            self.remark(&format!("left; the turn is still being cancelled. See: {show}"))?;
            return Ok(true);
        }
        if !self.begun {
            self.remark(&format!("left; the prompt waits behind a running turn and will be answered. See: {show}"))?;
            return Ok(true);
        }
        self.cancelled = true;
        let request = Request::new(&operation::SESSION_CANCEL)?.at("session", self.target.session);
        match self.client.call(&request) {
            Ok(_) => self.remark("Ctrl-C again leaves without waiting")?,
            // It ended by itself meanwhile; the stream says how.
            Err(Error::Problem(problem)) if matches!(problem.code, Code::Conflict | Code::NotFound) => {}
            Err(Error::Http(HttpError::Interrupted)) => return Ok(true),
            Err(error) => return Err(error),
        }
        Ok(presses > 1)
    }

    fn remark(&mut self, words: &str) -> Result<(), Error> {
        if self.target.json { Ok(()) } else { self.screen.remark(FAINT, words) }
    }
}

/// The text of a blob.
pub(crate) fn fetch_blob(client: &mut Client, session: SessionId, blob: BlobHash) -> Result<String, Error> {
    let request = Request::new(&operation::SESSION_BLOB)?.at("session", session).at("blob", blob);
    Ok(String::from_utf8_lossy(&client.call(&request)?.body).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeDaemon, stream};
    use crate::screen::testing;

    const HEAD: &str = r#""at":"2025-11-23T09:00:00.000000Z","session":"ses_01kav9ft000000000000000007""#;

    fn event(seq: u64, rest: &str) -> String {
        format!("{{\"seq\":{seq},{HEAD},{rest}}}")
    }

    fn delta(offset: usize, text: &str) -> String {
        format!(
            r#"{{"kind":"message.delta","session":"ses_01kav9ft000000000000000007","turn":"trn_1","effect":"trn_1.1.model.0.1","offset":{offset},"text":"{text}"}}"#
        )
    }

    fn finished() -> Vec<String> {
        let usage = r#""usage":{"input_tokens":10,"output_tokens":2},"cost_microusd":0"#;
        vec![
            event(
                4,
                &format!(
                    r#""kind":"model.finished","turn":"trn_1","effect":"trn_1.1.model.0.1","stop":"end","tokens":2,{usage},"data":{{"text":"Hello, world"}}"#
                ),
            ),
            event(
                5,
                &format!(
                    r#""kind":"turn.finished","turn":"trn_1","outcome":"done","steps":1,"changed":0,{usage},"data":{{}}"#
                ),
            ),
        ]
    }

    fn target(json: bool) -> Target {
        let session = "ses_01kav9ft000000000000000007".parse().unwrap();
        Target { session, turn: TurnId(1), after: Seq(0), json, which: String::new() }
    }

    fn texts(updates: &[String]) -> Vec<&str> {
        updates.iter().map(String::as_str).collect()
    }

    #[test]
    fn a_reply_is_printed_once_though_the_connection_breaks_in_the_middle() {
        let began = event(3, r#""kind":"turn.started","turn":"trn_1","data":{}"#);
        let first = vec![began, delta(0, "Hel")];
        // Who comes back first gets what was said so far.
        let second = [vec![delta(0, "Hello, ")], finished()].concat();
        let daemon = FakeDaemon::new(vec![vec![stream(&texts(&first), false)], vec![stream(&texts(&second), true)]]);
        let (mut screen, out, aside) = testing::screen(false);
        let ending = follow(&mut daemon.client(), &mut screen, target(false)).unwrap();
        assert_eq!(ending, Ending::Finished(TurnOutcome::Done));
        assert_eq!(out.text().replace('\n', ""), "Hello, world", "{:?}", out.text());
        assert!(aside.text().contains("connecting again") && aside.text().contains("10 tokens in, 2 out, $0.00"));
        let heard = daemon.heard();
        assert!(heard[0].contains("/events?after=0") && heard[1].contains("/events?after=3"), "{heard:?}");
    }

    #[test]
    fn a_stream_that_the_daemon_ends_in_good_order_is_taken_up_again_without_starting_one() {
        let began = event(3, r#""kind":"turn.started","turn":"trn_1","data":{}"#);
        let daemon = FakeDaemon::new(vec![vec![stream(&[&began], true)], vec![stream(&texts(&finished()), true)]]);
        let (mut screen, out, aside) = testing::screen(false);
        let mut client = daemon.client();
        let ending = follow(&mut client, &mut screen, target(false)).unwrap();
        assert_eq!((ending, out.text()), (Ending::Finished(TurnOutcome::Done), "Hello, world\n".to_owned()));
        assert!(aside.text().contains("waiting for it to come back"), "{}", aside.text());
        assert!(!client.may_start());
    }

    #[test]
    fn as_json_the_updates_are_printed_as_they_came() {
        let updates = [vec![delta(0, "Hello")], finished()].concat();
        let daemon = FakeDaemon::new(vec![vec![stream(&texts(&updates), false)]]);
        let (mut screen, out, aside) = testing::screen(false);
        follow(&mut daemon.client(), &mut screen, target(true)).unwrap();
        assert_eq!((out.text(), aside.text()), (updates.join("\n") + "\n", String::new()));
    }

    #[test]
    fn a_question_that_nobody_here_can_answer_says_how_to() {
        let asked = event(
            3,
            r#""kind":"approval.requested","turn":"trn_1","effect":"trn_1.1.ask.0.1","question":"permission","data":{"message":"May write_file run?"}"#,
        );
        let daemon = FakeDaemon::new(vec![vec![stream(&[&asked], false)]]);
        let (mut screen, _, aside) = testing::screen(false);
        let ending = follow(&mut daemon.client(), &mut screen, target(false)).unwrap();
        assert_eq!(ending, Ending::NeedsAnswer);
        assert_eq!(
            aside.text(),
            "? May write_file run?\nthe turn waits for an answer; give it with: tinkerbell approve trn_1.1.ask.0.1, or tinkerbell deny trn_1.1.ask.0.1\n"
        );
    }
}
