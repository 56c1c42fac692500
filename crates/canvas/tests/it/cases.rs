//! The table of cases: each kind of workspace and file is handled, or refused with a clear word.

use crate::world::*;
use agent::AcceptOutcome::{Conflict, Done, Failed};
use canvas::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use wire::*;

struct Case {
    name: &'static str,
    /// What is there before the session begins.
    before: fn(&World),
    /// What the session does to it.
    edit: fn() -> Vec<(&'static str, Option<Contents>)>,
    /// What the user does between the session's change and the accept.
    meanwhile: fn(&World),
    /// The outcome, and what must then be on disk.
    outcome: agent::AcceptOutcome,
    after: fn(&World),
}

fn nothing(_: &World) {}

fn one_change() -> Vec<(&'static str, Option<Contents>)> {
    vec![("sub/a.txt", Some(regular("changed\n")))]
}

fn is_changed(world: &World) {
    assert_eq!(world.on_disk("sub/a.txt").unwrap(), b"changed\n");
}

fn large() -> Vec<u8> {
    vec![b'x'; 9 << 20]
}

const CASES: &[Case] = &[
    Case {
        name: "a folder without a repository",
        before: |world| world.save("sub/a.txt", "a\n"),
        edit: one_change,
        meanwhile: nothing,
        outcome: Done,
        after: is_changed,
    },
    Case {
        name: "an empty folder",
        before: nothing,
        edit: one_change,
        meanwhile: nothing,
        outcome: Done,
        after: is_changed,
    },
    Case {
        name: "a repository without commits",
        before: |world| drop(git(&world.at, &["init", "-q"])),
        edit: one_change,
        meanwhile: nothing,
        outcome: Done,
        after: |world| {
            is_changed(world);
            assert_eq!(git(&world.at, &["status", "--short"]), "?? sub/\n");
        },
    },
    Case {
        name: "a sub-directory of a repository",
        before: |world| {
            git(world.outside(), &["init", "-q"]);
            world.save("sub/a.txt", "a\n");
            git(world.outside(), &["add", "root"]);
            git(world.outside(), &["commit", "-qm", "first"]);
        },
        edit: one_change,
        meanwhile: nothing,
        outcome: Done,
        after: |world| assert_eq!(git(world.outside(), &["status", "--short", "root"]), " M root/sub/a.txt\n"),
    },
    Case {
        name: "a symbolic link",
        before: |world| symlink("nowhere", world.at.join("link")).unwrap(),
        edit: || vec![("link", Some(Contents { bytes: b"elsewhere".to_vec(), mode: Mode::Symlink }))],
        meanwhile: nothing,
        outcome: Done,
        after: |world| assert_eq!(std::fs::read_link(world.at.join("link")).unwrap(), OsStr::new("elsewhere")),
    },
    Case {
        name: "a file behind a link that leads to another directory of the workspace",
        before: |world| {
            world.save("real/a", "a");
            symlink("real", world.at.join("alias")).unwrap();
        },
        edit: || vec![("alias/a", Some(regular("b")))],
        meanwhile: nothing,
        outcome: Failed,
        after: |world| assert_eq!(world.on_disk("real/a").unwrap(), b"a"),
    },
    Case {
        name: "an executable bit",
        before: |world| world.save("run", "#!/bin/sh\nexit 7\n"),
        edit: || vec![("run", Some(Contents { bytes: b"#!/bin/sh\nexit 7\n".to_vec(), mode: Mode::Executable }))],
        meanwhile: nothing,
        outcome: Done,
        after: |world| {
            let status = loop {
                // A child that another test starts may for a moment hold the file open to write.
                match std::process::Command::new(world.at.join("run")).status() {
                    Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                    status => break status.unwrap(),
                }
            };
            assert_eq!(status.code(), Some(7));
        },
    },
    Case {
        name: "CRLF, where git would like to convert",
        before: |world| {
            git(&world.at, &["init", "-q"]);
            git(&world.at, &["config", "core.autocrlf", "true"]);
            world.save("a.txt", "a\r\nb\r\n");
        },
        edit: || vec![("a.txt", Some(regular("a\r\nB\r\n")))],
        meanwhile: nothing,
        outcome: Done,
        after: |world| assert_eq!(world.on_disk("a.txt").unwrap(), b"a\r\nB\r\n"),
    },
    Case {
        name: "a binary file",
        before: |world| world.save("bin", [0, 159, 146, 150]),
        edit: || vec![("bin", Some(regular([0, 255, 0])))],
        meanwhile: nothing,
        outcome: Done,
        after: |world| assert_eq!(world.on_disk("bin").unwrap(), [0, 255, 0]),
    },
    Case {
        name: "a large file within the limit",
        before: |world| world.save("large", large()),
        edit: || vec![("large", Some(regular([large(), b"more".to_vec()].concat())))],
        meanwhile: nothing,
        outcome: Done,
        after: |world| assert_eq!(world.on_disk("large").unwrap().len(), large().len() + 4),
    },
    Case {
        name: "names that need care",
        before: nothing,
        edit: || vec![("-rf", Some(regular("a"))), ("a b\n\"c\"", Some(regular("b"))), ("ß/é", Some(regular("c")))],
        meanwhile: nothing,
        outcome: Done,
        after: |world| assert_eq!(world.on_disk("a b\n\"c\"").unwrap(), b"b"),
    },
    Case {
        name: "a file that the user changed elsewhere in it",
        before: |world| world.save("a", "1\n2\n3\n4\n5\n"),
        edit: || vec![("a", Some(regular("one\n2\n3\n4\n5\n")))],
        meanwhile: |world| world.save("a", "1\n2\n3\n4\nfive\n"),
        outcome: Done,
        after: |world| assert_eq!(world.on_disk("a").unwrap(), b"one\n2\n3\n4\nfive\n"),
    },
    Case {
        name: "a file that the user changed in the same place",
        before: |world| world.save("a", "1\n"),
        edit: || vec![("a", Some(regular("one\n")))],
        meanwhile: |world| world.save("a", "uno\n"),
        outcome: Conflict,
        after: |world| assert_eq!(world.on_disk("a").unwrap(), b"uno\n"),
    },
    Case {
        name: "a binary file that both changed",
        before: |world| world.save("a", b"\0\n1\n2\n3\n4\n"),
        edit: || vec![("a", Some(regular(b"\0\nI\n2\n3\n4\n")))],
        meanwhile: |world| world.save("a", b"\0\n1\n2\n3\nIV\n"),
        outcome: Conflict,
        after: |world| assert_eq!(world.on_disk("a").unwrap(), b"\0\n1\n2\n3\nIV\n"),
    },
    Case {
        name: "a file that the user deleted",
        before: |world| world.save("a", "1\n"),
        edit: || vec![("a", Some(regular("one\n")))],
        meanwhile: |world| std::fs::remove_file(world.at.join("a")).unwrap(),
        outcome: Conflict,
        after: |world| assert_eq!(world.on_disk("a"), None),
    },
    Case {
        name: "a new file where the user made a directory",
        before: nothing,
        edit: || vec![("a", Some(regular("one\n")))],
        meanwhile: |world| world.save("a/b", "theirs"),
        outcome: Conflict,
        after: |world| assert_eq!(world.on_disk("a/b").unwrap(), b"theirs"),
    },
];

#[test]
fn every_kind_of_workspace_and_file_is_handled_or_refused_with_a_word() {
    let session = agent::SessionId::from_parts(1, 1);
    for case in CASES {
        let mut world = World::new();
        (case.before)(&world);
        let edits = (case.edit)();
        world.edit(&edits);
        (case.meanwhile)(&world);
        world.border();
        let patch = diff(&world.fold.pending(), &world.store.blobs(), Binary::Whole).unwrap();
        assert!(patch.iter().all(|file| !file.patch.is_empty()), "{}", case.name);
        let picture = Picture::new(world.outside().join("picture"));
        picture.draw(session, &world.fold, &world.store.blobs()).unwrap();
        assert_eq!(git(picture.directory(), &["fsck", "--strict"]), "", "{}", case.name);
        let accepted = world.accept(&Selection::All);
        assert_eq!(accepted.outcome, case.outcome, "{}: {:?}", case.name, accepted.end.message);
        (case.after)(&world);
        assert!(world.litter().is_empty(), "{}", case.name);
        if case.outcome != Done {
            println!("{}: {}", case.name, accepted.end.message.unwrap());
        }
    }
    println!("{} cases", CASES.len());
}

#[test]
fn names_that_are_not_utf8_are_shown_and_out_of_reach() {
    let world = World::new();
    std::fs::write(world.at.join(OsStr::from_bytes(b"caf\xe9")), "latin").unwrap();
    world.save("plain", "x");
    let listed = world.view().list(None).unwrap();
    let shown: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.reachable)).collect();
    assert_eq!(shown, [("caf\u{fffd}", false), ("plain", true)]);
    assert_eq!(world.read("caf\u{fffd}"), None);
}

#[test]
fn a_file_above_the_limit_is_refused_with_its_size() {
    let world = World::new();
    let file = std::fs::File::create(world.at.join("huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    let refused = world.view().read(&path("huge"), u64::MAX).unwrap_err().to_string();
    assert!(refused.contains("1099511627776 bytes") && refused.contains("10485760"), "{refused}");
}
