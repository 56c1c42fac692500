//! What events make of a canvas: overlay, rewind, redo, reject, and the user's changes beneath.

use crate::world::*;
use agent::{Event, Micros, Seq, ToolOutcome};
use canvas::*;
use wire::*;

const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

#[test]
fn a_change_shows_in_the_view_and_not_in_the_work_tree() {
    let mut world = World::new();
    world.save("a.txt", "live");
    world.write("a.txt", "changed");
    world.edit(&[("new/deep/b.txt", Some(regular("b"))), ("gone.txt", None)]);
    assert_eq!(world.text("a.txt").unwrap(), "changed");
    assert_eq!(world.on_disk("a.txt").unwrap(), b"live");
    assert_eq!(world.view().read(&path("new/deep"), 1).unwrap(), Found::Directory);
    let names = |at: Option<&str>| -> Vec<String> {
        let listed = world.view().list(at.map(path).as_ref()).unwrap();
        listed.into_iter().map(|entry| entry.name).collect()
    };
    assert_eq!(names(None), ["a.txt", "new"]);
    assert_eq!(names(Some("new")), ["deep"]);
    assert_eq!(world.fold.pending().len(), 2);
}

#[test]
fn a_file_in_place_of_a_directory_hides_it_and_the_other_way_round() {
    let mut world = World::new();
    world.save("dir/inner.txt", "x");
    world.save("file", "y");
    world.edit(&[("dir/inner.txt", None), ("dir", Some(regular("now a file")))]);
    world.edit(&[("file", None), ("file/inner.txt", Some(regular("z")))]);
    assert_eq!(world.text("dir").unwrap(), "now a file");
    assert_eq!(world.read("dir/other.txt"), None);
    assert!(world.view().list(Some(&path("dir"))).is_err());
    assert_eq!(world.view().read(&path("file"), 9).unwrap(), Found::Directory);
    let kinds: Vec<_> = world.view().list(None).unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::File(10), EntryKind::Directory]);
    assert_eq!(world.view().list(Some(&path("file"))).unwrap().len(), 1);
}

#[test]
fn what_was_seen_is_told_apart_from_what_was_never_looked_at() {
    let mut world = World::new();
    let state = regular("a").state();
    let seen = |name: &str, state| body::Seen { path: path(name), state };
    world.tool(Vec::new(), vec![seen("a", Some(state)), seen("none", None)]);
    assert_eq!(world.view().seen(&path("a")), Some(Some(state.blob)));
    assert_eq!(world.view().seen(&path("none")), Some(None));
    assert_eq!(world.view().seen(&path("other")), None);
    world.write("a", "written");
    assert_eq!(world.view().seen(&path("a")), Some(Some(BlobHash::of(b"written"))));
}

#[test]
fn rewind_and_redo_go_along_the_steps_and_an_edit_cuts_the_way_forward() {
    let mut world = World::new();
    world.save("a", "0");
    let first = world.write("a", "1");
    let second = world.write("a", "2");
    world.edit(&[("b", Some(regular("b"))), ("a", Some(regular("3")))]);
    world.rewind(first);
    assert_eq!((world.text("a").unwrap().as_str(), world.read("b")), ("1", None));
    assert_eq!(world.fold.position(), first);
    world.redo(second);
    assert_eq!(world.text("a").unwrap(), "2");
    world.rewind(Seq(0));
    assert_eq!(world.text("a").unwrap(), "0");
    assert!(world.fold.pending().is_empty());
    assert_eq!(world.fold.next_redo(), Ok(Some(first)));
    world.write("a", "other way");
    let blobs = world.store.blobs();
    assert!(matches!(world.fold.redo(second, &blobs), Err(MoveError::NotUndone(_))));
    assert!(matches!(world.fold.rewind(second, &blobs), Err(MoveError::NotInForce(_))));
    assert_eq!(world.fold.previous(), Ok(Some(Seq(0))));
}

#[test]
fn what_the_user_changes_meanwhile_is_taken_over_and_outlives_a_rewind() {
    let mut world = World::new();
    world.save("a", LINES);
    let first = world.write("a", &LINES.replace("one", "ONE"));
    let second = world.write("a", &LINES.replace("one", "ONE").replace("two", "TWO"));
    world.save("a", LINES.replace("seven", "SEVEN"));
    assert_eq!(world.border(), Vec::<String>::new());
    assert_eq!(world.text("a").unwrap(), LINES.replace("one", "ONE").replace("two", "TWO").replace("seven", "SEVEN"));
    world.write("a", &world.text("a").unwrap().replace("four", "FOUR"));
    world.rewind(first);
    assert_eq!(world.text("a").unwrap(), LINES.replace("one", "ONE").replace("seven", "SEVEN"));
    world.redo(second);
    assert_eq!(world.text("a").unwrap(), LINES.replace("one", "ONE").replace("two", "TWO").replace("seven", "SEVEN"));
    world.rewind(Seq(0));
    assert_eq!(world.text("a").unwrap(), LINES.replace("seven", "SEVEN"));
    assert!(world.fold.pending().is_empty(), "nothing of the session is left: {:?}", world.fold.pending());
}

#[test]
fn what_does_not_merge_is_shown_and_two_ways_lead_out() {
    let mut world = World::new();
    for name in ["a", "dir/b", "dir/c"] {
        world.save(name, "base\n");
        world.write(name, "session\n");
        world.save(name, "user\n");
    }
    assert_eq!(world.border(), ["a", "dir/b", "dir/c"]);
    assert_eq!(world.text("a").unwrap(), "session\n");
    world.reject(&[path("a")]);
    assert_eq!(world.text("a").unwrap(), "user\n");
    assert_eq!(world.keep(&[path("a")]), Err(KeepError::NotInConflict(path("a"))));
    world.keep(&[path("dir/b")]).unwrap();
    assert_eq!(world.border(), ["dir/c"], "what was not chosen is still in conflict");
    world.keep(&[]).unwrap();
    assert_eq!(world.border(), Vec::<String>::new());
    assert_eq!(world.keep(&[]), Err(KeepError::Nothing));
    assert_eq!(world.text("dir/b").unwrap(), "session\n");
    assert_eq!(world.accept(&Selection::All).outcome, agent::AcceptOutcome::Done);
    assert_eq!(world.on_disk("dir/b").unwrap(), b"session\n");
    world.undo_accept();
    assert_eq!(world.on_disk("dir/b").unwrap(), b"user\n", "what the user had is kept in the journal");
}

#[test]
fn a_file_of_the_user_that_is_too_large_for_the_journal_is_not_decided_over() {
    let mut world = World::new();
    world.save("a", "base");
    world.write("a", "session");
    world.save("a", vec![b'x'; ReadLimits::default().max_file_bytes as usize + 1]);
    assert_eq!(world.border(), ["a"]);
    assert_eq!(world.keep(&[]), Err(KeepError::TooLarge(path("a"))));
    world.save("a", "smaller");
    world.keep(&[path("a")]).unwrap();
    assert_eq!(world.border(), Vec::<String>::new());
}

/// The user deleted what the session changed, and changed what it deleted: keeping is an answer to both.
#[test]
fn what_the_session_has_is_kept_over_a_deletion_and_as_one() {
    let mut world = World::new();
    for name in ["changed", "deleted"] {
        world.save(name, "base\n");
    }
    world.edit(&[("changed", Some(regular("session\n"))), ("deleted", None)]);
    std::fs::remove_file(world.at.join("changed")).unwrap();
    world.save("deleted", "user\n");
    assert_eq!(world.border(), ["changed", "deleted"]);
    world.keep(&[]).unwrap();
    assert_eq!(world.border(), Vec::<String>::new());
    assert_eq!(world.accept(&Selection::All).outcome, agent::AcceptOutcome::Done);
    assert_eq!((world.on_disk("changed").unwrap(), world.on_disk("deleted")), (b"session\n".to_vec(), None));
    assert_eq!(world.replayed(), world.fold);
}

#[test]
fn when_the_user_did_the_same_there_is_nothing_left_to_accept() {
    let mut world = World::new();
    world.save("a", "base");
    world.write("a", "same");
    world.edit(&[("b", Some(regular("new")))]);
    world.save("a", "same");
    world.save("b", "new");
    assert_eq!(world.border(), Vec::<String>::new());
    assert!(world.fold.pending().is_empty());
    assert!(matches!(plan(&world.fold, &Selection::All), Err(PlanError::Nothing)));
}

#[test]
fn a_path_is_live_again_after_accept_and_its_next_change_finds_a_new_base() {
    let mut world = World::new();
    world.save("a", "0");
    world.write("a", "1");
    world.accept(&Selection::All);
    world.save("a", "1 and the user");
    assert_eq!(world.text("a").unwrap(), "1 and the user");
    let last = world.write("a", "2");
    assert_eq!(world.fold.pending()[0].before, Some(regular("1 and the user").state()));
    let back = world.fold.previous().unwrap().unwrap();
    assert!(back < last);
    world.rewind(back);
    assert_eq!(world.text("a").unwrap(), "1 and the user");
}

#[test]
fn a_step_that_contradicts_what_came_after_is_not_taken_back() {
    let mut world = World::new();
    world.save("a", "0\n");
    world.write("a", "1\n");
    world.accept(&Selection::All);
    world.save("a", "user\n");
    let last = world.write("a", "2\n");
    let error = world.fold.rewind(Seq(0), &world.store.blobs()).unwrap_err();
    assert!(matches!(&error, MoveError::Conflict { path, .. } if path.as_str() == "a"), "{error}");
    assert_eq!(world.fold.position(), last);
}

#[test]
fn odd_and_forgotten_bodies_change_nothing() {
    let mut world = World::new();
    world.write("a", "1");
    let before = world.fold.clone();
    let events = [
        Event::CanvasRebased { changed: 1 },
        Event::CanvasRewound { to: Seq(99), changed: 1 },
        Event::CanvasRejected { changed: 1 },
    ];
    for event in events {
        for body in ["", "null", "[]", r#"{"changes":[{"path":"../x","before":null,"after":null}]}"#, "{\"changes\":7}"]
        {
            world.append(event.clone(), body.to_owned());
        }
    }
    assert_eq!((before.pending(), before.steps()), (world.fold.pending(), world.fold.steps()));
}

#[test]
fn what_a_stopped_tool_did_is_not_applied_and_known_events_are_not_applied_twice() {
    let mut world = World::new();
    world.write("a", "1");
    let (seq, at, event, body) = world.journal[0].clone();
    let Event::ToolFinished { turn, effect, tokens, changed, .. } = event.clone() else { unreachable!() };
    let once = world.fold.clone();
    world.fold.apply(seq, at, &event, &body);
    assert_eq!(world.fold, once);
    for outcome in [ToolOutcome::Cancelled, ToolOutcome::Interrupted, ToolOutcome::Unknown] {
        let mut fold = Fold::default();
        fold.apply(Seq(1), Micros(0), &Event::ToolFinished { turn, effect, outcome, tokens, changed }, &body);
        assert!(fold.pending().is_empty() && fold.steps().is_empty());
    }
}
