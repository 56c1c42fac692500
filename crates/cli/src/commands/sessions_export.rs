//! `sessions export`: a session as a file.

use crate::current::{self, Which};
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use crate::terminal;
use crate::words;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wire::{Code, Problem, operation};

/// After this long somebody at the terminal is told how much has come.
const QUIET: Duration = Duration::from_secs(1);

/// Writes a session into a file, with which another daemon goes on
///
/// The file holds all that was said and done, what is on the canvas and which questions wait for an answer. It holds no
/// keys. Whoever has the file can read all of it, so keep it as you keep the conversation itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions export -o engine.session
  tinkerbell sessions export 0a1b2c3d | gzip > engine.session.gz
  tinkerbell sessions import engine.session --workspace ~/engine")]
pub(crate) struct Export {
    /// The session: its id, or the beginning or end of it [default: the current one]
    #[arg(value_name = "ID", conflicts_with = "session")]
    id: Option<String>,

    /// The file, which must not be there yet [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    which: Which,
}

impl Export {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        if self.output.is_none() && io::stdout().is_terminal() {
            let problem = Problem::new(Code::InvalidRequest, "a session's file is not for reading on a terminal");
            return Err(problem.remedy("say where it shall go: -o FILE").into());
        }
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.or(self.id).find_id(&mut client)?;
        let request = Request::new(&operation::SESSION_EXPORT)?.at("session", session);
        let mut told = Told::new();
        let Some(path) = self.output else {
            client.download(&request, &mut |piece| {
                told.more(piece.len());
                context.screen.out().put_bytes(piece)
            })?;
            return Ok(Exit::GOOD);
        };
        let mut file = create(&path)?;
        let failed = |error: io::Error| unwritable(&path, &error);
        let came = client
            .download(&request, &mut |piece| {
                told.more(piece.len());
                file.write_all(piece).map_err(failed)
            })
            .and_then(|()| file.sync_all().map_err(failed));
        if let Err(error) = came {
            // Half a file would only be refused later. If it cannot be removed either, the import says what it is.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        let bytes = told.bytes;
        drop(told);
        if context.globals.json {
            let told = serde_json::json!({ "session": session, "file": path, "bytes": bytes });
            return context.print_json(told.to_string().as_bytes());
        }
        let shown = plain::name(&path.display().to_string());
        context.screen.out().line(&format!("{shown} ({})", words::bytes(bytes)))?;
        let next = format!(
            "{} is in it, and stays here too; next: tinkerbell sessions import {shown}",
            current::short(session)
        );
        context.screen.remark(FAINT, &next)?;
        Ok(Exit::GOOD)
    }
}

fn create(path: &Path) -> Result<File, Error> {
    File::options().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let problem = Problem::new(Code::Conflict, format!("{} is there already", path.display()));
            return problem.remedy("give another name, or remove it first").into();
        }
        unwritable(path, &error)
    })
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let code = if error.kind() == io::ErrorKind::StorageFull { Code::StorageFull } else { Code::InvalidRequest };
    Problem::new(code, format!("cannot write {}: {error}", path.display()))
        .remedy("choose another place: -o FILE")
        .into()
}

/// What somebody at a terminal is told while it takes long.
pub(super) struct Told {
    began: Instant,
    said: Option<Instant>,
    pub(super) bytes: u64,
}

impl Told {
    pub(super) fn new() -> Told {
        Told { began: Instant::now(), said: None, bytes: 0 }
    }

    pub(super) fn more(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.began.elapsed() > QUIET && self.said.is_none_or(|said| said.elapsed() > QUIET / 4) {
            self.said = Some(Instant::now());
            terminal::rewrite(&format!("{}…", words::bytes(self.bytes)));
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if self.said.is_some() {
            terminal::rewrite("");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn a_file_is_made_once_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.session");
        let typed = ["sessions", "export", SESSION, "-o", path.to_str().unwrap()];
        let got = run(daemon(&["line\n"]), &typed);
        assert_eq!(got.out, format!("{} (5 B)\n", path.display()));
        assert!(got.heard[0].starts_with(&format!("GET /v1/sessions/{SESSION}/export ")), "{:?}", got.heard);
        assert_eq!(std::fs::read(&path).unwrap(), b"line\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = run(daemon(&[]), &typed);
        assert!(again.problem.unwrap().detail.ends_with("is there already"));
        assert_eq!(std::fs::read(&path).unwrap(), b"line\n");
    }

    #[test]
    fn what_broke_off_leaves_no_file() {
        use crate::fake::FakeDaemon;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.session");
        let cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nline\n\r\n".to_vec();
        let fake = FakeDaemon::new(vec![vec![cut]]);
        let (mut context, _, _) = crate::testing::context(&fake);
        let export =
            super::Export { id: Some(SESSION.to_owned()), output: Some(path.clone()), which: Default::default() };
        assert!(export.run(&mut context).is_err());
        assert!(!path.exists());
        fake.heard();
    }
}
