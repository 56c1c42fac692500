//! R21: nothing leads out of the workspace.

use crate::world::*;
use canvas::*;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use wire::*;

const SECRET: &[u8] = b"the secret outside";

#[test]
fn nothing_outside_can_be_named_or_reached() {
    let world = World::new();
    std::fs::write(world.outside().join("secret"), SECRET).unwrap();
    std::fs::create_dir(world.outside().join("root-evil")).unwrap();
    std::fs::write(world.outside().join("root-evil/secret"), SECRET).unwrap();
    for name in ["../secret", "/etc/passwd", "a/../../secret", "../root-evil/secret", ".git/config", "a/.GIT/hooks/x"] {
        assert!(RelPath::new(name).is_err(), "{name}");
    }
    symlink(world.outside(), world.at.join("out")).unwrap();
    symlink("..", world.at.join("up")).unwrap();
    symlink("/proc/self/root", world.at.join("root")).unwrap();
    symlink("/proc/self/cwd", world.at.join("cwd")).unwrap();
    symlink("/dev/fd", world.at.join("fd")).unwrap();
    symlink("circle", world.at.join("circle")).unwrap();
    for name in ["out/secret", "up/secret", "up/root/../secret", "root/etc/passwd", "cwd/x", "fd/0", "circle/x"] {
        let Ok(name) = RelPath::new(name) else { continue };
        let read = world.tree.read(&name, 1000);
        assert!(matches!(read, Err(WorkTreeError::Outside(_) | WorkTreeError::Unfollowable(_))), "{name}: {read:?}");
        assert!(world.tree.list(name.parent().as_ref()).is_err());
    }
    // The link itself is a file, whose bytes are its target.
    let target = world.outside().to_str().unwrap().as_bytes().to_vec();
    let link = Found::File(Contents { bytes: target, mode: Mode::Symlink });
    assert_eq!(world.tree.read(&path("out"), 1000).unwrap(), link);
}

#[test]
fn a_link_that_stays_inside_is_followed_for_reading_and_refused_for_writing() {
    let mut world = World::new();
    world.save("real/a", "inside");
    symlink("real", world.at.join("alias")).unwrap();
    assert_eq!(world.text("alias/a").unwrap(), "inside");
    let refused = world.tree.check_writable(&path("alias/a")).unwrap_err();
    assert!(matches!(refused, WorkTreeError::BehindLink(_)), "{refused}");
    world.tree.check_writable(&path("real/new/deep/a")).unwrap();
    world.write("alias/a", "through a link");
    let accepted = world.accept(&Selection::All);
    assert_eq!(accepted.outcome, agent::AcceptOutcome::Failed);
    assert!(accepted.end.message.unwrap().contains("symbolic link"));
    assert_eq!(world.on_disk("real/a").unwrap(), b"inside");
}

#[test]
fn a_link_into_git_is_not_followed() {
    let world = World::new();
    git(&world.at, &["init", "-q"]);
    symlink(".git", world.at.join("innocent")).unwrap();
    symlink(".git/hooks", world.at.join("hooks")).unwrap();
    for name in ["innocent/config", "hooks/pre-commit.sample", "innocent/hooks/../config"] {
        let read = world.tree.read(&path(name), 1 << 20);
        assert!(matches!(read, Err(WorkTreeError::Git(_)) | Ok(Found::Absent)), "{name}: {read:?}");
    }
    assert!(matches!(world.tree.read(&path("innocent/config"), 1 << 20), Err(WorkTreeError::Git(_))));
    assert!(world.tree.list(None).unwrap().iter().all(|entry| entry.name != ".git"));
}

/// The middle of the path is a directory and a link to the outside by turns, as fast as can be.
#[test]
fn a_link_swapped_in_a_race_never_leads_out() {
    const TRIALS: usize = 100_000;
    let world = World::new();
    world.save("mid/secret", "inside");
    std::fs::create_dir(world.outside().join("evil")).unwrap();
    std::fs::write(world.outside().join("evil/secret"), SECRET).unwrap();
    symlink("../evil", world.at.join("other")).unwrap();
    let stop = AtomicBool::new(false);
    let (mut inside, mut refused, mut absent, mut escapes) = (0, 0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mid, other) = (world.at.join("mid"), world.at.join("other"));
            while !stop.load(Ordering::Relaxed) {
                let (cwd, flags) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
                rustix::fs::renameat_with(cwd, &mid, cwd, &other, flags).unwrap();
            }
        });
        for _ in 0..TRIALS {
            match world.tree.read(&path("mid/secret"), 1000) {
                Ok(Found::File(contents)) if contents.bytes == SECRET => escapes += 1,
                Ok(Found::File(_)) => inside += 1,
                Ok(_) => absent += 1,
                Err(_) => refused += 1,
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{TRIALS} trials: {inside} inside, {refused} refused, {absent} absent, {escapes} escapes");
    assert!(inside > 0 && refused > 0, "the race was one");
    assert_eq!(escapes, 0);
}

#[test]
fn what_is_not_a_file_is_named_and_never_opened() {
    let world = World::new();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, world.at.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.at.join("socket")).unwrap();
    assert_eq!(world.tree.read(&path("pipe"), 10).unwrap(), Found::Other("a named pipe"));
    assert_eq!(world.tree.read(&path("socket"), 10).unwrap(), Found::Other("a socket"));
    assert!(world.tree.list(None).unwrap().iter().all(|entry| entry.kind == EntryKind::Other));
}

#[test]
fn every_limit_has_an_error() {
    let world = World::new();
    world.save("large", vec![b'x'; 100]);
    world.save("small", "x");
    let limits = ReadLimits { max_file_bytes: 50, max_entries: 1 };
    let tree = WorkTree::open_with(&world.at, limits).unwrap();
    let read = tree.read(&path("large"), u64::MAX);
    assert!(matches!(read, Err(WorkTreeError::TooLarge { bytes: 100, limit: 50, .. })));
    assert!(matches!(tree.list(None), Err(WorkTreeError::TooManyEntries { limit: 1, .. })));
    assert!(matches!(world.tree.read(&path("large"), 10), Err(WorkTreeError::TooLarge { limit: 10, .. })));
    assert!(matches!(world.tree.list(Some(&path("small"))), Err(WorkTreeError::NotADirectory(_))));
    assert!(matches!(WorkTree::open(&world.at.join("none")), Err(WorkTreeError::NotOpened { .. })));
}

#[test]
fn accept_replaces_a_name_and_not_the_file_that_a_hard_link_shares() {
    let mut world = World::new();
    let elsewhere = world.outside().join("elsewhere");
    std::fs::write(&elsewhere, "shared").unwrap();
    std::fs::hard_link(&elsewhere, world.at.join("linked")).unwrap();
    assert_eq!(world.text("linked").unwrap(), "shared");
    world.write("linked", "mine");
    assert_eq!(world.accept(&Selection::All).outcome, agent::AcceptOutcome::Done);
    assert_eq!(world.on_disk("linked").unwrap(), b"mine");
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"shared");
}
