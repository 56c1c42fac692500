//! What an update of the daemon's own says, in words on one line. Hashes and the rest of the numbers are for programs,
//! which read the update itself.

use crate::commands::{schedule_ls, schedule_show, snapshot_ls, status};
use crate::current;
use crate::plain;
use crate::update::EventUpdate;
use crate::words;
use agent::{Event, Micros, UnixSeconds};
use wire::body;

/// The words; `None` for a kind that belongs to sessions.
pub(super) fn words(update: &EventUpdate) -> Option<String> {
    let said = match &update.header.event {
        Event::DaemonBegan { generation } | Event::DaemonEnded { generation } => {
            let who = update.body::<body::Daemon>();
            let who = who.map(|who| format!(", version {}, process {}", plain::name(&who.version), who.pid));
            format!("generation {}{}", generation.0, who.unwrap_or_default())
        }
        Event::ConfigReloaded { changed } => reloaded(update, *changed),
        Event::ConfigRejected { faults } => match update.body::<body::ConfigRejected>() {
            Some(rejected) => format!("read {}: {}", status::why(rejected.cause), one_line(&rejected.message)),
            None => words::count(u64::from(*faults), "fault"),
        },
        Event::ConfigReverted {} => update.body().map_or_else(String::new, |reverted: body::ConfigReverted| {
            format!("{}: {}", plain::name(reverted.model.as_str()), one_line(&reverted.reason))
        }),
        Event::AuditKey { .. } => "a new key signs the chain from here on".to_owned(),
        Event::SnapshotMade { snapshot, bytes } => match update.body::<body::SnapshotMade>() {
            Some(made) => format!("{snapshot}, {}", snapshot_made(&made, *bytes, &snapshot.to_string())),
            None => format!("{snapshot}, {}", words::bytes(*bytes)),
        },
        Event::SnapshotRemoved { snapshot } => {
            let why = update.body().map(|removed: body::SnapshotRemoved| format!(": {}", plain::name(&removed.why)));
            format!("{snapshot}{}", why.unwrap_or_default())
        }
        other => return schedule(update, other),
    };
    Some(said)
}

fn reloaded(update: &EventUpdate, changed: u32) -> String {
    let Some(reloaded) = update.body::<body::ConfigReloaded>() else {
        return words::count(u64::from(changed), "changed key");
    };
    let keys = match reloaded.changed.as_slice() {
        [] => "nothing says anything else than before".to_owned(),
        keys => plain::name(&keys.join(", ")),
    };
    let warnings: String = reloaded.warnings.iter().map(|warning| format!("; note: {}", one_line(warning))).collect();
    format!("read {}: {keys}{warnings}", status::why(reloaded.cause))
}

fn snapshot_made(made: &body::SnapshotMade, bytes: u64, id: &str) -> String {
    let mut said = format!("{} of {}", words::bytes(bytes), words::count(made.sessions, "session"));
    if made.sealed {
        said.push_str(", encrypted");
    }
    said.push_str(&format!(", {}", snapshot_ls::reason(made.reason)));
    if let Some(note) = &made.note {
        said.push_str(&format!(", {:?}", plain::first_line(note, usize::MAX)));
    }
    // One that lies among the others is found by its name.
    let file = made.file.display().to_string();
    if !file.contains(id) {
        said.push_str(&format!(", in {}", plain::name(&file)));
    }
    said
}

fn schedule(update: &EventUpdate, event: &Event) -> Option<String> {
    let of = |schedule: &agent::ScheduleId, rest: String| format!("{}{rest}", schedule_ls::short(*schedule));
    let named = || match update.body::<body::Schedule>() {
        Some(words) => format!(" {:?}", plain::first_line(&words.name, usize::MAX)),
        None => " (forgotten)".to_owned(),
    };
    Some(match event {
        Event::ScheduleCreated { schedule, .. } => of(schedule, named()),
        Event::ScheduleMoved { schedule } => {
            let to = update.body::<body::Schedule>().and_then(|words| words.workspace);
            let to = to.map_or_else(String::new, |to| format!(" works in {}", plain::name(&to)));
            of(schedule, to)
        }
        Event::SchedulePaused { schedule, cause } => {
            of(schedule, format!(", because {}", schedule_show::because(*cause)))
        }
        Event::ScheduleResumed { schedule } | Event::ScheduleRemoved { schedule } => of(schedule, String::new()),
        Event::ScheduleClaimed { schedule, due, .. } => of(schedule, format!(", due {}", time(*due))),
        Event::ScheduleFired { schedule, due, in_session, turn, .. } => {
            let session = current::short(*in_session);
            of(schedule, format!(", due {}, is {turn} in {session}", time(*due)))
        }
        Event::ScheduleSkipped { schedule, due, reason, .. } => {
            let words = update.body::<body::Skipped>().and_then(|skipped| skipped.message);
            let words = words.map_or_else(String::new, |words| format!(": {}", one_line(&words)));
            let reason = reason.word().replace('_', " ");
            of(schedule, format!(", due {}, {reason}{words}", time(*due)))
        }
        Event::ScheduleMissed { schedule, until, count } => {
            of(schedule, format!(", {}, the last due {}", words::count(u64::from(*count), "time"), time(*until)))
        }
        Event::ScheduleEnded { schedule, due, outcome, cost_microusd } => {
            let outcome = outcome.map_or("its session is gone", agent::TurnOutcome::word);
            of(schedule, format!(", due {}, {outcome}, {}", time(*due), words::dollars(*cost_microusd)))
        }
        _ => return None,
    })
}

fn time(at: UnixSeconds) -> String {
    schedule_show::time(Micros(at.0.saturating_mul(1_000_000)))
}

/// Lines as one.
fn one_line(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| plain::name(line.trim())).filter(|line| !line.is_empty()).collect();
    lines.join("; ").replace(":; ", ": ")
}
