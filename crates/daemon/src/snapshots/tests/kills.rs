//! Killed at any step of a restore, and again at any step of what brings it to its end: there is the whole old state or
//! the whole new one.
//!
//! And one that nobody wants any more before it counts leaves the old state and nothing beside it.
//!
//! The point before each durable step ends the restore by a panic; nothing of a restore is done while a panic
//! passes through it, so what lies there then is what a kill would have left.

use super::world::{World, any};
use crate::snapshots::restore::{
    Chosen, Finished, RestoreError, Root, Roots, finish, finish_with, kept, restore, restore_to, undo,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

/// What a kill is here.
struct Killed;

/// Runs something that is killed at its `n`th point; true when it came to its end.
fn until(n: usize, job: impl FnOnce(&dyn Fn(&'static str))) -> bool {
    let left = Cell::new(n);
    let point = |_: &'static str| match left.get() {
        0 => resume_unwind(Box::new(Killed)),
        more => left.set(more - 1),
    };
    match catch_unwind(AssertUnwindSafe(|| job(&point))) {
        Ok(()) => true,
        Err(cause) if cause.is::<Killed>() => false,
        Err(cause) => resume_unwind(cause),
    }
}

/// The replaced state that was kept last.
fn newest(world: &World) -> String {
    kept(&world.state()).unwrap().pop().unwrap()
}

type Live = BTreeMap<PathBuf, Vec<u8>>;

/// A fresh copy of a state directory, whose paths stand where the other's stand.
fn copy_of(world: &World) -> World {
    let dir = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp").arg("-a").arg(world.state()).arg(dir.path()).status().unwrap();
    assert!(copied.success());
    World { dir }
}

/// The state by names within its directory.
fn live(world: &World) -> Live {
    let inner = |path: PathBuf| path.strip_prefix(world.state()).unwrap().to_owned();
    world.live().into_iter().map(|(path, bytes)| (inner(path), bytes)).collect()
}

#[tokio::test]
async fn no_kill_of_a_restore_leaves_half_a_state() {
    let template = World::new(2).await;
    template.snapshot(1, Some("words")).await;
    template.say(1..=2, "later").await;
    std::fs::write(template.state().join("keys/openai"), "a newer key").unwrap();
    std::fs::write(template.state().join("journal.db-wal"), "").unwrap();
    let old = live(&template);
    let whole = copy_of(&template);
    let snapshot = |world: &World| {
        let mut entries = std::fs::read_dir(world.state().join("snapshots")).unwrap();
        let roots = Roots::new(vec![Root::parse("/there=/here").unwrap()], None, None).unwrap();
        Chosen { roots, ..any(&entries.next().unwrap().unwrap().path()) }
    };
    let restored = restore(&whole.state(), &snapshot(&whole), Some("words"), &|| true, &|_| {}).unwrap();
    let new = live(&whole);
    assert_ne!(old, new);
    assert_eq!(
        new.keys().map(|path| path.to_str().unwrap()).collect::<Vec<_>>(),
        ["journal.db", "keys/openai", "roots.json"]
    );
    assert!(restored.aside.unwrap().join("canvas/a.git/HEAD").exists());

    let (mut kills, mut olds, mut news) = (0, 0, 0);
    for first in 0.. {
        let world = copy_of(&template);
        let ended = until(first, |point| {
            restore(&world.state(), &snapshot(&world), Some("words"), &|| true, point).unwrap();
        });
        if ended {
            assert_eq!(live(&world), new);
            break;
        }
        // What brings it to its end is killed as well, at each of its own steps.
        for second in 0.. {
            let again = copy_of(&world);
            let ended = until(second, |point| {
                finish_with(&again.state(), point).unwrap();
            });
            kills += 1;
            let finished = finish(&again.state()).unwrap();
            assert!(!ended || finished == Finished::Nothing, "kill {first}: the end left something to do");
            let now = live(&again);
            assert!(now == old || now == new, "kill {first}, {second}: neither the old state nor the new one");
            assert!(!again.state().join("restore.json").exists() && !again.state().join("restore.new").exists());
            if now == old {
                olds += 1
            } else {
                news += 1
            }
            if now == new && ended {
                // And back: what was replaced is whole.
                undo(&again.state(), &newest(&again), &|_| {}).unwrap();
                assert_eq!(live(&again), old, "kill {first}: what was kept is not the old state");
            }
            if ended {
                break;
            }
        }
    }
    println!("killed restores: {kills} kills at every step twice over, {olds} old states, {news} new ones, 0 halves");
    assert!(olds > 0 && news > 0);
}

#[tokio::test]
async fn no_kill_of_an_undo_leaves_half_a_state() {
    let template = World::new(2).await;
    let path = template.snapshot(1, None).await;
    template.say(1..=2, "later").await;
    let before = live(&template);
    restore(&template.state(), &any(&path), None, &|| true, &|_| {}).unwrap();
    let after = live(&template);
    let (mut kills, mut done) = (0, 0);
    for first in 0.. {
        let world = copy_of(&template);
        let ended = until(first, |point| drop(undo(&world.state(), &newest(&world), point).unwrap()));
        kills += 1;
        finish(&world.state()).unwrap();
        let now = live(&world);
        assert!(now == before || now == after, "kill {first}: neither");
        done += usize::from(now == before);
        if ended {
            assert_eq!(now, before);
            // The other way round again.
            undo(&world.state(), &newest(&world), &|_| {}).unwrap();
            assert_eq!(live(&world), after);
            break;
        }
    }
    println!("killed undos: {kills} kills at every step, {done} of them done, 0 halves");
}

#[tokio::test]
async fn one_that_nobody_wants_any_more_changes_nothing() {
    let template = World::new(2).await;
    let path = template.snapshot(1, Some("words")).await;
    template.say(1..=2, "later").await;
    let old = live(&template);
    let mut asked_in_all = 0;
    for most in 0.. {
        let world = copy_of(&template);
        let (asked, to) = (Cell::new(0), world.dir.path().join("elsewhere"));
        let wanted = || asked.replace(asked.get() + 1) < most;
        let restored = restore(&world.state(), &any(&path), Some("words"), &wanted, &|_| {});
        if restored.is_ok() {
            assert_ne!(live(&world), old);
            break;
        }
        asked_in_all += 1;
        assert!(matches!(restored, Err(RestoreError::Stopped)), "{restored:?}");
        assert_eq!(live(&world), old, "asked {most} times");
        assert!(!world.state().join("restore.new").exists() && kept(&world.state()).unwrap().is_empty());
        asked.set(0);
        let filled = restore_to(&to, &any(&path), Some("words"), &wanted, &|_| {});
        assert!(matches!(filled, Err(RestoreError::Stopped)), "{filled:?}");
        assert_eq!(std::fs::read_dir(world.dir.path()).unwrap().count(), 1, "only the state is there");
    }
    assert!(asked_in_all > 3);
}

#[tokio::test]
async fn each_state_that_is_kept_can_be_put_back() {
    let world = World::new(1).await;
    let path = world.snapshot(1, None).await;
    let mut states = Vec::new();
    for words in ["first", "second", "third", "fourth"] {
        world.say([1], words).await;
        let state = live(&world);
        restore(&world.state(), &any(&path), None, &|| true, &|_| {}).unwrap();
        states.push(state);
    }
    let names = kept(&world.state()).unwrap();
    assert_eq!(names.len(), 3, "{names:?}");
    for (name, state) in names.iter().zip(&states[1..]) {
        undo(&world.state(), name, &|_| {}).unwrap();
        assert_eq!(&live(&world), state, "{name}");
        assert_eq!(kept(&world.state()).unwrap().len(), 3);
        assert!(matches!(undo(&world.state(), name, &|_| {}), Err(RestoreError::NothingKept(_))));
    }
}
