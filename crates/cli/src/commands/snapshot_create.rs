//! `snapshot create`: a copy of the whole state in one file.

use super::snapshot_ls::reason;
use crate::error::Error;
use crate::http::HttpError;
use crate::passphrase::PassphraseFrom;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, NOTE};
use crate::words;
use std::path::PathBuf;
use std::time::Duration;
use wire::rest::{CreateSnapshot, SnapshotView};
use wire::snapshot::Why;
use wire::{Code, Problem, operation};

/// How long one may take: a large state on a slow disk.
pub(crate) const LIMIT: Duration = Duration::from_secs(3_600);

/// Makes a snapshot: a copy of the whole state in one file
///
/// Turns go on meanwhile. Ctrl-C leaves the daemon making it. The file proves itself by hashes and is any tar archive. Kept keys stay out of it
/// unless it is encrypted with a passphrase. The daemon makes snapshots of its own as well: see `snapshots` in the
/// configuration.
///
/// --portable makes one that carries the agent to another machine: no secret is in it, encrypted or not, and it names those
/// that are to be set again there, with the home directory and the workspaces. `snapshot restore` there says what is missing. Stop the
/// daemon here when the other one takes over: schedules would run on both.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell snapshot create --note \"before the move\"
  tinkerbell snapshot create -o /mnt/usb/bell.tar
  tinkerbell snapshot create --portable -o bell.tar")]
pub(crate) struct Create {
    /// What is to be said about it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Write it to this file; else it goes to the other snapshots
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Make it to carry the agent to another machine: without secrets, which it names
    #[arg(long)]
    portable: bool,

    /// Encrypt it with a passphrase that is asked for
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_env"])]
    passphrase: bool,

    #[command(flatten)]
    from: PassphraseFrom,
}

impl Create {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let passphrase = match self.passphrase {
            true => match self.from.ask_twice(context)? {
                Some(typed) => Some(typed),
                None => return Ok(Exit::CANCELLED),
            },
            false => self.from.read()?,
        };
        let file = self
            .output
            .as_deref()
            .map(std::path::absolute)
            .transpose()
            .map_err(|error| Problem::new(Code::InvalidRequest, format!("the file cannot be named: {error}")))?;
        let mut client = context.client(Starting::IfNeeded)?;
        client.wait_for("making a snapshot".to_owned(), LIMIT);
        let body = CreateSnapshot { note: self.note, passphrase, file: file.clone(), portable: self.portable };
        client
            .catch_interrupt()
            .map_err(|error| Problem::new(Code::Internal, format!("cannot listen for Ctrl-C: {error}")))?;
        let answer = match client.call(&Request::new(&operation::SNAPSHOT_CREATE)?.json(&body)) {
            Err(Error::Http(HttpError::Interrupted)) => {
                let place = match &file {
                    Some(file) => format!("it will be {}", plain::name(&file.display().to_string())),
                    None => "`tinkerbell snapshot ls` shows it then".to_owned(),
                };
                context.screen.remark(NOTE, &format!("the daemon makes the snapshot to its end; {place}"))?;
                return Ok(Exit::CANCELLED);
            }
            answer => answer?,
        };
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let made: SnapshotView = answer.read()?;
        let (row, manifest) = (&made.row, &made.manifest);
        let sealed = if row.sealed { ", encrypted" } else { "" };
        let size = format!("{} of {}", words::bytes(row.bytes), words::count(row.sessions, "session"));
        context.screen.out().line(&format!("{}  {size}{sealed}, {}", row.id, reason(row.reason)))?;
        context.screen.remark(FAINT, &plain::name(&row.file.display().to_string()))?;
        if let Some(portable) = &manifest.portable {
            context.screen.remark(
                FAINT,
                "portable: no secret is in it; on the other machine, `tinkerbell snapshot restore FILE`",
            )?;
            for secret in &portable.secrets {
                context.screen.remark(FAINT, &format!("to be set again there: {}", plain::name(&secret.how())))?;
            }
            return Ok(Exit::GOOD);
        }
        let secrets = manifest.left_out.iter().filter(|left| left.why == Why::Secret);
        let names: Vec<String> = secrets.map(|left| plain::name(&left.name)).collect();
        if !names.is_empty() {
            let remark = format!("left out, because they are secrets: {}", names.join(", "));
            context.screen.remark(FAINT, &remark)?;
        }
        Ok(Exit::GOOD)
    }
}
