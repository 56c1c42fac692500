//! Copies of the whole state, one that is put back, and what is tidied away.

use crate::operations::{edited, kept, log, stop};
use crate::scene::{Came, Scene, wait};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(crate) fn create(scene: &mut Scene, _: &str) -> Came {
    scene.send_to("POST", "/v1/snapshots", None, &json!({ "note": "of a test" }))
}

fn snapshots(scene: &Scene) -> Result<Vec<Value>, String> {
    let listed = scene.client().get("/v1/snapshots").map_err(|error| error.to_string())?.json();
    listed["snapshots"].as_array().cloned().ok_or_else(|| format!("the list of snapshots is {listed}"))
}

/// Whatever lies on the shelf can be read to its end.
pub(crate) fn all_are_good(scene: &Scene) -> Result<(), String> {
    for one in snapshots(scene)? {
        let path = format!("/v1/snapshots/{}/verify", one["id"].as_str().unwrap());
        match scene.send_to("POST", &path, None, &json!({})) {
            Came::Done(_) => {}
            other => return Err(format!("the snapshot {one} is not good: {other:?}")),
        }
    }
    Ok(())
}

/// The one that was acknowledged is there, and no beginning of another.
pub(crate) fn is_good(scene: &Scene, answer: &Value) -> Result<(), String> {
    all_are_good(scene)?;
    no_beginning(scene)?;
    if !snapshots(scene)?.iter().any(|one| one["id"] == answer["id"]) {
        return Err(format!("the snapshot {answer} is not there"));
    }
    kept(scene, &Value::Null)
}

/// Where one goes that is written elsewhere.
fn stick_of(scene: &Scene) -> PathBuf {
    scene.world.home.path("stick")
}

pub(crate) fn stick(scene: &mut Scene) {
    edited(scene);
    std::fs::create_dir(stick_of(scene)).unwrap();
}

/// One that was made and not acknowledged is made once more, since its file is in the way.
pub(crate) fn create_elsewhere(scene: &mut Scene, _: &str) -> Came {
    let file = stick_of(scene).join("bell.tar");
    if file.exists() {
        std::fs::remove_file(&file).unwrap();
    }
    scene.send_to("POST", "/v1/snapshots", None, &json!({ "file": file, "passphrase": "correct horse" }))
}

/// The names in a directory; none where there is no directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Nobody who finds the stick reads anything.
pub(crate) fn nothing_in_clear(scene: &Scene) -> Result<(), String> {
    for name in names(&stick_of(scene)) {
        let path = stick_of(scene).join(&name);
        let bytes = std::fs::read(&path).map_err(|error| format!("{name} is no file: {error}"))?;
        let is_in = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
        if bytes.starts_with(b"SQLite") || is_in(b"journal.db.gz") {
            return Err(format!("{name} can be read without the passphrase"));
        }
    }
    Ok(())
}

/// What a disk refused to take away, or a kill left, goes soon after the next start.
pub(crate) fn no_beginning(scene: &Scene) -> Result<(), String> {
    if scene.status()?["generation"] == 1 {
        return Ok(());
    }
    let state = scene.world.home.state();
    let places = [stick_of(scene), state.join("snapshots"), state];
    let is_beginning = |name: String| name.starts_with(".snp_");
    wait("no beginning of a snapshot is left over", || !places.iter().flat_map(|at| names(at)).any(is_beginning))
}

pub(crate) fn is_elsewhere(scene: &Scene, _: &Value) -> Result<(), String> {
    no_beginning(scene)?;
    nothing_in_clear(scene)?;
    let file = stick_of(scene).join("bell.tar");
    match scene.world.run(&["snapshot", "verify", file.to_str().unwrap()]) {
        ran if ran.code == 0 => kept(scene, &Value::Null),
        ran => Err(format!("it is not good: {ran:?}")),
    }
}

/// A snapshot, another title and another session since, and no daemon.
pub(crate) fn changed_since(scene: &mut Scene) {
    edited(scene);
    let Came::Done(_) = create(scene, "") else { panic!("no snapshot is made") };
    assert!(matches!(scene.send("PATCH", "", None, &json!({ "title": "since" })), Came::Done(_)));
    let body = json!({ "workspace": scene.world.home.workspace() });
    assert!(matches!(scene.send_to("POST", "/v1/sessions", None, &body), Came::Done(_)));
    assert!(matches!(stop(scene, ""), Came::Done(_)));
}

/// By the command line. A daemon that runs by now goes before and comes after, with nothing hurt.
pub(crate) fn restore(scene: &mut Scene, _: &str) -> Came {
    let ran = !scene.is_dead();
    if ran && !matches!(stop(scene, ""), Came::Done(_)) {
        return Came::Cut;
    }
    let shelf = std::fs::read_dir(scene.world.home.state().join("snapshots")).unwrap();
    let file: PathBuf = shelf.map(|entry| entry.unwrap().path()).find(|path| path.is_file()).unwrap();
    let restored = scene.run_watched(&["snapshot", "restore", "--yes", file.to_str().unwrap()]);
    if ran && let Err(said) = scene.start() {
        return Came::Refused(500, json!({ "code": "did not start", "detail": said }));
    }
    let place = scene.world.home.state();
    match restored {
        ran if ran.code == 0 => Came::Done(Value::Null),
        ran if ran.code == -1 => Came::Refused(200, json!({ "code": "killed" })),
        ran if ran.err.contains(place.to_str().unwrap()) => Came::Refused(200, json!({ "code": "said" })),
        ran => Came::Refused(500, json!({ "code": "unclear", "detail": format!("{ran:?}") })),
    }
}

/// At no time is there neither a journal nor word of one that is coming in.
pub(crate) fn one_is_there(scene: &Scene) -> Result<(), String> {
    let state = scene.world.home.state();
    let is_there = ["journal.db", "restore.json"].iter().any(|name| state.join(name).exists());
    if is_there { Ok(()) } else { Err("there is neither a journal nor word of a restore".to_owned()) }
}

/// Whether the state is the one of the snapshot; an error where it is neither that nor the one before.
fn is_the_old(scene: &Scene) -> Result<bool, String> {
    kept(scene, &Value::Null)?;
    let sessions = scene.status()?["sessions"].clone();
    match (scene.view()["title"] == "since", sessions.as_u64()) {
        (false, Some(1)) => Ok(true),
        (true, Some(2)) => Ok(false),
        other => Err(format!("the state is neither the one nor the other: {other:?}")),
    }
}

pub(crate) fn one_of_both(scene: &Scene) -> Result<(), String> {
    is_the_old(scene).map(drop)
}

pub(crate) fn is_back(scene: &Scene, _: &Value) -> Result<(), String> {
    if !is_the_old(scene)? {
        return Err("the state is the one of before the restore".to_owned());
    }
    let state = scene.world.home.state();
    match ["restore.json", "restore.new"].iter().find(|name| state.join(name).exists()) {
        Some(name) => Err(format!("{name} is left over")),
        None => Ok(()),
    }
}

/// Nothing is kept that nobody uses.
const STRICT: &str = "[retention]\nfree_bytes = 0\npictures_bytes = 0\n";

/// A picture, and a session that was removed and leaves free pages.
pub(crate) fn littered(scene: &mut Scene) {
    scene.world.home.configure(STRICT);
    assert!(matches!(scene.send_to("POST", "/v1/config/reload", None, &json!({})), Came::Done(_)));
    edited(scene);
    let text = "litter ".repeat(20_000);
    let body = json!({ "workspace": scene.world.home.workspace(), "prompt": { "text": text } });
    let Came::Done(created) = scene.send_to("POST", "/v1/sessions", None, &body) else { panic!("no session") };
    let path = format!("/v1/sessions/{}", created["session"].as_str().unwrap());
    let idle = || scene.client().get(&path).is_ok_and(|answer| answer.json()["status"] == "idle");
    wait("the turn has ended", idle).unwrap();
    assert!(matches!(scene.send_to("DELETE", &path, None, &Value::Null), Came::Done(_)));
    assert!(matches!(log(scene, ""), Came::Done(_)));
}

/// What could not be thrown away is left for the next time.
pub(crate) fn tidy(scene: &mut Scene, _: &str) -> Came {
    match scene.send_to("POST", "/v1/daemon/gc", None, &json!({})) {
        Came::Done(gone) if gone["pictures"] == 0 => match nothing_is_left(scene) {
            Ok(()) => Came::Done(gone),
            Err(_) => Came::Refused(200, json!({ "code": "something is left" })),
        },
        other => other,
    }
}

fn nothing_is_left(scene: &Scene) -> Result<(), String> {
    match scene.send_to("POST", "/v1/daemon/gc?dry_run=true", None, &json!({})) {
        Came::Done(left) if left["freed_bytes"] == 0 && left["pictures"] == 0 => Ok(()),
        other => Err(format!("something is left: {other:?}")),
    }
}

/// Nothing is left to do, and what is looked at is drawn anew.
pub(crate) fn is_tidy(scene: &Scene, _: &Value) -> Result<(), String> {
    kept(scene, &Value::Null)?;
    nothing_is_left(scene)?;
    match scene.send("GET", "/canvas/log", None, &Value::Null) {
        Came::Done(drawn) if drawn["steps"].as_array().is_some_and(|steps| steps.len() >= 2) => Ok(()),
        other => Err(format!("the log is {other:?}")),
    }
}
