//! R11: the user's own repository, when things go wrong while an accept makes a commit in it.

use crate::scene::{Came, Scene, wait};
use crate::world::World;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const PROMPT: &str = "Create a file one.txt that contains the word eins.";

fn scene() -> Scene {
    let scene = Scene::new(true);
    assert!(matches!(scene.ask(PROMPT, "prepare"), Came::Done(_)));
    scene
}

fn accept(scene: &Scene) -> Came {
    scene.send("POST", "/canvas/accept", Some("accept"), &json!({ "commit": "one" }))
}

/// A hook that says that it has begun and waits until it may go on.
fn waiting_hook(world: &World) {
    let (begun, go) = (world.home.path("begun"), world.home.path("go"));
    let text = format!("#!/bin/sh\n: >'{}'\nwhile [ ! -e '{}' ]; do sleep 0.01; done\n", begun.display(), go.display());
    world.write(".git/hooks/pre-commit", &text);
    let hook = world.path(".git/hooks/pre-commit");
    std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn last_accept(scene: &Scene) -> Option<Value> {
    scene.journal().into_iter().rfind(|event| event["kind"] == "accept.finished")
}

fn head(scene: &Scene) -> String {
    scene.world.git(&["rev-parse", "HEAD"]).trim().to_owned()
}

/// The daemon is killed while the user's git is in a hook. That git lives on and makes the commit; the next daemon
/// waits for it, and the accept says which commit it is.
#[test]
fn a_git_that_outlives_the_daemon_makes_one_commit_and_the_accept_names_it() {
    let mut scene = scene();
    let before = head(&scene);
    waiting_hook(&scene.world);
    let came = std::thread::scope(|scope| {
        let asked = scope.spawn(|| accept(&scene));
        wait("the hook has begun", || scene.world.home.path("begun").exists()).unwrap();
        scene.kill();
        asked.join().unwrap()
    });
    assert!(matches!(came, Came::Cut), "{came:?}");
    scene.heal().unwrap();
    // It must be looked after before the old git is done, which is when two of them could meet.
    wait("the new daemon looks after the accept", || scene.view()["head"].is_u64()).unwrap();
    std::fs::write(scene.world.home.path("go"), "").unwrap();
    wait("the accept is settled", || last_accept(&scene).is_some()).unwrap();
    let end = last_accept(&scene).unwrap();
    assert_eq!(end["outcome"], "done", "{end}");
    assert_eq!(end["data"]["commit"]["id"], head(&scene), "{end}");
    assert_eq!(scene.world.git(&["rev-list", "--count", &format!("{before}..HEAD")]), "1\n");
    assert_eq!(scene.world.git(&["status", "--porcelain"]), "");
    assert_eq!(scene.world.git(&["fsck", "--strict", "--no-dangling"]), "");
    scene.check().unwrap();
    scene.rest().unwrap();
}

/// A lock that a killed git left is the user's to take away: it is named before anything is accepted, and it stays.
#[test]
fn a_lock_that_was_left_is_named_and_left_alone() {
    let scene = scene();
    let (lock, before) = (scene.world.path(".git/index.lock"), head(&scene));
    std::fs::write(&lock, "").unwrap();
    match accept(&scene) {
        Came::Refused(409, problem) => {
            assert!(problem["detail"].as_str().unwrap().contains("index.lock"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    assert!(lock.exists() && head(&scene) == before && scene.world.read("one.txt").is_none());
    std::fs::remove_file(&lock).unwrap();
    let Came::Done(accepted) = accept(&scene) else { panic!("without the lock it goes on") };
    assert_eq!(accepted["commit"]["id"], head(&scene));
    scene.rest().unwrap();
}

/// After a kill in the middle of an accept the lock is still there: the files are accepted, the commit is not made, and
/// both are said.
#[test]
fn a_lock_that_a_kill_left_is_reported_by_the_accept_that_it_hinders() {
    let mut scene = scene();
    let before = head(&scene);
    waiting_hook(&scene.world);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| accept(&scene));
        wait("the hook has begun", || scene.world.home.path("begun").exists()).unwrap();
        scene.kill();
        assert!(matches!(asked.join().unwrap(), Came::Cut));
    });
    // All of it is killed, as by the machine's end: git first, so that nothing of it cleans up.
    for process in gits_in(&scene.world) {
        let _ = rustix::process::kill_process(crate::world::process(process), rustix::process::Signal::KILL);
    }
    std::fs::write(scene.world.home.path("go"), "").unwrap();
    assert!(scene.world.path(".git/index.lock").exists());
    scene.heal().unwrap();
    wait("the accept is settled", || last_accept(&scene).is_some()).unwrap();
    let end = last_accept(&scene).unwrap();
    let message = end["data"]["message"].as_str().unwrap_or_default();
    assert!(end["outcome"] == "done" && message.contains("not committed") && message.contains("index.lock"), "{end}");
    assert_eq!(scene.world.read("one.txt").as_deref(), Some("eins\n"));
    assert_eq!(head(&scene), before);
    std::fs::remove_file(scene.world.path(".git/index.lock")).unwrap();
    assert_eq!(scene.world.git(&["fsck", "--strict", "--no-dangling"]), "");
    scene.check().unwrap();
    scene.rest().unwrap();
}

/// The processes named git whose directory is the workspace.
fn gits_in(world: &World) -> Vec<u32> {
    let workspace = std::fs::canonicalize(world.home.workspace()).unwrap();
    let all =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|pid: &u32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name == "git\n" && std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|at| at == workspace)
    })
    .collect()
}

/// The user commits while the accept is in its hook: whichever comes first, both commits are whole or ours is said not
/// to be made.
#[test]
fn a_commit_of_the_users_own_in_the_middle_is_kept() {
    let scene = scene();
    let before = head(&scene);
    waiting_hook(&scene.world);
    let came = std::thread::scope(|scope| {
        let asked = scope.spawn(|| accept(&scene));
        wait("the hook has begun", || scene.world.home.path("begun").exists()).unwrap();
        // The index is locked, so the user's commit is made without it, as by a tool of his.
        let tree = scene.world.git(&["rev-parse", "HEAD^{tree}"]);
        let theirs = scene.world.git(&["commit-tree", "-p", "HEAD", "-m", "the user's", tree.trim()]);
        scene.world.git(&["update-ref", "HEAD", theirs.trim()]);
        std::fs::write(scene.world.home.path("go"), "").unwrap();
        asked.join().unwrap()
    });
    let Came::Done(accepted) = came else { panic!("{came:?}") };
    assert_eq!(accepted["outcome"], "done", "{accepted}");
    let subjects = scene.world.git(&["log", "--format=%s", &format!("{before}..HEAD")]);
    match accepted["commit"]["id"].as_str() {
        Some(id) => assert_eq!((id, subjects.as_str()), (head(&scene).as_str(), "one\nthe user's\n")),
        None => {
            assert!(accepted["message"].as_str().unwrap().contains("not committed"), "{accepted}");
            assert_eq!(subjects, "the user's\n");
        }
    }
    assert!(!scene.world.path(".git/index.lock").exists());
    assert_eq!(scene.world.read("one.txt").as_deref(), Some("eins\n"));
    assert_eq!(scene.world.git(&["fsck", "--strict", "--no-dangling"]), "");
    // New files of the commit that was not made are not left entered in the index.
    let entered = scene.world.git(&["ls-files", "one.txt"]);
    assert_eq!(entered.is_empty(), accepted["commit"].is_null(), "{entered}");
    scene.rest().unwrap();
}
