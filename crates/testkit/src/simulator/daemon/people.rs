//! People, who ask for things in no order and without looking, by REST as any client does.

use super::super::random::Random;
use super::book::Book;
use super::voice::VOICES;
use agent::{Answer, EffectId, SessionId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What somebody asks a daemon for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The key under which it is asked, for what is asked again until it is answered.
    pub(super) key: Option<String>,
}

/// What kind of thing it is, as far as the answer matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new session with this prompt.
    Create(u64),
    /// A prompt of this number.
    Prompt(SessionId, u64),
    Fork,
    Remove(SessionId),
    Answer,
    /// A change of the canvas or of files.
    Change,
    Cancel,
    Look,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Create(_) => "create",
            Kind::Prompt(..) => "prompt",
            Kind::Fork => "fork",
            Kind::Remove(_) => "remove",
            Kind::Answer => "answer",
            Kind::Change => "change",
            Kind::Cancel => "cancel",
            Kind::Look => "look",
        }
    }

    pub(super) const WORDS: [&str; 8] = ["create", "prompt", "fork", "remove", "answer", "change", "cancel", "look"];
}

/// What people do next, apart from what they ask the daemon.
pub(super) enum Wish {
    Ask(Asked),
    Watch(SessionId),
    /// Whoever watches for the longest time leaves, and comes back later.
    Detach,
    /// They change a file of the workspace by themselves.
    Edit(&'static str),
    Nothing,
}

/// All that people remember.
#[derive(Default)]
pub(super) struct People {
    asked: u64,
}

impl People {
    pub(super) fn wish(
        &mut self,
        random: &mut Random,
        books: &BTreeMap<SessionId, Book>,
        most: usize,
        workspace: &str,
    ) -> Wish {
        let known: Vec<SessionId> = books.keys().copied().collect();
        let alive = books.values().filter(|book| !book.removed).count();
        if known.is_empty() || (alive < most && random.chance(18)) {
            let prompt = self.number();
            return Wish::Ask(Asked {
                kind: Kind::Create(prompt),
                method: "POST",
                path: "/v1/sessions".to_owned(),
                body: Some(json!({ "workspace": workspace, "prompt": { "text": said(prompt) } })),
                key: Some(format!("key-{prompt}")),
            });
        }
        let session = random.pick(&known);
        let questions: Vec<(SessionId, EffectId)> =
            books.values().flat_map(|book| book.questions().map(|effect| (book.id, effect))).collect();
        if !questions.is_empty() && random.chance(35) {
            let (session, effect) = random.pick(&questions);
            let answers = [Answer::Allow, Answer::Allow, Answer::Deny, Answer::Retry, Answer::Skip, Answer::Abandon];
            return Wish::Ask(answer(session, effect, random.pick(&answers)));
        }
        match random.below(40) {
            0..=15 => Wish::Ask(self.prompt(random, session)),
            16..=18 => Wish::Ask(plain(Kind::Cancel, "POST", session, "/cancel", None)),
            19..=21 => Wish::Ask(plain(Kind::Change, "POST", session, "/canvas/accept", None)),
            22 => Wish::Ask(plain(Kind::Change, "POST", session, "/canvas/undo", None)),
            23 => Wish::Ask(plain(Kind::Change, "POST", session, "/canvas/rewind", None)),
            24 => {
                let end = random.pick(&["/canvas/reject", "/canvas/redo", "/canvas/keep"]);
                Wish::Ask(plain(Kind::Change, "POST", session, end, None))
            }
            25..=26 => Wish::Ask(plain(Kind::Fork, "POST", session, "/fork", None)),
            27 => {
                let force = random.pick(&["", "?force=true"]);
                Wish::Ask(plain(Kind::Remove(session), "DELETE", session, force, None))
            }
            28 => Wish::Ask(plain(Kind::Change, "PATCH", session, "", Some(json!({ "title": "another title" })))),
            29..=31 => {
                let end = random.pick(&["", "/context", "/canvas", "/canvas/diff", "/events?limit=3", "/canvas/hunks"]);
                Wish::Ask(plain(Kind::Look, "GET", session, end, None))
            }
            32 => Wish::Ask(Asked {
                kind: Kind::Look,
                method: "GET",
                path: random.pick(&["/v1/daemon", "/v1/sessions"]).to_owned(),
                body: None,
                key: None,
            }),
            33..=36 => Wish::Watch(session),
            37 => Wish::Detach,
            38 => Wish::Edit(random.pick(&["a.txt", "b.txt"])),
            _ => Wish::Nothing,
        }
    }

    fn prompt(&mut self, random: &mut Random, session: SessionId) -> Asked {
        let prompt = self.number();
        let model = random.weighed(&[
            (5, None),
            (2, Some(VOICES[0])),
            (2, Some(VOICES[1])),
            (3, Some("any")),
            (1, Some("openai tenor")),
        ]);
        let while_running = random.pick(&["queue", "steer"]);
        let mut body = json!({ "text": said(prompt), "while_running": while_running });
        if let Some(model) = model {
            body["model"] = model.into();
        }
        let key = random.chance(85).then(|| format!("key-{prompt}"));
        Asked { key, ..plain(Kind::Prompt(session, prompt), "POST", session, "/prompts", Some(body)) }
    }

    /// One more prompt when all is well again.
    pub(super) fn last_prompt(&mut self, session: SessionId) -> Asked {
        let prompt = self.number();
        let body = json!({ "text": said(prompt), "model": "any" });
        let asked = plain(Kind::Prompt(session, prompt), "POST", session, "/prompts", Some(body));
        Asked { key: Some(format!("key-{prompt}")), ..asked }
    }

    fn number(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }
}

/// The words of a prompt, by which it is known again.
fn said(prompt: u64) -> String {
    format!("p{prompt} do what is to be done")
}

/// The number of a prompt with these words.
pub(super) fn number_of(said: &str) -> Option<u64> {
    said.strip_prefix('p')?.split(' ').next()?.parse().ok()
}

pub(super) fn answer(session: SessionId, effect: EffectId, answer: Answer) -> Asked {
    let end = format!("/approvals/{effect}");
    plain(Kind::Answer, "POST", session, &end, Some(json!({ "answer": answer.word() })))
}

fn plain(kind: Kind, method: &'static str, session: SessionId, end: &str, body: Option<Value>) -> Asked {
    Asked { kind, method, path: format!("/v1/sessions/{session}{end}"), body, key: None }
}
