//! Accept: what it writes, what stands in its way, and how it is taken back.

use crate::world::*;
use agent::AcceptOutcome::{Conflict, Done, Failed};
use canvas::*;
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use wire::*;

#[test]
fn accept_writes_what_the_canvas_has_and_undo_brings_back_what_was() {
    let mut world = World::new();
    world.save("kept/changed", "before");
    world.save("gone/only", "before");
    world.save("script", "#!/bin/sh\n");
    symlink("kept/changed", world.at.join("link")).unwrap();
    let link = |target: &str| Some(Contents { bytes: target.into(), mode: Mode::Symlink });
    let script = Contents { bytes: b"#!/bin/sh\n".to_vec(), mode: Mode::Executable };
    world.edit(&[
        ("kept/changed", Some(regular("after"))),
        ("gone/only", None),
        ("new/deep/file", Some(regular("made"))),
        ("script", Some(script)),
        ("link", link("script")),
        ("other-link", link("nowhere")),
    ]);
    let accepted = world.accept(&Selection::All);
    assert_eq!((accepted.outcome, accepted.end.message), (Done, None));
    assert_eq!(world.on_disk("kept/changed").unwrap(), b"after");
    assert!(!world.at.join("gone").exists(), "a directory that was emptied goes, as in git");
    assert_eq!(world.on_disk("new/deep/file").unwrap(), b"made");
    assert_eq!(std::fs::metadata(world.at.join("script")).unwrap().mode() & 0o111, 0o111);
    assert_eq!(std::fs::read_link(world.at.join("link")).unwrap().to_str(), Some("script"));
    assert_eq!(std::fs::read_link(world.at.join("other-link")).unwrap().to_str(), Some("nowhere"));
    assert!(world.fold.pending().is_empty() && world.litter().is_empty());

    assert_eq!(world.undo_accept().outcome, Done);
    assert_eq!(world.on_disk("kept/changed").unwrap(), b"before");
    assert_eq!(world.on_disk("gone/only").unwrap(), b"before");
    assert!(!world.at.join("new").exists());
    assert_eq!(std::fs::metadata(world.at.join("script")).unwrap().mode() & 0o111, 0);
    assert_eq!(std::fs::read_link(world.at.join("link")).unwrap().to_str(), Some("kept/changed"));
    assert!(std::fs::symlink_metadata(world.at.join("other-link")).is_err());
    assert_eq!(world.fold.pending().len(), 6, "the canvas still has it all");
    assert!(!world.fold.is_undoable() && world.litter().is_empty());
    assert_eq!(world.accept(&Selection::All).outcome, Done);
}

#[test]
fn only_what_is_selected_is_written() {
    let mut world = World::new();
    world.edit(&[("a/1", Some(regular("1"))), ("a/2", Some(regular("2"))), ("ab", Some(regular("3")))]);
    assert_eq!(world.accept(&Selection::Paths(vec![path("a")])).outcome, Done);
    assert_eq!(world.on_disk("ab"), None);
    assert_eq!(world.fold.pending().len(), 1);
    let missing = plan(&world.fold, &Selection::Paths(vec![path("ab"), path("zz")]));
    assert!(matches!(missing, Err(PlanError::NotPending(p)) if p == path("zz")));
}

#[test]
fn permissions_of_a_replaced_file_stay() {
    let mut world = World::new();
    world.save("private", "before");
    std::fs::set_permissions(world.at.join("private"), std::fs::Permissions::from_mode(0o640)).unwrap();
    world.write("private", "after");
    world.accept(&Selection::All);
    assert_eq!(std::fs::metadata(world.at.join("private")).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn a_file_changed_since_stops_all_and_everything_is_as_it_was() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.save(name, "before");
    }
    world.edit(&[("a", Some(regular("1"))), ("b", None), ("c", Some(regular("3"))), ("n/e/w", Some(regular("4")))]);
    let plan = world.plan(&Selection::All);
    world.save("c", "the user's");
    let accepted = world.execute(&plan);
    assert_eq!((accepted.outcome, accepted.end.path), (Conflict, Some(path("c"))));
    assert!(accepted.end.bases.is_empty());
    assert_eq!(world.on_disk("a").unwrap(), b"before");
    assert_eq!(world.on_disk("b").unwrap(), b"before");
    assert_eq!(world.on_disk("c").unwrap(), b"the user's");
    assert!(!world.at.join("n").exists() && world.litter().is_empty());
}

/// The user saves into the last file after everything else was exchanged, by each of the ways that editors have.
#[test]
fn a_file_saved_in_the_middle_of_an_accept_is_never_lost() {
    for rename in [false, true] {
        for kind in ["change", "delete", "create"] {
            let mut world = World::new();
            world.save("a", "before");
            world.save("b", "before");
            let last = if kind == "create" { "c" } else { "b" };
            let after = (kind != "delete").then(|| regular("after"));
            world.edit(&[("a", if kind == "delete" { None } else { Some(regular("after")) }), (last, after)]);
            let plan = world.plan(&Selection::All);
            let mut saved = false;
            let accepted = execute(&world.tree, &plan, &world.store.blobs(), &mut |stage| {
                if stage == Stage::Checked(&path("a")) && !saved {
                    saved = true;
                    if rename {
                        world.save("beside", "saved by the user");
                        std::fs::rename(world.at.join("beside"), world.at.join(last)).unwrap();
                    } else {
                        world.save(last, "saved by the user");
                    }
                }
            });
            assert!(saved);
            let accepted = accepted.unwrap();
            assert_eq!((accepted.outcome, accepted.end.path), (Conflict, Some(path(last))), "{kind} {rename}");
            assert_eq!(world.on_disk("a").unwrap(), b"before");
            assert_eq!(world.on_disk(last).unwrap(), b"saved by the user");
            assert_eq!(world.litter(), Vec::<std::path::PathBuf>::new());
        }
    }
}

/// Between the exchange and the look at what came out: the old file is written through an open handle, the new one is
/// saved over. Neither is in the journal, so neither may be removed.
#[test]
fn bytes_that_the_journal_does_not_know_are_never_removed() {
    let mut world = World::new();
    world.save("a", "before");
    world.write("a", "after");
    let plan = world.plan(&Selection::All);
    let handle = std::fs::OpenOptions::new().append(true).open(world.at.join("a")).unwrap();
    let accepted = execute(&world.tree, &plan, &world.store.blobs(), &mut |stage| {
        if stage == Stage::Exchanged(&path("a")) {
            use std::io::Write;
            (&handle).write_all(b" and more").unwrap();
            world.save("a", "saved over");
        }
    })
    .unwrap();
    assert_eq!(accepted.outcome, Conflict);
    let left: Vec<Vec<u8>> = world.litter().iter().map(|at| std::fs::read(at).unwrap()).collect();
    let all: BTreeSet<Vec<u8>> = left.into_iter().chain(world.on_disk("a")).collect();
    assert_eq!(all, BTreeSet::from([b"before and more".to_vec(), b"saved over".to_vec()]));
    assert!(accepted.end.message.unwrap().contains(&plan.files[0].temporary));
}

#[test]
fn a_directory_takes_the_place_of_a_file_and_gives_it_back() {
    let mut world = World::new();
    world.save("x", "a file");
    world.save("z", "before");
    world.edit(&[("x", None), ("x/y/inner", Some(regular("deep"))), ("z", Some(regular("after")))]);
    let plan = world.plan(&Selection::All);
    let accepted = execute(&world.tree, &plan, &world.store.blobs(), &mut |stage| {
        if stage == Stage::Checked(&path("x/y/inner")) {
            world.save("z", "the user's");
        }
    });
    assert_eq!(accepted.unwrap().outcome, Conflict);
    assert_eq!(world.on_disk("x").unwrap(), b"a file");
    world.save("z", "before");
    assert_eq!(world.accept(&Selection::All).outcome, Done);
    assert_eq!(world.on_disk("x/y/inner").unwrap(), b"deep");
    assert_eq!(world.undo_accept().outcome, Done);
    assert_eq!(world.on_disk("x").unwrap(), b"a file");
    assert!(world.litter().is_empty());
}

#[test]
fn a_file_takes_the_place_of_a_directory_if_nothing_else_is_in_it() {
    let mut world = World::new();
    world.save("d/e/inner", "x");
    world.save("d/more", "y");
    world.edit(&[("d/e/inner", None), ("d/more", None), ("d", Some(regular("a file")))]);
    let plan = world.plan(&Selection::All);
    world.save("d/e/unknown", "the user's");
    let accepted = world.execute(&plan);
    assert_eq!((accepted.outcome, accepted.end.path), (Conflict, Some(path("d"))));
    let on_disk = |name| world.on_disk(name).map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(on_disk("d/e/inner").as_deref(), Some("x"));
    assert_eq!(on_disk("d/more").as_deref(), Some("y"));
    assert_eq!(on_disk("d/e/unknown").as_deref(), Some("the user's"));
    std::fs::remove_file(world.at.join("d/e/unknown")).unwrap();
    assert_eq!(world.accept(&Selection::All).outcome, Done);
    assert_eq!(world.on_disk("d").unwrap(), b"a file");
    assert_eq!(world.undo_accept().outcome, Done);
    assert_eq!(world.on_disk("d/e/inner").unwrap(), b"x");
    assert!(world.litter().is_empty());
}

#[test]
fn what_the_user_did_himself_stays_when_an_accept_is_taken_back() {
    let mut world = World::new();
    for name in ["changed", "deleted", "z"] {
        world.save(name, "before");
    }
    let after = || Some(regular("after"));
    world.edit(&[("changed", after()), ("deleted", None), ("made", after()), ("z", after())]);
    let plan = world.plan(&Selection::All);
    world.save("changed", "after");
    world.save("made", "after");
    std::fs::remove_file(world.at.join("deleted")).unwrap();
    world.save("z", "in the way");
    assert_eq!(world.execute(&plan).outcome, Conflict);
    assert_eq!(world.on_disk("changed").unwrap(), b"after");
    assert_eq!(world.on_disk("made").unwrap(), b"after");
    assert_eq!(world.on_disk("deleted"), None);
}

#[test]
fn an_accept_is_not_taken_back_over_what_the_user_did_since() {
    let mut world = World::new();
    world.save("a", "before");
    world.save("b", "before");
    world.edit(&[("a", Some(regular("after"))), ("b", Some(regular("after")))]);
    world.accept(&Selection::All);
    world.save("b", "after and more");
    let undone = world.undo_accept();
    assert_eq!((undone.outcome, undone.end.path), (Conflict, Some(path("b"))));
    assert_eq!(world.on_disk("a").unwrap(), b"after");
    assert_eq!(world.on_disk("b").unwrap(), b"after and more");
    assert!(world.fold.is_undoable());
}

#[test]
fn a_plan_with_a_name_of_somebody_else_or_with_damaged_bytes_does_nothing() {
    let mut world = World::new();
    world.save("a", "before");
    world.save("victim", "precious");
    world.write("a", "after");
    for name in ["../victim", "victim", ".tinkerbell-/../../x.tmp", ".tinkerbell-.tmp"] {
        let mut plan = world.plan(&Selection::All);
        plan.files[0].temporary = name.to_owned();
        assert_eq!(world.execute(&plan).outcome, Failed);
    }
    let damaged = Blobs::new(|_| Ok(b"something else".to_vec()));
    let plan = world.plan(&Selection::All);
    let accepted = execute(&world.tree, &plan, &damaged, &mut |_| {}).unwrap();
    assert_eq!(accepted.outcome, Failed);
    assert!(accepted.end.message.unwrap().contains("damaged"));
    assert_eq!(world.on_disk("a").unwrap(), b"before");
    assert_eq!(world.on_disk("victim").unwrap(), b"precious");
    assert!(world.litter().is_empty());
}

#[test]
fn doing_a_plan_again_changes_nothing() {
    let mut world = World::new();
    world.save("a", "before");
    world.edit(&[("a", Some(regular("after"))), ("n", Some(regular("new")))]);
    let plan = world.plan(&Selection::All);
    let first = world.execute(&plan);
    let print = || std::fs::metadata(world.at.join("a")).map(|m| (m.ino(), m.mtime_nsec())).unwrap();
    let before = print();
    assert_eq!(verify(&world.tree, &plan, &world.store.blobs()).unwrap(), first);
    assert_eq!(before, print());
}
