//! What changes a daemon while it stands: another configuration, schedules, another binary.

use crate::operations::{edited, kept, log};
use crate::scene::{Came, Scene, wait};
use serde_json::{Value, json};

/// Two keys, so that a configuration of which half is in force shows.
const OLD: &str = "[daemon]\nidle_ms = 1000\n[limits]\nsteps = 11\n";
const NEW: &str = "[daemon]\nidle_ms = 2000\n[limits]\nsteps = 22\n";

/// A daemon that has taken the old configuration.
pub(crate) fn configured(scene: &mut Scene) {
    scene.world.home.configure(OLD);
    assert!(matches!(scene.send_to("POST", "/v1/config/reload", None, &json!({})), Came::Done(_)));
    assert_eq!(in_force(scene).unwrap(), ["1000", "11"]);
}

/// What counts in the daemon.
fn in_force(scene: &Scene) -> Result<[String; 2], String> {
    let view = scene.client().get("/v1/config").map_err(|error| error.to_string())?.json();
    let value = |name: &str| {
        let key = view["keys"].as_array().into_iter().flatten().find(|key| key["key"] == name);
        key.map(|key| key["value"].as_str().unwrap_or_default().to_owned())
    };
    Ok([value("daemon.idle_ms"), value("limits.steps")].map(Option::unwrap_or_default))
}

/// The file is replaced, and the daemon takes it by itself.
pub(crate) fn reload(scene: &mut Scene, _: &str) -> Came {
    let (file, fresh) = (scene.world.home.tinkerbell().join("config.toml"), scene.world.home.path("fresh.toml"));
    std::fs::write(&fresh, NEW).unwrap();
    std::fs::rename(fresh, file).unwrap();
    let taken = || in_force(scene).is_ok_and(|values| values == ["2000", "22"]);
    match wait("the configuration counts", || taken() || scene.is_dead()) {
        Ok(()) if taken() => Came::Done(Value::Null),
        Ok(()) => Came::Cut,
        Err(why) => Came::Refused(500, json!({ "code": "never", "detail": why, "status": scene.status().ok() })),
    }
}

/// While it is hurt, one of the two counts wholly.
pub(crate) fn whole(scene: &Scene) -> Result<(), String> {
    match in_force(scene) {
        Ok(values) if values == ["1000", "11"] || values == ["2000", "22"] => Ok(()),
        Err(_) if scene.is_dead() => Ok(()),
        other => Err(format!("half of a configuration counts: {other:?}")),
    }
}

pub(crate) fn one_of_both(scene: &Scene) -> Result<(), String> {
    whole(scene)
}

pub(crate) fn is_in_force(scene: &Scene, _: &Value) -> Result<(), String> {
    match in_force(scene)? {
        values if values == ["2000", "22"] => Ok(()),
        values => Err(format!("in force are {values:?}")),
    }
}

fn schedules(scene: &Scene) -> Result<Vec<Value>, String> {
    let listed = scene.client().get("/v1/schedules").map_err(|error| error.to_string())?.json();
    listed["schedules"].as_array().cloned().ok_or_else(|| format!("the list of schedules is {listed}"))
}

/// It takes no key: whoever got no answer looks before asking again.
pub(crate) fn add(scene: &mut Scene, _: &str) -> Came {
    if let Some(there) = schedules(scene).ok().and_then(|all| all.into_iter().next()) {
        return Came::Done(there);
    }
    let body = json!({ "prompt": "tick", "name": "clock", "every_s": 86_400, "session": scene.session });
    scene.send_to("POST", "/v1/schedules", None, &body)
}

pub(crate) fn is_added(scene: &Scene, answer: &Value) -> Result<(), String> {
    match schedules(scene)?.as_slice() {
        [one] if one["id"] == answer["id"] && one["prompt"] == "tick" && one["next_at"].is_string() => Ok(()),
        other => Err(format!("of the schedule {answer} there are {other:?}")),
    }
}

pub(crate) fn one_at_most(scene: &Scene) -> Result<(), String> {
    match schedules(scene)?.as_slice() {
        [] => Ok(()),
        [one] if one["name"] == "clock" && one["prompt"] == "tick" => Ok(()),
        other => Err(format!("the schedules are {other:?}")),
    }
}

pub(crate) fn added(scene: &mut Scene) {
    assert!(matches!(add(scene, ""), Came::Done(_)));
}

pub(crate) fn remove(scene: &mut Scene, _: &str) -> Came {
    let Ok(all) = schedules(scene) else { return Came::Cut };
    let Some(one) = all.first() else { return Came::Done(Value::Null) };
    scene.send_to("DELETE", &format!("/v1/schedules/{}", one["id"].as_str().unwrap()), None, &Value::Null)
}

pub(crate) fn is_removed(scene: &Scene, _: &Value) -> Result<(), String> {
    match schedules(scene)?.as_slice() {
        [] => Ok(()),
        other => Err(format!("there are still {other:?}")),
    }
}

/// Files on the canvas and a picture of them.
pub(crate) fn drawn(scene: &mut Scene) {
    edited(scene);
    assert!(matches!(log(scene, ""), Came::Done(_)));
}

/// Hands over to the same binary, and waits until it is known who serves, or that nobody does.
pub(crate) fn upgrade(scene: &mut Scene, _: &str) -> Came {
    let before = scene.status().unwrap_or_default();
    let begun = scene.send_to("POST", "/v1/daemon/upgrade", None, &json!({}));
    let mut now = Value::Null;
    let settled = wait("it is settled who serves", || {
        now = scene.status().unwrap_or_default();
        let goes_on = now["generation"] != before["generation"] || now["upgrade"]["outcome"] == "failed";
        scene.is_dead() || !now.is_null() && (goes_on || !matches!(begun, Came::Done(_)))
    });
    match (settled, begun) {
        (Err(why), begun) => {
            Came::Refused(500, json!({ "code": "never", "detail": why, "begun": format!("{begun:?}") }))
        }
        (Ok(()), _) if scene.is_dead() => Came::Cut,
        (Ok(()), Came::Done(begun)) if begun["to_pid"] == now["pid"] => Came::Done(begun),
        (Ok(()), Came::Refused(status, problem)) => Came::Refused(status, problem),
        (Ok(()), _) => Came::Refused(200, json!({ "code": "the old one goes on" })),
    }
}

/// Somebody serves, and all is as it was.
pub(crate) fn serves(scene: &Scene) -> Result<(), String> {
    match scene.client().get("/readyz") {
        Ok(answer) if answer.status == 200 => kept(scene, &Value::Null),
        other => Err(format!("nobody serves: {other:?}")),
    }
}
