//! `daemon gc`: tidies up now.

use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::Sink;
use crate::words;
use wire::operation;
use wire::rest::Tidied;

/// Tidies up now what the daemon tidies up by itself when nothing runs, and says what went
///
/// Pages of the journal that nothing uses are given back to the disk, answers under idempotency keys that have expired go,
/// and pictures of canvases that nobody looks at (they are drawn anew when somebody does). Sessions in which nothing happened
/// for long leave the journal for files of their own, and come back when somebody speaks to them. Nothing that was said goes:
/// that is `tinkerbell sessions rm`. What is kept is said in `[retention]` of the configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell daemon gc --dry-run\n  tinkerbell daemon gc")]
pub(crate) struct Gc {
    /// Only say what would go
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Gc {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let mut request = Request::new(&operation::GC)?;
        if self.dry_run {
            request = request.query("dry_run", true);
        }
        let answer = client.call(&request)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        print(context.screen.out(), &answer.read()?)?;
        Ok(Exit::GOOD)
    }
}

fn print(out: &mut Sink, tidied: &Tidied) -> Result<(), Error> {
    let would = if tidied.dry_run { "would go" } else { "gone" };
    let journal = match tidied.dry_run {
        true => words::bytes(tidied.journal_bytes_before),
        false => format!(
            "{} before, {} now",
            words::bytes(tidied.journal_bytes_before),
            words::bytes(tidied.journal_bytes_after)
        ),
    };
    let lines = [
        ("journal", format!("{} of free pages {would} ({journal})", words::bytes(tidied.freed_bytes))),
        ("answers", format!("{} {would} that had expired", words::number(tidied.answers))),
        ("partials", format!("{} {would} that nobody goes on with", words::number(tidied.partials))),
        ("archived", format!("{} {would}, into files of their own", words::count(tidied.archived, "idle session"))),
        ("pictures", format!("{} {would}, {}", words::number(tidied.pictures), words::bytes(tidied.pictures_bytes))),
    ];
    lines.iter().try_for_each(|(name, value)| out.line(&format!("{name:9} {value}")))
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};

    #[test]
    fn it_says_what_went_and_what_would_go() {
        let tidied = |dry_run: bool| {
            serde_json::json!({
                "at": "2025-11-23T09:00:00.000000Z", "dry_run": dry_run, "answers": 1_200, "partials": 0,
                "freed_bytes": 1_048_576, "journal_bytes_before": 9_437_184, "journal_bytes_after": 8_388_608,
                "pictures": 1, "pictures_bytes": 2_048, "lasted_ms": 42,
            })
            .to_string()
        };
        let got = run(daemon(&[&tidied(false)]), &["daemon", "gc"]);
        assert!(
            got.out.contains("journal   1.0 MiB of free pages gone (9.0 MiB before, 8.0 MiB now)\n"),
            "{}",
            got.out
        );
        let dry = run(daemon(&[&tidied(true)]), &["daemon", "gc", "-n"]);
        assert!(dry.out.contains("answers   1,200 would go that had expired\n"), "{}", dry.out);
        assert!(dry.heard[0].starts_with("POST /v1/daemon/gc?dry_run=true "), "{:?}", dry.heard);
    }
}
