//! What is done with what somebody typed: prompts are sent, questions answered, commands run.

use super::conversation::{Conversation, no_terminal};
use super::slash::{self, Slash};
use crate::arguments::{self, Command};
use crate::client::Answer;
use crate::current;
use crate::error::Error;
use crate::feed::{Feed, Whose};
use crate::http::HttpError;
use crate::plain;
use crate::prompt;
use crate::render::{Transcript, View};
use crate::request::Request;
use crate::run::{self, Exit};
use crate::screen::{BAD, FAINT, HEAD};
use agent::{EffectId, ModelName, Question};
use wire::rest::{Acknowledged, AnswerRequest, CreateSession, PromptRequest, WhileRunning};
use wire::{Code, operation};

impl Conversation<'_> {
    /// A text was typed and sent.
    pub(super) fn submit(&mut self, text: String) -> Result<(), Error> {
        if text.trim().is_empty() {
            return Ok(());
        }
        self.editor.remember(&text);
        self.screen().end_lines()?;
        for line in plain::visible(&text).lines() {
            self.screen().remark(HEAD, &format!("> {line}"))?;
        }
        let done = match slash::command(text.trim()) {
            Some(typed) => match slash::parse(typed, &self.session.to_string()) {
                Ok(slash) => self.run_slash(slash),
                Err(words) => self.screen().remark(BAD, &words),
            },
            None => self.prompt(&text, self.while_running),
        };
        self.survive(done)
    }

    /// An error is told, and the conversation goes on; only where nobody sees it any more it ends.
    pub(super) fn survive(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Ok(()) => Ok(()),
            Err(error @ Error::Output(_)) => Err(error),
            Err(error) => {
                let told = error.told();
                self.screen().remark(BAD, told.trim_end())
            }
        }
    }

    /// Sends a request. Meanwhile nobody reads keys, so Ctrl-C is a signal, which ends the waiting.
    fn call(&mut self, request: &Request) -> Result<Answer, Error> {
        self.screen().flush()?;
        self.tty.patient().map_err(no_terminal)?;
        let answer = self.client.call(request);
        self.tty.raw().map_err(no_terminal)?;
        answer
    }

    /// Says something to the session.
    fn prompt(&mut self, text: &str, while_running: WhileRunning) -> Result<(), Error> {
        let sent = self.send(text, while_running);
        if sent.is_err() {
            // So that it need not be typed again.
            self.editor.set(text.to_owned());
        }
        sent
    }

    fn send(&mut self, text: &str, while_running: WhileRunning) -> Result<(), Error> {
        let said = prompt::mentions(text, &self.directory)?;
        let attachments = self.attachments.iter().cloned().chain(said.attachments).collect();
        let model = self.model.as_deref().map(ModelName::new);
        let prompt = PromptRequest { text: said.text, attachments, model, while_running };
        let request = Request::new(&operation::SESSION_PROMPT)?.at("session", self.session).json(&prompt);
        let was_running = self.is_running();
        let acknowledged: Acknowledged = self.call(&request)?.read()?;
        self.attachments.clear();
        self.is_untouched = false;
        self.transcript.was_shown_here(acknowledged.seq);
        let joins = acknowledged.turn.is_none_or(|turn| self.open.contains(&turn));
        self.open.extend(acknowledged.turn);
        match (was_running, joins) {
            (true, true) => self.say("said to the running turn: it joins at the next step")?,
            (true, false) => self.say("queued: it is answered after the turn that runs")?,
            (false, _) => {}
        }
        self.tell_model(&acknowledged)
    }

    /// Tells which model is asked where nobody named one, once for each reason.
    pub(super) fn tell_model(&mut self, acknowledged: &Acknowledged) -> Result<(), Error> {
        let (Some(model), Some(why)) = (&acknowledged.model, &acknowledged.why) else { return Ok(()) };
        let words = format!("model {}: {}", plain::name(model.as_str()), plain::strip(why));
        if self.why.as_ref() == Some(&words) {
            return Ok(());
        }
        self.why = Some(words.clone());
        self.say(&words)
    }

    /// Answers a question.
    pub(super) fn answer(&mut self, effect: EffectId, question: Question, answer: agent::Answer) -> Result<(), Error> {
        self.screen().out().put(&format!("{}\n", answer.word()))?;
        self.transcript.was_answered_here(effect);
        // It leaves the list by the update that says so, here as for everybody else; a second key is no second answer.
        self.questions.retain(|(open, _)| *open != effect);
        let request = Request::new(&operation::SESSION_ANSWER)?
            .at("session", self.session)
            .at("approval", effect)
            .json(&AnswerRequest { answer });
        let answered = match self.call(&request) {
            // Somebody else was quicker; the stream tells what they said.
            Err(Error::Problem(problem)) if matches!(problem.code, Code::Conflict | Code::NotFound) => Ok(()),
            Ok(_) => Ok(()),
            Err(error) => {
                self.ask_again(effect, question);
                Err(error)
            }
        };
        self.survive(answered)
    }

    /// Ctrl-C where nothing is typed.
    pub(super) fn interrupted(&mut self) -> Result<(), Error> {
        if !self.is_running() {
            return self.say("Ctrl-D or /quit leaves; /help shows what there is");
        }
        if self.cancelling {
            return self.say("the turn is being cancelled; Ctrl-D leaves without waiting for it");
        }
        let cancelled = self.cancel();
        self.survive(cancelled)
    }

    fn cancel(&mut self) -> Result<(), Error> {
        let request = Request::new(&operation::SESSION_CANCEL)?.at("session", self.session);
        match self.call(&request) {
            Ok(_) => {
                self.cancelling = true;
                Ok(())
            }
            // It ended by itself; the stream says how.
            Err(Error::Problem(problem)) if matches!(problem.code, Code::Conflict | Code::NotFound) => Ok(()),
            Err(Error::Http(HttpError::Interrupted)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn run_slash(&mut self, slash: Slash) -> Result<(), Error> {
        match slash {
            Slash::Help => self.help(),
            Slash::Model(None) => {
                let words = match &self.model {
                    Some(model) => format!("prompts go to {}", plain::name(model)),
                    None => "prompts go to the default model; /models lists what there is".to_owned(),
                };
                self.say(&words)
            }
            Slash::Model(Some(model)) => {
                let words = format!("from now on prompts go to {}", plain::name(&model));
                self.model = Some(model);
                self.say(&words)
            }
            Slash::New => self.begin_anew(),
            Slash::Cancel if self.is_running() => self.cancel(),
            Slash::Cancel => self.say("no turn runs"),
            Slash::Steer(text) => self.prompt(&text, WhileRunning::Steer),
            Slash::WhileRunning(word) => self.set_while_running(word.as_deref()),
            Slash::Attach(path) => {
                let attachment = prompt::attachment(&self.directory.join(prompt::unescaped(&path)))?;
                let words = format!("{} goes with the next prompt", plain::name(&attachment.name));
                self.attachments.push(attachment);
                self.say(&words)
            }
            Slash::Quit => {
                self.left = Some(Exit::GOOD);
                Ok(())
            }
            Slash::Typed(words) => self.typed(&words),
        }
    }

    fn set_while_running(&mut self, word: Option<&str>) -> Result<(), Error> {
        match word {
            Some("queue") => self.while_running = WhileRunning::Queue,
            Some("steer") => self.while_running = WhileRunning::Steer,
            Some(_) => return self.screen().remark(BAD, "it is /while-running queue or /while-running steer"),
            None => {}
        }
        self.say(match self.while_running {
            WhileRunning::Queue => "what is typed while a turn runs waits for a turn of its own",
            WhileRunning::Steer => "what is typed while a turn runs is said to that turn",
        })
    }

    fn help(&mut self) -> Result<(), Error> {
        let width =
            slash::ALL.iter().map(|entry| entry.name.len() + entry.takes.chars().count() + 2).max().unwrap_or(0);
        for entry in slash::ALL {
            let typed = format!("/{} {}", entry.name, entry.takes);
            self.screen().out().line(&format!("  {typed:width$}  {}", entry.does))?;
        }
        let more = "Alt-Enter or a backslash at the end begins another line; @path puts a file into the prompt, and an image or a PDF \
                    that is named goes along. Up and Ctrl-R find what was typed earlier. Ctrl-C cancels the turn, Ctrl-D leaves.";
        self.say(more)
    }

    /// Runs a command of the command line, which has the terminal meanwhile.
    fn typed(&mut self, words: &[String]) -> Result<(), Error> {
        let command = arguments::parse_from(std::iter::once("tinkerbell").chain(words.iter().map(String::as_str)));
        let invocation = match command {
            Ok(Command::Cli(invocation)) => invocation,
            Ok(_) => return self.screen().remark(BAD, "this cannot be done from here"),
            Err(error) => {
                let words = error.to_string();
                return self.screen().remark(BAD, plain::strip(&words).trim_end());
            }
        };
        self.screen().flush()?;
        self.tty.cooked().map_err(no_terminal)?;
        self.context.in_chat = true;
        let done = run::dispatch(invocation.verb, self.context);
        self.context.in_chat = false;
        if let Some(seq) = self.context.accepted.take() {
            self.transcript.was_shown_here(seq);
        }
        let flushed = self.screen().flush();
        self.tty.raw().map_err(no_terminal)?;
        // Ctrl-C was meant for the command.
        self.client.interrupt().map(|interrupt| interrupt.take());
        flushed?;
        done.map(|_| ())
    }

    /// Opens another session, and leaves this one to itself.
    fn begin_anew(&mut self) -> Result<(), Error> {
        let create = CreateSession { workspace: self.workspace.clone(), title: None, prompt: None };
        let request = Request::new(&operation::SESSION_CREATE)?.json(&create);
        let acknowledged: Acknowledged = self.call(&request)?.read()?;
        self.drop_untouched();
        self.session = acknowledged.session;
        self.feed = Feed::open(&mut self.client, Whose::Session(self.session), acknowledged.seq)?;
        self.transcript = Transcript::new(View::Live).with_next(super::conversation::WHAT_NEXT);
        self.open.clear();
        self.questions.clear();
        self.cancelling = false;
        self.is_untouched = true;
        let words = format!("session {} in {}", current::short(self.session), plain::name(&self.workspace));
        self.say(&words)
    }

    /// A session to which nothing was said, by nobody anywhere, is of no use to anybody.
    fn drop_untouched(&mut self) {
        if !std::mem::take(&mut self.is_untouched) {
            return;
        }
        let is_empty = current::get(&mut self.client, self.session)
            .is_ok_and(|view| view.turns == 0 && view.turn.is_none() && view.queued.is_empty() && view.pending == 0);
        if is_empty && let Ok(request) = Request::new(&operation::SESSION_REMOVE) {
            // Should it stay, it is an empty line in a list.
            let _ = self.client.call(&request.at("session", self.session));
        }
    }

    /// Says what becomes of the session.
    pub(super) fn goodbye(&mut self) -> Result<(), Error> {
        if self.is_untouched {
            self.drop_untouched();
            return Ok(());
        }
        self.screen().end_lines()?;
        let id = current::short(self.session);
        let words = if self.is_running() {
            format!("left; the turn goes on. See: tinkerbell attach -s {id}, or tinkerbell chat -s {id}")
        } else {
            format!("next: tinkerbell chat -s {id} goes on")
        };
        self.screen().remark(FAINT, &words)?;
        self.screen().flush()
    }

    /// The conversation begins: what it is about.
    pub(crate) fn greet(
        &mut self,
        acknowledged: Option<&Acknowledged>,
        model: Option<&ModelName>,
    ) -> Result<(), Error> {
        let id = current::short(self.session);
        let mut words = format!("session {id} in {}", plain::name(&self.workspace));
        if let Some(model) = self.model.clone().or_else(|| model.map(ToString::to_string)) {
            words.push_str(&format!(", model {}", plain::name(&model)));
        }
        self.say(&words)?;
        if let Some(acknowledged) = acknowledged {
            self.tell_model(acknowledged)?;
        }
        self.say("Ctrl-D leaves, Ctrl-C cancels a turn, /help shows what there is")
    }
}
