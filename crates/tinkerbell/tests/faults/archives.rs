//! Sessions that leave for a file of their own, and come back.

use crate::operations::{edited, kept, removed};
use crate::scene::{Came, Scene};
use serde_json::{Value, json};

pub(crate) fn archive(scene: &mut Scene, _: &str) -> Came {
    scene.send("POST", "/archive", None, &json!({}))
}

/// It lies in its file, and all that vouches for it holds.
pub(crate) fn archived(scene: &Scene, _: &Value) -> Result<(), String> {
    let listed = scene.client().get("/v1/sessions?archived=true").map_err(|error| error.to_string())?.json();
    let lies = files(scene).len() == 1 && listed["sessions"][0]["id"] == json!(scene.session);
    let audit = scene.client().get("/v1/audit/verify").map_err(|error| error.to_string())?.json();
    match lies && audit["sound"] == true && audit["archived"] == 1 {
        true => Ok(()),
        false => Err(format!("archived are {listed} in {:?}; {audit}", files(scene))),
    }
}

/// Wholly in the journal, or wholly in its file: it is listed once, and an audit finds all of it.
pub(crate) fn in_one_place(scene: &Scene) -> Result<(), String> {
    let get = |path| scene.client().get(path).map(|answer| answer.json()).map_err(|error| error.to_string());
    let (listed, audit) = (get("/v1/sessions?archived=any")?, get("/v1/audit/verify")?);
    let rows = listed["sessions"].as_array().map_or(0, Vec::len);
    match rows == 1 && audit["sound"] == true {
        true => Ok(()),
        false => Err(format!("{rows} sessions are listed; {audit}")),
    }
}

pub(crate) fn put_away(scene: &mut Scene) {
    edited(scene);
    assert!(matches!(archive(scene, ""), Came::Done(_)));
}

pub(crate) fn unarchive(scene: &mut Scene, _: &str) -> Came {
    scene.send("POST", "/unarchive", None, &json!({}))
}

/// Nothing lies on the shelf that is not the file of an archived session.
pub(crate) fn kept_in_journal(scene: &Scene, answer: &Value) -> Result<(), String> {
    kept(scene, answer)?;
    match files(scene) {
        files if files.is_empty() => Ok(()),
        // It goes at the next start.
        files if files.len() == 1 && files[0].ends_with(".session.gz") => Ok(()),
        files => Err(format!("on the shelf are {files:?}")),
    }
}

pub(crate) fn removed_with_file(scene: &Scene, answer: &Value) -> Result<(), String> {
    removed(scene, answer)?;
    match files(scene) {
        files if files.len() <= 1 => Ok(()),
        files => Err(format!("on the shelf are {files:?}")),
    }
}

fn files(scene: &Scene) -> Vec<String> {
    let entries = std::fs::read_dir(scene.world.home.state().join("archive")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
