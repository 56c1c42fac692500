//! `accept`: writes the canvas into the user's files, or takes that back.

use crate::choose::{self, Chosen};
use crate::client::Client;
use crate::current::{Current, Which};
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, HEAD, NAME, NOTE, Screen};
use crate::words;
use agent::AcceptOutcome;
use anstyle::Style;
use wire::rest::{AcceptRequest, Accepted, CanvasView, HunkChoice, Selection};
use wire::{Code, Problem, RelPath, operation};

/// How many characters of a commit's id are shown.
const COMMIT_CHARS: usize = 10;
/// What programs are told where nothing was chosen, so that nothing was asked of the daemon.
const NOTHING: &[u8] = br#"{"outcome":"nothing"}"#;

/// Writes what the session changed into your files: all, some paths, or chosen hunks
///
/// Each file is exchanged whole, and only if it is still what the session saw; if one is not, none is changed. With
/// --commit the accepted paths, and nothing else, become a commit as `git commit --only` makes it, your hooks included.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell accept
  tinkerbell accept src README.md
  tinkerbell accept -p
  tinkerbell accept --commit \"parser: accept empty input\"
  tinkerbell accept --overwrite src/main.rs
  tinkerbell accept --undo")]
pub(crate) struct Accept {
    /// Only these paths and what lies below them
    #[arg(value_name = "PATH", conflicts_with = "undo")]
    paths: Vec<String>,

    /// Choose hunk by hunk, with single keys as in `git add -p`
    #[arg(short, long, conflicts_with = "undo")]
    patch: bool,

    /// Make a commit of what is accepted
    #[arg(long, value_name = "MESSAGE", conflicts_with = "undo")]
    commit: Option<String>,

    /// Where you changed a file too and that does not merge, take the session's version
    #[arg(long, conflicts_with_all = ["undo", "patch"])]
    overwrite: bool,

    /// Take the last accept back
    #[arg(long)]
    undo: bool,

    #[command(flatten)]
    which: Which,
}

/// Which way files went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the canvas into the work tree.
    Forth,
    /// An accept was taken back.
    Back,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) way: Way,
    /// Whether a commit was.
    pub(crate) commit: bool,
}

/// How what can be done next is named to whoever asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hints<'a> {
    /// How commands name the session, such as ` -s 0a1b2c3d`.
    pub(crate) which: &'a str,
    /// Whether it is typed after a slash.
    pub(crate) in_chat: bool,
}

impl Hints<'_> {
    /// A command with what it is given, which begins with a blank.
    fn command(self, name: &str, given: &str) -> String {
        if self.in_chat { format!("/{name}{given}") } else { format!("tinkerbell {name}{}{given}", self.which) }
    }

    fn undo(self) -> String {
        if self.in_chat { "/undo".to_owned() } else { self.command("accept", " --undo") }
    }
}

impl Accept {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        if self.commit.as_ref().is_some_and(|message| message.trim().is_empty()) {
            return Err(Problem::new(Code::InvalidRequest, "the message of the commit is empty, so nothing was done")
                .remedy("say what changed and why: tinkerbell accept --commit \"…\"")
                .into());
        }
        let mut client = context.client(Starting::IfNeeded)?;
        let (request, way) = if self.undo {
            let session = self.which.find_id(&mut client)?;
            (Request::new(&operation::CANVAS_UNDO)?.at("session", session), Way::Back)
        } else {
            let current = self.which.find(&mut client)?;
            let paths = current.paths(&self.paths)?;
            if self.overwrite {
                keep(&mut client, &current, &paths)?;
            }
            let hunks = match self.choose(context, &mut client, &current, &paths)? {
                Choice::All => None,
                Choice::Hunks(hunks) => Some(hunks),
                Choice::Nothing(exit) => return Ok(exit),
            };
            let paths = Some(paths).filter(|paths| hunks.is_none() && !paths.is_empty());
            let body = AcceptRequest { paths, hunks, commit: self.commit.clone() };
            (Request::new(&operation::CANVAS_ACCEPT)?.at("session", current.id).json(&body), Way::Forth)
        };
        client.wait_for_canvas();
        let answer = client.call(&request)?;
        let json = context.globals.json;
        if json {
            context.print_json(&answer.body)?;
        }
        let which = self.which.session.as_ref().map(|name| format!(" -s {name}")).unwrap_or_default();
        let asked = Asked { way, commit: self.commit.is_some() };
        let accepted: Accepted = answer.read()?;
        context.accepted = Some(accepted.seq);
        let hints = Hints { which: &which, in_chat: context.in_chat };
        tell(&mut context.screen, &accepted, asked, hints, json)
    }

    fn choose(
        &self,
        context: &mut Context,
        client: &mut Client,
        current: &Current,
        paths: &[String],
    ) -> Result<Choice, Error> {
        if !self.patch {
            return Ok(Choice::All);
        }
        let watched = context.in_chat;
        let screen = &mut context.screen;
        let (words, exit) = match choose::choose(client, screen, current.id, paths, watched)? {
            Chosen::Hunks(hunks) => return Ok(Choice::Hunks(hunks)),
            Chosen::Nothing => ("nothing was chosen, so nothing was done", Exit::GOOD),
            Chosen::NoChange => ("nothing is on the canvas that is not in your files", Exit::GOOD),
            Chosen::Aborted => ("nothing was done", Exit::CANCELLED),
        };
        if context.globals.json {
            context.print_json(NOTHING)?;
        } else {
            screen.remark(FAINT, words)?;
        }
        Ok(Choice::Nothing(exit))
    }
}

/// What is to be accepted.
enum Choice {
    /// The paths as they are.
    All,
    /// Some hunks.
    Hunks(HunkChoice),
    /// Nothing; the command ends like this.
    Nothing(Exit),
}

/// Settles the conflicts within these paths, or all of them, for the session.
fn keep(client: &mut Client, current: &Current, paths: &[String]) -> Result<(), Error> {
    let canvas: CanvasView = client.call(&Request::new(&operation::CANVAS_GET)?.at("session", current.id))?.read()?;
    let is_meant = |path: &RelPath| paths.is_empty() || paths.iter().any(|above| is_below(path.as_str(), above));
    let conflicts: Vec<String> =
        canvas.conflicts.iter().filter(|path| is_meant(path)).map(ToString::to_string).collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    let selection = Selection { paths: Some(conflicts) };
    client.call(&Request::new(&operation::CANVAS_KEEP)?.at("session", current.id).json(&selection))?;
    Ok(())
}

/// Whether a path is another one or lies below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Tells how an accept ended; what went wrong is an error with its way out.
pub(crate) fn tell(
    screen: &mut Screen,
    accepted: &Accepted,
    asked: Asked,
    hints: Hints<'_>,
    json: bool,
) -> Result<Exit, Error> {
    match accepted.outcome {
        AcceptOutcome::Done => {
            if !json {
                tell_done(screen, accepted, asked.way, hints)?;
            }
            match (&accepted.commit, &accepted.message) {
                (None, Some(_)) if asked.commit && json => Ok(Exit::BAD),
                (None, Some(why)) if asked.commit => not_committed(screen, why, hints),
                (_, Some(note)) if !json => {
                    screen.remark(NOTE, &format!("note: {}", plain::strip(note)))?;
                    Ok(Exit::GOOD)
                }
                _ => Ok(Exit::GOOD),
            }
        }
        AcceptOutcome::Conflict => Err(conflict(accepted, hints).into()),
        AcceptOutcome::Failed => {
            let why = accepted.message.as_deref().unwrap_or("no reason was given");
            let detail = format!("nothing was accepted, every file is as it was: {why}");
            screen.end_lines()?;
            screen.remark(BAD, &format!("error: {}", plain::strip(&detail)))?;
            Ok(Exit::BAD)
        }
    }
}

fn tell_done(screen: &mut Screen, accepted: &Accepted, way: Way, hints: Hints<'_>) -> Result<(), Error> {
    screen.end_lines()?;
    let heading = match way {
        Way::Forth => "Written to your files:",
        Way::Back => "Taken back from your files:",
    };
    let heading = screen.out().paint(HEAD, heading);
    screen.out().line(&heading)?;
    words::diffstat(screen.out(), &accepted.files)?;
    if let Some(commit) = &accepted.commit {
        let id: String = plain::name(&commit.id).chars().take(COMMIT_CHARS).collect();
        let place = match &commit.branch {
            Some(branch) => format!("on {}", plain::name(branch)),
            None => "on no branch: HEAD is detached".to_owned(),
        };
        let id = screen.out().paint(NAME, &id);
        screen.out().line(&format!("Committed as {id} {place}"))?;
    }
    let next = match way {
        Way::Forth => format!("next: {} takes it back", hints.undo()),
        Way::Back => format!("next: {}; the changes are on the canvas again", hints.command("diff", "")),
    };
    screen.remark(FAINT, &next)
}

/// The files are written and the commit was not made: both are said, with the words of what refused it.
fn not_committed(screen: &mut Screen, why: &str, hints: Hints<'_>) -> Result<Exit, Error> {
    screen.end_lines()?;
    screen.remark(BAD, "error: accepted, but not committed:")?;
    for line in plain::strip(why).lines() {
        screen.remark(Style::new(), &format!("  {line}"))?;
    }
    let remedy = format!("  try: mend that and commit with git, or take the files back with `{}`", hints.undo());
    screen.remark(Style::new(), &remedy)?;
    Ok(Exit::BAD)
}

fn conflict(accepted: &Accepted, hints: Hints<'_>) -> Problem {
    let path = accepted.path.as_ref().map_or_else(|| "a file".to_owned(), |path| path.to_string());
    let why = accepted.message.as_deref().unwrap_or("it is not what the session saw");
    let detail = format!("{path} stands in the way: {why}. Nothing was accepted, every file is as it was");
    Problem::new(Code::Conflict, detail).remedy(format!(
        "look with `{}`; `{}` takes the session's version, `{}` keeps yours",
        hints.command("diff", " --stat"),
        hints.command("accept", &format!(" --overwrite {path}")),
        hints.command("reject", &format!(" {path}"))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;
    use crate::testing::{SESSION, daemon, run, session_view};
    use wire::rest::CommitView;

    const HERE: Hints<'static> = Hints { which: "", in_chat: false };
    const ASKED: Asked = Asked { way: Way::Forth, commit: true };

    fn accepted(outcome: AcceptOutcome) -> Accepted {
        Accepted { outcome, seq: agent::Seq(9), files: Vec::new(), commit: None, message: None, path: None }
    }

    fn done() -> String {
        serde_json::to_string(&accepted(AcceptOutcome::Done)).unwrap()
    }

    #[test]
    fn a_conflict_names_the_file_and_the_ways_out() {
        let path = Some(RelPath::new("src/a.rs").unwrap());
        let accepted =
            Accepted { message: Some("it was changed meanwhile".into()), path, ..accepted(AcceptOutcome::Conflict) };
        let (mut screen, _, _) = testing::screen(false);
        let Err(Error::Problem(problem)) = tell(&mut screen, &accepted, ASKED, HERE, false) else { panic!() };
        assert_eq!(problem.code, Code::Conflict);
        assert!(problem.detail.contains("src/a.rs stands in the way: it was changed meanwhile"), "{problem}");
        let remedy = problem.remedy.unwrap();
        assert!(remedy.contains("tinkerbell accept --overwrite src/a.rs"), "{remedy}");
        assert!(remedy.contains("tinkerbell reject src/a.rs"), "{remedy}");
    }

    #[test]
    fn what_was_written_is_told_with_how_to_take_it_back() {
        let commit = Some(CommitView { id: "0123456789abcdef".into(), branch: Some("main".into()) });
        let accepted = Accepted { commit, ..accepted(AcceptOutcome::Done) };
        let (mut screen, out, aside) = testing::screen(false);
        tell(&mut screen, &accepted, ASKED, Hints { which: " -s 00ab", ..HERE }, false).unwrap();
        assert!(out.text().starts_with("Written to your files:\n"), "{}", out.text());
        assert!(out.text().ends_with("Committed as 0123456789 on main\n"), "{}", out.text());
        assert_eq!(aside.text(), "next: tinkerbell accept -s 00ab --undo takes it back\n");
    }

    #[test]
    fn in_a_conversation_it_is_taken_back_with_a_slash() {
        let hints = Hints { which: " -s 00ab", in_chat: true };
        let (mut screen, _, aside) = testing::screen(false);
        tell(&mut screen, &accepted(AcceptOutcome::Done), ASKED, hints, false).unwrap();
        tell(&mut screen, &accepted(AcceptOutcome::Done), Asked { way: Way::Back, ..ASKED }, hints, false).unwrap();
        assert_eq!(aside.text(), "next: /undo takes it back\nnext: /diff; the changes are on the canvas again\n");
        let remedy = conflict(&accepted(AcceptOutcome::Conflict), hints).remedy.unwrap();
        assert!(remedy.contains("`/reject a file`") && !remedy.contains("tinkerbell"), "{remedy}");
    }

    #[test]
    fn a_note_is_no_refusal() {
        let message = Some("a temporary file x was left beside a".to_owned());
        let accepted = Accepted { message, ..accepted(AcceptOutcome::Done) };
        let (mut screen, _, aside) = testing::screen(false);
        let asked = Asked { commit: false, ..ASKED };
        assert_eq!(tell(&mut screen, &accepted, asked, HERE, false).unwrap(), Exit::GOOD);
        assert!(aside.text().ends_with("note: a temporary file x was left beside a\n"), "{}", aside.text());
        let (mut screen, _, aside) = testing::screen(false);
        let commit = Some(CommitView { id: "0123456789abcdef".into(), branch: None });
        let message = Some("a hook added to the commit: b".to_owned());
        tell(&mut screen, &Accepted { commit, message, ..accepted }, ASKED, HERE, false).unwrap();
        assert!(aside.text().ends_with("note: a hook added to the commit: b\n"), "{}", aside.text());
    }

    #[test]
    fn a_hooks_refusal_is_in_its_own_words_and_the_files_are_accepted() {
        let message = Some("the hook pre-commit refused:\n\u{1b}[31mno tests\nin src".into());
        let accepted = Accepted { message, ..accepted(AcceptOutcome::Done) };
        let (mut screen, out, aside) = testing::screen(false);
        assert_eq!(tell(&mut screen, &accepted, ASKED, HERE, false).unwrap(), Exit::BAD);
        assert!(out.text().starts_with("Written to your files:\n"), "{}", out.text());
        let refusal = "error: accepted, but not committed:\n  the hook pre-commit refused:\n  no tests\n  in src\n";
        assert!(aside.text().contains(refusal), "{}", aside.text());
    }

    #[test]
    fn a_message_goes_with_the_paths() {
        let typed = ["accept", "-s", SESSION, "-C", "/", "src", "--commit", "why"];
        let got = run(daemon(&[&session_view("a", "idle"), &done()]), &typed);
        assert_eq!(got.exit, Some(Exit::GOOD), "{:?}", got.problem);
        assert!(got.heard[1].ends_with("{\"paths\":[\"src\"],\"commit\":\"why\"}"), "{:?}", got.heard);
        let empty = run(daemon(&[]), &["accept", "--commit", " "]);
        assert_eq!(empty.problem.unwrap().code, Code::InvalidRequest);
    }

    #[test]
    fn only_conflicts_within_the_paths_are_settled() {
        let canvas = r#"{"files":[],"conflicts":["src/a","src2/b","c"],"step":4,"undoable":false,"redoable":false}"#;
        let moved = format!("{{\"seq\":10,\"canvas\":{canvas}}}");
        let typed = ["accept", "-s", SESSION, "-C", "/", "--overwrite", "/w/src", "/w/c"];
        let got = run(daemon(&[&session_view("a", "idle"), canvas, &moved, &done()]), &typed);
        assert_eq!(got.exit, Some(Exit::GOOD), "{:?}", got.problem);
        assert!(got.heard[2].contains("/canvas/keep ") && got.heard[2].ends_with("{\"paths\":[\"src/a\",\"c\"]}"));
        assert!(got.heard[3].ends_with("{\"paths\":[\"src\",\"c\"]}"), "{:?}", got.heard);
    }

    #[test]
    fn without_changes_there_is_nothing_to_choose() {
        let got = run(
            daemon(&[&session_view("a", "idle"), "{\"context_lines\":3,\"files\":[]}"]),
            &["accept", "-p", "-s", SESSION, "-C", "/"],
        );
        assert_eq!((got.exit, got.heard.len()), (Some(Exit::GOOD), 2), "and nothing is accepted");
        let got = run(
            daemon(&[&session_view("a", "idle"), "{\"context_lines\":3,\"files\":[]}"]),
            &["accept", "-p", "-s", SESSION, "-C", "/", "--json"],
        );
        assert_eq!((got.out.as_str(), got.aside.as_str()), ("{\"outcome\":\"nothing\"}\n", ""));
    }
}
