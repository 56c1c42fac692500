//! From references to words: a recipe's messages, made into what a model reads. The same recipe over the same journal
//! gives the same request, to the byte; [`RENDERER`] is raised when that changes.

use super::attach::Lookup;
use super::tool::FORBIDDEN;
use agent::{Answer, EffectId, Event, ItemKind, Planned, Seq, Tokens};
use models::{Carry, Message, ReplyCall};
use std::collections::BTreeMap;
use wire::BlobHash;
use wire::body::{self, Attachment, Text};

/// The version of the rendering, named in each recipe.
pub(super) const RENDERER: u32 = 1;

/// What stands for words that were forgotten.
const FORGOTTEN: &str = "[this was forgotten at the user's wish]";

/// What a model is told of a call that has no result.
const NOT_RUN: &str = "This call did not run: the turn was stopped before.";

/// One event of the conversation, with its words.
#[derive(Debug, Clone)]
pub(super) enum Spoken {
    /// Somebody said something.
    Prompt {
        /// What.
        text: String,
        /// Images and documents that came with it.
        attachments: Vec<Attachment>,
    },
    /// A model replied; the effect is the call.
    Reply {
        /// The model call.
        effect: EffectId,
        /// What it said.
        text: String,
        /// What it asked for.
        calls: Vec<SpokenCall>,
        /// What its provider wants back.
        carry: Option<Carry>,
    },
    /// A model was interrupted.
    Partial(String),
    /// A tool ended; the effect is its run.
    Result {
        /// The run; its ordinal is the call's place in the reply.
        effect: EffectId,
        /// What it told.
        text: String,
        /// Images and documents that it read.
        attachments: Vec<Attachment>,
    },
}

/// A tool call in a reply.
#[derive(Debug, Clone)]
pub(super) struct SpokenCall {
    /// Its id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments.
    pub arguments: String,
    /// Why it did not run.
    pub refused: Option<String>,
}

impl Spoken {
    /// How much room the words take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Spoken::Prompt { text, .. } | Spoken::Partial(text) | Spoken::Result { text, .. } => text.len(),
            Spoken::Reply { text, calls, carry, .. } => {
                let carried = carry.as_ref().map_or(0, |carry| carry.data.len());
                text.len() + carried + calls.iter().map(|call| call.arguments.len()).sum::<usize>()
            }
        }
    }

    /// The attachments, in whatever it is.
    pub(super) fn attachments(&self) -> &[Attachment] {
        match self {
            Spoken::Prompt { attachments, .. } | Spoken::Result { attachments, .. } => attachments,
            Spoken::Reply { .. } | Spoken::Partial(_) => &[],
        }
    }

    /// Reads an event; `None` when it is none of the conversation. `blob` gives long texts.
    pub(super) fn read(
        event: &Event,
        body: Option<&str>,
        blob: &dyn Fn(BlobHash) -> Option<Vec<u8>>,
    ) -> Option<Spoken> {
        let words = |text: Text| match text {
            Text::Inline(text) => text,
            Text::Blob { blob: hash, .. } => match blob(hash) {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                None => FORGOTTEN.to_owned(),
            },
        };
        match *event {
            Event::PromptAccepted { .. } | Event::PromptQueued { .. } | Event::PromptSteered { .. } => {
                let prompt: Option<body::Prompt> = body.and_then(|b| body::read(b).ok());
                let forgotten = || Spoken::Prompt { text: FORGOTTEN.to_owned(), attachments: Vec::new() };
                Some(prompt.map_or_else(forgotten, |prompt| Spoken::Prompt {
                    text: words(prompt.text),
                    attachments: prompt.attachments,
                }))
            }
            Event::ModelFinished { effect, ref calls, .. } => {
                let reply: Option<body::Reply> = body.and_then(|b| body::read(b).ok());
                Some(match reply {
                    Some(reply) => {
                        let calls = reply.calls.into_iter().map(|call| spoken_call(call, &words)).collect();
                        let carry = reply.carry.map(|carry| Carry { from: carry.from, data: words(carry.data) });
                        Spoken::Reply { effect, text: words(reply.text), calls, carry }
                    }
                    None => {
                        let calls = (0..calls.len()).map(forgotten_call).collect();
                        Spoken::Reply { effect, text: FORGOTTEN.to_owned(), calls, carry: None }
                    }
                })
            }
            Event::ModelFailed { .. } | Event::ModelInterrupted { .. } => {
                let partial: body::Partial = body.and_then(|b| body::read(b).ok()).unwrap_or_default();
                Some(Spoken::Partial(words(partial.text)))
            }
            Event::ToolFinished { effect, .. } => {
                let end: Option<body::ToolEnd> = body.and_then(|b| body::read(b).ok());
                let (text, attachments) = match end {
                    Some(end) => (words(end.text), end.attachments),
                    None => (FORGOTTEN.to_owned(), Vec::new()),
                };
                Some(Spoken::Result { effect, text, attachments })
            }
            Event::PermissionTightened { effect, .. } => {
                Some(Spoken::Result { effect, text: FORBIDDEN.to_owned(), attachments: Vec::new() })
            }
            Event::ApprovalResolved { effect, answer, .. } => {
                let text = match answer {
                    Answer::Deny => "The user did not allow this call; it did not run.",
                    _ => "This call had begun and was lost; nobody knows what it did, and the user chose to skip it.",
                };
                Some(Spoken::Result { effect, text: text.to_owned(), attachments: Vec::new() })
            }
            _ => None,
        }
    }
}

fn spoken_call(call: body::Call, words: &dyn Fn(Text) -> String) -> SpokenCall {
    SpokenCall { id: call.id, name: call.name, arguments: words(call.arguments), refused: call.refused }
}

fn forgotten_call(ordinal: usize) -> SpokenCall {
    let refused = Some(FORGOTTEN.to_owned());
    SpokenCall { id: format!("call_{ordinal}"), name: "forgotten".to_owned(), arguments: "{}".to_owned(), refused }
}

/// Renders planned messages, with the notes of the workspace before the first. Every call of a reply gets exactly one result, in the order asked: providers refuse a
/// request where one is missing, and the model shall know what did not run.
pub(super) fn render(
    messages: &[Planned],
    spoken: &BTreeMap<Seq, Spoken>,
    attached: &Lookup,
    preface: Option<String>,
) -> Vec<Message> {
    let mut preface = preface.unwrap_or_default();
    let mut rendered = Vec::with_capacity(messages.len());
    for (at, planned) in messages.iter().enumerate() {
        match spoken.get(&planned.seq) {
            Some(Spoken::Prompt { text, attachments }) => {
                let (attachments, untaken) = attached.split(attachments);
                let text = std::mem::take(&mut preface) + text + &untaken;
                rendered.push(Message::User { text, attachments });
            }
            Some(Spoken::Reply { effect, text, calls, carry }) => {
                let asked = calls.iter().map(|call| ReplyCall {
                    id: call.id.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                });
                rendered.push(Message::Assistant { text: text.clone(), calls: asked.collect(), carry: carry.clone() });
                results(*effect, calls, &messages[at + 1..], spoken, attached, &mut rendered);
            }
            // What an interrupted model had said stands only where the user spoke next: not before another attempt.
            Some(Spoken::Partial(text)) if stands(&messages[at + 1..]) && !text.is_empty() => {
                rendered.push(Message::Assistant { text: text.clone(), calls: Vec::new(), carry: None });
            }
            Some(Spoken::Partial(_) | Spoken::Result { .. }) | None => {}
        }
    }
    rendered
}

fn stands(after: &[Planned]) -> bool {
    after.first().is_some_and(|next| next.kind == ItemKind::Prompt)
}

fn results(
    reply: EffectId,
    calls: &[SpokenCall],
    after: &[Planned],
    spoken: &BTreeMap<Seq, Spoken>,
    attached: &Lookup,
    rendered: &mut Vec<Message>,
) {
    let of_reply = |effect: &EffectId| (effect.turn, effect.step) == (reply.turn, reply.step);
    let mut told: BTreeMap<u32, (String, Vec<models::Attachment>)> = BTreeMap::new();
    for planned in after.iter().take_while(|planned| planned.kind != ItemKind::Reply) {
        if let Some(Spoken::Result { effect, text, attachments }) = spoken.get(&planned.seq)
            && of_reply(effect)
        {
            let (attachments, untaken) = match planned.to {
                Some(_) if !attachments.is_empty() => {
                    (Vec::new(), "\n[what it showed is left out here to make room]".to_owned())
                }
                _ => attached.split(attachments),
            };
            told.insert(effect.ordinal, (shortened(text, planned.to) + &untaken, attachments));
        }
    }
    for (ordinal, call) in calls.iter().enumerate() {
        let refused = || call.refused.clone().unwrap_or_else(|| NOT_RUN.to_owned());
        let (text, attachments) = told.remove(&(ordinal as u32)).unwrap_or_else(|| (refused(), Vec::new()));
        rendered.push(Message::Tool { call_id: call.id.clone(), name: call.name.clone(), text, attachments });
    }
}

/// Cuts a result to about `to` tokens, at a character's border, and says so.
fn shortened(text: &str, to: Option<Tokens>) -> String {
    let most = to.map_or(usize::MAX, |tokens| (tokens.0 as usize).saturating_mul(4));
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}\n[… {} more bytes were here; run the tool again to see them]", &text[..end], text.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::{EffectKind, TurnId};

    fn effect(kind: EffectKind, step: u32, ordinal: u32) -> EffectId {
        EffectId { turn: TurnId(1), step, kind, ordinal, attempt: 1 }
    }

    fn call(id: &str, refused: Option<&str>) -> SpokenCall {
        SpokenCall { id: id.into(), name: "t".into(), arguments: "{}".into(), refused: refused.map(str::to_owned) }
    }

    fn prompt(text: &str) -> Spoken {
        Spoken::Prompt { text: text.into(), attachments: Vec::new() }
    }

    fn result(ordinal: u32, text: &str) -> Spoken {
        Spoken::Result { effect: effect(EffectKind::Tool, 1, ordinal), text: text.into(), attachments: Vec::new() }
    }

    fn rendered(plan: &[Planned], spoken: &BTreeMap<Seq, Spoken>, preface: Option<&str>) -> Vec<Message> {
        render(plan, spoken, &Lookup::default(), preface.map(str::to_owned))
    }

    fn cut(seq: u64, kind: ItemKind) -> Planned {
        Planned { seq: Seq(seq), kind, to: None }
    }

    #[test]
    fn every_call_gets_one_result_in_the_order_asked_whatever_came_between() {
        let calls = vec![call("a", None), call("b", Some("denied by a rule")), call("c", None), call("d", None)];
        let spoken = BTreeMap::from([
            (Seq(1), prompt("go")),
            (
                Seq(2),
                Spoken::Reply { effect: effect(EffectKind::Model, 1, 0), text: String::new(), calls, carry: None },
            ),
            (Seq(3), result(2, "third")),
            (Seq(4), prompt("and also")),
            (Seq(5), result(0, "first")),
        ]);
        use ItemKind::*;
        let plan = [cut(1, Prompt), cut(2, Reply), cut(3, Result), cut(4, Prompt), cut(5, Result)];
        let rendered = rendered(&plan, &spoken, Some("notes; "));
        let told: Vec<_> = rendered
            .iter()
            .map(|message| match message {
                Message::User { text, .. } => format!("user {text}"),
                Message::Assistant { calls, .. } => format!("assistant {}", calls.len()),
                Message::Tool { call_id, text, .. } => format!("{call_id} {text}"),
            })
            .collect();
        let stopped = "d This call did not run: the turn was stopped before.";
        assert_eq!(
            told,
            ["user notes; go", "assistant 4", "a first", "b denied by a rule", "c third", stopped, "user and also"]
        );
    }

    #[test]
    fn a_partial_reply_stands_only_where_nothing_took_its_place() {
        let spoken = BTreeMap::from([
            (Seq(1), prompt("go")),
            (Seq(2), Spoken::Partial("I wi".into())),
            (Seq(3), Spoken::Partial("I will".into())),
            (Seq(4), prompt("again")),
        ]);
        use ItemKind::*;
        let plan = [cut(1, Prompt), cut(2, Partial), cut(3, Partial), cut(4, Prompt)];
        let rendered = rendered(&plan, &spoken, None);
        assert_eq!(rendered.len(), 3);
        assert!(matches!(&rendered[1], Message::Assistant { text, .. } if text == "I will"));
    }

    #[test]
    fn shortening_keeps_characters_whole_and_says_so() {
        let text = shortened(&"é".repeat(100), Some(Tokens(1)));
        assert!(text.starts_with("éé\n[… 196 more bytes"), "{text}");
    }
}
