//! What people say to a session: prompts, a cancel, answers to questions.

use super::attach;
use super::command::{Once, Prompt, Said, Terms};
use super::fact::{Fact, Gathered};
use super::owner::Owner;
use super::perform::unreadable;
use super::view;
use crate::house::House;
use crate::secrets::Secrets;
use agent::{Answer, EffectId, Event, Micros, Scheduled, Seq, SkipReason, Tokens, TurnId, TurnOutcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{JournalId, NewAnswer};
use wire::rest::{Acknowledged, Cancelled, SessionView, WhileRunning};
use wire::{Code, Header, Problem, body};

/// Prompts that may wait in one session.
const QUEUED_PROMPTS: usize = 64;
/// The longest prompt.
const PROMPT_BYTES: usize = 1 << 20;
/// How long an answer stays under its idempotency key.
const ANSWER_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
/// How long it stays where a schedule asked: a claim that is older is not taken up again.
pub(crate) const SCHEDULED_ANSWER_MICROS: i64 = 7 * ANSWER_MICROS;
/// The longest title that somebody may give.
const LONGEST_TITLE_CHARS: usize = 200;
/// Characters of a prompt that become a title.
const TITLE_CHARS: usize = 60;

impl Owner {
    pub(super) async fn create(
        &mut self,
        title: Option<String>,
        prompt: Option<Prompt>,
        scheduled: Option<Scheduled>,
        once: Option<Once>,
    ) -> Result<Acknowledged, Problem> {
        let secrets = self.house.catalog.current().secrets.clone();
        // Masked before it is cut, since a cut could go through a key.
        let first_words = || prompt.as_ref().map(|prompt| title_of(&secrets.mask(&prompt.text)));
        self.profile.title = title.map(|title| titled(&title, &secrets)).transpose()?.or_else(first_words);
        if prompt.is_some() {
            self.read_instructions().await;
        }
        let (workspace, title) = (self.profile.workspace.clone(), self.profile.title.clone());
        let created = Fact::new(Event::SessionCreated {}, &body::Session { workspace, title }, Gathered::default());
        let outcome = self.say(vec![created], prompt, scheduled, once).await;
        if outcome.is_err() && self.state.head == Seq(0) {
            self.gone = true;
        }
        outcome
    }

    pub(super) async fn prompt(&mut self, prompt: Prompt, once: Option<Once>) -> Result<Acknowledged, Problem> {
        self.prompt_by(prompt, None, once).await
    }

    /// Says what a schedule says, if the session is free and, where that is asked for, a person was in it lately. One
    /// that was said already is not judged again.
    pub(super) async fn scheduled(&mut self, prompt: Prompt, terms: Terms, once: Once) -> Result<Said, Problem> {
        if let Some(known) = self.known(Some(&once)).await? {
            return Ok(Said::Said(known));
        }
        if self.state.has_work() || !self.held.is_empty() {
            return Ok(Said::Declined(SkipReason::Busy));
        }
        if let Some(since) = terms.active_since
            && !self.live.watched()
            && self.touched_at().await? < since
        {
            return Ok(Said::Declined(SkipReason::Inactive));
        }
        self.prompt_by(prompt, Some(terms.scheduled), Some(once)).await.map(Said::Said)
    }

    /// When a person was last in the session; that it was made is the first time.
    async fn touched_at(&self) -> Result<Micros, Problem> {
        let seq = self.state.touched.max(Seq(1));
        let record = self.house.store.event(JournalId::Session(self.id), seq).await.map_err(unreadable)?;
        let header = record.and_then(|record| Header::from_json(&record.header).ok());
        Ok(header.map_or(self.profile.created, |header| header.at))
    }

    async fn prompt_by(
        &mut self,
        prompt: Prompt,
        scheduled: Option<Scheduled>,
        once: Option<Once>,
    ) -> Result<Acknowledged, Problem> {
        let mut before = self.rebase_if_possible().await?;
        if self.state.turn.is_none() {
            self.read_instructions().await;
        }
        let untitled = self.profile.title.is_none();
        if untitled {
            let title = title_of(&self.house.catalog.current().secrets.mask(&prompt.text));
            before.push(self.titled(title.clone()));
            self.profile.title = Some(title);
        }
        let outcome = self.say(before, Some(prompt), scheduled, once).await;
        if untitled && is_a_no(&outcome) {
            self.profile.title = None;
        }
        outcome
    }

    fn titled(&self, title: String) -> Fact {
        let body = body::Session { workspace: self.profile.workspace.clone(), title: Some(title) };
        Fact::new(Event::SessionUpdated {}, &body, Gathered::default())
    }

    /// Appends `before` and the prompt; the append is the acknowledgement.
    async fn say(
        &mut self,
        before: Vec<Fact>,
        prompt: Option<Prompt>,
        scheduled: Option<Scheduled>,
        once: Option<Once>,
    ) -> Result<Acknowledged, Problem> {
        if self.stopping {
            return Err(self.house.draining());
        }
        if let Some(known) = self.known(once.as_ref()).await? {
            return Ok(known);
        }
        let mut facts = before;
        let (mut turn, mut why) = (None, None);
        let model;
        if let Some(prompt) = prompt {
            let outfit = self.house.catalog.current();
            let asked = prompt.model.clone().or_else(|| {
                why = Some(outfit.default_why.clone());
                outfit.settings.default_model.clone()
            });
            // Where it goes is written down, so that what was acknowledged is what happens.
            let fact = self.prompt_fact(Prompt { model: asked.clone(), ..prompt }, scheduled.clone())?;
            turn = fact.event.turn();
            // A prompt that joins a running turn goes to that turn's model.
            model = asked.filter(|_| !matches!(fact.event, Event::PromptSteered { .. }));
            facts.push(fact);
        } else {
            // Nobody has asked yet; whoever does without naming a model will go there.
            let outfit = self.house.catalog.current();
            model = outfit.settings.default_model.clone();
            why = Some(outfit.default_why.clone());
        }
        let seq = self.seq_of(facts.len() - 1);
        let acknowledged = Acknowledged { session: self.id, seq, turn, model: model.clone(), why };
        let long = if scheduled.is_some() { SCHEDULED_ANSWER_MICROS } else { ANSWER_MICROS };
        let kept = once.map(|once| once.keep_for(&self.house, &acknowledged, long));
        let before = self.profile.model.clone();
        self.profile.model = model.or(self.profile.model.take());
        let outcome = self.happen(facts, kept).await;
        if is_a_no(&outcome) {
            self.profile.model = before;
        }
        outcome.map(|()| acknowledged)
    }

    /// The answer that was given under a key. The owner takes one thing at a time, so nobody is before it here.
    pub(super) async fn known<T: DeserializeOwned>(&self, once: Option<&Once>) -> Result<Option<T>, Problem> {
        let Some(once) = once else { return Ok(None) };
        let known =
            self.house.store.answer(&once.scope, &once.key, self.house.steady.now()).await.map_err(unreadable)?;
        match known {
            Some(known) if known.body_hash == once.request => Ok(serde_json::from_str(&known.answer).ok()),
            Some(_) => Err(Problem::new(Code::KeyReused, "this key came with another request before")),
            None => Ok(None),
        }
    }

    fn prompt_fact(&self, prompt: Prompt, scheduled: Option<Scheduled>) -> Result<Fact, Problem> {
        if prompt.text.trim().is_empty() {
            return Err(Problem::new(Code::InvalidRequest, "the prompt is empty").remedy("say what you want done"));
        }
        if prompt.text.len() > PROMPT_BYTES {
            let detail = format!("the prompt has {} bytes; the most is {PROMPT_BYTES}", prompt.text.len());
            return Err(Problem::new(Code::TooLarge, detail).remedy("put the text into a file and name the file"));
        }
        if self.state.queue.len() >= QUEUED_PROMPTS {
            let detail = format!("{QUEUED_PROMPTS} prompts wait in this session already");
            return Err(Problem::new(Code::LimitReached, detail).remedy("wait, or cancel the running turn"));
        }
        if prompt.attachments.len() > attach::PER_PROMPT {
            let detail = format!("{} attachments; the most is {}", prompt.attachments.len(), attach::PER_PROMPT);
            return Err(Problem::new(Code::TooLarge, detail).remedy("send them with several prompts"));
        }
        let mut gathered = Gathered::default();
        let secrets = self.house.catalog.current().secrets.clone();
        let attachments: Result<Vec<_>, Problem> =
            prompt.attachments.iter().map(|one| one.gather(&mut gathered, &secrets)).collect();
        let (attachments, text) = (attachments?, secrets.mask(&prompt.text).into_owned());
        let (tokens, model) = (Tokens::estimate(text.len()) + attach::tokens(&attachments), prompt.model);
        let running = self.state.turn.as_ref().filter(|turn| turn.ending.is_none());
        let event = match (running, prompt.while_running) {
            (Some(turn), WhileRunning::Steer) => Event::PromptSteered { turn: turn.id, tokens },
            _ if self.state.turn.is_none() && self.state.queue.is_empty() => {
                Event::PromptAccepted { turn: self.state.last_turn.next(), tokens, model, scheduled }
            }
            _ => Event::PromptQueued { turn: self.state.last_turn.next(), tokens, model },
        };
        let text = gathered.text(text);
        Ok(Fact::new(event, &body::Prompt { text, attachments }, gathered))
    }

    /// Calls the session something else.
    pub(super) async fn title(&mut self, title: String) -> Result<SessionView, Problem> {
        let title = titled(&title, &self.house.catalog.current().secrets)?;
        let before = self.profile.title.replace(title.clone());
        let outcome = self.happen(vec![self.titled(title)], None).await;
        if is_a_no(&outcome) {
            self.profile.title = before;
        }
        outcome.map(|()| self.view())
    }

    pub(super) async fn cancel(&mut self) -> Result<Cancelled, Problem> {
        let turn = self.state.turn.as_ref().map(|turn| turn.id);
        if turn.is_none()
            && let Some(given_up) = self.give_up_accept().await
        {
            return given_up.map(|seq| Cancelled { turn: TurnId::NONE, seq });
        }
        let turn = turn.ok_or_else(|| Problem::new(Code::Conflict, "no turn is running in this session"))?;
        let seq = self.seq_of(0);
        let outcome = TurnOutcome::Cancelled;
        self.happen(vec![Fact::bare(Event::TurnEnding { turn, outcome, limit: None })], None).await?;
        Ok(Cancelled { turn, seq })
    }

    pub(super) async fn resolve(&mut self, approval: EffectId, given: Answer) -> Result<Seq, Problem> {
        let open = view::open_questions(&self.state);
        let question = open.iter().find(|question| question.id == approval).ok_or_else(|| {
            Problem::new(Code::NotFound, format!("no question {approval} waits in this session"))
                .remedy("`tinkerbell sessions show` lists the open ones; it may have been answered already")
        })?;
        if !question.answers.contains(&given) {
            let words: Vec<_> = question.answers.iter().map(|answer| answer.word()).collect();
            let detail = format!("{} does not answer this question", given.word());
            return Err(Problem::new(Code::InvalidRequest, detail).remedy(format!("answer {}", words.join(", "))));
        }
        let seq = self.seq_of(0);
        let event = Event::ApprovalResolved { turn: approval.turn, effect: approval, answer: given };
        self.happen(vec![Fact::new(event, &body::Question::default(), Gathered::default())], None).await?;
        Ok(seq)
    }
}

impl Once {
    /// Keeps an answer under the key.
    pub(super) fn keep(self, house: &House, answer: &impl Serialize) -> NewAnswer {
        self.keep_for(house, answer, ANSWER_MICROS)
    }

    /// Keeps an answer under the key for so long: by our own time, which stands still while the machine sleeps, and by the
    /// wall clock, which the next daemon begins with.
    fn keep_for(self, house: &House, answer: &impl Serialize, micros: i64) -> NewAnswer {
        let now = house.steady.now();
        let since = now.max(house.clock.now());
        NewAnswer {
            scope: self.scope,
            key: self.key,
            body_hash: self.request,
            answer: serde_json::to_string(answer).expect("an answer is plain data"),
            now,
            expires: Micros(since.0.saturating_add(micros)),
        }
    }
}

/// A title that somebody gave, without keys.
pub(crate) fn titled(title: &str, secrets: &Secrets) -> Result<String, Problem> {
    let title = title.trim();
    if title.is_empty() || title.chars().count() > LONGEST_TITLE_CHARS {
        let detail = format!("a title has 1 to {LONGEST_TITLE_CHARS} characters");
        return Err(Problem::new(Code::InvalidRequest, detail).remedy("say it in fewer words"));
    }
    Ok(secrets.mask(title).into_owned())
}

/// The first words of a prompt.
pub(crate) fn title_of(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}

/// Whether it surely did not happen. Where nobody knows, the session was read anew, and what was read counts.
pub(super) fn is_a_no<T>(outcome: &Result<T, Problem>) -> bool {
    outcome.as_ref().is_err_and(|problem| problem.code != Code::OutcomeUnknown)
}
