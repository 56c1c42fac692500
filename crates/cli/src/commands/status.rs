//! `status`: what the daemon is and how it fares.

use crate::error::Error;
use crate::plain;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, HEAD, NOTE, Sink};
use crate::words;
use std::path::Path;
use wire::operation;
use wire::rest::{CacheStatus, ConfigStatus, DaemonStatus, ReloadCause, SnapshotStatus, StorageStatus};

/// Shows whether the daemon runs and how it fares
///
/// It is never started for this: without a daemon the exit code is 10.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell status\n  tinkerbell status --json")]
pub(crate) struct Status {}

impl Status {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::Never)?;
        let answer = client.call_promptly(&operation::STATUS)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        print(context.screen.out(), &answer.read()?)?;
        Ok(Exit::GOOD)
    }
}

fn print(out: &mut Sink, status: &DaemonStatus) -> Result<(), Error> {
    let running_s = words::now().0.saturating_sub(status.started_at.0) / 1_000_000;
    let name = plain::name(&status.version);
    let heading = format!("tinkerbell {name}, process {}, for {}", status.pid, words::lasting(running_s));
    let heading = out.paint(HEAD, &heading);
    out.line(&heading)?;
    let path = |path: &Path| plain::name(&path.display().to_string());
    let config = match status.config_found {
        true => path(&status.config_file),
        false => format!("{} (not there: defaults)", path(&status.config_file)),
    };
    let config = match &status.config {
        Some(loading) => format!("{config}, {}", loaded(loading)),
        None => config,
    };
    let store = &status.store;
    let model = status.default_model.as_ref().map_or_else(|| "none".to_owned(), |model| plain::name(model.as_str()));
    let lines = [
        ("socket", path(&status.socket)),
        ("state", path(&status.state_dir)),
        ("config", config),
        ("model", model),
        ("sessions", format!("{}, {} running", words::number(status.sessions), status.running)),
        ("awake", awake(&status.cache)),
        (
            "journal",
            format!(
                "{}, {} and {} not yet folded in",
                plain::name(&store.health),
                words::bytes(store.journal_bytes),
                words::bytes(store.wal_bytes)
            ),
        ),
        ("snapshots", snapshots(&status.snapshots)),
        ("memory", words::bytes(status.resident_bytes)),
        ("spent", format!("{} today (UTC)", words::dollars(status.spent_today_microusd))),
        ("begun", words::count(status.generation.0, "time")),
    ];
    lines.iter().try_for_each(|(name, value)| out.line(&format!("  {name:9} {value}")))?;
    if let Some(config) = &status.config {
        troubles(out, config)?;
    }
    match &status.storage {
        Some(storage) => print_storage(out, storage),
        None => Ok(()),
    }
}

/// Why a configuration was read.
pub(crate) fn why(cause: ReloadCause) -> &'static str {
    match cause {
        ReloadCause::Start => "at the start",
        ReloadCause::Watch => "since the file changed",
        ReloadCause::Signal => "at a SIGHUP",
        ReloadCause::Asked => "since somebody asked for it",
    }
}

/// Since when the configuration counts, and why it was read.
fn loaded(config: &ConfigStatus) -> String {
    let why = why(config.cause);
    let unwatched = if config.watched { "" } else { "; changes are not noticed by themselves" };
    format!("read {why}, {}{unwatched}", words::ago(config.loaded_at, words::now()))
}

/// What of the configuration does not count, and why.
fn troubles(out: &mut Sink, config: &ConfigStatus) -> Result<(), Error> {
    let now = words::now();
    if let Some(refused) = &config.refused {
        let heading =
            format!("  The file was refused {}; what counted before counts still:", words::ago(refused.at, now));
        let heading = out.paint(BAD, &heading);
        out.line(&heading)?;
        refused.message.lines().try_for_each(|line| out.line(&format!("    {}", plain::name(line))))?;
    }
    for held in &config.held {
        let model = plain::name(held.model.as_str());
        let heading = format!("  {model} is reached as before, since {}:", words::ago(held.since, now));
        let heading = out.paint(NOTE, &heading);
        out.line(&heading)?;
        out.line(&format!("    {}", plain::name(&held.reason)))?;
    }
    Ok(())
}

/// What lies where, and what was tidied.
fn print_storage(out: &mut Sink, storage: &StorageStatus) -> Result<(), Error> {
    let sizes = [
        ("free in the journal", storage.journal_free_bytes),
        ("search", storage.search_bytes),
        ("pictures", storage.pictures_bytes),
        ("logs", storage.log_bytes),
        ("archive", storage.archive_bytes),
        ("snapshots", storage.snapshot_bytes),
    ];
    let sizes: Vec<String> = sizes.iter().map(|(name, bytes)| format!("{name} {}", words::bytes(*bytes))).collect();
    let states =
        storage.sessions.iter().map(|(state, count)| format!("{} {}", words::number(*count), plain::name(state)));
    let archived = (storage.archived > 0).then(|| format!("{} archived", words::number(storage.archived)));
    let tidied = storage.tidied.as_ref().map_or_else(
        || "not since the daemon began (`tinkerbell daemon gc` does it now)".to_owned(),
        |tidied| {
            let went = words::bytes(tidied.freed_bytes + tidied.pictures_bytes);
            format!(
                "{}, {went} and {} went",
                words::ago(tidied.at, words::now()),
                words::count(tidied.answers, "answer")
            )
        },
    );
    let lines = [
        ("on disk", sizes.join(", ")),
        ("states", states.chain(archived).collect::<Vec<_>>().join(", ")),
        ("tidied", tidied),
    ];
    lines.iter().try_for_each(|(name, value)| out.line(&format!("  {name:9} {value}")))
}

/// Copies of the whole state in a line.
fn snapshots(snapshots: &SnapshotStatus) -> String {
    let ago = |at| words::ago(at, words::now());
    let newest = snapshots.newest_at.map(|at| format!(", the newest {}", ago(at))).unwrap_or_default();
    let failed = snapshots.failed_at.zip(snapshots.failure.as_deref());
    let failed = failed.map(|(at, why)| format!("; the last attempt failed {}: {}", ago(at), plain::strip(why)));
    let count = words::number(snapshots.count);
    format!("{count}, {}{newest}{}", words::bytes(snapshots.bytes), failed.unwrap_or_default())
}

/// The cache of awake sessions in a line.
fn awake(cache: &CacheStatus) -> String {
    let idle_s = i64::try_from(cache.idle_ms / 1_000).unwrap_or(i64::MAX);
    format!(
        "{}, {} of {}; {} woken, {} let go, {} of them for room (idle ones go after {})",
        words::number(u64::from(cache.awake)),
        words::bytes(cache.bytes),
        words::bytes(cache.limit_bytes),
        words::number(cache.wakings),
        words::number(cache.let_go),
        words::number(cache.evicted),
        words::lasting(idle_s)
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::testing::{daemon, run};

    pub(crate) const STATUS: &str = r#"{"version":"0.1.0","pid":7,"generation":3,"started_at":"2025-11-23T09:00:00.000000Z",
            "state_dir":"/s","socket":"/s/socket","config_file":"/c","config_found":false,"default_model":"offline",
            "cache":{"awake":12,"bytes":1572864,"limit_bytes":67108864,"idle_ms":600000,"wakings":1040,"let_go":1028,"evicted":9},
            "running":2,"sessions":10000,"store":{"health":"open","journal_bytes":1,"wal_bytes":2},"resident_bytes":4096,
            "spent_today_microusd":0}"#;

    #[test]
    fn the_daemon_is_told_of_line_by_line() {
        let text = run(daemon(&[STATUS]), &["status"]).out;
        assert!(text.contains("  sessions  10,000, 2 running\n"), "{text}");
        let awake = "  awake     12, 1.5 MiB of 64.0 MiB; 1,040 woken, 1,028 let go, 9 of them for room (idle ones go after 10 min)\n";
        assert!(text.contains(awake), "{text}");
        assert!(text.contains("  config    /c (not there: defaults)\n"), "{text}");
        assert!(!text.contains("on disk"), "what was not measured is not told");
        let storage = r#","storage":{"measured_at":"2025-11-23T09:00:00.000000Z","journal_free_bytes":65536,"journal_shrinks":true,
            "search_bytes":1024,"pictures_bytes":2048,"log_bytes":10,"snapshot_bytes":0,"archived":4,"archive_bytes":3072,"sessions":{"idle":9998,"running":2}}}"#;
        let text = run(daemon(&[&format!("{}{storage}", &STATUS[..STATUS.len() - 1])]), &["status"]).out;
        let disk = "  on disk   free in the journal 64.0 KiB, search 1.0 KiB, pictures 2.0 KiB, logs 10 B, archive 3.0 KiB, snapshots 0 B\n";
        assert!(text.contains(disk) && text.contains("  states    9,998 idle, 2 running, 4 archived\n"), "{text}");
    }

    #[test]
    fn what_was_refused_is_told_with_its_line() {
        let config = r#""config":{"loaded_at":"2025-11-23T09:00:00.000000Z","cause":"watch","watched":true,
            "refused":{"at":"2025-11-23T09:00:00.000000Z","cause":"watch","message":"not valid:\nline 3, column 1: no"},
            "held":[{"model":"sonnet","since":"2025-11-23T09:00:00.000000Z","reason":"its key was refused"}]},"#;
        let status = STATUS.replacen("\"default_model\"", &format!("{config}\"default_model\""), 1);
        let text = run(daemon(&[&status]), &["status"]).out;
        assert!(
            text.contains("  config    /c (not there: defaults), read since the file changed, 2025-11-23\n"),
            "{text}"
        );
        assert!(text.contains("counts still:\n    not valid:\n    line 3, column 1: no\n"), "{text}");
        assert!(text.contains("  sonnet is reached as before, since 2025-11-23:\n    its key was refused\n"), "{text}");
    }
}
