//! `snapshot ls`: which snapshots there are.

use crate::client::Client;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, NAME, NOTE};
use crate::table::{Cell, Table};
use crate::words;
use agent::SnapshotId;
use wire::rest::{SnapshotList, SnapshotRow};
use wire::snapshot::SnapshotReason;
use wire::{Code, Problem, operation};

/// Lists the snapshots, newest first
///
/// Those that somebody asked for stay until `snapshot rm`; the daemon's own go by the rules of the configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell snapshot ls\n  tinkerbell snapshot ls --json")]
pub(crate) struct Ls {}

impl Ls {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let answer = client.call(&Request::new(&operation::SNAPSHOT_LIST)?)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let list: SnapshotList = answer.read()?;
        if list.snapshots.is_empty() {
            context.screen.remark(FAINT, "there is no snapshot; `tinkerbell snapshot create` makes one")?;
            return Ok(Exit::GOOD);
        }
        let mut table = Table::new(["SNAPSHOT", "MADE", "SIZE", "SESSIONS", "WHY", "NOTE"]).flexible(5);
        list.snapshots.iter().for_each(|snapshot| table.row(row(snapshot)));
        let columns = context.columns();
        table.print(context.screen.out(), columns)?;
        Ok(Exit::GOOD)
    }
}

fn row(snapshot: &SnapshotRow) -> [Cell; 6] {
    let mut note = snapshot.note.as_deref().map(|note| plain::first_line(note, usize::MAX)).unwrap_or_default();
    if snapshot.sealed {
        note = format!("[encrypted] {note}").trim_end().to_owned();
    }
    if !snapshot.noted {
        note = format!("[the journal does not know it] {note}").trim_end().to_owned();
    }
    [
        Cell::styled(NAME, snapshot.id.to_string()),
        words::ago(snapshot.created_at, words::now()).into(),
        words::bytes(snapshot.bytes).into(),
        words::number(snapshot.sessions).into(),
        reason(snapshot.reason).into(),
        Cell::styled(NOTE, note),
    ]
}

/// Why a snapshot was made, in words.
pub(crate) fn reason(reason: SnapshotReason) -> &'static str {
    match reason {
        SnapshotReason::Asked => "asked for",
        SnapshotReason::Periodic => "it was time",
        SnapshotReason::Stop => "the daemon stopped",
    }
}

/// The snapshot that somebody means: its name, or the beginning or end of one.
pub(crate) fn find(client: &mut Client, typed: &str) -> Result<SnapshotId, Error> {
    if let Ok(id) = typed.parse() {
        return Ok(id);
    }
    let list: SnapshotList = client.call(&Request::new(&operation::SNAPSHOT_LIST)?)?.read()?;
    let wanted = |id: &SnapshotId| {
        let text = id.to_string();
        text.ends_with(typed) || text.starts_with(typed) || text["snp_".len()..].starts_with(typed)
    };
    let found: Vec<SnapshotId> = list.snapshots.iter().map(|row| row.id).filter(wanted).collect();
    match found[..] {
        [id] => Ok(id),
        [] => Err(Problem::new(Code::NotFound, format!("there is no snapshot {}", plain::name(typed)))
            .remedy("`tinkerbell snapshot ls` lists those that there are")
            .into()),
        _ => Err(Problem::new(
            Code::InvalidRequest,
            format!("{} could be {} snapshots", plain::name(typed), found.len()),
        )
        .remedy("give more of its name")
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};
    use wire::Code;

    const ONE: &str = r#"{"directory":"/s/snapshots","snapshots":[{"id":"snp_01kav9ft000000000000000007",
        "file":"/s/snapshots/snp_01kav9ft000000000000000007.tar","bytes":65536,
        "created_at":"2025-11-23T09:00:00.000000Z","reason":"asked","note":"before the move","sealed":true,
        "sessions":1200,"noted":true}]}"#;

    #[test]
    fn snapshots_are_listed_with_what_was_said_of_them() {
        let text = run(daemon(&[ONE]), &["snapshot", "ls"]).out;
        assert!(text.contains("snp_01kav9ft000000000000000007  "), "{text}");
        assert!(text.contains("64.0 KiB  1,200     asked for  [encrypted] before the move"), "{text}");
        let none = run(daemon(&[r#"{"directory":"/s","snapshots":[]}"#]), &["snapshot", "ls"]);
        assert!(none.aside.contains("there is no snapshot"), "{}", none.aside);
    }

    #[test]
    fn a_name_may_be_given_in_part() {
        let removed = run(daemon(&[ONE, "{}"]), &["snapshot", "rm", "--yes", "00000007"]);
        assert!(
            removed.heard[1].starts_with("DELETE /v1/snapshots/snp_01kav9ft000000000000000007 "),
            "{:?}",
            removed.heard
        );
        let unknown = run(daemon(&[ONE]), &["snapshot", "rm", "--yes", "zzz"]).problem.unwrap();
        assert_eq!(unknown.code, Code::NotFound);
    }
}
