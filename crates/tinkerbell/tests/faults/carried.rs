//! A session that comes from elsewhere, and words that go.

use crate::operations::edited;
use crate::scene::{Came, Scene};
use crate::world::journal;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// A session as another daemon wrote it out.
struct Exported {
    file: Vec<u8>,
    session: String,
    events: usize,
}

fn exported() -> &'static Exported {
    static EXPORTED: OnceLock<Exported> = OnceLock::new();
    EXPORTED.get_or_init(|| {
        let mut scene = Scene::new(false);
        edited(&mut scene);
        let (session, events) = (scene.session.clone(), scene.journal().len());
        let file = scene.client().get(&format!("/v1/sessions/{session}/export")).unwrap();
        assert_eq!(file.status, 200);
        Exported { file: file.body, session, events }
    })
}

/// Written out before anything is counted.
pub(crate) fn written_out(_: &mut Scene) {
    exported();
}

pub(crate) fn import(scene: &mut Scene, _: &str) -> Came {
    let workspace = scene.world.home.workspace();
    let path = format!("/v1/sessions/import?workspace={}", workspace.display());
    match scene.client().send("POST", &path, &[("content-type", "application/x-ndjson")], &exported().file) {
        Ok(answer) if answer.status == 200 => Came::Done(answer.json()),
        // That of an earlier attempt which was not answered.
        Ok(answer) if answer.status == 409 && is_in(scene, &Value::Null).is_ok() => Came::Done(Value::Null),
        Ok(answer) => Came::Refused(answer.status, answer.json()),
        Err(_) => Came::Cut,
    }
}

fn imported(scene: &Scene) -> Came {
    scene.send_to("GET", &format!("/v1/sessions/{}", exported().session), None, &Value::Null)
}

pub(crate) fn is_in(scene: &Scene, _: &Value) -> Result<(), String> {
    let exported = exported();
    let Came::Done(view) = imported(scene) else { return Err("the session is not there".to_owned()) };
    let events = journal(&scene.client(), &exported.session);
    let last = events.get(exported.events).map(|event| event["kind"].clone());
    if view["pending"] != 2 || last != Some("session.imported".into()) {
        return Err(format!("the session is {view}, and its event {} is {last:?}", exported.events + 1));
    }
    no_litter(scene)
}

pub(crate) fn whole_or_not_there(scene: &Scene) -> Result<(), String> {
    match imported(scene) {
        Came::Refused(404, _) => no_litter(scene),
        _ => is_in(scene, &Value::Null),
    }
}

/// Nothing of the file stays behind. What a disk refused to take away goes with the next start.
fn no_litter(scene: &Scene) -> Result<(), String> {
    if scene.status()?["generation"] == 1 {
        return Ok(());
    }
    let names = std::fs::read_dir(scene.world.home.state()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    match names.find(|name| name.ends_with(".import")) {
        Some(name) => Err(format!("{name} is left over")),
        None => Ok(()),
    }
}

/// A word that nobody else would say.
const WORD: &str = "qzcanary";

/// Says the word, and writes it into a file.
pub(crate) fn said(scene: &mut Scene) {
    let text = format!("Create a file word.txt that contains the word {WORD}.");
    assert!(matches!(scene.ask(&text, "prepare"), Came::Done(_)));
    scene.untell();
}

/// The events that have words, as far as they can go.
fn wordy(scene: &Scene) -> Vec<u64> {
    let kinds = ["prompt.accepted", "model.started", "model.finished", "tool.started", "tool.finished"];
    let events = scene.journal();
    let wordy = events.iter().filter(|event| kinds.iter().any(|kind| event["kind"] == *kind));
    wordy.map(|event| event["seq"].as_u64().unwrap()).collect()
}

pub(crate) fn redact(scene: &mut Scene, _: &str) -> Came {
    if scene.is_dead() {
        return Came::Cut;
    }
    let seqs = wordy(scene);
    scene.send("POST", "/redact", None, &json!({ "seqs": seqs, "reason": "a test" }))
}

fn forgotten(scene: &Scene) -> [usize; 2] {
    let (events, wordy) = (scene.journal(), wordy(scene));
    let gone = wordy.iter().filter(|seq| events[**seq as usize - 1]["forgotten"] == true).count();
    [gone, wordy.len()]
}

pub(crate) fn all_or_nothing(scene: &Scene) -> Result<(), String> {
    match forgotten(scene) {
        [gone, all] if gone == 0 || gone == all => Ok(()),
        other => Err(format!("half is forgotten: {other:?}")),
    }
}

/// The words are gone: from the events, and from every file where the answer says so.
pub(crate) fn is_forgotten(scene: &Scene, answer: &Value) -> Result<(), String> {
    match forgotten(scene) {
        [gone, all] if gone == all => {}
        other => return Err(format!("of the events are forgotten {other:?}")),
    }
    let state = scene.world.home.state();
    for name in ["journal.db", "journal.db-wal", "search.db", "search.db-wal"] {
        let bytes = std::fs::read(state.join(name)).unwrap_or_default();
        if answer["cleared"] == true && bytes.windows(WORD.len()).any(|window| window == WORD.as_bytes()) {
            return Err(format!("the word is still in {name}, and the answer was {answer}"));
        }
    }
    match scene.view() {
        view if view["status"] == "idle" => Ok(()),
        view => Err(format!("the session is {view}")),
    }
}
