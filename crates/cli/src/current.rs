//! Which session a command is about, and which of its paths.
//!
//! The *current session* is the newest of the workspace. The workspace is the top of the git work tree that one
//! stands in, or else the directory itself; both by their real paths. Nothing of git is run or read for this.

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use agent::SessionId;
use std::path::{Path, PathBuf};
use wire::rest::{SessionList, SessionRow, SessionView};
use wire::{Code, Problem, operation};

/// The variable that names the current session.
const SESSION_VARIABLE: &str = "TINKERBELL_SESSION";
/// The shortest part of a session's id that is looked for, in characters.
const MIN_PART_CHARS: usize = 4;
/// How many sessions are asked for at once.
const PAGE: u32 = 200;
/// The most sessions that are looked through for a part of an id.
const MAX_SEARCHED: usize = 20_000;
/// How many characters of an id's end stand for it in a hint.
const SHORT_CHARS: usize = 8;

/// Which session a command is about.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Which {
    /// The session: its id, or the beginning or end of it (at least 4 characters) [default: $TINKERBELL_SESSION]
    #[arg(short, long, value_name = "ID")]
    pub(crate) session: Option<String>,

    /// Work as if started in this directory
    #[arg(short = 'C', long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
}

/// Where a command stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The directory, by its real path.
    pub(crate) directory: PathBuf,
    /// The workspace that it lies in.
    pub(crate) workspace: PathBuf,
}

/// A session with its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Current {
    /// Its id.
    pub(crate) id: SessionId,
    workspace: PathBuf,
    directory: PathBuf,
}

impl Which {
    /// The session that somebody named.
    pub(crate) fn of(session: &str) -> Which {
        Which { session: Some(session.to_owned()), workspace: None }
    }

    /// The session that stood as an argument of its own, else the one that is meant here.
    pub(crate) fn or(self, argument: Option<String>) -> Which {
        Which { session: argument.or(self.session), ..self }
    }

    /// The directory and the workspace.
    pub(crate) fn standing(&self) -> Result<Standing, Error> {
        let directory = match &self.workspace {
            Some(named) => std::fs::canonicalize(named).map_err(|error| bad_workspace(named, &error.to_string()))?,
            None => std::env::current_dir().map_err(|error| bad_workspace(Path::new("."), &error.to_string()))?,
        };
        if !directory.is_dir() {
            return Err(bad_workspace(&directory, "it is not a directory").into());
        }
        Ok(Standing { workspace: top_level(&directory).to_owned(), directory })
    }

    /// What somebody said, on the command line or in the environment.
    pub(crate) fn named(&self) -> Option<String> {
        let variable = || std::env::var(SESSION_VARIABLE).ok();
        self.session.clone().or_else(variable).filter(|name| !name.is_empty())
    }

    /// The session that is meant, by its id alone.
    pub(crate) fn find_id(&self, client: &mut Client) -> Result<SessionId, Error> {
        match self.named().map(|name| name.parse().map_err(|_| name)) {
            Some(Ok(id)) => Ok(id),
            Some(Err(part)) => by_part(client, &part).map(|row| row.id),
            None => {
                let standing = self.standing()?;
                Ok(newest(client, &standing)?.ok_or_else(|| none(&standing))?.id)
            }
        }
    }

    /// The session that is meant, with what is needed to speak of its paths.
    pub(crate) fn find(&self, client: &mut Client) -> Result<Current, Error> {
        let standing = self.standing()?;
        let row = match self.named().map(|name| name.parse().map_err(|_| name)) {
            Some(Ok(id)) => get(client, id)?.row,
            Some(Err(part)) => by_part(client, &part)?,
            None => newest(client, &standing)?.ok_or_else(|| none(&standing))?,
        };
        Ok(Current { id: row.id, workspace: PathBuf::from(row.workspace), directory: standing.directory })
    }
}

impl Standing {
    /// The workspace as requests name it.
    pub(crate) fn workspace_name(&self) -> Result<&str, Error> {
        self.workspace.to_str().ok_or_else(|| bad_workspace(&self.workspace, "its path is not UTF-8").into())
    }
}

impl Current {
    /// Paths as somebody typed them, made relative to the session's workspace; none where one of them means all of it.
    pub(crate) fn paths(&self, typed: &[String]) -> Result<Vec<String>, Error> {
        let paths: Vec<String> = typed.iter().map(|path| self.path(path)).collect::<Result<_, _>>()?;
        Ok(if paths.iter().any(String::is_empty) { Vec::new() } else { paths })
    }

    fn path(&self, typed: &str) -> Result<String, Error> {
        // Somebody who stands outside the workspace means a path as the session names it.
        let stands_inside = self.directory.starts_with(&self.workspace);
        let base = if stands_inside { &self.directory } else { &self.workspace };
        let whole = normal(&base.join(typed));
        let inside = whole.strip_prefix(&self.workspace).map_err(|_| {
            Problem::new(
                Code::InvalidRequest,
                format!("{typed:?} is not in the workspace {}", self.workspace.display()),
            )
            .remedy("give a path below the workspace, or name the session with --session")
        })?;
        Ok(inside.to_str().expect("what was typed is UTF-8, and so is the workspace that the daemon named").to_owned())
    }
}

/// One session as the daemon sees it.
pub(crate) fn get(client: &mut Client, id: SessionId) -> Result<SessionView, Error> {
    client.call(&Request::new(&operation::SESSION_GET)?.at("session", id))?.read()
}

/// A part of an id that is easy to type, for hints.
pub(crate) fn short(id: SessionId) -> String {
    let id = id.to_string();
    id[id.len() - SHORT_CHARS..].to_owned()
}

/// The newest session of a workspace.
pub(crate) fn newest(client: &mut Client, standing: &Standing) -> Result<Option<SessionRow>, Error> {
    let request =
        Request::new(&operation::SESSION_LIST)?.query("workspace", standing.workspace_name()?).query("limit", 1);
    let list: SessionList = client.call(&request)?.read()?;
    Ok(list.sessions.into_iter().next())
}

/// The error of having no session here.
pub(crate) fn none(standing: &Standing) -> Problem {
    Problem::new(Code::NotFound, format!("there is no session in {} yet", standing.workspace.display()))
        .remedy("`tinkerbell ask …` opens one; `tinkerbell sessions ls --all` shows those of other workspaces")
}

/// The one session whose id begins or ends with `part`.
pub(crate) fn by_part(client: &mut Client, part: &str) -> Result<SessionRow, Error> {
    if part.chars().count() < MIN_PART_CHARS {
        return Err(Problem::new(
            Code::InvalidRequest,
            format!("{part:?} is too short for a session: give its id or at least {MIN_PART_CHARS} characters of it"),
        )
        .remedy("tinkerbell sessions ls --all")
        .into());
    }
    let mut found: Vec<SessionRow> = Vec::new();
    let (mut searched, mut before) = (0, None::<String>);
    loop {
        let mut request = Request::new(&operation::SESSION_LIST)?.query("limit", PAGE).query("archived", "any");
        if let Some(before) = &before {
            request = request.query("before", before);
        }
        let page: SessionList = client.call(&request)?.read()?;
        searched += page.sessions.len();
        found.extend(page.sessions.into_iter().filter(|row| matches(&row.id.to_string(), part)));
        match page.next {
            Some(next) if searched < MAX_SEARCHED && before.as_ref() != Some(&next) => before = Some(next),
            _ => return single(found, part).map_err(Error::from),
        }
    }
}

fn matches(id: &str, part: &str) -> bool {
    let part = part.to_lowercase();
    let bare = id.strip_prefix("ses_").unwrap_or(id);
    id.starts_with(&part) || bare.starts_with(&part) || bare.ends_with(&part)
}

fn single(mut found: Vec<SessionRow>, part: &str) -> Result<SessionRow, Problem> {
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Problem::new(Code::NotFound, format!("no session's id begins or ends with {part:?}"))
            .remedy("tinkerbell sessions ls --all")),
        several => {
            let ids: Vec<String> = found.iter().take(5).map(|row| row.id.to_string()).collect();
            Err(Problem::new(Code::InvalidRequest, format!("{several} sessions match {part:?}: {}", ids.join(", ")))
                .remedy("give more characters; the last ones differ most"))
        }
    }
}

/// The top of the git work tree around a directory, or the directory itself.
fn top_level(directory: &Path) -> &Path {
    let is_top = |dir: &&Path| dir.join(".git").symlink_metadata().is_ok();
    directory.ancestors().find(is_top).unwrap_or(directory)
}

/// The path without `.` and `..`, by its words alone, as the session's own paths are.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

fn bad_workspace(path: &Path, why: &str) -> Problem {
    Problem::new(Code::BadWorkspace, format!("the directory {} cannot be used: {why}", path.display()))
        .remedy("go to a directory that you can read, or name one with --workspace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_the_top_of_the_work_tree_or_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("a/b")).unwrap();
        let which = |at: &str| Which { session: None, workspace: Some(real.join(at)) };
        assert_eq!(which("a/b").standing().unwrap().workspace, real.join("a/b"));
        std::fs::write(real.join("a/.git"), "gitdir: elsewhere").unwrap();
        let standing = which("a/b").standing().unwrap();
        assert_eq!((standing.workspace, standing.directory), (real.join("a"), real.join("a/b")));
        std::os::unix::fs::symlink(real.join("a"), real.join("link")).unwrap();
        assert_eq!(which("link").standing().unwrap().workspace, real.join("a"), "real paths count");
        let Err(Error::Problem(problem)) = which("nothing").standing() else { panic!("no error") };
        assert_eq!(problem.code, Code::BadWorkspace);
    }

    #[test]
    fn typed_paths_are_relative_to_where_one_stands() {
        let id = SessionId::from_parts(1, 2);
        let at = |directory: &str| Current { id, workspace: "/w".into(), directory: directory.into() };
        let path = |directory: &str, typed: &str| at(directory).path(typed).ok();
        assert_eq!(path("/w/src", "a.rs").as_deref(), Some("src/a.rs"));
        assert_eq!(path("/w/src", "../b/./c").as_deref(), Some("b/c"));
        assert_eq!(path("/w/src", "/w/x").as_deref(), Some("x"));
        assert_eq!(path("/elsewhere", "src/a.rs").as_deref(), Some("src/a.rs"));
        assert_eq!(path("/w", ".").as_deref(), Some(""));
        assert_eq!(path("/w", "../x"), None);
        assert_eq!(at("/w/src").paths(&["a".into(), "..".into()]).unwrap(), Vec::<String>::new(), "all of it");
    }

    #[test]
    fn a_part_of_an_id_must_say_which() {
        let id = SessionId::from_parts(1_764_000_000_000, 7).to_string();
        assert!(matches(&id, "ses_01ka") && matches(&id, "01KA") && matches(&id, "0007"));
        assert!(!matches(&id, "0008"));
        assert_eq!(single(Vec::new(), "0007").unwrap_err().code, Code::NotFound);
    }
}
