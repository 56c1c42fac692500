//! Sessions: lists, views, what is found in them, what becomes of them.

use super::{model, prompts, words};
use crate::sample::shapes::{MORNING, effect, session};
use crate::sample::written::{Written, written};
use agent::{Answer, EffectKind, Micros, ModelName, Money, Question, Seq, SessionId, Tokens, TurnId, Usage};
use wire::rest::*;

pub(super) fn samples() -> Vec<Written> {
    [of_requests(), of_views(), of_moves(), of_search()].into_iter().flatten().collect()
}

fn of_requests() -> Vec<Written> {
    let create = |title, prompt| CreateSession { workspace: "/home/ada/engine".to_owned(), title, prompt };
    let answers = [Answer::Allow, Answer::Deny, Answer::Retry, Answer::Skip, Answer::Abandon];
    let [allow, deny, retry, skip, abandon] = answers.map(|answer| AnswerRequest { answer });
    written![
        CreateSession: [create(None, None), create(words("Carry"), Some(prompts::full()))],
        AnswerRequest: [allow, deny, retry, skip, abandon],
        UpdateSession: [UpdateSession { title: "Carry, again".to_owned() }],
        ForkRequest: [
            ForkRequest::default(),
            ForkRequest { at_seq: Some(Seq(41)), title: words("Carry, another way") },
        ],
    ]
}

fn of_views() -> Vec<Written> {
    let (idle, running, waiting) =
        (row(SessionStatus::Idle, None), row(SessionStatus::Running, Some(model())), row(SessionStatus::Waiting, None));
    let away = SessionRow { archived: Some(Archived { at: MORNING, bytes: 4_096 }), ..row(SessionStatus::Idle, None) };
    let turn = TurnView { id: TurnId(3), step: 2, ending: false, running: vec![effect(EffectKind::Tool)] };
    let approval = ApprovalView {
        id: effect(EffectKind::Ask),
        question: Question::Permission,
        message: "May `run` do this?".to_owned(),
        answers: vec![Answer::Allow, Answer::Deny],
    };
    let view = |row, turn, queued, approvals| SessionView {
        row,
        turns: 4,
        pending: 1,
        turn,
        queued,
        approvals,
        usage: Usage { input_tokens: Tokens(1_200), output_tokens: Tokens(80), ..Usage::default() },
    };
    written![
        SessionRow: [idle.clone(), running.clone(), waiting.clone(), away.clone()],
        Archived: [Archived { at: MORNING, bytes: 4_096 }],
        SessionList: [
            SessionList { sessions: vec![], next: None },
            SessionList { sessions: vec![running.clone(), idle.clone()], next: Some(session().to_string()) },
        ],
        SessionView: [
            view(idle, None, vec![], vec![]),
            view(waiting, Some(turn.clone()), vec![TurnId(4)], vec![approval.clone()]),
        ],
        TurnView: [turn.clone(), TurnView { ending: true, running: vec![], ..turn }],
        ApprovalView: [approval],
    ]
}

fn of_moves() -> Vec<Written> {
    let fork = SessionId::from_parts(1_763_974_861_000, 0xfedc_ba98_7654_3210);
    written![
        Cancelled: [Cancelled { turn: TurnId(3), seq: Seq(57) }],
        Forked: [Forked { session: fork, seq: Seq(42), parent: session(), at_seq: Seq(41) }],
        SessionArchived: [SessionArchived {
            session: session(),
            events: 57,
            bytes: 4_096,
            archived_at: MORNING,
            was_archived: false,
            cleared: true,
        }],
        SessionUnarchived: [SessionUnarchived { session: session(), events: 57, was_archived: true }],
        Removed: [
            Removed {
                session: session(),
                events: 57,
                cleared: true,
                forks: vec![],
                snapshots: vec![],
                held_in: vec![],
                kept_states: vec![],
            },
            Removed {
                session: session(),
                events: 57,
                cleared: false,
                forks: vec![fork],
                snapshots: vec!["2026-11-23T09-00-00Z".to_owned()],
                held_in: vec![super::snapshots::row(None)],
                kept_states: vec!["/home/ada/state/before-restore-20261123T090000Z".to_owned()],
            },
        ],
    ]
}

fn of_search() -> Vec<Written> {
    let hit = |kind, seq, snippet: &str| SearchHit {
        session: row(SessionStatus::Idle, None),
        seq: Seq(seq),
        kind,
        snippet: snippet.to_owned(),
        matches: snippet.match_indices("carry").map(|(at, word)| [at as u32, (at + word.len()) as u32]).collect(),
    };
    let in_title = hit(HitKind::Title, 1, "Fix the carry");
    // The ellipsis and the umlaut are several bytes long, so that ranges of characters would be other ones.
    let in_prompt = hit(HitKind::Prompt, 12, "…für the carry: carry it");
    let in_reply = hit(HitKind::Reply, 20, "carry");
    written![
        SearchHit: [in_title.clone(), in_prompt.clone(), in_reply],
        SearchList: [SearchList { hits: vec![] }, SearchList { hits: vec![in_prompt, in_title] }],
    ]
}

fn row(status: SessionStatus, model: Option<ModelName>) -> SessionRow {
    SessionRow {
        id: session(),
        workspace: "/home/ada/engine".to_owned(),
        title: "Fix the carry".to_owned(),
        status,
        head: Seq(57),
        model,
        cost_microusd: Money(4_800),
        created_at: MORNING,
        updated_at: Micros(MORNING.0 + 61_000_001),
        archived: None,
    }
}
