//! `snapshot verify`: whether snapshots are what was written. Those that the daemon keeps it reads itself; any other
//! file is read without it.

use super::snapshot_create::LIMIT;
use super::snapshot_ls::find;
use crate::client::Client;
use crate::error::Error;
use crate::passphrase::PassphraseFrom;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, GOOD};
use crate::words;
use agent::SnapshotId;
use wire::rest::{SnapshotList, SnapshotVerified, VerifySnapshot};
use wire::{Code, operation};

/// Reads snapshots to their end and checks every hash
///
/// One that the daemon keeps must also be the one that its journal says was made: an older one under its name is found.
/// Without its passphrase only the outside of an encrypted one is checked, which every change of a bit breaks too; with
/// --all, so it is where one has another passphrase than the one that is given. The exit code is 4 when one is not good.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell snapshot verify --all
  tinkerbell snapshot verify 0a1b2c3d
  tinkerbell snapshot verify /mnt/usb/bell.tar --passphrase-file ~/.snapshot-passphrase")]
pub(crate) struct Verify {
    /// The snapshot: its name, the beginning or end of it, or a file (with a / in it)
    #[arg(value_name = "ID|FILE", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) what: Option<String>,

    /// All that the daemon keeps
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    pub(crate) from: PassphraseFrom,
}

impl Verify {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let passphrase = self.from.read()?;
        let mut client = context.client(Starting::IfNeeded)?;
        let Some(typed) = &self.what else { return verify_all(context, &mut client, passphrase) };
        let id = find(&mut client, typed)?;
        client.wait_for(format!("reading {id}"), LIMIT);
        let answer = client.call(&request(id, passphrase)?)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        told(context, &answer.read()?)?;
        Ok(Exit::GOOD)
    }
}

fn verify_all(context: &mut Context, client: &mut Client, passphrase: Option<String>) -> Result<Exit, Error> {
    let list: SnapshotList = client.call(&Request::new(&operation::SNAPSHOT_LIST)?)?.read()?;
    let (mut bad, mut found) = (0_u64, Vec::new());
    for row in &list.snapshots {
        client.wait_for(format!("reading {}", row.id), LIMIT);
        let outcome = verify_one(client, row.id, passphrase.as_deref());
        match outcome {
            Ok(good) if context.globals.json => found.push(serde_json::to_value(good).unwrap_or_default()),
            Ok(good) => told(context, &good)?,
            Err(Error::Problem(problem)) if problem.code != Code::NoDaemon => {
                bad += 1;
                if context.globals.json {
                    found.push(serde_json::json!({ "id": row.id, "problem": problem }));
                } else {
                    context.screen.out().say(BAD, &format!("bad   {}", plain::strip(&problem.detail)))?;
                    context.screen.out().end_line()?;
                }
            }
            Err(error) => return Err(error),
        }
    }
    if context.globals.json {
        let document = serde_json::json!({ "snapshots": found, "bad": bad });
        context.print_json(document.to_string().as_bytes())?;
    } else {
        let all = words::count(list.snapshots.len() as u64, "snapshot");
        context.screen.remark(FAINT, &format!("{all}, {bad} of them bad"))?;
    }
    Ok(if bad == 0 { Exit::GOOD } else { Exit(Code::Conflict.exit()) })
}

/// One of all: not every one has the passphrase that was given, and its outside tells whether it is good.
fn verify_one(client: &mut Client, id: SnapshotId, given: Option<&str>) -> Result<SnapshotVerified, Error> {
    let mut ask = |passphrase| client.call(&request(id, passphrase)?)?.read::<SnapshotVerified>();
    match ask(given.map(str::to_owned)) {
        Err(Error::Problem(problem)) if problem.code == Code::InvalidRequest && given.is_some() => {
            let outside = ask(None)?;
            Ok(SnapshotVerified { other_passphrase: !outside.opened, ..outside })
        }
        verified => verified,
    }
}

fn request(id: SnapshotId, passphrase: Option<String>) -> Result<Request, Error> {
    Ok(Request::new(&operation::SNAPSHOT_VERIFY)?.at("snapshot", id).json(&VerifySnapshot { passphrase }))
}

fn told(context: &mut Context, good: &SnapshotVerified) -> Result<(), Error> {
    let out = context.screen.out();
    let word = out.paint(GOOD, "good");
    out.line(&format!("{word}  {}", words_of(good)))
}

/// What was found of a good snapshot, in words.
pub(crate) fn words_of(good: &SnapshotVerified) -> String {
    let inside = match (good.opened, good.other_passphrase) {
        (true, _) => "",
        (false, true) => "; not opened: it has another passphrase",
        (false, false) => "; its outside alone, without the passphrase",
    };
    let noted = if good.noted { ", as the journal says" } else { "" };
    format!("{}  {}  {}{noted}{inside}", good.id, words::bytes(good.bytes), good.sha256)
}
