//! Follows a session to the end of a turn, or for as long as somebody looks: prints its updates, answers questions at
//! the terminal, cancels on Ctrl-C, and comes back when the connection breaks.

use crate::client::Client;
use crate::error::Error;
use crate::feed::{Broke, Feed, SILENCE_LIMIT, Whose, stopped};
use crate::http::{HttpError, ServerEvent};
use crate::question;
use crate::render::{Transcript, View};
use crate::request::Request;
use crate::screen::{FAINT, HEAD, NOTE, Screen};
use crate::terminal;
use crate::update::{EventUpdate, Update};
use crate::wait;
use agent::{EffectId, Event, Question, Seq, SessionId, TurnId, TurnOutcome};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::AsFd;
use wire::rest::AnswerRequest;
use wire::{BlobHash, Code, operation};

/// What is followed, and how.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The session.
    pub(crate) session: SessionId,
    /// What of it, and until when.
    pub(crate) scope: Scope,
    /// The last update that need not be shown.
    pub(crate) after: Seq,
    /// Whether to print updates as they are.
    pub(crate) json: bool,
    /// How hints name the session, such as ` -s 0a1b2c3d`; nothing where it is the current one.
    pub(crate) which: String,
}

/// What is followed, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One turn, to its end, by the person who asked: Ctrl-C cancels it.
    Turn(TurnId),
    /// All turns, by somebody who looks on: Ctrl-C leaves.
    Session {
        /// The last update there was when the following began.
        head: Seq,
        /// Turns that run or wait. Where nobody sits before a terminal, their end is the end.
        open: BTreeSet<TurnId>,
        /// Whether questions may be answered here.
        answers: bool,
    },
}

/// How the following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The turn, or the last of them, ended.
    Finished(TurnOutcome),
    /// No turn runs or ran.
    Idle,
    /// The turn waits for an answer that nobody here can give.
    NeedsAnswer,
    /// The user left; the turn goes on, or ends by itself.
    Left,
}

/// Follows a session.
pub(crate) fn follow(client: &mut Client, screen: &mut Screen, target: Target) -> Result<Ending, Error> {
    let at_terminal = !target.json && screen.is_interactive();
    let transcript = match target.scope {
        Scope::Turn(turn) => Transcript::new(View::Turn(turn)),
        Scope::Session { .. } => Transcript::new(View::Live),
    };
    let mut follower = Follower {
        client,
        screen,
        transcript,
        target,
        at_terminal,
        reached: Seq(0),
        questions: VecDeque::new(),
        begun: false,
        cancelled: false,
        outcome: None,
    };
    let ending = follower.run();
    // A reply that was cut has an open line.
    let ended = follower.screen.end_reply();
    ending.and_then(|ending| ended.map(|()| ending))
}

struct Follower<'a> {
    client: &'a mut Client,
    screen: &'a mut Screen,
    target: Target,
    transcript: Transcript,
    at_terminal: bool,
    /// The last update that was taken.
    reached: Seq,
    /// Questions that are open and can be answered here, the first of them on the screen.
    questions: VecDeque<(EffectId, Question)>,
    /// Whether the turn has begun; before that it waits behind another one.
    begun: bool,
    /// Whether Ctrl-C was pressed.
    cancelled: bool,
    /// How the last turn ended.
    outcome: Option<TurnOutcome>,
}

/// What came while we waited.
struct Came {
    updates: bool,
    interrupt: bool,
    keyboard: bool,
}

impl Follower<'_> {
    fn run(&mut self) -> Result<Ending, Error> {
        self.reached = self.target.after;
        if let Some(ending) = self.idle() {
            return Ok(ending);
        }
        let mut feed = Feed::open(self.client, Whose::Session(self.target.session), self.target.after)?;
        loop {
            while let Some(event) = feed.pop() {
                if let Some(ending) = self.take(&event, &mut feed)? {
                    return Ok(ending);
                }
            }
            self.screen.flush()?;
            let came = self.wait(&feed)?;
            if came.interrupt && self.interrupted()? {
                return Ok(Ending::Left);
            }
            if came.keyboard && !self.answer_typed()? {
                return Ok(Ending::NeedsAnswer);
            }
            // Not even a heartbeat is the same as a broken connection.
            let silent = !came.updates && !came.interrupt && !came.keyboard;
            let broke = if came.updates { feed.fill()? } else { silent.then_some(Broke::Lost) };
            if broke == Some(Broke::Stopped) {
                return Err(stopped(self.target.session).into());
            }
            if let Some(broke) = broke {
                let (json, screen) = (self.target.json, &mut *self.screen);
                let tell = |words: &str| if json { Ok(()) } else { screen.remark(FAINT, words) };
                match feed.reopen(self.client, broke, tell) {
                    Err(Error::Http(HttpError::Interrupted)) => return Ok(Ending::Left),
                    other => other?,
                }
            }
        }
    }

    fn wait(&self, feed: &Feed) -> Result<Came, Error> {
        let stdin = io::stdin();
        let keyboard = (!self.questions.is_empty()).then(|| stdin.as_fd());
        let interrupt = self.client.interrupt().map(AsFd::as_fd);
        let [updates, interrupt, keyboard] =
            wait::readable([Some(feed.as_fd()), interrupt, keyboard], Some(SILENCE_LIMIT)).map_err(HttpError::from)?;
        Ok(Came { updates, interrupt, keyboard })
    }

    /// Shows an update; gives the ending if this was the last one.
    fn take(&mut self, event: &ServerEvent, feed: &mut Feed) -> Result<Option<Ending>, Error> {
        if self.target.json {
            self.screen.out().line(&event.data)?;
        }
        let update = Update::parse(&event.data)?;
        feed.taken(&update);
        match update {
            Update::Delta(delta) => {
                if !self.target.json {
                    self.transcript.delta(self.screen, &delta)?;
                }
                Ok(None)
            }
            Update::Draining(reason) => {
                self.transcript.leaves(reason);
                Ok(None)
            }
            Update::Unknown(_) => Ok(None),
            Update::Event(update) => {
                self.reached = update.header.seq;
                self.show(&update)?;
                Ok(self.judge(&update)?.or_else(|| self.idle()))
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
        let Some(turn) = update.header.event.turn() else { return Ok(None) };
        match &mut self.target.scope {
            Scope::Turn(ours) if *ours != turn => return Ok(None),
            Scope::Turn(_) => {}
            Scope::Session { open, .. } => match update.header.event {
                Event::TurnFinished { .. } => drop(open.remove(&turn)),
                _ => drop(open.insert(turn)),
            },
        }
        match &update.header.event {
            Event::PromptQueued { .. } => {}
            Event::TurnFinished { outcome, .. } => return Ok(self.finished(*outcome)),
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

    fn finished(&mut self, outcome: TurnOutcome) -> Option<Ending> {
        self.outcome = Some(outcome);
        match self.target.scope {
            Scope::Turn(_) => Some(Ending::Finished(outcome)),
            Scope::Session { .. } => None,
        }
    }

    /// The ending for somebody who looks on and is no person, once nothing goes on any more.
    fn idle(&self) -> Option<Ending> {
        let Scope::Session { head, open, .. } = &self.target.scope else { return None };
        let over = open.is_empty() && self.reached >= *head && !self.at_terminal;
        over.then(|| self.outcome.map_or(Ending::Idle, Ending::Finished))
    }

    fn asked(&mut self, effect: EffectId, question: Question) -> Result<Option<Ending>, Error> {
        let may_answer = !matches!(self.target.scope, Scope::Session { answers: false, .. });
        if self.at_terminal && may_answer {
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
        if !self.target.json {
            self.screen.remark(NOTE, &format!("the turn waits for an answer; give it with: {how}"))?;
        }
        // Who looks on at a terminal sees it answered by somebody else.
        Ok((!self.at_terminal).then_some(Ending::NeedsAnswer))
    }

    fn show_question(&mut self) -> Result<(), Error> {
        let Some((_, question)) = self.questions.front() else { return Ok(()) };
        terminal::forget_typed(io::stdin().as_fd());
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
                self.transcript.was_answered_here(effect);
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
        if matches!(self.target.scope, Scope::Session { .. }) {
            self.remark("left; what runs goes on")?;
            return Ok(true);
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
mod tests;
