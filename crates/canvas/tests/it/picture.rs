//! Git's picture: read by plain git, the same whenever it is made, and never in the way.

use crate::world::*;
use agent::{Seq, SessionId};
use canvas::*;
use wire::*;

fn session(n: u128) -> SessionId {
    SessionId::from_parts(1_764_000_000_000, n)
}

fn history() -> World {
    let mut world = World::new();
    world.save("src/a.rs", "one\ntwo\nthree\nfour\nfive\n");
    world.save("b.txt", "b");
    world.write("src/a.rs", "ONE\ntwo\nthree\nfour\nfive\n");
    let script = Contents { bytes: b"#!/bin/sh\n".to_vec(), mode: Mode::Executable };
    let link = Contents { bytes: b"src/a.rs".to_vec(), mode: Mode::Symlink };
    let second = world.edit(&[("run", Some(script)), ("link", Some(link)), ("b.txt", None)]);
    world.save("src/a.rs", "one\ntwo\nthree\nfour\nFIVE\n");
    world.border();
    world.write("new/deep/c", "c");
    world.rewind(second);
    world.accept(&Selection::Paths(vec![path("run")]));
    world.reject(&[path("link")]);
    world.edit(&[("new", Some(regular("a file now")))]);
    world
}

#[test]
fn plain_git_reads_what_the_canvas_says() {
    let world = history();
    let picture = Picture::new(world.outside().join("picture"));
    let drawn = picture.draw(session(1), &world.fold, &world.store.blobs()).unwrap();
    let branch = session(1).to_string();
    let at = picture.directory();
    let log = git(at, &["log", "--reverse", "--format=%H %an <%ae> %at %s", &branch]);
    let expected: String = drawn
        .iter()
        .map(|commit| {
            let Commit { id, title, at, .. } = commit;
            format!("{id} tinkerbell <tinkerbell@localhost> {} {title}\n", at.0 / 1_000_000)
        })
        .collect();
    assert_eq!(log, expected);
    let kinds: Vec<&str> = drawn.iter().map(|commit| commit.kind).collect();
    let expected = ["base", "edit", "base", "edit", "rebase", "edit", "rewind", "accept", "reject", "edit"];
    assert_eq!(kinds, expected);
    let listed = git(at, &["ls-tree", "-r", "--format=%(objectmode) %(path)", &branch]);
    assert_eq!(listed, "100644 new\n100755 run\n100644 src/a.rs\n");
    assert_eq!(git(at, &["show", &format!("{branch}:src/a.rs")]), "ONE\ntwo\nthree\nfour\nFIVE\n");
    // A base commit makes the diff of the step that follows honest.
    let stat = git(at, &["show", "--format=", "--numstat", &drawn[1].id]);
    assert_eq!(stat, "1\t1\tsrc/a.rs\n");
    assert_eq!(git(at, &["fsck", "--strict", "--full"]), "");
    assert_eq!(picture.log(session(1), &world.fold, &world.store.blobs()).unwrap(), drawn);
}

#[test]
fn drawn_at_once_or_step_by_step_or_again_it_has_the_same_ids() {
    let world = history();
    let blobs = world.store.blobs();
    let whole = Picture::new(world.outside().join("whole"));
    let at_once = whole.draw(session(1), &world.fold, &blobs).unwrap();
    assert!(whole.draw(session(1), &world.fold, &blobs).unwrap().is_empty(), "only what is missing is drawn");
    let stepwise = Picture::new(world.outside().join("stepwise"));
    let mut fold = Fold::default();
    let mut commits = Vec::new();
    for (seq, at, event, body) in &world.journal {
        fold.apply(*seq, *at, event, body);
        commits.extend(stepwise.draw(session(1), &fold, &blobs).unwrap());
    }
    assert_eq!(commits, at_once);
    whole.erase().unwrap();
    assert!(!whole.directory().exists());
    assert_eq!(whole.draw(session(1), &world.fold, &blobs).unwrap(), at_once);
    assert_eq!(whole.draw(session(2), &world.fold, &blobs).unwrap(), at_once, "another session, another branch");
}

#[test]
fn a_broken_picture_is_drawn_again() {
    let world = history();
    let blobs = world.store.blobs();
    let picture = Picture::new(world.outside().join("picture"));
    let drawn = picture.draw(session(1), &world.fold, &blobs).unwrap();
    let at = picture.directory();
    let branch = Picture::branch(session(1));
    let packs = || -> Vec<_> {
        let found = std::fs::read_dir(at.join("objects/pack")).unwrap().flatten().map(|entry| entry.path());
        found.filter(|at| at.extension().is_some_and(|kind| kind == "pack")).collect()
    };
    type Damage<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let damages: Vec<Damage<'_>> = vec![
        ("the branch is gone", Box::new(|| std::fs::remove_file(at.join(&branch)).unwrap())),
        ("the branch is empty", Box::new(|| std::fs::write(at.join(&branch), "").unwrap())),
        ("a pack is cut", Box::new(|| packs().iter().for_each(|pack| std::fs::write(pack, "PACK").unwrap()))),
        ("HEAD is gone", Box::new(|| std::fs::remove_file(at.join("HEAD")).unwrap())),
        ("objects are gone", Box::new(|| std::fs::remove_dir_all(at.join("objects")).unwrap())),
        (
            "somebody committed",
            Box::new(|| {
                let tree = git(at, &["rev-parse", &format!("{branch}^{{tree}}")]);
                let commit = git(at, &["commit-tree", "-m", "mine", tree.trim()]);
                git(at, &["update-ref", &branch, commit.trim()]);
            }),
        ),
    ];
    for (what, damage) in damages {
        damage();
        assert_eq!(picture.log(session(1), &world.fold, &blobs).unwrap(), drawn, "{what}");
        assert_eq!(
            git(at, &["fsck", "--strict", "--full"]).replace("dangling", "").matches("error").count(),
            0,
            "{what}"
        );
    }
}

/// R11: a lock that a killed git step left behind.
#[test]
fn a_leftover_lock_does_not_stop_the_next_drawing() {
    let mut world = history();
    let picture = Picture::new(world.outside().join("picture"));
    picture.draw(session(1), &world.fold, &world.store.blobs()).unwrap();
    let lock = picture.directory().join(format!("{}.lock", Picture::branch(session(1))));
    std::fs::write(&lock, "").unwrap();
    world.write("b.txt", "more");
    let log = picture.log(session(1), &world.fold, &world.store.blobs()).unwrap();
    assert_eq!(log.last().unwrap().seq, world.fold.head());
    assert!(!lock.exists());
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let world = history();
    let at = world.outside().join("theirs");
    std::fs::create_dir(&at).unwrap();
    std::fs::write(at.join("thesis.tex"), "years of work").unwrap();
    let picture = Picture::new(at.clone());
    let refused = picture.draw(session(1), &world.fold, &world.store.blobs());
    assert!(matches!(refused, Err(PictureError::Foreign(_))));
    assert!(matches!(picture.erase(), Err(PictureError::Foreign(_))));
    assert!(at.join("thesis.tex").exists());
}

#[test]
fn a_file_whose_bytes_were_forgotten_is_left_out() {
    let mut world = World::new();
    world.edit(&[("a", Some(regular("secret"))), ("b", Some(regular("b")))]);
    world.store.forget(b"secret");
    let picture = Picture::new(world.outside().join("picture"));
    picture.draw(session(1), &world.fold, &world.store.blobs()).unwrap();
    assert_eq!(git(picture.directory(), &["ls-tree", "--name-only", &session(1).to_string()]), "b\n");
}

/// What the user does with his own repository is his business: nothing of ours is in it, nothing of ours depends on it.
#[test]
fn the_users_amend_and_gc_change_nothing() {
    let mut world = World::new();
    git(&world.at, &["init", "-q"]);
    world.save("a", "committed\n");
    git(&world.at, &["add", "-A"]);
    git(&world.at, &["commit", "-qm", "first"]);
    world.write("a", "session\n");
    let picture = Picture::new(world.outside().join("picture"));
    let before = picture.log(session(1), &world.fold, &world.store.blobs()).unwrap();
    git(&world.at, &["commit", "-q", "--amend", "--allow-empty", "-m", "amended"]);
    git(&world.at, &["reflog", "expire", "--expire=now", "--all"]);
    git(&world.at, &["gc", "-q", "--prune=now"]);
    let head = git(&world.at, &["rev-parse", "HEAD"]);
    assert_eq!(picture.log(session(1), &world.fold, &world.store.blobs()).unwrap(), before);
    world.write("a", "session again\n");
    assert_eq!(world.accept(&Selection::All).outcome, agent::AcceptOutcome::Done);
    assert_eq!(git(&world.at, &["rev-parse", "HEAD"]), head);
    assert_eq!(git(&world.at, &["status", "--short"]), " M a\n");
    world.rewind(Seq(0));
    assert_eq!(world.text("a").unwrap(), "committed\n");
    assert_eq!(git(picture.directory(), &["fsck", "--strict"]), "");
    assert_eq!(git(&world.at, &["for-each-ref"]).lines().count(), 1);
}
