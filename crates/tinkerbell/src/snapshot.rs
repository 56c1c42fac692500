//! `snapshot show FILE`, `snapshot verify FILE` and `snapshot restore`: done by the daemon's own code without a daemon.
//! For a restore, one that runs on the state is stopped first, and started again afterwards.

use crate::carried;
use cli::{Hand, PassphraseFrom, SnapshotJob};
use daemon::snapshots::home;
use daemon::snapshots::restore::{self, Chosen, RestoreError, Restored, Root, RootError, Roots};
use daemon::{Config, Lock, LockError};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wire::places::Places;
use wire::rest::SnapshotView;
use wire::snapshot::Manifest;
use wire::{Code, Problem};

/// What is told of a job that was done.
struct Told {
    document: Value,
    words: String,
    remarks: Vec<String>,
}

/// Does a job and tells what came of it.
pub(crate) fn run(job: SnapshotJob, mut hand: Hand) -> ExitCode {
    let done = match job {
        SnapshotJob::Show { file } => {
            return match show(&hand, &file) {
                Ok(view) => hand.snapshot(&view),
                Err(problem) => hand.refused(&problem),
            };
        }
        SnapshotJob::Verify { file, passphrase } => verify(&mut hand, &file, &passphrase),
        SnapshotJob::Restore { what, to: Some(to), roots, passphrase, .. } => {
            elsewhere(&mut hand, &what, &to, &roots, &passphrase)
        }
        SnapshotJob::Restore { what, to: None, roots, yes, passphrase } => {
            in_place(&mut hand, &what, &roots, yes, &passphrase)
        }
        SnapshotJob::Undo { yes } => undo(&mut hand, yes),
    };
    match done {
        Ok(Some(told)) => hand.done(&told.document, &told.words, &told.remarks),
        Ok(None) => ExitCode::FAILURE,
        Err(problem) => hand.refused(&problem),
    }
}

fn show(hand: &Hand, file: &str) -> Result<SnapshotView, Problem> {
    let chosen = choose(&hand.places()?, file)?;
    let mut view = restore::look(&chosen.path)?;
    view.row.noted = chosen.expected.is_some();
    Ok(view)
}

fn verify(hand: &mut Hand, file: &str, from: &PassphraseFrom) -> Result<Option<Told>, Problem> {
    let chosen = choose(&hand.places()?, file)?;
    let sealed = restore::look(&chosen.path)?.row.sealed;
    let passphrase = match sealed && hand.is_interactive() {
        true => Some(hand.passphrase(from, file)?),
        false => hand.given_passphrase(from)?.filter(|_| sealed),
    };
    hand.progress(&format!("reading {file}…"));
    let good = restore::verify_file(&chosen, passphrase.as_deref())?;
    let inside = if good.opened { "" } else { "; its outside alone, without the passphrase" };
    let noted = if good.noted { ", as the journal says" } else { "" };
    let words = format!("good  {}  {} bytes  {}{noted}{inside}", good.id, good.bytes, good.sha256);
    Ok(Some(Told { document: json!(good), words, remarks: Vec::new() }))
}

fn elsewhere(
    hand: &mut Hand,
    what: &str,
    to: &Path,
    typed_roots: &[String],
    from: &PassphraseFrom,
) -> Result<Option<Told>, Problem> {
    let mut chosen = choose(&hand.places()?, what)?;
    chosen.roots = roots(typed_roots, &restore::look(&chosen.path)?.manifest)?;
    let passphrase = passphrase(hand, &chosen, from)?;
    hand.progress(&format!("reading {}…", chosen.path.display()));
    let done = restore::restore_to(to, &chosen, passphrase.as_deref(), &|_| {}).map_err(problem)?;
    let home = done.home.display().to_string();
    let words = format!("restored {} to {home}: {}", done.manifest.id, held(&done.manifest));
    let mut remarks = vec![format!("use it with TINKERBELL_HOME={home}")];
    let news = carried::news(&done.manifest, &chosen, Some(&done.home), &done.home.join("state"));
    remarks.extend(news.remarks);
    let document = json!({
        "home": home, "manifest": done.manifest, "missing_workspaces": news.missing, "to_set": news.to_set,
    });
    Ok(Some(Told { document, words, remarks }))
}

fn in_place(
    hand: &mut Hand,
    what: &str,
    typed_roots: &[String],
    yes: bool,
    from: &PassphraseFrom,
) -> Result<Option<Told>, Problem> {
    let places = hand.places()?;
    let mut chosen = choose(&places, what)?;
    let view = restore::look(&chosen.path)?;
    chosen.roots = roots(typed_roots, &view.manifest)?;
    let passphrase = passphrase(hand, &chosen, from)?;
    // Before a daemon is stopped for it.
    hand.progress(&format!("reading {}…", chosen.path.display()));
    restore::verify_file(&chosen, passphrase.as_deref())?;
    let (id, made) = (view.row.id, wire::time::write(view.row.created_at));
    let question = format!("Replace the state in {} by the snapshot {id} of {made}?", places.state_dir.display());
    let done = exchanged(hand, &places, &question, yes, |hand| {
        hand.progress(&format!("unpacking {}…", chosen.path.display()));
        restore::restore(&places.state_dir, &chosen, passphrase.as_deref(), &|_| {})
    })?;
    let Some((restored, started)) = done else { return Ok(None) };
    let manifest = restored.manifest.as_ref().unwrap_or(&view.manifest);
    let words = format!("restored {id} of {made}: {}", held(manifest));
    let news = carried::news(manifest, &chosen, None, &places.state_dir);
    let mut told = told(&restored, words, started);
    told.remarks.extend(news.remarks);
    (told.document["missing_workspaces"], told.document["to_set"]) = (json!(news.missing), json!(news.to_set));
    Ok(Some(told))
}

fn undo(hand: &mut Hand, yes: bool) -> Result<Option<Told>, Problem> {
    let places = hand.places()?;
    let question = format!("Put the state back that the last restore in {} replaced?", places.state_dir.display());
    let done = exchanged(hand, &places, &question, yes, |_| restore::undo(&places.state_dir, &|_| {}))?;
    let Some((restored, started)) = done else { return Ok(None) };
    Ok(Some(told(&restored, "the replaced state is back".to_owned(), started)))
}

/// Stops a daemon that runs, exchanges the state under its lock, and starts the daemon again. What comes back says also
/// whether one was started; `None` when somebody would rather not.
fn exchanged(
    hand: &mut Hand,
    places: &Places,
    question: &str,
    yes: bool,
    exchange: impl FnOnce(&mut Hand) -> Result<Restored, RestoreError>,
) -> Result<Option<(Restored, bool)>, Problem> {
    if !hand.confirm(question, yes)? {
        return Ok(None);
    }
    let ran = hand.stop_daemon()?;
    let done = Lock::take(&places.state_dir, &places.lock_file()).map_err(locked).and_then(|lock| {
        let done = exchange(hand).map_err(problem);
        drop(lock);
        done
    });
    // Also when nothing was restored: what ran before runs again.
    let started = if ran { hand.start_daemon() } else { Ok(()) };
    let done = done?;
    match started {
        Ok(()) => Ok(Some((done, ran))),
        Err(why) => Err(Problem::new(why.code, format!("the state is exchanged, and the daemon did not start: {why}"))
            .remedy("`tinkerbell snapshot restore --undo` puts the state back that was there before")),
    }
}

fn told(restored: &Restored, words: String, started: bool) -> Told {
    let mut remarks = Vec::new();
    match &restored.aside {
        Some(aside) => remarks.push(format!(
            "what was there is kept in {}; `tinkerbell snapshot restore --undo` puts it back",
            aside.display()
        )),
        None => remarks.push("there was no state before".to_owned()),
    }
    remarks.extend(restored.dropped.iter().map(|path| format!("removed the oldest that was kept, {}", path.display())));
    if started {
        remarks.push("the daemon runs again".to_owned());
    }
    let document = json!({
        "manifest": restored.manifest, "aside": restored.aside, "dropped": restored.dropped, "daemon_started": started,
    });
    Told { document, words, remarks }
}

/// The snapshot that somebody means. A configuration that is not valid is no reason not to restore: then it is looked for
/// where snapshots usually lie.
fn choose(places: &Places, typed: &str) -> Result<Chosen, Problem> {
    let nothing = PathBuf::from("/dev/null");
    let config = Config::load(&places.config_file).or_else(|_| Config::load(&nothing));
    let config = config.map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))?;
    restore::choose(&config, &places.state_dir, typed, &|id| restore::journal_hash(&places.state_dir, id))
}

/// The passphrase, where the snapshot has one.
fn passphrase(hand: &mut Hand, chosen: &Chosen, from: &PassphraseFrom) -> Result<Option<String>, Problem> {
    match restore::look(&chosen.path)?.row.sealed {
        true => hand.passphrase(from, &chosen.path.display().to_string()).map(Some),
        false => Ok(None),
    }
}

fn held(manifest: &Manifest) -> String {
    match manifest.sessions {
        1 => "1 session".to_owned(),
        several => format!("{several} sessions"),
    }
}

/// Where sessions work here: as it was typed, and what follows from another home directory.
fn roots(typed: &[String], manifest: &Manifest) -> Result<Roots, Problem> {
    let wrong = |error: RootError| Problem::new(Code::InvalidRequest, format!("{error}; nothing was touched"));
    let named = typed.iter().map(|typed| Root::parse(typed)).collect::<Result<_, _>>().map_err(wrong)?;
    let old = manifest.portable.as_ref().and_then(|portable| portable.home.as_deref());
    Roots::new(named, old, home().as_deref()).map_err(wrong)
}

fn locked(error: LockError) -> Problem {
    Problem::new(Code::Conflict, error.to_string())
}

fn problem(error: RestoreError) -> Problem {
    let code = match &error {
        RestoreError::Occupied(_) => Code::InvalidRequest,
        RestoreError::NothingKept(_) => Code::NotFound,
        RestoreError::Io { error, .. } if error.kind() == std::io::ErrorKind::StorageFull => Code::StorageFull,
        _ => Code::Conflict,
    };
    let problem = Problem::new(code, error.to_string());
    match error {
        RestoreError::Snapshot { .. } => {
            problem.remedy("nothing was touched; `tinkerbell snapshot verify --all` finds those that are good")
        }
        _ => problem,
    }
}
