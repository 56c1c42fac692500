//! `sessions import`: a session out of a file.

use super::sessions_export::Told;
use crate::current;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, NOTE};
use crate::words;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::rest::Imported;
use wire::{Code, Problem, operation};

/// How long the daemon may take with a file after it has all of it.
const READ_LIMIT: Duration = Duration::from_secs(3600);

/// How every export begins.
const BEGINS: &[u8] = b"{\"tinkerbell_session\":";
/// As much of a file as tells what it is.
const BEGINS_BYTES: u64 = BEGINS.len() as u64;
/// How what gzip packed begins.
const GZIP: &[u8] = b"\x1f\x8b";

/// Takes a session in from a file that `sessions export` made
///
/// The file is read wholly and checked before anything is written: a session is there whole or not at all. It works on
/// from where it stood: what was running is begun again or asked about, as after a crash, and open questions can be
/// answered.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions import engine.session --workspace ~/engine
  gunzip < engine.session.gz | tinkerbell sessions import -
  tinkerbell sessions import engine.session --as-new")]
pub(crate) struct Import {
    /// The file; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where it shall work on this machine [default: where it worked]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,

    /// Give it a new id, as a fork has: what was running there, and what it cost, stays with the other one
    #[arg(long)]
    as_new: bool,
}

impl Import {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let failed = |error: io::Error| unreadable(&self.file, &error);
        let (mut file, length): (Box<dyn Read>, Option<u64>) = if self.file.as_os_str() == "-" {
            (Box::new(io::stdin().lock()), None)
        } else {
            let file = File::open(&self.file).map_err(failed)?;
            let metadata = file.metadata().map_err(failed)?;
            if metadata.is_dir() {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            (Box::new(file), metadata.is_file().then_some(metadata.len()))
        };
        let mut request = Request::new(&operation::SESSION_IMPORT)?;
        if let Some(workspace) = &self.workspace {
            let absolute = std::path::absolute(workspace).map_err(|error| unreadable(workspace, &error))?;
            request = request.query("workspace", absolute.display());
        }
        if self.as_new {
            request = request.query("as_new", true);
        }
        let begins = beginning(&mut file).map_err(failed)?;
        is_export(&self.file, &begins)?;
        let mut file = begins.as_slice().chain(file);
        let mut client = context.client(Starting::IfNeeded)?;
        client.wait_for("reading it".to_owned(), READ_LIMIT);
        let mut told = Told::new();
        let answer = client.upload(&request, length, &mut |buffer| {
            let read = file.read(buffer).map_err(|error| unreadable(&self.file, &error))?;
            told.more(read);
            Ok(read)
        });
        drop(told);
        let answer = answer?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let imported: Imported = answer.read()?;
        context.screen.out().line(&imported.session.to_string())?;
        let short = current::short(imported.session);
        let came = format!(
            "{} came; it works in {}",
            words::count(imported.events, "event"),
            plain::name(&imported.workspace)
        );
        context.screen.remark(FAINT, &came)?;
        if imported.approvals > 0 {
            let waits = words::count(imported.approvals.into(), "question");
            context.screen.remark(NOTE, &format!("{waits} open: tinkerbell sessions show {short}"))?;
        }
        context.screen.remark(FAINT, &format!("next: tinkerbell ask -s {short} \"…\""))?;
        Ok(Exit::GOOD)
    }
}

/// The first bytes of a file.
fn beginning(file: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut begins = Vec::with_capacity(BEGINS_BYTES as usize);
    file.take(BEGINS_BYTES).read_to_end(&mut begins)?;
    Ok(begins)
}

/// Refuses what was never an export, which the daemon would have to call damaged.
fn is_export(path: &Path, begins: &[u8]) -> Result<(), Problem> {
    if begins.starts_with(BEGINS) {
        return Ok(());
    }
    let shown = path.display();
    let (what, remedy) = match begins.starts_with(GZIP) {
        true => ("it is packed by gzip", format!("gunzip < {shown} | tinkerbell sessions import -")),
        false => ("it does not begin like one", "give the file that `tinkerbell sessions export` made".to_owned()),
    };
    Err(Problem::new(Code::InvalidRequest, format!("{shown} is no export of a session: {what}")).remedy(remedy))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Problem::new(Code::InvalidRequest, format!("cannot read {}: {error}", path.display()))
        .remedy("give the file that `tinkerbell sessions export` made")
        .into()
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn a_file_is_sent_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.session");
        std::fs::write(&path, "{\"tinkerbell_session\":{}}\n").unwrap();
        let answer = serde_json::json!({
            "session": SESSION, "from": SESSION, "seq": 10, "events": 9, "workspace": "/w", "approvals": 1,
        });
        let typed = ["sessions", "import", path.to_str().unwrap(), "--workspace", "/w", "--as-new"];
        let got = run(daemon(&[&answer.to_string()]), &typed);
        assert_eq!(got.out, format!("{SESSION}\n"));
        assert!(got.aside.contains("9 events came; it works in /w"), "{}", got.aside);
        assert!(got.aside.contains("1 question open: tinkerbell sessions show 00000007"), "{}", got.aside);
        let heard = &got.heard[0];
        assert!(heard.starts_with("POST /v1/sessions/import?workspace=/w&as_new=true "), "{heard}");
        assert!(heard.ends_with("\r\n\r\n{\"tinkerbell_session\":{}}\n"), "{heard}");
    }

    #[test]
    fn what_was_never_an_export_is_not_called_damaged() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes, said) in [
            ("README.md", &b"# tinkerbell\n"[..], "does not begin like one"),
            ("a.gz", b"\x1f\x8b\x08", "gzip"),
            ("e", b"", "no export"),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let problem = run(daemon(&[]), &["sessions", "import", path.to_str().unwrap()]).problem.unwrap();
            assert!(problem.detail.contains(said), "{problem:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_said_before_anything_is_sent() {
        let got = run(daemon(&[]), &["sessions", "import", "/there/is/none"]);
        assert!(got.problem.unwrap().detail.starts_with("cannot read /there/is/none: "));
    }
}
