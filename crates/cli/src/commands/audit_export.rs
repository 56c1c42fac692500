//! `audit export`: a bundle with which somebody else can check the chains.

use crate::current::Which;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use crate::terminal;
use crate::words;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use wire::{Code, Problem, operation};

/// Bytes between two words of how far it has come.
const TOLD_EVERY: u64 = 4 << 20;

/// Writes a bundle with which anybody can check the chains without tinkerbell
///
/// Lines of JSON: the chain over all sessions with its signatures, the events, the long texts. The program that
/// `tinkerbell audit script` prints (plain Python) checks it. With --headers-only no word of any session is in it, and it can be checked all the same.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell audit export -o bundle.jsonl
  tinkerbell audit export -o proof.jsonl --headers-only
  tinkerbell audit export -o one.jsonl --session 0a1b2c3d
  tinkerbell audit script | python3 - one.jsonl")]
pub(crate) struct Export {
    /// Where it is written; a file that is there is not replaced; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Only this session, with the daemon's own journal; can be given several times
    #[arg(long = "session", value_name = "ID")]
    sessions: Vec<String>,

    /// Hashes in place of all words
    #[arg(long)]
    headers_only: bool,
}

impl Export {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let mut request = Request::new(&operation::AUDIT_EXPORT)?;
        if !self.sessions.is_empty() {
            let ids: Result<Vec<String>, Error> =
                self.sessions.iter().map(|id| Ok(Which::of(id).find_id(&mut client)?.to_string())).collect();
            request = request.query("sessions", ids?.join(","));
        }
        if self.headers_only {
            request = request.query("headers_only", true);
        }
        if self.output.as_os_str() == "-" {
            client.download(&request, &mut |piece| context.screen.out().put_bytes(piece))?;
            return Ok(Exit::GOOD);
        }
        let file = make(&self.output)?;
        let mut out = BufWriter::new(&file);
        let (mut written, mut told) = (0, 0);
        let done = client.download(&request, &mut |piece| {
            out.write_all(piece).map_err(|error| failed(&self.output, &error))?;
            written += piece.len() as u64;
            if written >= told + TOLD_EVERY {
                told = written;
                terminal::rewrite(&format!("exporting… {}", words::bytes(written)));
            }
            Ok(())
        });
        terminal::rewrite("");
        let done = done
            .and_then(|()| out.flush().and_then(|()| file.sync_all()).map_err(|error| failed(&self.output, &error)));
        done.inspect_err(|_| {
            // A part is no bundle; the error says why there is none.
            let _ = std::fs::remove_file(&self.output);
        })?;
        if context.globals.json {
            let told = serde_json::json!({ "file": self.output, "bytes": written });
            return context.print_json(told.to_string().as_bytes());
        }
        let path = self.output.display();
        context.screen.out().line(&format!("wrote {path} with {}", words::bytes(written)))?;
        context.screen.remark(FAINT, &format!("check it with: tinkerbell audit script | python3 - {path}"))?;
        Ok(Exit::GOOD)
    }
}

fn make(path: &Path) -> Result<File, Error> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull => Code::StorageFull,
        _ => Code::InvalidRequest,
    };
    Problem::new(code, format!("the bundle cannot be written to {}: {error}", path.display()))
        .remedy("name another file with -o")
        .into()
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};

    #[test]
    fn a_bundle_is_written_for_its_user_alone_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bundle.jsonl");
        let typed = ["audit", "export", "--headers-only", "-o", file.to_str().unwrap()];
        let done = run(daemon(&["{\"type\":\"bundle\"}\n"]), &typed);
        assert!(done.out.ends_with("with 18 B\n"), "{}", done.out);
        assert!(done.aside.ends_with(&format!("script | python3 - {}\n", file.display())), "{}", done.aside);
        assert!(done.heard[0].starts_with("GET /v1/audit/export?headers_only=true "), "{:?}", done.heard);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"type\":\"bundle\"}\n");
        let streamed = run(daemon(&["{\"type\":\"bundle\"}\n"]), &["audit", "export", "-o", "-"]);
        assert_eq!((streamed.out.as_str(), streamed.aside.as_str()), ("{\"type\":\"bundle\"}\n", ""));
        assert!(!std::path::Path::new("-").exists());
        let again = run(daemon(&[]), &typed);
        assert!(again.problem.unwrap().detail.contains("bundle.jsonl"));
    }
}
