//! Saying what an occurrence has to say, away from the keeper, which goes on meanwhile.

use super::fold::{Claim, Schedule};
use crate::registry::Registry;
use crate::session::{Once, Prompt, Said, Terms};
use agent::{Micros, Occasion, ScheduleId, Scheduled, SkipReason, UnixSeconds};
use std::sync::Arc;
use store::JournalId;
use wire::body;
use wire::rest::{Acknowledged, WhileRunning};
use wire::{BlobHash, Code, Problem};

/// Whose idempotency keys.
const SCOPE: &str = "schedules.run";

/// What became of a claimed occurrence.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) id: ScheduleId,
    pub(super) due: UnixSeconds,
    pub(super) told: Told,
}

/// How it went.
#[derive(Debug)]
pub(super) enum Told {
    /// It is on disk.
    Said(Acknowledged),
    /// It was left out.
    Left(SkipReason, Option<String>),
    /// Not now: the claim stays.
    Again(Problem),
}

/// Says it. Asked again for the same claim, it says nothing twice.
pub(super) async fn fire(registry: Arc<Registry>, schedule: Schedule, claim: Claim, now: Micros) -> Report {
    let told = say(&registry, &schedule, claim, now).await.unwrap_or_else(judge);
    Report { id: schedule.id, due: claim.due, told }
}

async fn say(registry: &Arc<Registry>, schedule: &Schedule, claim: Claim, now: Micros) -> Result<Told, Problem> {
    let store = &registry.house().store;
    let unreadable = |error: store::ReadError| Problem::new(Code::OutcomeUnknown, error.to_string());
    let record = store.event(JournalId::Daemon, schedule.made).await.map_err(unreadable)?;
    let words: Option<body::Schedule> = record.and_then(|record| record.body).and_then(|text| body::read(&text).ok());
    let once = once(schedule.id, claim);
    if let Some(known) = store.answer(&once.scope, &once.key, registry.house().clock.now()).await.map_err(unreadable)?
        && let Ok(said) = serde_json::from_str(&known.answer)
    {
        return Ok(Told::Said(said));
    }
    let Some(words) = words else { return Ok(Told::Left(SkipReason::Forgotten, None)) };
    let catalog = &registry.house().catalog;
    match &schedule.rule.model {
        Some(name) => catalog.learn(name).await?,
        None => drop(catalog.default().await),
    }
    let (model, while_running) = (schedule.rule.model.clone(), WhileRunning::Queue);
    let prompt = Prompt { text: words.prompt, model, while_running, attachments: Vec::new() };
    let scheduled = Scheduled { schedule: schedule.id, due: claim.due, most_microusd: claim.most };
    let Some(session) = schedule.rule.session else {
        let workspace = words.workspace.unwrap_or_default();
        let opened = registry.open(&workspace, Some(words.name), Some(prompt), Some(scheduled), Some(once)).await?;
        return Ok(Told::Said(opened));
    };
    // Whoever asks for a run is a person who is there.
    let active = schedule.rule.active_s.filter(|_| claim.occasion != Occasion::Asked);
    let since = |seconds: u64| Micros(now.0.saturating_sub(seconds.saturating_mul(1_000_000) as i64));
    let terms = Terms { scheduled, active_since: active.map(since) };
    Ok(match registry.prompt_by_schedule(session, prompt, terms, once).await? {
        Said::Said(acknowledged) => Told::Said(acknowledged),
        Said::Declined(reason) => Told::Left(reason, None),
    })
}

/// The key under which an occurrence is said.
fn once(id: ScheduleId, claim: Claim) -> Once {
    let asked = if claim.occasion == Occasion::Asked { ":asked" } else { "" };
    let key = format!("schedule:{id}:{}{asked}", claim.due.0);
    let request = BlobHash::of(key.as_bytes());
    Once { scope: SCOPE.to_owned(), key, request }
}

/// What a problem means for an occurrence: it passes by itself, or the occurrence is left out.
fn judge(problem: Problem) -> Told {
    match problem.code {
        Code::StorageFull | Code::OutcomeUnknown | Code::ReadOnly => Told::Again(problem),
        Code::Draining | Code::Conflict | Code::LimitReached => Told::Again(problem),
        Code::NotFound => Told::Left(SkipReason::SessionGone, None),
        _ => Told::Left(SkipReason::Refused, Some(problem.detail)),
    }
}
