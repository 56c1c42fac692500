//! `snapshot show FILE`, `snapshot verify FILE` and `snapshot restore`: done by the daemon's own code without a daemon.
//! For a restore, one that runs on the state is stopped first, and started again afterwards.

use crate::carried;
use crate::wanted::Wanted;
use cli::{Hand, PassphraseFrom, SnapshotJob};
use daemon::snapshots::home;
use daemon::snapshots::restore::{self, Chosen, RestoreError, Restored, Root, RootError, Roots};
use daemon::{Config, Lock, LockError};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use wire::places::Places;
use wire::rest::{SnapshotVerified, SnapshotView};
use wire::snapshot::{JOURNAL, Manifest};
use wire::{Code, Problem};

/// What is told of a job that was done.
struct Told {
    document: Value,
    words: String,
    remarks: Vec<String>,
}

/// Why a job came to no end.
enum Halt {
    /// Something stood in the way.
    Problem(Problem),
    /// Somebody pressed Ctrl-C, or ended the command otherwise.
    Interrupted(Problem),
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Halt {
        Halt::Problem(problem)
    }
}

/// The exit code after Ctrl-C, as a shell reports it.
const INTERRUPTED: u8 = 130;
/// How often somebody may type a passphrase.
const ATTEMPTS: u32 = 3;

/// Does a job and tells what came of it.
pub(crate) fn run(job: SnapshotJob, mut hand: Hand) -> ExitCode {
    let done = match job {
        SnapshotJob::Show { file } => {
            return match show(&hand, &file) {
                Ok(view) => hand.snapshot(&view),
                Err(problem) => hand.refused(&problem),
            };
        }
        SnapshotJob::Verify { file, passphrase } => verify(&mut hand, &file, &passphrase).map_err(Halt::from),
        SnapshotJob::Restore { what, to: Some(to), roots, passphrase, .. } => {
            elsewhere(&mut hand, &what, &to, &roots, &passphrase)
        }
        SnapshotJob::Restore { what, to: None, roots, yes, passphrase } => {
            in_place(&mut hand, &what, &roots, yes, &passphrase)
        }
        SnapshotJob::Undo { name, yes } => undo(&mut hand, name, yes),
    };
    match done {
        Ok(Some(told)) => hand.done(&told.document, &told.words, &told.remarks),
        Ok(None) => ExitCode::FAILURE,
        Err(Halt::Problem(problem)) => hand.refused(&problem),
        Err(Halt::Interrupted(problem)) => {
            hand.refused(&problem);
            ExitCode::from(INTERRUPTED)
        }
    }
}

fn show(hand: &Hand, file: &str) -> Result<SnapshotView, Problem> {
    let chosen = choose(&hand.places()?, file)?;
    let mut view = restore::look(&chosen.path)?;
    view.row.noted = chosen.expected.is_some();
    Ok(view)
}

fn verify(hand: &mut Hand, file: &str, from: &PassphraseFrom) -> Result<Option<Told>, Problem> {
    let places = hand.places()?;
    let chosen = choose(&places, file)?;
    let known = known(hand, &places, &chosen, from)?;
    let passphrase = match &known {
        Known::Opens(words) => Some(words.clone()),
        Known::Not { .. } if hand.is_interactive() => Some(typed(hand, &chosen)?),
        Known::Not { .. } | Known::NotNeeded => None,
    };
    hand.progress(&format!("reading {file}…"));
    let good = restore::verify_file(&chosen, passphrase.as_deref())?;
    let other = !good.opened && matches!(known, Known::Not { other: true });
    let good = SnapshotVerified { other_passphrase: other, ..good };
    let inside = match (good.opened, other) {
        (true, _) => "",
        (false, true) => "; not opened: it has another passphrase",
        (false, false) => "; its outside alone, without the passphrase",
    };
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
) -> Result<Option<Told>, Halt> {
    let places = hand.places()?;
    let mut chosen = choose(&places, what)?;
    chosen.roots = roots(typed_roots, &restore::look(&chosen.path)?.manifest)?;
    let passphrase = passphrase(hand, &places, &chosen, from)?;
    hand.progress(&format!("reading {}…", chosen.path.display()));
    let wanted = Wanted::listen()?;
    let done = restore::restore_to(to, &chosen, passphrase.as_deref(), &|| wanted.is_so(), &|_| {}).map_err(halt)?;
    let home = done.home.display().to_string();
    let words = format!("restored {} to {home}: {}", done.manifest.id, held(&done.manifest));
    let mut remarks = vec![format!("use it with TINKERBELL_HOME={home}")];
    let place = carried::Place { home: Some(&done.home), state_dir: &done.home.join("state"), is_new: true };
    let news = carried::news(&done.manifest, &chosen, &done.held, &place);
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
) -> Result<Option<Told>, Halt> {
    let places = hand.places()?;
    let mut chosen = choose(&places, what)?;
    let view = restore::look(&chosen.path)?;
    chosen.roots = roots(typed_roots, &view.manifest)?;
    let passphrase = passphrase(hand, &places, &chosen, from)?;
    // Before a daemon is stopped for it.
    hand.progress(&format!("reading {}…", chosen.path.display()));
    restore::verify_file(&chosen, passphrase.as_deref())?;
    let (id, made) = (view.row.id, wire::time::write(view.row.created_at));
    let question = format!("Replace the state in {} by the snapshot {id} of {made}?", places.state_dir.display());
    // Where there is no state there is nothing to lose.
    let yes = yes || !places.state_dir.join(JOURNAL).exists();
    let done = exchanged(hand, &places, &question, yes, |hand, wanted| {
        hand.progress(&format!("unpacking {}…", chosen.path.display()));
        restore::restore(&places.state_dir, &chosen, passphrase.as_deref(), &|| wanted.is_so(), &|_| {})
    })?;
    let Some((restored, started)) = done else { return Ok(None) };
    let manifest = restored.manifest.as_ref().unwrap_or(&view.manifest);
    let words = format!("restored {id} of {made}: {}", held(manifest));
    let place = carried::Place { home: None, state_dir: &places.state_dir, is_new: restored.aside.is_none() };
    let news = carried::news(manifest, &chosen, &restored.held.clone().unwrap_or_default(), &place);
    let mut told = told(&restored, words, started);
    told.remarks.extend(news.remarks);
    (told.document["missing_workspaces"], told.document["to_set"]) = (json!(news.missing), json!(news.to_set));
    Ok(Some(told))
}

fn undo(hand: &mut Hand, name: Option<String>, yes: bool) -> Result<Option<Told>, Halt> {
    let places = hand.places()?;
    let place = places.state_dir.display();
    let kept = restore::kept(&places.state_dir).map_err(problem)?;
    let Some(last) = kept.last() else { return Err(halt(RestoreError::NothingKept(places.state_dir.clone()))) };
    let name = name.unwrap_or_else(|| last.clone());
    if !kept.contains(&name) {
        let detail = format!("no replaced state is kept as {name} in {place}");
        let all = format!("these are kept, the last one at the end: {}", kept.join(", "));
        return Err(Problem::new(Code::NotFound, detail).remedy(all).into());
    }
    let question = format!("Put the state back that is kept as {name} in {place}?");
    let done = exchanged(hand, &places, &question, yes, |_, _| restore::undo(&places.state_dir, &name, &|_| {}))?;
    let Some((restored, started)) = done else { return Ok(None) };
    Ok(Some(told(&restored, format!("the replaced state is back that was kept as {name}"), started)))
}

/// Stops a daemon that runs, exchanges the state under its lock, and starts the daemon again. What comes back says also
/// whether one was started; `None` when somebody would rather not. From the question on Ctrl-C ends no process: until the
/// new state counts nothing is restored, and from then on it is done.
fn exchanged(
    hand: &mut Hand,
    places: &Places,
    question: &str,
    yes: bool,
    exchange: impl FnOnce(&mut Hand, &Wanted) -> Result<Restored, RestoreError>,
) -> Result<Option<(Restored, bool)>, Halt> {
    if !hand.confirm(question, yes)? {
        return Ok(None);
    }
    let wanted = Wanted::listen()?;
    let ran = hand.stop_daemon()?;
    let done = Lock::take(&places.state_dir, &places.lock_file()).map_err(|error| locked(error).into());
    let done = done.and_then(|lock| {
        let done = if wanted.is_so() { exchange(hand, &wanted) } else { Err(RestoreError::Stopped) };
        drop(lock);
        done.map_err(halt)
    });
    // Also when nothing was restored: what ran before runs again.
    let started = if ran { hand.start_daemon() } else { Ok(()) };
    match (done, started) {
        (Ok(done), Ok(())) => Ok(Some((done, ran))),
        (Ok(_), Err(why)) => {
            let detail = format!("the state is exchanged, and the daemon did not start: {why}");
            let remedy = "`tinkerbell snapshot restore --undo` puts the state back that was there before";
            Err(Problem::new(why.code, detail).remedy(remedy).into())
        }
        (Err(Halt::Interrupted(mut problem)), started) if ran => {
            problem.detail += &match started {
                Ok(()) => "; the daemon runs again".to_owned(),
                Err(why) => format!("; the daemon did not start again: {why}"),
            };
            Err(Halt::Interrupted(problem))
        }
        (Err(halt), _) => Err(halt),
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

/// The snapshot that somebody means.
fn choose(places: &Places, typed: &str) -> Result<Chosen, Problem> {
    restore::choose(&config(places)?, &places.state_dir, typed, &|id| restore::journal_hash(&places.state_dir, id))
}

/// The configuration, or the usual one: that it is not valid is no reason not to restore.
fn config(places: &Places) -> Result<Config, Problem> {
    let config = Config::load(&places.config_file).or_else(|_| Config::load(Path::new("/dev/null")));
    config.map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))
}

/// What is known of a snapshot's passphrase before anybody is asked.
enum Known {
    /// It has none.
    NotNeeded,
    /// This one was given, or is the one of the configuration and opens it.
    Opens(String),
    /// It is not known; whether the configuration has another one.
    Not {
        /// Whether it does.
        other: bool,
    },
}

fn known(hand: &Hand, places: &Places, chosen: &Chosen, from: &PassphraseFrom) -> Result<Known, Problem> {
    let given = hand.given_passphrase(from)?;
    if !restore::look(&chosen.path)?.row.sealed {
        return Ok(Known::NotNeeded);
    }
    if let Some(given) = given {
        return Ok(Known::Opens(given));
    }
    match restore::configured(&config(places)?, &places.state_dir) {
        Some(words) if restore::opens(chosen, &words)? => Ok(Known::Opens(words)),
        words => Ok(Known::Not { other: words.is_some() }),
    }
}

/// The passphrase of a snapshot that is to be opened, where it has one.
fn passphrase(
    hand: &mut Hand,
    places: &Places,
    chosen: &Chosen,
    from: &PassphraseFrom,
) -> Result<Option<String>, Problem> {
    match known(hand, places, chosen, from)? {
        Known::NotNeeded => Ok(None),
        Known::Opens(words) => Ok(Some(words)),
        Known::Not { .. } => typed(hand, chosen).map(Some),
    }
}

/// The passphrase as somebody types it, who may err.
fn typed(hand: &mut Hand, chosen: &Chosen) -> Result<String, Problem> {
    let of = chosen.path.display().to_string();
    for _ in 0..ATTEMPTS {
        let typed = hand.passphrase(&PassphraseFrom::default(), &of)?;
        if restore::opens(chosen, &typed)? {
            return Ok(typed);
        }
        hand.progress("that is not the passphrase that it was made with");
    }
    Err(Problem::new(Code::InvalidRequest, format!("{of} was not opened: none of them is its passphrase")))
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

fn halt(error: RestoreError) -> Halt {
    match error {
        RestoreError::Stopped => Halt::Interrupted(problem(error)),
        error => Halt::Problem(problem(error)),
    }
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
