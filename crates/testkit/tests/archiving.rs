//! A session that is archived: out of the journal, in one file that audits read, and back with the same events.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use testkit::{Answer, Daemon, World, verify_chains};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");

/// A session with a blob and something on the canvas.
fn world(config: &str) -> (World, Daemon) {
    let (world, daemon) = World::new(DAEMON, config);
    let write = json!({ "path": "long.txt", "content": "line of a long text\n".repeat(1500) });
    assert_eq!(world.ask(&format!("first marvellous words [[tool write_file {write}]]"))["outcome"], "done");
    (world, daemon)
}

fn events(world: &World) -> Value {
    world.get("/events").json()["events"].clone()
}

fn files(world: &World) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(world.home.state().join("archive")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn archive(world: &World) -> Value {
    let archived = world.post("/archive", json!({}));
    assert_eq!(archived.status, 200, "{:?}", archived.json());
    archived.json()
}

fn listed(world: &World, query: &str) -> usize {
    world.client.get(&format!("/v1/sessions{query}")).unwrap().json()["sessions"].as_array().unwrap().len()
}

fn audit(world: &World) -> Value {
    world.client.get("/v1/audit/verify").unwrap().json()
}

#[test]
fn it_leaves_is_found_and_comes_back_the_same() {
    use std::os::unix::fs::PermissionsExt;
    let (world, daemon) = world("");
    let (before, exported) = (events(&world), world.get("/export").body);
    let told = archive(&world);
    assert_eq!(
        (told["events"].as_u64(), &told["cleared"]),
        (before.as_array().map(|all| all.len() as u64), &json!(true))
    );
    assert_eq!(archive(&world)["was_archived"], true, "nothing to do");
    let lying = files(&world);
    assert_eq!(lying.len(), 1);
    assert_eq!(std::fs::metadata(&lying[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((listed(&world, ""), listed(&world, "?archived=true"), listed(&world, "?archived=any")), (0, 1, 1));
    assert_eq!(world.view()["archived"]["bytes"], told["bytes"], "looking at its row leaves it there");
    let found = world.client.get("/v1/sessions/search?q=marvellous").unwrap().json();
    assert_eq!(found["hits"][0]["session"]["id"], json!(world.session));
    let lines = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let again = world.get("/export").body;
    assert_eq!(lines(&again).len(), lines(&exported).len());
    assert_eq!(again, exported, "the file is the export");
    let report = audit(&world);
    assert_eq!((&report["sound"], &report["archived"]), (&json!(true), &json!(1)), "{report}");
    let bundle = world.client.get("/v1/audit/export").unwrap().body;
    assert!(String::from_utf8(bundle).unwrap().contains("first marvellous words"));
    let status = world.client.get("/v1/daemon").unwrap().json();
    assert_eq!(status["storage"]["archived"], 1, "{status}");
    // Reading what happened brings it back.
    assert_eq!(events(&world), before);
    assert!(files(&world).is_empty() && listed(&world, "") == 1);
    assert_eq!(audit(&world)["archived"], 0);
    archive(&world);
    assert_eq!(world.ask("[[echo]]")["outcome"], "done", "and so does a prompt");
    assert!(world.reply().contains("marvellous words"));
    assert_eq!(world.get("/canvas/files/long.txt").body.len(), 30_000);
    archive(&world);
    assert!(daemon.stop().unwrap());
    verify_chains(&world.home);
    let _daemon = world.home.start(DAEMON).unwrap();
    let back = world.post("/unarchive", json!({})).json();
    assert_eq!((&back["was_archived"], listed(&world, "?archived=true")), (&json!(true), 0));
}

#[test]
fn damage_is_found_and_removing_is_possible_all_the_same() {
    let (world, _daemon) = world("");
    archive(&world);
    let path = files(&world).remove(0);
    let whole = std::fs::read(&path).unwrap();
    let (mut found, step) = (0, 97);
    for at in (0..whole.len()).step_by(step) {
        let mut hurt = whole.clone();
        hurt[at] ^= 1;
        std::fs::write(&path, hurt).unwrap();
        found += usize::from(audit(&world)["sound"] == false);
    }
    let trials = whole.len().div_ceil(step);
    println!("damaged archives: {trials} flipped bits, {found} found, {} failures", trials - found);
    assert_eq!(found, trials);
    let refused: Answer = world.post("/prompts", json!({ "text": "come back" }));
    assert!(refused.status == 500 && refused.json()["detail"].as_str().unwrap().contains(path.to_str().unwrap()));
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(audit(&world)["sound"], true);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(audit(&world)["sound"], false, "one that is gone is damage, too");
    let gone = world.client.send("DELETE", &format!("/v1/sessions/{}", world.session), &[], b"").unwrap();
    assert_eq!(gone.status, 200, "{:?}", gone.json());
    assert_eq!(audit(&world)["sound"], true);
}

#[test]
fn what_has_work_stays_and_so_does_who_was_spoken_to_just_now() {
    let (world, _daemon) = World::new(DAEMON, "[retention]\narchive_idle_ms = 1\n");
    world.prompt("[[tool count {\"label\":\"x\"}]]");
    world.until(|update| update["kind"] == "model.finished");
    let refused = world.post("/archive", json!({}));
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("conflict")), "{:?}", refused.json());
    assert_eq!(world.answer("allow").status, 200);
    world.finished("trn_1");
    let dry = world.client.post("/v1/daemon/gc?dry_run=true", &json!({})).unwrap().json();
    assert_eq!(dry["archived"], 0, "who is awake was spoken to just now: {dry}");
}

#[test]
fn the_idle_go_when_it_is_tidied_and_keep_what_nobody_has_accepted() {
    let (world, _daemon) = world("[daemon]\nidle_ms = 1\n[retention]\narchive_idle_ms = 1\n");
    let with_canvas = world.session.clone();
    let made = world.client.post("/v1/sessions", &json!({ "workspace": world.home.workspace() })).unwrap().json();
    let world = World { session: made["session"].as_str().unwrap().to_owned(), ..world };
    assert_eq!(world.ask("idle words")["outcome"], "done");
    while world.client.get("/v1/daemon").unwrap().json()["cache"]["awake"] != 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let dry = world.client.post("/v1/daemon/gc?dry_run=true", &json!({})).unwrap().json();
    assert_eq!((&dry["archived"], files(&world).len()), (&json!(1), 0), "{dry}");
    let tidied = world.client.post("/v1/daemon/gc", &json!({})).unwrap().json();
    assert_eq!((&tidied["archived"], files(&world).len()), (&json!(1), 1), "{tidied}");
    let left = world.client.get("/v1/sessions").unwrap().json()["sessions"].clone();
    assert!(left.as_array().unwrap().iter().all(|session| session["id"] == json!(with_canvas)), "{left}");
    assert_eq!(world.ask("[[echo]]")["outcome"], "done", "a prompt brings it back");
    assert!(world.reply().contains("idle words"));
}

#[test]
fn a_snapshot_takes_it_along() {
    let (world, daemon) = world("");
    archive(&world);
    let name = files(&world)[0].file_name().unwrap().to_str().unwrap().to_owned();
    let made = world.client.post("/v1/snapshots", &json!({})).unwrap().json();
    let packed = made["manifest"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .any(|file| file["name"] == json!(format!("archive/{name}")));
    assert!(packed, "{made}");
    let verified =
        world.client.post(&format!("/v1/snapshots/{}/verify", made["id"].as_str().unwrap()), &json!({})).unwrap();
    assert_eq!(verified.status, 200, "{:?}", verified.json());
    assert!(daemon.stop().unwrap());
}
