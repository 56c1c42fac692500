//! What is hurt: each durable operation once, with what makes it ready, how it is asked for, and how it is seen to be
//! done. A new operation is one more entry.

use crate::archives::{archive, archived, in_one_place, kept_in_journal, put_away, removed_with_file, unarchive};
use crate::scene::{Came, Scene};
use crate::{carried, standing, states};
use serde_json::{Value, json};

/// An operation that leaves something on the disk.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// Whether it works in a repository of the user's.
    pub(crate) repository: bool,
    /// Whether the daemon does it, and not the command line.
    pub(crate) by_daemon: bool,
    /// Whether several processes do it, of which each may die alone.
    pub(crate) by_several: bool,
    /// Makes what it needs, with nothing hurt.
    pub(crate) prepare: fn(&mut Scene),
    /// Asks for it, under an idempotency key where it takes one.
    pub(crate) act: fn(&mut Scene, &str) -> Came,
    /// Whether it is done, wholly; it is given what was answered. Asked again until it is so.
    pub(crate) done: fn(&Scene, &Value) -> Result<(), String>,
    /// What must be so at any time between, before anything is healed.
    pub(crate) between: fn(&Scene) -> Result<(), String>,
    /// What must be so once all is well again, before it is asked for again: all of it is done, or nothing.
    pub(crate) healed: fn(&Scene) -> Result<(), String>,
}

/// All of them.
pub(crate) const OPERATIONS: &[Operation] = &[
    Operation { name: "a turn", act: turn, done: turn_done, ..NOTHING },
    Operation { name: "a session with its prompt", act: create, done: created, ..NOTHING },
    Operation { name: "accept", prepare: edited, act: accept, done: accepted, between: whole, ..NOTHING },
    Operation { name: "undo", prepare: taken, act: undo, done: undone, between: whole, ..NOTHING },
    Operation {
        name: "accept --commit",
        repository: true,
        prepare: edited_beside_the_users,
        act: commit,
        done: committed,
        between: whole,
        ..NOTHING
    },
    Operation { name: "the picture and its log", prepare: edited, act: log, done: logged, ..NOTHING },
    Operation {
        name: "the picture, drawn anew after a kill",
        prepare: drawn_before_a_kill,
        act: log,
        done: logged,
        ..NOTHING
    },
    Operation { name: "reject", prepare: edited, act: reject, done: rejected, ..NOTHING },
    Operation { name: "fork", prepare: edited, act: fork, done: forked, ..NOTHING },
    Operation { name: "remove", prepare: edited, act: remove, done: removed, ..NOTHING },
    Operation { name: "archive", prepare: edited, act: archive, done: archived, healed: in_one_place, ..NOTHING },
    Operation {
        name: "unarchive",
        prepare: put_away,
        act: unarchive,
        done: kept_in_journal,
        healed: in_one_place,
        ..NOTHING
    },
    Operation {
        name: "remove an archived session",
        prepare: put_away,
        act: remove,
        done: removed_with_file,
        ..NOTHING
    },
    Operation { name: "a title", act: title, done: titled, ..NOTHING },
    Operation { name: "keys set", act: set_key, done: key_is_set, ..NOTHING },
    Operation {
        name: "config set",
        by_daemon: false,
        prepare: configured,
        act: set_value,
        done: value_is_set,
        between: valid,
        ..NOTHING
    },
    Operation { name: "a stop in good order", prepare: edited, act: stop, done: kept, ..NOTHING },
    Operation { name: "a start", prepare: stopped, act: start, done: kept, ..NOTHING },
    Operation { name: "a start after a kill", prepare: killed, act: start, done: kept, ..NOTHING },
    Operation {
        name: "config reload",
        prepare: standing::configured,
        act: standing::reload,
        done: standing::is_in_force,
        between: standing::whole,
        healed: standing::one_of_both,
        ..NOTHING
    },
    Operation {
        name: "schedule add",
        act: standing::add,
        done: standing::is_added,
        healed: standing::one_at_most,
        ..NOTHING
    },
    Operation {
        name: "schedule rm",
        prepare: standing::added,
        act: standing::remove,
        done: standing::is_removed,
        healed: standing::one_at_most,
        ..NOTHING
    },
    Operation {
        name: "daemon upgrade",
        by_daemon: false,
        by_several: true,
        prepare: standing::drawn,
        act: standing::upgrade,
        done: kept,
        healed: standing::serves,
        ..NOTHING
    },
    Operation {
        name: "snapshot create",
        prepare: edited,
        act: states::create,
        done: states::is_good,
        healed: states::all_are_good,
        ..NOTHING
    },
    Operation {
        name: "snapshot create, encrypted, elsewhere",
        prepare: states::stick,
        act: states::create_elsewhere,
        done: states::is_elsewhere,
        between: states::nothing_in_clear,
        healed: states::no_beginning,
        ..NOTHING
    },
    Operation {
        name: "snapshot restore",
        by_daemon: false,
        prepare: states::changed_since,
        act: states::restore,
        done: states::is_back,
        between: states::one_is_there,
        healed: states::one_of_both,
        ..NOTHING
    },
    Operation { name: "daemon gc", prepare: states::littered, act: states::tidy, done: states::is_tidy, ..NOTHING },
    Operation {
        name: "sessions import",
        prepare: carried::written_out,
        act: carried::import,
        done: carried::is_in,
        healed: carried::whole_or_not_there,
        ..NOTHING
    },
    Operation {
        name: "sessions redact",
        prepare: carried::said,
        act: carried::redact,
        done: carried::is_forgotten,
        healed: carried::all_or_nothing,
        ..NOTHING
    },
];

const NOTHING: Operation = Operation {
    name: "nothing",
    repository: false,
    by_daemon: true,
    by_several: false,
    prepare: |_| {},
    act: |_, _| Came::Done(Value::Null),
    done: |_, _| Ok(()),
    between: |_| Ok(()),
    healed: |_| Ok(()),
};

/// What is asked for, and what must come of it.
const FILES: [(&str, &str); 2] = [("one.txt", "eins\n"), ("two.txt", "zwei\n")];
const WRITING: &str =
    "Create a file one.txt that contains the word eins. Create a file two.txt that contains the word zwei.";

fn turn(scene: &mut Scene, key: &str) -> Came {
    scene.ask(WRITING, key)
}

fn turn_done(scene: &Scene, answer: &Value) -> Result<(), String> {
    let events = scene.journal();
    let accepted = answer["seq"].as_u64().and_then(|seq| events.get(seq as usize - 1));
    if accepted.is_none_or(|event| event["turn"] != answer["turn"]) {
        return Err(format!("the prompt that was acknowledged with {answer} is not there: {accepted:?}"));
    }
    let prompts = events.iter().filter(|event| event["kind"] == "prompt.accepted").count();
    if prompts != 1 {
        return Err(format!("one prompt under one key was taken {prompts} times"));
    }
    let end = events.iter().find(|event| event["kind"] == "turn.finished" && event["turn"] == answer["turn"]);
    match end {
        Some(end) if end["outcome"] == "done" && scene.view()["pending"] == 2 => Ok(()),
        other => Err(format!("the turn ended as {other:?}")),
    }
}

fn create(scene: &mut Scene, key: &str) -> Came {
    let body = json!({ "workspace": scene.world.home.workspace(), "title": "made", "prompt": { "text": WRITING } });
    scene.send_to("POST", "/v1/sessions", Some(key), &body)
}

fn created(scene: &Scene, answer: &Value) -> Result<(), String> {
    let listed = scene.client().get("/v1/sessions").map_err(|error| error.to_string())?.json();
    let made = listed["sessions"].as_array().into_iter().flatten().filter(|row| row["title"] == "made");
    let made: Vec<&Value> = made.collect();
    match made.as_slice() {
        [one] if one["id"] == answer["session"] && one["status"] == "idle" => Ok(()),
        other => Err(format!("of the session {answer} there are {other:?}")),
    }
}

/// Two files on the canvas.
pub(crate) fn edited(scene: &mut Scene) {
    assert!(matches!(scene.ask(WRITING, "prepare"), Came::Done(_)));
}

fn accept(scene: &mut Scene, key: &str) -> Came {
    settled(scene.send("POST", "/canvas/accept", Some(key), &json!({})))
}

/// An accept that was answered with another outcome than "done" was not done.
fn settled(came: Came) -> Came {
    match came {
        Came::Done(answer) if answer["outcome"] != "done" => Came::Refused(200, answer),
        other => other,
    }
}

fn accepted(scene: &Scene, _: &Value) -> Result<(), String> {
    for (name, text) in FILES {
        if scene.world.read(name).as_deref() != Some(text) {
            return Err(format!("{name} holds {:?}", scene.world.read(name)));
        }
    }
    no_litter(scene)?;
    match scene.view() {
        view if view["pending"] == 0 && view["status"] == "idle" => Ok(()),
        view => Err(format!("the canvas is not empty: {view}")),
    }
}

/// No temporary file is left, or the accept says that it could not be taken away.
fn no_litter(scene: &Scene) -> Result<(), String> {
    let names = std::fs::read_dir(scene.world.home.workspace()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let left: Vec<&String> = names.iter().filter(|name| name.starts_with(".tinkerbell")).collect();
    if left.is_empty() {
        return Ok(());
    }
    let said = |name: &&String| {
        let message =
            |event: &Value| event["data"]["message"].as_str().is_some_and(|message| message.contains(name.as_str()));
        scene.journal().iter().any(message)
    };
    match left.into_iter().find(|name| !said(name)) {
        Some(name) => Err(format!("{name} was left in the workspace, and nobody says so")),
        None => Ok(()),
    }
}

/// Each file has all of its bytes or is not there.
fn whole(scene: &Scene) -> Result<(), String> {
    match FILES.iter().find(|(name, text)| scene.world.read(name).is_some_and(|found| found != *text)) {
        Some((name, _)) => Err(format!("{name} is torn: {:?}", scene.world.read(name))),
        None => Ok(()),
    }
}

/// Two files that were accepted.
fn taken(scene: &mut Scene) {
    edited(scene);
    assert!(matches!(accept(scene, "take"), Came::Done(_)));
}

fn undo(scene: &mut Scene, key: &str) -> Came {
    settled(scene.send("POST", "/canvas/undo", Some(key), &json!({})))
}

fn undone(scene: &Scene, _: &Value) -> Result<(), String> {
    no_litter(scene)?;
    match FILES.iter().find(|(name, _)| scene.world.read(name).is_some()) {
        Some((name, _)) => Err(format!("{name} is still there")),
        None if scene.view()["pending"] == 2 => Ok(()),
        None => Err(format!("the canvas does not have them: {}", scene.view())),
    }
}

/// As [`edited`], while the user has something staged and something changed.
fn edited_beside_the_users(scene: &mut Scene) {
    scene.world.write("staged.txt", "staged\n");
    scene.world.git(&["add", "staged.txt"]);
    scene.world.write("src/lib.rs", "pub fn bar() {}\n");
    *scene.before.lock().unwrap() = format!("{}{}", scene.world.git(&["rev-parse", "HEAD"]), users(scene));
    edited(scene);
}

/// What the user has in the index and in the work tree, besides what is accepted.
fn users(scene: &Scene) -> String {
    let status = scene.world.git(&["status", "--porcelain", "--untracked-files=no"]);
    status.lines().filter(|line| !FILES.iter().any(|(name, _)| line.ends_with(name))).collect::<Vec<_>>().join("\n")
}

fn commit(scene: &mut Scene, key: &str) -> Came {
    settled(scene.send("POST", "/canvas/accept", Some(key), &json!({ "commit": "both files" })))
}

/// The files are accepted. The commit is made, of them and of nothing else, or it is said why not.
fn committed(scene: &Scene, answer: &Value) -> Result<(), String> {
    accepted(scene, answer)?;
    let events = scene.journal();
    let end = events.iter().rfind(|event| event["kind"] == "accept.finished").ok_or("no accept has ended")?;
    let (commit, message) = (end["data"]["commit"]["id"].as_str(), end["data"]["message"].as_str().unwrap_or_default());
    let (before, now) = (scene.before.lock().unwrap().clone(), scene.world.git(&["rev-parse", "HEAD"]));
    let (head, theirs) = before.split_once('\n').unwrap();
    match commit {
        Some(id) if id == now.trim() => {
            let files = scene.world.git(&["diff", "--name-only", head, "HEAD"]);
            let commits = scene.world.git(&["rev-list", "--count", &format!("{head}..HEAD")]);
            if (files.as_str(), commits.trim()) != ("one.txt\ntwo.txt\n", "1") {
                return Err(format!("{commits} commits of {files}"));
            }
        }
        None if message.contains("not committed") && now.trim() == head => {}
        _ => return Err(format!("HEAD was {head} and is {now}, and the accept says {end}")),
    }
    if users(scene) != theirs {
        return Err(format!("the user's index was\n{theirs}\nand is\n{}", users(scene)));
    }
    if scene.world.path(".git/index.lock").exists() && !message.contains("index.lock") {
        return Err(format!("index.lock was left, and nobody says so: {message:?}"));
    }
    let fsck = scene.world.git(&["fsck", "--strict", "--no-dangling"]);
    if fsck.is_empty() { Ok(()) } else { Err(format!("fsck: {fsck}")) }
}

pub(crate) fn log(scene: &mut Scene, _: &str) -> Came {
    scene.send("GET", "/canvas/log", None, &Value::Null)
}

/// What an unclean end left of the picture is thrown away before it is drawn again.
fn drawn_before_a_kill(scene: &mut Scene) {
    edited(scene);
    assert!(matches!(log(scene, ""), Came::Done(_)));
    drop(scene.daemon.take());
    scene.start().unwrap();
}

fn logged(scene: &Scene, answer: &Value) -> Result<(), String> {
    match scene.send("GET", "/canvas/log", None, &Value::Null) {
        Came::Done(now) if now["steps"].as_array().is_some_and(|steps| steps.len() >= 2) => {
            match answer["steps"].is_array() {
                true if *answer != now => Err(format!("the log was {answer} and is {now}")),
                _ => Ok(()),
            }
        }
        other => Err(format!("the log is {other:?}")),
    }
}

fn reject(scene: &mut Scene, _: &str) -> Came {
    scene.send("POST", "/canvas/reject", None, &json!({ "paths": ["one.txt"] }))
}

fn rejected(scene: &Scene, _: &Value) -> Result<(), String> {
    match scene.view()["pending"].as_u64() {
        Some(1) => Ok(()),
        other => Err(format!("{other:?} files are pending")),
    }
}

fn fork(scene: &mut Scene, _: &str) -> Came {
    scene.send("POST", "/fork", None, &json!({ "title": "forked" }))
}

fn forked(scene: &Scene, answer: &Value) -> Result<(), String> {
    let Some(fork) = answer["session"].as_str() else { return Err("no fork was acknowledged".to_owned()) };
    let events = crate::world::journal(&scene.client(), fork);
    let (ours, at) = (scene.journal(), answer["at_seq"].as_u64().unwrap() as usize);
    let same = |at: usize| ["kind", "data", "at"].iter().all(|field| events[at][field] == ours[at][field]);
    match events.len() > at && (0..at).all(same) {
        true => Ok(()),
        false => Err(format!("the fork {answer} has {} events", events.len())),
    }
}

fn remove(scene: &mut Scene, _: &str) -> Came {
    match scene.send("DELETE", "", None, &json!({})) {
        // That of an earlier attempt which was not answered.
        Came::Refused(404, _) => Came::Done(Value::Null),
        other => other,
    }
}

pub(crate) fn removed(scene: &Scene, _: &Value) -> Result<(), String> {
    match scene.send("GET", "", None, &Value::Null) {
        Came::Refused(404, _) => Ok(()),
        other => Err(format!("it is still there: {other:?}")),
    }
}

fn title(scene: &mut Scene, _: &str) -> Came {
    scene.send("PATCH", "", None, &json!({ "title": "another" }))
}

fn titled(scene: &Scene, _: &Value) -> Result<(), String> {
    match scene.view() {
        view if view["title"] == "another" => Ok(()),
        view => Err(format!("it is called {}", view["title"])),
    }
}

/// A key that could be one.
const KEY: &str = "sk-of-a-test-0123456789abcdef";

fn set_key(scene: &mut Scene, _: &str) -> Came {
    scene.send_to("PUT", "/v1/keys/openai", None, &json!({ "key": KEY }))
}

fn key_is_set(scene: &Scene, _: &Value) -> Result<(), String> {
    let keys = scene.world.home.state().join("keys");
    let found =
        std::fs::read_to_string(keys.join("openai")).map_err(|error| format!("the key is not there: {error}"))?;
    let names = std::fs::read_dir(&keys).unwrap().count();
    match (found.trim() == KEY, names) {
        (true, 1) => Ok(()),
        (_, names) => Err(format!("{names} names in {keys:?}, and the key is right: {}", found.trim() == KEY)),
    }
}

const OLD: &str = "# mine\n[daemon]\nidle_ms = 1000 # a second\n";
const NEW: &str = "# mine\n[daemon]\nidle_ms = 2000 # a second\n";

fn configured(scene: &mut Scene) {
    scene.world.home.configure(OLD);
}

/// By the command line, which writes the file itself.
fn set_value(scene: &mut Scene, _: &str) -> Came {
    match scene.run_watched(&["config", "set", "daemon.idle_ms", "2000"]) {
        ran if ran.code == 0 => Came::Done(Value::Null),
        // It says which file, unless it was killed.
        ran if ran.code == -1 || ran.err.contains("config.toml") => Came::Refused(200, json!({ "code": "said" })),
        ran => Came::Refused(500, json!({ "code": "unclear", "detail": format!("{ran:?}") })),
    }
}

fn valid(scene: &Scene) -> Result<(), String> {
    let text = std::fs::read_to_string(scene.world.home.tinkerbell().join("config.toml"));
    match text.as_deref() {
        Ok(OLD | NEW) => Ok(()),
        // The other operations have none.
        Err(_) => Ok(()),
        Ok(other) => Err(format!("the configuration is {other:?}")),
    }
}

fn value_is_set(scene: &Scene, _: &Value) -> Result<(), String> {
    match std::fs::read_to_string(scene.world.home.tinkerbell().join("config.toml")) {
        Ok(text) if text == NEW => Ok(()),
        other => Err(format!("the configuration is {other:?}")),
    }
}

pub(crate) fn stop(scene: &mut Scene, _: &str) -> Came {
    if scene.is_dead() {
        return Came::Done(Value::Null);
    }
    match scene.send_to("POST", "/v1/daemon/stop", None, &json!({})) {
        Came::Done(answer) => match crate::scene::wait("it stops", || scene.is_dead()) {
            Ok(()) => Came::Done(answer),
            Err(why) => Came::Refused(500, json!({ "code": "never", "detail": why })),
        },
        other => other,
    }
}

pub(crate) fn stopped(scene: &mut Scene) {
    edited(scene);
    assert!(matches!(stop(scene, ""), Came::Done(_)));
}

fn killed(scene: &mut Scene) {
    edited(scene);
    assert!(matches!(log(scene, ""), Came::Done(_)));
    drop(scene.daemon.take());
}

/// What it says when it does not start has the place in it, unless it was killed.
fn start(scene: &mut Scene, _: &str) -> Came {
    if !scene.is_dead() {
        return Came::Done(Value::Null);
    }
    let place = scene.world.home.tinkerbell();
    match scene.start() {
        Ok(()) => Came::Done(Value::Null),
        Err(said) if said.starts_with(" (") || said.contains(place.to_str().unwrap()) => {
            Came::Refused(200, json!({ "code": "did not start" }))
        }
        Err(said) => Came::Refused(500, json!({ "code": "unclear", "detail": said })),
    }
}

/// The session with its canvas is as it was.
pub(crate) fn kept(scene: &Scene, _: &Value) -> Result<(), String> {
    match scene.view() {
        view if view["pending"] == 2 && view["status"] == "idle" => Ok(()),
        _ if scene.is_dead() => Ok(()),
        view => Err(format!("the session is {view}")),
    }
}
