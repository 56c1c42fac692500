//! The loop of a conversation: what comes, and what it means.

use super::editor::{Action, Editor};
use super::history::{HISTORY_FILE, History};
use super::keys::{Decoder, Key};
use super::tty::Tty;
use crate::client::Client;
use crate::error::Error;
use crate::feed::{Broke, Feed, SILENCE_LIMIT, Whose};
use crate::follow::fetch_blob;
use crate::http::{HttpError, ServerEvent};
use crate::render::{Transcript, View};
use crate::run::{Context, Exit};
use crate::screen::{FAINT, Screen};
use crate::terminal::Size;
use crate::update::{EventUpdate, Update};
use crate::wait;
use agent::{EffectId, Event, Question, Seq, SessionId, TurnId};
use std::collections::{BTreeSet, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wire::rest::{AttachmentRequest, WhileRunning};
use wire::{Code, Problem};

/// An escape that nothing follows for so long is a key of its own.
const ESCAPE_PAUSE: Duration = Duration::from_millis(40);
/// Somebody ended the process, as a shell reports it.
const ENDED: Exit = Exit(143);
/// What can be done with what a turn changed.
pub(super) const WHAT_NEXT: [&str; 2] =
    [": /diff shows it, /accept writes it to your files", ": /diff shows them, /accept writes them to your files"];

/// What a conversation begins with.
#[derive(Debug)]
pub(crate) struct Opening {
    /// The session.
    pub(crate) session: SessionId,
    /// Where relative paths begin.
    pub(crate) directory: PathBuf,
    /// The workspace, by its name.
    pub(crate) workspace: String,
    /// The model that somebody named.
    pub(crate) model: Option<String>,
    /// The last update that need not be shown.
    pub(crate) after: Seq,
    /// Turns that run or wait.
    pub(crate) open: BTreeSet<TurnId>,
    /// Whether the session was opened for this, and goes with it if nothing is said.
    pub(crate) is_new: bool,
}

/// A conversation.
pub(crate) struct Conversation<'a> {
    pub(super) context: &'a mut Context,
    pub(super) client: Client,
    pub(super) tty: Tty,
    pub(super) feed: Feed,
    pub(super) transcript: Transcript,
    pub(super) editor: Editor,
    decoder: Decoder,
    /// Until when an escape that has come may still be the beginning of another key.
    escape_until: Option<Instant>,
    pub(super) session: SessionId,
    pub(super) directory: PathBuf,
    pub(super) workspace: String,
    pub(super) model: Option<String>,
    /// Turns that run or wait.
    pub(super) open: BTreeSet<TurnId>,
    /// Questions that are open, the first of them on the screen.
    pub(super) questions: VecDeque<(EffectId, Question)>,
    /// What goes with the next prompt.
    pub(super) attachments: Vec<AttachmentRequest>,
    pub(super) while_running: WhileRunning,
    /// Whether Ctrl-C has cancelled the running turn.
    pub(super) cancelling: bool,
    /// Whether nothing was said yet, as far as is known here, to a session that was opened for this.
    pub(super) is_untouched: bool,
    /// Why the model was chosen, as it was told last.
    pub(super) why: Option<String>,
    pub(super) shown: Shown,
    /// The question below which the line that is being typed was begun.
    pub(super) line_answers: Option<EffectId>,
    /// How it ends, once it does.
    pub(super) left: Option<Exit>,
}

/// What stands at the end of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The transcript.
    Transcript,
    /// The question that is asked first, and since when.
    Question(EffectId, Instant),
    /// The editor; and where in the line above it the transcript goes on, if in the middle of one.
    Editor { column: usize },
}

/// What came while we waited.
struct Came {
    keys: bool,
    updates: bool,
    interrupt: bool,
    resized: bool,
    ends: bool,
    stops: bool,
    continued: bool,
}

impl<'a> Conversation<'a> {
    /// Takes the terminal over and begins.
    pub(crate) fn open(
        context: &'a mut Context,
        mut client: Client,
        terminal: (OwnedFd, OwnedFd),
        opening: Opening,
    ) -> Result<Conversation<'a>, Error> {
        let Opening { session, directory, workspace, model, after, open, is_new } = opening;
        let history = History::open(context.places()?.state_dir.join(HISTORY_FILE));
        context.screen.join();
        let feed = Feed::open(&mut client, Whose::Session(session), after)?;
        Ok(Conversation {
            context,
            client,
            tty: Tty::take(terminal.0, terminal.1).map_err(no_terminal)?,
            feed,
            transcript: Transcript::new(View::Live).with_next(WHAT_NEXT),
            editor: Editor::new(history, directory.clone()),
            decoder: Decoder::default(),
            escape_until: None,
            session,
            directory,
            workspace,
            model,
            open,
            questions: VecDeque::new(),
            attachments: Vec::new(),
            while_running: WhileRunning::Queue,
            cancelling: false,
            is_untouched: is_new,
            why: None,
            shown: Shown::Transcript,
            line_answers: None,
            left: None,
        })
    }

    /// Talks until somebody leaves.
    pub(crate) fn run(&mut self) -> Result<Exit, Error> {
        loop {
            self.show_updates()?;
            if let Some(exit) = self.left {
                self.hide()?;
                self.goodbye()?;
                return Ok(exit);
            }
            self.arrange()?;
            let came = self.wait()?;
            self.handle(&came)?;
        }
    }

    pub(super) fn screen(&mut self) -> &mut Screen {
        &mut self.context.screen
    }

    /// Whether a turn runs or waits.
    pub(super) fn is_running(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether somebody is typing: then nothing else is written.
    fn holds(&self) -> bool {
        !self.editor.is_empty()
    }

    fn wait(&self) -> Result<Came, Error> {
        let feed = (!self.holds()).then(|| self.feed.as_fd());
        let until = |until: Instant| until.saturating_duration_since(Instant::now());
        let limit = self.escape_until.map_or(SILENCE_LIMIT, until);
        let tty = &self.tty;
        let [keys, updates, interrupt, resized, ends, stops, continued] = wait::readable(
            [
                Some(tty.as_fd()),
                feed,
                self.client.interrupt().map(AsFd::as_fd),
                Some(tty.resized().as_fd()),
                Some(tty.ends().as_fd()),
                Some(tty.stops().as_fd()),
                Some(tty.continued().as_fd()),
            ],
            Some(limit),
        )
        .map_err(HttpError::from)?;
        Ok(Came { keys, updates, interrupt, resized, ends, stops, continued })
    }

    fn handle(&mut self, came: &Came) -> Result<(), Error> {
        let waited_for_escape = self.escape_until.is_some();
        if !came.keys {
            // By its own clock: updates may come all the time.
            self.end_escape()?;
        }
        let signalled = came.interrupt || came.resized || came.ends || came.stops || came.continued;
        if !came.keys && !came.updates && !signalled {
            return if waited_for_escape { Ok(()) } else { self.nothing_came() };
        }
        if came.ends && self.tty.ends().take() {
            self.left = Some(ENDED);
            return Ok(());
        }
        if came.resized && self.tty.resized().take() {
            self.resized();
        }
        if came.continued && self.tty.continued().take() {
            self.tty.raw_again().map_err(no_terminal)?;
        }
        if came.stops && self.tty.stops().take() {
            self.stop()?;
        }
        if came.interrupt && self.client.interrupt().is_some_and(|interrupt| interrupt.take() > 0) {
            self.key(Key::Interrupt, true)?;
        }
        if came.keys {
            self.keys()?;
        }
        if came.updates && !self.holds() {
            let broke = self.feed.fill()?;
            self.mend(broke)?;
        }
        Ok(())
    }

    /// An escape that nothing followed in time was a key.
    fn end_escape(&mut self) -> Result<(), Error> {
        if self.escape_until.is_none_or(|until| Instant::now() < until) {
            return Ok(());
        }
        let keys = self.decoder.give_up();
        self.await_escape();
        // It waited for others, so a letter among them is not alone.
        keys.into_iter().try_for_each(|key| self.key(key, false))
    }

    fn await_escape(&mut self) {
        self.escape_until = self.decoder.waits().then(|| Instant::now() + ESCAPE_PAUSE);
    }

    /// The stream is silent, not even a heartbeat comes; but nobody listens while somebody types.
    fn nothing_came(&mut self) -> Result<(), Error> {
        let broke = (!self.holds()).then_some(Broke::Lost);
        self.mend(broke)
    }

    fn mend(&mut self, broke: Option<Broke>) -> Result<(), Error> {
        let Some(broke) = broke else { return Ok(()) };
        self.hide()?;
        self.screen().flush()?;
        self.tty.patient().map_err(no_terminal)?;
        let screen = &mut self.context.screen;
        let tell = |words: &str| screen.remark(FAINT, words).and_then(|()| screen.flush());
        let mended = self.feed.reopen(&mut self.client, broke, tell);
        self.tty.raw().map_err(no_terminal)?;
        match mended {
            Err(Error::Http(HttpError::Interrupted)) => {
                self.left = Some(Exit::CANCELLED);
                Ok(())
            }
            other => other,
        }
    }

    fn keys(&mut self) -> Result<(), Error> {
        let bytes = self.tty.read().map_err(no_terminal)?;
        if bytes.is_empty() {
            // The terminal is gone.
            self.left = Some(ENDED);
            return Ok(());
        }
        let keys = self.decoder.feed(&bytes);
        self.await_escape();
        keys.into_iter().try_for_each(|key| self.key(key, bytes.len() == 1))
    }

    /// Takes a key; `alone` says that no other came with it.
    fn key(&mut self, key: Key, alone: bool) -> Result<(), Error> {
        if self.left.is_some() {
            return Ok(());
        }
        if let Some((effect, question, answer)) = self.answer_of_key(&key, alone) {
            return self.answer(effect, question, answer);
        }
        match self.editor.key(key) {
            Action::Edited => Ok(()),
            Action::Submit(text) => {
                self.hide()?;
                match self.answer_of_line(&text) {
                    Some((effect, question, answer)) => self.answer(effect, question, answer),
                    None => self.submit(text),
                }
            }
            Action::Interrupt => {
                self.hide()?;
                self.interrupted()
            }
            Action::Leave => {
                self.left = Some(Exit::GOOD);
                Ok(())
            }
            Action::Suspend => self.tty.ask_to_stop().map_err(no_terminal),
            Action::Redraw => {
                self.hide()?;
                self.screen().end_lines()?;
                self.screen().out().draw("\x1b[2J\x1b[H")
            }
        }
    }

    /// Stops the process, as Ctrl-Z does, until somebody goes on with it.
    fn stop(&mut self) -> Result<(), Error> {
        if !self.tty.has_shell() {
            return self.say("nobody could go on with it: no shell with jobs started this");
        }
        self.hide()?;
        self.screen().end_lines()?;
        self.screen().flush()?;
        self.tty.stop().map_err(no_terminal)
    }

    fn resized(&mut self) {
        self.editor.resized(self.tty.size().columns);
        // Where the open line ends now is not known.
        if let Shown::Editor { column: 1.. } = self.shown {
            self.shown = Shown::Editor { column: 0 };
            self.screen().out().line_is_lost();
        }
    }

    /// Shows what has come, unless somebody is typing.
    fn show_updates(&mut self) -> Result<(), Error> {
        while !self.holds() {
            let Some(event) = self.feed.pop() else { break };
            self.take(&event)?;
        }
        Ok(())
    }

    fn take(&mut self, event: &ServerEvent) -> Result<(), Error> {
        self.hide()?;
        let update = Update::parse(&event.data)?;
        self.feed.taken(&update);
        match update {
            Update::Delta(delta) => self.transcript.delta(&mut self.context.screen, &delta),
            Update::Draining(reason) => {
                self.transcript.leaves(reason);
                Ok(())
            }
            Update::Unknown(_) => Ok(()),
            Update::Event(update) => {
                self.tty.patient().map_err(no_terminal)?;
                let (client, session) = (&mut self.client, self.session);
                let mut fetch = |blob| fetch_blob(client, session, blob);
                let shown = self.transcript.event(&mut self.context.screen, &update, &mut fetch);
                self.tty.raw().map_err(no_terminal)?;
                self.judge(&update);
                match shown {
                    // Ctrl-C, which the loop sees next.
                    Err(Error::Http(HttpError::Interrupted)) => Ok(()),
                    other => self.survive(other),
                }
            }
        }
    }

    /// What an event means for the conversation.
    fn judge(&mut self, update: &EventUpdate) {
        let Some(turn) = update.header.event.turn() else { return };
        self.is_untouched = false;
        match &update.header.event {
            Event::TurnFinished { .. } => {
                self.open.remove(&turn);
                self.cancelling = false;
                self.questions.retain(|(effect, _)| effect.turn != turn);
                return;
            }
            Event::ApprovalRequested { effect, question, .. } => self.questions.push_back((*effect, *question)),
            Event::ApprovalResolved { effect, .. } => self.questions.retain(|(open, _)| open != effect),
            _ => {}
        }
        self.open.insert(turn);
    }

    /// Puts at the end of the screen what belongs there: the editor, a question, or nothing.
    fn arrange(&mut self) -> Result<(), Error> {
        self.screen().flush()?;
        let is_idle = !self.is_running() && self.questions.is_empty();
        if !self.editor.is_empty() || is_idle {
            return self.show_editor();
        }
        self.hide()?;
        self.show_question()
    }

    fn show_editor(&mut self) -> Result<(), Error> {
        if !matches!(self.shown, Shown::Editor { .. }) {
            let column = match self.screen().column() {
                Some(column) => column,
                None => {
                    self.screen().end_lines()?;
                    0
                }
            };
            if column > 0 {
                self.screen().out().draw("\n")?;
            }
            self.shown = Shown::Editor { column };
        }
        let Size { columns, rows } = self.tty.size();
        let prompt = match (self.is_running(), self.while_running) {
            (false, _) => "› ",
            (true, WhileRunning::Queue) => "queue › ",
            (true, WhileRunning::Steer) => "steer › ",
        };
        let colour = !self.screen().out().paint(FAINT, "").is_empty();
        let drawn = self.editor.draw(prompt, colour, columns, rows);
        self.screen().out().draw(&drawn)
    }

    /// Takes the editor off the screen, and goes back to where the transcript ended.
    pub(super) fn hide(&mut self) -> Result<(), Error> {
        let Shown::Editor { column } = std::mem::replace(&mut self.shown, Shown::Transcript) else { return Ok(()) };
        let mut out = self.editor.erase();
        if column > 0 {
            out.push_str(&format!("\x1b[A\x1b[{}G", column + 1));
        }
        self.screen().out().draw(&out)
    }

    /// Says something about the conversation.
    pub(super) fn say(&mut self, words: &str) -> Result<(), Error> {
        self.hide()?;
        self.screen().remark(FAINT, words)
    }
}

pub(super) fn no_terminal(error: std::io::Error) -> Error {
    Problem::new(Code::Internal, format!("the terminal does not do what it should: {error}"))
        .remedy("use `tinkerbell ask`, which needs none")
        .into()
}
